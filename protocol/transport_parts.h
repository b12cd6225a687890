/* transport_parts.h - what the two halves of a listener share.
 *
 * A part of transport.h and used by nothing else. A url of tcp:// or ipc:// is served by transport_sockets.c,
 * which reads and writes the sockets itself, in nng's wire form; ws:// and tls+tcp:// by nng
 * (transport_nng.c). Both keep their connections in one hk_pipes, under numbers that cannot meet: those of
 * sockets have the highest bit. */
#ifndef HALFKEY_PROTOCOL_TRANSPORT_PARTS_H
#define HALFKEY_PROTOCOL_TRANSPORT_PARTS_H

#include <stdatomic.h>

#include "protocol/transport.h"
#include "protocol/transport_pipes.h"

#define HK_SOCKET_PIPE UINT32_C(0x80000000)
/* What nng puts before a frame: the request's id, and one more for each device of nng's on the way. */
#define HK_REQUEST_ID_BYTES 4
#define HK_SEND_TIMEOUT_MS 3000
#define HK_CONTEXTS 256

struct hk_listener;

/* How a half ends a reply. */
struct hk_reply_way {
    void (*send)(struct hk_reply *reply, const void *frame, size_t size);
    void (*drop)(struct hk_reply *reply);
};

/* The first member of what each half has for a request. */
struct hk_reply {
    struct hk_listener *listener;
    const struct hk_reply_way *way;
    uint32_t pipe;
    struct hk_peer peer; /* kept: the connection may be gone when it is asked for */
};

struct hk_nng;
struct hk_sockets;

struct hk_listener {
    struct hk_listener_setup setup;
    struct hk_pipes *pipes;
    char urls[HK_LISTEN_URLS][HK_LISTEN_URL_MAX];
    size_t url_count;
    atomic_bool stopping;
    struct hk_nng *nng;         /* NULL: no url needs it */
    struct hk_sockets *sockets; /* the same */
};

/* A new connection: false turns it away. Others may have been closed to make room. */
bool hk_listener_admit(struct hk_listener *listener, uint32_t pipe, const struct hk_peer *peer) HK_CHECK;

/* ---- by nng ---- */

/* The socket and its contexts; NULL on success, else a sentence. What was made is freed by hk_nng_free. */
const char *hk_nng_new(struct hk_listener *listener) HK_CHECK;
/* Listens; writes the url that it really has. */
const char *hk_nng_listen(struct hk_listener *listener, const char *url,
                          char out[HK_LISTEN_URL_MAX]) HK_CHECK;
void hk_nng_start(struct hk_nng *nng);
/* Tells the contexts to receive no more; then: is every reply sent or dropped? */
void hk_nng_stop(struct hk_nng *nng);
bool hk_nng_is_idle(struct hk_nng *nng) HK_CHECK;
void hk_nng_free(struct hk_nng *nng);
void hk_nng_close(struct hk_listener *listener, const uint32_t *pipes, size_t count);

/* ---- by sockets ---- */
const char *hk_sockets_new(struct hk_listener *listener) HK_CHECK;
const char *hk_sockets_listen(struct hk_listener *listener, const char *url,
                              char out[HK_LISTEN_URL_MAX]) HK_CHECK;
const char *hk_sockets_start(struct hk_sockets *sockets) HK_CHECK;
/* Nothing that has not been read is read any more; then: is every reply sent or dropped, and out? */
void hk_sockets_stop(struct hk_sockets *sockets);
bool hk_sockets_are_idle(struct hk_sockets *sockets) HK_CHECK;
void hk_sockets_free(struct hk_sockets *sockets);
void hk_sockets_close(struct hk_sockets *sockets, uint32_t pipe);

#endif

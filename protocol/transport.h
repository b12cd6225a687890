/* transport.h - whole messages between processes, in the forms of nng's REQ and REP: tcp, ipc, ws, tls+tcp.
 *
 * The transport is trusted with nothing: what it carries is sealed. A client has one connection for each
 * endpoint, on which many calls may be under way; requests are never sent again by the transport. A service's
 * requests come as callbacks with a reply, which any thread may send or drop later. tcp and ipc are read and
 * written here (transport_sockets.h, transport_client_socket.c), ws and tls+tcp by nng. Messages are at most
 * HK_FRAME_MAX bytes; a peer that sends more is cut off. Objects are allocated by _new and live as long as
 * the process or until _free. */
#ifndef HALFKEY_PROTOCOL_TRANSPORT_H
#define HALFKEY_PROTOCOL_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "protocol/frame.h"

#define HK_TIMEOUT_MS 10000 /* a call's, if nothing else is said */

/* ---- the client ---- */
struct hk_endpoint;

/* An endpoint that is reached at `url` (see address.h). Connects at the first call, and again when the
 * connection was lost. HK_BAD_ENCODING for a url that nng does not take. */
HK_CHECK enum hk_error hk_endpoint_new(struct hk_endpoint **out, const char *url);

/* Sends `size` bytes and waits for the answer: at most `max` bytes to `answer`, its length to *answer_size.
 * Blocks; many threads may call at once. `answer` may be `request`.
 *
 *   timeout_ms  for the whole call, connecting included; 0: HK_TIMEOUT_MS
 *
 * HK_UNREACHABLE if there is no connection to be had or it was lost before the answer came (the request may
 * have been executed), HK_TIMEOUT, HK_TOO_LARGE for a request over HK_FRAME_MAX or an answer over `max`. */
HK_CHECK enum hk_error hk_endpoint_call(struct hk_endpoint *endpoint, const void *request, size_t size,
                                        uint8_t *answer, size_t max, size_t *answer_size, int timeout_ms);

/* Work of the caller's own that fits into the time in which the other side works. */
struct hk_meanwhile {
    void (*run)(void *argument); /* NULL: nothing */
    void *argument;
};

/* hk_endpoint_call that runs `meanwhile` once after the request has left and before it waits for the answer;
 * not if the request did not leave. NULL: nothing. */
HK_CHECK enum hk_error hk_endpoint_call_meanwhile(struct hk_endpoint *endpoint, const void *request,
                                                  size_t size, uint8_t *answer, size_t max,
                                                  size_t *answer_size, int timeout_ms,
                                                  const struct hk_meanwhile *meanwhile);

/* Ends the calls that are under way with HK_UNREACHABLE, waits for their threads to leave, and closes. */
void hk_endpoint_free(struct hk_endpoint *endpoint);

/* ---- the service ---- */
struct hk_listener;
struct hk_reply; /* the right to answer one request, once */

/* From where a request came. */
struct hk_peer {
    bool is_local;       /* over ipc */
    uint8_t address[16]; /* IPv6, or IPv4 mapped into it; zero over ipc */
    uint16_t port;       /* as on the wire */
};

/* How many connections there may be; 0: no limit. */
struct hk_pipe_limits {
    size_t total; /* one more takes the place of the oldest that no device has used, or is turned away */
    size_t per_address; /* that no device has used */
};

struct hk_listener_setup {
    const char *const
        *urls;        /* checked before by hk_address_check_url; a tcp host of "*" takes IPv6 and IPv4 */
    size_t url_count; /* 1 to HK_LISTEN_URLS */
    size_t contexts;  /* requests that may be under way at once; 0: 256 */
    /* A request. Runs in a thread of the transport, several at once; must not block. `frame` is the callee's
     * to change and valid until the reply is sent or dropped, which must happen once, in any thread, now or
     * later. */
    void (*request)(void *argument, struct hk_reply *reply, uint8_t *frame, size_t size);
    struct hk_pipe_limits limits;
    /* Asked once for each new connection; false turns it away. May be NULL. */
    bool (*admit)(void *argument, const struct hk_peer *peer);
    void *argument;
};
#define HK_LISTEN_URLS 8
#define HK_LISTEN_URL_MAX 256

/* *out is there before the first request comes, and NULL again if it cannot listen; then *reason says why. */
HK_CHECK enum hk_error hk_listener_new(struct hk_listener **out, const struct hk_listener_setup *setup,
                                       const char **reason);
/* The url that the n-th listener really has (port 0 replaced by the port that was free). */
const char *hk_listener_url(const struct hk_listener *listener, size_t n) HK_CHECK;
/* Stops accepting connections and requests, waits at most `wait_ms` until every reply is sent or dropped and
 * what was sent is out. HK_TIMEOUT if some are left. */
HK_CHECK enum hk_error hk_listener_stop(struct hk_listener *listener, int wait_ms);
/* After hk_listener_stop has said HK_OK. */
void hk_listener_free(struct hk_listener *listener);

/* Hands an answer to the transport; copies it, never blocks, and ends the reply. If the peer does not read,
 * its connection is closed after a few seconds. */
void hk_reply_send(struct hk_reply *reply, const void *frame, size_t size);
/* Ends the reply without an answer. */
void hk_reply_drop(struct hk_reply *reply);

/* The connection that a request came over: a number that is not used again soon, and its other end. */
uint32_t hk_reply_pipe(const struct hk_reply *reply) HK_CHECK;
void hk_reply_peer(const struct hk_reply *reply, struct hk_peer *out);

/* Notes that an authentic frame of the device with this static key (NULL: of a stranger) came over the
 * reply's connection. Cheap when it is noted already. */
void hk_reply_mark(struct hk_reply *reply, const uint8_t *static_key);
/* Sends the first refusal on a connection; later ones are dropped unless a device uses it. */
void hk_reply_refuse(struct hk_reply *reply, const void *frame, size_t size);
/* Closes connections that carried no authentic frame within ten seconds, or as a stranger's none for two
 * minutes. To be called every few seconds. (Over ws, a connection that does not even finish the transport's
 * own greeting, nng ends after ten seconds.) */
void hk_listener_sweep(struct hk_listener *listener);
size_t hk_listener_connections(struct hk_listener *listener) HK_CHECK;
/* Closes every connection that is marked with this key, and with it what is still queued on it. */
void hk_listener_close_marked(struct hk_listener *listener, const uint8_t static_key[32]);
/* Closes one connection. */
void hk_listener_close_pipe(struct hk_listener *listener, uint32_t pipe);

#endif

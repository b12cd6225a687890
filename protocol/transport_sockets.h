/* transport_sockets.h - connections over tcp and ipc that threads of ours read and write themselves.
 *
 * A part of transport_parts.h and used by nothing else. On the wire it is nng's REP: eight bytes of greeting,
 * then for each message its length in 8 bytes (over ipc one byte more before it), request ids of 4 bytes up
 * to one with the highest bit set, and the frame. nng's own REP hands a message through four threads on its
 * way in; here the thread that reads a message works on it.
 *
 * All threads wait on one epoll in which each connection is armed for one event. Who has the event owns what
 * is read, and arms the connection again as soon as the message is complete, so that the next may be read
 * beside the work on this one. A connection is freed when nobody refers to it: who has its event (or the
 * epoll, while it is armed), replies that are open, and the thread that waits for a slow peer. Until then its
 * descriptor stays taken. Locks: a connection's, then the sockets'. */
#ifndef HALFKEY_PROTOCOL_TRANSPORT_SOCKETS_H
#define HALFKEY_PROTOCOL_TRANSPORT_SOCKETS_H

#include <pthread.h>
#include <stdatomic.h>

#include "protocol/transport_parts.h"

#define HK_SOCKET_THREADS_MAX 32
#define HK_SOCKET_BUCKETS 4096
#define HK_GREETING_BYTES 8
#define HK_REQUEST_IDS_MAX 8

/* What an event of the epoll is about; the first member of each. */
enum hk_source { HK_SOURCE_CONNECTION, HK_SOURCE_LISTENING, HK_SOURCE_WAITING, HK_SOURCE_END };

/* An answer, or the rest of one, that a peer was too slow to take. */
struct hk_out {
    struct hk_out *next;
    size_t size, done;
    uint8_t bytes[];
};

enum hk_stage { HK_STAGE_GREETING, HK_STAGE_HEAD, HK_STAGE_BODY };

struct hk_connection {
    enum hk_source source;
    bool is_ipc;
    int fd;
    uint32_t id;
    struct hk_peer peer;
    struct hk_sockets *sockets;
    struct hk_connection *next;         /* in its bucket */
    struct hk_connection *next_waiting; /* for a reply to be free */
    struct hk_connection *next_slow;
    atomic_uint references;
    /* of who has the event */
    bool is_watched; /* by the epoll */
    enum hk_stage stage;
    uint8_t head[HK_GREETING_BYTES + 1];
    size_t have, body_size;
    uint8_t *body;
    /* under the lock */
    pthread_mutex_t lock;
    bool dead; /* nothing is read or sent any more */
    struct hk_out *first, *last;
    size_t queued;
    _Atomic uint64_t since; /* when the first of them began to wait, ms */
};

struct hk_socket_reply {
    struct hk_reply base;
    struct hk_connection *connection;
    uint8_t *body;
    size_t ids_size; /* of the body's beginning */
    struct hk_socket_reply *next;
};

struct hk_listening {
    enum hk_source source;
    int fd;
    char path[HK_LISTEN_URL_MAX]; /* of ipc; else empty */
};

struct hk_sockets {
    struct hk_listener *listener;
    int poll, slow_poll;
    int waiting_event, end_event, slow_event; /* eventfds */
    enum hk_source waiting_source, end_source;
    struct hk_listening listening[HK_LISTEN_URLS];
    size_t listening_count;
    pthread_t threads[HK_SOCKET_THREADS_MAX], slow_thread;
    size_t thread_count;
    bool has_slow_thread;
    atomic_bool ending;
    atomic_uint last_id;
    atomic_size_t open; /* replies */
    struct hk_socket_reply *replies;
    pthread_mutex_t lock;
    struct hk_socket_reply *free_replies;
    struct hk_connection *first_waiting, *last_waiting;
    struct hk_connection *slow;
    struct hk_connection *buckets[HK_SOCKET_BUCKETS];
};

/* ---- connections: transport_connection.c ---- */

/* Takes over a descriptor: greets, and puts it into the table. NULL: closed again. The caller has its event.
 */
struct hk_connection *hk_connection_new(struct hk_sockets *sockets, int fd,
                                        const struct hk_peer *peer) HK_CHECK;
void hk_connection_borrow(struct hk_connection *connection);
void hk_connection_release(struct hk_connection *connection);
/* By who has the event: waits for the next one, or gives the connection up. */
void hk_connection_arm(struct hk_connection *connection);
void hk_connection_end(struct hk_connection *connection);
/* By anybody who refers to it: nothing passes any more, in neither direction. */
void hk_connection_kill(struct hk_connection *connection);
/* Sends a message, or queues what does not go at once. `head`: what comes before the frame. */
void hk_connection_send(struct hk_connection *connection, const uint8_t *head, size_t head_size,
                        const void *frame, size_t size);
/* The thread that waits for slow peers. */
void *hk_connection_slow_thread(void *sockets);

/* ---- listening: transport_listen.c ---- */

/* Opens what listens; NULL or a sentence. Writes the url that it really has. */
const char *hk_listen_open(struct hk_listening *listening, const char *url,
                           char out[HK_LISTEN_URL_MAX]) HK_CHECK;
void hk_listen_close(struct hk_listening *listening);
/* One connection, not blocking; -1: none now (and errno says why). */
int hk_listen_accept(const struct hk_listening *listening, struct hk_peer *peer) HK_CHECK;

#endif

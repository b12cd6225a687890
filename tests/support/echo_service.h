/* echo_service.h - a service that has sessions and a transport and nothing behind them, for tests of both.
 *
 * It answers every request with the same bytes. A request that begins with a letter does more: "H" is held
 * until echo_release, "S" is answered after 30 ms by another thread, "N" is answered but never kept for
 * repeats, "L" is answered with HK_PLAINTEXT_MAX bytes, "D" is dropped. */
#ifndef HALFKEY_TESTS_ECHO_SERVICE_H
#define HALFKEY_TESTS_ECHO_SERVICE_H

#include "protocol/session_table.h"
#include "protocol/transport.h"

struct echo_service {
    struct hk_secret32 static_key;
    uint8_t static_public[32];
    struct hk_session_table *table;
    struct hk_listener *listener;
    const char *url;
    atomic_uint executed; /* requests that were new */
    atomic_uint admitted; /* devices asked for */
    uint8_t unknown[32];  /* a static key that is refused */
    atomic_bool refuse_connections;
    pthread_mutex_t lock;
    struct hk_reply *held[64];
    uint8_t held_frame[64][256];
    size_t held_size[64], held_count;
    /* If set, gets every new request instead: `session` is borrowed until hk_session_table_release, the reply
     * is the callee's. */
    void (*answer)(struct echo_service *service, struct hk_session *session, uint64_t counter,
                   struct hk_reply *reply, const uint8_t *text, size_t size);
};

/* Starts it at `url`; fails the test if it cannot. */
void echo_start(struct echo_service *service, const char *url);
/* Answers what was held. */
void echo_release(struct echo_service *service);
void echo_stop(struct echo_service *service);

/* One raw exchange: the frame as it is, the answer as it comes. */
enum hk_error echo_raw(const char *url, const void *frame, size_t size, uint8_t *answer, size_t *answer_size,
                       int timeout_ms);

#endif

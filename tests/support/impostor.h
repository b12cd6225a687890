/* impostor.h - an attacker who has the service's place and its keys: everything that a service says to a
 * device, this one can say otherwise.
 *
 * It runs in the test's own process at the real service's address, after that one was stopped, with its
 * static and identity keys out of its data folder, or with a static key of its own. Each request that opens
 * is given to the test, which says what goes back. */
#ifndef HALFKEY_TESTS_IMPOSTOR_H
#define HALFKEY_TESTS_IMPOSTOR_H

#include <pthread.h>
#include <stdatomic.h>

#include "keyservice/masterkey.h"
#include "protocol/message.h"
#include "protocol/object.h"
#include "protocol/session_table.h"
#include "protocol/transport.h"
#include "tests/support/service.h"

enum hk_lie {
    HK_LIE_ANSWER,   /* the answer that the test filled in */
    HK_LIE_GARBAGE,  /* random bytes, sealed as they should be */
    HK_LIE_UNSEALED, /* random bytes in the place of a frame */
    HK_LIE_PREVIOUS, /* the last frame that was answered, once more */
    HK_LIE_SWAPPED,  /* this answer sealed as that to another request */
    HK_LIE_SILENCE,  /* nothing, ever */
    HK_LIE_LATE,     /* the answer, after late_ms */
    HK_LIE_HINT      /* an error outside of the session: hint */
};

struct hk_impostor {
    /* the test's */
    enum hk_lie (*answer)(struct hk_impostor *impostor, const struct hk_message *request,
                          struct hk_message *answer);
    int late_ms;
    enum hk_error hint;
    struct hk_log_head head; /* for hk_impostor_head */
    uint8_t account[HK_ACCOUNT_BYTES];
    /* what it saw */
    atomic_uint handshakes, frames, requests; /* frames: of type request, whether they open or not */
    atomic_uint ops[64];
    /* its own */
    struct hk_service_keys *keys;
    struct hk_secret32 own_key;
    uint8_t own_public[32];
    struct hk_session_table *table;
    struct hk_listener *listener;
    pthread_mutex_t lock;
    size_t previous_size;
    uint8_t previous[HK_FRAME_MAX];
};

/* Takes the place of `service`, which must be stopped. `substituted`: with another static key. Fields of the
 * test are set before. */
void hk_impostor_start(struct hk_impostor *impostor, const struct hk_test_service *service, bool substituted);
void hk_impostor_stop(struct hk_impostor *impostor);

/* Learns what the device has verified, from the real service while it runs and from its store: afterwards
 * hk_impostor_head shows exactly that. Ends the device's agent, so that nothing is left that it would ask
 * about.
 */
struct hk_test_home;
void hk_impostor_learn(struct hk_impostor *impostor, const struct hk_test_service *service,
                       const struct hk_test_home *home);

/* Fills the answer to log-head with impostor->head, signed with the stolen identity key: a service that shows
 * a device what it has seen already. False if the request is another one. */
bool hk_impostor_head(struct hk_impostor *impostor, const struct hk_message *request,
                      struct hk_message *answer);

#endif

#include "keyservice/recoveries.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define YOUNG 60

struct hk_recoveries {
    pthread_mutex_t lock;
    struct hk_recovering *first; /* the newest */
};

struct hk_recoveries *hk_recoveries_new(void)
{
    struct hk_recoveries *recoveries = calloc(1, sizeof(*recoveries));
    if (recoveries != NULL) {
        (void)pthread_mutex_init(&recoveries->lock, NULL);
    }
    return recoveries;
}

void hk_recoveries_free(struct hk_recoveries *recoveries)
{
    if (recoveries != NULL) {
        hk_recoveries_sweep(recoveries, UINT64_MAX);
        (void)pthread_mutex_destroy(&recoveries->lock);
    }
    free(recoveries);
}

enum hk_error hk_recovering_new(struct hk_recovering **out)
{
    struct hk_recovering *run = hk_secret_new(sizeof(*run));
    if (run == NULL) {
        return HK_BUSY;
    }
    run->profile = calloc(1, sizeof(*run->profile));
    run->signed_profile = malloc(HK_STORE_PROFILE_MAX);
    if (run->profile == NULL || run->signed_profile == NULL) {
        hk_recovering_free(run);
        return HK_BUSY;
    }
    *out = run;
    return HK_OK;
}

void hk_recovering_free(void *argument)
{
    struct hk_recovering *run = argument;
    if (run != NULL) {
        for (size_t i = 0; i < run->count; i++) {
            free(run->key[i].packet);
        }
        free(run->profile);
        free(run->signed_profile);
    }
    hk_secret_free(run);
}

static struct hk_recovering *take_locked(struct hk_recoveries *recoveries, const uint8_t *handshake)
{
    for (struct hk_recovering **at = &recoveries->first; *at != NULL; at = &(*at)->next) {
        if (memcmp((*at)->handshake, handshake, HK_HASH_BYTES) == 0) {
            struct hk_recovering *run = *at;
            *at = run->next;
            return run;
        }
    }
    return NULL;
}

/* Makes room: the oldest, if it is not young. */
static bool has_room(struct hk_recoveries *recoveries, uint64_t now)
{
    struct hk_recovering **last = &recoveries->first;
    size_t count = 0;
    for (struct hk_recovering **at = &recoveries->first; *at != NULL; at = &(*at)->next, count++) {
        last = at;
    }
    if (count < HK_RECOVERIES_MAX) {
        return true;
    }
    if ((*last)->began + YOUNG > now) {
        return false;
    }
    hk_recovering_free(*last);
    *last = NULL;
    return true;
}

enum hk_error hk_recoveries_keep(struct hk_recoveries *recoveries, struct hk_recovering *run, uint64_t now)
{
    pthread_mutex_lock(&recoveries->lock);
    hk_recovering_free(take_locked(recoveries, run->handshake));
    bool room = has_room(recoveries, now);
    if (room) {
        run->next = recoveries->first;
        recoveries->first = run;
    }
    pthread_mutex_unlock(&recoveries->lock);
    return room ? HK_OK : HK_BUSY;
}

struct hk_recovering *hk_recoveries_take(struct hk_recoveries *recoveries,
                                         const uint8_t handshake[HK_HASH_BYTES])
{
    pthread_mutex_lock(&recoveries->lock);
    struct hk_recovering *run = take_locked(recoveries, handshake);
    pthread_mutex_unlock(&recoveries->lock);
    return run;
}

void hk_recoveries_sweep(struct hk_recoveries *recoveries, uint64_t now)
{
    pthread_mutex_lock(&recoveries->lock);
    for (struct hk_recovering **at = &recoveries->first; *at != NULL;) {
        struct hk_recovering *run = *at;
        if (now == UINT64_MAX || run->began + HK_RECOVERY_SECONDS < now) {
            *at = run->next;
            hk_recovering_free(run);
        } else {
            at = &run->next;
        }
    }
    pthread_mutex_unlock(&recoveries->lock);
}

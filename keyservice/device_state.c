#include "keyservice/device_state.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHARDS 64
#define BUCKETS 256 /* of a shard */

struct state {
    struct state *next;
    uint8_t serial[HK_ID_BYTES];
    bool closing;
    uint64_t inside;
    struct hk_device_closer *closers;
    bool metered;
    double left; /* share operations */
    uint64_t metered_at;
};

struct hk_device_states {
    struct shard {
        pthread_mutex_t lock;
        struct state *bucket[BUCKETS];
    } shard[SHARDS];
};

static uint64_t milliseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct hk_device_states *hk_device_states_new(void)
{
    struct hk_device_states *states = calloc(1, sizeof(*states));
    for (size_t i = 0; states != NULL && i < SHARDS; i++) {
        (void)pthread_mutex_init(&states->shard[i].lock, NULL);
    }
    return states;
}

void hk_device_states_free(struct hk_device_states *states)
{
    for (size_t i = 0; states != NULL && i < SHARDS; i++) {
        for (size_t j = 0; j < BUCKETS; j++) {
            for (struct state *state = states->shard[i].bucket[j]; state != NULL;) {
                struct state *next = state->next;
                free(state);
                state = next;
            }
        }
        (void)pthread_mutex_destroy(&states->shard[i].lock);
    }
    free(states);
}

/* Serials are random, so their bytes are their hash. */
static struct shard *lock(struct hk_device_states *states, const uint8_t *serial)
{
    struct shard *shard = &states->shard[serial[0] % SHARDS];
    (void)pthread_mutex_lock(&shard->lock);
    return shard;
}

static struct state *find(struct shard *shard, const uint8_t *serial)
{
    struct state *state = shard->bucket[serial[1]];
    while (state != NULL && memcmp(state->serial, serial, HK_ID_BYTES) != 0) {
        state = state->next;
    }
    return state;
}

static struct state *find_or_make(struct shard *shard, const uint8_t *serial)
{
    struct state *state = find(shard, serial);
    if (state == NULL) {
        state = calloc(1, sizeof(*state));
        if (state != NULL) {
            memcpy(state->serial, serial, HK_ID_BYTES);
            state->next = shard->bucket[serial[1]];
            shard->bucket[serial[1]] = state;
        }
    }
    return state;
}

enum hk_error hk_device_enter(struct hk_device_states *states, const uint8_t serial[HK_ID_BYTES])
{
    struct shard *shard = lock(states, serial);
    struct state *state = find_or_make(shard, serial);
    enum hk_error error = state == NULL                           ? HK_BUSY
                          : state->closing                        ? HK_REVOKED
                          : state->inside >= HK_DEVICE_INSIDE_MAX ? HK_BUSY
                                                                  : HK_OK;
    if (error == HK_OK) {
        state->inside++;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return error;
}

static void run(struct hk_device_closer *closer)
{
    while (closer != NULL) {
        struct hk_device_closer *next = closer->next;
        closer->then(closer); /* outside the lock; may free the closer */
        closer = next;
    }
}

void hk_device_leave(struct hk_device_states *states, const uint8_t serial[HK_ID_BYTES])
{
    struct hk_device_closer *closers = NULL;
    struct shard *shard = lock(states, serial);
    struct state *state = find(shard, serial);
    if (state != NULL && --state->inside == 0) {
        closers = state->closers;
        state->closers = NULL;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    run(closers);
}

bool hk_device_is_closing(struct hk_device_states *states, const uint8_t serial[HK_ID_BYTES])
{
    struct shard *shard = lock(states, serial);
    struct state *state = find(shard, serial);
    bool closing = state != NULL && state->closing;
    (void)pthread_mutex_unlock(&shard->lock);
    return closing;
}

enum hk_error hk_device_close(struct hk_device_states *states, const uint8_t serial[HK_ID_BYTES],
                              struct hk_device_closer *closer)
{
    struct shard *shard = lock(states, serial);
    struct state *state = find_or_make(shard, serial);
    bool now = state != NULL && state->inside == 0;
    if (state != NULL) {
        state->closing = true;
        closer->next = now ? NULL : state->closers;
        state->closers = now ? state->closers : closer;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    if (now) {
        run(closer);
    }
    return state != NULL ? HK_OK : HK_BUSY;
}

/* Brings the allowance up to date. */
static void refill(struct state *state, uint64_t per_minute)
{
    uint64_t now = milliseconds();
    double most = (double)per_minute;
    if (!state->metered) {
        state->left = most;
    }
    state->left += most * (double)(now - (state->metered ? state->metered_at : now)) / 60000;
    state->left = state->left > most ? most : state->left;
    state->metered = true;
    state->metered_at = now;
}

enum hk_error hk_device_spend(struct hk_device_states *states, const uint8_t serial[HK_ID_BYTES],
                              uint64_t units, uint64_t per_minute)
{
    if (per_minute == 0) {
        return HK_OK;
    }
    enum hk_error error = HK_BUSY;
    struct shard *shard = lock(states, serial);
    struct state *state = find_or_make(shard, serial);
    if (state != NULL) {
        refill(state, per_minute);
        error = state->left >= (double)units ? HK_OK : HK_OVER_QUOTA;
        state->left -= error == HK_OK ? (double)units : 0;
    }
    (void)pthread_mutex_unlock(&shard->lock);
    return error;
}

void hk_device_states_sweep(struct hk_device_states *states, uint64_t per_minute)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &states->shard[i];
        (void)pthread_mutex_lock(&shard->lock);
        for (size_t j = 0; j < BUCKETS; j++) {
            for (struct state **at = &shard->bucket[j]; *at != NULL;) {
                struct state *state = *at;
                if (state->metered) {
                    refill(state, per_minute);
                }
                bool idle = state->inside == 0 && !state->closing &&
                            (!state->metered || state->left >= (double)per_minute);
                if (idle) {
                    *at = state->next;
                    free(state);
                } else {
                    at = &state->next;
                }
            }
        }
        (void)pthread_mutex_unlock(&shard->lock);
    }
}

#include "keyservice/policy.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/random.h"

#define PLACES 4096

/* How fast an allowance comes back, and how much of it there is. */
struct rate {
    uint32_t a_second, at_once;
};
static const struct rate of_address = {500, 3000}, of_all = {1000, 4000}, of_address_in_need = {1, 14};

struct bucket {
    uint32_t used, at; /* monotonic seconds */
};

struct hk_policy {
    atomic_int registration;
    _Atomic uint64_t quota, refused;
    pthread_mutex_t lock;
    uint8_t key[crypto_shorthash_KEYBYTES]; /* so that nobody can choose whose place to share */
    struct place {
        struct bucket usual, in_need;
    } place[PLACES];
    struct bucket all;
};

struct hk_policy *hk_policy_new(void)
{
    struct hk_policy *policy = calloc(1, sizeof(*policy));
    if (policy != NULL) {
        (void)pthread_mutex_init(&policy->lock, NULL);
        hk_random(policy->key, sizeof(policy->key));
    }
    return policy;
}

void hk_policy_free(struct hk_policy *policy)
{
    if (policy != NULL) {
        (void)pthread_mutex_destroy(&policy->lock);
    }
    free(policy);
}

void hk_policy_set(struct hk_policy *policy, const struct hk_options *options)
{
    atomic_store(&policy->registration, (int)options->registration);
    atomic_store(&policy->quota, options->quota);
}

bool hk_policy_registration_is_open(const struct hk_policy *policy)
{
    return atomic_load(&policy->registration) != HK_REGISTRATION_CLOSED;
}

uint64_t hk_policy_quota(const struct hk_policy *policy)
{
    return atomic_load(&policy->quota);
}

/* True if there is room for `cost`, which is then taken unless it is 0: room for 1 is then asked for. */
static bool take(struct bucket *bucket, const struct rate *rate, uint32_t now, uint32_t cost)
{
    uint64_t back = (uint64_t)(now - bucket->at) * rate->a_second;
    bucket->used = back >= bucket->used ? 0 : bucket->used - (uint32_t)back;
    bucket->at = now;
    bool room = bucket->used + (cost != 0 ? cost : 1) <= rate->at_once;
    bucket->used += room ? cost : 0;
    return room;
}

/* When all strangers together ask too much, each address keeps a little: a flood from a thousand of them
 * cannot lock out the one that has asked for nothing yet. */
static enum hk_error spend(struct hk_policy *policy, const struct hk_peer *peer, uint32_t cost)
{
    if (peer->is_local) {
        return HK_OK;
    }
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool is_v4 = sodium_memcmp(peer->address, mapped, sizeof(mapped)) == 0;
    uint8_t hash[crypto_shorthash_BYTES];
    (void)crypto_shorthash(hash, peer->address, is_v4 ? 16 : 8, policy->key); /* IPv6: the network */
    struct place *place = &policy->place[(hash[0] | (size_t)hash[1] << 8) % PLACES];
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    uint32_t now = (uint32_t)time.tv_sec;
    (void)pthread_mutex_lock(&policy->lock);
    bool allowed =
        take(&place->usual, &of_address, now, cost) &&
        (take(&policy->all, &of_all, now, cost) || take(&place->in_need, &of_address_in_need, now, cost));
    (void)pthread_mutex_unlock(&policy->lock);
    return allowed ? HK_OK : HK_OVER_QUOTA;
}

enum hk_error hk_policy_spend(struct hk_policy *policy, const struct hk_peer *peer,
                              enum hk_stranger_cost cost)
{
    enum hk_error error = spend(policy, peer, (uint32_t)cost);
    if (error != HK_OK) {
        atomic_fetch_add(&policy->refused, 1);
    }
    return error;
}

bool hk_policy_has_left(struct hk_policy *policy, const struct hk_peer *peer)
{
    return spend(policy, peer, 0) == HK_OK;
}

uint64_t hk_policy_refused(const struct hk_policy *policy)
{
    return atomic_load(&policy->refused);
}

#include "keyservice/policy.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/random.h"

#define PLACES 4096
#define A_SECOND 500
#define AT_ONCE 3000

struct hk_policy {
    atomic_int registration;
    _Atomic uint64_t quota;
    pthread_mutex_t lock;
    uint8_t key[crypto_shorthash_KEYBYTES]; /* so that nobody can choose whose place to share */
    struct {
        uint32_t used;
        uint32_t at; /* monotonic seconds */
    } place[PLACES];
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

enum hk_error hk_policy_spend(struct hk_policy *policy, const struct hk_peer *peer,
                              enum hk_stranger_cost cost)
{
    if (peer->is_local) {
        return HK_OK;
    }
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool is_v4 = sodium_memcmp(peer->address, mapped, sizeof(mapped)) == 0;
    uint8_t hash[crypto_shorthash_BYTES];
    (void)crypto_shorthash(hash, peer->address, is_v4 ? 16 : 8, policy->key); /* IPv6: the network */
    size_t n = (hash[0] | (size_t)hash[1] << 8) % PLACES;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)pthread_mutex_lock(&policy->lock);
    uint64_t passed = (uint32_t)now.tv_sec - policy->place[n].at, back = passed * A_SECOND;
    uint32_t used = policy->place[n].used;
    used = back >= used ? 0 : used - (uint32_t)back;
    enum hk_error error = used + (uint32_t)cost > AT_ONCE ? HK_OVER_QUOTA : HK_OK;
    policy->place[n].used = used + (error == HK_OK ? (uint32_t)cost : 0);
    policy->place[n].at = (uint32_t)now.tv_sec;
    (void)pthread_mutex_unlock(&policy->lock);
    return error;
}

#include "device/ecdsa_ahead.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "crypto/random.h"

/* In memory from hk_secret_new. */
struct hk_ecdsa_ahead {
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    pthread_t thread;
    bool ending, has_pair;
    struct hk_ecdsa_pair pair;
    struct hk_scalar half;
    uint8_t purpose[40]; /* 32 random bytes, a counter */
    size_t ready;
    struct hk_ecdsa_mask mask[HK_ECDSA_AHEAD_MASKS];
    bool has_offer;
    time_t born;
    struct hk_ecdsa_nonce nonce;
    struct hk_ecdsa_offer offer;
};

static time_t now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_BOOTTIME, &time);
    return time.tv_sec;
}

static bool is_for(const struct hk_ecdsa_ahead *ahead, const struct hk_ecdsa_pair *pair)
{
    return ahead->has_pair && memcmp(ahead->pair.name, pair->name, HK_NAME_BYTES) == 0;
}

static void next_purpose(struct hk_ecdsa_ahead *ahead, uint8_t purpose[40])
{
    for (int i = 39; i >= 32 && ++ahead->purpose[i] == 0; i--) {
    }
    memcpy(purpose, ahead->purpose, 40);
}

/* Makes masks, one at a time and outside the lock, as long as some are missing. */
static void *prepare(void *argument)
{
    struct hk_ecdsa_ahead *ahead = argument;
    struct hk_ecdsa_pair pair;
    struct hk_scalar half;
    struct hk_ecdsa_mask mask;
    uint8_t purpose[40];
    (void)setpriority(PRIO_PROCESS, 0, 10);
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->ending) {
        if (!ahead->has_pair || ahead->ready == HK_ECDSA_AHEAD_MASKS) {
            pthread_cond_wait(&ahead->wanted, &ahead->lock);
            continue;
        }
        pair = ahead->pair;
        half = ahead->half;
        next_purpose(ahead, purpose);
        pthread_mutex_unlock(&ahead->lock);
        hk_ecdsa_mask_prepare(&mask, &pair, &half, HK_BYTES(purpose, sizeof(purpose)));
        pthread_mutex_lock(&ahead->lock);
        if (ahead->ready < HK_ECDSA_AHEAD_MASKS && is_for(ahead, &pair)) {
            ahead->mask[ahead->ready++] = mask;
        }
        hk_wipe(&mask, sizeof(mask));
        hk_wipe(&half, sizeof(half));
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

enum hk_error hk_ecdsa_ahead_new(struct hk_ecdsa_ahead **out)
{
    struct hk_ecdsa_ahead *ahead = hk_secret_new(sizeof(*ahead));
    if (ahead == NULL) {
        return HK_NO_MEMORY;
    }
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->wanted, NULL);
    hk_random(ahead->purpose, 32);
    if (pthread_create(&ahead->thread, NULL, prepare, ahead) != 0) {
        hk_secret_free(ahead);
        return HK_NO_MEMORY;
    }
    *out = ahead;
    return HK_OK;
}

void hk_ecdsa_ahead_free(struct hk_ecdsa_ahead *ahead)
{
    if (ahead == NULL) {
        return;
    }
    pthread_mutex_lock(&ahead->lock);
    ahead->ending = true;
    pthread_cond_signal(&ahead->wanted);
    pthread_mutex_unlock(&ahead->lock);
    pthread_join(ahead->thread, NULL);
    pthread_cond_destroy(&ahead->wanted);
    pthread_mutex_destroy(&ahead->lock);
    hk_secret_free(ahead);
}

/* Under the lock. */
static void turn_to(struct hk_ecdsa_ahead *ahead, const struct hk_ecdsa_pair *pair,
                    const struct hk_scalar *half)
{
    hk_wipe(ahead->mask, sizeof(ahead->mask));
    hk_wipe(&ahead->nonce, sizeof(ahead->nonce));
    ahead->ready = 0;
    ahead->has_offer = false;
    ahead->pair = *pair;
    ahead->half = *half;
    ahead->has_pair = true;
}

void hk_ecdsa_ahead_mask(struct hk_ecdsa_ahead *ahead, struct hk_ecdsa_mask *mask,
                         const struct hk_ecdsa_pair *pair, const struct hk_scalar *half)
{
    bool found = false;
    uint8_t purpose[40];
    pthread_mutex_lock(&ahead->lock);
    if (!is_for(ahead, pair)) {
        turn_to(ahead, pair, half);
    } else if (ahead->ready > 0) {
        ahead->ready--;
        *mask = ahead->mask[ahead->ready];
        hk_wipe(&ahead->mask[ahead->ready], sizeof(*mask));
        found = true;
    }
    next_purpose(ahead, purpose);
    pthread_cond_signal(&ahead->wanted);
    pthread_mutex_unlock(&ahead->lock);
    if (!found) {
        hk_ecdsa_mask_prepare(mask, pair, half, HK_BYTES(purpose, sizeof(purpose)));
    }
}

void hk_ecdsa_ahead_keep(struct hk_ecdsa_ahead *ahead, const struct hk_ecdsa_pair *pair,
                         const struct hk_ecdsa_nonce *nonce, const struct hk_ecdsa_offer *offer)
{
    pthread_mutex_lock(&ahead->lock);
    if (is_for(ahead, pair)) {
        ahead->nonce = *nonce;
        ahead->offer = *offer;
        ahead->born = now();
        ahead->has_offer = true;
    }
    pthread_mutex_unlock(&ahead->lock);
}

bool hk_ecdsa_ahead_take(struct hk_ecdsa_ahead *ahead, const struct hk_ecdsa_pair *pair,
                         struct hk_ecdsa_nonce *nonce, struct hk_ecdsa_offer *offer)
{
    bool found = false;
    pthread_mutex_lock(&ahead->lock);
    if (is_for(ahead, pair) && ahead->has_offer) {
        found = now() - ahead->born <= HK_ECDSA_AHEAD_SECONDS;
        if (found) {
            *nonce = ahead->nonce;
            *offer = ahead->offer;
        }
        hk_wipe(&ahead->nonce, sizeof(ahead->nonce));
        ahead->has_offer = false;
    }
    pthread_mutex_unlock(&ahead->lock);
    return found;
}

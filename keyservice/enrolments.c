#include "keyservice/enrolments.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct hk_enrolments {
    pthread_mutex_t lock;
    struct hk_open_enrolment *first;
};

struct hk_enrolments *hk_enrolments_new(void)
{
    struct hk_enrolments *enrolments = calloc(1, sizeof(*enrolments));
    if (enrolments != NULL) {
        (void)pthread_mutex_init(&enrolments->lock, NULL);
    }
    return enrolments;
}

void hk_enrolments_free(struct hk_enrolments *enrolments)
{
    if (enrolments != NULL) {
        hk_enrolments_sweep(enrolments, UINT64_MAX);
        (void)pthread_mutex_destroy(&enrolments->lock);
    }
    free(enrolments);
}

enum hk_error hk_enrolment_new(struct hk_open_enrolment **out, size_t count)
{
    struct hk_open_enrolment *made = hk_secret_new(sizeof(*made) + count * sizeof(made->key[0]));
    if (made == NULL) {
        return HK_BUSY;
    }
    made->count = count;
    atomic_init(&made->references, 1);
    atomic_init(&made->voided, false);
    *out = made;
    return HK_OK;
}

void hk_enrolment_release(struct hk_open_enrolment *enrolment)
{
    if (enrolment != NULL && atomic_fetch_sub(&enrolment->references, 1) == 1) {
        hk_secret_free(enrolment);
    }
}

/* Takes everything out of the list for which `gone` says so. */
static void remove_if(struct hk_enrolments *enrolments,
                      bool (*gone)(const struct hk_open_enrolment *enrolment, const void *argument),
                      const void *argument)
{
    for (struct hk_open_enrolment **at = &enrolments->first; *at != NULL;) {
        struct hk_open_enrolment *enrolment = *at;
        if (gone(enrolment, argument)) {
            *at = enrolment->next;
            atomic_store(&enrolment->voided, true);
            hk_enrolment_release(enrolment);
        } else {
            at = &enrolment->next;
        }
    }
}

static bool replaces(const struct hk_open_enrolment *old, const void *argument)
{
    const struct hk_open_enrolment *new = argument;
    return memcmp(old->record.account, new->record.account, HK_ACCOUNT_BYTES) == 0 &&
           (memcmp(old->record.gate_hash, new->record.gate_hash, 32) == 0 ||
            memcmp(old->record.serial, new->record.serial, HK_ID_BYTES) == 0);
}

enum hk_error hk_enrolments_add(struct hk_enrolments *enrolments, struct hk_open_enrolment *enrolment)
{
    enum hk_error error = HK_OK;
    (void)pthread_mutex_lock(&enrolments->lock);
    remove_if(enrolments, replaces, enrolment);
    for (struct hk_open_enrolment *at = enrolments->first; at != NULL; at = at->next) {
        if (memcmp(at->record.static_key, enrolment->record.static_key, 32) == 0) {
            error = HK_CONFLICT;
        }
    }
    if (error == HK_OK) {
        (void)atomic_fetch_add(&enrolment->references, 1);
        enrolment->next = enrolments->first;
        enrolments->first = enrolment;
    }
    (void)pthread_mutex_unlock(&enrolments->lock);
    return error;
}

struct hk_open_enrolment *hk_enrolments_by_key(struct hk_enrolments *enrolments, const uint8_t static_key[32],
                                               uint64_t now)
{
    (void)pthread_mutex_lock(&enrolments->lock);
    struct hk_open_enrolment *at = enrolments->first;
    while (at != NULL && (at->expires <= now || memcmp(at->record.static_key, static_key, 32) != 0)) {
        at = at->next;
    }
    if (at != NULL) {
        (void)atomic_fetch_add(&at->references, 1);
    }
    (void)pthread_mutex_unlock(&enrolments->lock);
    return at;
}

struct hk_open_enrolment *hk_enrolments_by_transcript(struct hk_enrolments *enrolments,
                                                      const uint8_t *account, const uint8_t transcript[32],
                                                      uint64_t now)
{
    (void)pthread_mutex_lock(&enrolments->lock);
    struct hk_open_enrolment *at = enrolments->first;
    while (at != NULL && (at->expires <= now || memcmp(at->transcript, transcript, 32) != 0 ||
                          memcmp(at->record.account, account, HK_ACCOUNT_BYTES) != 0)) {
        at = at->next;
    }
    if (at != NULL) {
        (void)atomic_fetch_add(&at->references, 1);
    }
    (void)pthread_mutex_unlock(&enrolments->lock);
    return at;
}

size_t hk_enrolments_list(struct hk_enrolments *enrolments, const uint8_t *account, uint64_t now,
                          uint8_t (*serials)[HK_ID_BYTES], size_t max)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&enrolments->lock);
    for (struct hk_open_enrolment *at = enrolments->first; at != NULL && count < max; at = at->next) {
        if (at->expires > now && memcmp(at->record.account, account, HK_ACCOUNT_BYTES) == 0) {
            memcpy(serials[count++], at->record.serial, HK_ID_BYTES);
        }
    }
    (void)pthread_mutex_unlock(&enrolments->lock);
    return count;
}

bool hk_enrolments_are_open(struct hk_enrolments *enrolments, const uint8_t *account, uint64_t now)
{
    uint8_t serial[1][HK_ID_BYTES];
    return hk_enrolments_list(enrolments, account, now, serial, 1) != 0;
}

bool hk_enrolments_lock(struct hk_enrolments *enrolments, const uint8_t *admin, uint64_t now)
{
    (void)pthread_mutex_lock(&enrolments->lock);
    struct hk_open_enrolment *at = enrolments->first;
    while (at != NULL && (at->expires <= now || memcmp(at->admin, admin, HK_ID_BYTES) != 0)) {
        at = at->next;
    }
    (void)pthread_mutex_unlock(&enrolments->lock);
    return at != NULL;
}

static bool is_it(const struct hk_open_enrolment *enrolment, const void *argument)
{
    return enrolment == argument;
}

void hk_enrolments_end(struct hk_enrolments *enrolments, struct hk_open_enrolment *enrolment)
{
    (void)pthread_mutex_lock(&enrolments->lock);
    remove_if(enrolments, is_it, enrolment);
    (void)pthread_mutex_unlock(&enrolments->lock);
}

static bool has_part(const struct hk_open_enrolment *enrolment, const void *serial)
{
    return memcmp(enrolment->admin, serial, HK_ID_BYTES) == 0 ||
           memcmp(enrolment->record.serial, serial, HK_ID_BYTES) == 0;
}

void hk_enrolments_end_of(struct hk_enrolments *enrolments, const uint8_t *serial)
{
    (void)pthread_mutex_lock(&enrolments->lock);
    remove_if(enrolments, has_part, serial);
    (void)pthread_mutex_unlock(&enrolments->lock);
}

static bool is_over(const struct hk_open_enrolment *enrolment, const void *now)
{
    return enrolment->expires <= *(const uint64_t *)now;
}

void hk_enrolments_sweep(struct hk_enrolments *enrolments, uint64_t now)
{
    (void)pthread_mutex_lock(&enrolments->lock);
    remove_if(enrolments, is_over, &now);
    (void)pthread_mutex_unlock(&enrolments->lock);
}

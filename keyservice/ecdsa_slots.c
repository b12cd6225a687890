#include "keyservice/ecdsa_slots.h"

#include <pthread.h>
#include <string.h>

#include "crypto/random.h"

struct place {
    bool used;
    uint8_t serial[HK_ID_BYTES], key[HK_ID_BYTES];
    uint64_t number, born;
    struct hk_ecdsa_slot slot;
};

/* In memory from hk_secret_new. */
struct hk_ecdsa_slots {
    pthread_mutex_t lock;
    struct hk_secret32 key;
    uint64_t next;
    size_t places;
    struct place place[];
};

struct hk_ecdsa_slots *hk_ecdsa_slots_new(void)
{
    struct hk_ecdsa_slots *slots = NULL;
    size_t places = HK_ECDSA_SLOTS;
    while (places > HK_ECDSA_SLOTS_LEAST && places * sizeof(struct place) > hk_secret_limit() / 8) {
        places /= 2;
    }
    for (; places >= HK_ECDSA_SLOTS_LEAST && slots == NULL; places /= slots == NULL ? 2 : 1) {
        slots = hk_secret_new(sizeof(*slots) + places * sizeof(struct place));
    }
    if (slots != NULL) {
        slots->places = places;
        pthread_mutex_init(&slots->lock, NULL);
        hk_random(slots->key.bytes, sizeof(slots->key.bytes));
    }
    return slots;
}

void hk_ecdsa_slots_free(struct hk_ecdsa_slots *slots)
{
    if (slots != NULL) {
        pthread_mutex_destroy(&slots->lock);
        hk_secret_free(slots);
    }
}

const struct hk_secret32 *hk_ecdsa_slots_key(const struct hk_ecdsa_slots *slots)
{
    return &slots->key;
}

uint64_t hk_ecdsa_slots_number(struct hk_ecdsa_slots *slots)
{
    pthread_mutex_lock(&slots->lock);
    uint64_t number = ++slots->next;
    pthread_mutex_unlock(&slots->lock);
    return number;
}

static bool is_of(const struct place *place, const uint8_t *serial, const uint8_t *key)
{
    return place->used && memcmp(place->serial, serial, HK_ID_BYTES) == 0 &&
           memcmp(place->key, key, HK_ID_BYTES) == 0;
}

/* A free place; the pair's oldest where it has as many as it may; the oldest of all where none is free.
 * Numbers only rise, so the lower one is the older. */
static struct place *choose(struct hk_ecdsa_slots *slots, const uint8_t *serial, const uint8_t *key,
                            uint64_t now)
{
    struct place *oldest = NULL, *own = NULL, *empty = NULL;
    size_t count = 0;
    for (size_t i = 0; i < slots->places; i++) {
        struct place *place = &slots->place[i];
        if (place->used && now - place->born > HK_ECDSA_SLOT_SECONDS) {
            hk_wipe(place, sizeof(*place));
        }
        if (!place->used) {
            empty = place;
            continue;
        }
        if (oldest == NULL || place->number < oldest->number) {
            oldest = place;
        }
        if (is_of(place, serial, key)) {
            count++;
            own = own == NULL || place->number < own->number ? place : own;
        }
    }
    return count >= HK_ECDSA_SLOTS_A_PAIR ? own : empty != NULL ? empty : oldest;
}

void hk_ecdsa_slots_put(struct hk_ecdsa_slots *slots, const uint8_t serial[HK_ID_BYTES],
                        const uint8_t key[HK_ID_BYTES], uint64_t number, const struct hk_ecdsa_slot *slot,
                        uint64_t now)
{
    pthread_mutex_lock(&slots->lock);
    struct place *place = choose(slots, serial, key, now);
    hk_wipe(place, sizeof(*place));
    place->used = true;
    memcpy(place->serial, serial, HK_ID_BYTES);
    memcpy(place->key, key, HK_ID_BYTES);
    place->number = number;
    place->born = now;
    place->slot = *slot;
    pthread_mutex_unlock(&slots->lock);
}

enum hk_error hk_ecdsa_slots_take(struct hk_ecdsa_slots *slots, const uint8_t serial[HK_ID_BYTES],
                                  const uint8_t key[HK_ID_BYTES], uint64_t number, struct hk_ecdsa_slot *slot,
                                  uint64_t now)
{
    enum hk_error error = HK_UNKNOWN_RUN;
    pthread_mutex_lock(&slots->lock);
    for (size_t i = 0; i < slots->places; i++) {
        struct place *place = &slots->place[i];
        if (is_of(place, serial, key) && place->number == number) {
            if (now - place->born <= HK_ECDSA_SLOT_SECONDS) {
                *slot = place->slot;
                error = HK_OK;
            }
            hk_wipe(place, sizeof(*place));
        }
    }
    pthread_mutex_unlock(&slots->lock);
    return error;
}

void hk_ecdsa_slots_drop(struct hk_ecdsa_slots *slots, const uint8_t serial[HK_ID_BYTES])
{
    pthread_mutex_lock(&slots->lock);
    for (size_t i = 0; i < slots->places; i++) {
        struct place *place = &slots->place[i];
        if (place->used && memcmp(place->serial, serial, HK_ID_BYTES) == 0) {
            hk_wipe(place, sizeof(*place));
        }
    }
    pthread_mutex_unlock(&slots->lock);
}

size_t hk_ecdsa_slots_count(struct hk_ecdsa_slots *slots)
{
    size_t count = 0;
    pthread_mutex_lock(&slots->lock);
    for (size_t i = 0; i < slots->places; i++) {
        count += slots->place[i].used;
    }
    pthread_mutex_unlock(&slots->lock);
    return count;
}

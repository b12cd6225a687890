#include <stdlib.h>
#include <string.h>

#include "keyservice/log.h"

/* A table of fixed size: a device's entry may push out the one with the smallest sum. Only devices that the
 * service knows are counted here, so the table is as large as an honest service needs. */
#define PLACES 4096
#define NEAR 8

struct place {
    uint8_t serial[HK_ID_BYTES];
    bool used;
    uint64_t minute; /* when its count of leaves began */
    uint64_t leaves; /* written since then */
    uint64_t summed; /* refusals without a leaf */
};

struct hk_refusals {
    struct place places[PLACES];
};

struct hk_refusals *hk_refusals_new(void)
{
    return calloc(1, sizeof(struct hk_refusals));
}

void hk_refusals_free(struct hk_refusals *refusals)
{
    free(refusals);
}

/* Serials are random, so their first bytes are a hash. Pushing out prefers who has nothing summed up. */
static struct place *place_of(struct hk_refusals *refusals, const uint8_t *serial)
{
    size_t start = (size_t)(serial[0] | serial[1] << 8) % PLACES;
    struct place *best = NULL;
    for (size_t i = 0; i < NEAR; i++) {
        struct place *place = &refusals->places[(start + i) % PLACES];
        if (place->used && memcmp(place->serial, serial, HK_ID_BYTES) == 0) {
            return place;
        }
        if (best == NULL || (best->used && (!place->used || place->summed < best->summed))) {
            best = place;
        }
    }
    memset(best, 0, sizeof *best);
    memcpy(best->serial, serial, HK_ID_BYTES);
    best->used = true;
    return best;
}

uint64_t hk_refusals_count(struct hk_refusals *refusals, const uint8_t *serial, uint64_t now)
{
    struct place *place = place_of(refusals, serial);
    if (place->leaves == 0 || now - place->minute >= 60) {
        place->minute = now;
        place->leaves = 0;
    }
    place->summed++;
    if (place->leaves >= HK_REFUSALS_A_MINUTE) {
        return 0;
    }
    uint64_t count = place->summed;
    place->leaves++;
    place->summed = 0;
    return count;
}

bool hk_refusals_due(struct hk_refusals *refusals, uint64_t now, uint8_t *serial, uint64_t *count)
{
    for (size_t i = 0; i < PLACES; i++) {
        struct place *place = &refusals->places[i];
        if (!place->used || now - place->minute < 60) {
            continue;
        }
        bool due = place->summed != 0;
        if (due) {
            memcpy(serial, place->serial, HK_ID_BYTES);
            *count = place->summed;
        }
        memset(place, 0, sizeof *place);
        if (due) {
            return true;
        }
    }
    return false;
}

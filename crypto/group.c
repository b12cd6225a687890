#include "crypto/group.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/random.h"

bool hk_point_equal(const struct hk_group *group, const struct hk_point *a, const struct hk_point *b)
{
    /* A point other than the identity has one encoding. */
    bool none = group->point_is_identity(a), other = group->point_is_identity(b);
    return none || other ? none && other : memcmp(a->bytes, b->bytes, group->point_bytes) == 0;
}

static struct hk_point *find(struct hk_known *known, const struct hk_group *group, const uint8_t *in)
{
    for (size_t i = 0; i < known->count; i++) {
        if (memcmp(known->point[i].bytes, in, group->point_bytes) == 0) {
            return &known->point[i];
        }
    }
    return NULL;
}

void hk_known_add(struct hk_known *known, const struct hk_group *group, const struct hk_point *point)
{
    if (known->count < HK_KNOWN_MAX && !group->point_is_identity(point) &&
        find(known, group, point->bytes) == NULL) {
        known->point[known->count++] = *point;
    }
}

enum hk_error hk_known_decode(struct hk_known *known, const struct hk_group *group, struct hk_point *out,
                              const uint8_t *in)
{
    const struct hk_point *found = find(known, group, in);
    if (found != NULL) {
        *out = *found;
        return HK_OK;
    }
    enum hk_error error = group->point_decode(out, in);
    if (error == HK_OK) {
        hk_known_add(known, group, out);
    }
    return error;
}

void hk_scalar_random(const struct hk_group *group, struct hk_scalar *out)
{
    uint8_t wide[64];
    HK_WIPE_AT_EXIT(wide);
    do {
        hk_random(wide, sizeof(wide));
        group->scalar_reduce(out, wide);
    } while (group->scalar_is_zero(out));
}

enum hk_error hk_scalar_decode_nonzero(const struct hk_group *group, struct hk_scalar *out, const uint8_t *in)
{
    struct hk_scalar scalar;
    HK_WIPE_AT_EXIT(scalar);
    enum hk_error error = group->scalar_decode(&scalar, in);
    if (error == HK_OK && group->scalar_is_zero(&scalar)) {
        error = HK_BAD_SCALAR;
    }
    if (error == HK_OK) {
        *out = scalar;
    }
    return error;
}

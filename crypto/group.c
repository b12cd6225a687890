#include "crypto/group.h"

#include "crypto/hash.h"
#include "crypto/random.h"

bool hk_point_equal(const struct hk_group *group, const struct hk_point *a, const struct hk_point *b)
{
    /* Encodings would do for points other than the identity; the difference does for all. */
    struct hk_point difference;
    group->point_sub(&difference, a, b);
    return group->point_is_identity(&difference);
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

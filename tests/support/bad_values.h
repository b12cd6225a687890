/* bad_values.h - encodings that nobody may accept: points and scalars of each group that ships. */
#ifndef HALFKEY_TESTS_BAD_VALUES_H
#define HALFKEY_TESTS_BAD_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/group.h"

#define BAD_VALUE_BYTES_MAX 57

struct bad_value {
    char name[40];
    uint8_t bytes[BAD_VALUE_BYTES_MAX];
    size_t size; /* the group's unless the length is what is wrong */
};
#define BAD_POINTS_MAX 64
#define BAD_SCALARS_MAX 16

/* edwards25519: the identity, all points of small order, points of mixed order (for each small one), the
 * encodings of y and of the sign of x = 0 that are not canonical, values that are no y of the curve.
 * secp256k1: other first bytes (hybrid, uncompressed, none), x of p and above, x that is on no point. Both:
 * other lengths. Returns how many were written to `out` (BAD_POINTS_MAX). */
size_t bad_points(struct bad_value *out, const struct hk_group *group);

/* Zero, n, n+1, n+8, 2^256-1, other lengths, and where they are above n, 2n and 2^255-1: BAD_SCALARS_MAX of
 * room in `out`. */
size_t bad_scalars(struct bad_value *out, const struct hk_group *group);

#endif

/* bad_values.h - encodings of edwards25519 that nobody may accept: points and scalars. */
#ifndef HALFKEY_TESTS_BAD_VALUES_H
#define HALFKEY_TESTS_BAD_VALUES_H

#include <stddef.h>
#include <stdint.h>

#define BAD_VALUE_BYTES_MAX 57

struct bad_value {
    char name[40];
    uint8_t bytes[BAD_VALUE_BYTES_MAX];
    size_t size; /* 32 unless the length is what is wrong */
};
#define BAD_POINTS_MAX 64
#define BAD_SCALARS_MAX 16

/* The identity, all points of small order, points of mixed order (for each small one), the encodings of y and
 * of the sign of x = 0 that are not canonical, values that are no y of the curve, and other lengths. Returns
 * how many were written to `out` (BAD_POINTS_MAX). */
size_t bad_points(struct bad_value *out);

/* Zero, n, n+1, n+8, 2n, 2^255-1, 2^256-1, and other lengths: BAD_SCALARS_MAX of room in `out`. */
size_t bad_scalars(struct bad_value *out);

#endif

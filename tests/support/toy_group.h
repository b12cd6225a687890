/* toy_group.h - a group of 13 elements, so that protocols run over everything there is.
 *
 * The subgroup of order 13 of the integers mod 53, base 10. A scalar is one byte in [0, 12], a point one
 * byte; both encodings have plenty of wrong values for the strict decoders to refuse (scalars 13 to 255,
 * points outside the subgroup, 0, 53 and up; the identity is 1). No security whatever: tests only. */
#ifndef HALFKEY_TESTS_SUPPORT_TOY_GROUP_H
#define HALFKEY_TESTS_SUPPORT_TOY_GROUP_H

#include "crypto/group.h"

#define HK_TOY_ORDER 13
#define HK_TOY_PRIME 53
#define HK_TOY_BASE 10

extern const struct hk_group hk_toy_group;

/* The scalar `value` mod 13, and [value]B. */
struct hk_scalar hk_toy_scalar(unsigned value);
struct hk_point hk_toy_point(unsigned value);
/* The other way: the number of a scalar; the logarithm of a point, 0 for the identity. */
unsigned hk_toy_value(const struct hk_scalar *scalar);
unsigned hk_toy_log(const struct hk_point *point);

#endif

/* groups.h - the groups that ship, for tests that hold in every one of them. */
#ifndef HALFKEY_TESTS_SUPPORT_GROUPS_H
#define HALFKEY_TESTS_SUPPORT_GROUPS_H

#include "crypto/group.h"

#define HK_GROUP_COUNT 2
extern const struct hk_group *const hk_groups[HK_GROUP_COUNT];

/* Adds `value` to a scalar_bytes number in the group's byte order; carries out of it are lost. */
void hk_number_add(const struct hk_group *group, uint8_t *number, unsigned value);
/* n itself, encoded as a scalar would be: what strict decoders refuse. */
void hk_order(const struct hk_group *group, uint8_t *out);
/* number + n: the same scalar, not canonical; false if that does not fit into scalar_bytes. */
bool hk_number_add_order(const struct hk_group *group, uint8_t *number);

/* A random scalar other than zero, and its point. */
void hk_random_point(const struct hk_group *group, struct hk_scalar *k, struct hk_point *point);
/* Encoded, point_bytes, where nobody needs the scalar. */
void hk_random_point_bytes(const struct hk_group *group, uint8_t *out);
/* Both decoders refuse these point_bytes with bad-point, and write nothing. */
void hk_assert_no_point(const struct hk_group *group, const uint8_t *bytes);

/* cmocka's run of `tests` for each group, with `variable` set to it; the sum of what failed. */
#define HK_RUN_FOR_GROUPS(failed, variable, tests)                                                           \
    for (size_t hk_i = 0; hk_i < HK_GROUP_COUNT; hk_i++) {                                                   \
        (variable) = hk_groups[hk_i];                                                                        \
        (failed) += cmocka_run_group_tests_name((variable)->name, tests, NULL, NULL);                        \
    }

#endif

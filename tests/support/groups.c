#include "tests/support/groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/group_secp256k1.h"

const struct hk_group *const hk_groups[HK_GROUP_COUNT] = {&hk_edwards25519, &hk_secp256k1};

/* The place of a number's byte of weight 256^i. */
static size_t place(const struct hk_group *group, size_t i)
{
    return group->big_endian ? group->scalar_bytes - 1 - i : i;
}

void hk_number_add(const struct hk_group *group, uint8_t *number, unsigned value)
{
    for (size_t i = 0; i < group->scalar_bytes; i++) {
        value += number[place(group, i)];
        number[place(group, i)] = (uint8_t)value;
        value >>= 8;
    }
}

void hk_order(const struct hk_group *group, uint8_t *out)
{
    struct hk_scalar zero, one;
    group->scalar_set(&zero, 0);
    group->scalar_set(&one, 1);
    group->scalar_sub(&zero, &zero, &one);
    memcpy(out, zero.bytes, group->scalar_bytes);
    hk_number_add(group, out, 1);
}

bool hk_number_add_order(const struct hk_group *group, uint8_t *number)
{
    uint8_t order[HK_SCALAR_BYTES_MAX];
    unsigned carry = 0;
    hk_order(group, order);
    for (size_t i = 0; i < group->scalar_bytes; i++) {
        carry += (unsigned)number[place(group, i)] + order[place(group, i)];
        number[place(group, i)] = (uint8_t)carry;
        carry >>= 8;
    }
    return carry == 0;
}

void hk_random_point(const struct hk_group *group, struct hk_scalar *k, struct hk_point *point)
{
    hk_scalar_random(group, k);
    group->base_mul(point, k);
}

void hk_random_point_bytes(const struct hk_group *group, uint8_t *out)
{
    struct hk_scalar k;
    struct hk_point point;
    hk_random_point(group, &k, &point);
    memcpy(out, point.bytes, group->point_bytes);
}

void hk_assert_no_point(const struct hk_group *group, const uint8_t *bytes)
{
    struct hk_point point, before;
    struct hk_scalar k;
    hk_scalar_random(group, &k);
    memset(&point, 7, sizeof(point));
    before = point;
    assert_int_equal(group->point_decode(&point, bytes), HK_BAD_POINT);
    assert_memory_equal(&point, &before, sizeof(point));
    assert_int_equal(hk_point_decode_mul(group, &point, &k, bytes), HK_BAD_POINT);
    assert_memory_equal(&point, &before, sizeof(point));
}

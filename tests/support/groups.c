#include "tests/support/groups.h"

#include <string.h>

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

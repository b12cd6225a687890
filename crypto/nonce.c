#include "crypto/nonce.h"

#include <assert.h>
#include <string.h>

#include "crypto/random.h"

#define MASK_LIMBS 64 /* the longest mask is 2^384 times a 2048-bit modulus, a residue 3072 + 128 bits */

void hk_nonces_init(struct hk_nonces *nonces, struct hk_bytes secret, const char *kind,
                    const uint8_t statement[HK_NAME_BYTES])
{
    uint8_t random[32];
    HK_WIPE_AT_EXIT(random);
    hk_random(random, sizeof(random));
    hk_hash_list(nonces->seed.bytes, "nonce", 4,
                 (struct hk_bytes[]){HK_BYTES(random, sizeof(random)), secret, HK_TEXT(kind),
                                     HK_BYTES(statement, HK_NAME_BYTES)});
    nonces->block = 0;
}

void hk_nonces_bytes(struct hk_nonces *nonces, uint8_t *out, size_t size)
{
    uint8_t block[HK_HASH_BYTES];
    HK_WIPE_AT_EXIT(block);
    for (size_t done = 0; done < size; done += sizeof(block)) {
        struct hk_hash hash;
        hk_hash_init(&hash, "nonce/block", 2);
        hk_hash_add(&hash, nonces->seed.bytes, sizeof(nonces->seed.bytes));
        hk_hash_add_u64(&hash, nonces->block++);
        hk_hash_final(&hash, block);
        memcpy(out + done, block, size - done < sizeof(block) ? size - done : sizeof(block));
    }
}

void hk_nonces_bits(struct hk_nonces *nonces, hk_limb *out, size_t limbs, size_t bits)
{
    uint8_t bytes[8 * MASK_LIMBS] = {0};
    HK_WIPE_AT_EXIT(bytes);
    size_t size = (bits + 7) / 8;
    assert(size <= sizeof(bytes));
    hk_nonces_bytes(nonces, bytes, size);
    if (bits % 8 != 0) {
        bytes[0] &= (uint8_t)((1u << (bits % 8)) - 1);
    }
    hk_big_load(out, limbs, bytes, size);
}

void hk_nonces_mod(struct hk_nonces *nonces, hk_limb *out, const hk_limb *m, size_t limbs)
{
    hk_limb wide[MASK_LIMBS];
    HK_WIPE_AT_EXIT(wide);
    assert(limbs + 2 <= MASK_LIMBS);
    hk_nonces_bits(nonces, wide, limbs + 2, 64 * (limbs + 2));
    hk_big_mod(out, wide, limbs + 2, m, limbs);
}

void hk_nonces_scalar(struct hk_nonces *nonces, const struct hk_group *group, struct hk_scalar *out)
{
    uint8_t wide[64];
    HK_WIPE_AT_EXIT(wide);
    do {
        hk_nonces_bytes(nonces, wide, sizeof(wide));
        memset(out, 0, sizeof(*out));
        group->scalar_reduce(out, wide);
    } while (group->scalar_is_zero(out));
}

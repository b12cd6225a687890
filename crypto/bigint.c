#include "crypto/bigint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* -- GMP's memory, for the whole program -- */

static void wiping_free(void *memory, size_t size)
{
    hk_wipe(memory, size);
    free(memory);
}

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL) {
        abort(); /* GMP has no way to hear of it */
    }
    return memory;
}

static void *wiping_realloc(void *memory, size_t old_size, size_t new_size)
{
    void *moved = allocate(new_size);
    memcpy(moved, memory, old_size < new_size ? old_size : new_size);
    wiping_free(memory, old_size);
    return moved;
}

__attribute__((constructor)) static void set_memory_functions(void)
{
    mp_set_memory_functions(allocate, wiping_realloc, wiping_free);
}

/* -- encodings -- */

void hk_big_load(hk_limb *out, size_t limbs, const uint8_t *bytes, size_t size)
{
    assert(size <= 8 * limbs);
    memset(out, 0, 8 * limbs);
    for (size_t i = 0; i < size; i++) {
        out[i / 8] |= (hk_limb)bytes[size - 1 - i] << (8 * (i % 8));
    }
}

void hk_big_store(uint8_t *bytes, size_t size, const hk_limb *in, size_t limbs)
{
    for (size_t i = 0; i < size; i++) {
        bytes[size - 1 - i] = i / 8 < limbs ? (uint8_t)(in[i / 8] >> (8 * (i % 8))) : 0;
    }
}

/* -- comparisons: no early end, no branch on a limb -- */

bool hk_big_less(const hk_limb *a, const hk_limb *b, size_t limbs)
{
    hk_limb difference[HK_BIG_LIMBS];
    HK_WIPE_AT_EXIT(difference);
    assert(limbs <= HK_BIG_LIMBS);
    return mpn_sub_n(difference, a, b, (mp_size_t)limbs) != 0; /* 0 or 1, no branch */
}

bool hk_big_is_zero(const hk_limb *a, size_t limbs)
{
    return hk_is_zero(a, 8 * limbs);
}

bool hk_big_fits(const hk_limb *a, size_t limbs, size_t bits)
{
    hk_limb above = 0;
    for (size_t i = 0; i < limbs; i++) {
        if (64 * i >= bits) {
            above |= a[i];
        } else if (64 * (i + 1) > bits) {
            above |= a[i] >> (bits - 64 * i);
        }
    }
    return above == 0;
}

hk_limb hk_big_mask(bool flag)
{
    volatile hk_limb mask =
        (hk_limb)0 - (hk_limb)flag; /* clang makes a branch of a mask that it sees through */
    return mask;
}

void hk_big_select(hk_limb *out, bool flag, const hk_limb *a, const hk_limb *b, size_t limbs)
{
    hk_limb mask = hk_big_mask(flag);
    for (size_t i = 0; i < limbs; i++) {
        out[i] = (a[i] & mask) | (b[i] & ~mask);
    }
}

/* -- integers -- */

void hk_big_mod(hk_limb *out, const hk_limb *a, size_t length, const hk_limb *m, size_t limbs)
{
    hk_limb number[3 * HK_BIG_LIMBS], scratch[6 * HK_BIG_LIMBS + 8];
    HK_WIPE_AT_EXIT(number);
    HK_WIPE_AT_EXIT(scratch);
    assert(length <= 3 * HK_BIG_LIMBS && limbs <= HK_BIG_LIMBS);
    memset(number, 0, sizeof(number));
    memcpy(number, a, 8 * length);
    if (length < limbs) {
        length = limbs;
    }
    assert((size_t)mpn_sec_div_r_itch((mp_size_t)length, (mp_size_t)limbs) <= 6 * HK_BIG_LIMBS + 8);
    mpn_sec_div_r(number, (mp_size_t)length, m, (mp_size_t)limbs, scratch);
    memcpy(out, number, 8 * limbs);
}

void hk_big_divide(hk_limb *out, const hk_limb *a, size_t length, const hk_limb *m, size_t limbs)
{
    hk_limb number[3 * HK_BIG_LIMBS], scratch[6 * HK_BIG_LIMBS + 8];
    HK_WIPE_AT_EXIT(number);
    HK_WIPE_AT_EXIT(scratch);
    assert(limbs < length && length <= 3 * HK_BIG_LIMBS);
    assert((size_t)mpn_sec_div_qr_itch((mp_size_t)length, (mp_size_t)limbs) <= 6 * HK_BIG_LIMBS + 8);
    memcpy(number, a, 8 * length);
    (void)mpn_sec_div_qr(out, number, (mp_size_t)length, m, (mp_size_t)limbs, scratch);
}

void hk_big_mul(hk_limb *out, const hk_limb *a, size_t a_limbs, const hk_limb *b, size_t b_limbs)
{
    hk_limb scratch[4 * HK_BIG_LIMBS];
    HK_WIPE_AT_EXIT(scratch);
    if (a_limbs < b_limbs) {
        hk_big_mul(out, b, b_limbs, a, a_limbs);
        return;
    }
    assert((size_t)mpn_sec_mul_itch((mp_size_t)a_limbs, (mp_size_t)b_limbs) <= 4 * HK_BIG_LIMBS);
    mpn_sec_mul(out, a, (mp_size_t)a_limbs, b, (mp_size_t)b_limbs, scratch);
}

void hk_big_add_mul(hk_limb *out, size_t limbs, const hk_limb *a, size_t a_limbs, const hk_limb *b,
                    size_t b_limbs)
{
    hk_limb product[2 * HK_BIG_LIMBS] = {0};
    HK_WIPE_AT_EXIT(product);
    assert(a_limbs + b_limbs <= limbs && limbs <= 2 * HK_BIG_LIMBS);
    hk_big_mul(product, a, a_limbs, b, b_limbs);
    hk_limb carry = mpn_add_n(out, out, product, (mp_size_t)limbs);
    HK_PUBLIC(carry); /* always 0 */
    assert(carry == 0);
    (void)carry;
}

/* -- mod m -- */

void hk_big_add_mod(hk_limb *out, const hk_limb *a, const hk_limb *b, const hk_limb *m, size_t limbs)
{
    hk_limb sum[HK_BIG_LIMBS], reduced[HK_BIG_LIMBS];
    HK_WIPE_AT_EXIT(sum);
    HK_WIPE_AT_EXIT(reduced);
    hk_limb carry = mpn_add_n(sum, a, b, (mp_size_t)limbs);
    hk_limb borrow = mpn_sub_n(reduced, sum, m, (mp_size_t)limbs);
    hk_big_select(out, (borrow & ~carry & 1) != 0, sum, reduced, limbs);
}

void hk_big_sub_mod(hk_limb *out, const hk_limb *a, const hk_limb *b, const hk_limb *m, size_t limbs)
{
    hk_limb difference[HK_BIG_LIMBS];
    HK_WIPE_AT_EXIT(difference);
    hk_limb borrow = mpn_sub_n(difference, a, b, (mp_size_t)limbs);
    mpn_cnd_add_n(borrow, out, difference, m, (mp_size_t)limbs);
}

void hk_big_mul_mod(hk_limb *out, const hk_limb *a, const hk_limb *b, const hk_limb *m, size_t limbs)
{
    hk_limb product[2 * HK_BIG_LIMBS];
    HK_WIPE_AT_EXIT(product);
    hk_big_mul(product, a, limbs, b, limbs);
    hk_big_mod(out, product, 2 * limbs, m, limbs);
}

void hk_big_pow(hk_limb *out, const hk_limb *base, const hk_limb *exponent, size_t bits, const hk_limb *m,
                size_t limbs)
{
    hk_limb result[HK_BIG_LIMBS], scratch[HK_BIG_SCRATCH];
    HK_WIPE_AT_EXIT(result);
    size_t need = (size_t)mpn_sec_powm_itch((mp_size_t)limbs, bits, (mp_size_t)limbs);
    assert(need <= HK_BIG_SCRATCH);
    mpn_sec_powm(result, base, (mp_size_t)limbs, exponent, bits, m, (mp_size_t)limbs, scratch);
    memcpy(out, result, 8 * limbs);
    hk_wipe(scratch, 8 * need);
}

bool hk_big_invert(hk_limb *out, const hk_limb *a, const hk_limb *m, size_t limbs)
{
    hk_limb number[HK_BIG_LIMBS], inverse[HK_BIG_LIMBS], zero[HK_BIG_LIMBS] = {0}, scratch[4 * HK_BIG_LIMBS];
    HK_WIPE_AT_EXIT(number);
    HK_WIPE_AT_EXIT(inverse);
    HK_WIPE_AT_EXIT(scratch);
    assert((size_t)mpn_sec_invert_itch((mp_size_t)limbs) <= 4 * HK_BIG_LIMBS);
    memcpy(number, a, 8 * limbs);
    memset(inverse, 0, sizeof(inverse));
    bool found = mpn_sec_invert(inverse, number, m, (mp_size_t)limbs, 128 * limbs, scratch) != 0;
    hk_big_select(out, found, inverse, zero, limbs);
    return found;
}

/* -- public values, through mpz -- */

void hk_big_pow_public(hk_limb *out, const hk_limb *base, const hk_limb *exponent, size_t bits,
                       const hk_limb *m, size_t limbs)
{
    mpz_t b, e, modulus, result;
    mpz_roinit_n(b, base, (mp_size_t)limbs);
    mpz_roinit_n(e, exponent, (mp_size_t)HK_LIMBS_OF_BITS(bits));
    mpz_roinit_n(modulus, m, (mp_size_t)limbs);
    mpz_init(result);
    mpz_powm(result, b, e, modulus);
    size_t size = mpz_size(result);
    memset(out, 0, 8 * limbs);
    memcpy(out, mpz_limbs_read(result), 8 * size);
    mpz_clear(result);
}

bool hk_big_is_unit_public(const hk_limb *a, const hk_limb *m, size_t limbs)
{
    mpz_t number, modulus, common;
    mpz_roinit_n(number, a, (mp_size_t)limbs);
    mpz_roinit_n(modulus, m, (mp_size_t)limbs);
    mpz_init(common);
    mpz_gcd(common, number, modulus);
    bool unit = mpz_cmp_ui(common, 1) == 0;
    mpz_clear(common);
    return unit;
}

#include "crypto/paillier.h"

#include <assert.h>
#include <string.h>

#include "crypto/random.h"

static void square_modulus(struct hk_paillier *key)
{
    hk_big_mul(key->n2, key->n, key->n_limbs, key->n, key->n_limbs);
}

/* Everything that follows from p, q and their inverses. */
static void derive(struct hk_paillier_secret *secret, size_t half)
{
    secret->key.n_limbs = 2 * half;
    hk_big_mul(secret->key.n, secret->p, half, secret->q, half);
    square_modulus(&secret->key);
    hk_big_mul(secret->p2, secret->p, half, secret->p, half);
    hk_big_mul(secret->q2, secret->q, half, secret->q, half);
}

void hk_paillier_generate(struct hk_paillier_secret *secret, unsigned bits)
{
    size_t half = bits / 128;
    hk_limb other[HK_PRIME_LIMBS_MAX];
    HK_WIPE_AT_EXIT(other);
    assert(bits == HK_PAILLIER_BITS || bits == HK_PAILLIER_BITS_MAX);
    memset(secret, 0, sizeof(*secret));
    bool distinct;
    do {
        hk_prime(secret->p, half);
        hk_prime(secret->q, half);
        hk_big_mod(other, secret->q, half, secret->p, half);
        distinct = hk_big_invert(secret->q_inverse, other, secret->p, half);
        hk_big_mod(other, secret->p, half, secret->q, half);
        distinct = hk_big_invert(secret->p_inverse, other, secret->q, half) && distinct;
    } while (!distinct);
    derive(secret, half);
}

static bool is_length(size_t bytes)
{
    return bytes == HK_PAILLIER_BITS / 8 || bytes == HK_PAILLIER_BITS_MAX / 8;
}

enum hk_error hk_paillier_decode(struct hk_paillier *key, const uint8_t *n, size_t size)
{
    if (!is_length(size) || (n[0] & 0x80) == 0 || (n[size - 1] & 1) == 0) {
        return HK_BAD_ENCODING;
    }
    memset(key, 0, sizeof(*key));
    key->n_limbs = size / 8;
    hk_big_load(key->n, key->n_limbs, n, size);
    square_modulus(key);
    return HK_OK;
}

void hk_paillier_encode(uint8_t *n, const struct hk_paillier *key)
{
    hk_big_store(n, hk_paillier_n_bytes(key), key->n, key->n_limbs);
}

void hk_paillier_secret_encode(uint8_t *out, const struct hk_paillier_secret *secret)
{
    size_t half = secret->key.n_limbs / 2, size = 8 * half;
    hk_big_store(out, size, secret->p, half);
    hk_big_store(out + size, size, secret->q, half);
    hk_big_store(out + 2 * size, size, secret->q_inverse, half);
    hk_big_store(out + 3 * size, size, secret->p_inverse, half);
}

/* p * p_inverse + q * q_inverse = N + 1 says that both inverses are right. */
static bool inverses_fit(const struct hk_paillier_secret *secret)
{
    size_t half = secret->key.n_limbs / 2, limbs = secret->key.n_limbs + 1;
    hk_limb sum[HK_PAILLIER_N_LIMBS_MAX + 1] = {0}, wanted[HK_PAILLIER_N_LIMBS_MAX + 1] = {0};
    HK_WIPE_AT_EXIT(sum);
    hk_big_add_mul(sum, limbs, secret->p, half, secret->p_inverse, half);
    hk_big_add_mul(sum, limbs, secret->q, half, secret->q_inverse, half);
    memcpy(wanted, secret->key.n, 8 * secret->key.n_limbs);
    (void)mpn_add_1(wanted, wanted, (mp_size_t)limbs, 1);
    return hk_equal(sum, wanted, 8 * limbs);
}

enum hk_error hk_paillier_secret_decode(struct hk_paillier_secret *secret, const uint8_t *in, size_t size)
{
    size_t part = size / 4, half = part / 8;
    struct hk_paillier_secret read;
    HK_WIPE_AT_EXIT(read);
    if (size % 4 != 0 || !is_length(size / 2)) {
        return HK_BAD_ENCODING;
    }
    memset(&read, 0, sizeof(read));
    hk_big_load(read.p, half, in, part);
    hk_big_load(read.q, half, in + part, part);
    hk_big_load(read.q_inverse, half, in + 2 * part, part);
    hk_big_load(read.p_inverse, half, in + 3 * part, part);
    if ((in[0] & 0xc0) != 0xc0 || (in[part] & 0xc0) != 0xc0 || (read.p[0] & read.q[0] & 1) == 0) {
        return HK_BAD_ENCODING;
    }
    derive(&read, half);
    if (!inverses_fit(&read)) {
        return HK_BAD_ENCODING;
    }
    *secret = read;
    return HK_OK;
}

void hk_paillier_plain(hk_limb *out, const struct hk_paillier *key, const hk_limb *m)
{
    hk_big_mul(out, m, key->n_limbs, key->n, key->n_limbs);
    hk_limb carry = mpn_add_n(out, out, (const hk_limb[HK_BIG_LIMBS]){1}, (mp_size_t)(2 * key->n_limbs));
    HK_PUBLIC(carry);   /* always 0 */
    assert(carry == 0); /* m*N + 1 is at most N^2 - N + 1 */
    (void)carry;
}

void hk_paillier_minus_plain(hk_limb *out, const struct hk_paillier *key, const hk_limb *m)
{
    hk_limb zero[HK_PAILLIER_N_LIMBS_MAX] = {0}, negative[HK_PAILLIER_N_LIMBS_MAX];
    HK_WIPE_AT_EXIT(negative);
    hk_big_sub_mod(negative, zero, m, key->n, key->n_limbs);
    hk_paillier_plain(out, key, negative);
}

void hk_paillier_residue(hk_limb *out, const struct hk_paillier *key, const hk_limb *u)
{
    hk_limb base[HK_BIG_LIMBS] = {0};
    HK_WIPE_AT_EXIT(base);
    memcpy(base, u, 8 * key->n_limbs);
    hk_big_pow(out, base, key->n, 64 * key->n_limbs, key->n2, 2 * key->n_limbs);
}

/* u^N mod p^2 = (u^q)^p, and the p-th power mod p^2 depends on its base mod p alone: half of the work is done
 * mod p. */
static void residue_half(hk_limb *out, const hk_limb *u, size_t n_limbs, const hk_limb *p, const hk_limb *p2,
                         const hk_limb *q)
{
    hk_limb base[HK_PAILLIER_N_LIMBS_MAX] = {0};
    HK_WIPE_AT_EXIT(base);
    size_t half = n_limbs / 2;
    hk_big_mod(base, u, n_limbs, p, half);
    hk_big_pow(base, base, q, 64 * half, p, half);
    hk_big_pow(out, base, p, 64 * half, p2, n_limbs);
}

/* (p^2)^-1 mod q^2 from p^-1 mod q: one step of Hensel's lifting, then the square. */
static void lift_inverse(hk_limb *out, const struct hk_paillier_secret *secret)
{
    size_t limbs = secret->key.n_limbs, half = limbs / 2;
    hk_limb p[HK_PAILLIER_N_LIMBS_MAX] = {0}, inverse[HK_PAILLIER_N_LIMBS_MAX] = {0},
            two[HK_PAILLIER_N_LIMBS_MAX] = {2}, step[HK_PAILLIER_N_LIMBS_MAX];
    HK_WIPE_AT_EXIT(p);
    HK_WIPE_AT_EXIT(inverse);
    HK_WIPE_AT_EXIT(step);
    memcpy(p, secret->p, 8 * half);
    memcpy(inverse, secret->p_inverse, 8 * half);
    hk_big_mul_mod(step, p, inverse, secret->q2, limbs);
    hk_big_sub_mod(step, two, step, secret->q2, limbs);
    hk_big_mul_mod(inverse, inverse, step, secret->q2, limbs);
    hk_big_mul_mod(out, inverse, inverse, secret->q2, limbs);
}

void hk_paillier_residue_secret(hk_limb *out, const struct hk_paillier_secret *secret, const hk_limb *u)
{
    size_t limbs = secret->key.n_limbs;
    hk_limb left[HK_PAILLIER_N_LIMBS_MAX], right[HK_PAILLIER_N_LIMBS_MAX], other[HK_PAILLIER_N_LIMBS_MAX],
        inverse[HK_PAILLIER_N_LIMBS_MAX];
    HK_WIPE_AT_EXIT(left);
    HK_WIPE_AT_EXIT(right);
    HK_WIPE_AT_EXIT(other);
    HK_WIPE_AT_EXIT(inverse);
    residue_half(left, u, limbs, secret->p, secret->p2, secret->q);
    residue_half(right, u, limbs, secret->q, secret->q2, secret->p);
    /* Garner: left + p^2 * ((right - left) / p^2 mod q^2). */
    hk_big_mod(other, left, limbs, secret->q2, limbs);
    hk_big_sub_mod(right, right, other, secret->q2, limbs);
    lift_inverse(inverse, secret);
    hk_big_mul_mod(right, right, inverse, secret->q2, limbs);
    memset(out, 0, 16 * limbs);
    memcpy(out, left, 8 * limbs);
    hk_big_add_mul(out, 2 * limbs, secret->p2, limbs, right, limbs);
}

/* The plaintext mod p: L(c^(p-1) mod p^2) is m * (p-1)*q = -m*q mod p for g = 1 + N. */
static void decrypt_half(hk_limb *out, const hk_limb *cipher, size_t n_limbs, const hk_limb *p,
                         const hk_limb *p2, const hk_limb *q_inverse)
{
    size_t half = n_limbs / 2;
    hk_limb x[HK_PAILLIER_N_LIMBS_MAX], exponent[HK_PRIME_LIMBS_MAX], l[HK_PRIME_LIMBS_MAX],
        zero[HK_PRIME_LIMBS_MAX] = {0};
    HK_WIPE_AT_EXIT(x);
    HK_WIPE_AT_EXIT(exponent);
    HK_WIPE_AT_EXIT(l);
    hk_big_mod(x, cipher, 2 * n_limbs, p2, n_limbs);
    memcpy(exponent, p, 8 * half);
    exponent[0] -= 1; /* p is odd */
    hk_big_pow(x, x, exponent, 64 * half, p2, n_limbs);
    hk_big_divide(l, x, n_limbs, p, half); /* (x - 1) / p, since x is 1 mod p */
    hk_big_mul_mod(l, l, q_inverse, p, half);
    hk_big_sub_mod(out, zero, l, p, half);
}

void hk_paillier_decrypt(hk_limb *out, const struct hk_paillier_secret *secret, const hk_limb *cipher)
{
    size_t limbs = secret->key.n_limbs, half = limbs / 2;
    hk_limb left[HK_PRIME_LIMBS_MAX], right[HK_PRIME_LIMBS_MAX], other[HK_PRIME_LIMBS_MAX];
    HK_WIPE_AT_EXIT(left);
    HK_WIPE_AT_EXIT(right);
    HK_WIPE_AT_EXIT(other);
    decrypt_half(left, cipher, limbs, secret->p, secret->p2, secret->q_inverse);
    decrypt_half(right, cipher, limbs, secret->q, secret->q2, secret->p_inverse);
    hk_big_mod(other, left, half, secret->q, half);
    hk_big_sub_mod(right, right, other, secret->q, half);
    hk_big_mul_mod(right, right, secret->p_inverse, secret->q, half);
    memset(out, 0, 8 * limbs);
    memcpy(out, left, 8 * half);
    hk_big_add_mul(out, limbs, secret->p, half, right, half);
}

bool hk_paillier_is_unit(const struct hk_paillier_secret *secret, const hk_limb *a, size_t limbs)
{
    size_t half = secret->key.n_limbs / 2;
    hk_limb left[HK_PRIME_LIMBS_MAX], right[HK_PRIME_LIMBS_MAX];
    HK_WIPE_AT_EXIT(left);
    HK_WIPE_AT_EXIT(right);
    hk_big_mod(left, a, limbs, secret->p, half);
    hk_big_mod(right, a, limbs, secret->q, half);
    return !hk_big_is_zero(left, half) && !hk_big_is_zero(right, half); /* verdicts are public */
}

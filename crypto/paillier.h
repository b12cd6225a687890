/* paillier.h - Paillier's encryption with generator g = 1 + N (Paillier, EUROCRYPT 1999; Damgård, Jurik
 * 2001).
 *
 * A ciphertext of m under N is (1 + m*N) * u^N mod N^2. N has exactly 2048 bits (3072 by option), so a
 * ciphertext has 512 bytes (768). Whoever knows the primes decrypts, and raises to the power N, by the
 * Chinese remainder theorem. This module knows nothing of ranges or proofs: what may be decrypted for whom is
 * the business of ecdsa_proof.h.
 *
 * Everything is constant time in plaintexts, units, primes and ciphertexts, except hk_paillier_decode (its N
 * is public). Nothing is allocated. */
#ifndef HALFKEY_CRYPTO_PAILLIER_H
#define HALFKEY_CRYPTO_PAILLIER_H

#include "crypto/bigint.h"
#include "crypto/prime.h"

#define HK_PAILLIER_BITS 2048     /* of N, unless the operator asks for more */
#define HK_PAILLIER_BITS_MAX 3072 /* the other length that is taken */
#define HK_PAILLIER_N_LIMBS_MAX 48
#define HK_PAILLIER_N_BYTES_MAX 384
#define HK_PAILLIER_CIPHER_BYTES_MAX 768
#define HK_PAILLIER_SECRET_BYTES_MAX 768 /* p, q and their inverses: twice the bytes of N */

/* The public half. n_limbs is 32 or 48; a residue mod N has n_limbs, one mod N^2 twice as many. */
struct hk_paillier {
    size_t n_limbs;
    hk_limb n[HK_PAILLIER_N_LIMBS_MAX];
    hk_limb n2[HK_BIG_LIMBS];
};
/* Bytes of N and of a residue mod N; a ciphertext has twice as many. */
static inline size_t hk_paillier_n_bytes(const struct hk_paillier *key)
{
    return 8 * key->n_limbs;
}

/* The private half, secret: primes p, q of n_limbs / 2, their squares, q^-1 mod p, p^-1 mod q. */
struct hk_paillier_secret {
    struct hk_paillier key;
    hk_limb p[HK_PRIME_LIMBS_MAX], q[HK_PRIME_LIMBS_MAX];
    hk_limb q_inverse[HK_PRIME_LIMBS_MAX], p_inverse[HK_PRIME_LIMBS_MAX];
    hk_limb p2[HK_PAILLIER_N_LIMBS_MAX], q2[HK_PAILLIER_N_LIMBS_MAX];
};

/* Makes a key; bits is 2048 or 3072. About 30 ms at 2048 bits. */
void hk_paillier_generate(struct hk_paillier_secret *secret, unsigned bits);

/* Reads N, `size` bytes. HK_BAD_ENCODING unless N is odd and has exactly 8 * size = 2048 or 3072 bits. That N
 * is a product of two primes is neither checked nor needed, see docs/ecdsa.md. */
HK_CHECK enum hk_error hk_paillier_decode(struct hk_paillier *key, const uint8_t *n, size_t size);
void hk_paillier_encode(uint8_t *n, const struct hk_paillier *key);

/* The private half as the store seals it: twice the bytes of N (p, q, q^-1, p^-1). Reading it checks lengths
 * and that the inverses fit: HK_BAD_ENCODING. */
void hk_paillier_secret_encode(uint8_t *out, const struct hk_paillier_secret *secret);
HK_CHECK enum hk_error hk_paillier_secret_decode(struct hk_paillier_secret *secret, const uint8_t *in,
                                                 size_t size);

/* out = (1 + m*N) mod N^2, m below N. */
void hk_paillier_plain(hk_limb *out, const struct hk_paillier *key, const hk_limb *m);
/* out = (1 - m*N) mod N^2, m below N: takes m off a plaintext. */
void hk_paillier_minus_plain(hk_limb *out, const struct hk_paillier *key, const hk_limb *m);
/* out = u^N mod N^2, u below N: without the primes, and with them, in constant time both. */
void hk_paillier_residue(hk_limb *out, const struct hk_paillier *key, const hk_limb *u);
void hk_paillier_residue_secret(hk_limb *out, const struct hk_paillier_secret *secret, const hk_limb *u);

/* Plaintext in [0, N-1] of a ciphertext below N^2 that is a unit (hk_paillier_is_unit); constant time. */
void hk_paillier_decrypt(hk_limb *out, const struct hk_paillier_secret *secret, const hk_limb *cipher);
/* Whether a (limbs at least n_limbs) is a unit mod N, for the owner. */
bool hk_paillier_is_unit(const struct hk_paillier_secret *secret, const hk_limb *a, size_t limbs) HK_CHECK;

#endif

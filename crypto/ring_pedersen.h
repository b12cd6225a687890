/* ring_pedersen.h - commitments to integers mod a number whose factors the service knows.
 *
 * N^ is a product of two safe primes of 1024 bits; t generates the squares, s1 = t^lambda1, s2 = t^lambda2. A
 * commitment to (a, b) is s1^a * s2^b * t^mu mod N^: it hides, whatever the service does, because s1 and s2
 * are powers of t, which the service proves once (Pi^prm, CGGMP21, ePrint 2021/060, Fig. 17); it binds a
 * device to integers under the strong RSA assumption. One modulus a service.
 *
 * The proof has HK_RING_ROUNDS rounds, each with two challenge bits, one for s1 and one for s2, so that one
 * run covers both: if s1 or s2 is no power of t, at most two of the four challenges of a round can be
 * answered. Soundness error 2^-128. A_i = t^a, z_i = a - e1*lambda1 - e2*lambda2 mod phi(N^), checked as A_i
 * = t^z * s1^e1 * s2^e2; the challenge hashes all A_i, so they need not be sent: the proof is the challenge
 * and the z_i. */
#ifndef HALFKEY_CRYPTO_RING_PEDERSEN_H
#define HALFKEY_CRYPTO_RING_PEDERSEN_H

#include "crypto/bigint.h"
#include "crypto/hash.h"

#define HK_RING_BITS 2048
#define HK_RING_LIMBS 32
#define HK_RING_BYTES 256
#define HK_RING_HALF 16 /* limbs of a prime */
#define HK_RING_ROUNDS 128
#define HK_RING_PUBLIC_BYTES (4 * HK_RING_BYTES) /* N^, t, s1, s2 */
#define HK_RING_SECRET_BYTES (4 * HK_RING_BYTES) /* the two primes, t, lambda1, lambda2 */
#define HK_RING_PROOF_BYTES (2 * HK_RING_ROUNDS / 8 + HK_RING_ROUNDS * HK_RING_BYTES)

struct hk_ring {
    hk_limb n[HK_RING_LIMBS], t[HK_RING_LIMBS], s1[HK_RING_LIMBS], s2[HK_RING_LIMBS];
};

/* Secret: everything, and lambda1, lambda2 mod p - 1 and mod q - 1. */
struct hk_ring_secret {
    struct hk_ring ring;
    hk_limb prime[2][HK_RING_HALF];
    hk_limb lambda1[HK_RING_LIMBS], lambda2[HK_RING_LIMBS]; /* below N^ */
};

/* Service, once: makes the modulus. Half a second. */
void hk_ring_generate(struct hk_ring_secret *secret);

/* As the store keeps it (secret), and back. HK_BAD_ENCODING if the lengths are not right. */
void hk_ring_secret_encode(uint8_t out[HK_RING_SECRET_BYTES], const struct hk_ring_secret *secret);
HK_CHECK enum hk_error hk_ring_secret_decode(struct hk_ring_secret *secret,
                                             const uint8_t in[HK_RING_SECRET_BYTES]);

/* N^, t, s1, s2. Reading refuses with HK_BAD_ENCODING an N^ that is even or not of 2048 bits, and numbers
 * that are no units or are 0 or 1. It says nothing about the proof. */
void hk_ring_encode(uint8_t out[HK_RING_PUBLIC_BYTES], const struct hk_ring *ring);
HK_CHECK enum hk_error hk_ring_decode(struct hk_ring *ring, const uint8_t in[HK_RING_PUBLIC_BYTES]);
/* What a device pins once it has checked the proof: H("ring", the public encoding). */
void hk_ring_name(uint8_t name[HK_NAME_BYTES], const struct hk_ring *ring);

/* Service: Pi^prm. Constant time in the secrets. */
void hk_ring_prove(uint8_t proof[HK_RING_PROOF_BYTES], const struct hk_ring_secret *secret);
/* Device: HK_BAD_PROOF if it does not hold. Public values: not constant time. About half a second. */
HK_CHECK enum hk_error hk_ring_verify(const struct hk_ring *ring, const uint8_t proof[HK_RING_PROOF_BYTES]);

/* The commitment s1^a * s2^b * t^mu mod N^, constant time in the three exponents, given with their lengths in
 * bits (which are public). */
struct hk_ring_exponent {
    const hk_limb *limbs;
    size_t bits;
};
void hk_ring_commit(hk_limb out[HK_RING_LIMBS], const struct hk_ring *ring, struct hk_ring_exponent a,
                    struct hk_ring_exponent b, struct hk_ring_exponent mu);

/* Service: whether s1^a * s2^b * t^mu = left * right^e mod N^, mod both primes; e of 128 bits. False as well
 * if `left` or `right` is no unit. */
bool hk_ring_opens(const struct hk_ring_secret *secret, const hk_limb left[HK_RING_LIMBS],
                   const hk_limb right[HK_RING_LIMBS], const hk_limb e[2], struct hk_ring_exponent a,
                   struct hk_ring_exponent b, struct hk_ring_exponent mu) HK_CHECK;

#endif

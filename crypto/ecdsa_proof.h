/* ecdsa_proof.h - what a device sends for one ECDSA signature: a ciphertext of K'*s + T', with its proof.
 *
 * K' = K + rho'*n and T' = T + rho*n carry the scalars K and T over the integers; rho' is uniform below
 * 2^256, rho below 2^640. Both are needed: they hide K and T from a service whose N or C is not what it
 * should be, and without rho' it learns K mod De. E = g^T' * C^K' * w^N mod N^2, w uniform in Z*_N.
 *
 * The proof is Pi^aff-g (CGGMP21, ePrint 2021/060, Fig. 15) without its curve part and with one commitment
 * for both values: S_c = s1^K' * s2^T' * t^mu, A_c = s1^alpha * s2^beta * t^gamma mod N^, A_E = g^beta *
 * C^alpha * omega^N mod N^2; e = the first 128 bits of H("ecdsa/aff-g", name of the pair, context, E, S_c,
 * A_E, A_c); z1 = alpha + e*K', z2 = beta + e*T', z3 = gamma + e*mu over the integers, z_w = omega * w^e mod
 * N. All ranges are below. Whoever accepts the proof knows that K' and T' are integers of bounded size, so
 * that nothing wraps mod N and a refusal says nothing about s. docs/ecdsa.md has the arguments. */
#ifndef HALFKEY_CRYPTO_ECDSA_PROOF_H
#define HALFKEY_CRYPTO_ECDSA_PROOF_H

#include "crypto/ecdsa_pair.h"

/* Lengths in bits. */
#define HK_ECDSA_RHO1_BITS 256 /* rho' */
#define HK_ECDSA_RHO_BITS 640
#define HK_ECDSA_ALPHA_BITS 769
#define HK_ECDSA_BETA_BITS 1153
#define HK_ECDSA_MU_BITS (HK_RING_BITS + 128)
#define HK_ECDSA_GAMMA_BITS (HK_RING_BITS + 384)
#define HK_ECDSA_Z1_BITS 770
#define HK_ECDSA_Z2_BITS 1154
#define HK_ECDSA_Z3_BITS (HK_RING_BITS + 385)

#define HK_ECDSA_Z1_BYTES 97
#define HK_ECDSA_Z2_BYTES 145
#define HK_ECDSA_Z3_BYTES 305
/* E, A_E, z_w, S_c, A_c, z1, z2, z3, for an N of so many bytes: 2339 bytes at 2048 bits. */
#define HK_ECDSA_PROOF_BYTES(n_bytes)                                                                        \
    (5 * (n_bytes) + 2 * HK_RING_BYTES + HK_ECDSA_Z1_BYTES + HK_ECDSA_Z2_BYTES + HK_ECDSA_Z3_BYTES)
#define HK_ECDSA_PROOF_BYTES_MAX HK_ECDSA_PROOF_BYTES(HK_PAILLIER_N_BYTES_MAX)

/* Everything of one signature that depends neither on the message nor on the nonces, made ahead. Secret, one
 * use, must not be copied: two signatures with one mask give the device's half away. */
struct hk_ecdsa_mask {
    uint64_t magic;
    uint8_t pair_name[HK_NAME_BYTES]; /* of the only pair it is good for */
    hk_limb rho1_n[8], rho_n[14];     /* rho' * n, rho * n */
    hk_limb alpha[13], beta[19], mu[34], gamma[38];
    hk_limb w[HK_PAILLIER_N_LIMBS_MAX], omega[HK_PAILLIER_N_LIMBS_MAX];
    hk_limb cipher[HK_BIG_LIMBS], cipher_mask[HK_BIG_LIMBS]; /* g^(rho n) C^(rho' n) w^N; A_E */
    hk_limb commitment[HK_RING_LIMBS], commitment_mask[HK_RING_LIMBS];
};

/* Device: prepares a mask. Constant time in everything secret; the most expensive step of a signature.
 *
 *   half     d, only to keep a repeating generator from repeating a mask for another purpose
 *   purpose  what else is known of the use: for a mask made ahead something that never repeats (boot, clock,
 *            counter), for one made with the message at hand the message and the service's offer */
void hk_ecdsa_mask_prepare(struct hk_ecdsa_mask *mask, const struct hk_ecdsa_pair *pair,
                           const struct hk_scalar *half, struct hk_bytes purpose);

/* Device: the ciphertext for K and T with its proof.
 *
 *   proof    HK_ECDSA_PROOF_BYTES(bytes of N)
 *   mask     wiped first; HK_CONFLICT if it was used or is another pair's
 *   context  hash of the slot, both nonces' points and the message
 *   k, t     K, T; constant time */
HK_CHECK enum hk_error hk_ecdsa_proof_make(uint8_t *proof, struct hk_ecdsa_mask *mask,
                                           const struct hk_ecdsa_pair *pair,
                                           const uint8_t context[HK_NAME_BYTES], const struct hk_scalar *k,
                                           const struct hk_scalar *t);

/* What a service has besides the pair, for one device and key. Secret. */
struct hk_ecdsa_service {
    const struct hk_ecdsa_pair *pair;
    const struct hk_paillier_secret *paillier;
    const struct hk_ring_secret *ring;
    struct hk_scalar half; /* s */
    uint64_t wraps;        /* the plaintext of C is s - wraps * n */
};

/* Service: checks everything and decrypts. `value` is K*s + T mod n. Any refusal, whatever its reason, is
 * HK_BAD_PROOF, and nothing has been decrypted before ranges, units and the commitment were found right. */
HK_CHECK enum hk_error hk_ecdsa_proof_open(struct hk_scalar *value, const struct hk_ecdsa_service *service,
                                           const uint8_t context[HK_NAME_BYTES], const uint8_t *proof);

#endif

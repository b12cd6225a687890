/* ecdsa_proof_parts.h - what the two sides of ecdsa_proof.h share, and what tests must look at alone: where
 * the parts of a proof stand, its challenge, and the drawing of a mask without the expensive rest. */
#ifndef HALFKEY_CRYPTO_ECDSA_PROOF_PARTS_H
#define HALFKEY_CRYPTO_ECDSA_PROOF_PARTS_H

#include "crypto/ecdsa_proof.h"

struct hk_ecdsa_layout {
    size_t n, e, s_c, a_e, a_c, z1, z2, z3, z_w;
};

static inline struct hk_ecdsa_layout hk_ecdsa_layout_of(const struct hk_paillier *key)
{
    struct hk_ecdsa_layout at = {.n = hk_paillier_n_bytes(key), .e = 0};
    at.s_c = at.e + 2 * at.n;
    at.a_e = at.s_c + HK_RING_BYTES;
    at.a_c = at.a_e + 2 * at.n;
    at.z1 = at.a_c + HK_RING_BYTES;
    at.z2 = at.z1 + HK_ECDSA_Z1_BYTES;
    at.z3 = at.z2 + HK_ECDSA_Z2_BYTES;
    at.z_w = at.z3 + HK_ECDSA_Z3_BYTES;
    return at;
}

/* The first 128 bits of H("ecdsa/aff-g", name of the pair, context, E, S_c, A_E, A_c). */
void hk_ecdsa_proof_challenge(hk_limb e[2], const struct hk_ecdsa_pair *pair,
                              const uint8_t context[HK_NAME_BYTES], const uint8_t *proof);

/* Draws everything of a mask that is random; hk_ecdsa_mask_prepare computes the rest from it. */
void hk_ecdsa_mask_draw(struct hk_ecdsa_mask *mask, const struct hk_ecdsa_pair *pair,
                        const struct hk_scalar *half, struct hk_bytes purpose);
void hk_ecdsa_mask_compute(struct hk_ecdsa_mask *mask, const struct hk_ecdsa_pair *pair);

#endif

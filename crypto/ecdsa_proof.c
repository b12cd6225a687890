#include "crypto/ecdsa_proof.h"

#include <string.h>

#include "crypto/ecdsa_proof_parts.h"
#include "crypto/nonce.h"

#define MAGIC UINT64_C(0x68616c666d61736b)

/* A uniform element of Z*_N for each of w and omega. N may be any number that a malicious service chose, so
 * units are not to be taken for granted; a third, blinding factor lets a fast gcd look at the product. */
static void draw_units(hk_limb *w, hk_limb *omega, struct hk_nonces *nonces, const struct hk_paillier *key)
{
    hk_limb blind[HK_PAILLIER_N_LIMBS_MAX];
    HK_WIPE_AT_EXIT(blind);
    do {
        hk_nonces_mod(nonces, w, key->n, key->n_limbs);
        hk_nonces_mod(nonces, omega, key->n, key->n_limbs);
        hk_nonces_mod(nonces, blind, key->n, key->n_limbs);
        hk_big_mul_mod(blind, blind, w, key->n, key->n_limbs);
        hk_big_mul_mod(blind, blind, omega, key->n, key->n_limbs);
        HK_PUBLIC(blind); /* the third factor is used for nothing else */
    } while (!hk_big_is_unit_public(blind, key->n, key->n_limbs));
}

/* g^plain * C^exponent * unit^N mod N^2. */
static void cipher_of(hk_limb *out, const struct hk_ecdsa_pair *pair, const hk_limb *plain,
                      size_t plain_limbs, struct hk_ring_exponent exponent, const hk_limb *unit)
{
    const struct hk_paillier *key = &pair->paillier;
    size_t limbs = 2 * key->n_limbs;
    hk_limb padded[HK_PAILLIER_N_LIMBS_MAX] = {0}, factor[HK_BIG_LIMBS], product[HK_BIG_LIMBS];
    HK_WIPE_AT_EXIT(padded);
    HK_WIPE_AT_EXIT(factor);
    HK_WIPE_AT_EXIT(product);
    memcpy(padded, plain, 8 * plain_limbs);
    hk_paillier_plain(product, key, padded);
    hk_big_pow(factor, pair->cipher, exponent.limbs, exponent.bits, key->n2, limbs);
    hk_big_mul_mod(product, product, factor, key->n2, limbs);
    hk_paillier_residue(factor, key, unit);
    hk_big_mul_mod(out, product, factor, key->n2, limbs);
}

void hk_ecdsa_mask_draw(struct hk_ecdsa_mask *mask, const struct hk_ecdsa_pair *pair,
                        const struct hk_scalar *half, struct hk_bytes purpose)
{
    struct hk_nonces nonces;
    uint8_t statement[HK_NAME_BYTES];
    hk_limb rho1[4], rho[10];
    HK_WIPE_AT_EXIT(nonces);
    HK_WIPE_AT_EXIT(rho1);
    HK_WIPE_AT_EXIT(rho);
    hk_hash_name(statement, "ecdsa/mask", 2,
                 (struct hk_bytes[]){HK_BYTES(pair->name, HK_NAME_BYTES), purpose});
    hk_nonces_init(&nonces, HK_BYTES(half->bytes, HK_SECP256K1_SCALAR_BYTES), "ecdsa/mask", statement);
    hk_nonces_bits(&nonces, rho1, 4, HK_ECDSA_RHO1_BITS);
    hk_nonces_bits(&nonces, rho, 10, HK_ECDSA_RHO_BITS);
    hk_big_mul(mask->rho1_n, rho1, 4, hk_ecdsa_order, HK_ECDSA_ORDER_LIMBS);
    hk_big_mul(mask->rho_n, rho, 10, hk_ecdsa_order, HK_ECDSA_ORDER_LIMBS);
    hk_nonces_bits(&nonces, mask->alpha, 13, HK_ECDSA_ALPHA_BITS);
    hk_nonces_bits(&nonces, mask->beta, 19, HK_ECDSA_BETA_BITS);
    hk_nonces_bits(&nonces, mask->mu, 34, HK_ECDSA_MU_BITS);
    hk_nonces_bits(&nonces, mask->gamma, 38, HK_ECDSA_GAMMA_BITS);
    draw_units(mask->w, mask->omega, &nonces, &pair->paillier);
}

void hk_ecdsa_mask_compute(struct hk_ecdsa_mask *mask, const struct hk_ecdsa_pair *pair)
{
    struct hk_ring_exponent rho1 = {mask->rho1_n, HK_ECDSA_RHO1_BITS + 256},
                            alpha = {mask->alpha, 64 * HK_LIMBS_OF_BITS(HK_ECDSA_ALPHA_BITS)};
    cipher_of(mask->cipher, pair, mask->rho_n, 14, rho1, mask->w);
    cipher_of(mask->cipher_mask, pair, mask->beta, 19, alpha, mask->omega);
    hk_ring_commit(mask->commitment, &pair->ring, rho1,
                   (struct hk_ring_exponent){mask->rho_n, HK_ECDSA_RHO_BITS + 256},
                   (struct hk_ring_exponent){mask->mu, HK_ECDSA_MU_BITS});
    hk_ring_commit(mask->commitment_mask, &pair->ring, alpha,
                   (struct hk_ring_exponent){mask->beta, 64 * HK_LIMBS_OF_BITS(HK_ECDSA_BETA_BITS)},
                   (struct hk_ring_exponent){mask->gamma, HK_ECDSA_GAMMA_BITS});
    memcpy(mask->pair_name, pair->name, HK_NAME_BYTES);
    mask->magic = MAGIC;
}

void hk_ecdsa_mask_prepare(struct hk_ecdsa_mask *mask, const struct hk_ecdsa_pair *pair,
                           const struct hk_scalar *half, struct hk_bytes purpose)
{
    memset(mask, 0, sizeof(*mask));
    hk_ecdsa_mask_draw(mask, pair, half, purpose);
    hk_ecdsa_mask_compute(mask, pair);
}

/* E and S_c from what was prepared: the part of a proof that waits for K and T. */
static void put_values(uint8_t *proof, const struct hk_ecdsa_mask *mask, const struct hk_ecdsa_pair *pair,
                       const hk_limb k[HK_ECDSA_ORDER_LIMBS], const hk_limb t[HK_PAILLIER_N_LIMBS_MAX])
{
    const struct hk_paillier *key = &pair->paillier;
    struct hk_ecdsa_layout at = hk_ecdsa_layout_of(key);
    hk_limb x[HK_BIG_LIMBS], y[HK_BIG_LIMBS];
    HK_WIPE_AT_EXIT(x);
    HK_WIPE_AT_EXIT(y);
    hk_big_pow(x, pair->cipher, k, 256, key->n2, 2 * key->n_limbs);
    hk_paillier_plain(y, key, t);
    hk_big_mul_mod(x, x, y, key->n2, 2 * key->n_limbs);
    hk_big_mul_mod(x, x, mask->cipher, key->n2, 2 * key->n_limbs);
    hk_big_store(proof + at.e, 2 * at.n, x, 2 * key->n_limbs);
    hk_big_pow(x, pair->ring.s1, k, 256, pair->ring.n, HK_RING_LIMBS);
    hk_big_pow(y, pair->ring.s2, t, 256, pair->ring.n, HK_RING_LIMBS);
    hk_big_mul_mod(x, x, y, pair->ring.n, HK_RING_LIMBS);
    hk_big_mul_mod(x, x, mask->commitment, pair->ring.n, HK_RING_LIMBS);
    hk_big_store(proof + at.s_c, HK_RING_BYTES, x, HK_RING_LIMBS);
    hk_big_store(proof + at.a_e, 2 * at.n, mask->cipher_mask, 2 * key->n_limbs);
    hk_big_store(proof + at.a_c, HK_RING_BYTES, mask->commitment_mask, HK_RING_LIMBS);
}

/* z = mask + e * (value + masked), stored in `size` bytes; at most 40 limbs. */
static void respond(uint8_t *out, size_t size, const hk_limb *mask, size_t mask_limbs, const hk_limb e[2],
                    const hk_limb *masked, size_t masked_limbs, const hk_limb *value, size_t value_limbs)
{
    hk_limb sum[40] = {0}, z[40] = {0}, padded[40] = {0};
    HK_WIPE_AT_EXIT(sum);
    HK_WIPE_AT_EXIT(z);
    HK_WIPE_AT_EXIT(padded);
    memcpy(padded, value, 8 * value_limbs);
    sum[masked_limbs] = mpn_add_n(sum, masked, padded, (mp_size_t)masked_limbs);
    memcpy(z, mask, 8 * mask_limbs);
    hk_big_add_mul(z, 40, e, 2, sum, masked_limbs + 1);
    hk_big_store(out, size, z, 40);
}

enum hk_error hk_ecdsa_proof_make(uint8_t *proof, struct hk_ecdsa_mask *mask,
                                  const struct hk_ecdsa_pair *pair, const uint8_t context[HK_NAME_BYTES],
                                  const struct hk_scalar *k, const struct hk_scalar *t)
{
    struct hk_ecdsa_mask own = *mask;
    hk_limb k_limbs[HK_ECDSA_ORDER_LIMBS], t_limbs[HK_PAILLIER_N_LIMBS_MAX] = {0},
                                           z_w[HK_PAILLIER_N_LIMBS_MAX], e[2];
    HK_WIPE_AT_EXIT(own);
    HK_WIPE_AT_EXIT(k_limbs);
    HK_WIPE_AT_EXIT(t_limbs);
    HK_WIPE_AT_EXIT(z_w);
    hk_wipe(mask, sizeof(*mask));
    if (own.magic != MAGIC || memcmp(own.pair_name, pair->name, HK_NAME_BYTES) != 0) {
        return HK_CONFLICT;
    }
    struct hk_ecdsa_layout at = hk_ecdsa_layout_of(&pair->paillier);
    hk_ecdsa_limbs_of(k_limbs, k);
    hk_ecdsa_limbs_of(t_limbs, t);
    put_values(proof, &own, pair, k_limbs, t_limbs);
    hk_ecdsa_proof_challenge(e, pair, context, proof);
    respond(proof + at.z1, HK_ECDSA_Z1_BYTES, own.alpha, 13, e, own.rho1_n, 8, k_limbs, 4);
    respond(proof + at.z2, HK_ECDSA_Z2_BYTES, own.beta, 19, e, own.rho_n, 14, t_limbs, 4);
    respond(proof + at.z3, HK_ECDSA_Z3_BYTES, own.gamma, 38, e, own.mu, 34, k_limbs, 0);
    hk_big_pow(z_w, own.w, e, 128, pair->paillier.n, pair->paillier.n_limbs);
    hk_big_mul_mod(z_w, z_w, own.omega, pair->paillier.n, pair->paillier.n_limbs);
    hk_big_store(proof + at.z_w, at.n, z_w, pair->paillier.n_limbs);
    return HK_OK;
}

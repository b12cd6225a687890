#include <string.h>

#include "crypto/ecdsa_proof_parts.h"

void hk_ecdsa_proof_challenge(hk_limb e[2], const struct hk_ecdsa_pair *pair,
                              const uint8_t context[HK_NAME_BYTES], const uint8_t *proof)
{
    struct hk_ecdsa_layout at = hk_ecdsa_layout_of(&pair->paillier);
    uint8_t digest[HK_HASH_BYTES];
    hk_hash_list(
        digest, "ecdsa/aff-g", 6,
        (struct hk_bytes[]){HK_BYTES(pair->name, HK_NAME_BYTES), HK_BYTES(context, HK_NAME_BYTES),
                            HK_BYTES(proof + at.e, 2 * at.n), HK_BYTES(proof + at.s_c, HK_RING_BYTES),
                            HK_BYTES(proof + at.a_e, 2 * at.n), HK_BYTES(proof + at.a_c, HK_RING_BYTES)});
    hk_big_load(e, 2, digest, 16);
}

/* A proof as numbers. */
struct proof {
    hk_limb e[2];
    hk_limb cipher[HK_BIG_LIMBS], cipher_mask[HK_BIG_LIMBS];
    hk_limb commitment[HK_RING_LIMBS], commitment_mask[HK_RING_LIMBS];
    hk_limb z1[HK_PAILLIER_N_LIMBS_MAX], z2[HK_PAILLIER_N_LIMBS_MAX], z3[40];
    hk_limb z_w[HK_PAILLIER_N_LIMBS_MAX];
};

static void load(struct proof *out, const struct hk_paillier *key, const uint8_t *proof)
{
    struct hk_ecdsa_layout at = hk_ecdsa_layout_of(key);
    hk_big_load(out->cipher, HK_BIG_LIMBS, proof + at.e, 2 * at.n);
    hk_big_load(out->cipher_mask, HK_BIG_LIMBS, proof + at.a_e, 2 * at.n);
    hk_big_load(out->commitment, HK_RING_LIMBS, proof + at.s_c, HK_RING_BYTES);
    hk_big_load(out->commitment_mask, HK_RING_LIMBS, proof + at.a_c, HK_RING_BYTES);
    hk_big_load(out->z1, HK_PAILLIER_N_LIMBS_MAX, proof + at.z1, HK_ECDSA_Z1_BYTES);
    hk_big_load(out->z2, HK_PAILLIER_N_LIMBS_MAX, proof + at.z2, HK_ECDSA_Z2_BYTES);
    hk_big_load(out->z3, 40, proof + at.z3, HK_ECDSA_Z3_BYTES);
    hk_big_load(out->z_w, HK_PAILLIER_N_LIMBS_MAX, proof + at.z_w, at.n);
}

static bool in_range(const struct proof *proof, const struct hk_ecdsa_service *service)
{
    const struct hk_paillier *key = &service->paillier->key;
    size_t limbs = key->n_limbs;
    return hk_big_fits(proof->z1, HK_PAILLIER_N_LIMBS_MAX, HK_ECDSA_Z1_BITS) &&
           hk_big_fits(proof->z2, HK_PAILLIER_N_LIMBS_MAX, HK_ECDSA_Z2_BITS) &&
           hk_big_fits(proof->z3, 40, HK_ECDSA_Z3_BITS) && hk_big_less(proof->z_w, key->n, limbs) &&
           hk_big_less(proof->cipher, key->n2, 2 * limbs) &&
           hk_big_less(proof->cipher_mask, key->n2, 2 * limbs) &&
           hk_big_less(proof->commitment, service->ring->ring.n, HK_RING_LIMBS) &&
           hk_big_less(proof->commitment_mask, service->ring->ring.n, HK_RING_LIMBS) &&
           hk_paillier_is_unit(service->paillier, proof->cipher, 2 * limbs) &&
           hk_paillier_is_unit(service->paillier, proof->cipher_mask, 2 * limbs) &&
           hk_paillier_is_unit(service->paillier, proof->z_w, limbs);
}

static bool commitment_opens(const struct proof *proof, const struct hk_ecdsa_service *service)
{
    return hk_ring_opens(service->ring, proof->commitment_mask, proof->commitment, proof->e,
                         (struct hk_ring_exponent){proof->z1, 8 * HK_ECDSA_Z1_BYTES},
                         (struct hk_ring_exponent){proof->z2, HK_ECDSA_Z2_BITS},
                         (struct hk_ring_exponent){proof->z3, HK_ECDSA_Z3_BITS});
}

/* Dec(A_E) + e * Dec(E) = z1 * s_int + z2 mod N; leaves Dec(E). */
static bool plaintexts_agree(hk_limb *plain, const struct proof *proof,
                             const struct hk_ecdsa_service *service)
{
    const struct hk_paillier *key = &service->paillier->key;
    size_t limbs = key->n_limbs;
    hk_limb left[HK_PAILLIER_N_LIMBS_MAX], right[HK_PAILLIER_N_LIMBS_MAX], e[HK_PAILLIER_N_LIMBS_MAX] = {0};
    HK_WIPE_AT_EXIT(left);
    HK_WIPE_AT_EXIT(right);
    hk_paillier_decrypt(plain, service->paillier, proof->cipher);
    hk_paillier_decrypt(right, service->paillier, proof->cipher_mask);
    memcpy(e, proof->e, sizeof(proof->e));
    hk_big_mul_mod(left, plain, e, key->n, limbs);
    hk_big_add_mod(left, left, right, key->n, limbs);
    hk_ecdsa_plaintext(right, key, &service->half, service->wraps);
    hk_big_mul_mod(right, right, proof->z1, key->n, limbs);
    hk_big_add_mod(right, right, proof->z2, key->n, limbs);
    return hk_equal(left, right, 8 * limbs);
}

/* A_E * E^e = C^z1 * z_w^N mod one of the primes. */
static bool residues_agree(const struct proof *proof, const struct hk_ecdsa_service *service,
                           const hk_limb *prime)
{
    const struct hk_paillier *key = &service->paillier->key;
    size_t limbs = key->n_limbs, half = limbs / 2;
    hk_limb left[HK_PRIME_LIMBS_MAX], right[HK_PRIME_LIMBS_MAX], x[HK_PRIME_LIMBS_MAX],
        order[HK_PRIME_LIMBS_MAX];
    HK_WIPE_AT_EXIT(left);
    HK_WIPE_AT_EXIT(right);
    HK_WIPE_AT_EXIT(x);
    HK_WIPE_AT_EXIT(order);
    hk_big_mod(left, proof->cipher, 2 * limbs, prime, half);
    hk_big_pow(left, left, proof->e, 128, prime, half);
    hk_big_mod(x, proof->cipher_mask, 2 * limbs, prime, half);
    hk_big_mul_mod(left, left, x, prime, half);
    hk_big_mod(right, service->pair->cipher, 2 * limbs, prime, half);
    hk_big_pow(right, right, proof->z1, 8 * HK_ECDSA_Z1_BYTES, prime, half);
    memcpy(order, prime, 8 * half);
    order[0] -= 1;
    hk_big_mod(order, key->n, limbs, order, half);
    hk_big_mod(x, proof->z_w, limbs, prime, half);
    hk_big_pow(x, x, order, 64 * half, prime, half);
    hk_big_mul_mod(right, right, x, prime, half);
    return hk_equal(left, right, 8 * half);
}

/* A plaintext above N/2 stands for a negative integer: both candidates are made and one is taken. */
static void centre(struct hk_scalar *value, const struct hk_paillier *key, const hk_limb *plain)
{
    size_t limbs = key->n_limbs;
    struct hk_scalar positive, modulus, negative;
    hk_limb middle[HK_PAILLIER_N_LIMBS_MAX];
    HK_WIPE_AT_EXIT(positive);
    HK_WIPE_AT_EXIT(negative);
    (void)mpn_rshift(middle, key->n, (mp_size_t)limbs, 1);
    hk_ecdsa_scalar_of(&positive, plain, limbs);
    hk_ecdsa_scalar_of(&modulus, key->n, limbs);
    hk_secp256k1.scalar_sub(&negative, &positive, &modulus);
    uint8_t mask = (uint8_t)(0 - (unsigned)hk_big_less(middle, plain, limbs));
    for (size_t i = 0; i < sizeof(value->bytes); i++) {
        value->bytes[i] = (uint8_t)((negative.bytes[i] & mask) | (positive.bytes[i] & ~mask));
    }
}

enum hk_error hk_ecdsa_proof_open(struct hk_scalar *value, const struct hk_ecdsa_service *service,
                                  const uint8_t context[HK_NAME_BYTES], const uint8_t *proof)
{
    struct proof read;
    hk_limb plain[HK_PAILLIER_N_LIMBS_MAX];
    HK_WIPE_AT_EXIT(plain);
    load(&read, &service->paillier->key, proof);
    hk_ecdsa_proof_challenge(read.e, service->pair, context, proof);
    if (!in_range(&read, service) || !commitment_opens(&read, service) ||
        !plaintexts_agree(plain, &read, service) || !residues_agree(&read, service, service->paillier->p) ||
        !residues_agree(&read, service, service->paillier->q)) {
        return HK_BAD_PROOF;
    }
    centre(value, &service->paillier->key, plain);
    return HK_OK;
}

#include "crypto/ecdsa_pair.h"

#include <string.h>

const hk_limb hk_ecdsa_order[HK_ECDSA_ORDER_LIMBS] = {
    UINT64_C(0xbfd25e8cd0364141), UINT64_C(0xbaaedce6af48a03b), UINT64_C(0xfffffffffffffffe),
    UINT64_C(0xffffffffffffffff)};

void hk_ecdsa_scalar_of(struct hk_scalar *out, const hk_limb *number, size_t limbs)
{
    hk_limb reduced[HK_ECDSA_ORDER_LIMBS];
    HK_WIPE_AT_EXIT(reduced);
    hk_big_mod(reduced, number, limbs, hk_ecdsa_order, HK_ECDSA_ORDER_LIMBS);
    memset(out, 0, sizeof(*out));
    hk_big_store(out->bytes, HK_SECP256K1_SCALAR_BYTES, reduced, HK_ECDSA_ORDER_LIMBS);
}

void hk_ecdsa_limbs_of(hk_limb out[HK_ECDSA_ORDER_LIMBS], const struct hk_scalar *scalar)
{
    hk_big_load(out, HK_ECDSA_ORDER_LIMBS, scalar->bytes, HK_SECP256K1_SCALAR_BYTES);
}

void hk_ecdsa_pair_name(struct hk_ecdsa_pair *pair, const struct hk_ecdsa_place *place)
{
    struct hk_hash hash;
    uint8_t n[HK_PAILLIER_N_BYTES_MAX], cipher[HK_PAILLIER_CIPHER_BYTES_MAX], ring[HK_RING_PUBLIC_BYTES],
        digest[HK_HASH_BYTES];
    hk_paillier_encode(n, &pair->paillier);
    hk_ecdsa_cipher_encode(cipher, &pair->paillier, pair->cipher);
    hk_ring_encode(ring, &pair->ring);
    hk_hash_init(&hash, "ecdsa/pair", 10);
    hk_hash_add(&hash, "secp256k1-ecdsa", 15);
    hk_hash_add(&hash, place->account.data, place->account.size);
    hk_hash_add(&hash, place->serial, 16);
    hk_hash_add(&hash, place->key_id, 16);
    hk_hash_add_u64(&hash, place->epoch);
    hk_hash_add(&hash, n, hk_paillier_n_bytes(&pair->paillier));
    hk_hash_add(&hash, cipher, 2 * hk_paillier_n_bytes(&pair->paillier));
    hk_hash_add(&hash, ring, sizeof(ring));
    hk_hash_add(&hash, pair->service_point.bytes, HK_SECP256K1_POINT_BYTES);
    hk_hash_add(&hash, pair->public_key.bytes, HK_SECP256K1_POINT_BYTES);
    hk_hash_final(&hash, digest);
    memcpy(pair->name, digest, HK_NAME_BYTES);
}

enum hk_error hk_ecdsa_cipher_decode(hk_limb *cipher, const struct hk_paillier *paillier, const uint8_t *in)
{
    size_t limbs = paillier->n_limbs;
    hk_limb read[HK_BIG_LIMBS] = {0}, low[HK_PAILLIER_N_LIMBS_MAX];
    hk_big_load(read, 2 * limbs, in, 16 * limbs);
    if (!hk_big_less(read, paillier->n2, 2 * limbs)) {
        return HK_BAD_ENCODING;
    }
    hk_big_mod(low, read, 2 * limbs, paillier->n, limbs);
    if (!hk_big_is_unit_public(low, paillier->n, limbs)) {
        return HK_BAD_ENCODING;
    }
    memcpy(cipher, read, sizeof(read));
    return HK_OK;
}

void hk_ecdsa_cipher_encode(uint8_t *out, const struct hk_paillier *paillier, const hk_limb *cipher)
{
    hk_big_store(out, 2 * hk_paillier_n_bytes(paillier), cipher, 2 * paillier->n_limbs);
}

void hk_ecdsa_shift_cipher(hk_limb *cipher, const struct hk_paillier *paillier, const struct hk_scalar *delta)
{
    hk_limb number[HK_PAILLIER_N_LIMBS_MAX] = {0}, factor[HK_BIG_LIMBS];
    HK_WIPE_AT_EXIT(number);
    HK_WIPE_AT_EXIT(factor);
    hk_ecdsa_limbs_of(number, delta);
    hk_paillier_minus_plain(factor, paillier, number);
    hk_big_mul_mod(cipher, cipher, factor, paillier->n2, 2 * paillier->n_limbs);
}

enum hk_error hk_ecdsa_shift_wraps(uint64_t *wraps, const struct hk_scalar *half,
                                   const struct hk_scalar *delta)
{
    hk_limb a[HK_ECDSA_ORDER_LIMBS], b[HK_ECDSA_ORDER_LIMBS];
    HK_WIPE_AT_EXIT(a);
    HK_WIPE_AT_EXIT(b);
    if (*wraps >= HK_ECDSA_SHIFTS_MAX) {
        return HK_LOCKED;
    }
    hk_ecdsa_limbs_of(a, half);
    hk_ecdsa_limbs_of(b, delta);
    *wraps += (uint64_t)hk_big_less(a, b, HK_ECDSA_ORDER_LIMBS);
    return HK_OK;
}

void hk_ecdsa_plaintext(hk_limb *out, const struct hk_paillier *paillier, const struct hk_scalar *half,
                        uint64_t wraps)
{
    hk_limb positive[HK_PAILLIER_N_LIMBS_MAX] = {0}, negative[HK_PAILLIER_N_LIMBS_MAX] = {0};
    HK_WIPE_AT_EXIT(positive);
    HK_WIPE_AT_EXIT(negative);
    hk_ecdsa_limbs_of(positive, half);
    hk_big_mul(negative, hk_ecdsa_order, HK_ECDSA_ORDER_LIMBS, (const hk_limb[]){wraps}, 1);
    hk_big_sub_mod(out, positive, negative, paillier->n, paillier->n_limbs);
}

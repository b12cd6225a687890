#include "crypto/ecdsa_setup.h"

#include <string.h>

#include "crypto/nonce.h"

#define ALPHA_BITS 512
#define Z_LIMBS HK_LIMBS_OF_BITS(HK_ECDSA_SETUP_Z_BITS)

/* Where the parts of a proof begin. */
struct layout {
    size_t n, a, r, z, y;
};

static struct layout layout_of(const struct hk_paillier *key)
{
    size_t n = hk_paillier_n_bytes(key);
    return (struct layout){n, 0, 2 * n, 2 * n + HK_SECP256K1_POINT_BYTES,
                           2 * n + HK_SECP256K1_POINT_BYTES + HK_ECDSA_SETUP_Z_BYTES};
}

/* e, from A and R as they stand in the proof. */
static void challenge(hk_limb e[2], const struct hk_paillier *key, const hk_limb *cipher,
                      const struct hk_point *service_point, const uint8_t *transcript, const uint8_t *proof)
{
    uint8_t n[HK_PAILLIER_N_BYTES_MAX], c[HK_PAILLIER_CIPHER_BYTES_MAX], digest[HK_HASH_BYTES];
    struct layout at = layout_of(key);
    hk_paillier_encode(n, key);
    hk_ecdsa_cipher_encode(c, key, cipher);
    hk_hash_list(digest, "ecdsa/setup", 6,
                 (struct hk_bytes[]){
                     HK_BYTES(transcript, HK_NAME_BYTES), HK_BYTES(n, at.n), HK_BYTES(c, 2 * at.n),
                     HK_BYTES(service_point->bytes, HK_SECP256K1_POINT_BYTES),
                     HK_BYTES(proof + at.a, 2 * at.n), HK_BYTES(proof + at.r, HK_SECP256K1_POINT_BYTES)});
    hk_big_load(e, 2, digest, 16);
}

static void begin_nonces(struct hk_nonces *nonces, const struct hk_paillier_secret *secret,
                         const struct hk_scalar *half, const uint8_t *transcript)
{
    uint8_t secrets[HK_PAILLIER_N_BYTES_MAX + HK_SECP256K1_SCALAR_BYTES], n[HK_PAILLIER_N_BYTES_MAX],
        statement[HK_NAME_BYTES];
    HK_WIPE_AT_EXIT(secrets);
    size_t size = hk_paillier_n_bytes(&secret->key), part = size / 2;
    hk_big_store(secrets, part, secret->p, part / 8);
    hk_big_store(secrets + part, part, secret->q, part / 8);
    memcpy(secrets + size, half->bytes, HK_SECP256K1_SCALAR_BYTES);
    hk_paillier_encode(n, &secret->key);
    hk_hash_name(statement, "ecdsa/setup-nonces", 2,
                 (struct hk_bytes[]){HK_BYTES(transcript, HK_NAME_BYTES), HK_BYTES(n, size)});
    hk_nonces_init(nonces, HK_BYTES(secrets, size + HK_SECP256K1_SCALAR_BYTES), "ecdsa/setup", statement);
}

/* g^m * u^N, by the owner. */
static void encrypt(hk_limb *out, const struct hk_paillier_secret *secret, const hk_limb *m, const hk_limb *u)
{
    hk_limb plain[HK_BIG_LIMBS], residue[HK_BIG_LIMBS];
    HK_WIPE_AT_EXIT(plain);
    HK_WIPE_AT_EXIT(residue);
    hk_paillier_plain(plain, &secret->key, m);
    hk_paillier_residue_secret(residue, secret, u);
    hk_big_mul_mod(out, plain, residue, secret->key.n2, 2 * secret->key.n_limbs);
}

static void respond(uint8_t *proof, const struct hk_paillier_secret *secret, const hk_limb e[2],
                    hk_limb *alpha, const hk_limb *s, const hk_limb *u, const hk_limb *v)
{
    hk_limb y[HK_PAILLIER_N_LIMBS_MAX];
    HK_WIPE_AT_EXIT(y);
    struct layout at = layout_of(&secret->key);
    hk_big_add_mul(alpha, Z_LIMBS, e, 2, s, HK_ECDSA_ORDER_LIMBS);
    hk_big_store(proof + at.z, HK_ECDSA_SETUP_Z_BYTES, alpha, Z_LIMBS);
    hk_big_pow(y, u, e, 128, secret->key.n, secret->key.n_limbs);
    hk_big_mul_mod(y, y, v, secret->key.n, secret->key.n_limbs);
    hk_big_store(proof + at.y, at.n, y, secret->key.n_limbs);
}

void hk_ecdsa_setup_prove(hk_limb *cipher, uint8_t *proof, const struct hk_paillier_secret *secret,
                          const struct hk_scalar *half, const uint8_t transcript[HK_NAME_BYTES])
{
    struct hk_nonces nonces;
    struct hk_scalar scalar;
    struct hk_point service_point, commitment;
    hk_limb s[HK_PAILLIER_N_LIMBS_MAX] = {0}, alpha[HK_PAILLIER_N_LIMBS_MAX] = {0},
            u[HK_PAILLIER_N_LIMBS_MAX], v[HK_PAILLIER_N_LIMBS_MAX], a[HK_BIG_LIMBS] = {0}, e[2];
    HK_WIPE_AT_EXIT(nonces);
    HK_WIPE_AT_EXIT(scalar);
    HK_WIPE_AT_EXIT(s);
    HK_WIPE_AT_EXIT(alpha);
    HK_WIPE_AT_EXIT(u);
    HK_WIPE_AT_EXIT(v);
    struct layout at = layout_of(&secret->key);
    begin_nonces(&nonces, secret, half, transcript);
    hk_nonces_mod(&nonces, u, secret->key.n, secret->key.n_limbs);
    hk_nonces_mod(&nonces, v, secret->key.n, secret->key.n_limbs);
    hk_nonces_bits(&nonces, alpha, HK_PAILLIER_N_LIMBS_MAX, ALPHA_BITS);
    hk_ecdsa_limbs_of(s, half);
    memset(cipher, 0, sizeof(a));
    encrypt(cipher, secret, s, u);
    encrypt(a, secret, alpha, v);
    hk_ecdsa_cipher_encode(proof + at.a, &secret->key, a);
    hk_ecdsa_scalar_of(&scalar, alpha, Z_LIMBS);
    hk_secp256k1.base_mul(&commitment, &scalar);
    memcpy(proof + at.r, commitment.bytes, HK_SECP256K1_POINT_BYTES);
    hk_secp256k1.base_mul(&service_point, half);
    challenge(e, &secret->key, cipher, &service_point, transcript, proof);
    respond(proof, secret, e, alpha, s, u, v);
}

/* [z]B = R + [e]S. */
static enum hk_error check_points(const struct hk_point *service_point, const hk_limb *z, const hk_limb e[2],
                                  const uint8_t *encoded)
{
    struct hk_scalar scalar;
    struct hk_point left, right, commitment;
    enum hk_error error = hk_secp256k1.point_decode(&commitment, encoded);
    if (error != HK_OK) {
        return error;
    }
    hk_ecdsa_scalar_of(&scalar, z, Z_LIMBS);
    hk_secp256k1.base_mul(&left, &scalar);
    hk_ecdsa_scalar_of(&scalar, e, 2);
    hk_secp256k1.point_mul(&right, &scalar, service_point);
    hk_secp256k1.point_add(&right, &right, &commitment);
    return hk_point_equal(&hk_secp256k1, &left, &right) ? HK_OK : HK_BAD_PROOF;
}

/* g^z * y^N = A * C^e mod N^2. */
static bool ciphers_agree(const struct hk_paillier *key, const hk_limb *cipher, const hk_limb *a,
                          const hk_limb *z, const hk_limb *y, const hk_limb e[2])
{
    size_t limbs = 2 * key->n_limbs;
    hk_limb left[HK_BIG_LIMBS], right[HK_BIG_LIMBS], base[HK_BIG_LIMBS] = {0};
    memcpy(base, y, 8 * key->n_limbs);
    hk_big_pow_public(left, base, key->n, 64 * key->n_limbs, key->n2, limbs);
    hk_paillier_plain(right, key, z);
    hk_big_mul_mod(left, left, right, key->n2, limbs);
    hk_big_pow_public(right, cipher, e, 128, key->n2, limbs);
    hk_big_mul_mod(right, right, a, key->n2, limbs);
    return memcmp(left, right, 8 * limbs) == 0;
}

enum hk_error hk_ecdsa_setup_verify(const struct hk_paillier *paillier, const hk_limb *cipher,
                                    const struct hk_point *service_point,
                                    const uint8_t transcript[HK_NAME_BYTES], const uint8_t *proof)
{
    struct layout at = layout_of(paillier);
    hk_limb a[HK_BIG_LIMBS] = {0}, z[HK_PAILLIER_N_LIMBS_MAX], y[HK_PAILLIER_N_LIMBS_MAX] = {0}, e[2];
    hk_big_load(z, HK_PAILLIER_N_LIMBS_MAX, proof + at.z, HK_ECDSA_SETUP_Z_BYTES);
    hk_big_load(y, paillier->n_limbs, proof + at.y, at.n);
    if (hk_ecdsa_cipher_decode(a, paillier, proof + at.a) != HK_OK ||
        !hk_big_fits(z, HK_PAILLIER_N_LIMBS_MAX, HK_ECDSA_SETUP_Z_BITS) ||
        !hk_big_less(y, paillier->n, paillier->n_limbs) ||
        !hk_big_is_unit_public(y, paillier->n, paillier->n_limbs)) {
        return HK_BAD_PROOF;
    }
    challenge(e, paillier, cipher, service_point, transcript, proof);
    enum hk_error error = check_points(service_point, z, e, proof + at.r);
    if (error != HK_OK) {
        return error;
    }
    return ciphers_agree(paillier, cipher, a, z, y, e) ? HK_OK : HK_BAD_PROOF;
}

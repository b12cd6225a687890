/* Project Wycheproof: X25519 through the channel's Diffie-Hellman and through the agreement with a split key,
 * Ed25519 and ECDSA verification, XChaCha20-Poly1305. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/agreement.h"
#include "crypto/ecdsa_signature.h"
#include "crypto/field25519.h"
#include "crypto/frost.h"
#include "protocol/aead.h"
#include "protocol/noise.h"
#include "tests/vectors/vectors.h"

#define PART_MAX 4096

bool wycheproof_matches(const struct vectors *file)
{
    return json_is_array(json_object_get(file->json, "testGroups")) &&
           json_object_get(file->json, "numberOfTests") != NULL;
}

/* ---- X25519 ---- */
struct xdh {
    struct hk_secret32 private_key;
    uint8_t public_key[32], shared[32];
    bool is_valid; /* else the result may be refused */
};

/* Euler's criterion with (p - 1)/2 = 2^254 - 10: all of its 254 bits are set but bits 0 and 3. */
static bool is_square(const struct hk_fe *a)
{
    struct hk_fe power;
    uint8_t bytes[HK_FE_BYTES];
    hk_fe_set(&power, 1);
    for (int bit = 253; bit >= 0; bit--) {
        hk_fe_square(&power, &power);
        if (bit != 0 && bit != 3) {
            hk_fe_mul(&power, &power, a);
        }
    }
    hk_fe_encode(bytes, &power);
    return bytes[0] <= 1 && hk_is_zero(bytes + 1, sizeof(bytes) - 1);
}

/* u of the curve: u^3 + 486662 u^2 + u is a square. Else of the twist. */
static bool is_on_curve(const uint8_t u[32])
{
    struct hk_fe x, a, y;
    hk_fe_decode(&x, u);
    hk_fe_set(&a, 486662);
    hk_fe_add(&y, &x, &a);
    hk_fe_mul(&y, &y, &x);
    hk_fe_set(&a, 1);
    hk_fe_add(&y, &y, &a);
    hk_fe_mul(&y, &y, &x);
    return is_square(&y);
}

static bool channel_is_right(const struct xdh *xdh)
{
    struct hk_secret32 shared;
    enum hk_error error = hk_noise_dh(&shared, &xdh->private_key, xdh->public_key);
    if (hk_is_zero(xdh->shared, 32)) {
        return error == HK_BAD_POINT;
    }
    return error == HK_OK && hk_equal(shared.bytes, xdh->shared, 32);
}

/* What device and service compute together when the private key is imported, that is split at random. */
static enum hk_error agree(const struct xdh *xdh, bool blinded, uint8_t shared[32])
{
    const struct hk_group *group = &hk_edwards25519;
    struct hk_scalar x, d, s;
    struct hk_point service_point;
    struct hk_agree_mask mask;
    struct hk_agree_open open;
    uint8_t answer[HK_AGREE_POINT_BYTES_MAX];
    hk_x25519_scalar(&x, xdh->private_key.bytes);
    hk_scalar_random(group, &s);
    group->scalar_sub(&d, &x, &s);
    group->base_mul(&service_point, &s);
    hk_agree_part(&hk_agree_x25519, &d, &d);
    hk_agree_part(&hk_agree_x25519, &s, &s);
    hk_agree_mask_make(&hk_agree_x25519, &mask, &service_point);
    enum hk_error error = hk_agree_begin(&hk_agree_x25519, &open, blinded ? &mask : NULL, xdh->public_key);
    if (error == HK_OK) {
        error = hk_agree_share(&hk_agree_x25519, answer, &s, open.sent, 1);
    }
    return error == HK_OK ? hk_agree_finish(shared, &open, &d, answer) : error;
}

static bool agreement_is_right(const struct xdh *xdh, bool blinded)
{
    uint8_t shared[32];
    enum hk_error error = agree(xdh, blinded, shared);
    if (!is_on_curve(xdh->public_key) || hk_is_zero(xdh->shared, 32)) {
        return error == HK_BAD_POINT;
    }
    return error == HK_OK && hk_equal(shared, xdh->shared, 32);
}

static void run_xdh(struct vectors *file, const json_t *test, const char *name)
{
    struct xdh xdh;
    if (!vectors_fixed(test, "private", xdh.private_key.bytes, 32) ||
        !vectors_fixed(test, "public", xdh.public_key, 32) ||
        !vectors_fixed(test, "shared", xdh.shared, 32)) {
        vectors_check(file, strcmp(vectors_text(test, "result"), "invalid") == 0, "lengths", name);
        return;
    }
    vectors_check(file, channel_is_right(&xdh), "X25519 by the channel", name);
    vectors_check(file, agreement_is_right(&xdh, true) && agreement_is_right(&xdh, false),
                  "X25519 by device and service", name);
}

/* ---- ECDSA on secp256k1 ---- */
/* The compressed point: as halfkey has it. Files give x and y, perhaps with a zero in front. */
static bool read_point(struct hk_point *point, const json_t *key)
{
    uint8_t full[65], encoded[HK_SECP256K1_POINT_BYTES];
    if (!vectors_fixed(key, "uncompressed", full, sizeof(full))) {
        return false;
    }
    encoded[0] = (uint8_t)(2 | (full[64] & 1));
    memcpy(encoded + 1, full + 1, 32);
    return hk_secp256k1.point_decode(point, encoded) == HK_OK;
}

/* The Bitcoin file takes low s alone; both want DER and nothing but DER. */
static void run_ecdsa(struct vectors *file, const json_t *group, const json_t *test, const char *name)
{
    static uint8_t message[PART_MAX], der[2 * PART_MAX];
    uint8_t digest[crypto_hash_sha256_BYTES], signature[HK_ECDSA_COMPACT_BYTES];
    struct hk_point point;
    size_t size, der_size;
    bool expected = strcmp(vectors_text(test, "result"), "valid") == 0;
    bool low_s = strcmp(vectors_text(group, "type"), "EcdsaBitcoinVerify") == 0;
    bool read = read_point(&point, json_object_get(group, "publicKey")) &&
                vectors_hex(json_object_get(test, "msg"), message, PART_MAX, &size) &&
                vectors_hex(json_object_get(test, "sig"), der, sizeof(der), &der_size);
    if (read) {
        crypto_hash_sha256(digest, message, size);
    }
    bool good = read && hk_ecdsa_from_der(signature, der, der_size) == HK_OK &&
                hk_ecdsa_verify(&point, digest, signature, low_s) == HK_OK;
    vectors_check(file, read && good == expected, "ECDSA", name);
}

/* ---- Ed25519 ---- */
static void run_eddsa(struct vectors *file, const json_t *group, const json_t *test, const char *name)
{
    uint8_t public_key[32], message[PART_MAX], signature[PART_MAX];
    size_t size, signature_size;
    bool expected = strcmp(vectors_text(test, "result"), "valid") == 0;
    bool read = vectors_fixed(json_object_get(group, "publicKey"), "pk", public_key, 32) &&
                vectors_hex(json_object_get(test, "msg"), message, PART_MAX, &size) &&
                vectors_hex(json_object_get(test, "sig"), signature, PART_MAX, &signature_size);
    bool good = read && signature_size == 64 &&
                hk_frost_verify(&hk_frost_ed25519, signature, public_key, message, size) == HK_OK;
    vectors_check(file, read && good == expected, "Ed25519", name);
}

/* ---- XChaCha20-Poly1305 ---- */
struct aead {
    struct hk_secret32 key;
    uint8_t nonce[24], ad[PART_MAX], text[PART_MAX], sealed[PART_MAX + 16];
    size_t ad_size, size, sealed_size, tag_size;
};

static bool aead_is_right(const struct aead *aead, bool valid)
{
    uint8_t out[PART_MAX + 16];
    enum hk_error error = hk_aead_x_open(out, &aead->key, aead->nonce, aead->ad, aead->ad_size, aead->sealed,
                                         aead->sealed_size + aead->tag_size);
    if (!valid) {
        return error == HK_AUTH;
    }
    if (error != HK_OK || memcmp(out, aead->text, aead->size) != 0) {
        return false;
    }
    hk_aead_x_seal(out, &aead->key, aead->nonce, aead->ad, aead->ad_size, aead->text, aead->size);
    return memcmp(out, aead->sealed, aead->size + 16) == 0;
}

static void run_aead(struct vectors *file, const json_t *test, const char *name)
{
    struct aead aead;
    bool valid = strcmp(vectors_text(test, "result"), "valid") == 0;
    if (!vectors_fixed(test, "iv", aead.nonce, sizeof(aead.nonce))) {
        vectors_check(file, !valid, "nonce of another length", name);
        return;
    }
    bool read = vectors_fixed(test, "key", aead.key.bytes, 32) &&
                vectors_hex(json_object_get(test, "aad"), aead.ad, PART_MAX, &aead.ad_size) &&
                vectors_hex(json_object_get(test, "msg"), aead.text, PART_MAX, &aead.size) &&
                vectors_hex(json_object_get(test, "ct"), aead.sealed, PART_MAX, &aead.sealed_size) &&
                vectors_hex(json_object_get(test, "tag"), aead.sealed + aead.sealed_size, 16, &aead.tag_size);
    vectors_check(file, read && aead_is_right(&aead, valid), "XChaCha20-Poly1305", name);
}

/* ---- */
static void run_test(struct vectors *file, const char *algorithm, const json_t *group, const json_t *test)
{
    char name[256];
    snprintf(name, sizeof(name), "case %d, %s", (int)json_number_value(json_object_get(test, "tcId")),
             vectors_text(test, "comment"));
    if (strcmp(algorithm, "XDH") == 0) {
        run_xdh(file, test, name);
    } else if (strcmp(algorithm, "EDDSA") == 0) {
        run_eddsa(file, group, test, name);
    } else if (strcmp(algorithm, "ECDSA") == 0) {
        run_ecdsa(file, group, test, name);
    } else {
        run_aead(file, test, name);
    }
}

static bool is_ours(const char *algorithm, const json_t *group)
{
    if (strcmp(algorithm, "XDH") == 0) {
        return strcmp(vectors_text(group, "curve"), "curve25519") == 0;
    }
    if (strcmp(algorithm, "EDDSA") == 0) {
        return strcmp(vectors_text(json_object_get(group, "publicKey"), "curve"), "edwards25519") == 0;
    }
    if (strcmp(algorithm, "ECDSA") == 0) {
        return strcmp(vectors_text(json_object_get(group, "publicKey"), "curve"), "secp256k1") == 0 &&
               strcmp(vectors_text(group, "sha"), "SHA-256") == 0;
    }
    return strcmp(algorithm, "XCHACHA20-POLY1305") == 0;
}

void wycheproof_run(struct vectors *file)
{
    const char *algorithm = vectors_text(file->json, "algorithm");
    const json_t *group, *test;
    unsigned long foreign = 0;
    size_t i, j;
    json_array_foreach(json_object_get(file->json, "testGroups"), i, group)
    {
        const json_t *tests = json_object_get(group, "tests");
        if (!is_ours(algorithm, group)) {
            foreign += json_array_size(tests);
            continue;
        }
        json_array_foreach(tests, j, test)
        {
            run_test(file, algorithm, group, test);
        }
    }
    if (foreign != 0) {
        vectors_skip(file, foreign, *algorithm != 0 ? algorithm : "an algorithm without a name");
    }
}

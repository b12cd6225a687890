/* The Mathematical Mesh's drafts: threshold key generation and agreement on curve 25519, and fingerprints. */
#include <stdlib.h>
#include <string.h>

#include "crypto/agreement.h"
#include "protocol/encoding.h"
#include "protocol/udf.h"
#include "tests/vectors/vectors.h"

bool mesh_matches(const struct vectors *file)
{
    return strncmp(vectors_text(file->json, "about"), "Mathematical Mesh ", 18) == 0;
}

/* An integer of 32 bytes, little endian, mod n. */
static bool read_scalar(struct hk_scalar *out, const json_t *object, const char *key)
{
    uint8_t wide[64] = {0};
    if (!vectors_fixed(object, key, wide, 32)) {
        return false;
    }
    hk_edwards25519.scalar_reduce(out, wide);
    return true;
}

/* ---- key generation ---- */
static bool has_public(const json_t *object, bool montgomery, const struct hk_point *point)
{
    if (montgomery) {
        uint8_t u[32];
        hk_x25519_from_point(u, point);
        return vectors_equal(object, "u_le", u, 32);
    }
    return vectors_equal(object, "public", point->bytes, 32);
}

static void run_keygen(struct vectors *file, const json_t *vector, bool montgomery)
{
    const struct hk_group *group = &hk_edwards25519;
    const char *source = vectors_text(vector, "source");
    const json_t *entry, *composite = json_object_get(vector, "composite");
    struct hk_scalar sum, scalar, imported;
    struct hk_point total, point;
    size_t i;
    group->scalar_set(&sum, 0);
    group->point_identity(&total);
    json_array_foreach(json_object_get(vector, "contributions"), i, entry)
    {
        uint8_t bytes[32];
        bool good = read_scalar(&scalar, entry, "scalar_le") && vectors_fixed(entry, "scalar_le", bytes, 32);
        if (good) {
            hk_x25519_scalar(&imported, bytes);
            good = hk_equal(imported.bytes, scalar.bytes, 32);
        }
        if (!vectors_check(file, good, "contribution's scalar", source)) {
            return;
        }
        group->base_mul(&point, &scalar);
        vectors_check(file, has_public(entry, montgomery, &point), "contribution", source);
        group->scalar_add(&sum, &sum, &scalar);
        group->point_add(&total, &total, &point);
    }
    group->base_mul(&point, &sum);
    vectors_check(file,
                  vectors_equal(composite, "scalar_le", sum.bytes, 32) &&
                      has_public(composite, montgomery, &total) && hk_point_equal(group, &point, &total),
                  "composite", source);
}

/* ---- agreement ---- */
static bool has_contribution(const json_t *vector, const char *name, const struct hk_scalar *share,
                             const struct hk_point *eightfold)
{
    struct hk_scalar eighth;
    struct hk_point point;
    uint8_t u[32];
    hk_agree_part(&hk_agree_x25519, &eighth, share);
    hk_edwards25519.point_mul(&point, &eighth, eightfold);
    hk_x25519_from_point(u, &point);
    return vectors_equal(json_object_get(vector, name), "u_le", u, 32);
}

static bool agreement_is_right(const json_t *vector, struct hk_scalar *device, struct hk_scalar *service,
                               const uint8_t u[32])
{
    struct hk_agree_open open;
    uint8_t answer[32], shared[32];
    hk_agree_part(&hk_agree_x25519, device, device);
    hk_agree_part(&hk_agree_x25519, service, service);
    return hk_agree_begin(&hk_agree_x25519, &open, NULL, u) == HK_OK &&
           hk_agree_share(&hk_agree_x25519, answer, service, open.sent, 1) == HK_OK &&
           hk_agree_finish(shared, &open, device, answer) == HK_OK &&
           vectors_equal(vector, "agreement_u_le", shared, 32);
}

static void run_decrypt(struct vectors *file, const json_t *vector)
{
    const char *source = vectors_text(vector, "source");
    struct hk_scalar account, one, two, sum;
    struct hk_point eightfold;
    uint8_t u[32];
    if (!vectors_check(file,
                       read_scalar(&account, json_object_get(vector, "account"), "private_le") &&
                           read_scalar(&one, json_object_get(vector, "share1"), "scalar_le") &&
                           read_scalar(&two, json_object_get(vector, "share2"), "scalar_le") &&
                           vectors_fixed(json_object_get(vector, "ephemeral"), "u_le", u, 32) &&
                           hk_x25519_to_point(&eightfold, u) == HK_OK,
                       "inputs", source)) {
        return;
    }
    hk_edwards25519.scalar_add(&sum, &one, &two);
    vectors_check(file, hk_equal(sum.bytes, account.bytes, 32), "sum of shares", source);
    vectors_check(file, has_contribution(vector, "contribution1", &one, &eightfold), "contribution 1",
                  source);
    vectors_check(file, has_contribution(vector, "contribution2", &two, &eightfold), "contribution 2",
                  source);
    vectors_check(file, agreement_is_right(vector, &one, &two, u), "agreement", source);
}

/* ---- fingerprints ---- */
static void run_digest(struct vectors *file, const json_t *vector)
{
    static const struct {
        const char *key;
        unsigned bits;
    } texts[] = {{"udf_100", 100}, {"udf_120", 120}, {"udf_140", 140}, {"udf_200", 200}, {"udf_260", 260}};
    const char *source = vectors_text(vector, "source"), *data = vectors_text(vector, "data_utf8");
    bool sha2 = strcmp(vectors_text(vector, "algorithm"), "SHA-2-512") == 0;
    struct hk_udf udf;
    bool good = hk_udf_digest(&udf, sha2 ? HK_UDF_SHA2_512 : HK_UDF_SHA3_512,
                              vectors_text(vector, "content_type"), data, strlen(data)) == HK_OK &&
                vectors_equal(vector, "typed_digest", udf.digest, sizeof(udf.digest)) &&
                udf.type == (uint8_t)json_number_value(json_object_get(vector, "type_id"));
    if (!vectors_check(file, good, "digest", source)) {
        return;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char text[HK_UDF_TEXT_MAX];
        const char *expected = json_string_value(json_object_get(vector, texts[i].key));
        if (expected != NULL) {
            hk_udf_text(text, &udf, texts[i].bits);
            vectors_check(file, strcmp(text, expected) == 0 && hk_udf_matches(&udf, expected), texts[i].key,
                          source);
        }
    }
}

/* Other fingerprints are a type octet and bytes, as text: the encoding is ours, the types are not. */
static void run_fixed(struct vectors *file, const json_t *vector)
{
    const char *name = vectors_text(vector, "name"), *expected = vectors_text(vector, "udf");
    uint8_t bytes[128];
    size_t size, used = 0;
    char base32[HK_BASE32_SIZE(sizeof(bytes))], text[2 * sizeof(base32)];
    if (!json_is_true(json_object_get(vector, "roundtrip"))) {
        vectors_skip(file, 1, "a fingerprint that is printed without its type octet");
        return;
    }
    if (!vectors_check(file,
                       vectors_hex(json_object_get(vector, "bytes"), bytes, sizeof(bytes), &size) &&
                           strlen(expected) < sizeof(text),
                       "bytes", name)) {
        return;
    }
    hk_base32_encode(base32, bytes, size, HK_BASE32_UPPER);
    for (size_t i = 0; base32[i] != 0; i++) {
        if (i != 0 && i % 4 == 0) {
            text[used++] = '-';
        }
        text[used++] = base32[i];
    }
    text[used] = 0;
    vectors_check(file, strcmp(text, expected) == 0, "text", name);
}

/* ---- */
static void run_threshold(struct vectors *file, const json_t *vectors)
{
    const json_t *vector;
    size_t i;
    json_array_foreach(vectors, i, vector)
    {
        const char *curve = vectors_text(vector, "curve");
        bool montgomery = strcmp(curve, "X25519") == 0;
        if (!montgomery && strcmp(curve, "Ed25519") != 0) {
            vectors_skip(file, 1, curve);
        } else if (json_object_get(vector, "contributions") != NULL) {
            run_keygen(file, vector, montgomery);
        } else {
            run_decrypt(file, vector);
        }
    }
}

void mesh_run(struct vectors *file)
{
    const json_t *vector;
    size_t i;
    run_threshold(file, json_object_get(file->json, "vectors"));
    json_array_foreach(json_object_get(file->json, "digest"), i, vector)
    {
        run_digest(file, vector);
    }
    json_array_foreach(json_object_get(file->json, "fixed"), i, vector)
    {
        run_fixed(file, vector);
    }
}

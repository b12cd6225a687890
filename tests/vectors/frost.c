/* RFC 9591 appendix E: nonces, commitments, binding factors, shares and the signature, step by step. */
#include "crypto/frost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors/frost_common.h"

#define MESSAGE_MAX 4096

bool frost_matches(const struct vectors *file)
{
    return json_object_get(file->json, "round_one_outputs") != NULL &&
           json_object_get(file->json, "round_two_outputs") != NULL;
}

struct signing {
    const struct hk_frost_suite *suite;
    uint8_t group_key[HK_POINT_BYTES_MAX], message[MESSAGE_MAX];
    size_t message_size, count;
    struct hk_frost_nonces nonces[HK_FROST_SIGNERS_MAX];
    struct hk_frost_commitment list[HK_FROST_SIGNERS_MAX];
    struct hk_scalar share[HK_FROST_SIGNERS_MAX];
    struct hk_frost_session session;
};

/* The file of the BIP-340 form names the plain suite. It is known by its signature, or by its proofs of
 * knowledge: they have x alone. */
static bool is_bip340(const struct vectors *file)
{
    const json_t *inputs = json_object_get(file->json, "inputs");
    const char *signature = vectors_text(json_object_get(file->json, "final_output"), "sig"),
               *proof = vectors_text(json_object_get(inputs, "1"), "proof_of_knowledge");
    return strlen(signature) == 128 || strlen(proof) == 128;
}

/* Some files name another suite than their group's, so both must be right. */
const struct hk_frost_suite *frost_suite(const struct vectors *file)
{
    static const struct {
        const struct hk_frost_suite *suite;
        const char *group;
    } ours[] = {{&hk_frost_ed25519, "ed25519"}, {&hk_frost_secp256k1, "secp256k1"}};
    const json_t *config = json_object_get(file->json, "config");
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(ours[i].suite->name, vectors_text(config, "name")) == 0 &&
            strcmp(ours[i].group, vectors_text(config, "group")) == 0) {
            bool taproot = ours[i].suite == &hk_frost_secp256k1 && is_bip340(file);
            return taproot ? &hk_frost_bip340 : ours[i].suite;
        }
    }
    return NULL;
}

void frost_skip(struct vectors *file)
{
    char what[128];
    const json_t *config = json_object_get(file->json, "config");
    snprintf(what, sizeof(what), "%s over %s", vectors_text(config, "name"), vectors_text(config, "group"));
    vectors_skip(file, 1, what);
}

/* An identifier is a small number, or hexadecimal if it is large. */
bool frost_identifier(struct hk_frost_identifier *out, const struct hk_frost_suite *suite,
                      const json_t *value)
{
    size_t size;
    if (json_is_number(value)) {
        hk_frost_identifier_set(out, suite, (uint64_t)json_number_value(value));
        return true;
    }
    const char *text = json_string_value(value);
    char *end;
    if (text != NULL && strlen(text) < 8) {
        hk_frost_identifier_set(out, suite, strtoull(text, &end, 10));
        return *end == '\0';
    }
    memset(out, 0, sizeof(*out));
    return vectors_hex(value, out->bytes, suite->group->scalar_bytes, &size) &&
           size == suite->group->scalar_bytes;
}

bool frost_scalar(struct hk_scalar *out, const struct hk_group *group, const json_t *object, const char *key)
{
    uint8_t bytes[HK_SCALAR_BYTES_MAX];
    return vectors_fixed(object, key, bytes, group->scalar_bytes) &&
           group->scalar_decode(out, bytes) == HK_OK;
}

void frost_evaluate(struct hk_scalar *out, const struct hk_group *group, const struct hk_scalar *coefficients,
                    size_t count, const struct hk_frost_identifier *at)
{
    struct hk_scalar x;
    if (group->scalar_decode(&x, at->bytes) != HK_OK) {
        abort();
    }
    *out = coefficients[count - 1];
    for (size_t i = count - 1; i > 0; i--) {
        group->scalar_mul(out, out, &x);
        group->scalar_add(out, out, &coefficients[i - 1]);
    }
}

/* The dealer's polynomial gives the group key and every share. */
static void check_dealing(struct vectors *file, const struct signing *signing, const json_t *inputs)
{
    const struct hk_group *group = signing->suite->group;
    struct hk_scalar coefficients[HK_FROST_SIGNERS_MAX], share;
    struct hk_point point;
    const json_t *list = json_object_get(inputs, "share_polynomial_coefficients"), *entry;
    size_t count = json_array_size(list) + 1, size, i;
    uint8_t bytes[HK_SCALAR_BYTES_MAX];
    bool good =
        count <= HK_FROST_SIGNERS_MAX && frost_scalar(&coefficients[0], group, inputs, "group_secret_key");
    json_array_foreach(list, i, entry)
    {
        good = good && vectors_hex(entry, bytes, group->scalar_bytes, &size) &&
               group->scalar_decode(&coefficients[i + 1], bytes) == HK_OK;
    }
    if (!vectors_check(file, good, "dealer", "coefficients")) {
        return;
    }
    group->base_mul(&point, &coefficients[0]);
    vectors_check(file, memcmp(point.bytes, signing->group_key, group->point_bytes) == 0, "dealer",
                  "group key");
    json_array_foreach(json_object_get(inputs, "participant_shares"), i, entry)
    {
        struct hk_frost_identifier identifier;
        good = frost_identifier(&identifier, signing->suite, json_object_get(entry, "identifier"));
        if (good) {
            frost_evaluate(&share, group, coefficients, count, &identifier);
            good = vectors_equal(entry, "participant_share", share.bytes, group->scalar_bytes);
        }
        vectors_check(file, good, "dealer", "share");
    }
}

static bool find_share(struct hk_scalar *out, const struct signing *signing, const json_t *inputs,
                       const struct hk_frost_identifier *wanted)
{
    const json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(inputs, "participant_shares"), i, entry)
    {
        struct hk_frost_identifier identifier;
        if (frost_identifier(&identifier, signing->suite, json_object_get(entry, "identifier")) &&
            memcmp(&identifier, wanted, sizeof(identifier)) == 0) {
            return frost_scalar(out, signing->suite->group, entry, "participant_share");
        }
    }
    return false;
}

static bool round_one(struct vectors *file, struct signing *signing, const json_t *inputs)
{
    const struct hk_group *group = signing->suite->group;
    const json_t *outputs = json_object_get(json_object_get(file->json, "round_one_outputs"), "outputs");
    const json_t *entry;
    size_t i;
    signing->count = json_array_size(outputs);
    if (signing->count > HK_FROST_SIGNERS_MAX) {
        return vectors_check(file, false, "round one", "too many signers");
    }
    json_array_foreach(outputs, i, entry)
    {
        struct hk_frost_identifier identifier;
        struct hk_frost_nonces *nonces = &signing->nonces[i];
        uint8_t random[2 * HK_FROST_RANDOM_BYTES];
        bool good = frost_identifier(&identifier, signing->suite, json_object_get(entry, "identifier")) &&
                    find_share(&signing->share[i], signing, inputs, &identifier) &&
                    vectors_fixed(entry, "hiding_nonce_randomness", random, 32) &&
                    vectors_fixed(entry, "binding_nonce_randomness", random + 32, 32) &&
                    hk_frost_commit(nonces, signing->suite, &identifier, &signing->share[i], random) == HK_OK;
        good =
            good && vectors_equal(entry, "hiding_nonce", nonces->hiding.bytes, group->scalar_bytes) &&
            vectors_equal(entry, "binding_nonce", nonces->binding.bytes, group->scalar_bytes) &&
            vectors_equal(entry, "hiding_nonce_commitment", nonces->commitment.hiding, group->point_bytes) &&
            vectors_equal(entry, "binding_nonce_commitment", nonces->commitment.binding, group->point_bytes);
        if (!vectors_check(file, good, "round one", "nonces and commitments")) {
            return false;
        }
        signing->list[i] = nonces->commitment;
    }
    bool good = hk_frost_session_init(&signing->session, signing->suite, signing->group_key, signing->message,
                                      signing->message_size, signing->list, signing->count) == HK_OK;
    json_array_foreach(outputs, i, entry)
    {
        good = good &&
               vectors_equal(entry, "binding_factor", signing->session.factor[i].bytes, group->scalar_bytes);
    }
    return vectors_check(file, good, "round one", "binding factors");
}

static void round_two(struct vectors *file, struct signing *signing)
{
    const struct hk_group *group = signing->suite->group;
    const json_t *outputs = json_object_get(json_object_get(file->json, "round_two_outputs"), "outputs");
    uint8_t shares[HK_FROST_SIGNERS_MAX * HK_SCALAR_BYTES_MAX];
    uint8_t signature[HK_FROST_SIGNATURE_BYTES_MAX];
    for (size_t i = 0; i < signing->count; i++) {
        const struct hk_frost_identifier *identifier = &signing->list[i].identifier;
        uint8_t *share = shares + i * group->scalar_bytes;
        struct hk_scalar weighed;
        struct hk_point public_share;
        bool good = hk_frost_weigh(&weighed, signing->suite, identifier, signing->list, signing->count,
                                   &signing->share[i]) == HK_OK &&
                    hk_frost_sign_share(share, &signing->nonces[i], &signing->session, &weighed) == HK_OK &&
                    vectors_equal(json_array_get(outputs, i), "sig_share", share, group->scalar_bytes);
        group->base_mul(&public_share, &weighed);
        good = good && hk_frost_verify_share(&signing->session, identifier, share, &public_share) == HK_OK;
        if (!vectors_check(file, good, "round two", "signature share")) {
            return;
        }
    }
    bool good = hk_frost_aggregate(signature, &signing->session, shares) == HK_OK &&
                vectors_equal(json_object_get(file->json, "final_output"), "sig", signature,
                              hk_frost_signature_bytes(signing->suite)) &&
                hk_frost_verify(signing->suite, signature, signing->group_key, signing->message,
                                signing->message_size) == HK_OK;
    vectors_check(file, good, "signature", "aggregated and verified");
}

void frost_run(struct vectors *file)
{
    const json_t *inputs = json_object_get(file->json, "inputs");
    struct signing *signing = calloc(1, sizeof(*signing));
    if (signing == NULL) {
        abort();
    }
    signing->suite = frost_suite(file);
    if (signing->suite == NULL) {
        frost_skip(file);
    } else if (!vectors_fixed(inputs, "verifying_key_key", signing->group_key,
                              signing->suite->group->point_bytes) ||
               !vectors_hex(json_object_get(inputs, "message"), signing->message, MESSAGE_MAX,
                            &signing->message_size)) {
        vectors_check(file, false, "inputs", "group key and message");
    } else {
        check_dealing(file, signing, inputs);
        if (round_one(file, signing, inputs)) {
            round_two(file, signing);
        }
    }
    free(signing);
}

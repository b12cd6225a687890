/* Pedersen's key generation with proofs of knowledge, as in the FROST paper. Halfkey's own protocol proves in
 * another form, so the proof's equation stands here; all arithmetic is the shipped group's. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/bip340.h"
#include "crypto/group_secp256k1.h"
#include "tests/vectors/frost_common.h"

#define PARTIES_MAX 16

struct party {
    struct hk_frost_identifier identifier;
    struct hk_scalar coefficients[2];
    struct hk_point commitments[2];
    uint8_t proof[HK_POINT_BYTES_MAX + HK_SCALAR_BYTES_MAX];
    const json_t *json;
    const char *name;
};

bool frost_dkg_matches(const struct vectors *file)
{
    const json_t *first = json_object_get(json_object_get(file->json, "inputs"), "1");
    return json_object_get(first, "proof_of_knowledge") != NULL;
}

/* R and z; the BIP-340 form leaves out that R's y is even. */
static bool read_proof(struct party *party, const struct hk_frost_suite *suite, const json_t *json)
{
    party->proof[0] = 2;
    return vectors_fixed(json, "proof_of_knowledge", party->proof + suite->left_out,
                         hk_frost_signature_bytes(suite));
}

static bool read_party(struct party *party, const struct hk_frost_suite *suite, const char *name,
                       const json_t *json)
{
    const struct hk_group *group = suite->group;
    const json_t *list = json_object_get(json, "vss_commitments");
    bool good = frost_identifier(&party->identifier, suite, json_object_get(json, "identifier")) &&
                frost_scalar(&party->coefficients[0], group, json, "signing_key") &&
                frost_scalar(&party->coefficients[1], group, json, "coefficient") &&
                read_proof(party, suite, json) && json_array_size(list) == 2;
    for (size_t i = 0; good && i < 2; i++) {
        uint8_t bytes[HK_POINT_BYTES_MAX];
        size_t size;
        good = vectors_hex(json_array_get(list, i), bytes, group->point_bytes, &size) &&
               size == group->point_bytes && group->point_decode(&party->commitments[i], bytes) == HK_OK;
    }
    party->json = json;
    party->name = name;
    return good;
}

static bool commitments_are_right(const struct hk_group *group, const struct party *party)
{
    struct hk_point point;
    for (size_t i = 0; i < 2; i++) {
        group->base_mul(&point, &party->coefficients[i]);
        if (!hk_point_equal(group, &point, &party->commitments[i])) {
            return false;
        }
    }
    return true;
}

/* [z]B = R + [c]PK, c over context, "dkg", identifier, public key and R. */
static bool proof_holds(const struct hk_frost_suite *suite, const struct party *party)
{
    const struct hk_group *group = suite->group;
    struct hk_scalar c, z;
    struct hk_point left, right, r;
    const struct hk_bytes list[3] = {HK_BYTES(party->identifier.bytes, group->scalar_bytes),
                                     HK_BYTES(party->commitments[0].bytes, group->point_bytes),
                                     HK_BYTES(party->proof, group->point_bytes)};
    suite->hash_to_scalar(&c, suite, "dkg", list, 3);
    if (group->point_decode(&r, party->proof) != HK_OK ||
        group->scalar_decode(&z, party->proof + group->point_bytes) != HK_OK) {
        return false;
    }
    group->base_mul(&left, &z);
    group->point_mul(&right, &c, &party->commitments[0]);
    group->point_add(&right, &right, &r);
    return hk_point_equal(group, &left, &right);
}

/* A share that `to` had from `from`: the polynomial's value, and what the commitments say of it. */
static bool share_is_right(const struct hk_group *group, const struct party *from, const struct party *to)
{
    struct hk_scalar share, at;
    struct hk_point left, right;
    frost_evaluate(&share, group, from->coefficients, 2, &to->identifier);
    if (!vectors_equal(json_object_get(to->json, "signing_shares"), from->name, share.bytes,
                       group->scalar_bytes) ||
        group->scalar_decode(&at, to->identifier.bytes) != HK_OK) {
        return false;
    }
    group->base_mul(&left, &share);
    group->point_mul(&right, &at, &from->commitments[1]);
    group->point_add(&right, &right, &from->commitments[0]);
    return hk_point_equal(group, &left, &right);
}

/* The BIP-340 form ends with a taproot output without scripts: everybody has the tweak added, and the signs
 * are those of Q before it is made even. */
static bool tweak(struct hk_scalar *share, struct hk_point *key)
{
    const struct hk_group *group = &hk_secp256k1;
    struct hk_frost_key tweaked;
    struct hk_point even = *key, add;
    bool negated = hk_frost_make_even(&even, &hk_frost_bip340);
    if (hk_bip340_signing_key(&tweaked, key->bytes, &HK_BYTES("", 0)) != HK_OK) {
        return false;
    }
    bool turned = tweaked.negated != negated; /* Q was odd */
    hk_secp256k1_negate_if(&tweaked.tweak, &tweaked.tweak, turned);
    hk_secp256k1_negate_if(share, share, negated);
    group->scalar_add(share, share, &tweaked.tweak);
    group->base_mul(&add, &tweaked.tweak);
    group->point_add(key, &even, &add);
    return memcmp(key->bytes + 1, tweaked.group_key + 1, 32) == 0 && (key->bytes[0] == 3) == turned;
}

/* What a party ends with: the sum of all values at its identifier. */
static bool result_is_right(const struct hk_frost_suite *suite, const struct party *parties, size_t count,
                            const struct party *of)
{
    const struct hk_group *group = suite->group;
    struct hk_scalar sum, value;
    struct hk_point point, key;
    group->point_identity(&key);
    group->scalar_set(&sum, 0);
    for (size_t i = 0; i < count; i++) {
        frost_evaluate(&value, group, parties[i].coefficients, 2, &of->identifier);
        group->scalar_add(&sum, &sum, &value);
        group->point_add(&key, &key, &parties[i].commitments[0]);
    }
    bool good = suite != &hk_frost_bip340 || tweak(&sum, &key);
    group->base_mul(&point, &sum);
    return good && vectors_equal(of->json, "signing_share", sum.bytes, group->scalar_bytes) &&
           vectors_equal(of->json, "verifying_share", point.bytes, group->point_bytes);
}

static void run_parties(struct vectors *file, const struct hk_frost_suite *suite, const struct party *parties,
                        size_t count)
{
    const struct hk_group *group = suite->group;
    struct hk_point key = parties[0].commitments[0];
    for (size_t i = 0; i < count; i++) {
        const struct party *party = &parties[i];
        vectors_check(file, commitments_are_right(group, party), "commitments", party->name);
        vectors_check(file, proof_holds(suite, party), "proof of knowledge", party->name);
        for (size_t j = 0; j < count; j++) {
            if (i != j) {
                vectors_check(file, share_is_right(group, &parties[j], party), "share", party->name);
            }
        }
        vectors_check(file, result_is_right(suite, parties, count, party), "signing share", party->name);
        if (i != 0) {
            group->point_add(&key, &key, &party->commitments[0]);
        }
    }
    struct hk_scalar none;
    group->scalar_set(&none, 0);
    bool good = suite != &hk_frost_bip340 || tweak(&none, &key);
    vectors_check(file,
                  good && vectors_equal(json_object_get(file->json, "inputs"), "verifying_key", key.bytes,
                                        group->point_bytes),
                  "group key", "sum of all");
}

/* The published file for ristretto255 says of itself that it is for Ed25519. It is recognised by what is in
 * it: a commitment that is the signing key's multiple of ristretto255's base point. */
static bool is_ristretto(const struct vectors *file)
{
    const json_t *first = json_object_get(json_object_get(file->json, "inputs"), "1");
    uint8_t key[32], point[32], commitment[32];
    size_t size;
    return vectors_fixed(first, "signing_key", key, 32) &&
           crypto_scalarmult_ristretto255_base(point, key) == 0 &&
           vectors_hex(json_array_get(json_object_get(first, "vss_commitments"), 0), commitment, 32, &size) &&
           size == 32 && memcmp(point, commitment, 32) == 0;
}

void frost_dkg_run(struct vectors *file)
{
    const struct hk_frost_suite *suite = frost_suite(file);
    if (suite == NULL) {
        frost_skip(file);
        return;
    }
    if (is_ristretto(file)) {
        vectors_skip(file, 1, "FROST(ristretto255, SHA-512) under another name");
        return;
    }
    struct party parties[PARTIES_MAX];
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(file->json, "inputs"), name, value)
    {
        if (json_is_object(value) && count < PARTIES_MAX) {
            if (!vectors_check(file, read_party(&parties[count], suite, name, value), "party", name)) {
                return;
            }
            count++;
        }
    }
    if (count != 0) {
        run_parties(file, suite, parties, count);
    }
}

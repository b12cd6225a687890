/* Halfkey's own files in vectors/: {"halfkey-vectors": 1, "about": ..., "cases": [{"kind": ..., ...}]}. A
 * case's members are hexadecimal strings unless its runner below says otherwise. */
#include <stdlib.h>
#include <string.h>

#include "crypto/agreement.h"
#include "crypto/bip340.h"
#include "crypto/frost.h"
#include "crypto/group_secp256k1.h"
#include "protocol/cbor.h"
#include "protocol/merkle.h"
#include "protocol/noise.h"
#include "tests/vectors/vectors.h"

#define PART_MAX 2048

bool own_matches(const struct vectors *file)
{
    return json_object_get(file->json, "halfkey-vectors") != NULL;
}

/* private, u, shared: X25519, by the channel and by device and service with the private key split. */
static bool run_x25519(const json_t *test)
{
    const struct hk_group *group = &hk_edwards25519;
    struct hk_secret32 key, shared;
    struct hk_scalar x, d, s;
    struct hk_agree_open open;
    uint8_t u[32], answer[32], agreed[32];
    if (!vectors_fixed(test, "private", key.bytes, 32) || !vectors_fixed(test, "u", u, 32) ||
        hk_noise_dh(&shared, &key, u) != HK_OK || !vectors_equal(test, "shared", shared.bytes, 32)) {
        return false;
    }
    hk_x25519_scalar(&x, key.bytes);
    hk_scalar_random(group, &s);
    group->scalar_sub(&d, &x, &s);
    hk_agree_part(&hk_agree_x25519, &d, &d);
    hk_agree_part(&hk_agree_x25519, &s, &s);
    enum hk_error error = hk_agree_begin(&hk_agree_x25519, &open, NULL, u);
    if (json_is_true(json_object_get(test, "twist"))) {
        return error == HK_BAD_POINT;
    }
    return error == HK_OK && hk_agree_share(&hk_agree_x25519, answer, &s, open.sent, 1) == HK_OK &&
           hk_agree_finish(agreed, &open, &d, answer) == HK_OK && hk_equal(agreed, shared.bytes, 32);
}

/* private, public: an X25519 key pair. */
static bool run_x25519_key(const json_t *test)
{
    struct hk_secret32 key;
    uint8_t public_key[32];
    if (!vectors_fixed(test, "private", key.bytes, 32)) {
        return false;
    }
    hk_noise_public(public_key, &key);
    return vectors_equal(test, "public", public_key, 32);
}

/* public, message, signature: must verify; with any bit of the signature's first byte changed it must not. */
static bool run_ed25519(const json_t *test)
{
    uint8_t public_key[32], message[PART_MAX], signature[64];
    size_t size;
    if (!vectors_fixed(test, "public", public_key, 32) || !vectors_fixed(test, "signature", signature, 64) ||
        !vectors_hex(json_object_get(test, "message"), message, PART_MAX, &size) ||
        hk_frost_verify(&hk_frost_ed25519, signature, public_key, message, size) != HK_OK) {
        return false;
    }
    for (int bit = 0; bit < 8; bit++) {
        signature[0] ^= (uint8_t)(1 << bit);
        if (hk_frost_verify(&hk_frost_ed25519, signature, public_key, message, size) == HK_OK) {
            return false;
        }
        signature[0] ^= (uint8_t)(1 << bit);
    }
    return true;
}

struct signer {
    struct hk_frost_nonces nonces;
    struct hk_scalar share, weighed;
};

static bool read_signer(struct signer *signer, const json_t *entry)
{
    struct hk_frost_identifier identifier;
    uint8_t bytes[32], random[2 * HK_FROST_RANDOM_BYTES];
    hk_frost_identifier_set(&identifier, &hk_frost_ed25519,
                            (uint64_t)json_number_value(json_object_get(entry, "identifier")));
    return vectors_fixed(entry, "share", bytes, 32) &&
           hk_edwards25519.scalar_decode(&signer->share, bytes) == HK_OK &&
           vectors_fixed(entry, "hiding-randomness", random, 32) &&
           vectors_fixed(entry, "binding-randomness", random + 32, 32) &&
           hk_frost_commit(&signer->nonces, &hk_frost_ed25519, &identifier, &signer->share, random) ==
               HK_OK &&
           vectors_equal(entry, "hiding-commitment", signer->nonces.commitment.hiding, 32) &&
           vectors_equal(entry, "binding-commitment", signer->nonces.commitment.binding, 32);
}

/* public, message, signature, signers (identifier a number; share, hiding-randomness, binding-randomness,
 * hiding-commitment, binding-commitment, binding-factor, signature-share): FROST(Ed25519, SHA-512). */
static bool run_frost(const json_t *test)
{
    const json_t *list = json_object_get(test, "signers");
    struct signer signers[2];
    struct hk_frost_commitment commitments[2];
    struct hk_frost_session session;
    uint8_t public_key[32], message[PART_MAX], shares[64], signature[64];
    size_t size, count = json_array_size(list);
    bool good = count == 2 && vectors_fixed(test, "public", public_key, 32) &&
                vectors_hex(json_object_get(test, "message"), message, PART_MAX, &size);
    for (size_t i = 0; good && i < count; i++) {
        good = read_signer(&signers[i], json_array_get(list, i));
        commitments[i] = signers[i].nonces.commitment;
    }
    good = good && hk_frost_session_init(&session, &hk_frost_ed25519, public_key, message, size, commitments,
                                         count) == HK_OK;
    for (size_t i = 0; good && i < count; i++) {
        const json_t *entry = json_array_get(list, i);
        good = vectors_equal(entry, "binding-factor", session.factor[i].bytes, 32) &&
               hk_frost_weigh(&signers[i].weighed, &hk_frost_ed25519, &commitments[i].identifier, commitments,
                              count, &signers[i].share) == HK_OK &&
               hk_frost_sign_share(shares + 32 * i, &signers[i].nonces, &session, &signers[i].weighed) ==
                   HK_OK &&
               vectors_equal(entry, "signature-share", shares + 32 * i, 32);
    }
    return good && hk_frost_aggregate(signature, &session, shares) == HK_OK &&
           vectors_equal(test, "signature", signature, 64) &&
           hk_frost_verify(&hk_frost_ed25519, signature, public_key, message, size) == HK_OK;
}

/* encoded; deterministic (true or false): what must be read, and what must be refused. */
static bool run_cbor(const json_t *test)
{
    uint8_t bytes[PART_MAX];
    size_t size;
    bool expected = json_is_true(json_object_get(test, "deterministic"));
    return vectors_hex(json_object_get(test, "encoded"), bytes, PART_MAX, &size) &&
           (hk_cbor_check(bytes, size) == HK_OK) == expected;
}

/* leaves, roots (lists): the root after each leaf. */
static bool run_merkle(const json_t *test)
{
    const json_t *leaves = json_object_get(test, "leaves"), *roots = json_object_get(test, "roots");
    struct hk_frontier frontier;
    size_t i, size;
    const json_t *leaf;
    bool good = json_array_size(leaves) == json_array_size(roots);
    hk_frontier_init(&frontier);
    json_array_foreach(leaves, i, leaf)
    {
        uint8_t bytes[PART_MAX], hash[HK_MERKLE_BYTES], root[HK_MERKLE_BYTES], expected[HK_MERKLE_BYTES];
        good = good && vectors_hex(leaf, bytes, PART_MAX, &size);
        if (good) {
            hk_merkle_leaf(hash, bytes, size);
            good = hk_frontier_append(&frontier, hash, NULL, NULL) == HK_OK;
            hk_frontier_root(root, &frontier);
            good = good && vectors_hex(json_array_get(roots, i), expected, sizeof(expected), &size) &&
                   size == sizeof(expected) && memcmp(root, expected, sizeof(root)) == 0;
        }
    }
    return good;
}

/* key, nonce, ad, plaintext, sealed: ChaCha20-Poly1305. */
static bool run_aead(const json_t *test)
{
    struct hk_secret32 key;
    uint8_t nonce[12], ad[PART_MAX], text[PART_MAX], out[PART_MAX + 16];
    size_t ad_size, size;
    if (!vectors_fixed(test, "key", key.bytes, 32) || !vectors_fixed(test, "nonce", nonce, 12) ||
        !vectors_hex(json_object_get(test, "ad"), ad, PART_MAX, &ad_size) ||
        !vectors_hex(json_object_get(test, "plaintext"), text, PART_MAX, &size)) {
        return false;
    }
    hk_aead_seal(out, &key, nonce, ad, ad_size, text, size);
    return vectors_equal(test, "sealed", out, size + 16) &&
           hk_aead_open(out, &key, nonce, ad, ad_size, out, size + 16) == HK_OK &&
           memcmp(out, text, size) == 0;
}

/* salt, secret, info, output: HKDF-SHA-256. */
static bool run_hkdf(const json_t *test)
{
    uint8_t salt[PART_MAX], secret[PART_MAX], info[PART_MAX], out[PART_MAX];
    size_t salt_size, secret_size, info_size, size;
    if (!vectors_hex(json_object_get(test, "salt"), salt, PART_MAX, &salt_size) ||
        !vectors_hex(json_object_get(test, "secret"), secret, PART_MAX, &secret_size) ||
        !vectors_hex(json_object_get(test, "info"), info, PART_MAX, &info_size) ||
        !vectors_hex(json_object_get(test, "output"), out, PART_MAX, &size)) {
        return false;
    }
    hk_hkdf(out, size, &hk_digest_sha256, HK_BYTES(salt, salt_size), HK_BYTES(secret, secret_size),
            HK_BYTES(info, info_size));
    return vectors_equal(test, "output", out, size);
}

/* name (text), prologue, initiator-static (may be absent), initiator-ephemeral, responder-static,
 * responder-ephemeral, psk (may be absent), messages (list: handshake messages with empty payloads), hash: a
 * handshake of two messages whose responder is known beforehand. */
static bool run_noise(const json_t *test)
{
    struct hk_secret32 keys[4], psk;
    uint8_t prologue[PART_MAX], responder[32], out[256], empty[1];
    struct hk_noise sides[2];
    struct hk_noise_result results[2];
    size_t prologue_size, size, payload;
    const char *name = vectors_text(test, "name");
    bool has_static = vectors_fixed(test, "initiator-static", keys[0].bytes, 32);
    bool has_psk = vectors_fixed(test, "psk", psk.bytes, 32);
    if (!vectors_hex(json_object_get(test, "prologue"), prologue, PART_MAX, &prologue_size) ||
        !vectors_fixed(test, "initiator-ephemeral", keys[1].bytes, 32) ||
        !vectors_fixed(test, "responder-static", keys[2].bytes, 32) ||
        !vectors_fixed(test, "responder-ephemeral", keys[3].bytes, 32)) {
        return false;
    }
    hk_noise_public(responder, &keys[2]);
    struct hk_noise_setup setup = {.prologue = prologue, .prologue_size = prologue_size};
    setup.psk = has_psk ? &psk : NULL;
    struct hk_noise_setup first = setup, second = setup;
    first.static_key = has_static ? &keys[0] : NULL;
    first.ephemeral = &keys[1];
    first.remote_static = responder;
    second.static_key = &keys[2];
    second.ephemeral = &keys[3];
    bool good = hk_noise_init(&sides[0], name, HK_NOISE_INITIATOR, &first) == HK_OK &&
                hk_noise_init(&sides[1], name, HK_NOISE_RESPONDER, &second) == HK_OK;
    for (size_t i = 0; good && i < 2; i++) {
        const char *expected = json_string_value(json_array_get(json_object_get(test, "messages"), i));
        uint8_t wanted[256];
        size_t wanted_size;
        good = hk_noise_write(&sides[i], NULL, 0, out, sizeof(out), &size) == HK_OK &&
               hk_noise_read(&sides[1 - i], out, size, empty, 0, &payload) == HK_OK && expected != NULL &&
               vectors_hex(json_array_get(json_object_get(test, "messages"), i), wanted, sizeof(wanted),
                           &wanted_size) &&
               wanted_size == size && memcmp(wanted, out, size) == 0;
    }
    return good && hk_noise_split(&sides[0], &results[0]) == HK_OK &&
           hk_noise_split(&sides[1], &results[1]) == HK_OK &&
           vectors_equal(test, "hash", results[0].hash, results[0].hash_bytes) &&
           vectors_equal(test, "hash", results[1].hash, results[1].hash_bytes);
}

/* private, point, shared: an agreement on secp256k1 with the private key split, or refused: true. */
static bool run_secp256k1_ecdh(const json_t *test)
{
    const struct hk_group *group = &hk_secp256k1;
    const struct hk_agreement *kind = &hk_agree_secp256k1;
    struct hk_scalar x, d, s;
    struct hk_agree_open open;
    uint8_t bytes[32], point[33], answer[33], agreed[33];
    if (!vectors_fixed(test, "private", bytes, 32) || !vectors_fixed(test, "point", point, 33) ||
        group->scalar_decode(&x, bytes) != HK_OK) {
        return false;
    }
    hk_scalar_random(group, &s);
    group->scalar_sub(&d, &x, &s);
    enum hk_error error = hk_agree_begin(kind, &open, NULL, point);
    if (json_is_true(json_object_get(test, "refused"))) {
        return error == HK_BAD_POINT && hk_agree_share(kind, answer, &s, point, 1) == HK_BAD_POINT;
    }
    return error == HK_OK && hk_agree_share(kind, answer, &s, open.sent, 1) == HK_OK &&
           hk_agree_finish(agreed, &open, &d, answer) == HK_OK && vectors_equal(test, "shared", agreed, 33);
}

/* internal, root (may be empty), output: x-coordinates of BIP-341. */
static bool run_taproot(const json_t *test)
{
    struct hk_frost_key key;
    uint8_t internal[33] = {2}, root[32];
    size_t size;
    return vectors_fixed(test, "internal", internal + 1, 32) &&
           vectors_hex(json_object_get(test, "root"), root, sizeof(root), &size) &&
           hk_bip340_signing_key(&key, internal, &HK_BYTES(root, size)) == HK_OK &&
           vectors_equal(test, "output", key.group_key + 1, 32);
}

static const struct {
    const char *kind;
    bool (*run)(const json_t *test);
} kinds[] = {
    {"x25519", run_x25519},   {"x25519-key", run_x25519_key},
    {"ed25519", run_ed25519}, {"frost", run_frost},
    {"cbor", run_cbor},       {"merkle", run_merkle},
    {"aead", run_aead},       {"hkdf", run_hkdf},
    {"noise", run_noise},     {"secp256k1-ecdh", run_secp256k1_ecdh},
    {"taproot", run_taproot},
};

void own_run(struct vectors *file)
{
    const json_t *test;
    size_t i;
    json_array_foreach(json_object_get(file->json, "cases"), i, test)
    {
        const char *kind = vectors_text(test, "kind"), *source = vectors_text(test, "source");
        size_t row = 0, count = sizeof(kinds) / sizeof(kinds[0]);
        while (row < count && strcmp(kinds[row].kind, kind) != 0) {
            row++;
        }
        if (row == count) {
            vectors_skip(file, 1, kind);
        } else {
            vectors_check(file, kinds[row].run(test), kind, source);
        }
    }
}

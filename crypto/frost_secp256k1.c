/* FROST(secp256k1, SHA-256), RFC 9591 section 6.5, and its BIP-340 form. They differ in the context string,
 * the challenge, the even-y rule and what a signature looks like. */
#include <string.h>

#include "crypto/bip340.h"
#include "crypto/frost.h"
#include "crypto/group_secp256k1.h"

#define DIGEST 32
#define BLOCK 64   /* of SHA-256 */
#define UNIFORM 48 /* L of hash_to_field */

static void add_list(crypto_hash_sha256_state *state, const struct hk_bytes *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        crypto_hash_sha256_update(state, list[i].data, list[i].size);
    }
}

/* DST || I2OSP(len(DST), 1) with DST = context || tag. */
static void add_domain(crypto_hash_sha256_state *state, const char *context, const char *tag)
{
    uint8_t size = (uint8_t)(strlen(context) + strlen(tag));
    crypto_hash_sha256_update(state, (const uint8_t *)context, strlen(context));
    crypto_hash_sha256_update(state, (const uint8_t *)tag, strlen(tag));
    crypto_hash_sha256_update(state, &size, 1);
}

/* hash_to_field(msg, 1) of RFC 9380 section 5.2 over expand_message_xmd(SHA-256), 48 bytes mod n. */
static void hash_to_field(struct hk_scalar *out, const char *context, const char *tag,
                          const struct hk_bytes *list, size_t count)
{
    static const uint8_t pad[BLOCK], request[3] = {0, UNIFORM, 0};
    crypto_hash_sha256_state state;
    uint8_t b0[DIGEST], b1[DIGEST], mixed[DIGEST], b2[DIGEST], wide[64] = {0}, number = 1;
    HK_WIPE_AT_EXIT(state);
    HK_WIPE_AT_EXIT(b0);
    HK_WIPE_AT_EXIT(b1);
    HK_WIPE_AT_EXIT(b2);
    HK_WIPE_AT_EXIT(mixed);
    HK_WIPE_AT_EXIT(wide);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, pad, sizeof(pad));
    add_list(&state, list, count);
    crypto_hash_sha256_update(&state, request, sizeof(request));
    add_domain(&state, context, tag);
    crypto_hash_sha256_final(&state, b0);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, b0, sizeof(b0));
    crypto_hash_sha256_update(&state, &number, 1);
    add_domain(&state, context, tag);
    crypto_hash_sha256_final(&state, b1);
    for (size_t i = 0; i < DIGEST; i++) {
        mixed[i] = b0[i] ^ b1[i];
    }
    number = 2;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, mixed, sizeof(mixed));
    crypto_hash_sha256_update(&state, &number, 1);
    add_domain(&state, context, tag);
    crypto_hash_sha256_final(&state, b2);
    memcpy(wide + sizeof(wide) - UNIFORM, b1, DIGEST);
    memcpy(wide + sizeof(wide) - UNIFORM + DIGEST, b2, UNIFORM - DIGEST);
    hk_secp256k1.scalar_reduce(out, wide);
}

static void hash(uint8_t *digest, const struct hk_frost_suite *suite, const char *tag,
                 const struct hk_bytes *list, size_t count)
{
    crypto_hash_sha256_state state;
    HK_WIPE_AT_EXIT(state);
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)suite->context, strlen(suite->context));
    crypto_hash_sha256_update(&state, (const uint8_t *)tag, strlen(tag));
    add_list(&state, list, count);
    crypto_hash_sha256_final(&state, digest);
}

static void hash_to_scalar(struct hk_scalar *out, const struct hk_frost_suite *suite, const char *tag,
                           const struct hk_bytes *list, size_t count)
{
    hash_to_field(out, suite->context, tag != NULL ? tag : "chal", list, count);
}

/* The challenge is BIP-340's, over x-coordinates: the list's first two are R and the group key, encoded. */
static void bip340_hash_to_scalar(struct hk_scalar *out, const struct hk_frost_suite *suite, const char *tag,
                                  const struct hk_bytes *list, size_t count)
{
    if (tag != NULL) {
        hash_to_scalar(out, suite, tag, list, count);
        return;
    }
    uint8_t wide[64] = {0};
    struct hk_bytes of_x[3] = {HK_BYTES((const uint8_t *)list[0].data + 1, HK_SECP256K1_X_BYTES),
                               HK_BYTES((const uint8_t *)list[1].data + 1, HK_SECP256K1_X_BYTES), list[2]};
    hk_bip340_hash(wide + sizeof(wide) - HK_BIP340_HASH_BYTES, "BIP0340/challenge", of_x, 3);
    hk_secp256k1.scalar_reduce(out, wide);
}

static enum hk_error bip340_verify(const uint8_t *signature, const uint8_t *group_key, const void *message,
                                   size_t size)
{
    return hk_bip340_verify(signature, group_key + 1, message, size);
}

const struct hk_frost_suite hk_frost_secp256k1 = {
    .name = "FROST(secp256k1, SHA-256)",
    .group = &hk_secp256k1,
    .context = "FROST-secp256k1-SHA256-v1",
    .digest_bytes = DIGEST,
    .hash_to_scalar = hash_to_scalar,
    .hash = hash,
};

const struct hk_frost_suite hk_frost_bip340 = {
    .name = "FROST(secp256k1, SHA-256), BIP-340",
    .group = &hk_secp256k1,
    .context = "FROST-secp256k1-SHA256-TR-v1",
    .digest_bytes = DIGEST,
    .left_out = 1,
    .hash_to_scalar = bip340_hash_to_scalar,
    .hash = hash,
    .verify = bip340_verify,
    .is_odd = hk_secp256k1_has_odd_y,
    .signing_key = hk_bip340_signing_key,
};

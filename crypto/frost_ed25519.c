/* FROST(Ed25519, SHA-512): RFC 9591 section 6.1. */
#include <string.h>

#include "crypto/frost.h"

static void sha512_list(uint8_t *digest, const char *context, const char *tag, const struct hk_bytes *list,
                        size_t count)
{
    crypto_hash_sha512_state state;
    HK_WIPE_AT_EXIT(state);
    crypto_hash_sha512_init(&state);
    if (tag != NULL) {
        crypto_hash_sha512_update(&state, (const uint8_t *)context, strlen(context));
        crypto_hash_sha512_update(&state, (const uint8_t *)tag, strlen(tag));
    }
    for (size_t i = 0; i < count; i++) {
        crypto_hash_sha512_update(&state, list[i].data, list[i].size);
    }
    crypto_hash_sha512_final(&state, digest);
}

static void ed25519_hash(uint8_t *digest, const struct hk_frost_suite *suite, const char *tag,
                         const struct hk_bytes *list, size_t count)
{
    sha512_list(digest, suite->context, tag, list, count);
}

static void ed25519_hash_to_scalar(struct hk_scalar *out, const struct hk_frost_suite *suite, const char *tag,
                                   const struct hk_bytes *list, size_t count)
{
    uint8_t digest[64];
    HK_WIPE_AT_EXIT(digest);
    sha512_list(digest, suite->context, tag, list, count);
    memset(out, 0, sizeof(*out));
    suite->group->scalar_reduce(out, digest);
}

static enum hk_error ed25519_verify(const uint8_t *signature, const uint8_t *group_key, const void *message,
                                    size_t size)
{
    return crypto_sign_verify_detached(signature, message, size, group_key) == 0 ? HK_OK : HK_BAD_SIGNATURE;
}

const struct hk_frost_suite hk_frost_ed25519 = {
    .name = "FROST(Ed25519, SHA-512)",
    .group = &hk_edwards25519,
    .context = "FROST-ED25519-SHA512-v1",
    .digest_bytes = 64,
    .hash_to_scalar = ed25519_hash_to_scalar,
    .hash = ed25519_hash,
    .verify = ed25519_verify,
};

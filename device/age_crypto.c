#include "device/age_crypto.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "crypto/x25519.h"
#include "protocol/encoding.h"
#include "protocol/message.h"

static void hmac(uint8_t out[32], const void *key, size_t key_size, const void *data, size_t size,
                 const void *more, size_t more_size)
{
    crypto_auth_hmacsha256_state state;
    HK_WIPE_AT_EXIT(state);
    crypto_auth_hmacsha256_init(&state, key, key_size);
    crypto_auth_hmacsha256_update(&state, data, size);
    crypto_auth_hmacsha256_update(&state, more, more_size);
    crypto_auth_hmacsha256_final(&state, out);
}

void hk_age_hkdf(uint8_t out[32], const void *secret, size_t secret_size, const void *salt, size_t salt_size,
                 const char *info)
{
    static const uint8_t no_salt[32] = {0}, one = 1;
    uint8_t extracted[32];
    HK_WIPE_AT_EXIT(extracted);
    if (salt_size == 0) {
        salt = no_salt;
        salt_size = sizeof no_salt;
    }
    hmac(extracted, salt, salt_size, secret, secret_size, NULL, 0);
    hmac(out, extracted, sizeof extracted, info, strlen(info), &one, 1);
}

bool hk_age_is_native(const struct hk_stanza *stanza)
{
    return strcmp(stanza->argument[0], "X25519") == 0;
}

/* A point of low order gives zero with every key that is a multiple of eight; libsodium says so by failing.
 */
static bool has_low_order(const uint8_t u[32])
{
    static const uint8_t any[32] = {9};
    uint8_t ignored[32];
    return crypto_scalarmult(ignored, any, u) != 0;
}

enum hk_error hk_age_parse_wrap(struct hk_age_wrap *wrap, const struct hk_stanza *stanza)
{
    uint8_t ephemeral[32];
    size_t size = 0;
    if (stanza->count != 2 || stanza->body_size != HK_AGE_BODY_BYTES)
        return HK_BAD_ENCODING;
    const char *share = stanza->argument[1];
    if (hk_base64_decode(ephemeral, sizeof ephemeral, &size, share, strlen(share), HK_BASE64_RAW) ||
        size != sizeof ephemeral)
        return HK_BAD_ENCODING;
    if (has_low_order(ephemeral))
        return HK_BAD_POINT;
    memcpy(wrap->ephemeral, ephemeral, sizeof ephemeral);
    memcpy(wrap->body, stanza->body, sizeof wrap->body);
    wrap->file = 0;
    return HK_OK;
}

static void wrap_key(uint8_t key[32], const uint8_t shared[32], const uint8_t ephemeral[32],
                     const uint8_t recipient[32])
{
    uint8_t salt[64];
    memcpy(salt, ephemeral, 32);
    memcpy(salt + 32, recipient, 32);
    hk_age_hkdf(key, shared, 32, salt, sizeof salt, "age-encryption.org/v1/X25519");
}

static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

enum hk_error hk_age_unwrap_one(uint8_t file_key[HK_AGE_FILE_KEY_BYTES], const struct hk_age_wrap *wrap,
                                const uint8_t recipient[32], const uint8_t shared[32])
{
    uint8_t key[32], opened[HK_AGE_FILE_KEY_BYTES];
    HK_WIPE_AT_EXIT(key);
    HK_WIPE_AT_EXIT(opened);
    wrap_key(key, shared, wrap->ephemeral, recipient);
    int failed = crypto_aead_chacha20poly1305_ietf_decrypt(opened, NULL, NULL, wrap->body, sizeof wrap->body,
                                                           NULL, 0, zero_nonce, key);
    HK_PUBLIC(failed); /* whether a stanza is for us: the person who asked sees it */
    if (failed != 0)
        return HK_AUTH;
    memcpy(file_key, opened, sizeof opened);
    return HK_OK;
}

enum hk_error hk_age_wrap_one(char arguments[HK_AGE_STANZA_TEXT], uint8_t body[HK_AGE_BODY_BYTES],
                              const uint8_t file_key[HK_AGE_FILE_KEY_BYTES], const uint8_t recipient[32])
{
    uint8_t scalar[32], ephemeral[32], shared[32], key[32];
    HK_WIPE_AT_EXIT(scalar);
    HK_WIPE_AT_EXIT(shared);
    HK_WIPE_AT_EXIT(key);
    hk_random(scalar, sizeof scalar);
    int failed = crypto_scalarmult_base(ephemeral, scalar) | crypto_scalarmult(shared, scalar, recipient);
    HK_PUBLIC(failed); /* a recipient of low order */
    if (failed != 0)
        return HK_BAD_POINT;
    HK_PUBLIC(ephemeral);
    wrap_key(key, shared, ephemeral, recipient);
    crypto_aead_chacha20poly1305_ietf_encrypt(body, NULL, file_key, HK_AGE_FILE_KEY_BYTES, NULL, 0, NULL,
                                              zero_nonce, key);
    char share[HK_BASE64_SIZE(32)];
    hk_base64_encode(share, ephemeral, sizeof ephemeral, HK_BASE64_RAW);
    snprintf(arguments, HK_AGE_STANZA_TEXT, "X25519 %s", share);
    return HK_OK;
}

void hk_age_header_mac(uint8_t mac[HK_AGE_MAC_BYTES], const uint8_t file_key[HK_AGE_FILE_KEY_BYTES],
                       const void *header, size_t size)
{
    uint8_t key[32];
    HK_WIPE_AT_EXIT(key);
    hk_age_hkdf(key, file_key, HK_AGE_FILE_KEY_BYTES, NULL, 0, "header");
    hmac(mac, key, sizeof key, header, size, NULL, 0);
}

void hk_age_payload_key(uint8_t key[32], const uint8_t file_key[HK_AGE_FILE_KEY_BYTES],
                        const uint8_t nonce[HK_AGE_NONCE_BYTES])
{
    hk_age_hkdf(key, file_key, HK_AGE_FILE_KEY_BYTES, nonce, HK_AGE_NONCE_BYTES, "payload");
}

/* One request: up to HK_AGREE_POINTS_MAX stanzas that may fit key number `key`. */
struct batch {
    const struct hk_age_keys *keys;
    bool prove;
    size_t count, found;
    const struct hk_age_wrap *wraps[HK_AGREE_POINTS_MAX];
    uint8_t points[HK_AGREE_POINTS_MAX][32], shared[HK_AGREE_POINTS_MAX][32];
};

static enum hk_error run_batch(struct batch *batch, size_t key, uint8_t (*file_keys)[HK_AGE_FILE_KEY_BYTES],
                               bool *opened)
{
    if (batch->count == 0)
        return HK_OK;
    const struct hk_age_keys *keys = batch->keys;
    enum hk_error error = keys->agree(keys->context, key, (const uint8_t(*)[32])batch->points, batch->count,
                                      batch->prove, batch->shared);
    for (size_t i = 0; !error && i < batch->count; i++) {
        const struct hk_age_wrap *wrap = batch->wraps[i];
        if (opened[wrap->file] ||
            hk_age_unwrap_one(file_keys[wrap->file], wrap, keys->recipients[key], batch->shared[i]))
            continue;
        opened[wrap->file] = true;
        batch->found++;
    }
    hk_wipe(batch->shared, sizeof batch->shared);
    batch->count = 0;
    return error;
}

static enum hk_error try_key(struct batch *batch, size_t key, const struct hk_age_wrap *wraps, size_t count,
                             uint8_t (*file_keys)[HK_AGE_FILE_KEY_BYTES], bool *opened)
{
    enum hk_error error = HK_OK;
    for (size_t i = 0; !error && i < count; i++) {
        struct hk_point point;
        if (opened[wraps[i].file] || hk_x25519_to_point(&point, wraps[i].ephemeral))
            continue;
        memcpy(batch->points[batch->count], wraps[i].ephemeral, 32);
        batch->wraps[batch->count++] = &wraps[i];
        if (batch->count == HK_AGREE_POINTS_MAX)
            error = run_batch(batch, key, file_keys, opened);
    }
    return error ? error : run_batch(batch, key, file_keys, opened);
}

enum hk_error hk_age_unwrap(const struct hk_age_keys *keys, const struct hk_age_wrap *wraps, size_t count,
                            uint8_t (*file_keys)[HK_AGE_FILE_KEY_BYTES], bool *opened)
{
    struct batch batch = {.keys = keys};
    HK_WIPE_AT_EXIT(batch);
    for (int pass = 0; pass < 2; pass++) {
        batch.prove = pass == 1;
        batch.found = 0;
        for (size_t key = 0; key < keys->count; key++) {
            enum hk_error error = try_key(&batch, key, wraps, count, file_keys, opened);
            if (error)
                return error;
        }
    }
    return batch.found > 0 ? HK_BAD_PEER : HK_OK;
}

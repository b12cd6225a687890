#include "protocol/sealed_share.h"

#include <string.h>

#include "protocol/aead.h"
#include "protocol/noise.h"

static void derive(struct hk_secret32 *key, const struct hk_secret32 *shared, const uint8_t *ephemeral,
                   const uint8_t *recipient, const uint8_t *context)
{
    hk_hash_name(key->bytes, "sealed-share", 4,
                 (struct hk_bytes[]){HK_BYTES(shared->bytes, 32), HK_BYTES(ephemeral, 32),
                                     HK_BYTES(recipient, 32), HK_BYTES(context, HK_NAME_BYTES)});
}

enum hk_error hk_sealed_share_seal(uint8_t out[HK_SEALED_SHARE_BYTES], const uint8_t *scalar,
                                   const uint8_t recipient[32], const uint8_t context[HK_NAME_BYTES])
{
    static const uint8_t nonce[HK_AEAD_NONCE_BYTES];
    struct hk_secret32 secret, shared, key;
    HK_WIPE_AT_EXIT(secret);
    HK_WIPE_AT_EXIT(shared);
    HK_WIPE_AT_EXIT(key);
    uint8_t ephemeral[32];
    hk_noise_keypair(&secret, ephemeral);
    enum hk_error error = hk_noise_dh(&shared, &secret, recipient);
    if (error != HK_OK) {
        return error;
    }
    derive(&key, &shared, ephemeral, recipient, context);
    memcpy(out, ephemeral, sizeof(ephemeral));
    hk_aead_seal(out + sizeof(ephemeral), &key, nonce, context, HK_NAME_BYTES, scalar,
                 HK_SEALED_SCALAR_BYTES);
    return HK_OK;
}

enum hk_error hk_sealed_share_open_shared(uint8_t *scalar, const uint8_t sealed[HK_SEALED_SHARE_BYTES],
                                          const struct hk_secret32 *shared, const uint8_t recipient[32],
                                          const uint8_t context[HK_NAME_BYTES])
{
    static const uint8_t nonce[HK_AEAD_NONCE_BYTES];
    struct hk_secret32 key, opened;
    HK_WIPE_AT_EXIT(key);
    HK_WIPE_AT_EXIT(opened);
    derive(&key, shared, sealed, recipient, context);
    enum hk_error error = hk_aead_open(opened.bytes, &key, nonce, context, HK_NAME_BYTES, sealed + 32,
                                       HK_SEALED_SHARE_BYTES - 32);
    if (error == HK_OK) {
        memcpy(scalar, opened.bytes, HK_SEALED_SCALAR_BYTES);
    }
    return error;
}

enum hk_error hk_sealed_share_open(uint8_t *scalar, const uint8_t sealed[HK_SEALED_SHARE_BYTES],
                                   const struct hk_secret32 *key, const uint8_t context[HK_NAME_BYTES])
{
    struct hk_secret32 shared;
    HK_WIPE_AT_EXIT(shared);
    uint8_t recipient[32];
    enum hk_error error = hk_noise_dh(&shared, key, sealed);
    if (error != HK_OK) {
        return error;
    }
    hk_noise_public(recipient, key);
    return hk_sealed_share_open_shared(scalar, sealed, &shared, recipient, context);
}

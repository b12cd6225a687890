#include "keyservice/seal.h"

#include <sodium.h>

#include "crypto/random.h"

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

void hk_seal(uint8_t *out, const void *plain, size_t size, const struct hk_secret32 *key, const char *use,
             uint32_t count, const struct hk_bytes *list)
{
    uint8_t place[HK_HASH_BYTES];
    hk_hash_list(place, use, count, list);
    hk_random(out, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE, NULL, plain, size, place, sizeof place, NULL, out,
                                               key->bytes);
}

enum hk_error hk_unseal(void *out, const uint8_t *sealed, size_t size, const struct hk_secret32 *key,
                        const char *use, uint32_t count, const struct hk_bytes *list)
{
    if (size < HK_SEAL_OVERHEAD) {
        return HK_AUTH;
    }
    uint8_t place[HK_HASH_BYTES];
    hk_hash_list(place, use, count, list);
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed + NONCE, size - NONCE,
                                                            place, sizeof place, sealed, key->bytes);
    HK_PUBLIC(failed);
    if (failed != 0) {
        hk_wipe(out, size - HK_SEAL_OVERHEAD);
        return HK_AUTH;
    }
    return HK_OK;
}

#include "protocol/noise.h"

#include <sodium.h>
#include <string.h>

#include "crypto/random.h"

/* ---- keys ---- */
void hk_noise_public(uint8_t public_key[HK_NOISE_KEY_BYTES], const struct hk_secret32 *private_key)
{
    (void)crypto_scalarmult_curve25519_base(public_key, private_key->bytes);
}

void hk_noise_keypair(struct hk_secret32 *private_key, uint8_t public_key[HK_NOISE_KEY_BYTES])
{
    hk_random(private_key->bytes, sizeof(private_key->bytes));
    hk_noise_public(public_key, private_key);
}

enum hk_error hk_noise_dh(struct hk_secret32 *out, const struct hk_secret32 *private_key,
                          const uint8_t public_key[HK_NOISE_KEY_BYTES])
{
    struct hk_secret32 shared;
    HK_WIPE_AT_EXIT(shared);
    /* libsodium refuses the known points of small order; the zero test is ours, whatever the library does. */
    int failed = crypto_scalarmult_curve25519(shared.bytes, private_key->bytes, public_key);
    HK_PUBLIC(failed); /* never for an honest key, and seen by whoever sent the other */
    if (failed != 0 || hk_is_zero(shared.bytes, sizeof(shared.bytes))) {
        return HK_BAD_POINT;
    }
    memcpy(out, &shared, sizeof(shared));
    return HK_OK;
}

/* ---- CipherState, section 5.1 ---- */
enum hk_error hk_cipher_seal(struct hk_cipher *cipher, uint8_t *out, const void *ad, size_t ad_size,
                             const void *in, size_t size)
{
    uint8_t nonce[HK_AEAD_NONCE_BYTES];
    if (cipher->nonce == UINT64_MAX) {
        return HK_TOO_OLD;
    }
    hk_aead_counter_nonce(nonce, cipher->nonce++);
    hk_aead_seal(out, &cipher->key, nonce, ad, ad_size, in, size);
    return HK_OK;
}

enum hk_error hk_cipher_open(struct hk_cipher *cipher, uint8_t *out, const void *ad, size_t ad_size,
                             const void *in, size_t size)
{
    uint8_t nonce[HK_AEAD_NONCE_BYTES];
    if (cipher->nonce == UINT64_MAX) {
        return HK_TOO_OLD;
    }
    hk_aead_counter_nonce(nonce, cipher->nonce);
    enum hk_error error = hk_aead_open(out, &cipher->key, nonce, ad, ad_size, in, size);
    if (error == HK_OK) {
        cipher->nonce++;
    }
    return error;
}

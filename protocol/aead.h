/* aead.h - the two authenticated ciphers: ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305.
 *
 * ChaCha20-Poly1305 carries the channel's frames and age's 64 KiB chunks; it is computed by libsodium where
 * the text is short and by libcrypto where it is long, whichever was measured faster, with the same bytes as
 * result. XChaCha20-Poly1305 (libsodium) seals what is stored: its nonce is long enough to be drawn at
 * random. Nothing here keeps state. Constant time in keys and texts, not in lengths.
 *
 * `out` may be the same buffer as `in` (the ciphertext is the text followed by its 16-byte tag). A nonce must
 * never be used twice with one key for two texts. */
#ifndef HALFKEY_PROTOCOL_AEAD_H
#define HALFKEY_PROTOCOL_AEAD_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/secret.h"

#define HK_AEAD_NONCE_BYTES 12
#define HK_AEAD_X_NONCE_BYTES 24
#define HK_AEAD_TAG_BYTES 16

/* Encrypts `size` bytes of `in` to size + HK_AEAD_TAG_BYTES bytes of `out`. `ad`, `ad_size`: associated data,
 * NULL and 0 if there is none. Never fails. */
void hk_aead_seal(uint8_t *out, const struct hk_secret32 *key, const uint8_t nonce[HK_AEAD_NONCE_BYTES],
                  const void *ad, size_t ad_size, const void *in, size_t size);

/* Decrypts `size` bytes of `in`, tag included, to size - HK_AEAD_TAG_BYTES bytes of `out`. HK_AUTH if the tag
 * is wrong or `size` is less than a tag; then those bytes of `out` are zero, also where `out` is `in`. */
HK_CHECK enum hk_error hk_aead_open(uint8_t *out, const struct hk_secret32 *key,
                                    const uint8_t nonce[HK_AEAD_NONCE_BYTES], const void *ad, size_t ad_size,
                                    const void *in, size_t size);

/* The nonce that Noise makes of a counter: four zero bytes, then the counter, little endian. */
void hk_aead_counter_nonce(uint8_t nonce[HK_AEAD_NONCE_BYTES], uint64_t counter);

/* The same two with XChaCha20-Poly1305. */
void hk_aead_x_seal(uint8_t *out, const struct hk_secret32 *key, const uint8_t nonce[HK_AEAD_X_NONCE_BYTES],
                    const void *ad, size_t ad_size, const void *in, size_t size);
HK_CHECK enum hk_error hk_aead_x_open(uint8_t *out, const struct hk_secret32 *key,
                                      const uint8_t nonce[HK_AEAD_X_NONCE_BYTES], const void *ad,
                                      size_t ad_size, const void *in, size_t size);

#endif

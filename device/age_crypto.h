/* age_crypto.h - the cryptography of age files around the agreement: key derivation, X25519 stanzas, the
 * header's MAC.
 *
 * Source: the age file format, version 1 (C2SP age.md). The agreement itself is not here: the shared secrets
 * come in from the two halves of a key. */
#ifndef HALFKEY_DEVICE_AGE_CRYPTO_H
#define HALFKEY_DEVICE_AGE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "device/age_stanza.h"

#define HK_AGE_FILE_KEY_BYTES 16
#define HK_AGE_BODY_BYTES 32 /* a wrapped file key */
#define HK_AGE_MAC_BYTES 32
#define HK_AGE_NONCE_BYTES 16
#define HK_AGE_STANZA_TEXT 64 /* room for "X25519 " and a share in base64 */

/* HKDF-SHA256 (RFC 5869) of 32 bytes output; `info` is text. Constant time in `secret` and `salt`. */
void hk_age_hkdf(uint8_t out[32], const void *secret, size_t secret_size, const void *salt, size_t salt_size,
                 const char *info);

/* A native X25519 stanza of a header: the sender's ephemeral key and the wrapped file key. */
struct hk_age_wrap {
    uint8_t ephemeral[32];
    uint8_t body[HK_AGE_BODY_BYTES];
    size_t file; /* which file it belongs to, when several are opened at once */
};

/* True if the stanza's type is X25519. */
bool hk_age_is_native(const struct hk_stanza *stanza) HK_CHECK;
/* Reads such a stanza. HK_BAD_ENCODING for a wrong number of arguments, wrong lengths, base64 that is not
 * canonical; HK_BAD_POINT for an ephemeral key of low order. */
HK_CHECK enum hk_error hk_age_parse_wrap(struct hk_age_wrap *wrap, const struct hk_stanza *stanza);

/* Opens a stanza with the shared secret of its ephemeral key and the key `recipient`. HK_AUTH if it is for
 * somebody else. */
HK_CHECK enum hk_error hk_age_unwrap_one(uint8_t file_key[HK_AGE_FILE_KEY_BYTES],
                                         const struct hk_age_wrap *wrap, const uint8_t recipient[32],
                                         const uint8_t shared[32]);

/* Wraps a file key for `recipient` under a fresh ephemeral key: the stanza's arguments ("X25519 ...") and
 * body. HK_BAD_POINT if the recipient has low order. */
HK_CHECK enum hk_error hk_age_wrap_one(char arguments[HK_AGE_STANZA_TEXT], uint8_t body[HK_AGE_BODY_BYTES],
                                       const uint8_t file_key[HK_AGE_FILE_KEY_BYTES],
                                       const uint8_t recipient[32]);

/* The MAC over a header up to and including "---". */
void hk_age_header_mac(uint8_t mac[HK_AGE_MAC_BYTES], const uint8_t file_key[HK_AGE_FILE_KEY_BYTES],
                       const void *header, size_t size);
/* The key of the payload. */
void hk_age_payload_key(uint8_t key[32], const uint8_t file_key[HK_AGE_FILE_KEY_BYTES],
                        const uint8_t nonce[HK_AGE_NONCE_BYTES]);

/* ---- opening stanzas with keys of which half is here ---- */

/* Shared secrets of key number `key` with `count` (1 to HK_AGREE_POINTS_MAX) ephemeral keys, all honest
 * u-coordinates of the curve; one request. With `prove` the service must prove its part. */
typedef enum hk_error (*hk_age_agree_fn)(void *context, size_t key, const uint8_t (*points)[32], size_t count,
                                         bool prove, uint8_t (*shared)[32]);
struct hk_age_keys {
    size_t count;
    const uint8_t (*recipients)[32]; /* the keys' X25519 public keys */
    hk_age_agree_fn agree;
    void *context;
};

/* Tries every key on every stanza, each key in one request for each 256 stanzas; a file that is open costs
 * nothing more. What nothing opens is tried once more with proofs: then it is for somebody else, or the
 * service's first answer was a lie, which HK_BAD_PEER says; the keys found are given all the same.
 * `file_keys` and `opened` have `files` elements; what is true in `opened` stays. HK_OK even if nothing
 * opened, or the error of the agreement. Stanzas whose ephemeral key is on the twist fit nobody. */
HK_CHECK enum hk_error hk_age_unwrap(const struct hk_age_keys *keys, const struct hk_age_wrap *wraps,
                                     size_t count, uint8_t (*file_keys)[HK_AGE_FILE_KEY_BYTES], bool *opened);

#endif

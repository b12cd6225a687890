/* hkdf.h - HMAC (RFC 2104) and HKDF (RFC 5869) over BLAKE2b, SHA-256 and SHA-512.
 *
 * HMAC-BLAKE2b is HMAC over BLAKE2b as Noise wants it, not BLAKE2b's own keyed mode. Noise's HKDF with two or
 * three outputs is this HKDF with an empty info. Constant time in contents, not in lengths. */
#ifndef HALFKEY_PROTOCOL_HKDF_H
#define HALFKEY_PROTOCOL_HKDF_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/hash.h"

#define HK_DIGEST_BYTES_MAX 64
#define HK_DIGEST_BLOCK_MAX 128

/* A hash function: `hash` writes `bytes` bytes, the hash of the list's concatenation. */
struct hk_digest {
    const char *name; /* as Noise writes it: "BLAKE2b" */
    size_t bytes, block;
    void (*hash)(uint8_t *out, const struct hk_bytes *list, size_t count);
};
extern const struct hk_digest hk_digest_blake2b, hk_digest_sha256, hk_digest_sha512;

/* HMAC over the concatenation of at most 4 spans; writes digest->bytes. */
void hk_hmac(uint8_t *out, const struct hk_digest *digest, const void *key, size_t key_size,
             const struct hk_bytes *list, size_t count);

/* HKDF: extract with `salt` (size 0: as RFC 5869 has it), then expand with `info` to `size` bytes, at most
 * 255 * digest->bytes. */
void hk_hkdf(uint8_t *out, size_t size, const struct hk_digest *digest, struct hk_bytes salt,
             struct hk_bytes secret, struct hk_bytes info);

#endif

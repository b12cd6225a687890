/* udf.h - fingerprints of the form that the Mathematical Mesh gives them (draft-hallambaker-mesh-udf-13).
 *
 * A content digest is T = H(content type ‖ ":" ‖ H(data)) behind a type octet: 96 for SHA-2-512 (text begins
 * with M), 80 for SHA-3-512 (K), plus 1 to 4 when T ends in at least 20, 30, 40, 50 zero bits. Its text is
 * base32 in groups of four. People see 140 bits of it; programs compare all 512. All of it is public: nothing
 * here is constant time. */
#ifndef HALFKEY_PROTOCOL_UDF_H
#define HALFKEY_PROTOCOL_UDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "protocol/message.h"

#define HK_UDF_BYTES 64
#define HK_UDF_TEXT_MAX 130      /* all 520 bits as text, with the final zero */
#define HK_ACCOUNT_TEXT_BYTES 35 /* seven groups of four, with the final zero */
#define HK_ACCOUNT_TEXT_BITS 140
#define HK_UDF_KEY_CONTENT_TYPE "application/pkix-keyinfo"
#define HK_SPKI_BYTES 44 /* DER SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) */

enum hk_udf_algorithm { HK_UDF_SHA2_512 = 96, HK_UDF_SHA3_512 = 80 };

struct hk_udf {
    uint8_t type; /* algorithm + compression, 96..100 or 80..84 */
    uint8_t digest[HK_UDF_BYTES];
};

/* The digest of `size` bytes at `data` of the given content type. HK_INTERNAL if the hash is not to be had.
 */
HK_CHECK enum hk_error hk_udf_digest(struct hk_udf *out, enum hk_udf_algorithm algorithm,
                                     const char *content_type, const void *data, size_t size);

/* The digest as text with `bits` bits (type octet included; rounded down to a multiple of 5, 20 to 520).
 * `out` has room for HK_UDF_TEXT_MAX. */
void hk_udf_text(char *out, const struct hk_udf *udf, unsigned bits);

/* True if `text` (groups of four, hyphens optional, any case) is a prefix of at least 100 bits of the
 * digest's text. */
bool hk_udf_matches(const struct hk_udf *udf, const char *text) HK_CHECK;

/* SubjectPublicKeyInfo of an Ed25519 public key. */
void hk_ed25519_spki(uint8_t out[HK_SPKI_BYTES], const uint8_t public_key[32]);

/* An account's whole name: the SHA-2-512 content digest of its account key's SubjectPublicKeyInfo. */
void hk_account_name(uint8_t account[HK_ACCOUNT_BYTES], const uint8_t public_key[32]);

/* What people see of it: M, 140 bits, "MDDK-7N6A-727A-JZNO-STRX-XKS7-DJAF". */
void hk_account_text(char out[HK_ACCOUNT_TEXT_BYTES], const uint8_t account[HK_ACCOUNT_BYTES]);

#endif

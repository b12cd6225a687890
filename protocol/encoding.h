/* encoding.h - bytes as text: hexadecimal, base32, base64, bech32. All strict: one text for each value.
 *
 * Secret keys pass through hexadecimal, base64 and bech32, so these (and base32, which shares the code) use
 * no table and no branch that depends on the values: constant time in the contents, not in the lengths, nor
 * in where a text is wrong. Nothing here allocates. Outputs are untouched on failure, unless a function says
 * otherwise. */
#ifndef HALFKEY_PROTOCOL_ENCODING_H
#define HALFKEY_PROTOCOL_ENCODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"

/* Room for the text of n bytes, final zero included. */
#define HK_HEX_SIZE(n) (2 * (n) + 1)
#define HK_BASE32_SIZE(n) (((n) + 4) / 5 * 8 + 1)
#define HK_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
#define HK_BECH32_SIZE(prefix, n) ((prefix) + 1 + ((n)*8 + 4) / 5 + 6 + 1)

/* Lower-case digits. */
void hk_hex_encode(char *out, const void *data, size_t size);
/* Exactly 2 * size digits, of either case, from the `length` characters of `text`; HK_BAD_ENCODING otherwise.
 * `out` is wiped on failure. */
HK_CHECK enum hk_error hk_hex_decode(uint8_t *out, size_t size, const char *text, size_t length);

/* RFC 4648: A-Z 2-7 with or without padding, or a-z 2-7 without. */
enum hk_base32 { HK_BASE32_PADDED, HK_BASE32_UPPER, HK_BASE32_LOWER };
void hk_base32_encode(char *out, const void *data, size_t size, enum hk_base32 variant);
/* Decodes `length` characters of that variant into at most `max` bytes, their number to *size.
 * HK_BAD_ENCODING for a foreign character, a wrong length or padding, left-over bits that are not zero;
 * HK_TOO_LARGE over `max`. `out` is wiped on failure. */
HK_CHECK enum hk_error hk_base32_decode(uint8_t *out, size_t max, size_t *size, const char *text,
                                        size_t length, enum hk_base32 variant);

/* RFC 4648 section 4 (+ and /), padded or raw; rules and errors as for base32. */
enum hk_base64 { HK_BASE64_PADDED, HK_BASE64_RAW };
void hk_base64_encode(char *out, const void *data, size_t size, enum hk_base64 variant);
HK_CHECK enum hk_error hk_base64_decode(uint8_t *out, size_t max, size_t *size, const char *text,
                                        size_t length, enum hk_base64 variant);

/* Bech32 (BIP 173) of whole bytes and without its limit of 90 characters, as age uses it. `prefix` is public,
 * 1 to 83 characters; if it is in upper case the whole text is. `out` has room for
 * HK_BECH32_SIZE(strlen(prefix), size). HK_BAD_ENCODING for a bad prefix. */
HK_CHECK enum hk_error hk_bech32_encode(char *out, const char *prefix, const void *data, size_t size);
/* Decodes a text with exactly this prefix (which also says the case). HK_BAD_ENCODING for another prefix,
 * mixed case, a foreign character, a wrong checksum, left-over bits that are not zero; HK_TOO_LARGE over
 * `max`. `out` is wiped on failure. */
HK_CHECK enum hk_error hk_bech32_decode(uint8_t *out, size_t max, size_t *size, const char *prefix,
                                        const char *text, size_t length);

#endif

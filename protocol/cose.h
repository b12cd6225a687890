/* cose.h - COSE_Sign1 (RFC 9052) as the account's objects use it, and nothing else of COSE.
 *
 * Tag 18, protected header {1: -19 (Ed25519, RFC 9864), 4: kid, 16: typ (RFC 9596)}, an empty unprotected
 * header, external_aad "halfkey/v1/" ‖ typ. The kid is the account. The signature is made by device and
 * service together over the bytes of hk_cose_to_be_signed; nothing here holds a private key. Any other
 * algorithm is refused before anything else is looked at. Verification is over the received bytes. */
#ifndef HALFKEY_PROTOCOL_COSE_H
#define HALFKEY_PROTOCOL_COSE_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"
#include "protocol/message.h"

#define HK_COSE_TYPE_MAX 40 /* bytes of a typ */
#define HK_COSE_OVERHEAD_MAX                                                                                 \
    256 /* what a signed object or its Sig_structure is longer than its payload, at most */

/* A parsed COSE_Sign1 or Sig_structure; all spans are borrowed from the input. */
struct hk_cose {
    const uint8_t *account; /* kid, HK_ACCOUNT_BYTES */
    struct hk_bytes type;   /* typ, text */
    struct hk_bytes payload;
    const uint8_t *signature; /* 64 bytes; NULL in a Sig_structure */
};

/* Writes the bytes that are signed: Sig_structure ["Signature1", protected, external_aad, payload].
 *
 *   out, max  room for payload.size + HK_COSE_OVERHEAD_MAX bytes; the length goes to *size
 *   type      "halfkey-profile" and so on, at most HK_COSE_TYPE_MAX bytes
 *   account   HK_ACCOUNT_BYTES
 *
 * HK_TOO_LARGE if it does not fit. */
HK_CHECK enum hk_error hk_cose_to_be_signed(uint8_t *out, size_t max, size_t *size, const char *type,
                                            const uint8_t *account, struct hk_bytes payload);

/* Writes the signed object: the same parts and the 64 bytes of their signature. */
HK_CHECK enum hk_error hk_cose_assemble(uint8_t *out, size_t max, size_t *size, const char *type,
                                        const uint8_t *account, struct hk_bytes payload,
                                        const uint8_t signature[64]);

/* Parses a signed object without verifying it: to find out whose it is. HK_UNSUPPORTED if its algorithm is
 * another one, HK_BAD_ENCODING if it is not exactly of the form above. */
HK_CHECK enum hk_error hk_cose_parse(struct hk_cose *out, const void *data, size_t size);

/* Parses and verifies a signed object. HK_BAD_SIGNATURE if it is of another type than `type` or the signature
 * is not one by `public_key` (Ed25519, 32 bytes); otherwise as hk_cose_parse. That the kid is the account of
 * `public_key` is the caller's to check (protocol/object.h does). */
HK_CHECK enum hk_error hk_cose_verify(struct hk_cose *out, const void *data, size_t size, const char *type,
                                      const uint8_t public_key[32]);

/* Parses the bytes that a device asks to have co-signed: exactly what hk_cose_to_be_signed writes, for any
 * type. HK_UNSUPPORTED for another algorithm, HK_BAD_ENCODING otherwise. */
HK_CHECK enum hk_error hk_cose_parse_to_be_signed(struct hk_cose *out, const void *data, size_t size);

#endif

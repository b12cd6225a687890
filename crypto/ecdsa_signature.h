/* ecdsa_signature.h - finished ECDSA signatures on secp256k1: checking them, and their encodings.
 *
 * Inside, a signature is compact: r, then s, 32 bytes big endian each. All public: nothing here is constant
 * time. Checking and encoding are libsecp256k1's. */
#ifndef HALFKEY_CRYPTO_ECDSA_SIGNATURE_H
#define HALFKEY_CRYPTO_ECDSA_SIGNATURE_H

#include "crypto/group_secp256k1.h"

#define HK_ECDSA_DIGEST_BYTES 32
#define HK_ECDSA_COMPACT_BYTES 64
#define HK_ECDSA_DER_BYTES_MAX 72

/* HK_BAD_SIGNATURE unless the signature is good for the digest under the public key. With `low_s`, one with s
 * above n/2 is refused although it is valid ECDSA: halfkey makes only low ones. */
HK_CHECK enum hk_error hk_ecdsa_verify(const struct hk_point *public_key,
                                       const uint8_t digest[HK_ECDSA_DIGEST_BYTES],
                                       const uint8_t signature[HK_ECDSA_COMPACT_BYTES], bool low_s);

/* DER (SEQUENCE of two INTEGERs); returns its length, at most HK_ECDSA_DER_BYTES_MAX. */
size_t hk_ecdsa_to_der(uint8_t der[HK_ECDSA_DER_BYTES_MAX], const uint8_t signature[HK_ECDSA_COMPACT_BYTES]);
/* Strict DER, nothing behind it, r and s below n: HK_BAD_ENCODING otherwise. */
HK_CHECK enum hk_error hk_ecdsa_from_der(uint8_t signature[HK_ECDSA_COMPACT_BYTES], const uint8_t *der,
                                         size_t size);

#endif

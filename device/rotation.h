/* rotation.h - the link from an old key to the one that takes its place: a statement as text, which the old
 * key signs where it can sign, and the attachment of the new key in the profile that carries it.
 *
 * The statement is ASCII, five lines, the same for everybody who knows both public keys:
 *
 *   halfkey rotation v1
 *   account 128 hexadecimal digits
 *   old SUITE PUBLIC
 *   new SUITE PUBLIC
 *   time SECONDS
 *
 * PUBLIC in hexadecimal digits as the world knows the key (struct hk_suite). The signature is the suite's own
 * over these bytes: Ed25519, BIP-340, or ECDSA (r and s) over their SHA-256. Keys that agree cannot sign:
 * their link is signed by the account alone, as part of the profile. All is public. Decoding is strict. */
#ifndef HALFKEY_DEVICE_ROTATION_H
#define HALFKEY_DEVICE_ROTATION_H

#include "crypto/error.h"
#include "crypto/suite.h"
#include "protocol/object.h"

#define HK_ROTATION_ATTACHMENT "rotated-from" /* its name */
#define HK_ROTATION_TEXT_MAX 512              /* bytes of a statement, final zero included */
#define HK_ROTATION_SIGNATURE_BYTES 64
#define HK_ROTATION_ENCODED_MAX 256

struct hk_rotation {
    uint8_t old_id[HK_ID_BYTES];
    const struct hk_suite *old_suite;
    uint8_t old_public[HK_FORM_BYTES_MAX]; /* suite->form_bytes */
    bool is_signed;
    uint8_t signature[HK_ROTATION_SIGNATURE_BYTES];
};

/* The statement about the new key, as it stands in the profile; its length without the final zero. */
size_t hk_rotation_text(char out[HK_ROTATION_TEXT_MAX], const struct hk_rotation *rotation,
                        const uint8_t account[HK_ACCOUNT_BYTES], const struct hk_profile_key *new_key);

/* The attachment: a CBOR map; at most HK_ROTATION_ENCODED_MAX bytes. HK_BAD_ENCODING. */
HK_CHECK enum hk_error hk_rotation_encode(const struct hk_rotation *rotation,
                                          uint8_t out[HK_ROTATION_ENCODED_MAX], size_t *size);
HK_CHECK enum hk_error hk_rotation_decode(struct hk_rotation *out, struct hk_bytes encoded);

/* The link of a key in the profile; HK_NOT_FOUND if it came in no other one's place. */
HK_CHECK enum hk_error hk_rotation_of(struct hk_rotation *out, const struct hk_profile_key *key);

/* Whether keys of this suite sign their successor's statement; else the account's profile alone does. */
bool hk_rotation_can_sign(const struct hk_suite *suite) HK_CHECK;

#endif

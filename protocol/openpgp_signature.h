/* openpgp_signature.h - OpenPGP signatures: what they are over, and their packets.
 *
 * An Ed25519 signature of OpenPGP is over a digest. GnuPG gives its cards that digest and nothing else; what
 * halfkey itself signs, self-signatures of a certificate, it shows to the service whole. hk_openpgp_to_sign
 * is the one place where both sides derive what is signed from what was shown, so neither can be given a
 * digest under another name. Version 4 (RFC 4880, section 5.2); SHA-1 and MD5 are refused. All is public. */
#ifndef HALFKEY_PROTOCOL_OPENPGP_SIGNATURE_H
#define HALFKEY_PROTOCOL_OPENPGP_SIGNATURE_H

#include "protocol/openpgp.h"

#define HK_OPENPGP_DIGEST_MAX 64
#define HK_OPENPGP_SIGNATURE_MAX 512 /* bytes of a signature's packet that halfkey keeps */
#define HK_OPENPGP_SIGNED_MAX 1024   /* of what a self-signature is over */

/* Signature types that this module knows by name. */
enum hk_openpgp_type {
    HK_OPENPGP_CERTIFICATION = 0x10, /* to 0x13: of a user id */
    HK_OPENPGP_SELF_CERTIFICATION = 0x13,
    HK_OPENPGP_SUBKEY_BINDING = 0x18
};

/* A digest by its number in OpenPGP. */
struct hk_openpgp_hash {
    uint8_t number;
    const char *name; /* as gpg-agent writes it, "sha512": the namespace of a request to sign a digest */
    size_t bytes;
};
/* NULL for a hash that is unknown or refused. */
const struct hk_openpgp_hash *hk_openpgp_hash_by_number(unsigned number) HK_CHECK;
const struct hk_openpgp_hash *hk_openpgp_hash_by_name(struct hk_bytes name) HK_CHECK;

/* What is signed for a request of kind HK_SIGN_OPENPGP.
 *
 *   out, size   at most HK_OPENPGP_DIGEST_MAX bytes: the message of the Ed25519 signature
 *   namespace   a hash's name, and `message` is its digest, which does not begin as an SSHSIG does; or
 * "self-certification" or "subkey-binding", and `message` is what such a signature is over, whole point,
 * created   the key that signs: self-signatures of another key are refused
 *
 * HK_BAD_ENCODING for anything else. */
HK_CHECK enum hk_error hk_openpgp_to_sign(uint8_t out[HK_OPENPGP_DIGEST_MAX], size_t *size,
                                          struct hk_bytes namespace, struct hk_bytes message,
                                          const uint8_t point[32], uint32_t created);

/* ---- making a self-signature ---- */

/* A signature of the primary key under way: over its user id, or over a subkey. */
struct hk_openpgp_self {
    const char *namespace; /* for the request */
    size_t signed_size, hashed_size;
    uint8_t signed_data[HK_OPENPGP_SIGNED_MAX];
    uint8_t hashed[128]; /* the part of the packet that is signed */
    uint8_t issuer[8];
    uint8_t digest[HK_OPENPGP_DIGEST_MAX];
};
/* `user_id` is UTF-8 of at most HK_OPENPGP_USER_ID_MAX bytes; `when` seconds since 1970, not before a key's
 * creation. */
void hk_openpgp_self_user_id(struct hk_openpgp_self *self, const struct hk_openpgp_key *primary,
                             const char *user_id, uint32_t when);
void hk_openpgp_self_subkey(struct hk_openpgp_self *self, const struct hk_openpgp_key *primary,
                            const struct hk_openpgp_key *subkey, uint32_t when);
/* Appends the packet with the signature, R ‖ S. */
void hk_openpgp_self_finish(struct hk_openpgp_writer *writer, const struct hk_openpgp_self *self,
                            const uint8_t signature[64]);

/* ---- reading ---- */

/* A version 4 signature with EdDSA. Spans borrow. */
struct hk_openpgp_signature {
    uint8_t type;
    const struct hk_openpgp_hash *hash;
    uint32_t created;       /* 0: it does not say */
    struct hk_bytes hashed; /* what of it is signed */
    uint8_t left[2];        /* the digest's first two bytes */
    uint8_t signature[64];  /* R ‖ S */
};
/* HK_UNSUPPORTED for another version, algorithm or hash; HK_BAD_ENCODING. */
HK_CHECK enum hk_error hk_openpgp_signature_decode(struct hk_openpgp_signature *out, struct hk_bytes body);

/* HK_OK if it is the primary key's own: over `user_id` (types 0x10 to 0x13), or over `subkey` (0x18); the
 * other is NULL. HK_BAD_SIGNATURE. */
HK_CHECK enum hk_error hk_openpgp_signature_verify(const struct hk_openpgp_signature *signature,
                                                   const struct hk_openpgp_key *primary,
                                                   const struct hk_bytes *user_id,
                                                   const struct hk_openpgp_key *subkey);

#endif

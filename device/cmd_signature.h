/* cmd_signature.h - what `sign` and `verify` have in common: the table of formats, and the message. */
#ifndef HALFKEY_DEVICE_CMD_SIGNATURE_H
#define HALFKEY_DEVICE_CMD_SIGNATURE_H

#include "crypto/bip340.h"
#include "crypto/ecdsa_signature.h"
#include "device/cmd.h"

/* A row of the table: which suites' keys the format is for, and what can be said with it. */
struct hk_signature_format {
    const char *name;
    unsigned suites; /* bits 1 << enum hk_suite_id */
    enum hk_sign_kind kind;
    enum { HK_FORM_PLAIN, HK_FORM_RECOVERABLE, HK_FORM_DER } form; /* of the bytes */
};

/* The row that --format names; prints which there are if it is none. */
HK_CHECK int hk_signature_format(const struct hk_signature_format **format, const struct hk_call *call);

const char *hk_signature_namespace(const struct hk_call *call) HK_CHECK;

/* What is signed: the file, or the digest that a caller made itself (--digest). */
struct hk_signature_message {
    uint8_t bytes[HK_SIGN_MESSAGE_MAX + 1];
    size_t size;
};

/* FILE or --digest, one of them; prints what is wrong. */
HK_CHECK int hk_signature_message(struct hk_signature_message *message, const struct hk_call *call);

/* --tweak-root: 64 digits or none; *has_root false if it was not given. */
HK_CHECK int hk_signature_root(uint8_t root[HK_BIP341_ROOT_BYTES], size_t *size, bool *has_root,
                               const struct hk_call *call);

/* Whether a key of this suite can sign in this format what the command line says; prints why not. */
HK_CHECK int hk_signature_check(const struct hk_call *call, const struct hk_signature_format *format,
                                const struct hk_agent_key_row *key);

/* For a key of suite secp256k1-ecdsa: the message becomes its SHA-256, unless it is a digest already. */
void hk_signature_to_digest(struct hk_signature_message *message, const struct hk_call *call);

/* An ECDSA signature in one of its forms: 64 bytes (raw), 65 with the recovery id (compact), or DER. Returns
 * its length. */
#define HK_SIGNATURE_BYTES_MAX HK_ECDSA_DER_BYTES_MAX
size_t hk_signature_form(uint8_t out[HK_SIGNATURE_BYTES_MAX], const struct hk_signature_format *format,
                         const uint8_t signature[64], uint64_t recovery);
/* The 64 bytes of one: HK_BAD_ENCODING if it is not of that form. */
HK_CHECK enum hk_error hk_signature_parse(uint8_t signature[64], const struct hk_signature_format *format,
                                          const uint8_t *data, size_t size);

/* Hashes a file ("-": standard input) as OpenSSH's signatures do. HK_IO. */
HK_CHECK enum hk_error hk_signature_digest_file(const char *path, uint8_t digest[64]);

#endif

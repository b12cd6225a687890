/* certificate.h - a key's OpenPGP certificate: made once, kept as the key's public attachment, read
 * everywhere.
 *
 * The layout is what GnuPG exports: the primary key; for each user id the packet and the key's own signature
 * of it; for each subkey the packet and the signature that binds it. Nothing else is in it, no signature of
 * others, and it has at most HK_ATTACHMENT_MAX bytes. What is read is verified. */
#ifndef HALFKEY_DEVICE_CERTIFICATE_H
#define HALFKEY_DEVICE_CERTIFICATE_H

#include "device/agent_client.h"
#include "protocol/openpgp_signature.h"

#define HK_CERTIFICATE_ATTACHMENT "openpgp"
#define HK_CERTIFICATE_SUBKEYS 4
#define HK_CERTIFICATE_ARMOR_MAX 2048 /* as text, final zero included */

struct hk_certificate {
    struct hk_openpgp_key key;
    uint8_t fingerprint[HK_OPENPGP_FINGERPRINT_BYTES];
    char user_id[HK_OPENPGP_USER_ID_MAX + 1]; /* the first */
    size_t subkey_count;
    struct hk_openpgp_key subkey[HK_CERTIFICATE_SUBKEYS];
};

/* HK_BAD_ENCODING for another layout, HK_BAD_SIGNATURE, HK_UNSUPPORTED for keys that halfkey does not have.
 */
HK_CHECK enum hk_error hk_certificate_read(struct hk_certificate *out, struct hk_bytes bytes);

/* The certificate of the account's key `name`, from the agent. `bytes` (may be NULL) gets it as it is, and
 * borrows from the agent's answer. HK_NOT_FOUND if the key has none. */
HK_CHECK enum hk_error hk_certificate_fetch(struct hk_certificate *out, struct hk_bytes *bytes,
                                            struct hk_agent_client *client, const char *name);

/* Upper-case hexadecimal, as gpg prints it. */
#define HK_FINGERPRINT_TEXT 41
void hk_fingerprint_text(char out[HK_FINGERPRINT_TEXT],
                         const uint8_t fingerprint[HK_OPENPGP_FINGERPRINT_BYTES]);

/* ASCII armor (RFC 4880, section 6) around a certificate of at most HK_ATTACHMENT_MAX bytes. */
void hk_certificate_armor(char out[HK_CERTIFICATE_ARMOR_MAX], struct hk_bytes bytes);
/* Undoes armor of any one kind of block in `text`: the bytes to `out`, at most `max`. The checksum is checked
 * if it is there. HK_BAD_ENCODING, HK_TOO_LARGE; `out` is wiped on failure. Secret keys pass here. */
HK_CHECK enum hk_error hk_armor_decode(uint8_t *out, size_t max, size_t *size, const char *text,
                                       size_t length);

/* "hu/" and the name under which a web key directory has the certificate of this mail address: z-base-32 of
 * SHA-1 of what is before the @, in lower case. HK_BAD_ENCODING without an address in the user id. */
#define HK_WKD_NAME_TEXT 33
HK_CHECK enum hk_error hk_wkd_name(char out[HK_WKD_NAME_TEXT], char domain[256], const char *user_id);

#endif

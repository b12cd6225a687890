/* gpg_secret.h - secret keys as `gpg --export-secret-keys` writes them, opened: Ed25519 and X25519,
 * version 4.
 *
 * Plain or sealed with a passphrase (iterated and salted S2K, AES in CFB mode, RFC 4880 section 5.5.3), with
 * or without armor. The secrets live in memory from hk_secret_new and are held against the public keys beside
 * them, so a file that was put together wrongly is refused. The certificate is made of what is the key's own:
 * newest signatures of user ids and subkeys, verified; signatures of other people and what is revoked stay
 * behind. */
#ifndef HALFKEY_DEVICE_GPG_SECRET_H
#define HALFKEY_DEVICE_GPG_SECRET_H

#include "crypto/secret.h"
#include "device/certificate.h"
#include "device/prompt.h"

#define HK_GPG_EXPORT_MAX 65536 /* bytes of a file */
#define HK_GPG_EXPORT_KEYS (1 + HK_CERTIFICATE_SUBKEYS)

/* In memory from hk_secret_new. */
struct hk_gpg_export {
    size_t count;
    struct {
        struct hk_openpgp_key key;
        struct hk_secret32 secret; /* the seed of RFC 8032; the private key of RFC 7748 */
    } keys[HK_GPG_EXPORT_KEYS];    /* the first is the primary key */
    size_t certificate_size;
    uint8_t certificate[HK_ATTACHMENT_MAX];
    unsigned left; /* user ids, subkeys and signatures that stayed behind */
};

/* Reads a file. `passphrase` is NULL if none is known.
 *
 * HK_AGENT_LOCKED if one is needed, HK_BAD_PASSPHRASE if it is another; HK_UNSUPPORTED for other kinds of
 * keys or seals, for a primary key that is not in the file or is revoked, and for more than one key;
 * HK_NOT_FOUND without a valid signature of its own over a user id; HK_BAD_ENCODING. `out` is wiped on
 * failure. */
HK_CHECK enum hk_error hk_gpg_export_read(struct hk_gpg_export *out, const uint8_t *data, size_t size,
                                          const char *passphrase);

#endif

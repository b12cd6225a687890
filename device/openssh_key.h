/* openssh_key.h - a private key as ssh-keygen keeps it (OpenSSH's PROTOCOL.key), to be imported.
 *
 * Ed25519 alone, one key a file, plain or sealed with a passphrase (bcrypt and AES in CTR or CBC mode, which
 * is what ssh-keygen writes unless it is told otherwise). The text, the passphrase and everything that comes
 * of them are secret; the work lives in memory from hk_secret_new. */
#ifndef HALFKEY_DEVICE_OPENSSH_KEY_H
#define HALFKEY_DEVICE_OPENSSH_KEY_H

#include "crypto/secret.h"
#include "device/bcrypt_pbkdf.h"
#include "device/key_format.h"

struct hk_openssh_work {
    uint8_t blob[HK_KEY_FILE_MAX], plain[HK_KEY_FILE_MAX];
    char joined[HK_KEY_FILE_MAX];
    uint8_t key[HK_BCRYPT_KEY_MAX], pair[64];
    struct hk_bcrypt_work bcrypt;
};

/* Reads a file's text; the seed of RFC 8032 to *seed.
 *
 *   passphrase  NULL: none is known
 *
 * HK_BAD_ENCODING if it is no such file or its parts contradict one another; HK_UNSUPPORTED for another kind
 * of key, cipher or derivation; HK_AGENT_LOCKED if it is sealed and no passphrase was given;
 * HK_BAD_PASSPHRASE if that does not open it. */
HK_CHECK enum hk_error hk_openssh_key_decode(struct hk_secret32 *seed, struct hk_openssh_work *work,
                                             const char *text, size_t length, const char *passphrase);

/* The public key that a file says it is of, sealed or not; errors as above. */
HK_CHECK enum hk_error hk_openssh_key_public(uint8_t key[32], struct hk_openssh_work *work, const char *text,
                                             size_t length);

#endif

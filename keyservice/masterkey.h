/* masterkey.h - the key under which everything of the service is sealed, and the service's own two keys.
 *
 * The master key is a systemd credential ($CREDENTIALS_DIRECTORY/halfkey-master) or the file DIR/master.key,
 * 32 bytes, refused if anybody but its owner can read it. The service's static X25519 key (the channel) and
 * its Ed25519 identity key (log heads) are in DIR/service.keys, sealed under it. All of them live in locked
 * memory. */
#ifndef HALFKEY_KEYSERVICE_MASTERKEY_H
#define HALFKEY_KEYSERVICE_MASTERKEY_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/secret.h"

struct hk_service_keys {
    uint8_t static_public[32];
    uint8_t identity_public[32];
    struct hk_secret32 static_secret;   /* X25519 */
    struct hk_secret64 identity_secret; /* Ed25519, libsodium's form: seed and public key */
};

/* Reads the master key into locked memory; with `create`, makes the file if there is neither file nor
 * credential. HK_NOT_FOUND without it; HK_IO with a sentence in reason[256] if it is readable by others or of
 * a wrong length. Freed by hk_secret_free. */
HK_CHECK enum hk_error hk_master_key_load(struct hk_secret32 **master, const char *data, bool create,
                                          char reason[256]);

/* Opens DIR/service.keys, or makes it with `create`. HK_AUTH: sealed under another master key, or damaged.
 * Freed by hk_secret_free. */
HK_CHECK enum hk_error hk_service_keys_load(struct hk_service_keys **keys, const char *data,
                                            const struct hk_secret32 *master, bool create, char reason[256]);

/* A key of its own for each use of the master key: H("master/" use, master), first 32 bytes. */
void hk_master_subkey(struct hk_secret32 *out, const struct hk_secret32 *master, const char *use);

#endif

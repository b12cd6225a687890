#include "keyservice/masterkey.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/random.h"
#include "keyservice/file.h"
#include "keyservice/seal.h"
#include "protocol/seam.h"

#define KEYS_PLAIN (32 + 64)
#define KEYS_SEALED (KEYS_PLAIN + HK_SEAL_OVERHEAD)

void hk_master_subkey(struct hk_secret32 *out, const struct hk_secret32 *master, const char *use)
{
    hk_hash_name(out->bytes, "master", 2, (struct hk_bytes[]){HK_TEXT(use), HK_BYTES(master->bytes, 32)});
}

/* A credential wins over the file: an operator who gives one does not want the key on this disk. */
static enum hk_error master_path(char *path, const char *data, bool *is_credential)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (credentials != NULL && hk_path(path, credentials, "halfkey-master") == HK_OK &&
        hk_file_exists(path)) {
        *is_credential = true;
        return HK_OK;
    }
    *is_credential = false;
    return hk_path(path, data, "master.key");
}

enum hk_error hk_master_key_load(struct hk_secret32 **master, const char *data, bool create, char reason[256])
{
    char path[HK_PATH_MAX];
    bool is_credential;
    if (master_path(path, data, &is_credential) != HK_OK) {
        hk_reason(reason, "the path of the data directory is too long");
        return HK_IO;
    }
    struct hk_secret32 *key = hk_secret_new(sizeof *key);
    if (key == NULL) {
        hk_reason(reason, "no locked memory to be had (ulimit -l)");
        return HK_NO_MEMORY;
    }
    enum hk_error error;
    if (!is_credential && create && !hk_file_exists(path)) {
        hk_random(key->bytes, sizeof key->bytes);
        HK_SEAM("master.create.before");
        error = hk_file_replace(path, key->bytes, sizeof key->bytes);
        HK_SEAM("master.create.after");
        if (error != HK_OK) {
            hk_reason(reason, "cannot write %.180s", path);
        }
    } else {
        error = hk_file_read_private(path, key->bytes, sizeof key->bytes, reason);
    }
    if (error != HK_OK) {
        hk_secret_free(key);
        return error;
    }
    *master = key;
    return HK_OK;
}

static enum hk_error make_keys(struct hk_service_keys *keys, const char *path,
                               const struct hk_secret32 *sealing, char *reason)
{
    uint8_t seed[32];
    HK_WIPE_AT_EXIT(seed);
    hk_random(keys->static_secret.bytes, 32);
    hk_random(seed, sizeof seed);
    uint8_t unused[32];
    crypto_sign_seed_keypair(unused, keys->identity_secret.bytes, seed);
    uint8_t plain[KEYS_PLAIN], sealed[KEYS_SEALED];
    HK_WIPE_AT_EXIT(plain);
    memcpy(plain, keys->static_secret.bytes, 32);
    memcpy(plain + 32, keys->identity_secret.bytes, 64);
    hk_seal(sealed, plain, sizeof plain, sealing, "service-keys", 0, NULL);
    HK_SEAM("service-keys.create.before");
    enum hk_error error = hk_file_replace(path, sealed, sizeof sealed);
    HK_SEAM("service-keys.create.after");
    if (error != HK_OK) {
        hk_reason(reason, "cannot write %.180s", path);
    }
    return error;
}

static enum hk_error read_keys(struct hk_service_keys *keys, const char *path,
                               const struct hk_secret32 *sealing, char *reason)
{
    uint8_t plain[KEYS_PLAIN], sealed[KEYS_SEALED];
    HK_WIPE_AT_EXIT(plain);
    enum hk_error error = hk_file_read_private(path, sealed, sizeof sealed, reason);
    if (error != HK_OK) {
        return error;
    }
    error = hk_unseal(plain, sealed, sizeof sealed, sealing, "service-keys", 0, NULL);
    if (error != HK_OK) {
        hk_reason(reason, "%.150s does not open: another master key, or damaged", path);
        return error;
    }
    memcpy(keys->static_secret.bytes, plain, 32);
    memcpy(keys->identity_secret.bytes, plain + 32, 64);
    return HK_OK;
}

enum hk_error hk_service_keys_load(struct hk_service_keys **out, const char *data,
                                   const struct hk_secret32 *master, bool create, char reason[256])
{
    char path[HK_PATH_MAX];
    if (hk_path(path, data, "service.keys") != HK_OK) {
        hk_reason(reason, "the path of the data directory is too long");
        return HK_IO;
    }
    struct hk_secret32 sealing;
    HK_WIPE_AT_EXIT(sealing);
    hk_master_subkey(&sealing, master, "service-keys");
    struct hk_service_keys *keys = hk_secret_new(sizeof *keys);
    if (keys == NULL) {
        hk_reason(reason, "no locked memory to be had (ulimit -l)");
        return HK_NO_MEMORY;
    }
    enum hk_error error = create && !hk_file_exists(path) ? make_keys(keys, path, &sealing, reason)
                                                          : read_keys(keys, path, &sealing, reason);
    if (error != HK_OK) {
        hk_secret_free(keys);
        return error;
    }
    crypto_scalarmult_base(keys->static_public, keys->static_secret.bytes);
    memcpy(keys->identity_public, keys->identity_secret.bytes + 32, 32);
    *out = keys;
    return HK_OK;
}

/* bcrypt_pbkdf.h - the key derivation of OpenSSH's private key files (OpenBSD's bcrypt_pbkdf).
 *
 * Neither libcrypto nor libsodium has it. Only opens what is imported: nothing of halfkey's own is sealed
 * with it. Not constant time in the passphrase, see blowfish.h. */
#ifndef HALFKEY_DEVICE_BCRYPT_PBKDF_H
#define HALFKEY_DEVICE_BCRYPT_PBKDF_H

#include "crypto/error.h"
#include "device/blowfish.h"

#define HK_BCRYPT_ROUNDS_MAX 1024 /* OpenSSH's default is 16; each takes about 20 milliseconds */
#define HK_BCRYPT_SALT_MAX 64
#define HK_BCRYPT_KEY_MAX 64

/* What it works in: secret, from hk_secret_new, wiped by whoever frees it. */
struct hk_bcrypt_work {
    struct hk_blowfish pi, state;
    uint8_t password[64], salt[64], block[32], sum[32], counted[HK_BCRYPT_SALT_MAX + 4];
};

/* Derives `key_size` bytes (1 to HK_BCRYPT_KEY_MAX). HK_BAD_ENCODING for a size or number of rounds that is
 * zero or above its limit. The empty passphrase is allowed. */
HK_CHECK enum hk_error hk_bcrypt_pbkdf(uint8_t *key, size_t key_size, struct hk_bcrypt_work *work,
                                       const void *password, size_t password_size, const uint8_t *salt,
                                       size_t salt_size, uint32_t rounds);

#endif

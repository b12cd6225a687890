/* blowfish.h - the cipher Blowfish (Schneier 1993), for bcrypt_pbkdf alone: it seals OpenSSH's private keys.
 *
 * Its tables begin with the digits of pi and are computed from them. Table look-ups depend on key and data:
 * this is not constant time, as no bcrypt is, and is used only to open a file that its owner imports, on the
 * owner's machine. */
#ifndef HALFKEY_DEVICE_BLOWFISH_H
#define HALFKEY_DEVICE_BLOWFISH_H

#include <stddef.h>
#include <stdint.h>

#define HK_BLOWFISH_ROUNDS 16
struct hk_blowfish {
    uint32_t p[HK_BLOWFISH_ROUNDS + 2];
    uint32_t s[4][256];
};

/* The first 33,344 bits behind the point of pi, in the order P, S. A few milliseconds; public. */
void hk_blowfish_pi(struct hk_blowfish *out);

/* Mixes a key, and a salt (size 0: none), into the tables: bcrypt's ExpandKey (Provos and Mazières 1999).
 * Both are read over and over from their beginning. With no salt it is Blowfish's own key schedule. */
void hk_blowfish_expand(struct hk_blowfish *state, const uint8_t *key, size_t key_size, const uint8_t *salt,
                        size_t salt_size);

/* Encrypts a block of two words in place. */
void hk_blowfish_encrypt(const struct hk_blowfish *state, uint32_t block[2]);

#endif

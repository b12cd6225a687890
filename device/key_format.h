/* key_format.h - keys as text: what age, OpenSSH and people give and take.
 *
 * Public keys go out, and private keys come in once, at `halfkey key import`. A private key is only read from
 * a file or standard input, never from an argument, and whoever reads one wipes the text. */
#ifndef HALFKEY_DEVICE_KEY_FORMAT_H
#define HALFKEY_DEVICE_KEY_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/secret.h"
#include "protocol/encoding.h"

#define HK_KEY_TEXT_MAX 256   /* any of the texts below, final zero included */
#define HK_KEY_FILE_MAX 16384 /* a file with one private key and comments */

/* "age1...": an X25519 public key. */
void hk_age_recipient_encode(char out[HK_KEY_TEXT_MAX], const uint8_t key[32]);
HK_CHECK enum hk_error hk_age_recipient_decode(uint8_t key[32], const char *text, size_t length);

/* A file as age-keygen writes it: comment lines and exactly one "AGE-SECRET-KEY-1...". HK_BAD_ENCODING. */
HK_CHECK enum hk_error hk_age_identity_decode(struct hk_secret32 *key, const char *text, size_t length);

/* 32 bytes: as they are, or as 64 hexadecimal digits, with or without a line end. HK_BAD_ENCODING. */
HK_CHECK enum hk_error hk_raw_key_decode(struct hk_secret32 *key, const uint8_t *data, size_t size);

/* "AGE-PLUGIN-HALFKEY-1...": which key age-plugin-halfkey is to use. Public: it may lie in dotfiles. */
#define HK_ACCOUNT_PREFIX_BYTES 16
struct hk_plugin_identity {
    bool all; /* no key named: every x25519 key of the account (`age -j halfkey`) */
    uint8_t account[HK_ACCOUNT_PREFIX_BYTES];
    uint8_t key[16];
};
void hk_plugin_identity_encode(char out[HK_KEY_TEXT_MAX], const struct hk_plugin_identity *identity);
HK_CHECK enum hk_error hk_plugin_identity_decode(struct hk_plugin_identity *identity, const char *text,
                                                 size_t length);

/* "ssh-ed25519 AAAA... comment", without a line end; the comment is cut to fit. */
void hk_ssh_public_encode(char out[HK_KEY_TEXT_MAX], const uint8_t key[32], const char *comment);
/* Reads the key of such a line, also as it stands in an allowed_signers or authorized_keys file. */
HK_CHECK enum hk_error hk_ssh_public_decode(uint8_t key[32], const char *text, size_t length);

/* A public key as OpenSSL reads it: SubjectPublicKeyInfo in PEM, with line ends. `key` is of `suite`, in the
 * form that the world knows (struct hk_suite): RFC 8410 for x25519 and ed25519, RFC 5480 with the compressed
 * point for secp256k1. HK_UNSUPPORTED for a suite that has no such form. */
HK_CHECK enum hk_error hk_pem_public_encode(char out[HK_KEY_TEXT_MAX], uint64_t suite, const uint8_t *key);

/* The wire form of an Ed25519 public key (RFC 8709): string "ssh-ed25519", string key. */
#define HK_SSH_BLOB_BYTES 51
void hk_ssh_blob(uint8_t out[HK_SSH_BLOB_BYTES], const uint8_t key[32]);

#endif

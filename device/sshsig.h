/* sshsig.h - signatures of files as OpenSSH makes them (PROTOCOL.sshsig), with Ed25519 keys.
 *
 * What is signed is not the file but a short text with its namespace and hash, so files of any size can be
 * signed, and the service sees what a signature is for. */
#ifndef HALFKEY_DEVICE_SSHSIG_H
#define HALFKEY_DEVICE_SSHSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "device/stream.h"

#define HK_SSHSIG_NAMESPACE_MAX 256
#define HK_SSHSIG_PREIMAGE_MAX (6 + 4 + HK_SSHSIG_NAMESPACE_MAX + 4 + 4 + 6 + 4 + 64)
#define HK_SSHSIG_TEXT_MAX 2048

enum hk_sshsig_hash { HK_SSHSIG_SHA512, HK_SSHSIG_SHA256 };

/* A signature as it stands in a .sig file. */
struct hk_sshsig {
    uint8_t public_key[32];
    char namespace[HK_SSHSIG_NAMESPACE_MAX + 1];
    enum hk_sshsig_hash hash;
    uint8_t signature[64];
};

/* Hashes everything in `source`: 64 or 32 bytes. */
HK_CHECK enum hk_error hk_sshsig_digest(uint8_t digest[64], enum hk_sshsig_hash hash,
                                        const struct hk_source *source);

/* What the key signs: at most HK_SSHSIG_PREIMAGE_MAX bytes, the length to *size. HK_USAGE for a namespace
 * that is empty or too long. */
HK_CHECK enum hk_error hk_sshsig_preimage(uint8_t out[HK_SSHSIG_PREIMAGE_MAX], size_t *size,
                                          const char *namespace, enum hk_sshsig_hash hash,
                                          const uint8_t *digest);

/* The text of a .sig file. */
void hk_sshsig_encode(char out[HK_SSHSIG_TEXT_MAX], const struct hk_sshsig *signature);
/* Reads one. HK_BAD_ENCODING; HK_UNSUPPORTED for another kind of key or hash. */
HK_CHECK enum hk_error hk_sshsig_decode(struct hk_sshsig *signature, const char *text, size_t length);

/* HK_OK if `signature` is good for what is in `source`; HK_BAD_SIGNATURE otherwise. Who signed is the
 * caller's question: compare signature->public_key, and the namespace. */
HK_CHECK enum hk_error hk_sshsig_verify(const struct hk_sshsig *signature, const struct hk_source *source);

#endif

/* bip340.h - what BIP-340 and BIP-341 add to FROST: tagged hashes, x-only keys, the taproot tweak.
 *
 * A key X = [x]B is known to the world by its x-coordinate; the point meant is the one with even y, P. With a
 * taproot output Q = P + [t]B, t = H_TapTweak(x(P) || root), and again the even one of Q and -Q is meant. So
 * the private key behind a signature is g * x + t' with g = 1 or -1 and t' = t or -t: halves enter with the
 * sign g, and the device alone adds t'. Everything here is public and derived by each side itself: what a
 * service is given is a Merkle root, never a scalar. */
#ifndef HALFKEY_CRYPTO_BIP340_H
#define HALFKEY_CRYPTO_BIP340_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/frost.h"
#include "crypto/hash.h"

#define HK_BIP340_HASH_BYTES 32
#define HK_BIP340_KEY_BYTES 32
#define HK_BIP340_SIGNATURE_BYTES 64
#define HK_BIP341_ROOT_BYTES 32

/* SHA-256(SHA-256(tag) || SHA-256(tag) || list). */
void hk_bip340_hash(uint8_t digest[HK_BIP340_HASH_BYTES], const char *tag, const struct hk_bytes *list,
                    size_t count);

/* The key to sign under: the even one of X and -X, or, with `root`, of the taproot output Q and -Q.
 *
 *   public_key  X, 33 bytes
 *   root        NULL: no tweak; else the Merkle root of the scripts, 32 bytes, or 0 bytes where there are
 * none (BIP-86)
 *
 * HK_BAD_POINT if X is not strictly encoded or Q is the identity, HK_BAD_ENCODING for a root of another
 * length, HK_BAD_SCALAR if t is not below n (once in 2^128). */
HK_CHECK enum hk_error hk_bip340_signing_key(struct hk_frost_key *out, const uint8_t *public_key,
                                             const struct hk_bytes *root);

/* BIP-340's verification, by libsecp256k1, of a message of any length under the x-coordinate `key`.
 * HK_BAD_SIGNATURE. */
HK_CHECK enum hk_error hk_bip340_verify(const uint8_t signature[HK_BIP340_SIGNATURE_BYTES],
                                        const uint8_t key[HK_BIP340_KEY_BYTES], const void *message,
                                        size_t size);

#endif

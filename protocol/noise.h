/* noise.h - the Noise protocol framework, revision 34, over 25519, ChaChaPoly and three hashes.
 *
 * One machine runs every handshake from a table of tokens: N, K, X, NK, XK, IK, XX, each with one psk
 * modifier if wanted. Noise_IK and Noise_NK make the channel between device and service, Noise_IKpsk1 the one
 * between two devices at enrolment. A Diffie-Hellman result of all zeros (a point of small order) is always
 * refused. Nothing is allocated. A handshake that failed is wiped and stays dead; every secret is wiped at
 * the split.
 *
 *     hk_noise_init - hk_noise_write / hk_noise_read in the pattern's order - hk_noise_split */
#ifndef HALFKEY_PROTOCOL_NOISE_H
#define HALFKEY_PROTOCOL_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/secret.h"
#include "protocol/aead.h"
#include "protocol/hkdf.h"

#define HK_NOISE_KEY_BYTES 32
#define HK_NOISE_MESSAGE_MAX 65535

/* ---- keys ---- */

/* Draws an X25519 key pair. */
void hk_noise_keypair(struct hk_secret32 *private_key, uint8_t public_key[HK_NOISE_KEY_BYTES]);
/* The public key of a private one. Constant time. */
void hk_noise_public(uint8_t public_key[HK_NOISE_KEY_BYTES], const struct hk_secret32 *private_key);
/* X25519 (RFC 7748): twist and mixed order allowed, as the channel needs it. HK_BAD_POINT if the result is
 * all zero, then `out` is untouched. Constant time. */
HK_CHECK enum hk_error hk_noise_dh(struct hk_secret32 *out, const struct hk_secret32 *private_key,
                                   const uint8_t public_key[HK_NOISE_KEY_BYTES]);

/* ---- a direction of an established channel: a key and the next nonce ---- */
struct hk_cipher {
    struct hk_secret32 key;
    uint64_t nonce;
};
/* hk_aead_seal and hk_aead_open with the next nonce; both count it up (open only if it succeeds).
 * HK_TOO_OLD once 2^64 - 1 messages are through. */
HK_CHECK enum hk_error hk_cipher_seal(struct hk_cipher *cipher, uint8_t *out, const void *ad, size_t ad_size,
                                      const void *in, size_t size);
HK_CHECK enum hk_error hk_cipher_open(struct hk_cipher *cipher, uint8_t *out, const void *ad, size_t ad_size,
                                      const void *in, size_t size);

/* ---- the handshake ---- */
enum hk_noise_role { HK_NOISE_INITIATOR, HK_NOISE_RESPONDER };

/* What a handshake starts from. Everything is copied except where it says so; leave out (NULL) what the
 * pattern has no use for. */
struct hk_noise_setup {
    const void *prologue;
    size_t prologue_size;
    const struct hk_secret32 *static_key;
    const uint8_t *static_public; /* of static_key; NULL: computed, which costs a multiplication */
    const uint8_t *remote_static; /* where the pattern knows it beforehand */
    const struct hk_secret32 *psk;
    /* Asked as soon as the other side's static key has been decrypted, before any further multiplication; an
     * error ends the handshake with it. NULL admits everybody. */
    enum hk_error (*admit)(void *argument, const uint8_t static_key[HK_NOISE_KEY_BYTES]);
    void *argument;
    const struct hk_secret32 *ephemeral; /* NULL draws it; for a handshake made again, and vectors */
};

struct hk_noise_pattern;
struct hk_noise {
    const struct hk_noise_pattern *pattern;
    const struct hk_digest *digest;
    enum hk_noise_role role;
    unsigned psk_places; /* bit n: modifier pskn */
    unsigned next;       /* number of the next message, from 0 */
    bool alive, has_key, has_remote_static, has_ephemeral;
    uint8_t chaining[HK_DIGEST_BYTES_MAX], hash[HK_DIGEST_BYTES_MAX];
    struct hk_cipher cipher;
    struct hk_secret32 static_key, ephemeral, psk;
    uint8_t static_public[32], ephemeral_public[32], remote_static[32], remote_ephemeral[32];
    enum hk_error (*admit)(void *argument, const uint8_t static_key[HK_NOISE_KEY_BYTES]);
    void *argument;
};

/* Begins a handshake.
 *
 *   name  "Noise_IK_25519_ChaChaPoly_BLAKE2b", "Noise_IKpsk1_25519_ChaChaPoly_SHA256", ...
 *
 * HK_UNSUPPORTED for a name that is not ours, HK_USAGE if the setup lacks a key that the pattern needs. */
HK_CHECK enum hk_error hk_noise_init(struct hk_noise *noise, const char *name, enum hk_noise_role role,
                                     const struct hk_noise_setup *setup);

/* Writes the next message with a payload (which may be empty) to `out`, its length to *out_size. `out` is not
 * `payload`. HK_TOO_LARGE over `max` or HK_NOISE_MESSAGE_MAX; HK_CONFLICT if it is not this side's turn or
 * the handshake is over or dead; HK_BAD_POINT if a Diffie-Hellman result is all zero. */
HK_CHECK enum hk_error hk_noise_write(struct hk_noise *noise, const void *payload, size_t size, uint8_t *out,
                                      size_t max, size_t *out_size);

/* Reads the next message and writes its payload to `out`. HK_AUTH if it was not made by somebody who holds
 * the keys it claims, HK_BAD_ENCODING if it is too short, the error of `admit`, and the errors of
 * hk_noise_write. */
HK_CHECK enum hk_error hk_noise_read(struct hk_noise *noise, const void *message, size_t size, uint8_t *out,
                                     size_t max, size_t *out_size);

/* True when all messages are through. */
bool hk_noise_is_finished(const struct hk_noise *noise) HK_CHECK;
/* True if the next message is this side's to write. */
bool hk_noise_is_my_turn(const struct hk_noise *noise) HK_CHECK;

/* What comes out of a handshake. In the one-way patterns (N, K, X) only the initiator sends. Secret. */
struct hk_noise_result {
    struct hk_cipher send, receive;
    size_t hash_bytes;
    uint8_t hash[HK_DIGEST_BYTES_MAX]; /* the handshake hash: names this handshake, public */
    bool has_remote_static;
    uint8_t remote_static[HK_NOISE_KEY_BYTES];
};
/* Ends a finished handshake and wipes it. HK_CONFLICT if it is not finished. */
HK_CHECK enum hk_error hk_noise_split(struct hk_noise *noise, struct hk_noise_result *result);

void hk_noise_wipe(struct hk_noise *noise);

#endif

/* nonce.h - randomness that a repeating generator cannot turn into two answers under one nonce.
 *
 * A stream is named by H("nonce", 32 random bytes, a lasting secret, kind, statement): if the generator
 * repeats (a restored machine), the same statement gets the same stream and another one an independent
 * stream. Block i of the stream is H("nonce/block", that hash, i), so it is as long as a proof needs. */
#ifndef HALFKEY_CRYPTO_NONCE_H
#define HALFKEY_CRYPTO_NONCE_H

#include "crypto/bigint.h"
#include "crypto/group.h"
#include "crypto/hash.h"

/* Secret. Wipe with hk_wipe. */
struct hk_nonces {
    struct hk_secret64 seed;
    uint64_t block;
};

/*   secret     what the randomness protects, with its length
 *   kind       what it is for, such as "ecdsa/setup"
 *   statement  32 bytes that name everything that will be said, the transcript included */
void hk_nonces_init(struct hk_nonces *nonces, struct hk_bytes secret, const char *kind,
                    const uint8_t statement[HK_NAME_BYTES]);

/* The next `size` bytes of the stream (whole blocks are used up). */
void hk_nonces_bytes(struct hk_nonces *nonces, uint8_t *out, size_t size);
/* A uniform integer below 2^bits, in `limbs` limbs. */
void hk_nonces_bits(struct hk_nonces *nonces, hk_limb *out, size_t limbs, size_t bits);
/* An integer mod m (limbs, top limb not zero), within 2^-128 of uniform. */
void hk_nonces_mod(struct hk_nonces *nonces, hk_limb *out, const hk_limb *m, size_t limbs);
/* A scalar of the group other than zero. */
void hk_nonces_scalar(struct hk_nonces *nonces, const struct hk_group *group, struct hk_scalar *out);

#endif

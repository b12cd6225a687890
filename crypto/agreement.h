/* agreement.h - threshold key agreement: a shared secret from two halves of a private key.
 *
 * The private key x = d + s exists only as a device half d and a service half s. The service multiplies the
 * sender's point by its part, the device by its own, and the sum is what x would have given. The device hides
 * the point from the service with a mask (P + [b]B), so the service sees unrelated points. No function ever
 * sees x. Halves come in as parts: half/cofactor mod n, which the caller computes once a key (hk_agree_part).
 *
 * There are two kinds, rows of a table. X25519: the sender's point and the result are u-coordinates, P =
 * [8]E, parts are s/8 and d/8, and the result is exactly RFC 7748's. secp256k1: the sender's point and the
 * result are compressed points (SEC 1), parts are the halves themselves; ECIES users take the result's
 * x-coordinate, its last 32 bytes, or hash all 33.
 *
 * An agreement, on the device:  hk_agree_mask_make (ahead of time) - hk_agree_begin - send - hk_agree_prepare
 *                               (while the service works) - hk_agree_finish
 *               on the service: hk_agree_share
 */
#ifndef HALFKEY_CRYPTO_AGREEMENT_H
#define HALFKEY_CRYPTO_AGREEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/edwards_sum.h"
#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/x25519.h"

#define HK_AGREE_POINT_BYTES_MAX 33 /* of what travels between device and service */
#define HK_AGREE_INPUT_BYTES_MAX 33 /* of a sender's point, and of a result */
#define HK_AGREE_BATCH_MAX 256

/* own - undo, in the form in which the answer is added to it. Secret. */
union hk_agree_sum {
    struct hk_point point;
    struct hk_edwards_partial partial;
};

struct hk_agreement {
    const struct hk_group *group;
    uint64_t cofactor;
    size_t input_bytes; /* of a sender's point as it is received, and of a shared secret */
    /* From the form in which senders' points come: HK_BAD_POINT. */
    enum hk_error (*take)(struct hk_point *out, const uint8_t *input);
    /* What can be done of the sum before the answer is there: own - undo (NULL: own). Constant time. */
    void (*begin)(union hk_agree_sum *sum, const struct hk_point *own, const struct hk_point *undo);
    /* The shared secret, that sum + answer, in its form; constant time. HK_BAD_POINT if it is the identity.
     */
    enum hk_error (*give)(uint8_t *shared, const union hk_agree_sum *sum, const struct hk_point *answer);
};

/* Inputs and results are 32-byte u-coordinates, see hk_x25519_to_point. */
extern const struct hk_agreement hk_agree_x25519;
/* Inputs and results are 33-byte compressed points. */
extern const struct hk_agreement hk_agree_secp256k1;

/* half/cofactor mod n, for all functions below. Constant time. */
void hk_agree_part(const struct hk_agreement *agreement, struct hk_scalar *out, const struct hk_scalar *half);

/* -- the service -- */

/* The service's share of agreements: [part]P for each of `count` points (1 to HK_AGREE_BATCH_MAX).
 *
 *   shares   count times point_bytes, encoded; untouched on failure
 *   part     of s, not zero; used in constant time
 *   points   count times point_bytes, encoded; untrusted
 *
 * HK_BAD_POINT if a point is not the canonical encoding of a point of prime order, HK_TOO_LARGE for a bad
 * count. Each point is decoded and checked once, where the library can, inside its own multiplication. */
HK_CHECK enum hk_error hk_agree_share(const struct hk_agreement *agreement, uint8_t *shares,
                                      const struct hk_scalar *part, const uint8_t *points, size_t count);

/* -- the device -- */

/* A mask, used for one point: ([b]B, [b/cofactor]S). Can be made ahead of time; must not be copied.
 * hk_agree_begin wipes it before it looks at anything else. */
struct hk_agree_mask {
    uint64_t magic;
    const struct hk_agreement *agreement;
    struct hk_point blind, undo;
};

/* Draws a mask for the pair whose service point is S (valid until the next refresh changes S). */
void hk_agree_mask_make(const struct hk_agreement *agreement, struct hk_agree_mask *mask,
                        const struct hk_point *service_point);

/* An agreement that waits for the service's share. It may be finished again with another answer to the same
 * `sent` (a second try, with a proof); wipe it with hk_wipe. Secret. */
struct hk_agree_open {
    uint64_t magic;
    const struct hk_agreement *agreement;
    struct hk_point point;                  /* P */
    struct hk_point undo;                   /* [b/cofactor]S if blinded */
    union hk_agree_sum sum;                 /* with the device's share, once it is prepared */
    uint8_t sent[HK_AGREE_POINT_BYTES_MAX]; /* P' = P + [b]B, or P; point_bytes */
    uint64_t blinded, has_sum;
};

/* Begins an agreement with a sender's point; open->sent is what goes to the service.
 *
 *   mask   wiped first; NULL for no blinding (then the service sees the sender's point)
 *   input  as received, input_bytes
 *
 * HK_BAD_POINT if `input` is no honest sender's. HK_CONFLICT if the mask was already used or is of the other
 * kind. Constant time in the mask. */
HK_CHECK enum hk_error hk_agree_begin(const struct hk_agreement *agreement, struct hk_agree_open *open,
                                      struct hk_agree_mask *mask, const uint8_t *input);

/* Makes the device's own share and what can be made of the sum without the answer, which hk_agree_finish
 * otherwise makes itself: for the time in which the service works. Again, or after a failed begin, it does
 * nothing. `part` is of d, constant time. */
void hk_agree_prepare(struct hk_agree_open *open, const struct hk_scalar *part);

/* Combines the service's answer with the device's own share.
 *
 *   shared  input_bytes; untouched on failure; constant time in its value
 *   part    of d, constant time
 *   answer  the service's share for open->sent, encoded; untrusted
 *
 * HK_BAD_POINT if `answer` is not strictly encoded or the sum is the identity. A wrong answer gives a wrong
 * result: only what is decrypted with it shows that (see dleq.h). */
HK_CHECK enum hk_error hk_agree_finish(uint8_t *shared, const struct hk_agree_open *open,
                                       const struct hk_scalar *part, const uint8_t *answer);

#endif

/* agreement.h - threshold key agreement on edwards25519 whose result is exactly X25519.
 *
 * The private key x = d + s exists only as a device half d and a service half s. The service multiplies the
 * sender's point by s/8, the device by d/8, and the u-coordinate of the sum is X25519(x, u). The device hides
 * its point from the service with a mask (P + [b]B), so the service sees unrelated points. Neither function
 * ever sees x. Halves come in as s/8 and d/8 mod n, which the caller computes once a key (hk_agree_eighth).
 *
 * An agreement, on the device:  hk_agree_mask_make (ahead of time) - hk_agree_begin - send - hk_agree_prepare
 *                               (while the service works) - hk_agree_finish
 *               on the service: hk_agree_share
 */
#ifndef HALFKEY_CRYPTO_AGREEMENT_H
#define HALFKEY_CRYPTO_AGREEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/x25519.h"

#define HK_AGREE_POINT_BYTES 32
#define HK_AGREE_BATCH_MAX 256

/* half/8 mod n, for all functions below. Constant time. */
void hk_agree_eighth(struct hk_scalar *out, const struct hk_scalar *half);

/* -- the service -- */

/* The service's share of agreements: [s/8]P for each of `count` points (1 to HK_AGREE_BATCH_MAX).
 *
 *   shares   count times 32 bytes, encoded; untouched on failure
 *   eighth   s/8 mod n, not zero; used in constant time
 *   points   count times 32 bytes, encoded; untrusted
 *
 * HK_BAD_POINT if a point is not the canonical encoding of a point of prime order, HK_TOO_LARGE for a bad
 * count. Each point is decoded and checked once, inside the library's own multiplication. */
HK_CHECK enum hk_error hk_agree_share(uint8_t *shares, const struct hk_scalar *eighth, const uint8_t *points,
                                      size_t count);

/* -- the device -- */

/* A mask, used for one point: ([b]B, [b/8]S). Can be made ahead of time; must not be copied. hk_agree_begin
 * wipes it before it looks at anything else. */
struct hk_agree_mask {
    uint64_t magic;
    uint8_t blind[HK_AGREE_POINT_BYTES], undo[HK_AGREE_POINT_BYTES];
};

/* Draws a mask for the pair whose service point is S (valid until the next refresh changes S). */
void hk_agree_mask_make(struct hk_agree_mask *mask, const struct hk_point *service_point);

/* An agreement that waits for the service's share. It may be finished again with another answer to the same
 * `sent` (a second try, with a proof); wipe it with hk_wipe. Secret. */
struct hk_agree_open {
    uint64_t magic;
    uint8_t point[HK_AGREE_POINT_BYTES]; /* P */
    uint8_t undo[HK_AGREE_POINT_BYTES];  /* [b/8]S if blinded */
    uint8_t sent[HK_AGREE_POINT_BYTES];  /* P' = P + [b]B, or P */
    uint8_t own[HK_AGREE_POINT_BYTES];   /* [d/8]P once it is prepared */
    uint64_t blinded, has_own;
};

/* Begins an agreement with a sender's u-coordinate; open->sent is what goes to the service.
 *
 *   mask  wiped first; NULL for no blinding (then the service sees the sender's point)
 *   u     as received, see hk_x25519_to_point
 *
 * HK_BAD_POINT as hk_x25519_to_point. HK_CONFLICT if the mask was already used. Constant time in the mask. */
HK_CHECK enum hk_error hk_agree_begin(struct hk_agree_open *open, struct hk_agree_mask *mask,
                                      const uint8_t u[HK_X25519_BYTES]);

/* Makes the device's own share, [d/8]P, which hk_agree_finish otherwise makes itself: for the time in which
 * the service works. Again, or after a failed begin, it does nothing. `eighth` is d/8 mod n, constant time.
 */
void hk_agree_prepare(struct hk_agree_open *open, const struct hk_scalar *eighth);

/* Combines the service's answer with the device's own share: shared = X25519(x, u).
 *
 *   shared  32 bytes; untouched on failure; constant time in its value
 *   eighth  d/8 mod n, constant time
 *   answer  the service's share for open->sent, encoded; untrusted
 *
 * HK_BAD_POINT if `answer` is not strictly encoded or the result is all zero. A wrong answer gives a wrong
 * result: only what is decrypted with it shows that (see dleq.h). */
HK_CHECK enum hk_error hk_agree_finish(uint8_t shared[HK_X25519_BYTES], const struct hk_agree_open *open,
                                       const struct hk_scalar *eighth,
                                       const uint8_t answer[HK_AGREE_POINT_BYTES]);

#endif

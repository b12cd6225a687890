/* ecdsa_ahead.h - what an ECDSA signature needs that can be made before there is a message: masks, and a
 * nonce with the service's offer for it.
 *
 * A mask is most of a signature's work; a thread of low priority keeps a few ready for the pair that was used
 * last. The offer for the next signature comes with the answer to the one before (prepared mode,
 * docs/ecdsa.md). Each is handed out once and wiped here. All of it is for one pair at one epoch: another
 * pair's name empties it. A mask's purpose has a counter and 32 random bytes of this process, so that a
 * generator that repeats in another process gives other masks. Locked memory, wiped on fork. Any thread may
 * call. */
#ifndef HALFKEY_DEVICE_ECDSA_AHEAD_H
#define HALFKEY_DEVICE_ECDSA_AHEAD_H

#include "crypto/ecdsa.h"

#define HK_ECDSA_AHEAD_MASKS 4
#define HK_ECDSA_AHEAD_SECONDS                                                                               \
    45 /* an offer is used in this time or not at all: the service keeps it for 60 */

struct hk_ecdsa_ahead;

/* HK_NO_MEMORY. Starts the thread; hk_ecdsa_ahead_free ends it (NULL is allowed). */
HK_CHECK enum hk_error hk_ecdsa_ahead_new(struct hk_ecdsa_ahead **out);
void hk_ecdsa_ahead_free(struct hk_ecdsa_ahead *ahead);

/* A fresh mask for this pair: one that is ready, else made here. From now on masks are made for this pair. */
void hk_ecdsa_ahead_mask(struct hk_ecdsa_ahead *ahead, struct hk_ecdsa_mask *mask,
                         const struct hk_ecdsa_pair *pair, const struct hk_scalar *half);

/* Keeps a nonce and its offer for the pair's next signature, in place of the one before. */
void hk_ecdsa_ahead_keep(struct hk_ecdsa_ahead *ahead, const struct hk_ecdsa_pair *pair,
                         const struct hk_ecdsa_nonce *nonce, const struct hk_ecdsa_offer *offer);
/* Takes it out; false if there is none for this pair that is young enough. */
bool hk_ecdsa_ahead_take(struct hk_ecdsa_ahead *ahead, const struct hk_ecdsa_pair *pair,
                         struct hk_ecdsa_nonce *nonce, struct hk_ecdsa_offer *offer) HK_CHECK;

#endif

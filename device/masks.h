/* masks.h - blinding masks made ahead of time, and what agreements of late looked like.
 *
 * A mask (see agreement.h) costs two multiplications and belongs to one key's S; a thread makes them when
 * nothing has been asked for a moment, or when few are left. And the last agreements are kept with what was
 * sent and answered: asked again with a proof, the same point is sent again, so that a service that lied the
 * first time is convicted. Everything is in locked memory, and wiped by hk_masks_free. Any thread may call.
 */
#ifndef HALFKEY_DEVICE_MASKS_H
#define HALFKEY_DEVICE_MASKS_H

#include <stdbool.h>

#include "crypto/agreement.h"
#include "protocol/message.h"

#define HK_MASKS_READY 64
#define HK_MASKS_FEW 16     /* from here on they are made at once */
#define HK_MASKS_PAUSE_MS 5 /* so long nothing was asked: there is time */
#define HK_MASKS_RECENT 64

struct hk_masks;

/* HK_NO_MEMORY. Starts the thread; hk_masks_free ends it. */
HK_CHECK enum hk_error hk_masks_new(struct hk_masks **out);
void hk_masks_free(struct hk_masks *masks);

/* A fresh mask for the pair whose service point is S: a prepared one if there is one, else made here. From
 * now on the thread prepares masks for this S. */
void hk_masks_take(struct hk_masks *masks, const struct hk_agreement *agreement, struct hk_agree_mask *mask,
                   const struct hk_point *service_point);

/* The service point that masks are for, decoded already, if this is its encoding (point_bytes): false if
 * another one is, or none. */
bool hk_masks_decoded(struct hk_masks *masks, const struct hk_agreement *agreement, const uint8_t *encoded,
                      struct hk_point *out) HK_CHECK;

/* Keeps an agreement: the sender's point as it came, how it was asked, what was answered (point_bytes). */
void hk_masks_remember(struct hk_masks *masks, const struct hk_point *service_point, const uint8_t *input,
                       const struct hk_agree_open *open, const uint8_t *answer);
/* Finds the same again; false if it is not among the last. */
bool hk_masks_recall(struct hk_masks *masks, const struct hk_agreement *agreement,
                     const struct hk_point *service_point, const uint8_t *input, struct hk_agree_open *open,
                     uint8_t *answer) HK_CHECK;

#endif

/* hand_keys.h - a hand-over of keys as the store keeps it, and who it is for.
 *
 * Between offer and seal one is in memory, as an enrolment is (keyservice/enrolments.h); from then on the
 * store has both parts until the device comes for them. */
#ifndef HALFKEY_KEYSERVICE_HAND_KEYS_H
#define HALFKEY_KEYSERVICE_HAND_KEYS_H

#include "keyservice/job.h"

/* The request's device, of the asker's account, active and another one than the asker's. HK_UNKNOWN_DEVICE,
 * HK_REVOKED, HK_SUSPENDED. */
HK_CHECK enum hk_error hk_hand_target(struct hk_job *job, struct hk_txn *txn, struct hk_device *target);

/* Its deposit, if it is for the asker: HK_UNKNOWN_RUN if there is none. */
HK_CHECK enum hk_error hk_hand_deposit_of(struct hk_job *job, struct hk_txn *txn,
                                          const struct hk_device *target, struct hk_hand *hand);

/* True if these are, in order, the keys that the device has no half of. Errors of the store. */
HK_CHECK enum hk_error hk_hand_is_of_missing(struct hk_txn *txn, const struct hk_device *device,
                                             const struct hk_open_enrolment *hand, bool *same);

/* Stores what is in memory, with the administrator's bundle. */
HK_CHECK enum hk_error hk_hand_store(struct hk_txn *txn, const struct hk_device *device,
                                     const struct hk_open_enrolment *hand, struct hk_bytes bundle);
/* Reads it back: a new one, the caller's to release, and the bundle (HK_STORE_BUNDLE_MAX). HK_NOT_FOUND if
 * none waits under this transcript. */
HK_CHECK enum hk_error hk_hand_load(struct hk_txn *txn, const struct hk_device *device,
                                    const uint8_t transcript[32], struct hk_open_enrolment **hand,
                                    uint8_t *bundle, size_t *bundle_size);

#endif

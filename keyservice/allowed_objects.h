/* allowed_objects.h - which objects the account may have signed, and which profiles may stand.
 *
 * The service co-signs with an account key only what it has parsed and found to be true as far as it knows:
 * records and revocations of the first device and of devices that joined an invitation, and the profile that
 * follows the current one and names nobody and nothing that the store does not have. */
#ifndef HALFKEY_KEYSERVICE_ALLOWED_OBJECTS_H
#define HALFKEY_KEYSERVICE_ALLOWED_OBJECTS_H

#include "keyservice/job.h"

/* Looks at bytes that the job's device (an administrator) wants signed; `record`, if it is one, is copied to
 * *record and *is_record set. HK_NOT_ALLOWED, HK_BAD_ENCODING, HK_CONFLICT. */
HK_CHECK enum hk_error hk_allowed_to_sign(struct hk_job *job, struct hk_txn *txn, const void *message,
                                          size_t size, struct hk_device_record *record, bool *is_record);

/* Holds a decoded profile against the store: next version, this service, devices and keys as they are. */
HK_CHECK enum hk_error hk_allowed_profile(struct hk_job *job, struct hk_txn *txn,
                                          const struct hk_profile *profile);

/* Whether the profile has another recovery set than the current one (*other), and if so whether it may:
 * HK_NEEDS_APPROVAL unless that is a change that is due, or there is no set yet and no other device. */
HK_CHECK enum hk_error hk_allowed_other_set(const struct hk_job *job, struct hk_txn *txn,
                                            const struct hk_profile *profile, bool *other);

#endif

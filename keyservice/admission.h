/* admission.h - who asks, and whether this device may be served at all right now. */
#ifndef HALFKEY_KEYSERVICE_ADMISSION_H
#define HALFKEY_KEYSERVICE_ADMISSION_H

#include "keyservice/job.h"

/* Finds out who asks from the session's static key: job->caller, and the row if it is a device.
 * HK_UNKNOWN_DEVICE. */
HK_CHECK enum hk_error hk_admission_identify(struct hk_job *job, struct hk_txn *txn);

/* Holds a device's decoded request against its row: revoked, suspended, account, epoch and tag, profile,
 * locks, quota, report. On HK_OK the job has entered its device's state. Sets job->is_stale for a tag that is
 * not the current one. HK_NOT_FOUND: the session was closed meanwhile; drop the request unread. */
HK_CHECK enum hk_error hk_admission_check(struct hk_job *job, struct hk_txn *txn);

/* HK_BAD_SIGNATURE if the request brings a report that the device has not signed: one that must not get into
 * the log, where other devices would take it for the service's invention. */
HK_CHECK enum hk_error hk_admission_check_report(const struct hk_job *job);

/* In the writer: whether the device may still be served as it was when it was admitted, and its row now.
 * HK_LOCKED if its epoch has changed since: the request is refused, and not judged. */
HK_CHECK enum hk_error hk_admission_recheck(struct hk_job *job, struct hk_txn *txn);

/* What session tables ask at a handshake. `argument` is the server. */
enum hk_error hk_admission_of_key(void *argument, const uint8_t static_key[32], unsigned *caller);

#endif

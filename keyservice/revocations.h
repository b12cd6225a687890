/* revocations.h - ending devices: by certificate, by printed code, by the certificates that devices show.
 *
 * The mark is written by the writer, with everything behind it in the queue refused; then the device is
 * closed, and when its last operation has been handed over or dropped its connections and sessions are closed
 * too. Only then does anybody hear that it is done. */
#ifndef HALFKEY_KEYSERVICE_REVOCATIONS_H
#define HALFKEY_KEYSERVICE_REVOCATIONS_H

#include "keyservice/job.h"

#define HK_REVOCATIONS_SHOWN_MAX 32 /* in one request; more are looked at with the next one */

/* One device that is being ended, and all that one job ends. */
struct hk_ending {
    struct hk_device_closer closer; /* first */
    struct hk_endings *all;
    uint8_t account[HK_ACCOUNT_BYTES], serial[HK_ID_BYTES];
    bool is_known; /* has a row, found when the mark was written */
    uint8_t static_key[32];
    struct hk_bytes certificate; /* size 0: by its code */
};
struct hk_endings {
    struct hk_job *job;
    void (*then)(struct hk_job *job);
    atomic_uint waiting;
    size_t count;
    struct hk_ending list[HK_REVOCATIONS_SHOWN_MAX];
};

/* Empty, in the job's memory, as its state; NULL without memory. */
struct hk_endings *hk_endings_new(struct hk_job *job) HK_CHECK;
/* In the writer's transaction: the mark. *again: it was revoked before, and nothing was changed. HK_CONFLICT
 * if the serial is a device's of another account. */
HK_CHECK enum hk_error hk_ending_apply(struct hk_ending *ending, struct hk_txn *txn, bool *again);
/* After the commit: closes the devices and calls `then` when nothing of them is under way any more. */
void hk_endings_close(struct hk_endings *endings, void (*then)(struct hk_job *job));

/* True if the request shows a revocation of its account that the service lacks; they are then in
 * job->state. */
bool hk_revocations_shown(struct hk_job *job, struct hk_txn *txn) HK_CHECK;
/* Applies them and dispatches the job again. */
void hk_revocations_apply_shown(struct hk_job *job);

#endif

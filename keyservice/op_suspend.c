/* suspend, resume: an administrator stops another device, and lets it go on. */

#include <string.h>

#include "keyservice/operations.h"

/* In the writer, so that whatever is queued behind it finds the row as it is now. Twice changes nothing. */
static enum hk_error change(struct hk_job *job, struct hk_txn *txn, bool suspended)
{
    struct hk_device device;
    const uint8_t *serial = hk_job_bytes(job, HK_F_DEVICE);
    enum hk_error error = hk_store_get_device(txn, serial, &device);
    if (error == HK_OK && memcmp(device.account, job->device.account, HK_ACCOUNT_BYTES) != 0) {
        error = HK_UNKNOWN_DEVICE; /* another account's: as if there were none */
    }
    if (error == HK_OK && device.state == HK_STATUS_REVOKED) {
        error = HK_CONFLICT; /* not HK_REVOKED: that would be said of who asks */
    }
    bool is_own = memcmp(serial, job->device.serial, HK_ID_BYTES) == 0;
    if (error == HK_OK && device.role == HK_ROLE_ADMIN && is_own) {
        error = HK_NEEDS_APPROVAL; /* nobody might be left to lift it */
    }
    if (error == HK_OK && job->device.state == HK_STATUS_SUSPENDED &&
        (!suspended || device.role != HK_ROLE_ADMIN)) {
        error = HK_NOT_ALLOWED; /* in return, and no more than that */
    }
    if (error != HK_OK) {
        return error;
    }
    job->leaf.has_subject = true;
    memcpy(job->leaf.subject, serial, HK_ID_BYTES);
    job->no_leaf = (device.state == HK_STATUS_SUSPENDED) == suspended;
    return job->no_leaf ? HK_OK : hk_store_set_suspended(txn, serial, suspended);
}

enum hk_error hk_apply_suspend(struct hk_job *job, struct hk_txn *txn)
{
    return change(job, txn, true);
}

enum hk_error hk_apply_resume(struct hk_job *job, struct hk_txn *txn)
{
    return change(job, txn, false);
}

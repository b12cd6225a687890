/* change-ask, change-approve, change-cancel, changes: what one administrator may not do at once. It waits 72
 * hours, is shown on every device, and any administrator cancels it; another one that is not suspended
 * approves it. */

#include <string.h>

#include "keyservice/dispatch.h"
#include "keyservice/operations.h"

static enum hk_change_kind kind_of(const struct hk_job *job)
{
    uint64_t kind = hk_job_number(job, HK_F_KIND);
    return kind <= HK_CHANGE_RECOVERY ? (enum hk_change_kind)kind : (enum hk_change_kind)0;
}

static void describe(struct hk_job *job)
{
    job->leaf.has_subject = true;
    job->leaf.kind = hk_job_number(job, HK_F_KIND);
    memcpy(job->leaf.subject, hk_job_bytes(job, HK_F_DEVICE), HK_ID_BYTES);
}

/* Whether there is anything to wait for: an ordinary device to promote, another administrator to revoke. */
static enum hk_error check_subject(const struct hk_job *job, struct hk_txn *txn, enum hk_change_kind kind)
{
    const uint8_t *serial = hk_job_bytes(job, HK_F_DEVICE);
    bool is_own = memcmp(serial, job->device.serial, HK_ID_BYTES) == 0;
    struct hk_device device;
    if (kind == HK_CHANGE_RECOVERY) {
        return is_own ? HK_OK : HK_NOT_ALLOWED;
    }
    enum hk_error error = hk_store_get_device(txn, serial, &device);
    if (error == HK_OK && memcmp(device.account, job->device.account, HK_ACCOUNT_BYTES) != 0) {
        error = HK_UNKNOWN_DEVICE;
    }
    if (error != HK_OK) {
        return error;
    }
    bool is_admin = device.role == HK_ROLE_ADMIN, lives = device.state != HK_STATUS_REVOKED;
    bool fits = kind == HK_CHANGE_PROMOTE ? !is_admin : kind == HK_CHANGE_REVOKE && is_admin && !is_own;
    return lives && fits ? HK_OK : HK_CONFLICT;
}

enum hk_error hk_apply_change_ask(struct hk_job *job, struct hk_txn *txn)
{
    const uint8_t *account = job->device.account, *subject = hk_job_bytes(job, HK_F_DEVICE);
    struct hk_change change = {.kind = kind_of(job), .asked = hk_now(), .due = hk_now() + HK_CHANGE_SECONDS};
    if ((unsigned)change.kind < HK_CHANGE_PROMOTE) {
        return HK_BAD_ENCODING;
    }
    struct hk_change waiting;
    enum hk_error error = hk_store_get_change(txn, account, change.kind, subject, hk_now(), &waiting);
    if (error == HK_OK) { /* asked twice: nothing becomes later, and nothing sooner */
        job->no_leaf = true;
        hk_message_set_u64(&job->answer, HK_F_EXPIRES, waiting.due > hk_now() ? waiting.due : 0);
        return HK_OK;
    }
    if (error == HK_NOT_FOUND) {
        error = check_subject(job, txn, change.kind);
    }
    memcpy(change.subject, subject, HK_ID_BYTES);
    memcpy(change.asker, job->device.serial, HK_ID_BYTES);
    if (error == HK_OK) {
        error = hk_store_put_change(txn, account, &change);
    }
    describe(job);
    hk_message_set_u64(&job->answer, HK_F_EXPIRES, change.due);
    return error;
}

enum hk_error hk_apply_change_approve(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_change change;
    enum hk_error error = hk_store_get_change(txn, job->device.account, kind_of(job),
                                              hk_job_bytes(job, HK_F_DEVICE), hk_now(), &change);
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? HK_UNKNOWN_RUN : error;
    }
    if (memcmp(change.asker, job->device.serial, HK_ID_BYTES) == 0) {
        return HK_NOT_ALLOWED; /* who asked is one administrator, however often it says so */
    }
    describe(job);
    job->no_leaf = change.due <= hk_now();
    change.due = job->no_leaf ? change.due : hk_now();
    return hk_store_put_change(txn, job->device.account, &change);
}

enum hk_error hk_apply_change_cancel(struct hk_job *job, struct hk_txn *txn)
{
    enum hk_error error =
        hk_store_drop_change(txn, job->device.account, kind_of(job), hk_job_bytes(job, HK_F_DEVICE));
    describe(job);
    job->no_leaf = error == HK_NOT_FOUND;
    return error == HK_NOT_FOUND ? HK_OK : error;
}

#define ROW_MAX 128

enum hk_error hk_prepare_changes(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_change changes[HK_CHANGES];
    size_t count;
    uint8_t *rows = hk_job_memory(job, HK_CHANGES * ROW_MAX);
    enum hk_error error =
        rows != NULL ? hk_store_list_changes(txn, job->device.account, hk_now(), changes, &count) : HK_BUSY;
    if (error != HK_OK) {
        return error;
    }
    hk_message_set_list(&job->answer, HK_F_ROWS, NULL, 0);
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        size_t size;
        error = hk_change_encode(&changes[i], rows + i * ROW_MAX, ROW_MAX, &size);
        if (error == HK_OK) {
            hk_message_append(&job->answer, HK_F_ROWS, rows + i * ROW_MAX, size);
        }
    }
    return error;
}

/* revoke, revoke-by-certificate: the end of a device, by its certificate or its printed code. */

#include <string.h>

#include "keyservice/dispatch.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"
#include "keyservice/revocations.h"
#include "protocol/cose.h"

/* Makes the one ending that the job is about. */
static enum hk_error begin(struct hk_job *job, const uint8_t *account, const uint8_t *serial,
                           struct hk_bytes certificate)
{
    struct hk_endings *endings = hk_endings_new(job);
    if (endings == NULL) {
        return HK_BUSY;
    }
    endings->count = 1;
    endings->list[0].all = endings;
    endings->list[0].certificate = certificate;
    memcpy(endings->list[0].account, account, HK_ACCOUNT_BYTES);
    memcpy(endings->list[0].serial, serial, HK_ID_BYTES);
    memcpy(job->account, account, HK_ACCOUNT_BYTES);
    job->leaf.has_subject = true;
    memcpy(job->leaf.subject, serial, HK_ID_BYTES);
    return HK_OK;
}

enum hk_error hk_prepare_revoke(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_key key;
    struct hk_device device;
    struct hk_revocation revocation;
    const struct hk_value *certificate = hk_job_value(job, HK_F_CERTIFICATE);
    enum hk_error error = hk_pair_account_key(txn, job->device.account, &key);
    if (error == HK_OK) {
        error = hk_revocation_open(&revocation, certificate->data, certificate->size, key.public_key);
    }
    if (error != HK_OK) {
        return error;
    }
    error = hk_store_get_device(txn, revocation.serial, &device);
    if (error == HK_OK && device.role == HK_ROLE_ADMIN && device.state != HK_STATUS_REVOKED) {
        /* an administrator's end is slow, or by its own certificate or code */
        enum hk_error due =
            hk_store_change_is_due(txn, job->device.account, HK_CHANGE_REVOKE, device.serial, hk_now());
        if (due != HK_OK) {
            return due;
        }
    }
    return error == HK_OK || error == HK_UNKNOWN_DEVICE
               ? begin(job, job->device.account, revocation.serial,
                       HK_BYTES(certificate->data, certificate->size))
               : error;
}

enum hk_error hk_apply_revoke(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_endings *endings = job->state;
    struct hk_device device;
    const uint8_t *serial = endings->list[0].serial;
    enum hk_error error = job->has_device ? hk_store_get_device(txn, serial, &device) : HK_UNKNOWN_DEVICE;
    if (error == HK_OK && device.role == HK_ROLE_ADMIN && device.state != HK_STATUS_REVOKED) {
        error = hk_store_change_is_due(txn, job->account, HK_CHANGE_REVOKE, serial, hk_now());
        if (error != HK_OK) {
            return error; /* cancelled since */
        }
    }
    return hk_ending_apply(&endings->list[0], txn, &job->no_leaf);
}

static void answer(struct hk_job *job)
{
    hk_job_answer(job, HK_OK);
}

bool hk_finish_revoke(struct hk_job *job)
{
    hk_endings_close(job->state, answer);
    return true;
}

/* One error for all that a stranger may get wrong: it learns nothing of accounts and devices. */
static enum hk_error find_by_certificate(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_cose cose;
    struct hk_key key;
    struct hk_revocation revocation;
    const struct hk_value *certificate = hk_job_value(job, HK_F_CERTIFICATE);
    enum hk_error error = hk_cose_parse(&cose, certificate->data, certificate->size);
    if (error != HK_OK) {
        return HK_BAD_ENCODING;
    }
    error = hk_pair_account_key(txn, cose.account, &key);
    if (error == HK_OK) {
        error = hk_revocation_open(&revocation, certificate->data, certificate->size, key.public_key);
    }
    if (error != HK_OK) {
        return error == HK_INTERNAL || error == HK_BUSY ? error : HK_UNKNOWN_DEVICE;
    }
    return begin(job, revocation.account, revocation.serial, HK_BYTES(certificate->data, certificate->size));
}

enum hk_error hk_prepare_revoke_by_certificate(struct hk_job *job, struct hk_txn *txn)
{
    enum hk_error error = hk_policy_spend(job->server->policy, &job->peer, HK_COST_REVOKE);
    bool by_certificate = hk_message_has(&job->message, HK_F_CERTIFICATE);
    if (error == HK_OK && by_certificate == hk_message_has(&job->message, HK_F_CODE)) {
        error = HK_BAD_ENCODING; /* one of the two */
    }
    if (error != HK_OK || by_certificate) {
        return error != HK_OK ? error : find_by_certificate(job, txn);
    }
    uint8_t hash[32];
    struct hk_device device;
    hk_code_hash(hash, hk_job_bytes(job, HK_F_CODE));
    error = hk_store_get_device_by_code(txn, hash, &device);
    return error == HK_OK ? begin(job, device.account, device.serial, HK_BYTES(NULL, 0)) : error;
}

enum hk_error hk_apply_revoke_by_certificate(struct hk_job *job, struct hk_txn *txn)
{
    return hk_apply_revoke(job, txn);
}

bool hk_finish_revoke_by_certificate(struct hk_job *job)
{
    return hk_finish_revoke(job);
}

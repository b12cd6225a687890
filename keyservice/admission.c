#include "keyservice/admission.h"

#include <string.h>

#include "keyservice/dispatch.h"

enum hk_error hk_admission_of_key(void *argument, const uint8_t static_key[32], unsigned *caller)
{
    struct hk_server *server = argument;
    struct hk_txn *txn;
    struct hk_device device;
    enum hk_error error = hk_store_read_begin(server->store, &txn);
    if (error != HK_OK) {
        return error;
    }
    error = hk_store_get_device_by_key(txn, static_key, &device);
    hk_store_read_end(txn);
    if (error == HK_OK) { /* a revoked one too: it is told so inside its session, where that is authentic */
        *caller = device.role == HK_ROLE_ADMIN ? HK_ADMIN : HK_DEVICE;
        return HK_OK;
    }
    struct hk_open_enrolment *enrolment = hk_enrolments_by_key(server->enrolments, static_key, hk_now());
    if (error == HK_UNKNOWN_DEVICE && enrolment != NULL) {
        *caller = HK_ENROLLING;
        error = HK_OK;
    }
    hk_enrolment_release(enrolment);
    return error;
}

/* The answer to enrol-confirm may have been lost: the device asks on as the one that is being enrolled, as
 * long as it has not used its first epoch. */
static bool asks_as_enrolling(const struct hk_job *job)
{
    uint64_t op = hk_job_number(job, HK_F_OP);
    return (op == HK_OP_ENROL_CONFIRM || op == HK_OP_ENROL_STATUS) && job->device.epoch == 1 &&
           job->device.uses == 0;
}

/* The device's row, from memory or from the store. */
static enum hk_error find_device(struct hk_job *job, struct hk_txn *txn)
{
    if (job->pair != NULL) {
        job->device = job->pair->device;
        return HK_OK;
    }
    return hk_store_get_device_by_key(txn, job->session->remote_static, &job->device);
}

enum hk_error hk_admission_identify(struct hk_job *job, struct hk_txn *txn)
{
    if (!job->session->has_remote_static) {
        job->caller = HK_STRANGER;
        return HK_OK;
    }
    const uint8_t *key = job->session->remote_static;
    enum hk_error error = find_device(job, txn);
    if (error == HK_OK) {
        job->has_device = true;
        job->caller = asks_as_enrolling(job)              ? HK_ENROLLING
                      : job->device.role == HK_ROLE_ADMIN ? HK_ADMIN
                                                          : HK_DEVICE;
        memcpy(job->account, job->device.account, HK_ACCOUNT_BYTES);
        return HK_OK;
    }
    struct hk_open_enrolment *enrolment = hk_enrolments_by_key(job->server->enrolments, key, hk_now());
    if (error == HK_UNKNOWN_DEVICE && enrolment != NULL) {
        job->caller = HK_ENROLLING;
        error = HK_OK;
    }
    hk_enrolment_release(enrolment);
    return error;
}

static enum hk_error check_epoch(struct hk_job *job)
{
    uint64_t epoch = hk_job_number(job, HK_F_EPOCH);
    if (epoch > job->device.epoch) {
        return HK_ROLLED_BACK;
    }
    bool current = hk_store_tag_is(&job->device, hk_job_bytes(job, HK_F_TAG));
    if (epoch != job->device.epoch || !current) {
        job->is_stale = true;
        return HK_STALE_EPOCH;
    }
    return HK_OK;
}

static enum hk_error check_profile(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_account account;
    if ((job->operation->flags & HK_OPERATION_UNPROFILED) != 0 || job->pair != NULL) {
        return HK_OK;
    }
    enum hk_error error = hk_store_get_account(txn, job->device.account, &account);
    if (error == HK_OK && account.profile_version == 0) {
        error = HK_NOT_ALLOWED;
    }
    return error;
}

enum hk_error hk_admission_check_report(const struct hk_job *job)
{
    const uint8_t *report = hk_job_bytes(job, HK_F_REPORT);
    if (report == NULL) {
        return HK_OK;
    }
    struct hk_log_head head;
    hk_head_decode(&head, report);
    return hk_head_verify(HK_HEAD_REPORT, job->device.account, &head, report + HK_HEAD_BYTES,
                          job->device.report_key);
}

static enum hk_error check_locks(const struct hk_job *job)
{
    bool stops = (job->operation->flags & HK_OPERATION_STOPS_REFRESH) != 0;
    bool locked = stops && (job->device.pending_epoch != 0 ||
                            hk_enrolments_are_open(job->server->enrolments, job->device.account, hk_now()));
    return locked ? HK_LOCKED : HK_OK;
}

/* A suspended administrator can cancel, and suspend in return, and nothing else: a thief who suspends first
 * has won nothing. */
static bool may_while_suspended(const struct hk_job *job)
{
    return (job->operation->flags & HK_OPERATION_SUSPENDED) != 0 && job->device.role == HK_ROLE_ADMIN;
}

enum hk_error hk_admission_check(struct hk_job *job, struct hk_txn *txn)
{
    if (hk_session_is_over(job->session)) { /* closed by a refresh or a revocation before the row was read */
        return HK_NOT_FOUND;
    }
    if (job->device.state == HK_STATUS_REVOKED) {
        return HK_REVOKED;
    }
    if (job->device.state == HK_STATUS_SUSPENDED && !may_while_suspended(job)) {
        return HK_SUSPENDED;
    }
    const uint8_t *account = hk_job_bytes(job, HK_F_ACCOUNT);
    if (account != NULL && memcmp(account, job->device.account, HK_ACCOUNT_BYTES) != 0) {
        return HK_UNKNOWN_DEVICE;
    }
    enum hk_error error = HK_OK;
    bool own_epoch = (job->operation->flags & HK_OPERATION_OWN_EPOCH) != 0;
    if (job->caller != HK_ENROLLING && !own_epoch) {
        error = check_epoch(job);
    }
    if (error == HK_OK && job->caller != HK_ENROLLING) {
        error = check_profile(job, txn);
    }
    if (error == HK_OK) {
        error = check_locks(job);
    }
    if (error == HK_OK) {
        uint64_t units = job->row->op == HK_OP_AGREE ? hk_job_value(job, HK_F_POINTS)->count : 1;
        error = hk_device_spend(job->server->devices, job->device.serial, units,
                                hk_policy_quota(job->server->policy));
    }
    if (error == HK_OK) {
        error = hk_admission_check_report(job);
    }
    if (error == HK_OK) {
        error = hk_device_enter(job->server->devices, job->device.serial);
        job->entered = error == HK_OK;
    }
    return error;
}

enum hk_error hk_admission_recheck(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_device now;
    enum hk_error error = hk_store_get_device(txn, job->device.serial, &now);
    if (error != HK_OK) {
        return error;
    }
    bool stopped = now.state == HK_STATUS_SUSPENDED && !may_while_suspended(job);
    if (stopped || now.state == HK_STATUS_REVOKED) {
        return now.state == HK_STATUS_REVOKED ? HK_REVOKED : HK_SUSPENDED;
    }
    bool same = now.epoch == job->device.epoch && memcmp(now.tag_hash, job->device.tag_hash, 32) == 0;
    if (!same && (job->operation->flags & HK_OPERATION_OWN_EPOCH) == 0) {
        return HK_LOCKED;
    }
    job->device = now;
    return HK_OK;
}

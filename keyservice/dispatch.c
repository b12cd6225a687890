#include "keyservice/dispatch.h"

#include <string.h>
#include <time.h>

#include "keyservice/admission.h"
#include "keyservice/console.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"
#include "keyservice/revocations.h"
#include "keyservice/suspensions.h"
#include "protocol/seam.h"

#define FORK_SECONDS 60 /* between two lines about a log that is another */

#define FUNCTION_HAS(function) function
#define FUNCTION_NOT(function) NULL
static const struct hk_operation operations[] = {
#define ROW(op, name, has_prepare, has_apply, has_finish, flags)                                             \
    {op, (flags), FUNCTION_##has_prepare(hk_prepare_##name), FUNCTION_##has_apply(hk_apply_##name),          \
     FUNCTION_##has_finish(hk_finish_##name)},
    HK_OPERATIONS(ROW)
#undef ROW
};

const struct hk_operation *hk_operation_row(uint64_t op)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        if ((uint64_t)operations[i].op == op) {
            return &operations[i];
        }
    }
    return NULL;
}

uint64_t hk_now(void)
{
    return (uint64_t)time(NULL);
}

/* ---- the writer's side ---- */

static enum hk_error append_leaf(struct hk_job *job, struct hk_txn *txn, enum hk_error outcome,
                                 uint64_t count)
{
    job->leaf.time = hk_now();
    job->leaf.outcome = (uint64_t)hk_wire_error(outcome);
    job->leaf.count = count;
    return hk_log_append_leaf(txn, job->account, &job->leaf);
}

/* A device's refusal is seen in its account's log, but a flood of them cannot fill it. */
static enum hk_error append_refusal(struct hk_job *job, struct hk_txn *txn, enum hk_error outcome)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    enum hk_error error = HK_OK;
    if (job->is_stale) {
        error = hk_suspension_of_copy(txn, job->device.serial, job->leaf.digest);
    }
    uint64_t count = hk_refusals_count(job->server->refusals, job->device.serial, (uint64_t)now.tv_sec);
    if (error == HK_OK && count != 0) {
        error = append_leaf(job, txn, outcome, count);
    }
    return error;
}

/* A device's report of a head that this log never had: it is kept as every report is, and the operator hears
 * of it, since what a database that was put back has lost nobody but a device can know. */
static enum hk_error hold_report(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_log_head head;
    hk_head_decode(&head, job->leaf.report);
    enum hk_error error = hk_log_holds(txn, job->account, &head);
    uint64_t now = hk_now();
    if (error == HK_LOG_FORKED && now - job->server->fork_told < FORK_SECONDS) {
        return HK_OK;
    }
    if (error == HK_LOG_FORKED) {
        job->server->fork_told = now;
        hk_console(HK_LEVEL_ERROR, "log-not-what-a-device-saw",
                   " generation=%llu size=%llu advice=\"was a copy of the database put back? then stop "
                   "halfkeyd, run "
                   "'halfkeyd adopt-restore --force', start it: devices ask their users and go on\"",
                   (unsigned long long)head.generation, (unsigned long long)head.size);
        return HK_OK;
    }
    return error;
}

/* A share operation that is released: nothing is written before the last refusal, and what fails then fails
 * the batch. */
static bool is_plain_use(const struct hk_job *job)
{
    return job->refusal == HK_OK && job->has_device && job->state == NULL && !job->no_leaf &&
           !job->leaf.has_report && (job->operation->flags & HK_OPERATION_USE) != 0;
}

static enum hk_error apply_use(struct hk_entry *entry, struct hk_txn *txn)
{
    struct hk_job *job = (struct hk_job *)entry;
    enum hk_error error = hk_admission_recheck(job, txn);
    if (error != HK_OK) {
        return error;
    }
    error = hk_store_count_use(txn, job->device.serial, job->leaf.count, hk_now());
    if (error == HK_OK) {
        error = append_leaf(job, txn, HK_OK, job->leaf.count);
    }
    HK_SEAM("service/before-commit");
    return error == HK_OK ? HK_OK : HK_INTERNAL;
}

static enum hk_error entry_apply(struct hk_entry *entry, struct hk_txn *txn)
{
    struct hk_job *job = (struct hk_job *)entry;
    if (job->refusal != HK_OK) {
        return append_refusal(job, txn, job->refusal);
    }
    enum hk_error error = job->has_device ? hk_admission_recheck(job, txn) : HK_OK;
    if (error == HK_OK && job->operation->apply != NULL) {
        error = job->operation->apply(job, txn);
    }
    if (error == HK_OK && job->has_device && (job->operation->flags & HK_OPERATION_USE) != 0) {
        error = hk_store_count_use(txn, job->device.serial, job->leaf.count, hk_now());
    }
    bool leaf = ((job->operation->flags & HK_OPERATION_LEAF) != 0 && !job->no_leaf) || job->leaf.has_report;
    if (error == HK_OK && leaf && job->leaf.has_report) {
        error = hold_report(job, txn);
    }
    if (error == HK_OK && leaf) {
        error = append_leaf(job, txn, HK_OK, job->leaf.count);
    }
    HK_SEAM("service/before-commit");
    return error;
}

static enum hk_error entry_refused(struct hk_entry *entry, struct hk_txn *txn, enum hk_error error)
{
    struct hk_job *job = (struct hk_job *)entry;
    return job->has_device ? append_refusal(job, txn, error) : HK_OK;
}

static void entry_done(struct hk_entry *entry, enum hk_error outcome)
{
    struct hk_job *job = (struct hk_job *)entry;
    HK_SEAM("service/after-commit");
    if (job->refusal != HK_OK) {
        outcome = job->refusal;
    }
    if (outcome == HK_OK && job->operation->finish != NULL && job->operation->finish(job)) {
        return;
    }
    hk_job_answer(job, outcome);
}

static void submit(struct hk_job *job)
{
    job->entry.is_use = is_plain_use(job);
    job->entry.apply = job->entry.is_use ? apply_use : entry_apply;
    job->entry.refused = entry_refused;
    job->entry.done = entry_done;
    enum hk_error error = hk_writer_submit(job->server->writer, &job->entry);
    if (error != HK_OK) {
        hk_job_answer(job, error);
    }
}

/* ---- the transport's side ---- */

/* What the leaf says of the request, whatever becomes of it. */
static void describe(struct hk_job *job)
{
    struct hk_leaf *leaf = &job->leaf;
    leaf->has_who = job->has_device;
    memcpy(leaf->who, job->device.serial, HK_ID_BYTES);
    leaf->op = job->row != NULL ? (uint64_t)job->row->op : hk_job_number(job, HK_F_OP);
    const uint8_t *key = hk_job_bytes(job, HK_F_KEY), *report = hk_job_bytes(job, HK_F_REPORT);
    const uint8_t *id = hk_job_bytes(job, HK_F_REQUEST);
    if (key != NULL) {
        leaf->has_key = true;
        memcpy(leaf->key, key, HK_ID_BYTES);
    }
    if (report != NULL) {
        leaf->has_report = true;
        memcpy(leaf->report, report, HK_REPORT_BYTES);
    }
    leaf->count = leaf->op == HK_OP_AGREE ? hk_job_value(job, HK_F_POINTS)->count : 1;
    if (id != NULL) {
        hk_request_digest(leaf->digest, id, job->request, job->request_size);
    }
}

/* A refusal before anything was done: a device's goes into its log, a stranger's costs us nothing. */
static void refuse(struct hk_job *job, enum hk_error error)
{
    if (error == HK_NOT_FOUND && hk_session_is_over(job->session)) {
        hk_job_drop(job);
        return;
    }
    if (!job->has_device) {
        hk_job_answer(job, error);
        return;
    }
    job->leaf.has_report = job->leaf.has_report && hk_admission_check_report(job) == HK_OK;
    job->refusal = error;
    submit(job);
}

static enum hk_error prepare(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_server *server = job->server;
    if (job->caller == HK_STRANGER) {
        enum hk_error error = hk_policy_spend(server->policy, &job->peer, HK_COST_REQUEST);
        if (error != HK_OK) {
            return error;
        }
    }
    if (job->has_device) {
        enum hk_error error = hk_admission_check(job, txn);
        if (error != HK_OK) {
            return error;
        }
    }
    return job->operation->prepare != NULL ? job->operation->prepare(job, txn) : HK_OK;
}

/* The request up to the point at which it is known who asks what. `error`: of decoding it. */
static enum hk_error read_request(struct hk_job *job, struct hk_txn *txn, enum hk_error error)
{
    enum hk_error who = hk_admission_identify(job, txn);
    if (who == HK_OK && error == HK_OK) {
        job->operation = hk_operation_row(hk_job_number(job, HK_F_OP));
        error = hk_message_check_request(&job->message, job->caller, &job->row);
    }
    if (who == HK_OK) {
        describe(job);
    }
    if (job->has_device && job->device.state == HK_STATUS_REVOKED) {
        return HK_REVOKED; /* before anything is said of the request itself */
    }
    return who != HK_OK ? who : error;
}

/* After prepare: to the writer, or straight to the answer. */
static void go_on(struct hk_job *job)
{
    enum hk_error error;
    if (job->operation->apply == NULL && (job->operation->flags & HK_OPERATION_LEAF) == 0 &&
        !job->leaf.has_report) {
        hk_job_answer(job, HK_OK);
        return;
    }
    if ((job->operation->flags & HK_OPERATION_EARLY) != 0 && (error = hk_job_seal(job, HK_OK)) != HK_OK) {
        refuse(job, error);
        return;
    }
    submit(job);
}

/* A share operation whose pair is in memory needs nothing of the store until the writer has it. */
static bool dispatch_from_memory(struct hk_job *job)
{
    struct hk_pair pair;
    HK_WIPE_AT_EXIT(pair);
    if (!hk_pair_find(job, &pair)) {
        return false;
    }
    job->pair = &pair;
    enum hk_error error = read_request(job, NULL, HK_OK);
    if (error == HK_OK) {
        error = prepare(job, NULL);
    }
    job->pair = NULL;
    if (error != HK_OK) {
        refuse(job, error);
    } else {
        go_on(job);
    }
    return true;
}

void hk_dispatch(struct hk_job *job)
{
    struct hk_txn *txn;
    enum hk_error decoded = hk_message_decode(&job->message, job->request, job->request_size);
    if (decoded != HK_OK) {
        hk_message_init(&job->message);
    } else if (!job->server->quarantined && dispatch_from_memory(job)) {
        return;
    }
    job->mark = hk_store_pair_mark(job->server->store);
    enum hk_error error =
        job->server->quarantined ? HK_QUARANTINE : hk_store_read_begin(job->server->store, &txn);
    if (error != HK_OK) { /* a refusal in quarantine names the request, if it can be read */
        hk_job_answer(job, error == HK_QUARANTINE && decoded != HK_OK ? HK_BAD_ENCODING : error);
        return;
    }
    error = read_request(job, txn, decoded);
    if (error == HK_OK && hk_revocations_shown(job, txn)) {
        hk_store_read_end(txn); /* applied first; then the request comes here again */
        hk_revocations_apply_shown(job);
        return;
    }
    if (error == HK_OK) {
        error = prepare(job, txn);
    }
    hk_store_read_end(txn);
    if (error != HK_OK) {
        refuse(job, error);
    } else {
        go_on(job);
    }
}

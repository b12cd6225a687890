#include "keyservice/revocations.h"

#include <string.h>

#include "keyservice/dispatch.h"
#include "keyservice/pairs.h"
#include "protocol/seam.h"

struct hk_endings *hk_endings_new(struct hk_job *job)
{
    struct hk_endings *endings = hk_job_memory(job, sizeof(*endings));
    if (endings != NULL) {
        endings->job = job;
        job->state = endings;
    }
    return endings;
}

enum hk_error hk_ending_apply(struct hk_ending *ending, struct hk_txn *txn, bool *again)
{
    struct hk_device device;
    struct hk_server *server = ending->all->job->server;
    enum hk_error error = hk_store_get_device(txn, ending->serial, &device);
    if (error != HK_OK && error != HK_UNKNOWN_DEVICE) {
        return error;
    }
    ending->is_known = error == HK_OK;
    if (ending->is_known) {
        if (memcmp(device.account, ending->account, HK_ACCOUNT_BYTES) != 0) {
            return HK_CONFLICT;
        }
        memcpy(ending->static_key, device.static_key, 32);
    }
    error = hk_store_is_revoked(txn, ending->serial, again);
    if (error == HK_OK && !*again) {
        error = hk_store_revoke_device(txn, ending->account, ending->serial, ending->certificate.data,
                                       ending->certificate.size, hk_now());
    }
    if (error == HK_OK) { /* what it had begun ends too; whoever comes behind in the queue finds it so */
        hk_invitations_end_of(server->invitations, ending->serial);
        hk_enrolments_end_of(server->enrolments, ending->serial);
        hk_enrolments_end_of(server->hands, ending->serial);
    }
    return error;
}

static void one_less(struct hk_endings *endings)
{
    if (atomic_fetch_sub(&endings->waiting, 1) == 1) {
        HK_SEAM("service/revoked");
        endings->then(endings->job);
    }
}

/* Nothing of the device is between admission and hand-over any more: what is queued below us dies too. */
static void when_empty(struct hk_device_closer *closer)
{
    struct hk_ending *ending = (struct hk_ending *)closer;
    struct hk_server *server = ending->all->job->server;
    if (ending->is_known) {
        hk_listener_close_marked(server->listener, ending->static_key);
        (void)hk_session_table_close_device(server->sessions, ending->static_key, NULL);
        hk_ecdsa_slots_drop(server->ecdsa_slots, ending->serial);
    }
    one_less(ending->all);
}

void hk_endings_close(struct hk_endings *endings, void (*then)(struct hk_job *job))
{
    size_t count = endings->count;
    struct hk_server *server = endings->job->server;
    endings->then = then;
    atomic_store(&endings->waiting, (unsigned)count + 1);
    for (size_t i = 0; i < count; i++) {
        struct hk_ending *ending = &endings->list[i];
        ending->closer.then = when_empty;
        if (hk_device_close(server->devices, ending->serial, &ending->closer) != HK_OK) {
            when_empty(&ending->closer); /* its row is marked: nothing of it is admitted any more */
        }
    }
    one_less(endings); /* may free the job */
}

bool hk_revocations_shown(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_key key;
    const struct hk_value *shown = hk_job_value(job, HK_F_REVOCATIONS);
    if (job->shown || !job->has_device || !hk_message_has(&job->message, HK_F_REVOCATIONS) ||
        hk_pair_account_key(txn, job->device.account, &key) != HK_OK) {
        return false;
    }
    struct hk_endings *endings = hk_endings_new(job);
    for (size_t i = 0; endings != NULL && i < shown->count && endings->count < HK_REVOCATIONS_SHOWN_MAX;
         i++) {
        struct hk_revocation revocation;
        bool known = true;
        struct hk_bytes object = shown->items[i];
        if (hk_revocation_open(&revocation, object.data, object.size, key.public_key) == HK_OK &&
            hk_store_is_revoked(txn, revocation.serial, &known) == HK_OK && !known) {
            struct hk_ending *ending = &endings->list[endings->count++];
            ending->all = endings;
            ending->certificate = object;
            memcpy(ending->account, job->device.account, HK_ACCOUNT_BYTES);
            memcpy(ending->serial, revocation.serial, HK_ID_BYTES);
        }
    }
    return endings != NULL && endings->count != 0;
}

static enum hk_error shown_apply(struct hk_entry *entry, struct hk_txn *txn)
{
    struct hk_job *job = (struct hk_job *)entry;
    struct hk_endings *endings = job->state;
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < endings->count && error == HK_OK; i++) {
        bool again;
        struct hk_leaf leaf = {
            .has_who = true, .op = HK_OP_REVOKE, .count = 1, .time = hk_now(), .has_subject = true};
        memcpy(leaf.who, job->device.serial, HK_ID_BYTES);
        memcpy(leaf.subject, endings->list[i].serial, HK_ID_BYTES);
        memcpy(leaf.digest, job->leaf.digest, sizeof(leaf.digest));
        error = hk_ending_apply(&endings->list[i], txn, &again);
        if (error == HK_OK && !again) {
            error = hk_log_append_leaf(txn, job->account, &leaf);
        }
    }
    return error;
}

/* The request comes anew, as if it had just been opened; and finds itself refused if it showed its own end.
 */
static void dispatch_again(struct hk_job *job)
{
    job->shown = true;
    job->state = NULL;
    job->has_device = false;
    memset(&job->leaf, 0, sizeof(job->leaf));
    hk_message_init(&job->message);
    hk_dispatch(job);
}

static void shown_done(struct hk_entry *entry, enum hk_error outcome)
{
    struct hk_job *job = (struct hk_job *)entry;
    if (outcome != HK_OK) {
        hk_job_answer(job, outcome);
        return;
    }
    hk_endings_close(job->state, dispatch_again);
}

void hk_revocations_apply_shown(struct hk_job *job)
{
    job->entry.apply = shown_apply;
    job->entry.refused = NULL;
    job->entry.done = shown_done;
    enum hk_error error = hk_writer_submit(job->server->writer, &job->entry);
    if (error != HK_OK) {
        hk_job_answer(job, error);
    }
}

/* enrol-fetch, enrol-confirm, enrol-status: the new device gets its part and proves that it has it. */

#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "crypto/suite.h"
#include "keyservice/dispatch.h"
#include "keyservice/enrolment_keys.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"

enum hk_error hk_prepare_enrol_fetch(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    struct hk_open_enrolment *enrolment =
        hk_enrolments_by_key(job->server->enrolments, job->session->remote_static, hk_now());
    size_t count = enrolment != NULL ? enrolment->count : 0;
    uint8_t *ids = hk_job_memory(job, count * (HK_ID_BYTES + HK_SCALAR_BYTES_MAX) + 1);
    enum hk_error error = enrolment == NULL ? HK_UNKNOWN_RUN : ids == NULL ? HK_BUSY : HK_OK;
    if (error == HK_OK) {
        error = hk_enrolment_put_commitments(job, enrolment);
    }
    if (error != HK_OK) {
        hk_enrolment_release(enrolment);
        return error;
    }
    uint8_t *shares = ids + count * HK_ID_BYTES; /* wiped with the job */
    hk_message_set_list(&job->answer, HK_F_SUBSHARES, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        const struct hk_enrolment_key *key = &enrolment->key[i];
        uint8_t *share = shares + i * HK_SCALAR_BYTES_MAX;
        memcpy(ids + i * HK_ID_BYTES, key->id, HK_ID_BYTES);
        memcpy(share, key->share.bytes, HK_SCALAR_BYTES_MAX);
        hk_message_append(&job->answer, HK_F_SUBSHARES, share, hk_suite_scalar_bytes(key->suite));
    }
    hk_enrolment_release(enrolment);
    hk_message_set_array(&job->answer, HK_F_KEYS, ids, HK_ID_BYTES, count);
    hk_message_set_bytes(&job->answer, HK_F_IDENTITY, job->server->keys->identity_public, 32);
    return HK_OK;
}

static void enrolment_free(void *state)
{
    hk_enrolment_release(state);
}

enum hk_error hk_prepare_enrol_confirm(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    const uint8_t *transcript = hk_job_bytes(job, HK_F_TRANSCRIPT);
    if (job->has_device) { /* done before; its answer was lost */
        bool same = hk_equal(transcript, job->device.enrolment, 32);
        return same ? HK_OK : HK_CONFLICT;
    }
    struct hk_open_enrolment *enrolment =
        hk_enrolments_by_key(job->server->enrolments, job->session->remote_static, hk_now());
    if (enrolment == NULL) {
        return HK_UNKNOWN_RUN;
    }
    job->state = enrolment;
    job->state_free = enrolment_free;
    const struct hk_value *proofs = hk_job_value(job, HK_F_PROOFS);
    bool fits = proofs->count == enrolment->count && hk_equal(transcript, enrolment->transcript, 32);
    enum hk_error error = fits ? HK_OK : HK_BAD_PROOF;
    for (size_t i = 0; i < enrolment->count && error == HK_OK; i++) {
        bool is_proof = proofs->items[i].size == hk_suite_proof_bytes(enrolment->key[i].suite);
        error = is_proof ? hk_enrolment_check(enrolment, i, proofs->items[i].data) : HK_BAD_PROOF;
    }
    memcpy(job->account, enrolment->record.account, HK_ACCOUNT_BYTES);
    job->leaf.has_subject = true;
    job->leaf.count = enrolment->count;
    memcpy(job->leaf.subject, enrolment->record.serial, HK_ID_BYTES);
    return error;
}

/* That nothing the enrolment rests on has changed: the administrator, its epoch, the account's keys. */
static enum hk_error check_basis(struct hk_job *job, struct hk_txn *txn,
                                 const struct hk_open_enrolment *enrolment)
{
    struct hk_device admin;
    struct hk_key *keys;
    size_t count, others = 0;
    (void)job;
    enum hk_error error = hk_store_get_device(txn, enrolment->admin, &admin);
    if (error != HK_OK ||
        (error = hk_pair_list_keys(txn, enrolment->record.account, &keys, &count)) != HK_OK) {
        return error;
    }
    bool same = !atomic_load(&enrolment->voided) && enrolment->expires > hk_now() &&
                admin.state == HK_STATUS_ACTIVE && admin.epoch == enrolment->admin_epoch &&
                admin.pending_epoch == 0;
    for (size_t i = 0; i < count && same; i++) {
        if (keys[i].purpose != HK_PURPOSE_ACCOUNT) {
            same =
                others < enrolment->count && memcmp(keys[i].id, enrolment->key[others].id, HK_ID_BYTES) == 0;
            others++;
        }
    }
    free(keys);
    return same && others == enrolment->count ? HK_OK : HK_UNKNOWN_RUN;
}

static enum hk_error add_device(struct hk_txn *txn, const struct hk_open_enrolment *enrolment,
                                const uint8_t *tag)
{
    const struct hk_device_record *record = &enrolment->record;
    struct hk_device device = {
        .role = record->role, .state = HK_STATUS_ACTIVE, .created = hk_now(), .epoch = 1, .slot = -1};
    memcpy(device.serial, record->serial, HK_ID_BYTES);
    memcpy(device.account, record->account, HK_ACCOUNT_BYTES);
    memcpy(device.static_key, record->static_key, 32);
    memcpy(device.report_key, record->report_key, 32);
    memcpy(device.code_hash, record->code_hash, 32);
    memcpy(device.enrolment, enrolment->transcript, 32);
    memcpy(device.name, record->name, sizeof(device.name));
    struct hk_half *halves = hk_secret_new((enrolment->count + 1) * sizeof(*halves));
    if (halves == NULL) {
        return HK_BUSY;
    }
    for (size_t i = 0; i < enrolment->count; i++) {
        memcpy(halves[i].key, enrolment->key[i].id, HK_ID_BYTES);
        memcpy(&halves[i].half, &enrolment->key[i].half, sizeof(halves[i].half));
    }
    enum hk_error error = hk_store_add_device(txn, &device, tag, halves, enrolment->count);
    hk_secret_free(halves);
    return error;
}

/* The first epoch and its tag, into the answer. */
static enum hk_error put_epoch(struct hk_job *job, struct hk_txn *txn, const struct hk_device *device)
{
    uint8_t tag[HK_TAG_BYTES];
    HK_WIPE_AT_EXIT(tag);
    enum hk_error error = hk_store_get_tag(txn, device, tag);
    if (error == HK_OK) {
        error = hk_job_put(job, HK_F_TAG, tag, sizeof(tag));
        hk_message_set_u64(&job->answer, HK_F_EPOCH, device->epoch);
    }
    return error;
}

enum hk_error hk_apply_enrol_confirm(struct hk_job *job, struct hk_txn *txn)
{
    if (job->has_device) {
        job->no_leaf = true;
        return put_epoch(job, txn, &job->device);
    }
    struct hk_open_enrolment *enrolment = job->state;
    const uint8_t *serial = enrolment->record.serial, *account = enrolment->record.account;
    uint8_t tag[HK_TAG_BYTES];
    HK_WIPE_AT_EXIT(tag);
    hk_random(tag, sizeof(tag));
    enum hk_error error = check_basis(job, txn, enrolment);
    if (error == HK_OK) {
        error = add_device(txn, enrolment, tag);
    }
    if (error == HK_OK) {
        error = hk_store_put_record(txn, account, serial, enrolment->signed_record, enrolment->record_size);
    }
    if (error == HK_OK) {
        error = hk_store_put_certificate(txn, account, serial, enrolment->certificate,
                                         enrolment->certificate_size);
    }
    if (error == HK_OK) {
        error = hk_store_set_must_refresh(txn, enrolment->admin, true);
    }
    if (error == HK_OK) {
        error = hk_job_put(job, HK_F_TAG, tag, sizeof(tag));
        hk_message_set_u64(&job->answer, HK_F_EPOCH, 1);
    }
    return error;
}

bool hk_finish_enrol_confirm(struct hk_job *job)
{
    struct hk_open_enrolment *enrolment = job->state;
    if (enrolment != NULL) {
        hk_invitation_end(job->server->invitations, enrolment->record.account, enrolment->record.gate_hash);
        hk_enrolments_end(job->server->enrolments, enrolment);
    }
    return false;
}

/* Through the writer, so that it is in order with a confirm that is under way: after `unknown` none is taken
 * any more. */
enum hk_error hk_apply_enrol_status(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_device device;
    const uint8_t *account = hk_job_bytes(job, HK_F_ACCOUNT),
                  *transcript = hk_job_bytes(job, HK_F_TRANSCRIPT);
    enum hk_error error = hk_store_get_device_by_enrolment(txn, account, transcript, &device);
    if (error == HK_UNKNOWN_DEVICE) {
        struct hk_open_enrolment *enrolment =
            hk_enrolments_by_transcript(job->server->enrolments, account, transcript, hk_now());
        if (enrolment != NULL) {
            hk_enrolments_end(job->server->enrolments, enrolment);
            hk_enrolment_release(enrolment);
        }
        return HK_UNKNOWN_RUN;
    }
    if (error != HK_OK || job->caller == HK_STRANGER) {
        return error;
    }
    bool own = job->has_device && memcmp(device.serial, job->device.serial, HK_ID_BYTES) == 0;
    return own ? put_epoch(job, txn, &device) : HK_UNKNOWN_RUN;
}

/* enrol: the administrator's part for a new device comes in, the service's part is made. */

#include <stdlib.h>
#include <string.h>

#include "keyservice/dispatch.h"
#include "keyservice/enrolment_keys.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"

/* Record and certificate: signed, for the same new device, under an invitation that was joined. */
static enum hk_error check_objects(struct hk_job *job, struct hk_txn *txn, struct hk_device_record *record)
{
    struct hk_key key;
    struct hk_revocation revocation;
    struct hk_device known;
    const struct hk_value *object = hk_job_value(job, HK_F_RECORD),
                          *certificate = hk_job_value(job, HK_F_CERTIFICATE);
    if (object->size > HK_SMALL_OBJECT_MAX || certificate->size > HK_SMALL_OBJECT_MAX) {
        return HK_TOO_LARGE;
    }
    enum hk_error error = hk_pair_account_key(txn, job->device.account, &key);
    if (error == HK_OK) {
        error = hk_record_open(record, object->data, object->size, key.public_key);
    }
    if (error == HK_OK) {
        error = hk_revocation_open(&revocation, certificate->data, certificate->size, key.public_key);
    }
    if (error != HK_OK) {
        return error;
    }
    bool fits = record->has_gate && record->role == HK_ROLE_ORDINARY &&
                memcmp(record->gate_hash, hk_job_bytes(job, HK_F_GATE_HASH), 32) == 0 &&
                memcmp(record->serial, revocation.serial, HK_ID_BYTES) == 0;
    if (!fits) {
        return HK_CONFLICT;
    }
    bool is_new = hk_store_get_device_by_key(txn, record->static_key, &known) == HK_UNKNOWN_DEVICE &&
                  hk_store_get_device(txn, record->serial, &known) == HK_UNKNOWN_DEVICE;
    return is_new ? hk_invitation_admits(job->server->invitations, job->device.account, job->device.serial,
                                         record->gate_hash, record->serial, hk_now())
                  : HK_CONFLICT;
}

/* All keys but the account's own must be there, in order, and nothing else. */
static enum hk_error deal_all(struct hk_job *job, struct hk_txn *txn, struct hk_open_enrolment *enrolment)
{
    struct hk_key *keys;
    size_t count, place = 0;
    const struct hk_value *ids = hk_job_value(job, HK_F_KEYS);
    enum hk_error error = hk_pair_list_keys(txn, job->device.account, &keys, &count);
    if (error != HK_OK) {
        return error;
    }
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        if (keys[i].purpose == HK_PURPOSE_ACCOUNT) {
            continue;
        }
        bool named = place < ids->count && memcmp(ids->items[place].data, keys[i].id, HK_ID_BYTES) == 0;
        error = named ? hk_enrolment_deal(job, txn, &keys[i], place, &enrolment->key[place]) : HK_CONFLICT;
        place++;
    }
    free(keys);
    return error == HK_OK && place != ids->count ? HK_CONFLICT : error;
}

static void enrolment_free(void *state)
{
    hk_enrolment_release(state);
}

enum hk_error hk_prepare_enrol(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_device_record record;
    size_t count = hk_job_value(job, HK_F_KEYS)->count;
    if (job->device.pending_epoch != 0) {
        return HK_LOCKED;
    }
    if (count > HK_KEYS_MAX || hk_job_value(job, HK_F_KEPT)->count != count ||
        hk_job_value(job, HK_F_PASSED)->count != count || hk_job_value(job, HK_F_SUBSHARES)->count != count) {
        return HK_BAD_ENCODING;
    }
    struct hk_open_enrolment *enrolment;
    enum hk_error error = check_objects(job, txn, &record);
    if (error != HK_OK || (error = hk_enrolment_new(&enrolment, count)) != HK_OK) {
        return error;
    }
    job->state = enrolment;
    job->state_free = enrolment_free;
    const struct hk_value *object = hk_job_value(job, HK_F_RECORD),
                          *certificate = hk_job_value(job, HK_F_CERTIFICATE);
    enrolment->record = record;
    enrolment->expires = hk_now() + HK_ENROLMENT_SECONDS;
    enrolment->admin_epoch = job->device.epoch;
    memcpy(enrolment->admin, job->device.serial, HK_ID_BYTES);
    memcpy(enrolment->signed_record, object->data, object->size);
    enrolment->record_size = object->size;
    hk_object_hash(enrolment->record_name, object->data, object->size);
    memcpy(enrolment->certificate, certificate->data, certificate->size);
    enrolment->certificate_size = certificate->size;
    job->leaf.has_subject = true;
    job->leaf.count = count;
    memcpy(job->leaf.subject, record.serial, HK_ID_BYTES);
    error = deal_all(job, txn, enrolment);
    if (error == HK_OK) {
        error = hk_enrolment_transcript(job->server, enrolment);
    }
    return error == HK_OK ? hk_enrolment_put_commitments(job, enrolment) : error;
}

/* After the leaf: from now on the service knows the new device's key. */
bool hk_finish_enrol(struct hk_job *job)
{
    enum hk_error error = hk_enrolments_add(job->server->enrolments, job->state);
    hk_job_answer(job, error);
    return true;
}

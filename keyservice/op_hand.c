/* hand-ask, hand-offer, hand-seal: an administrator deals keys anew for a device that was enrolled before
 * them. What enrol does for a new device, with the device's deposit in place of its record and invitation. */

#include <stdlib.h>
#include <string.h>

#include "crypto/schnorr.h"
#include "crypto/suite.h"
#include "keyservice/dispatch.h"
#include "keyservice/enrolment_keys.h"
#include "keyservice/hand_keys.h"
#include "keyservice/operations.h"
#include "protocol/seam.h"

/* ---- hand-ask ---- */

/* True if a hand-over of just these keys waits already: nothing to do then. */
static enum hk_error is_waiting(struct hk_txn *txn, const struct hk_device *target,
                                const struct hk_hand *hand, bool *waits)
{
    struct hk_open_enrolment *waiting;
    size_t size;
    *waits = false;
    uint8_t *bundle = hand->waits ? malloc(HK_STORE_BUNDLE_MAX) : NULL;
    if (bundle == NULL) {
        return hand->waits ? HK_BUSY : HK_OK;
    }
    enum hk_error error = hk_hand_load(txn, target, hand->transcript, &waiting, bundle, &size);
    if (error == HK_OK) {
        error = hk_hand_is_of_missing(txn, target, waiting, waits);
        hk_enrolment_release(waiting);
    }
    free(bundle);
    return error == HK_AUTH ? HK_OK : error;
}

enum hk_error hk_prepare_hand_ask(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_device target;
    struct hk_hand hand;
    bool waits = false;
    size_t count;
    uint8_t(*ids)[HK_ID_BYTES] = hk_job_memory(job, HK_KEYS_MAX * HK_ID_BYTES);
    enum hk_error error = ids != NULL ? hk_hand_target(job, txn, &target) : HK_BUSY;
    if (error != HK_OK) {
        return error;
    }
    enum hk_error found = hk_hand_deposit_of(job, txn, &target, &hand);
    error = found == HK_OK            ? is_waiting(txn, &target, &hand, &waits)
            : found == HK_UNKNOWN_RUN ? HK_OK
                                      : found;
    if (error == HK_OK) {
        error = hk_store_missing_keys(txn, &target, hk_now(), ids, &count);
    }
    if (error == HK_OK) {
        hk_message_set_array(&job->answer, HK_F_KEYS, ids, HK_ID_BYTES, waits ? 0 : count);
        hk_message_set_u64(&job->answer, HK_F_COUNT, waits ? count : 0);
    }
    return error == HK_OK && found == HK_OK ? hk_job_put(job, HK_F_RELAY, hand.deposit, hand.deposit_size)
                                            : error;
}

/* ---- hand-offer ---- */

static void name_hand(struct hk_job *job, const struct hk_device *target, const struct hk_hand *hand,
                      struct hk_open_enrolment *out)
{
    struct hk_hand_parties parties = {
        .account = target->account, .administrator = job->device.serial, .device = target->serial};
    out->expires = hk_now() + HK_ENROLMENT_SECONDS;
    out->admin_epoch = job->device.epoch;
    memcpy(out->admin, job->device.serial, HK_ID_BYTES);
    memcpy(out->record.account, target->account, HK_ACCOUNT_BYTES);
    memcpy(out->record.serial, target->serial, HK_ID_BYTES);
    memcpy(out->record.static_key, target->static_key, 32);
    hk_hand_deposit_name(out->record_name, hand->deposit, hand->deposit_size);
    hk_hand_device_name(out->record.gate_hash, &parties, target->static_key);
}

/* Deals every key that the request names, which must be those that the device lacks. */
static enum hk_error deal_all(struct hk_job *job, struct hk_txn *txn, const struct hk_device *target,
                              struct hk_open_enrolment *hand)
{
    const struct hk_value *ids = hk_job_value(job, HK_F_KEYS);
    struct hk_key key;
    bool same;
    for (size_t i = 0; i < hand->count; i++) {
        memcpy(hand->key[i].id, ids->items[i].data, HK_ID_BYTES);
    }
    enum hk_error error = hk_hand_is_of_missing(txn, target, hand, &same);
    if (error == HK_OK && !same) {
        return HK_CONFLICT;
    }
    for (size_t i = 0; i < hand->count && error == HK_OK; i++) {
        error = hk_store_get_key(txn, target->account, hand->key[i].id, &key);
        if (error == HK_OK) {
            error = hk_enrolment_deal(job, txn, &key, i, &hand->key[i]);
        }
    }
    return error;
}

/* That this service has the half that belongs to the one which the deposit proves. */
static enum hk_error prove(struct hk_job *job, struct hk_txn *txn, const struct hk_device *target,
                           const struct hk_hand *stored, const struct hk_open_enrolment *hand)
{
    struct hk_hand_deposit deposit;
    struct hk_key key;
    struct hk_scalar half;
    HK_WIPE_AT_EXIT(half);
    uint8_t transcript[HK_NAME_BYTES], proof[HK_SCHNORR_BYTES_MAX];
    enum hk_error error = hk_hand_deposit_open(&deposit, stored->deposit, stored->deposit_size);
    if (error != HK_OK || deposit.key == NULL) {
        return error;
    }
    error = hk_store_get_key(txn, target->account, deposit.key, &key);
    if (error == HK_OK) {
        error = hk_store_get_half(txn, target, &key, &half);
    }
    if (error == HK_UNKNOWN_KEY) {
        return HK_UNKNOWN_RUN; /* deleted since: the device leaves another deposit when it hears of that */
    }
    const struct hk_suite *suite = error == HK_OK ? hk_suite_by_id(key.suite) : NULL;
    if (suite == NULL) {
        return error == HK_OK ? HK_INTERNAL : error;
    }
    struct hk_point point;
    suite->group->base_mul(&point, &half);
    hk_hand_service_transcript(transcript, hand->transcript, key.id);
    hk_schnorr_prove(proof, suite->group, transcript, HK_PROVER_SERVICE, &point, &half);
    return hk_job_put(job, HK_F_PROOF, proof, hk_suite_proof_bytes(key.suite));
}

static void hand_free(void *state)
{
    hk_enrolment_release(state);
}

static void describe(struct hk_job *job, const struct hk_open_enrolment *hand)
{
    job->leaf.has_subject = true;
    job->leaf.count = hand->count;
    memcpy(job->leaf.subject, hand->record.serial, HK_ID_BYTES);
}

enum hk_error hk_prepare_hand_offer(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_device target;
    struct hk_hand stored;
    struct hk_open_enrolment *hand;
    size_t count = hk_job_value(job, HK_F_KEYS)->count;
    if (job->device.pending_epoch != 0) {
        return HK_LOCKED;
    }
    if (count == 0 || count > HK_KEYS_MAX || hk_job_value(job, HK_F_KEPT)->count != count ||
        hk_job_value(job, HK_F_PASSED)->count != count || hk_job_value(job, HK_F_SUBSHARES)->count != count) {
        return HK_BAD_ENCODING;
    }
    enum hk_error error = hk_hand_target(job, txn, &target);
    if (error == HK_OK) {
        error = hk_hand_deposit_of(job, txn, &target, &stored);
    }
    if (error != HK_OK || (error = hk_enrolment_new(&hand, count)) != HK_OK) {
        return error;
    }
    job->state = hand;
    job->state_free = hand_free;
    name_hand(job, &target, &stored, hand);
    describe(job, hand);
    error = deal_all(job, txn, &target, hand);
    if (error == HK_OK) {
        error = hk_enrolment_transcript(job->server, hand);
    }
    if (error == HK_OK) {
        error = prove(job, txn, &target, &stored, hand);
    }
    return error == HK_OK ? hk_enrolment_put_commitments(job, hand) : error;
}

bool hk_finish_hand_offer(struct hk_job *job)
{
    hk_job_answer(job, hk_enrolments_add(job->server->hands, job->state));
    return true;
}

/* ---- hand-seal ---- */

enum hk_error hk_prepare_hand_seal(struct hk_job *job, struct hk_txn *txn)
{
    const uint8_t *transcript = hk_job_bytes(job, HK_F_TRANSCRIPT);
    struct hk_open_enrolment *hand =
        hk_enrolments_by_transcript(job->server->hands, job->device.account, transcript, hk_now());
    if (hk_job_value(job, HK_F_RELAY)->size > HK_STORE_BUNDLE_MAX) {
        hk_enrolment_release(hand);
        return HK_TOO_LARGE;
    }
    job->state = hand;
    job->state_free = hand_free;
    if (hand != NULL) {
        bool fits = memcmp(hand->admin, job->device.serial, HK_ID_BYTES) == 0 &&
                    memcmp(hand->record.serial, hk_job_bytes(job, HK_F_DEVICE), HK_ID_BYTES) == 0;
        describe(job, hand);
        return fits ? HK_OK : HK_UNKNOWN_RUN;
    }
    struct hk_device target; /* sealed before, its answer lost? */
    struct hk_hand stored;
    enum hk_error error = hk_hand_target(job, txn, &target);
    if (error == HK_OK) {
        error = hk_hand_deposit_of(job, txn, &target, &stored);
    }
    bool same = error == HK_OK && stored.waits && hk_equal(stored.transcript, transcript, 32);
    job->no_leaf = true;
    return error == HK_OK && !same ? HK_UNKNOWN_RUN : error;
}

/* That nothing it rests on has changed: both devices, the deposit, the administrator's epoch, the keys. */
static enum hk_error check_basis(struct hk_job *job, struct hk_txn *txn, const struct hk_open_enrolment *hand,
                                 struct hk_device *target)
{
    struct hk_device admin;
    struct hk_hand stored;
    uint8_t name[HK_NAME_BYTES];
    bool same;
    enum hk_error error = hk_hand_target(job, txn, target);
    if (error == HK_OK) {
        error = hk_hand_deposit_of(job, txn, target, &stored);
    }
    if (error == HK_OK) {
        error = hk_store_get_device(txn, hand->admin, &admin);
    }
    if (error == HK_OK) {
        error = hk_hand_is_of_missing(txn, target, hand, &same);
    }
    if (error != HK_OK) {
        return error;
    }
    hk_hand_deposit_name(name, stored.deposit, stored.deposit_size);
    same = same && memcmp(name, hand->record_name, sizeof(name)) == 0 && admin.epoch == hand->admin_epoch &&
           admin.pending_epoch == 0 && !atomic_load(&hand->voided) && hand->expires > hk_now();
    return same ? HK_OK : HK_UNKNOWN_RUN;
}

enum hk_error hk_apply_hand_seal(struct hk_job *job, struct hk_txn *txn)
{
    const struct hk_open_enrolment *hand = job->state;
    const struct hk_value *bundle = hk_job_value(job, HK_F_RELAY);
    struct hk_device target;
    if (hand == NULL) {
        return HK_OK;
    }
    enum hk_error error = check_basis(job, txn, hand, &target);
    if (error == HK_OK) {
        error = hk_hand_store(txn, &target, hand, HK_BYTES(bundle->data, bundle->size));
    }
    return error == HK_OK ? hk_store_set_must_refresh(txn, hand->admin, true) : error;
}

bool hk_finish_hand_seal(struct hk_job *job)
{
    HK_SEAM("service/hand-sealed");
    if (job->state != NULL) {
        hk_enrolments_end(job->server->hands, job->state);
    }
    return false;
}

/* hand-open, hand-fetch, hand-confirm: a device leaves a deposit, comes for the keys that were handed over to
 * it, and proves that it has them. */

#include <stdlib.h>
#include <string.h>

#include "crypto/suite.h"
#include "keyservice/dispatch.h"
#include "keyservice/enrolment_keys.h"
#include "keyservice/hand_keys.h"
#include "keyservice/operations.h"

/* ---- hand-open ---- */

/* For an administrator that is not itself. What the message says is between the two. */
enum hk_error hk_prepare_hand_open(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_device admin;
    struct hk_hand_deposit deposit;
    const struct hk_value *given = hk_job_value(job, HK_F_RELAY);
    enum hk_error error = hk_hand_deposit_open(&deposit, given->data, given->size);
    if (error == HK_OK) {
        error = hk_hand_target(job, txn, &admin);
    }
    return error == HK_OK && admin.role != HK_ROLE_ADMIN ? HK_NOT_ALLOWED : error;
}

enum hk_error hk_apply_hand_open(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_hand hand;
    const struct hk_value *given = hk_job_value(job, HK_F_RELAY);
    const uint8_t *admin = hk_job_bytes(job, HK_F_DEVICE);
    if (job->device.pending_epoch != 0) {
        return HK_LOCKED; /* it would be dropped with the epoch */
    }
    enum hk_error error = hk_store_get_hand(txn, job->device.serial, &hand);
    if (error == HK_OK && hand.deposit_size == given->size &&
        memcmp(hand.deposit, given->data, given->size) == 0) {
        job->no_leaf = true; /* the same again: what waits for it goes on waiting */
        return HK_OK;
    }
    return error == HK_OK || error == HK_NOT_FOUND
               ? hk_store_put_deposit(txn, job->device.serial, admin, given->data, given->size)
               : error;
}

/* ---- hand-fetch ---- */

/* HK_UNKNOWN_RUN if the deposit is not here (any more). */
static enum hk_error find(struct hk_job *job, struct hk_txn *txn, struct hk_hand *hand)
{
    uint8_t name[HK_NAME_BYTES];
    enum hk_error error = hk_store_get_hand(txn, job->device.serial, hand);
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? HK_UNKNOWN_RUN : error;
    }
    hk_hand_deposit_name(name, hand->deposit, hand->deposit_size);
    if (hand->deposit_size == 0 || !hk_equal(name, hk_job_bytes(job, HK_F_COMMITMENT), sizeof(name))) {
        return HK_UNKNOWN_RUN;
    }
    return HK_OK;
}

static enum hk_error put_keys(struct hk_job *job, const struct hk_open_enrolment *hand)
{
    uint8_t *ids = hk_job_memory(job, hand->count * (HK_ID_BYTES + HK_SCALAR_BYTES_MAX) + 1);
    if (ids == NULL) {
        return HK_BUSY;
    }
    uint8_t *shares = ids + hand->count * HK_ID_BYTES; /* wiped with the job */
    hk_message_set_list(&job->answer, HK_F_SUBSHARES, NULL, 0);
    for (size_t i = 0; i < hand->count; i++) {
        uint8_t *share = shares + i * HK_SCALAR_BYTES_MAX;
        memcpy(ids + i * HK_ID_BYTES, hand->key[i].id, HK_ID_BYTES);
        memcpy(share, hand->key[i].share.bytes, HK_SCALAR_BYTES_MAX);
        hk_message_append(&job->answer, HK_F_SUBSHARES, share, hk_suite_scalar_bytes(hand->key[i].suite));
    }
    hk_message_set_array(&job->answer, HK_F_KEYS, ids, HK_ID_BYTES, hand->count);
    return HK_OK;
}

enum hk_error hk_prepare_hand_fetch(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_hand stored;
    struct hk_open_enrolment *hand;
    size_t size;
    uint8_t *bundle = hk_job_memory(job, HK_STORE_BUNDLE_MAX);
    enum hk_error error = bundle != NULL ? find(job, txn, &stored) : HK_BUSY;
    if (error != HK_OK || !stored.waits) {
        return error;
    }
    error = hk_hand_load(txn, &job->device, stored.transcript, &hand, bundle, &size);
    if (error != HK_OK) {
        return error;
    }
    error = hk_enrolment_put_commitments(job, hand);
    if (error == HK_OK) {
        error = put_keys(job, hand);
    }
    hk_message_set_bytes(&job->answer, HK_F_RELAY, bundle, size);
    hk_enrolment_release(hand);
    return error;
}

/* ---- hand-confirm ---- */

static void hand_free(void *state)
{
    hk_enrolment_release(state);
}

/* What its transcript is of now: one that waits, the last that was confirmed (*done), or nothing. */
static enum hk_error judge(struct hk_job *job, struct hk_txn *txn, bool *done)
{
    struct hk_hand hand;
    const uint8_t *transcript = hk_job_bytes(job, HK_F_TRANSCRIPT);
    *done = false;
    enum hk_error error = hk_store_get_hand(txn, job->device.serial, &hand);
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? HK_UNKNOWN_RUN : error;
    }
    *done = hand.has_done && hk_equal(hand.done, transcript, 32);
    bool waits = hand.waits && hk_equal(hand.transcript, transcript, 32);
    return *done || waits ? HK_OK : HK_UNKNOWN_RUN;
}

enum hk_error hk_prepare_hand_confirm(struct hk_job *job, struct hk_txn *txn)
{
    bool done;
    size_t size;
    struct hk_open_enrolment *hand;
    const struct hk_value *proofs = hk_job_value(job, HK_F_PROOFS);
    uint8_t *bundle = hk_job_memory(job, HK_STORE_BUNDLE_MAX);
    enum hk_error error = bundle != NULL ? judge(job, txn, &done) : HK_BUSY;
    if (error != HK_OK || done) {
        return error;
    }
    error = hk_hand_load(txn, &job->device, hk_job_bytes(job, HK_F_TRANSCRIPT), &hand, bundle, &size);
    if (error != HK_OK) {
        return error;
    }
    job->state = hand;
    job->state_free = hand_free;
    job->leaf.count = hand->count;
    error = proofs->count == hand->count ? HK_OK : HK_BAD_PROOF;
    for (size_t i = 0; i < hand->count && error == HK_OK; i++) {
        bool is_proof = proofs->items[i].size == hk_suite_proof_bytes(hand->key[i].suite);
        error = is_proof ? hk_enrolment_check(hand, i, proofs->items[i].data) : HK_BAD_PROOF;
    }
    return error;
}

/* With a half of the account's key the device becomes an administrator's, if its promotion is still due: it
 * may have been cancelled after the administrator dealt. */
static enum hk_error promote(struct hk_job *job, struct hk_txn *txn, const struct hk_open_enrolment *hand)
{
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < hand->count && error == HK_OK; i++) {
        if (hand->key[i].suite != HK_SUITE_ACCOUNT) {
            continue;
        }
        error =
            hk_store_change_is_due(txn, job->device.account, HK_CHANGE_PROMOTE, job->device.serial, hk_now());
        if (error == HK_NEEDS_APPROVAL) {
            return HK_UNKNOWN_RUN;
        }
        if (error == HK_OK) {
            error = hk_store_drop_change(txn, job->device.account, HK_CHANGE_PROMOTE, job->device.serial);
        }
        if (error == HK_OK) {
            error = hk_store_set_role(txn, job->device.serial, HK_ROLE_ADMIN);
        }
    }
    return error;
}

/* Through the writer in every case: what is answered here as unknown can never be confirmed any more. */
enum hk_error hk_apply_hand_confirm(struct hk_job *job, struct hk_txn *txn)
{
    bool done;
    const struct hk_open_enrolment *hand = job->state;
    enum hk_error error = judge(job, txn, &done);
    if (error != HK_OK || done) {
        job->no_leaf = done;
        return error;
    }
    if (hand == NULL) {
        return HK_BUSY; /* it came to wait between the two looks: ask again */
    }
    struct hk_half *halves = hk_secret_new((hand->count + 1) * sizeof(*halves));
    if (halves == NULL) {
        return HK_BUSY;
    }
    for (size_t i = 0; i < hand->count; i++) {
        memcpy(halves[i].key, hand->key[i].id, HK_ID_BYTES);
        halves[i].half = hand->key[i].half;
    }
    error = promote(job, txn, hand);
    if (error == HK_OK) {
        error = hk_store_end_hand(txn, &job->device, halves, hand->count);
    }
    hk_secret_free(halves);
    return error;
}

/* refresh, refresh-confirm: a device's next epoch, first beside the current one, then in its place. */

#include <stdlib.h>
#include <string.h>

#include "crypto/refresh.h"
#include "crypto/random.h"
#include "crypto/suite.h"
#include "keyservice/dispatch.h"
#include "keyservice/ecdsa_pairs.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"
#include "protocol/seam.h"

#define PENDING_SECONDS 86400

/* Everything of one refresh, in memory from hk_secret_new. */
struct work {
    struct hk_refresh refresh;
    struct hk_pending pending;
    size_t count;
    struct hk_half half[HK_KEYS_MAX];
    struct hk_refresh_key key[HK_KEYS_MAX];
    struct hk_point public_key[HK_KEYS_MAX];
    const struct hk_group *group[HK_KEYS_MAX];
};

static enum hk_error work_new(struct hk_job *job, struct work **work)
{
    *work = hk_secret_new(sizeof(**work));
    job->state = *work;
    job->state_free = hk_secret_free;
    return *work != NULL ? HK_OK : HK_BUSY;
}

/* Older sessions of the device end here: their late frames are dropped unread, and not judged. */
static void close_older_sessions(struct hk_job *job)
{
    (void)hk_session_table_close_device(job->server->sessions, job->device.static_key, job->session);
}

/* The device's keys with their halves (of the pending epoch if asked), and ref. */
static enum hk_error load(struct hk_job *job, struct hk_txn *txn, struct work *work, bool pending)
{
    struct hk_key *keys;
    size_t key_count;
    enum hk_error error =
        hk_store_get_halves(txn, &job->device, pending, work->half, HK_KEYS_MAX, &work->count);
    if (error != HK_OK || (error = hk_pair_list_keys(txn, job->device.account, &keys, &key_count)) != HK_OK) {
        return error;
    }
    size_t found = 0;
    for (size_t i = 0; i < key_count && found < work->count && error == HK_OK; i++) {
        if (memcmp(keys[i].id, work->half[found].key, HK_ID_BYTES) == 0) {
            const struct hk_suite *suite = hk_suite_by_id(keys[i].suite);
            memcpy(work->key[found].id, keys[i].id, HK_ID_BYTES);
            work->key[found].suite = keys[i].suite;
            error = suite == NULL ? HK_INTERNAL
                                  : suite->group->point_decode(&work->public_key[found], keys[i].public_key);
            work->group[found++] = suite != NULL ? suite->group : NULL;
        }
    }
    free(keys);
    if (error == HK_OK && found != work->count) {
        error = HK_INTERNAL;
    }
    return error == HK_OK
               ? hk_refresh_ref(work->refresh.ref, job->device.account, job->device.serial, job->device.epoch,
                                hk_job_bytes(job, HK_F_TAG), work->key, work->count)
               : error;
}

/* The pending epoch, if there is one that has not expired; HK_NOT_FOUND. */
static enum hk_error get_pending(struct hk_job *job, struct hk_txn *txn, struct hk_pending *pending)
{
    if (job->device.pending_epoch == 0) {
        return HK_NOT_FOUND;
    }
    enum hk_error error = hk_store_get_pending(txn, &job->device, pending);
    return error == HK_OK && pending->created + PENDING_SECONDS < hk_now() ? HK_NOT_FOUND : error;
}

enum hk_error hk_prepare_refresh(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    struct work *work;
    if (hk_enrolments_lock(job->server->enrolments, job->device.serial, hk_now())) {
        return HK_LOCKED;
    }
    close_older_sessions(job);
    return work_new(job, &work);
}

/* The proofs of all keys, one after the other, each of its suite's length. */
static void put_proofs(struct hk_job *job, const struct work *work)
{
    const uint8_t *proof = work->pending.proofs;
    hk_message_set_list(&job->answer, HK_F_PROOFS, NULL, 0);
    for (size_t i = 0; i < work->count; i++) {
        size_t size = hk_suite_proof_bytes(work->key[i].suite);
        hk_message_append(&job->answer, HK_F_PROOFS, proof, size);
        proof += size;
    }
}

/* What goes with the halves of keys for ECDSA moves along with them. */
static enum hk_error carry_setups(struct hk_job *job, struct hk_txn *txn, const struct work *work)
{
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < work->count && error == HK_OK; i++) {
        struct hk_key key;
        struct hk_scalar half;
        if (work->key[i].suite == HK_SUITE_SECP256K1_ECDSA) {
            error = hk_store_get_key(txn, job->device.account, work->key[i].id, &key);
            if (error == HK_OK) {
                error = hk_store_get_half(txn, &job->device, &key, &half);
            }
            if (error == HK_OK) {
                error = hk_ecdsa_shift(job, txn, &work->refresh, key.id, &half);
            }
            hk_wipe(&half, sizeof(half));
        }
    }
    return error;
}

static enum hk_error make_pending(struct hk_job *job, struct hk_txn *txn, struct work *work)
{
    struct hk_pending *pending = &work->pending;
    enum hk_error error = load(job, txn, work, false);
    if (error != HK_OK) {
        return error;
    }
    pending->epoch = job->device.epoch + 1;
    pending->created = hk_now();
    memcpy(pending->seed_device.bytes, hk_job_bytes(job, HK_F_SEED), 32);
    hk_random(pending->tag, sizeof(pending->tag));
    work->refresh.device_seed = pending->seed_device;
    memcpy(work->refresh.new_tag, pending->tag, HK_TAG_BYTES);
    do { /* again only if some new half is zero */
        hk_random(pending->seed_service.bytes, 32);
        work->refresh.service_seed = pending->seed_service;
        error = HK_OK;
        pending->proofs_size = 0;
        for (size_t i = 0; i < work->count && error == HK_OK; i++) {
            struct hk_scalar half = work->half[i].half, new_half;
            error = hk_refresh_service(&new_half, pending->proofs + pending->proofs_size, work->group[i],
                                       &work->refresh, work->key[i].id, &half);
            pending->proofs_size += hk_suite_proof_bytes(work->key[i].suite);
            if (error == HK_OK) {
                work->half[i].half = new_half;
            }
            hk_wipe(&half, sizeof(half));
            hk_wipe(&new_half, sizeof(new_half));
        }
        if (error == HK_AGAIN) {
            enum hk_error reload = load(job, txn, work, false);
            error = reload != HK_OK ? reload : error;
        }
    } while (error == HK_AGAIN);
    if (error == HK_OK) {
        error = hk_store_put_pending(txn, job->device.serial, pending, work->half, work->count);
    }
    return error == HK_OK ? carry_setups(job, txn, work) : error;
}

enum hk_error hk_apply_refresh(struct hk_job *job, struct hk_txn *txn)
{
    struct work *work = job->state;
    const uint8_t *seed = hk_job_bytes(job, HK_F_SEED);
    if (hk_enrolments_lock(job->server->enrolments, job->device.serial, hk_now())) {
        return HK_LOCKED;
    }
    enum hk_error error = get_pending(job, txn, &work->pending);
    if (error == HK_OK && hk_equal(work->pending.seed_device.bytes, seed, 32)) {
        job->no_leaf = true; /* the same question: the same answer */
        error = load(job, txn, work, false);
    } else if (error == HK_OK || error == HK_NOT_FOUND) {
        error = make_pending(job, txn, work);
    }
    if (error != HK_OK) {
        return error;
    }
    job->leaf.count = work->count;
    hk_message_set_bytes(&job->answer, HK_F_SEED, work->pending.seed_service.bytes, 32);
    hk_message_set_bytes(&job->answer, HK_F_NEW_TAG, work->pending.tag, HK_TAG_BYTES);
    put_proofs(job, work);
    return HK_OK;
}

/* What a confirm means for the row as it is. *already: the new epoch is active. */
static enum hk_error judge(struct hk_job *job, struct hk_txn *txn, struct hk_pending *pending, bool *already)
{
    uint64_t epoch = hk_job_number(job, HK_F_EPOCH);
    const uint8_t *new_tag = hk_job_bytes(job, HK_F_NEW_TAG);
    *already = job->device.epoch == epoch + 1 && hk_store_tag_is(&job->device, new_tag);
    if (*already) {
        return HK_OK;
    }
    if (epoch > job->device.epoch) {
        return HK_ROLLED_BACK;
    }
    if (epoch < job->device.epoch || !hk_store_tag_is(&job->device, hk_job_bytes(job, HK_F_TAG))) {
        return HK_STALE_EPOCH;
    }
    enum hk_error error = get_pending(job, txn, pending);
    if (error == HK_OK && !hk_equal(pending->tag, new_tag, HK_TAG_BYTES)) {
        error = HK_NOT_FOUND;
    }
    return error == HK_NOT_FOUND ? HK_UNKNOWN_TAG : error;
}

enum hk_error hk_prepare_refresh_confirm(struct hk_job *job, struct hk_txn *txn)
{
    struct work *work;
    bool already;
    enum hk_error error = work_new(job, &work);
    if (error == HK_OK) {
        error = judge(job, txn, &work->pending, &already);
    }
    if (error == HK_STALE_EPOCH) {
        job->is_stale = true;
        return error;
    }
    close_older_sessions(job);
    return error;
}

static enum hk_error check_proofs(struct hk_job *job, struct work *work)
{
    const struct hk_value *proofs = hk_job_value(job, HK_F_PROOFS);
    enum hk_error error = proofs->count == work->count ? HK_OK : HK_BAD_PROOF;
    for (size_t i = 0; i < work->count && error == HK_OK; i++) {
        error = proofs->items[i].size != hk_suite_proof_bytes(work->key[i].suite)
                    ? HK_BAD_PROOF
                    : hk_refresh_check(work->group[i], &work->refresh, &work->public_key[i],
                                       &work->half[i].half, proofs->items[i].data);
    }
    return error;
}

enum hk_error hk_apply_refresh_confirm(struct hk_job *job, struct hk_txn *txn)
{
    struct work *work = job->state;
    bool already;
    enum hk_error error = judge(job, txn, &work->pending, &already);
    if (error != HK_OK || already) {
        job->no_leaf = already;
        return error;
    }
    error = load(job, txn, work, true);
    if (error != HK_OK) {
        return error;
    }
    work->refresh.device_seed = work->pending.seed_device;
    work->refresh.service_seed = work->pending.seed_service;
    memcpy(work->refresh.new_tag, work->pending.tag, HK_TAG_BYTES);
    error = check_proofs(job, work);
    job->leaf.count = work->count;
    if (error == HK_OK) {
        hk_ecdsa_slots_drop(job->server->ecdsa_slots, job->device.serial);
        error = hk_store_activate_pending(txn, job->device.serial);
    }
    return error;
}

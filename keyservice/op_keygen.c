/* keygen-start, keygen-finish, keygen-status, key-import: keys of an account, on an administrator's device.
 */

#include <stdlib.h>
#include <string.h>

#include "keyservice/dispatch.h"
#include "keyservice/generation_of_keys.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"

/* The suite that the request names, if users may make keys of it. */
static enum hk_error read_suite(const struct hk_job *job, const struct hk_suite **suite)
{
    *suite = hk_suite_by_id(hk_job_number(job, HK_F_SUITE));
    bool fits = *suite != NULL && (*suite)->id != HK_SUITE_ACCOUNT &&
                (uint64_t)(*suite)->purpose == hk_job_number(job, HK_F_PURPOSE);
    return fits ? HK_OK : HK_WRONG_PURPOSE;
}

static void read_name(const struct hk_job *job, char name[HK_NAME_MAX + 1])
{
    const struct hk_value *value = hk_job_value(job, HK_F_NAME);
    memcpy(name, value->data, value->size);
    name[value->size] = '\0';
}

/* Said before anything is computed; the store decides when the key comes. */
static enum hk_error check_new(struct hk_job *job, struct hk_txn *txn, const char *name)
{
    struct hk_key *keys;
    size_t count;
    enum hk_error error = hk_pair_list_keys(txn, job->device.account, &keys, &count);
    if (error != HK_OK) {
        return error;
    }
    if (count >= HK_KEYS_MAX) {
        error = HK_OVER_QUOTA;
    }
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        bool same = strcmp(keys[i].name, name) == 0 ||
                    memcmp(keys[i].id, hk_job_bytes(job, HK_F_KEY), HK_ID_BYTES) == 0;
        error = same ? HK_CONFLICT : HK_OK;
    }
    free(keys);
    return error;
}

enum hk_error hk_prepare_keygen_start(struct hk_job *job, struct hk_txn *txn)
{
    const struct hk_suite *suite;
    char name[HK_NAME_MAX + 1];
    enum hk_error error = read_suite(job, &suite);
    read_name(job, name);
    if (error == HK_OK) {
        error = check_new(job, txn, name);
    }
    struct hk_run *run;
    if (error != HK_OK || (error = hk_run_new(&run, job->server->runs)) != HK_OK) {
        return error;
    }
    memcpy(run->key.account, job->device.account, HK_ACCOUNT_BYTES);
    memcpy(run->key.name, name, sizeof(name));
    return hk_generation_begin(job, run, suite, job->device.static_key);
}

enum hk_error hk_prepare_keygen_finish(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    struct hk_generation *generation;
    return hk_generation_finish(job, false, &generation);
}

/* A refresh or an enrolment may have begun since admission. */
static bool is_locked(const struct hk_job *job)
{
    return job->device.pending_epoch != 0 ||
           hk_enrolments_are_open(job->server->enrolments, job->device.account, hk_now());
}

enum hk_error hk_apply_keygen_finish(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_generation *generation = job->state;
    if (atomic_load(&generation->run->voided)) {
        return HK_UNKNOWN_RUN;
    }
    if (is_locked(job)) {
        return HK_LOCKED;
    }
    return hk_store_put_key(txn, &generation->run->key, job->device.serial, &generation->result.half);
}

/* Through the writer, so that it is in order with a message 3 that is under way: after `unknown` none is
 * taken any more. */
enum hk_error hk_apply_keygen_status(struct hk_job *job, struct hk_txn *txn)
{
    const uint8_t *id = hk_job_bytes(job, HK_F_KEY), *transcript = hk_job_bytes(job, HK_F_TRANSCRIPT);
    enum hk_error error = hk_store_get_key(txn, job->device.account, id, &job->key);
    if (error == HK_UNKNOWN_KEY ||
        (error == HK_OK && memcmp(job->key.transcript, transcript, HK_NAME_BYTES) != 0)) {
        hk_runs_void(job->server->runs, id);
        return HK_UNKNOWN_RUN;
    }
    if (error == HK_OK) {
        hk_message_set_bytes(&job->answer, HK_F_TRANSCRIPT, job->key.transcript, 32);
        hk_message_set_bytes(&job->answer, HK_F_PUBLIC, job->key.public_key,
                             hk_suite_point_bytes(job->key.suite));
    }
    return error;
}

enum hk_error hk_prepare_key_import(struct hk_job *job, struct hk_txn *txn)
{
    const struct hk_suite *suite;
    struct hk_generation *import;
    char name[HK_NAME_MAX + 1];
    uint8_t sid[HK_NAME_BYTES];
    enum hk_error error = read_suite(job, &suite);
    read_name(job, name);
    if (error == HK_OK) {
        error = check_new(job, txn, name);
    }
    if (error != HK_OK || (error = hk_generation_new(job, &import)) != HK_OK) {
        return error;
    }
    if (hk_job_value(job, HK_F_POINT)->size != suite->group->point_bytes) {
        return HK_BAD_POINT;
    }
    if (hk_job_value(job, HK_F_SCALAR)->size != suite->group->scalar_bytes ||
        hk_job_value(job, HK_F_PROOF)->size != suite->group->point_bytes + suite->group->scalar_bytes) {
        return HK_BAD_PROOF;
    }
    hk_generation_sid(sid, job, job->device.account, suite, job->device.static_key);
    error = hk_import_take(&import->result, suite->group, sid, hk_job_bytes(job, HK_F_SCALAR),
                           hk_job_bytes(job, HK_F_POINT), hk_job_bytes(job, HK_F_PROOF));
    if (error != HK_OK) {
        return error;
    }
    struct hk_key *key = &import->key;
    memcpy(key->id, hk_job_bytes(job, HK_F_KEY), HK_ID_BYTES);
    memcpy(key->account, job->device.account, HK_ACCOUNT_BYTES);
    memcpy(key->name, name, sizeof(name));
    memcpy(key->public_key, import->result.public_key, suite->group->point_bytes);
    memcpy(key->transcript, import->result.transcript, 32);
    key->suite = (uint64_t)suite->id;
    key->purpose = (uint64_t)suite->purpose;
    key->created = hk_job_number(job, HK_F_CREATED);
    key->imported = true;
    hk_message_set_bytes(&job->answer, HK_F_TRANSCRIPT, key->transcript, 32);
    hk_message_set_bytes(&job->answer, HK_F_PUBLIC, key->public_key, suite->group->point_bytes);
    return HK_OK;
}

enum hk_error hk_apply_key_import(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_generation *import = job->state;
    if (is_locked(job)) {
        return HK_LOCKED;
    }
    return hk_store_put_key(txn, &import->key, job->device.serial, &import->result.half);
}

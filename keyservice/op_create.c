/* create-account, create-finish, create-status: the account key's generation, over a stranger's session. */

#include <string.h>

#include "crypto/group.h"
#include "crypto/random.h"
#include "crypto/suite.h"
#include "keyservice/dispatch.h"
#include "keyservice/generation_of_keys.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"
#include "protocol/sid.h"
#include "protocol/udf.h"

/* That the stranger holds the device key it names. */
static enum hk_error check_pop(const struct hk_job *job)
{
    uint8_t pop[HK_NAME_BYTES];
    enum hk_error error = hk_sid_pop(pop, &job->server->keys->static_secret,
                                     hk_job_bytes(job, HK_F_DEVICE_KEY), job->session->handshake_hash);
    return error == HK_OK && !hk_equal(pop, hk_job_bytes(job, HK_F_POP), sizeof(pop)) ? HK_BAD_PROOF : error;
}

enum hk_error hk_prepare_create_account(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_server *server = job->server;
    if (!hk_policy_registration_is_open(server->policy)) {
        return HK_NOT_ALLOWED;
    }
    enum hk_error error = hk_policy_spend(server->policy, &job->peer, HK_COST_CREATE);
    if (error == HK_OK) {
        error = check_pop(job);
    }
    struct hk_point report_key; /* a key of small order would have valid reports of anybody's */
    if (error == HK_OK) {
        error = hk_edwards25519.point_decode(&report_key, hk_job_bytes(job, HK_F_REPORT_KEY));
    }
    struct hk_device known;
    const uint8_t *device_key = hk_job_bytes(job, HK_F_DEVICE_KEY);
    if (error == HK_OK) {
        error = hk_store_get_device_by_key(txn, device_key, &known);
        error = error == HK_UNKNOWN_DEVICE ? HK_OK : error == HK_OK ? HK_CONFLICT : error;
    }
    struct hk_run *run;
    if (error != HK_OK || (error = hk_run_new(&run, server->runs)) != HK_OK) {
        return error;
    }
    run->is_account = true;
    memcpy(run->device.serial, hk_job_bytes(job, HK_F_DEVICE), HK_ID_BYTES);
    memcpy(run->device.static_key, device_key, 32);
    memcpy(run->device.report_key, hk_job_bytes(job, HK_F_REPORT_KEY), 32);
    run->device.role = HK_ROLE_ADMIN;
    run->device.state = HK_STATUS_ACTIVE;
    run->device.created = hk_now();
    run->device.epoch = 1;
    run->device.slot = -1;
    memcpy(run->key.name, "account", sizeof("account"));
    return hk_generation_begin(job, run, hk_suite_by_id(HK_SUITE_ACCOUNT), device_key);
}

enum hk_error hk_prepare_create_finish(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    struct hk_generation *generation;
    enum hk_error error = hk_generation_finish(job, true, &generation);
    if (error != HK_OK) {
        return error;
    }
    struct hk_key *key = &generation->run->key;
    hk_account_name(key->account, key->public_key);
    memcpy(generation->run->device.account, key->account, HK_ACCOUNT_BYTES);
    memcpy(job->account, key->account, HK_ACCOUNT_BYTES);
    job->leaf.has_subject = true;
    memcpy(job->leaf.subject, generation->run->device.serial, HK_ID_BYTES);
    hk_random(generation->tag, sizeof(generation->tag));
    hk_message_set_bytes(&job->answer, HK_F_ACCOUNT, key->account, HK_ACCOUNT_BYTES);
    hk_message_set_u64(&job->answer, HK_F_EPOCH, 1);
    hk_message_set_bytes(&job->answer, HK_F_TAG, generation->tag, HK_TAG_BYTES);
    hk_message_set_bytes(&job->answer, HK_F_IDENTITY, job->server->keys->identity_public, 32);
    return HK_OK;
}

enum hk_error hk_apply_create_finish(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_generation *generation = job->state;
    struct hk_run *run = generation->run;
    if (atomic_load(&run->voided)) {
        return HK_UNKNOWN_RUN;
    }
    struct hk_account account = {.created = hk_now()};
    memcpy(account.id, run->key.account, HK_ACCOUNT_BYTES);
    return hk_store_put_account(txn, &account, &run->device, generation->tag, &run->key,
                                &generation->result.half);
}

enum hk_error hk_prepare_create_status(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    return hk_policy_spend(job->server->policy, &job->peer, HK_COST_REQUEST);
}

/* The first device of an account that is still without a profile; after that nobody has reason to ask. */
static enum hk_error first_device(struct hk_txn *txn, const struct hk_key *key, struct hk_device *device)
{
    struct hk_account account;
    size_t count = 0;
    enum hk_error error = hk_store_get_account(txn, key->account, &account);
    if (error == HK_OK) {
        error = hk_store_list_devices(txn, key->account, device, 1, &count);
    }
    bool fits = error == HK_OK && account.profile_version == 0 && count >= 1 &&
                device->state == HK_STATUS_ACTIVE && device->epoch == 1 && key->purpose == HK_PURPOSE_ACCOUNT;
    return error == HK_OK && !fits ? HK_UNKNOWN_RUN : error;
}

enum hk_error hk_apply_create_status(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_device device;
    uint8_t tag[HK_TAG_BYTES];
    HK_WIPE_AT_EXIT(tag);
    struct hk_key *key = &job->key;
    enum hk_error error =
        hk_store_find_key(txn, hk_job_bytes(job, HK_F_KEY), hk_job_bytes(job, HK_F_TRANSCRIPT), key);
    if (error == HK_UNKNOWN_RUN) {
        hk_runs_void(job->server->runs, hk_job_bytes(job, HK_F_KEY));
    }
    if (error == HK_OK) {
        error = first_device(txn, key, &device);
    }
    if (error == HK_OK) {
        error = hk_store_get_tag(txn, &device, tag);
    }
    if (error == HK_OK) {
        error = hk_job_put(job, HK_F_TAG, tag, sizeof(tag));
    }
    if (error == HK_OK) {
        hk_message_set_bytes(&job->answer, HK_F_TRANSCRIPT, key->transcript, 32);
        hk_message_set_bytes(&job->answer, HK_F_PUBLIC, key->public_key, hk_suite_point_bytes(key->suite));
        hk_message_set_bytes(&job->answer, HK_F_ACCOUNT, key->account, HK_ACCOUNT_BYTES);
        hk_message_set_u64(&job->answer, HK_F_EPOCH, device.epoch);
        hk_message_set_bytes(&job->answer, HK_F_IDENTITY, job->server->keys->identity_public, 32);
    }
    return error;
}

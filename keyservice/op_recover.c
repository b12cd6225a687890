/* recover-start, recover-key, recover-finish: a new device and this service get a new pair of every key from
 * t holders of the account's recovery set; every other device of the account ends.
 *
 * Nothing but the mathematics says that the stranger may: who brings contributions that add up to X, and
 * proves its half of what comes out, had t shares. */

#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "keyservice/dispatch.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"
#include "keyservice/recoveries.h"
#include "keyservice/revocations.h"
#include "protocol/sid.h"
#include "protocol/udf.h"

/* What recover-finish stores. In memory from hk_secret_new. */
struct finish {
    struct hk_recovering *run;
    uint8_t transcript[HK_NAME_BYTES], tag[HK_TAG_BYTES];
    struct hk_half halves[HK_KEYS_MAX];
    struct hk_endings *endings; /* in the job's memory */
};

/* ---- start ---- */

static enum hk_error check_device(struct hk_job *job, struct hk_txn *txn, const struct hk_recovering *run)
{
    uint8_t pop[HK_NAME_BYTES];
    struct hk_device known;
    struct hk_point report_key;
    enum hk_error error = hk_sid_pop(pop, &job->server->keys->static_secret, run->request.device_key,
                                     job->session->handshake_hash);
    if (error == HK_OK && !hk_equal(pop, hk_job_bytes(job, HK_F_POP), sizeof(pop))) {
        error = HK_BAD_PROOF;
    }
    if (error == HK_OK) {
        error = hk_edwards25519.point_decode(&report_key, run->report_key);
    }
    if (error == HK_OK) {
        error = hk_store_get_device_by_key(txn, run->request.device_key, &known);
        error = error == HK_UNKNOWN_DEVICE ? HK_OK : error == HK_OK ? HK_CONFLICT : error;
    }
    return error;
}

/* The profile is the account's: the current one where the account is known, or the last one of another
 * service. */
static enum hk_error check_profile(struct hk_job *job, struct hk_txn *txn, struct hk_recovering *run)
{
    const struct hk_value *object = hk_job_value(job, HK_F_PROFILE);
    struct hk_account account;
    const struct hk_recovery_request *request = &run->request;
    if (object->size > HK_STORE_PROFILE_MAX) {
        return HK_TOO_LARGE;
    }
    memcpy(run->signed_profile, object->data, object->size);
    run->profile_size = object->size;
    enum hk_error error =
        hk_profile_open_named(run->profile, run->signed_profile, run->profile_size, request->account);
    if (error != HK_OK) {
        return error;
    }
    hk_object_hash(run->profile_hash, run->signed_profile, run->profile_size);
    bool fits = run->profile->recovery.count != 0 &&
                memcmp(run->profile->recovery.id, request->set, HK_ID_BYTES) == 0 &&
                memcmp(run->profile_hash, request->profile_hash, 32) == 0 &&
                memcmp(request->service_key, job->server->keys->static_public, 32) == 0 &&
                request->count == run->profile->recovery.threshold;
    if (!fits) {
        return HK_BAD_PROOF;
    }
    error = hk_store_get_account(txn, request->account, &account);
    run->is_known = error == HK_OK;
    if (error == HK_OK) { /* an older profile may name an older set, or keys that are gone */
        bool current = account.profile_version == run->profile->version &&
                       memcmp(account.profile_hash, run->profile_hash, 32) == 0;
        return current ? HK_OK : HK_CONFLICT;
    }
    if (error == HK_NOT_FOUND) {
        error = hk_policy_registration_is_open(job->server->policy) ? HK_OK : HK_NOT_ALLOWED;
    }
    return error;
}

enum hk_error hk_prepare_recover_start(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_recovering *run = NULL;
    const struct hk_value *request = hk_job_value(job, HK_F_RECOVERY);
    enum hk_error error = hk_policy_spend(job->server->policy, &job->peer, HK_COST_CREATE);
    if (error == HK_OK) {
        error = hk_recovering_new(&run);
    }
    if (error == HK_OK) {
        run->began = hk_now();
        memcpy(run->handshake, job->session->handshake_hash, HK_HASH_BYTES);
        memcpy(run->report_key, hk_job_bytes(job, HK_F_REPORT_KEY), 32);
        hk_recovery_request_hash(run->request_hash, request->data, request->size);
        error = hk_recovery_request_decode(&run->request, request->data, request->size);
    }
    if (error == HK_OK) {
        error = check_device(job, txn, run);
    }
    if (error == HK_OK) {
        error = check_profile(job, txn, run);
    }
    if (error == HK_OK) {
        error = hk_recoveries_keep(job->server->recoveries, run, hk_now());
    }
    if (error != HK_OK) {
        hk_recovering_free(run);
    }
    hk_message_set_bytes(&job->answer, HK_F_IDENTITY, job->server->keys->identity_public, 32);
    return error;
}

/* ---- key ---- */

/* What one recover-key needs. In memory from hk_secret_new. */
struct taking {
    struct hk_recovery_packet packet;
    struct hk_recovery_key key;
    uint8_t holders[HK_RECOVERY_HOLDERS][32];
    struct hk_recover_run names;
    struct hk_dealing dealings[HK_RECOVERY_HOLDERS];
    struct hk_scalar subshares[HK_RECOVERY_HOLDERS];
};

/* What the holders sealed to this service. */
static enum hk_error open_parts(struct hk_job *job, struct taking *taking, const struct hk_recovering *run)
{
    const struct hk_group *group = taking->key.suite->group;
    const struct hk_value *kept = hk_job_value(job, HK_F_KEPT), *passed = hk_job_value(job, HK_F_PASSED),
                          *sealed = hk_job_value(job, HK_F_SEALED);
    size_t count = run->request.count;
    if (kept->count != count || passed->count != count || sealed->count != count) {
        return HK_BAD_ENCODING;
    }
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        uint8_t context[HK_NAME_BYTES], opened[HK_SEALED_SCALAR_BYTES];
        HK_WIPE_AT_EXIT(opened);
        if (kept->items[i].size != group->point_bytes || passed->items[i].size != group->point_bytes) {
            return HK_BAD_POINT;
        }
        taking->dealings[i].count = 2;
        memcpy(taking->dealings[i].commitments[HK_OF_DEVICE], kept->items[i].data, group->point_bytes);
        memcpy(taking->dealings[i].commitments[HK_OF_SERVICE], passed->items[i].data, group->point_bytes);
        hk_recover_seal_context(context, run->request_hash, taking->packet.key, run->request.index[i],
                                HK_OF_SERVICE);
        error =
            hk_sealed_share_open(opened, sealed->items[i].data, &job->server->keys->static_secret, context);
        error = error == HK_OK ? group->scalar_decode(&taking->subshares[i], opened) : HK_BAD_PROOF;
    }
    return error;
}

static enum hk_error take_key(struct hk_job *job, struct taking *taking, struct hk_recovering *run)
{
    const struct hk_value *packets = hk_job_value(job, HK_F_PACKETS);
    struct hk_recovering_key *made = &run->key[run->count];
    size_t guilty;
    if (packets->count != 1 || packets->items[0].size > HK_STORE_PACKET_MAX || run->count == HK_KEYS_MAX) {
        return HK_BAD_ENCODING;
    }
    enum hk_error error =
        hk_recovery_packet_decode(&taking->packet, packets->items[0].data, packets->items[0].size);
    if (error == HK_OK) {
        error = hk_recovery_packet_check(&taking->packet, run->profile);
        error = error == HK_NOT_FOUND ? HK_BAD_PROOF : error;
    }
    if (error == HK_OK && run->count > 0 &&
        memcmp(run->key[run->count - 1].id, taking->packet.key, HK_ID_BYTES) >= 0) {
        error = HK_BAD_ENCODING;
    }
    if (error == HK_OK) {
        error =
            hk_recovery_packet_key(&taking->key, taking->holders, &taking->packet, &run->profile->recovery);
    }
    if (error == HK_OK) {
        hk_recovery_request_run(&taking->names, &run->request, run->request_hash);
        error = open_parts(job, taking, run);
    }
    if (error == HK_OK) {
        error = hk_recover_take(&made->half, &made->device_point, &taking->key, &taking->names, HK_OF_SERVICE,
                                taking->packet.dealings, taking->dealings, taking->subshares, &guilty);
    }
    if (error == HK_OK) {
        error = hk_recover_key_transcript(made->transcript, &taking->key, &taking->names, taking->dealings);
    }
    if (error == HK_OK) {
        error = hk_recovery_transcript(made->set_transcript, &taking->key, taking->packet.dealings);
    }
    if (error != HK_OK || (made->packet = malloc(packets->items[0].size)) == NULL) {
        hk_wipe(&made->half, sizeof(made->half));
        return error != HK_OK ? error : HK_BUSY;
    }
    memcpy(made->packet, packets->items[0].data, packets->items[0].size);
    made->packet_size = packets->items[0].size;
    memcpy(made->id, taking->packet.key, HK_ID_BYTES);
    made->suite = taking->key.suite;
    run->count++;
    return HK_OK;
}

enum hk_error hk_prepare_recover_key(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    struct hk_recovering *run = hk_recoveries_take(job->server->recoveries, job->session->handshake_hash);
    struct taking *taking = hk_secret_new(sizeof(*taking));
    enum hk_error error = run == NULL ? HK_UNKNOWN_RUN : taking == NULL ? HK_BUSY : HK_OK;
    if (error == HK_OK) {
        error = take_key(job, taking, run);
    }
    hk_secret_free(taking);
    if (error == HK_OK) {
        error = hk_recoveries_keep(job->server->recoveries, run, hk_now());
    }
    if (error != HK_OK) { /* a run in which something was wrong is over */
        hk_recovering_free(run);
    }
    return error;
}

/* ---- finish ---- */

static void finish_free(void *state)
{
    struct finish *finish = state;
    if (finish != NULL) {
        hk_recovering_free(finish->run);
    }
    hk_secret_free(finish);
}

static enum hk_error check_proofs(struct hk_job *job, struct finish *finish)
{
    const struct hk_recovering *run = finish->run;
    const struct hk_value *proofs = hk_job_value(job, HK_F_PROOFS);
    uint8_t transcripts[HK_KEYS_MAX][HK_NAME_BYTES];
    bool has_account = false;
    for (size_t i = 0; i < run->count; i++) {
        memcpy(transcripts[i], run->key[i].transcript, HK_NAME_BYTES);
        has_account = has_account || run->key[i].suite->id == HK_SUITE_ACCOUNT;
    }
    hk_recover_transcript(finish->transcript, run->request_hash, run->profile_hash, run->report_key,
                          (const uint8_t(*)[HK_NAME_BYTES])transcripts, run->count);
    bool fits = has_account && proofs->count == run->count &&
                hk_equal(finish->transcript, hk_job_bytes(job, HK_F_TRANSCRIPT), HK_NAME_BYTES);
    enum hk_error error = fits ? HK_OK : HK_BAD_PROOF;
    for (size_t i = 0; i < run->count && error == HK_OK; i++) {
        const struct hk_recovering_key *key = &run->key[i];
        error = proofs->items[i].size == hk_suite_proof_bytes((uint64_t)key->suite->id)
                    ? hk_recover_check(key->suite->group, finish->transcript, key->id, &key->device_point,
                                       proofs->items[i].data)
                    : HK_BAD_PROOF;
    }
    return error;
}

/* Every device that the account has ends with this. Which those are the writer knows: here is room for them.
 */
enum hk_error hk_prepare_recover_finish(struct hk_job *job, struct hk_txn *txn)
{
    (void)txn;
    struct finish *finish = hk_secret_new(sizeof(*finish));
    struct hk_endings *endings = hk_endings_new(job);
    job->state = finish;
    job->state_free = finish_free;
    if (finish == NULL || endings == NULL) {
        return HK_BUSY;
    }
    finish->endings = endings;
    finish->run = hk_recoveries_take(job->server->recoveries, job->session->handshake_hash);
    enum hk_error error = finish->run != NULL ? check_proofs(job, finish) : HK_UNKNOWN_RUN;
    if (error != HK_OK) {
        return error;
    }
    const struct hk_recovering *run = finish->run;
    hk_random(finish->tag, sizeof(finish->tag));
    for (size_t i = 0; i < run->count; i++) {
        memcpy(finish->halves[i].key, run->key[i].id, HK_ID_BYTES);
        finish->halves[i].half = run->key[i].half;
    }
    memcpy(job->account, run->request.account, HK_ACCOUNT_BYTES);
    job->leaf.has_subject = true;
    job->leaf.count = run->count;
    memcpy(job->leaf.subject, run->request.serial, HK_ID_BYTES);
    hk_message_set_u64(&job->answer, HK_F_EPOCH, 1);
    hk_message_set_bytes(&job->answer, HK_F_TAG, finish->tag, HK_TAG_BYTES);
    return HK_OK;
}

static void describe_device(struct hk_device *device, const struct finish *finish)
{
    const struct hk_recovery_request *request = &finish->run->request;
    *device = (struct hk_device){
        .role = HK_ROLE_ADMIN, .state = HK_STATUS_ACTIVE, .created = hk_now(), .epoch = 1, .slot = -1};
    memcpy(device->serial, request->serial, HK_ID_BYTES);
    memcpy(device->account, request->account, HK_ACCOUNT_BYTES);
    memcpy(device->static_key, request->device_key, 32);
    memcpy(device->report_key, finish->run->report_key, 32);
    memcpy(device->enrolment, finish->transcript, 32);
    memcpy(device->name, request->device, sizeof(device->name));
}

static enum hk_error end_devices(struct hk_job *job, struct hk_txn *txn, struct finish *finish)
{
    struct hk_device *devices = malloc(HK_STORE_ROWS_MAX * sizeof(*devices));
    struct hk_endings *endings = finish->endings;
    size_t count;
    enum hk_error error = devices != NULL
                              ? hk_store_list_devices(txn, job->account, devices, HK_STORE_ROWS_MAX, &count)
                              : HK_BUSY;
    for (size_t i = 0; error == HK_OK && i < count; i++) {
        bool again;
        if (devices[i].state == HK_STATUS_REVOKED) {
            continue;
        }
        if (endings->count == HK_REVOCATIONS_SHOWN_MAX) {
            error = HK_INTERNAL; /* HK_DEVICES is not above it */
            break;
        }
        struct hk_ending *ending = &endings->list[endings->count++];
        ending->all = endings;
        memcpy(ending->account, job->account, HK_ACCOUNT_BYTES);
        memcpy(ending->serial, devices[i].serial, HK_ID_BYTES);
        error = hk_ending_apply(ending, txn, &again);
    }
    free(devices);
    return error;
}

static void describe_key(struct hk_key *key, const struct finish *finish, size_t place)
{
    const struct hk_recovering *run = finish->run;
    const struct hk_recovering_key *made = &run->key[place];
    memset(key, 0, sizeof(*key));
    memcpy(key->id, made->id, HK_ID_BYTES);
    memcpy(key->account, run->request.account, HK_ACCOUNT_BYTES);
    memcpy(key->transcript, finish->transcript, 32);
    key->suite = (uint64_t)made->suite->id;
    key->purpose = (uint64_t)made->suite->purpose;
    memcpy(key->public_key, run->profile->account_key, 32);
    memcpy(key->name, "account", sizeof("account"));
    for (size_t i = 0; i < run->profile->key_count; i++) {
        const struct hk_profile_key *listed = &run->profile->keys[i];
        if (memcmp(listed->id, made->id, HK_ID_BYTES) == 0) {
            memcpy(key->public_key, listed->public_key, listed->public_size);
            memcpy(key->name, listed->name, sizeof(key->name));
            key->created = listed->created;
            key->imported = listed->imported;
        }
    }
}

/* An account that comes from another service: with its profile, so that the next version follows. */
static enum hk_error add_account(struct hk_job *job, struct hk_txn *txn, struct finish *finish)
{
    const struct hk_recovering *run = finish->run;
    struct hk_account account = {.created = hk_now()};
    struct hk_device device;
    struct hk_key key;
    enum hk_error error = HK_INTERNAL;
    memcpy(account.id, job->account, HK_ACCOUNT_BYTES);
    describe_device(&device, finish);
    for (size_t i = 0; i < run->count; i++) {
        if (run->key[i].suite->id == HK_SUITE_ACCOUNT) {
            describe_key(&key, finish, i);
            error = hk_store_put_account(txn, &account, &device, finish->tag, &key, &run->key[i].half);
        }
    }
    for (size_t i = 0; i < run->count && error == HK_OK; i++) {
        if (run->key[i].suite->id != HK_SUITE_ACCOUNT) {
            describe_key(&key, finish, i);
            error = hk_store_put_key(txn, &key, device.serial, &run->key[i].half);
        }
    }
    return error == HK_OK ? hk_store_adopt_profile(txn, job->account, run->profile->version,
                                                   run->profile_hash, run->signed_profile, run->profile_size)
                          : error;
}

static enum hk_error add_device(struct hk_job *job, struct hk_txn *txn, struct finish *finish)
{
    struct hk_device device;
    struct hk_account account;
    enum hk_error error = hk_store_get_account(txn, job->account, &account);
    bool current = error == HK_OK && memcmp(account.profile_hash, finish->run->profile_hash, 32) == 0;
    if (error == HK_OK && !current) {
        error = HK_CONFLICT;
    }
    if (error == HK_OK) {
        error = end_devices(job, txn, finish);
    }
    describe_device(&device, finish);
    return error == HK_OK ? hk_store_add_device(txn, &device, finish->tag, finish->halves, finish->run->count)
                          : error;
}

enum hk_error hk_apply_recover_finish(struct hk_job *job, struct hk_txn *txn)
{
    struct finish *finish = job->state;
    const struct hk_recovering *run = finish->run;
    enum hk_error error = run->is_known ? add_device(job, txn, finish) : add_account(job, txn, finish);
    for (size_t i = 0; i < run->count && error == HK_OK; i++) {
        const struct hk_recovering_key *key = &run->key[i];
        error = hk_store_put_packet(txn, job->account, key->id, run->request.set, key->set_transcript,
                                    key->packet, key->packet_size);
    }
    return error;
}

static void answer(struct hk_job *job)
{
    hk_job_answer(job, HK_OK);
}

bool hk_finish_recover_finish(struct hk_job *job)
{
    struct finish *finish = job->state;
    hk_endings_close(finish->endings, answer);
    return true;
}

#include "keyservice/generation_of_keys.h"

#include <string.h>

#include "keyservice/dispatch.h"
#include "protocol/seam.h"

void hk_generation_sid(uint8_t sid[HK_NAME_BYTES], const struct hk_job *job, const uint8_t *account,
                       const struct hk_suite *suite, const uint8_t *device_key)
{
    struct hk_keygen_names names = {.handshake = HK_BYTES(job->session->handshake_hash, HK_HASH_BYTES),
                                    .request_id = hk_job_bytes(job, HK_F_REQUEST),
                                    .account = HK_BYTES(account, account != NULL ? HK_ACCOUNT_BYTES : 0),
                                    .suite = suite,
                                    .key_id = hk_job_bytes(job, HK_F_KEY),
                                    .device_key = device_key,
                                    .service_key = job->server->keys->static_public};
    hk_keygen_sid(sid, &names);
}

enum hk_error hk_generation_begin(struct hk_job *job, struct hk_run *run, const struct hk_suite *suite,
                                  const uint8_t *device_key)
{
    uint8_t sid[HK_NAME_BYTES];
    hk_generation_sid(sid, job, run->is_account ? NULL : job->device.account, suite, device_key);
    uint8_t *message = hk_job_memory(job, HK_POINT_BYTES_MAX + HK_SCHNORR_BYTES_MAX);
    if (message == NULL) {
        hk_run_release(run);
        return HK_BUSY;
    }
    memcpy(run->key.id, hk_job_bytes(job, HK_F_KEY), HK_ID_BYTES);
    run->key.suite = (uint64_t)suite->id;
    run->key.purpose = (uint64_t)suite->purpose;
    run->key.created = hk_job_number(job, HK_F_CREATED);
    hk_keygen_answer(&run->state, message, message + HK_POINT_BYTES_MAX, suite->group, sid,
                     hk_job_bytes(job, HK_F_COMMITMENT));
    hk_message_set_bytes(&job->answer, HK_F_POINT, message, suite->group->point_bytes);
    hk_message_set_bytes(&job->answer, HK_F_PROOF, message + HK_POINT_BYTES_MAX,
                         suite->group->point_bytes + suite->group->scalar_bytes);
    hk_run_keep(job->session, run);
    return HK_OK;
}

static void generation_free(void *state)
{
    struct hk_generation *generation = state;
    hk_run_release(generation->run);
    hk_secret_free(generation);
}

enum hk_error hk_generation_new(struct hk_job *job, struct hk_generation **generation)
{
    struct hk_generation *made = hk_secret_new(sizeof(*made));
    if (made == NULL) {
        return HK_BUSY;
    }
    job->state = made;
    job->state_free = generation_free;
    *generation = made;
    return HK_OK;
}

enum hk_error hk_generation_finish(struct hk_job *job, bool is_account, struct hk_generation **generation)
{
    struct hk_generation *made;
    struct hk_run *run = hk_run_take(job->session, hk_job_bytes(job, HK_F_KEY));
    if (run == NULL || run->is_account != is_account) {
        hk_run_release(run);
        return HK_UNKNOWN_RUN;
    }
    enum hk_error error = hk_generation_new(job, &made);
    if (error != HK_OK) {
        hk_run_release(run);
        return error;
    }
    made->run = run;
    size_t point = hk_suite_point_bytes(run->key.suite), proof = hk_suite_proof_bytes(run->key.suite);
    bool is_point = hk_job_value(job, HK_F_POINT)->size == point;
    bool is_proof = hk_job_value(job, HK_F_PROOF)->size == proof;
    error = !is_point   ? HK_BAD_POINT
            : !is_proof ? HK_BAD_PROOF
                        : hk_keygen_complete(&made->result, &run->state, hk_job_bytes(job, HK_F_POINT),
                                             hk_job_bytes(job, HK_F_PROOF), hk_job_bytes(job, HK_F_OPENING));
    if (error != HK_OK) {
        return error;
    }
    HK_TELL("s", made->result.half.bytes, hk_suite_scalar_bytes(run->key.suite));
    memcpy(run->key.public_key, made->result.public_key, point);
    memcpy(run->key.transcript, made->result.transcript, 32);
    hk_message_set_bytes(&job->answer, HK_F_TRANSCRIPT, run->key.transcript, 32);
    hk_message_set_bytes(&job->answer, HK_F_PUBLIC, run->key.public_key, point);
    *generation = made;
    return HK_OK;
}

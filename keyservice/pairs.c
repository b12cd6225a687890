#include "keyservice/pairs.h"

#include <stdlib.h>

static enum hk_error read_pair(struct hk_job *job, struct hk_txn *txn, unsigned purposes,
                               struct hk_scalar *half)
{
    enum hk_error error = hk_store_get_key(txn, job->device.account, hk_job_bytes(job, HK_F_KEY), &job->key);
    if (error == HK_OK && (purposes >> job->key.purpose & 1) == 0) {
        error = HK_WRONG_PURPOSE;
    }
    return error == HK_OK ? hk_store_get_half(txn, &job->device, &job->key, half) : error;
}

void hk_pair_keep(struct hk_job *job, const struct hk_scalar *half)
{
    if (job->pair == NULL) {
        struct hk_pair pair = {.device = job->device, .key = job->key, .half = *half};
        HK_WIPE_AT_EXIT(pair);
        hk_store_pair_keep(job->server->store, job->mark, &pair);
    }
}

bool hk_pair_find(struct hk_job *job, struct hk_pair *pair)
{
    uint64_t op = hk_job_number(job, HK_F_OP);
    const uint8_t *key = hk_job_bytes(job, HK_F_KEY);
    bool simple =
        job->session->has_remote_static && key != NULL && !hk_message_has(&job->message, HK_F_REVOCATIONS) &&
        (op == HK_OP_AGREE || (op == HK_OP_SIGN && hk_job_number(job, HK_F_KIND) != HK_SIGN_OBJECT));
    return simple && hk_store_pair_find(job->server->store, job->session->remote_static, key, pair) &&
           pair->device.epoch == hk_job_number(job, HK_F_EPOCH);
}

enum hk_error hk_pair_load(struct hk_job *job, struct hk_txn *txn, unsigned purposes, struct hk_scalar *half)
{
    if (job->pair == NULL) {
        return read_pair(job, txn, purposes, half);
    }
    job->key = job->pair->key;
    if ((purposes >> job->key.purpose & 1) == 0) {
        return HK_WRONG_PURPOSE;
    }
    *half = job->pair->half;
    return HK_OK;
}

enum hk_error hk_pair_list_keys(struct hk_txn *txn, const uint8_t *account, struct hk_key **keys,
                                size_t *count)
{
    struct hk_key *list = calloc(HK_KEYS_MAX, sizeof(*list));
    if (list == NULL) {
        return HK_BUSY;
    }
    enum hk_error error = hk_store_list_keys(txn, account, list, HK_KEYS_MAX, count);
    if (error != HK_OK) {
        free(list);
        return error;
    }
    *keys = list;
    return HK_OK;
}

enum hk_error hk_pair_account_key(struct hk_txn *txn, const uint8_t *account, struct hk_key *key)
{
    struct hk_key *keys;
    size_t count;
    enum hk_error error = hk_pair_list_keys(txn, account, &keys, &count);
    if (error != HK_OK) {
        return error;
    }
    error = HK_UNKNOWN_DEVICE;
    for (size_t i = 0; i < count && error != HK_OK; i++) {
        if (keys[i].purpose == HK_PURPOSE_ACCOUNT) {
            *key = keys[i];
            error = HK_OK;
        }
    }
    free(keys);
    return error;
}

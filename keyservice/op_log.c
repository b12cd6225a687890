/* log-head, log-consistency, log-inclusion, log-leaves: what devices check the service by. */

#include <string.h>

#include "keyservice/dispatch.h"
#include "keyservice/operations.h"

enum hk_error hk_prepare_log_head(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_log_head head;
    struct hk_signed_head *signed_head = hk_job_memory(job, sizeof(*signed_head));
    if (signed_head == NULL) {
        return HK_BUSY;
    }
    enum hk_error error = hk_log_read_head(txn, job->device.account, &head);
    if (error != HK_OK) {
        return error;
    }
    hk_log_sign(signed_head, &head, job->device.account, job->server->keys, hk_now());
    hk_message_set_u64(&job->answer, HK_F_GENERATION, signed_head->head.generation);
    hk_message_set_u64(&job->answer, HK_F_SIZE, signed_head->head.size);
    hk_message_set_bytes(&job->answer, HK_F_ROOT, signed_head->head.root, 32);
    hk_message_set_u64(&job->answer, HK_F_TIME, signed_head->head.time);
    hk_message_set_bytes(&job->answer, HK_F_SIGNATURE, signed_head->signature, 64);
    return HK_OK;
}

typedef enum hk_error proof(struct hk_txn *txn, const uint8_t *account, uint64_t generation, uint64_t start,
                            uint64_t size, uint8_t (*hashes)[32], size_t *count);

static enum hk_error put_proof(struct hk_job *job, struct hk_txn *txn, proof *prove)
{
    uint8_t(*hashes)[32] = hk_job_memory(job, HK_MERKLE_PROOF_MAX * 32);
    size_t count;
    enum hk_error error =
        hashes == NULL ? HK_BUSY
                       : prove(txn, job->device.account, hk_job_number(job, HK_F_GENERATION),
                               hk_job_number(job, HK_F_START), hk_job_number(job, HK_F_SIZE), hashes, &count);
    if (error == HK_OK) {
        hk_message_set_array(&job->answer, HK_F_HASHES, hashes, 32, count);
    }
    return error;
}

enum hk_error hk_prepare_log_consistency(struct hk_job *job, struct hk_txn *txn)
{
    return put_proof(job, txn, hk_log_consistency);
}

enum hk_error hk_prepare_log_inclusion(struct hk_job *job, struct hk_txn *txn)
{
    return put_proof(job, txn, hk_log_inclusion);
}

#define LEAVES_BYTES 60000 /* with their heads they fit into a message */

enum hk_error hk_prepare_log_leaves(struct hk_job *job, struct hk_txn *txn)
{
    uint8_t *data = hk_job_memory(job, LEAVES_BYTES);
    struct hk_bytes *leaves = hk_job_memory(job, HK_ITEMS_MAX * sizeof(*leaves));
    uint64_t count = hk_job_number(job, HK_F_COUNT);
    size_t found;
    if (data == NULL || leaves == NULL) {
        return HK_BUSY;
    }
    enum hk_error error = hk_log_read_leaves(
        txn, job->device.account, hk_job_number(job, HK_F_GENERATION), hk_job_number(job, HK_F_START),
        count < HK_ITEMS_MAX ? count : HK_ITEMS_MAX, data, LEAVES_BYTES, leaves, &found);
    if (error == HK_OK) {
        hk_message_set_list(&job->answer, HK_F_LEAVES, leaves, found);
    }
    return error;
}

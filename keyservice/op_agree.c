/* agree: the service's share of up to 256 key agreements of one key, proved if asked. */

#include <string.h>

#include "crypto/agreement.h"
#include "crypto/dleq.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"
#include "protocol/sid.h"

#define POINT HK_AGREE_POINT_BYTES

static enum hk_error prove(struct hk_job *job, const struct hk_scalar *half, const struct hk_scalar *eighth,
                           const uint8_t *points, const uint8_t *shares, size_t count)
{
    uint8_t sid[HK_NAME_BYTES];
    hk_sid_operation(sid, HK_OP_AGREE, job->session->handshake_hash, hk_job_bytes(job, HK_F_REQUEST),
                     job->device.account, job->device.serial, job->key.id, job->device.epoch);
    struct hk_point service;
    hk_edwards25519.base_mul(&service, half);
    struct hk_dleq_statement statement = {.group = &hk_edwards25519,
                                          .cofactor = 8,
                                          .sid = HK_BYTES(sid, sizeof(sid)),
                                          .account = HK_BYTES(job->device.account, HK_ACCOUNT_BYTES),
                                          .key_id = HK_BYTES(job->key.id, HK_ID_BYTES),
                                          .epoch = job->device.epoch,
                                          .service = service.bytes};
    uint8_t *proofs = hk_job_memory(job, count * HK_DLEQ_ED25519_BYTES);
    enum hk_error error = proofs != NULL ? HK_OK : HK_BUSY;
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        statement.point = points + i * POINT;
        statement.answer = shares + i * POINT;
        error = hk_dleq_prove(proofs + i * HK_DLEQ_ED25519_BYTES, &statement, eighth);
    }
    if (error == HK_OK) {
        hk_message_set_array(&job->answer, HK_F_PROOFS, proofs, HK_DLEQ_ED25519_BYTES, count);
    }
    return error;
}

enum hk_error hk_prepare_agree(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_scalar half, eighth;
    HK_WIPE_AT_EXIT(half);
    HK_WIPE_AT_EXIT(eighth);
    const struct hk_value *list = hk_job_value(job, HK_F_POINTS);
    if (list->count == 0 || list->count > HK_AGREE_POINTS_MAX) {
        return HK_TOO_LARGE;
    }
    enum hk_error error = hk_pair_load(job, txn, 1U << HK_PURPOSE_AGREE, &half);
    uint8_t *points = hk_job_memory(job, 2 * list->count * POINT);
    if (error == HK_OK && points == NULL) {
        error = HK_BUSY;
    }
    for (size_t i = 0; i < list->count && error == HK_OK; i++) {
        if (list->items[i].size != POINT) {
            error = HK_BAD_POINT;
        } else {
            memcpy(points + i * POINT, list->items[i].data, POINT);
        }
    }
    if (error != HK_OK) {
        return error;
    }
    uint8_t *shares = points + list->count * POINT;
    hk_agree_eighth(&eighth, &half);
    error = hk_agree_share(shares, &eighth, points, list->count);
    if (error == HK_OK) {
        hk_message_set_array(&job->answer, HK_F_POINTS, shares, POINT, list->count);
    }
    if (error == HK_OK && hk_job_number(job, HK_F_PROVE) != 0) {
        error = prove(job, &half, &eighth, points, shares, list->count);
    }
    return error;
}

/* agree: the service's share of up to 256 key agreements of one key, proved if asked. */

#include <string.h>

#include "crypto/agreement.h"
#include "crypto/dleq.h"
#include "crypto/suite.h"
#include "keyservice/operations.h"
#include "keyservice/pairs.h"
#include "protocol/sid.h"

/* What one request is made of, at the key's lengths. */
struct work {
    const struct hk_agreement *agreement;
    size_t count;
    const uint8_t *points;
    uint8_t *shares;
};

static enum hk_error prove(struct hk_job *job, const struct work *work, const struct hk_scalar *half,
                           const struct hk_scalar *part)
{
    const struct hk_group *group = work->agreement->group;
    size_t point = group->point_bytes, size = 2 * point + group->scalar_bytes;
    uint8_t sid[HK_NAME_BYTES];
    hk_sid_operation(sid, HK_OP_AGREE, job->session->handshake_hash, hk_job_bytes(job, HK_F_REQUEST),
                     job->device.account, job->device.serial, job->key.id, job->device.epoch);
    struct hk_point service;
    group->base_mul(&service, half);
    struct hk_dleq_statement statement = {.group = group,
                                          .cofactor = work->agreement->cofactor,
                                          .sid = HK_BYTES(sid, sizeof(sid)),
                                          .account = HK_BYTES(job->device.account, HK_ACCOUNT_BYTES),
                                          .key_id = HK_BYTES(job->key.id, HK_ID_BYTES),
                                          .epoch = job->device.epoch,
                                          .service = service.bytes};
    uint8_t *proofs = hk_job_memory(job, work->count * size);
    enum hk_error error = proofs != NULL ? HK_OK : HK_BUSY;
    for (size_t i = 0; i < work->count && error == HK_OK; i++) {
        statement.point = work->points + i * point;
        statement.answer = work->shares + i * point;
        error = hk_dleq_prove(proofs + i * size, &statement, part);
    }
    if (error == HK_OK) {
        hk_message_set_array(&job->answer, HK_F_PROOFS, proofs, size, work->count);
    }
    return error;
}

/* The points one after the other, and room for the answer. */
static enum hk_error read_points(struct hk_job *job, struct work *work)
{
    const struct hk_value *list = hk_job_value(job, HK_F_POINTS);
    size_t point = work->agreement->group->point_bytes;
    uint8_t *points = hk_job_memory(job, 2 * list->count * point);
    if (points == NULL) {
        return HK_BUSY;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].size != point) {
            return HK_BAD_POINT;
        }
        memcpy(points + i * point, list->items[i].data, point);
    }
    work->count = list->count;
    work->points = points;
    work->shares = points + list->count * point;
    return HK_OK;
}

enum hk_error hk_prepare_agree(struct hk_job *job, struct hk_txn *txn)
{
    struct hk_scalar half, part;
    struct work work;
    HK_WIPE_AT_EXIT(half);
    HK_WIPE_AT_EXIT(part);
    const struct hk_value *list = hk_job_value(job, HK_F_POINTS);
    if (list->count == 0 || list->count > HK_AGREE_POINTS_MAX) {
        return HK_TOO_LARGE;
    }
    enum hk_error error = hk_pair_load(job, txn, 1U << HK_PURPOSE_AGREE, &half);
    if (error != HK_OK) {
        return error;
    }
    hk_pair_keep(job, &half);
    const struct hk_suite *suite = hk_suite_by_id(job->key.suite);
    work.agreement = suite != NULL ? suite->agreement : NULL;
    error = work.agreement != NULL ? read_points(job, &work) : HK_WRONG_PURPOSE;
    if (error != HK_OK) {
        return error;
    }
    hk_agree_part(work.agreement, &part, &half);
    error = hk_agree_share(work.agreement, work.shares, &part, work.points, work.count);
    if (error == HK_OK) {
        hk_message_set_array(&job->answer, HK_F_POINTS, work.shares, work.agreement->group->point_bytes,
                             work.count);
    }
    if (error == HK_OK && hk_job_number(job, HK_F_PROVE) != 0) {
        error = prove(job, &work, &half, &part);
    }
    return error;
}

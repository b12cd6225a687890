#include "keyservice/enrolment_keys.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/enrolment.h"
#include "protocol/seam.h"

static struct hk_enrol_key public_part(const struct hk_enrolment_key *key)
{
    struct hk_enrol_key part = {
        .id = key->id, .suite = hk_suite_by_id(key->suite), .public_key = key->public_key};
    memcpy(part.administrator.kept, key->kept[0], HK_POINT_BYTES_MAX);
    memcpy(part.administrator.passed, key->passed[0], HK_POINT_BYTES_MAX);
    memcpy(part.service.kept, key->kept[1], HK_POINT_BYTES_MAX);
    memcpy(part.service.passed, key->passed[1], HK_POINT_BYTES_MAX);
    return part;
}

enum hk_error hk_enrolment_transcript(struct hk_server *server, struct hk_open_enrolment *enrolment)
{
    struct hk_enrol_key *keys = calloc(enrolment->count + 1, sizeof(*keys));
    if (keys == NULL) {
        return HK_BUSY;
    }
    struct hk_enrolment public = {.account = enrolment->record.account,
                                  .administrator = enrolment->admin,
                                  .device = enrolment->record.serial,
                                  .service_key = server->keys->static_public,
                                  .record = enrolment->record_name,
                                  .invitation = enrolment->record.gate_hash,
                                  .epoch = enrolment->admin_epoch};
    for (size_t i = 0; i < enrolment->count; i++) {
        keys[i] = public_part(&enrolment->key[i]);
    }
    enum hk_error error = hk_enrol_transcript(enrolment->transcript, &public, keys, enrolment->count);
    free(keys);
    return error;
}

enum hk_error hk_enrolment_put_commitments(struct hk_job *job, const struct hk_open_enrolment *enrolment)
{
    size_t count = enrolment->count, size = HK_POINT_BYTES_MAX;
    uint8_t *kept = hk_job_memory(job, 2 * count * size + 1);
    if (kept == NULL) {
        return HK_BUSY;
    }
    uint8_t *passed = kept + count * size;
    hk_message_set_list(&job->answer, HK_F_KEPT, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        memcpy(kept + i * size, enrolment->key[i].kept[1], size);
        hk_message_append(&job->answer, HK_F_KEPT, kept + i * size,
                          hk_suite_point_bytes(enrolment->key[i].suite));
    }
    hk_message_set_list(&job->answer, HK_F_PASSED, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        memcpy(passed + i * size, enrolment->key[i].passed[1], size);
        hk_message_append(&job->answer, HK_F_PASSED, passed + i * size,
                          hk_suite_point_bytes(enrolment->key[i].suite));
    }
    return HK_OK;
}

enum hk_error hk_enrolment_check(const struct hk_open_enrolment *enrolment, size_t place,
                                 const uint8_t *proof)
{
    struct hk_enrol_key key = public_part(&enrolment->key[place]);
    return hk_enrol_check(&key, enrolment->transcript, &enrolment->key[place].half, proof);
}

enum hk_error hk_enrolment_deal(struct hk_job *job, struct hk_txn *txn, const struct hk_key *key,
                                size_t place, struct hk_enrolment_key *out)
{
    struct hk_scalar half;
    HK_WIPE_AT_EXIT(half);
    struct hk_enrol_commitments given = {{0}, {0}}, own = {{0}, {0}};
    const struct hk_bytes *kept = &hk_job_value(job, HK_F_KEPT)->items[place],
                          *passed = &hk_job_value(job, HK_F_PASSED)->items[place],
                          *subshare = &hk_job_value(job, HK_F_SUBSHARES)->items[place];
    const struct hk_suite *suite = hk_suite_by_id(key->suite);
    if (suite == NULL) {
        return HK_INTERNAL;
    }
    if (kept->size != suite->group->point_bytes || passed->size != suite->group->point_bytes) {
        return HK_BAD_POINT;
    }
    if (subshare->size != suite->group->scalar_bytes) {
        return HK_BAD_PROOF;
    }
    memcpy(given.kept, kept->data, kept->size);
    memcpy(given.passed, passed->data, passed->size);
    enum hk_error error = hk_store_get_half(txn, &job->device, key, &half);
    if (error == HK_OK) {
        error = hk_enrol_deal(&own, &out->share, &out->half, suite->group, key->public_key, &half, &given,
                              subshare->data);
    }
    if (error == HK_OK) {
        HK_TELL("b", out->share.bytes, 32);
        HK_TELL("t", out->half.bytes, 32);
        memcpy(out->id, key->id, HK_ID_BYTES);
        out->suite = key->suite;
        memcpy(out->public_key, key->public_key, sizeof(out->public_key));
        memcpy(out->kept[0], given.kept, sizeof(out->kept[0]));
        memcpy(out->passed[0], given.passed, sizeof(out->passed[0]));
        memcpy(out->kept[1], own.kept, sizeof(out->kept[1]));
        memcpy(out->passed[1], own.passed, sizeof(out->passed[1]));
    }
    return error;
}

/* recovery-deal, recovery-fetch: the account's recovery set. */

#include <stdlib.h>
#include <string.h>

#include "keyservice/operations.h"
#include "keyservice/pairs.h"
#include "protocol/recovery.h"

/* What is dealt, in memory from hk_secret_new. */
struct work {
    struct hk_recovery_packet packet;
    struct hk_recovery_key key;
    uint8_t holders[HK_RECOVERY_HOLDERS][32];
    struct hk_scalar half, subshares[HK_RECOVERY_HOLDERS];
    uint8_t transcript[HK_NAME_BYTES], encoded[HK_RECOVERY_PACKET_MAX];
    size_t size;
};

static enum hk_error read_deal(struct hk_job *job, struct work *work, const struct hk_suite *suite)
{
    const struct hk_value *holders = hk_job_value(job, HK_F_HOLDERS),
                          *points = hk_job_value(job, HK_F_COMMITMENTS),
                          *sealed = hk_job_value(job, HK_F_SEALED);
    uint64_t threshold = hk_job_number(job, HK_F_THRESHOLD);
    struct hk_recovery_packet *packet = &work->packet;
    if (holders->count < 2 || holders->count > HK_RECOVERY_HOLDERS || threshold < 2 ||
        threshold > holders->count || sealed->count != holders->count || points->count != threshold) {
        return HK_BAD_ENCODING;
    }
    memcpy(packet->set, hk_job_bytes(job, HK_F_SET), HK_ID_BYTES);
    memcpy(packet->key, job->key.id, HK_ID_BYTES);
    memcpy(packet->device, job->device.serial, HK_ID_BYTES);
    memcpy(packet->service_key, job->server->keys->static_public, 32);
    packet->suite = job->key.suite;
    packet->epoch = job->device.epoch;
    memcpy(packet->public_key, job->key.public_key, suite->group->point_bytes);
    packet->holders = holders->count;
    packet->dealings[HK_OF_DEVICE].count = points->count;
    for (size_t i = 0; i < points->count; i++) {
        if (points->items[i].size != suite->group->point_bytes) {
            return HK_BAD_POINT;
        }
        memcpy(packet->dealings[HK_OF_DEVICE].commitments[i], points->items[i].data, points->items[i].size);
    }
    for (size_t i = 0; i < holders->count; i++) {
        memcpy(work->holders[i], holders->items[i].data, 32);
        memcpy(packet->sealed[HK_OF_DEVICE][i], sealed->items[i].data, HK_SEALED_SHARE_BYTES);
    }
    work->key = (struct hk_recovery_key){.id = packet->key,
                                         .suite = suite,
                                         .public_key = packet->public_key,
                                         .set = packet->set,
                                         .device = packet->device,
                                         .service_key = packet->service_key,
                                         .epoch = packet->epoch,
                                         .threshold = (size_t)threshold,
                                         .count = holders->count,
                                         .holders = (const uint8_t(*)[32])work->holders};
    return HK_OK;
}

/* The device's dealing against X - S, then ours; what goes to a holder is sealed to it at once. */
static enum hk_error deal(struct work *work)
{
    const struct hk_group *group = work->key.suite->group;
    struct hk_point x, point;
    enum hk_error error = group->point_decode(&x, work->packet.public_key);
    if (error != HK_OK) {
        return HK_INTERNAL;
    }
    group->base_mul(&point, &work->half);
    HK_PUBLIC(point); /* S */
    group->point_sub(&point, &x, &point);
    error = hk_recovery_check(&work->key, &work->packet.dealings[HK_OF_DEVICE], &point);
    if (error == HK_OK) {
        error =
            hk_recovery_deal(&work->packet.dealings[HK_OF_SERVICE], work->subshares, &work->key, &work->half);
    }
    for (size_t i = 0; i < work->key.count && error == HK_OK; i++) {
        uint8_t context[HK_NAME_BYTES];
        hk_recovery_seal_context(context, &work->key, HK_OF_SERVICE, i + 1);
        error = hk_sealed_share_seal(work->packet.sealed[HK_OF_SERVICE][i], work->subshares[i].bytes,
                                     work->holders[i], context);
    }
    if (error == HK_OK) {
        error = hk_recovery_transcript(work->transcript, &work->key, work->packet.dealings);
    }
    return error == HK_OK
               ? hk_recovery_packet_encode(&work->packet, work->encoded, sizeof(work->encoded), &work->size)
               : error;
}

enum hk_error hk_prepare_recovery_deal(struct hk_job *job, struct hk_txn *txn)
{
    struct work *work = hk_secret_new(sizeof(*work));
    job->state = work;
    job->state_free = hk_secret_free;
    if (work == NULL) {
        return HK_BUSY;
    }
    enum hk_error error = hk_store_get_key(txn, job->device.account, hk_job_bytes(job, HK_F_KEY), &job->key);
    if (error == HK_OK) {
        error = hk_store_get_half(txn, &job->device, &job->key, &work->half);
    }
    const struct hk_suite *suite = error == HK_OK ? hk_suite_by_id(job->key.suite) : NULL;
    if (error == HK_OK) {
        error = suite != NULL ? read_deal(job, work, suite) : HK_INTERNAL;
    }
    if (error == HK_OK) {
        error = deal(work);
    }
    hk_wipe(&work->half, sizeof(work->half));
    hk_wipe(work->subshares, sizeof(work->subshares));
    if (error != HK_OK) {
        return error;
    }
    hk_message_set_list(&job->answer, HK_F_COMMITMENTS, NULL, 0);
    for (size_t i = 0; i < work->key.threshold; i++) {
        hk_message_append(&job->answer, HK_F_COMMITMENTS, work->packet.dealings[HK_OF_SERVICE].commitments[i],
                          suite->group->point_bytes);
    }
    hk_message_set_array(&job->answer, HK_F_SEALED, work->packet.sealed[HK_OF_SERVICE], HK_SEALED_SHARE_BYTES,
                         work->key.count);
    return HK_OK;
}

/* The halves may have been refreshed since they were read. */
enum hk_error hk_apply_recovery_deal(struct hk_job *job, struct hk_txn *txn)
{
    struct work *work = job->state;
    if (job->device.pending_epoch != 0 || job->device.epoch != work->packet.epoch) {
        return HK_LOCKED;
    }
    return hk_store_put_packet(txn, job->device.account, work->packet.key, work->packet.set, work->transcript,
                               work->encoded, work->size);
}

/* ---- fetch ---- */

#define FETCH_BYTES 56000

static enum hk_error put_packets(struct hk_job *job, struct hk_txn *txn, const uint8_t *account,
                                 const uint8_t *set)
{
    uint64_t start = hk_job_number(job, HK_F_START);
    uint8_t *room = hk_job_memory(job, FETCH_BYTES + HK_STORE_PACKET_MAX);
    if (room == NULL || start > HK_KEYS_MAX) {
        return room == NULL ? HK_BUSY : HK_BAD_ENCODING;
    }
    enum hk_error error = HK_OK;
    hk_message_set_list(&job->answer, HK_F_PACKETS, NULL, 0);
    for (size_t used = 0; used < FETCH_BYTES && error == HK_OK; start++) {
        size_t size;
        error = hk_store_get_packet(txn, account, set, start, room + used, &size);
        if (error == HK_OK) {
            hk_message_append(&job->answer, HK_F_PACKETS, room + used, size);
            used += size;
        }
    }
    return error == HK_NOT_FOUND ? HK_OK : error;
}

enum hk_error hk_prepare_recovery_fetch(struct hk_job *job, struct hk_txn *txn)
{
    const uint8_t *account = hk_job_bytes(job, HK_F_ACCOUNT);
    struct hk_profile *profile = malloc(sizeof(*profile));
    uint8_t *signed_profile = malloc(HK_STORE_PROFILE_MAX);
    struct hk_key key;
    size_t size;
    enum hk_error error = profile == NULL || signed_profile == NULL ? HK_BUSY : HK_OK;
    if (error == HK_OK) {
        error = hk_store_get_profile(txn, account, signed_profile, HK_STORE_PROFILE_MAX, &size);
    }
    if (error == HK_OK) {
        error = hk_pair_account_key(txn, account, &key);
    }
    if (error == HK_OK) {
        error = hk_profile_open(profile, signed_profile, size, key.public_key);
        error = error == HK_OK && profile->recovery.count == 0 ? HK_NOT_FOUND : error;
    }
    if (error == HK_OK) {
        error = put_packets(job, txn, account, profile->recovery.id);
    }
    free(profile);
    free(signed_profile);
    return error == HK_NOT_FOUND ? HK_UNKNOWN_DEVICE : error; /* no account, no set: the same */
}

#include "device/holder.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/object_fields.h"
#include "protocol/cose.h"

/* One key's share while it is open. In memory from hk_secret_new. */
struct opened {
    struct hk_recovery_packet packet;
    struct hk_recovery_key key;
    uint8_t holders[HK_RECOVERY_HOLDERS][32];
    struct hk_scalar subshares[2], share, parts[2];
    struct hk_secret32 shared;
};

/* ---- the set ---- */

static enum hk_error open_profile(struct hk_holder_set *set)
{
    struct hk_cose parts;
    struct hk_profile_names names;
    enum hk_error error = hk_cose_parse(&parts, set->file.profile.data, set->file.profile.size);
    if (error == HK_OK) {
        error = hk_profile_names(&names, parts.payload.data, parts.payload.size);
    }
    if (error == HK_OK) {
        error = hk_profile_open_named(&set->profile, set->file.profile.data, set->file.profile.size,
                                      names.account);
    }
    if (error == HK_OK) {
        hk_object_hash(set->profile_hash, set->file.profile.data, set->file.profile.size);
        error = set->profile.recovery.count != 0 ? HK_OK : HK_NOT_FOUND;
    }
    return error;
}

/* Every key that the profile says to be in the set, and the account's own, once each. */
static enum hk_error check_packets(const struct hk_holder_set *set)
{
    struct hk_recovery_packet *packet = malloc(sizeof(*packet));
    size_t expected = 1;
    uint8_t last[HK_ID_BYTES] = {0};
    enum hk_error error = packet != NULL ? HK_OK : HK_NO_MEMORY;
    for (size_t i = 0; i < set->profile.key_count; i++) {
        expected += set->profile.keys[i].in_set;
    }
    for (size_t i = 0; i < set->file.count && error == HK_OK; i++) {
        error = hk_recovery_packet_decode(packet, set->file.packets[i].data, set->file.packets[i].size);
        if (error == HK_OK) {
            error = hk_recovery_packet_check(packet, &set->profile);
        }
        if (error == HK_OK && i > 0 && memcmp(last, packet->key, HK_ID_BYTES) >= 0) {
            error = HK_BAD_ENCODING;
        }
        memcpy(last, packet->key, HK_ID_BYTES);
    }
    free(packet);
    return error == HK_OK && set->file.count != expected ? HK_NOT_FOUND : error;
}

enum hk_error hk_holder_set_read(struct hk_holder_set **out, uint8_t *bytes, size_t size)
{
    struct hk_holder_set *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        free(bytes);
        return HK_NO_MEMORY;
    }
    set->bytes = bytes;
    set->size = size;
    enum hk_error error = hk_recovery_file_decode(&set->file, bytes, size);
    if (error == HK_OK) {
        error = open_profile(set);
    }
    if (error == HK_OK) {
        error = check_packets(set);
    }
    if (error != HK_OK) {
        hk_holder_set_free(set);
        return error;
    }
    *out = set;
    return HK_OK;
}

void hk_holder_set_free(struct hk_holder_set *set)
{
    if (set != NULL) {
        free(set->bytes);
    }
    free(set);
}

uint64_t hk_holder_index(const struct hk_recovery_set *set, const uint8_t public_key[32])
{
    for (size_t i = 0; i < set->count; i++) {
        if (memcmp(set->holders[i].key, public_key, 32) == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* ---- opening ---- */

static enum hk_error open_one(struct opened *opened, const struct hk_holder_opener *opener, uint64_t index,
                              enum hk_recovery_side side)
{
    const uint8_t *sealed = opened->packet.sealed[side][index - 1];
    uint8_t context[HK_NAME_BYTES];
    struct hk_secret32 scalar;
    HK_WIPE_AT_EXIT(scalar);
    hk_recovery_seal_context(context, &opened->key, side, index);
    enum hk_error error = opener->agree(opener->argument, &opened->shared, sealed);
    if (error == HK_OK) {
        error =
            hk_sealed_share_open_shared(scalar.bytes, sealed, &opened->shared, opener->public_key, context);
    }
    return error == HK_OK ? opened->key.suite->group->scalar_decode(&opened->subshares[side], scalar.bytes)
                          : error;
}

static enum hk_error open_share(struct opened *opened, const struct hk_holder_set *set, size_t place,
                                const struct hk_holder_opener *opener, uint64_t index)
{
    const struct hk_bytes *bytes = &set->file.packets[place];
    enum hk_error error = hk_recovery_packet_decode(&opened->packet, bytes->data, bytes->size);
    if (error == HK_OK) {
        error =
            hk_recovery_packet_key(&opened->key, opened->holders, &opened->packet, &set->profile.recovery);
    }
    for (int side = 0; side < 2 && error == HK_OK; side++) {
        error = open_one(opened, opener, index, (enum hk_recovery_side)side);
    }
    return error == HK_OK ? hk_recovery_receive(&opened->share, &opened->key, (size_t)index - 1,
                                                opened->packet.dealings, opened->subshares)
                          : error;
}

enum hk_error hk_holder_test(const struct hk_holder_set *set, const struct hk_holder_opener *opener,
                             uint64_t index, size_t *failed)
{
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < set->file.count && error == HK_OK; i++) {
        struct opened *opened = hk_secret_new(sizeof(*opened));
        error = opened != NULL ? open_share(opened, set, i, opener, index) : HK_NO_MEMORY;
        hk_secret_free(opened);
        *failed = i;
    }
    return error;
}

/* ---- giving ---- */

static enum hk_error give_one(struct hk_recovery_part *part, struct opened *opened,
                              const struct hk_recovery_request *request, const uint8_t hash[32], size_t which)
{
    struct hk_recover_run run;
    const uint8_t *receivers[2] = {request->device_key, request->service_key};
    hk_recovery_request_run(&run, request, hash);
    enum hk_error error =
        hk_recover_give(&part->dealing, opened->parts, &opened->key, &run, which, &opened->share);
    memcpy(part->key, opened->packet.key, HK_ID_BYTES);
    part->point_bytes = opened->key.suite->group->point_bytes;
    for (int side = 0; side < 2 && error == HK_OK; side++) {
        uint8_t context[HK_NAME_BYTES];
        hk_recover_seal_context(context, hash, part->key, request->index[which], (enum hk_recovery_side)side);
        error = hk_sealed_share_seal(part->sealed[side], opened->parts[side].bytes, receivers[side], context);
    }
    return error;
}

/* The holder's place among those that are asked. */
static enum hk_error check_request(const struct hk_holder_set *set, const struct hk_recovery_request *request,
                                   uint64_t index, size_t *which)
{
    bool same = memcmp(request->account, set->profile.account, HK_ACCOUNT_BYTES) == 0 &&
                memcmp(request->set, set->profile.recovery.id, HK_ID_BYTES) == 0 &&
                memcmp(request->profile_hash, set->profile_hash, 32) == 0 &&
                request->count == set->profile.recovery.threshold;
    if (!same) {
        return HK_CONFLICT;
    }
    for (size_t i = 0; i < request->count; i++) {
        if (request->index[i] == index) {
            *which = i;
            return HK_OK;
        }
    }
    return HK_NOT_FOUND;
}

enum hk_error hk_holder_give(const struct hk_holder_set *set, const struct hk_holder_opener *opener,
                             uint64_t index, const void *request_bytes, size_t request_size, uint8_t *out,
                             size_t *size)
{
    struct hk_recovery_request request;
    size_t which = 0;
    struct hk_recovery_contribution *made = calloc(1, sizeof(*made));
    enum hk_error error =
        made != NULL ? hk_recovery_request_decode(&request, request_bytes, request_size) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = check_request(set, &request, index, &which);
    }
    if (error == HK_OK) {
        hk_recovery_request_hash(made->request, request_bytes, request_size);
        made->index = index;
        made->count = set->file.count;
    }
    for (size_t i = 0; error == HK_OK && i < set->file.count; i++) {
        struct opened *opened = hk_secret_new(sizeof(*opened));
        error = opened != NULL ? open_share(opened, set, i, opener, index) : HK_NO_MEMORY;
        if (error == HK_OK) {
            error = give_one(&made->parts[i], opened, &request, made->request, which);
        }
        hk_secret_free(opened);
    }
    if (error == HK_OK) {
        error = hk_recovery_contribution_encode(made, out, HK_RECOVERY_CONTRIBUTION_MAX, size);
    }
    free(made);
    return error;
}

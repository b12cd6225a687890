/* recovery create, recovery export: a set is dealt, signed into the profile, and kept beside the state. */
#include "device/recovery_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"
#include "device/cmd.h"
#include "protocol/seam.h"

/* ---- dealing one key ---- */

/* In memory from hk_secret_new. */
struct dealing {
    struct hk_recovery_key key;
    uint8_t holders[HK_RECOVERY_HOLDERS][32];
    struct hk_dealing dealings[2];
    struct hk_scalar subshares[HK_RECOVERY_HOLDERS];
    uint8_t sealed[HK_RECOVERY_HOLDERS][HK_SEALED_SHARE_BYTES];
};

static enum hk_error deal_own(struct hk_core *core, struct dealing *dealing,
                              const struct hk_recovery_set *set, const struct hk_state_key *key)
{
    for (size_t i = 0; i < set->count; i++) {
        memcpy(dealing->holders[i], set->holders[i].key, 32);
    }
    dealing->key = (struct hk_recovery_key){.id = key->id,
                                            .suite = hk_suite_by_id(key->suite),
                                            .public_key = key->public_key,
                                            .set = set->id,
                                            .device = core->state->serial,
                                            .service_key = core->state->service_key,
                                            .epoch = core->state->epoch,
                                            .threshold = set->threshold,
                                            .count = set->count,
                                            .holders = (const uint8_t(*)[32])dealing->holders};
    enum hk_error error =
        hk_recovery_deal(&dealing->dealings[HK_OF_DEVICE], dealing->subshares, &dealing->key, &key->half);
    for (size_t i = 0; i < set->count && error == HK_OK; i++) {
        uint8_t context[HK_NAME_BYTES];
        hk_recovery_seal_context(context, &dealing->key, HK_OF_DEVICE, i + 1);
        error = hk_sealed_share_seal(dealing->sealed[i], dealing->subshares[i].bytes, dealing->holders[i],
                                     context);
    }
    return error;
}

/* The service's dealing against S, which this device knows. What is sealed to the holders only they can
 * judge. */
static enum hk_error take_dealing(struct dealing *dealing, const struct hk_state_key *key,
                                  const struct hk_exchange *exchange)
{
    const struct hk_group *group = dealing->key.suite->group;
    const struct hk_value *points = &exchange->answer.value[HK_F_COMMITMENTS];
    struct hk_dealing *theirs = &dealing->dealings[HK_OF_SERVICE];
    struct hk_point service_point;
    if (points->count != dealing->key.threshold ||
        exchange->answer.value[HK_F_SEALED].count != dealing->key.count) {
        return HK_BAD_PEER;
    }
    theirs->count = points->count;
    for (size_t i = 0; i < points->count; i++) {
        if (points->items[i].size != group->point_bytes) {
            return HK_BAD_POINT;
        }
        memcpy(theirs->commitments[i], points->items[i].data, group->point_bytes);
    }
    enum hk_error error = group->point_decode(&service_point, key->service_point);
    return error == HK_OK ? hk_recovery_check(&dealing->key, theirs, &service_point) : error;
}

static enum hk_error ask_to_deal(struct hk_core *core, struct dealing *dealing,
                                 const struct hk_recovery_set *set, const struct hk_state_key *key)
{
    const struct hk_dealing *own = &dealing->dealings[HK_OF_DEVICE];
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_RECOVERY_DEAL);
    struct hk_message *request = &exchange->request;
    hk_message_set_bytes(request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_bytes(request, HK_F_SET, set->id, HK_ID_BYTES);
    hk_message_set_u64(request, HK_F_THRESHOLD, set->threshold);
    hk_message_set_array(request, HK_F_HOLDERS, dealing->holders, 32, set->count);
    hk_message_set_list(request, HK_F_COMMITMENTS, NULL, 0);
    for (size_t i = 0; i < own->count; i++) {
        hk_message_append(request, HK_F_COMMITMENTS, own->commitments[i],
                          dealing->key.suite->group->point_bytes);
    }
    hk_message_set_array(request, HK_F_SEALED, dealing->sealed, HK_SEALED_SHARE_BYTES, set->count);
    error = hk_client_call(core->client, exchange);
    if (error == HK_OK) {
        error = take_dealing(dealing, key, exchange);
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

enum hk_error hk_recovery_deal_key(struct hk_core *core, const struct hk_recovery_set *set,
                                   const struct hk_state_key *key, uint8_t transcript[32])
{
    struct dealing *dealing = hk_secret_new(sizeof(*dealing));
    enum hk_error error = dealing != NULL ? deal_own(core, dealing, set, key) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = ask_to_deal(core, dealing, set, key);
    }
    if (error == HK_OK) {
        error = hk_recovery_transcript(transcript, &dealing->key, dealing->dealings);
    }
    hk_secret_free(dealing);
    return error;
}

/* ---- the set as a file ---- */

/* What is fetched, as it grows. */
struct fetched {
    struct hk_recovery_file file;
    uint8_t *memory, *encoded;
    size_t used;
};

static enum hk_error take_packets(struct fetched *fetched, const struct hk_value *packets)
{
    for (size_t i = 0; i < packets->count; i++) {
        const struct hk_bytes *item = &packets->items[i];
        if (fetched->file.count == HK_KEYS_MAX || fetched->used + item->size > HK_RECOVERY_SET_MAX) {
            return HK_BAD_PEER;
        }
        memcpy(fetched->memory + fetched->used, item->data, item->size);
        fetched->file.packets[fetched->file.count++] = HK_BYTES(fetched->memory + fetched->used, item->size);
        fetched->used += item->size;
    }
    return HK_OK;
}

static enum hk_error fetch_packets(struct hk_core *core, struct hk_link *link, const uint8_t *account,
                                   struct fetched *fetched)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    bool more = error == HK_OK;
    while (more && error == HK_OK) {
        hk_exchange_start(exchange, HK_OP_RECOVERY_FETCH);
        hk_message_set_bytes(&exchange->request, HK_F_ACCOUNT, account, HK_ACCOUNT_BYTES);
        hk_message_set_u64(&exchange->request, HK_F_START, fetched->file.count);
        error = link != NULL ? hk_link_call(link, exchange) : hk_client_call(core->client, exchange);
        if (error == HK_OK) {
            more = exchange->answer.value[HK_F_PACKETS].count != 0;
            error = take_packets(fetched, &exchange->answer.value[HK_F_PACKETS]);
        }
    }
    hk_exchange_free(core->client, exchange);
    return error == HK_UNKNOWN_DEVICE ? HK_NOT_FOUND : error;
}

enum hk_error hk_recovery_keep(struct hk_core *core, struct hk_link *link, const uint8_t *account,
                               const void *profile, size_t profile_size, size_t *count)
{
    struct fetched *fetched = calloc(1, sizeof(*fetched));
    char path[HK_HOME_PATH_MAX + 32];
    size_t size = 0;
    if (fetched == NULL) {
        return HK_NO_MEMORY;
    }
    fetched->memory = malloc(HK_RECOVERY_SET_MAX);
    fetched->encoded = malloc(HK_RECOVERY_SET_MAX);
    fetched->file.profile = HK_BYTES(profile, profile_size);
    enum hk_error error = fetched->memory != NULL && fetched->encoded != NULL ? HK_OK : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = fetch_packets(core, link, account, fetched);
    }
    if (error == HK_OK) {
        error = hk_recovery_file_encode(&fetched->file, fetched->encoded, HK_RECOVERY_SET_MAX, &size);
    }
    if (error == HK_OK) {
        snprintf(path, sizeof(path), "%s/" HK_RECOVERY_SET_NAME, core->home.path);
        error = hk_write_file(path, fetched->encoded, size);
    }
    if (error == HK_OK) {
        *count = fetched->file.count;
    }
    free(fetched->memory);
    free(fetched->encoded);
    free(fetched);
    return error;
}

void hk_recovery_keep_own(struct hk_core *core)
{
    size_t count;
    (void)!hk_recovery_keep(core, NULL, core->state->account, core->state->profile, core->state->profile_size,
                            &count);
}

/* ---- create ---- */

/* What the new profile says. On the heap. */
struct creation {
    struct hk_recovery_set set;
    size_t count;
    struct {
        uint8_t id[HK_ID_BYTES], transcript[32];
    } key[HK_KEYS_MAX];
};

static enum hk_error list_set(void *argument, struct hk_profile *profile)
{
    const struct creation *creation = argument;
    profile->recovery = creation->set;
    for (size_t i = 0; i < profile->key_count; i++) {
        profile->keys[i].in_set = false;
        for (size_t j = 0; j < creation->count; j++) {
            if (memcmp(profile->keys[i].id, creation->key[j].id, HK_ID_BYTES) == 0) {
                profile->keys[i].in_set = true;
                memcpy(profile->keys[i].set_transcript, creation->key[j].transcript, 32);
            }
        }
    }
    return HK_OK;
}

static enum hk_error read_holders(struct hk_op_call *call, struct hk_recovery_set *set)
{
    const struct hk_value *keys = &call->request->value[HK_A_HOLDERS],
                          *names = &call->request->value[HK_A_KEYS];
    set->threshold = (size_t)hk_agent_u64(call->request, HK_A_THRESHOLD);
    set->count = keys->count;
    if (set->count < 2 || set->count > HK_RECOVERY_HOLDERS || set->threshold < 2 ||
        set->threshold > set->count || names->count != keys->count) {
        return hk_op_fail(call, HK_USAGE,
                          "a recovery set has 2 to %d holders, and 2 or more of them are enough",
                          HK_RECOVERY_HOLDERS);
    }
    hk_random(set->id, sizeof(set->id));
    set->created = (uint64_t)time(NULL);
    for (size_t i = 0; i < set->count; i++) {
        memcpy(set->holders[i].key, keys->items[i].data, 32);
        memcpy(set->holders[i].name, names->items[i].data, names->items[i].size);
    }
    return HK_OK;
}

static enum hk_error deal_all(struct hk_core *core, struct creation *creation)
{
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < core->state->key_count && error == HK_OK; i++) {
        const struct hk_state_key *key = &core->state->key[i];
        if (key->state != HK_KEY_ACTIVE) {
            continue;
        }
        bool is_account = key->purpose == HK_PURPOSE_ACCOUNT;
        uint8_t *transcript =
            is_account ? creation->set.account_transcript : creation->key[creation->count].transcript;
        error = hk_recovery_deal_key(core, &creation->set, key, transcript);
        if (!is_account) {
            memcpy(creation->key[creation->count++].id, key->id, HK_ID_BYTES);
        }
    }
    return error;
}

enum hk_error hk_op_recovery_create(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct creation *creation = calloc(1, sizeof(*creation));
    size_t count = 0;
    enum hk_error error = creation != NULL ? read_holders(call, &creation->set) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = deal_all(core, creation);
    }
    if (error == HK_OK) {
        error = hk_core_next_profile(core, list_set, creation);
    }
    free(creation);
    if (error == HK_NEEDS_APPROVAL) { /* there is a set already, or another device that could object */
        uint64_t due = 0;
        error = hk_core_ask_change(core, HK_CHANGE_RECOVERY, core->state->serial, &due);
        return error == HK_OK ? hk_op_fail_waiting(call, due, "another recovery set") : error;
    }
    if (error == HK_OK) {
        error = hk_recovery_keep(core, NULL, core->state->account, core->state->profile,
                                 core->state->profile_size, &count);
    }
    hk_agent_set_u64(call->answer, HK_A_COUNT, count);
    return error;
}

enum hk_error hk_op_recovery_export(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    size_t count = 0;
    enum hk_error error = hk_recovery_keep(core, NULL, core->state->account, core->state->profile,
                                           core->state->profile_size, &count);
    if (error == HK_NOT_FOUND) {
        return hk_op_fail(call, error,
                          "the account has no recovery set; 'halfkey recovery create' makes one");
    }
    hk_agent_set_u64(call->answer, HK_A_COUNT, count);
    return error;
}

/* refresh: new halves for all keys of this device, in the six steps of docs/protocol.md.
 *
 * The state file says at every moment what to do next, so a crash anywhere is gone on from: no seed stored,
 * nothing happened; seed stored, ask (again); d' stored beside d, send nothing but the confirm. The caller
 * holds the gate alone, so nothing of this device is outstanding. */
#include <string.h>
#include <time.h>

#include "crypto/random.h"
#include "crypto/refresh.h"
#include "device/agent_core.h"

/* The keys that take part, in the order of their ids, and what both sides compute from. From hk_secret_new.
 */
struct work {
    struct hk_refresh refresh;
    size_t count;
    struct hk_state_key *key[HK_KEYS_MAX];
    const struct hk_group *group[HK_KEYS_MAX];
    uint8_t proofs[HK_KEYS_MAX][HK_SCHNORR_BYTES_MAX];
};

static enum hk_error load(struct hk_core *core, struct work *work)
{
    struct hk_state *state = core->state;
    struct hk_refresh_key keys[HK_KEYS_MAX];
    work->count = 0;
    for (size_t i = 0; i < state->key_count; i++) {
        struct hk_state_key *key = &state->key[i];
        if (key->state == HK_KEY_ACTIVE) {
            memcpy(keys[work->count].id, key->id, HK_ID_BYTES);
            keys[work->count].suite = key->suite;
            work->group[work->count] = hk_suite_by_id(key->suite)->group;
            work->key[work->count++] = key;
        }
    }
    work->refresh.device_seed = state->refresh.device_seed;
    work->refresh.service_seed = state->refresh.service_seed;
    memcpy(work->refresh.new_tag, state->refresh.new_tag, HK_TAG_BYTES);
    return hk_refresh_ref(work->refresh.ref, state->account, state->serial, state->epoch, state->tag, keys,
                          work->count);
}

/* Forgets what is beside the current epoch. */
static void drop_next(struct hk_state *state)
{
    hk_wipe(&state->refresh, sizeof(state->refresh));
    for (size_t i = 0; i < state->key_count; i++) {
        hk_wipe(&state->key[i].next_half, sizeof(state->key[i].next_half));
        hk_wipe(state->key[i].next_service_point, sizeof(state->key[i].next_service_point));
    }
}

/* Step 1: the seed is durable before it is sent. */
static enum hk_error begin(struct hk_core *core)
{
    drop_next(core->state);
    hk_random(core->state->refresh.device_seed.bytes, 32);
    core->state->refresh.stage = HK_REFRESH_ASKED;
    return hk_core_save(core, "refresh.seed");
}

/* Step 3: each S' = S - [delta]B and d' = d + delta, checked against the service's proof. */
static enum hk_error derive(struct hk_core *core, const struct hk_value *proofs)
{
    struct work *work = hk_secret_new(sizeof(*work));
    enum hk_error error = work != NULL ? load(core, work) : HK_NO_MEMORY;
    if (error == HK_OK && proofs->count != work->count) {
        error = HK_CONFLICT; /* a key may have been deleted that this device does not know to be */
    }
    for (size_t i = 0; error == HK_OK && i < work->count; i++) {
        struct hk_state_key *key = work->key[i];
        const struct hk_group *group = work->group[i];
        struct hk_point service_point, next;
        error = proofs->items[i].size == group->point_bytes + group->scalar_bytes
                    ? group->point_decode(&service_point, key->service_point)
                    : HK_BAD_PROOF;
        if (error == HK_OK) {
            error = hk_refresh_device(&key->next_half, &next, group, &work->refresh, key->id, &key->half,
                                      &service_point, proofs->items[i].data);
        }
        if (error == HK_OK) {
            memcpy(key->next_service_point, next.bytes, group->point_bytes);
        }
    }
    hk_secret_free(work);
    return error;
}

/* Steps 2 and 3. On any failure the device stays at e, with its seed. */
static enum hk_error ask(struct hk_core *core)
{
    struct hk_state_refresh *refresh = &core->state->refresh;
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_client_close_sessions(core->client); /* every try on a new session */
    hk_exchange_start(exchange, HK_OP_REFRESH);
    hk_message_set_bytes(&exchange->request, HK_F_SEED, refresh->device_seed.bytes, 32);
    error = hk_client_call(core->client, exchange);
    if (error == HK_OK) {
        const uint8_t *seed = hk_exchange_bytes(exchange, HK_F_SEED, 32),
                      *tag = hk_exchange_bytes(exchange, HK_F_NEW_TAG, HK_TAG_BYTES);
        error = seed != NULL && tag != NULL ? HK_OK : HK_BAD_PEER;
        if (error == HK_OK) {
            memcpy(refresh->service_seed.bytes, seed, 32);
            memcpy(refresh->new_tag, tag, HK_TAG_BYTES);
            error = derive(core, &exchange->answer.value[HK_F_PROOFS]);
        }
    }
    hk_exchange_free(core->client, exchange);
    if (error != HK_OK) {
        return error;
    }
    refresh->stage = HK_REFRESH_STORED;
    return hk_core_save(core, "refresh.next");
}

/* What would have to be said again to a service that forgot it. */
static void keep_confirm(struct hk_state *state, const struct work *work)
{
    struct hk_state_confirm *confirm = &state->confirm;
    memcpy(confirm->old_tag, state->tag, HK_TAG_BYTES);
    confirm->count = work->count;
    for (size_t i = 0; i < work->count; i++) {
        confirm->proof_size[i] = hk_suite_proof_bytes(work->key[i]->suite);
        memcpy(confirm->proof[i], work->proofs[i], confirm->proof_size[i]);
    }
    confirm->kept = true;
}

/* Step 6: e+1 takes the place of e. */
static enum hk_error advance(struct hk_core *core, const struct work *work)
{
    struct hk_state *state = core->state;
    keep_confirm(state, work);
    for (size_t i = 0; i < state->key_count; i++) {
        struct hk_state_key *key = &state->key[i];
        if (key->state == HK_KEY_ACTIVE) {
            key->half = key->next_half;
            memcpy(key->service_point, key->next_service_point, sizeof(key->service_point));
            if (hk_core_shift_ecdsa(key, &work->refresh) != HK_OK) {
                hk_wipe(&key->ecdsa, sizeof(key->ecdsa)); /* a damaged one is asked for anew */
            }
        }
    }
    state->epoch++;
    memcpy(state->tag, state->refresh.new_tag, HK_TAG_BYTES);
    state->must_refresh = false;
    state->refreshed = (uint64_t)time(NULL);
    state->uses = 0;
    hk_wipe(&state->hand, sizeof(state->hand)); /* the service has dropped it with the epoch */
    atomic_store(&core->hand_waits, true);
    drop_next(state);
    hk_core_identify(core);
    return hk_core_save(core, "refresh.done");
}

static enum hk_error send_confirm(struct hk_core *core, struct work *work)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    for (size_t i = 0; i < work->count; i++) {
        hk_refresh_confirm(work->proofs[i], work->group[i], &work->refresh, &work->key[i]->next_half);
    }
    hk_client_close_sessions(core->client);
    hk_exchange_start(exchange, HK_OP_REFRESH_CONFIRM);
    hk_message_set_bytes(&exchange->request, HK_F_NEW_TAG, core->state->refresh.new_tag, HK_TAG_BYTES);
    hk_message_set_list(&exchange->request, HK_F_PROOFS, NULL, 0);
    for (size_t i = 0; i < work->count; i++) {
        hk_message_append(&exchange->request, HK_F_PROOFS, work->proofs[i],
                          hk_suite_proof_bytes(work->key[i]->suite));
    }
    error = hk_client_call_alone(core->client, exchange);
    hk_exchange_free(core->client, exchange);
    return error;
}

/* Steps 4 to 6. HK_AGAIN: the service has dropped e+1, and so has this device. */
static enum hk_error confirm(struct hk_core *core)
{
    struct work *work = hk_secret_new(sizeof(*work));
    enum hk_error error = work != NULL ? load(core, work) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = send_confirm(core, work);
    }
    if (error == HK_OK) {
        error = advance(core, work);
        hk_secret_free(work);
        return error;
    }
    hk_secret_free(work);
    if (error == HK_UNKNOWN_TAG) {
        drop_next(core->state);
        error = hk_core_save(core, "refresh.drop");
        return error == HK_OK ? HK_AGAIN : error;
    }
    return error;
}

/* The service refreshes other keys than this device has. Nothing is stored of the answer, so the seed may be
 * forgotten; with the keys that the profile lists it is begun anew. */
static enum hk_error drop_deleted(struct hk_core *core)
{
    size_t count = core->state->key_count;
    bool changed;
    drop_next(core->state);
    enum hk_error error = hk_core_follow_profile(core, &changed);
    if (error == HK_OK) {
        error = hk_state_drop_deleted(core->state);
    }
    if (error == HK_OK && core->state->key_count == count) {
        error = HK_BAD_PEER;
    }
    if (error == HK_OK) {
        error = hk_core_save(core, "refresh.drop");
    }
    return error == HK_OK ? HK_AGAIN : error;
}

/* What waits for this device under the old epoch is taken first; a deposit for the new one is left behind it.
 * Neither keeps the refresh from coming to its end. */
static enum hk_error see_to_hands(struct hk_core *core, bool wanted)
{
    enum hk_error error =
        wanted && core->state->refresh.stage == HK_REFRESH_NONE ? hk_core_take_keys(core, NULL) : HK_OK;
    return hk_hand_ends(error) ? error : HK_OK;
}

enum hk_error hk_core_refresh(struct hk_core *core)
{
    enum hk_error error = see_to_hands(core, core->state->hand.stage != HK_HAND_NONE);
    error = error == HK_OK ? HK_AGAIN : error;
    for (int tries = 0; tries < 3 && error == HK_AGAIN; tries++) {
        error = HK_OK;
        if (core->state->refresh.stage == HK_REFRESH_NONE) {
            error = begin(core);
        }
        if (error == HK_OK && core->state->refresh.stage == HK_REFRESH_ASKED) {
            error = ask(core);
            if (error == HK_AGAIN) { /* a new half would be zero: another seed */
                core->state->refresh.stage = HK_REFRESH_NONE;
            }
            if (error == HK_CONFLICT) {
                error = drop_deleted(core);
            }
        }
        if (error == HK_OK && core->state->refresh.stage == HK_REFRESH_STORED) {
            error = confirm(core);
        }
    }
    if (error != HK_OK && core->state->refresh.stage != HK_REFRESH_NONE) {
        atomic_store(&core->unsettled, true); /* nothing else is sent before it is gone on with */
    }
    if (error == HK_OK && atomic_exchange(&core->hand_waits, false) && see_to_hands(core, true) != HK_OK) {
        atomic_store(&core->hand_waits, true);
    }
    return error == HK_AGAIN ? HK_BUSY : error;
}

/* As the device of the epoch before, for one request. */
static void identify_as_before(struct hk_core *core)
{
    const struct hk_state *state = core->state;
    struct hk_client_identity identity = {.static_key = state->static_key, .epoch = state->epoch - 1};
    HK_WIPE_AT_EXIT(identity);
    memcpy(identity.account, state->account, HK_ACCOUNT_BYTES);
    memcpy(identity.serial, state->serial, HK_ID_BYTES);
    memcpy(identity.static_public, state->static_public, 32);
    memcpy(identity.tag, state->confirm.old_tag, HK_TAG_BYTES);
    hk_client_set_identity(core->client, &identity, false);
}

enum hk_error hk_core_repeat_confirm(struct hk_core *core)
{
    struct hk_state_confirm *confirm = &core->state->confirm;
    struct hk_bytes proofs[HK_KEYS_MAX];
    struct hk_exchange *exchange;
    if (!confirm->kept || core->state->refresh.stage != HK_REFRESH_NONE) {
        return HK_ROLLED_BACK;
    }
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    for (size_t i = 0; i < confirm->count; i++) {
        proofs[i] = HK_BYTES(confirm->proof[i], confirm->proof_size[i]);
    }
    hk_client_close_sessions(core->client);
    identify_as_before(core);
    hk_exchange_start(exchange, HK_OP_REFRESH_CONFIRM);
    hk_message_set_bytes(&exchange->request, HK_F_NEW_TAG, core->state->tag, HK_TAG_BYTES);
    hk_message_set_list(&exchange->request, HK_F_PROOFS, proofs, confirm->count);
    error = hk_client_call_alone(core->client, exchange);
    hk_exchange_free(core->client, exchange);
    hk_core_identify(core);
    return error;
}

enum hk_error hk_op_refresh(struct hk_op_call *call)
{
    enum hk_error error = hk_core_refresh(call->core);
    if (error == HK_STALE_EPOCH) {
        return hk_op_fail(
            call, error,
            "another copy of this device has refreshed: one of the two is not yours. Revoke this "
            "device, and enrol it again");
    }
    if (error == HK_OK) {
        hk_agent_set_u64(call->answer, HK_A_EPOCH, call->core->state->epoch);
    }
    return error;
}

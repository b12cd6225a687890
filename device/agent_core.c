#include "device/agent_core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *hk_op_memory(struct hk_op_call *call, size_t size)
{
    size_t rounded = (size + 15) & ~(size_t)15;
    if (rounded > call->memory_size - call->memory_used) {
        return NULL;
    }
    void *memory = call->memory + call->memory_used;
    call->memory_used += rounded;
    return memory;
}

bool hk_op_put(struct hk_op_call *call, enum hk_agent_field field, const void *data, size_t size)
{
    void *copy = hk_op_memory(call, size);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, data, size);
    hk_agent_set_bytes(call->answer, field, copy, size);
    return true;
}

enum hk_error hk_op_fail(struct hk_op_call *call, enum hk_error error, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(call->sentence, 512, format, list);
    va_end(list);
    return error;
}

bool hk_op_is_online(const struct hk_op_call *call)
{
    const struct hk_state *state = call->core->state;
    uint64_t online = hk_agent_u64(call->request, HK_A_ONLINE);
    return online == 1 || (online == 2 && state != NULL && hk_state_is_handed_keys(state));
}

enum hk_error hk_op_no_key(struct hk_op_call *call, const char *name)
{
    struct hk_profile *profile = malloc(sizeof(*profile));
    enum hk_error error = profile != NULL ? hk_state_profile(call->core->state, profile) : HK_NO_MEMORY;
    const char *administrator = NULL;
    bool listed = false;
    for (size_t i = 0; error == HK_OK && i < profile->key_count; i++) {
        listed = listed || strcmp(profile->keys[i].name, name) == 0;
    }
    for (size_t i = 0; error == HK_OK && i < profile->device_count && administrator == NULL; i++) {
        bool is_it = profile->devices[i].role == HK_ROLE_ADMIN;
        administrator = is_it ? profile->devices[i].name : NULL;
    }
    error = listed && administrator != NULL
                ? hk_op_fail(call, HK_UNKNOWN_KEY, "no half of '%s' here yet: open halfkey on '%s' once",
                             name, administrator)
                : hk_op_fail(call, HK_UNKNOWN_KEY,
                             "there is no key '%s' on this device; see 'halfkey key list'", name);
    free(profile);
    return error;
}

/* How often the agent had been locked when this thread began to wait. */
static _Thread_local uint64_t locks_before;

void hk_core_wait_begin(struct hk_core *core)
{
    locks_before = core->lock_count;
    pthread_rwlock_unlock(&core->gate);
}

enum hk_error hk_core_wait_end(struct hk_core *core)
{
    pthread_rwlock_wrlock(&core->gate);
    if (atomic_load(&core->stopping)) {
        return HK_UNREACHABLE;
    }
    return core->lock_count == locks_before ? HK_OK : HK_AGENT_LOCKED;
}

enum hk_error hk_core_save(struct hk_core *core, const char *seam)
{
    pthread_mutex_lock(&core->saving);
    enum hk_error error = hk_state_write(core->state, &core->seal, &core->home, seam);
    pthread_mutex_unlock(&core->saving);
    return error;
}

void hk_core_identify(struct hk_core *core)
{
    struct hk_state *state = core->state;
    struct hk_client_identity identity = {.static_key = state->static_key, .epoch = state->epoch};
    HK_WIPE_AT_EXIT(identity);
    struct hk_bytes revoked[HK_STATE_CERTIFICATES];
    size_t count = 0;
    memcpy(identity.account, state->account, HK_ACCOUNT_BYTES);
    memcpy(identity.serial, state->serial, HK_ID_BYTES);
    memcpy(identity.static_public, state->static_public, 32);
    memcpy(identity.tag, state->tag, HK_TAG_BYTES);
    for (size_t i = 0; i < state->certificate_count; i++) {
        if (state->certificate[i].revoked) {
            revoked[count++] = HK_BYTES(state->certificate[i].bytes, state->certificate[i].size);
        }
    }
    hk_client_set_identity(core->client, &identity,
                           state->phase == HK_PHASE_JOINING || state->phase == HK_PHASE_RECOVERING);
    hk_client_set_revocations(core->client, revoked, count);
}

enum hk_error hk_core_connect(struct hk_core *core, const char **reason)
{
    struct hk_client *client;
    enum hk_error error = hk_client_new(&client, core->state->address, core->settings.timeout_ms, reason);
    if (error != HK_OK) {
        return error;
    }
    hk_client_free(core->client);
    core->client = client;
    hk_client_set_hook(client, hk_core_watch_log, core);
    hk_core_identify(core);
    return HK_OK;
}

enum hk_error hk_core_unlock(struct hk_core *core, const void *passphrase, size_t size, char reason[256])
{
    const char *problem = "";
    struct hk_state *state;
    enum hk_error error = hk_state_read(&state, &core->seal, &core->home, passphrase, size, reason);
    if (error != HK_OK) {
        return error;
    }
    core->state = state;
    error = hk_core_connect(core, &problem);
    if (error != HK_OK) {
        snprintf(reason, 256, "%s", problem);
        hk_core_lock(core);
        return error;
    }
    atomic_store(&core->unsettled, true);
    atomic_store(&core->profile_stale, true); /* told of it, the agent may have ended before it asked */
    atomic_store(&core->hands_due, state->role == HK_ROLE_ADMIN);
    atomic_store(&core->hand_waits, true);
    core->has_repeated = false;
    return HK_OK;
}

void hk_core_lock(struct hk_core *core)
{
    hk_approval_free(core->approval);
    hk_joining_free(core->joining);
    hk_masks_free(core->masks);
    hk_ecdsa_ahead_free(core->ecdsa_ahead);
    core->approval = core->joining = NULL;
    core->masks = NULL;
    core->ecdsa_ahead = NULL;
    hk_client_free(core->client);
    core->client = NULL;
    hk_state_free(core->state);
    core->state = NULL;
    hk_wipe(&core->seal, sizeof(core->seal));
    core->lock_count++;
}

/* In this order: what makes the account, then its device, then keys and epoch, then what others see. */
enum hk_error hk_core_resume(struct hk_core *core)
{
    enum hk_error error = HK_OK;
    if (core->state->recovered && core->state->phase != HK_PHASE_ACTIVE) {
        error = hk_resume_recover(core);
        error = error == HK_UNKNOWN_RUN ? HK_OK : error; /* holders are still to answer */
    } else if (core->state->phase == HK_PHASE_CREATING || core->state->phase == HK_PHASE_FOUNDING) {
        error = hk_resume_init(core);
    } else if (core->state->phase == HK_PHASE_JOINING) {
        error = hk_resume_join(core);
    }
    if (error != HK_OK || core->state == NULL || core->state->phase != HK_PHASE_ACTIVE) {
        return error;
    }
    if (core->state->refresh.stage != HK_REFRESH_NONE) {
        error = hk_core_refresh(core);
    }
    if (error == HK_OK) {
        error = hk_resume_keys(core);
    }
    if (error == HK_OK && core->state->enrolment.open) {
        error = hk_resume_enrolment(core);
    }
    if (error == HK_OK) {
        error = hk_resume_hands(core);
    }
    if (error == HK_OK && core->state->must_refresh) {
        error = hk_core_refresh(core);
    }
    if (error == HK_OK) {
        error = hk_core_set_up_ecdsa(core);
    }
    if (error == HK_OK) {
        atomic_store(&core->unsettled, core->state->enrolment.open); /* until it has ended in some way */
    }
    return error;
}

/* A profile that is not taken is not asked for again before the next one is put. */
static bool follow(struct hk_core *core)
{
    bool changed = false;
    enum hk_error error = hk_core_follow_profile(core, &changed);
    if (error != HK_OK && error != HK_CONFLICT && error != HK_BAD_SIGNATURE && error != HK_BAD_ENCODING) {
        atomic_store(&core->profile_stale, true);
    }
    if (changed) {
        atomic_store(&core->hand_waits, true); /* new keys; or the deposit is for one that is gone */
    }
    return changed;
}

/* The device may be asked for things: nothing of a change is under way. The gate is held alone. */
static bool is_settled(const struct hk_core *core)
{
    return core->state != NULL && core->state->phase == HK_PHASE_ACTIVE &&
           core->state->refresh.stage == HK_REFRESH_NONE;
}

bool hk_core_see_to(struct hk_core *core)
{
    bool changed = false;
    if (is_settled(core) && atomic_exchange(&core->profile_stale, false)) {
        changed = follow(core);
    }
    if (is_settled(core)) {
        size_t before = core->state->key_count;
        enum hk_error error = hk_resume_hands(core); /* what fails is tried again */
        changed = changed || (error == HK_OK && core->state->key_count != before);
    }
    return changed;
}

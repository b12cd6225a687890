/* What the agent tells without asking anybody: its state, the keys. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/suite.h"
#include "device/agent_core.h"
#include "device/ssh_policy.h"
#include "protocol/words.h"

#define KEY_ROW_MAX (256 + HK_ATTACHMENT_MAX)

/* ---- keys ---- */

/* What people are given of a key. */
static size_t public_form(uint8_t out[HK_FORM_BYTES_MAX], uint64_t suite_id, const uint8_t *point)
{
    const struct hk_suite *suite = hk_suite_by_id(suite_id);
    if (!suite)
        return 0;
    suite->form(out, point);
    return suite->form_bytes;
}

static enum hk_error put_row(struct hk_op_call *call, const struct hk_agent_key_row *row)
{
    size_t size;
    uint8_t *room = hk_op_memory(call, KEY_ROW_MAX);
    if (!room)
        return HK_NO_MEMORY;
    enum hk_error error = hk_agent_key_row_encode(row, room, KEY_ROW_MAX, &size);
    if (!error && !hk_agent_add(call->answer, HK_A_ROWS, room, size))
        error = HK_TOO_LARGE;
    return error;
}

/* The attachment, where there is one; a profile's are well formed. */
static void find_policy(struct hk_agent_key_row *row, struct hk_bytes attachments)
{
    struct hk_attachment list[HK_ATTACHMENTS];
    size_t count = 0;
    if (hk_attachments_decode(list, &count, attachments))
        return;
    for (size_t i = 0; i < count; i++) {
        if (!hk_ssh_is(list[i].name, HK_SSH_POLICY_ATTACHMENT))
            continue;
        memcpy(row->policy, list[i].data.data, list[i].data.size);
        row->policy_size = list[i].data.size;
    }
}

static enum hk_error put_profile_key(struct hk_op_call *call, const struct hk_profile_key *key)
{
    const struct hk_state_key *held = hk_state_key_by_id(call->core->state, key->id);
    struct hk_agent_key_row row = {.suite = key->suite,
                                   .created = key->created,
                                   .imported = key->imported,
                                   .here = held && held->state == HK_KEY_ACTIVE};
    memcpy(row.id, key->id, sizeof row.id);
    memcpy(row.name, key->name, sizeof row.name);
    row.public_size = public_form(row.public_key, key->suite, key->public_key);
    find_policy(&row, key->attachments);
    return put_row(call, &row);
}

/* A key that is made but that no signed profile lists yet. */
static enum hk_error put_new_key(struct hk_op_call *call, const struct hk_state_key *key)
{
    struct hk_agent_key_row row = {
        .suite = key->suite, .created = key->created, .imported = key->imported, .here = true};
    memcpy(row.id, key->id, sizeof row.id);
    memcpy(row.name, key->name, sizeof row.name);
    row.public_size = public_form(row.public_key, key->suite, key->public_key);
    return put_row(call, &row);
}

static enum hk_error put_keys(struct hk_op_call *call)
{
    const struct hk_state *state = call->core->state;
    struct hk_profile *profile = malloc(sizeof *profile);
    if (!profile)
        return HK_NO_MEMORY;
    enum hk_error error = hk_state_profile(state, profile);
    size_t listed = error ? 0 : profile->key_count;
    if (error == HK_NOT_FOUND)
        error = HK_OK;
    for (size_t i = 0; !error && i < listed; i++)
        if (profile->keys[i].suite != HK_SUITE_ACCOUNT)
            error = put_profile_key(call, &profile->keys[i]);
    for (size_t i = 0; !error && i < state->key_count; i++) {
        const struct hk_state_key *key = &state->key[i];
        if (key->suite != HK_SUITE_ACCOUNT && key->state == HK_KEY_ACTIVE && !key->profiled)
            error = put_new_key(call, key);
    }
    free(profile);
    return error;
}

/* With a refresh half done nothing but its next step is sent, and that is not an operation's that only shows.
 * What else may be left of a crash is not in the way of a look at the log and the profile. */
static bool may_ask(const struct hk_op_call *call)
{
    return hk_op_is_online(call) && call->core->state->phase == HK_PHASE_ACTIVE &&
           call->core->state->refresh.stage == HK_REFRESH_NONE;
}

/* A service that is not there, or refuses, does not keep the list back. */
enum hk_error hk_op_key_list(struct hk_op_call *call)
{
    if (may_ask(call))
        hk_agent_set_u64(call->answer, HK_A_CHECK, (uint64_t)hk_client_check_now(call->core->client));
    return put_keys(call);
}

enum hk_error hk_op_key_public(struct hk_op_call *call)
{
    char name[HK_NAME_MAX + 1];
    uint8_t public[HK_FORM_BYTES_MAX];
    hk_agent_text(call->request, HK_A_KEY, name, sizeof name);
    const struct hk_state_key *key = hk_state_key_by_name(call->core->state, name);
    if (!key || key->suite == HK_SUITE_ACCOUNT || key->state != HK_KEY_ACTIVE)
        return hk_op_no_key(call, name);
    size_t size = public_form(public, key->suite, key->public_key);
    hk_agent_set_u64(call->answer, HK_A_SUITE, key->suite);
    hk_agent_set_u64(call->answer, HK_A_CREATED, key->created);
    return hk_op_put(call, HK_A_PUBLIC, public, size) ? HK_OK : HK_NO_MEMORY;
}

/* ---- state ---- */

static bool put_text(struct hk_op_call *call, enum hk_agent_field field, const char *text)
{
    return !*text || hk_op_put(call, field, text, strlen(text));
}

/* The words of this device's own revocation code, if they are kept. */
static bool put_words(struct hk_op_call *call)
{
    struct hk_state *state = call->core->state;
    const struct hk_state_certificate *own = hk_state_certificate(state, state->serial);
    char words[HK_CODE_TEXT_BYTES];
    if (!own || !own->has_code)
        return true;
    hk_words_from_code(words, own->code);
    return put_text(call, HK_A_WORDS, words);
}

static bool put_suspended(struct hk_op_call *call, const struct hk_profile_device *device)
{
    const struct hk_core *core = call->core;
    for (size_t i = 0; i < core->state->log.report_count; i++) {
        const struct hk_state_report *report = &core->state->log.report[i];
        if (report->suspended && memcmp(report->serial, device->serial, HK_ID_BYTES) == 0) {
            char *name = hk_op_memory(call, sizeof device->name);
            if (!name)
                return false;
            memcpy(name, device->name, sizeof device->name);
            return hk_agent_add(call->answer, HK_A_SUSPENDED, name, strlen(name));
        }
    }
    return true;
}

/* How many devices the profile has, which are suspended, and the profile itself. */
static enum hk_error put_profile(struct hk_op_call *call)
{
    const struct hk_state *state = call->core->state;
    struct hk_profile *profile = malloc(sizeof *profile);
    enum hk_error error = profile ? hk_state_profile(state, profile) : HK_NO_MEMORY;
    pthread_mutex_lock(&call->core->saving);
    for (size_t i = 0; !error && i < profile->device_count; i++)
        if (!put_suspended(call, &profile->devices[i]))
            error = HK_NO_MEMORY;
    pthread_mutex_unlock(&call->core->saving);
    if (!error) {
        hk_agent_set_u64(call->answer, HK_A_DEVICES, profile->device_count);
        if (!hk_op_put(call, HK_A_PROFILE, state->profile, state->profile_size))
            error = HK_NO_MEMORY;
    }
    free(profile);
    return error == HK_NOT_FOUND ? HK_OK : error;
}

/* What changes while others use the halves. */
static void put_uses(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    pthread_mutex_lock(&core->saving);
    hk_agent_set_u64(call->answer, HK_A_LAST_USE, core->state->last_use);
    hk_agent_set_u64(call->answer, HK_A_LOG_TIME, core->state->log.head.time);
    hk_agent_set_u64(call->answer, HK_A_LOG_SIZE, core->state->log.head.size);
    hk_agent_set_u64(call->answer, HK_A_GENERATION, core->state->log.head.generation);
    if (core->state->stale_copy_seen)
        hk_agent_set_u64(call->answer, HK_A_WARNING, core->state->stale_copy_seen);
    pthread_mutex_unlock(&core->saving);
}

static enum hk_error put_account(struct hk_op_call *call)
{
    const struct hk_core *core = call->core;
    const struct hk_state *state = core->state;
    hk_agent_set_u64(call->answer, HK_A_ROLE, state->role);
    hk_agent_set_u64(call->answer, HK_A_EPOCH, state->epoch);
    hk_agent_set_u64(call->answer, HK_A_MUST_REFRESH, state->must_refresh);
    put_uses(call);
    bool named = state->phase != HK_PHASE_CREATING;
    bool good = (!named || hk_op_put(call, HK_A_ACCOUNT, state->account, HK_ACCOUNT_BYTES)) &&
                hk_op_put(call, HK_A_SERIAL, state->serial, HK_ID_BYTES) &&
                (!state->profile_refused || put_text(call, HK_A_REFUSED, state->profile_refused)) &&
                put_text(call, HK_A_DEVICE, state->name) && put_text(call, HK_A_SERVICE, state->address) &&
                put_words(call);
    enum hk_error error = good ? put_profile(call) : HK_NO_MEMORY;
    return error ? error : put_keys(call);
}

/* Nothing here is unlocked: is there an account? */
static enum hk_error look(struct hk_op_call *call)
{
    bool has_passphrase = false;
    char reason[256] = "";
    enum hk_error error = hk_state_look(&call->core->home, &has_passphrase, reason);
    if (error && error != HK_NO_ACCOUNT)
        return *reason ? hk_op_fail(call, error, "%s", reason) : error;
    hk_agent_set_u64(call->answer, HK_A_STATE, error ? HK_AGENT_EMPTY : HK_AGENT_SEALED);
    if (!error)
        hk_agent_set_u64(call->answer, HK_A_HAS_PASSPHRASE, has_passphrase);
    return HK_OK;
}

enum hk_error hk_op_status(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    hk_agent_set_u64(call->answer, HK_A_PID, (uint64_t)getpid());
    hk_agent_set_u64(call->answer, HK_A_TIMEOUT, core->settings.idle_seconds);
    if (!put_text(call, HK_A_SSH_SOCKET, core->ssh_path) ||
        !put_text(call, HK_A_SSH_PROBLEM, core->ssh_problem))
        return HK_NO_MEMORY;
    if (!core->state)
        return look(call);
    if (core->joining) { /* nothing is stored yet: another code begins anew */
        hk_agent_set_u64(call->answer, HK_A_STATE, HK_AGENT_EMPTY);
        return HK_OK;
    }
    bool active = core->state->phase == HK_PHASE_ACTIVE;
    if (may_ask(call))
        hk_agent_set_u64(call->answer, HK_A_CHECK, (uint64_t)hk_client_check_now(core->client));
    hk_agent_set_u64(call->answer, HK_A_STATE, active ? HK_AGENT_UNLOCKED : HK_AGENT_UNFINISHED);
    hk_agent_set_u64(call->answer, HK_A_HAS_PASSPHRASE, core->seal.has_passphrase);
    return put_account(call);
}

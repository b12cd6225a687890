/* The beginning of a recovery: the set is fetched as a stranger, and the request to holders is made and
 * stored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"
#include "device/cmd.h"
#include "device/recovery_set.h"

enum hk_error hk_recovery_read_kept(struct hk_core *core, struct hk_holder_set **set)
{
    char path[HK_HOME_PATH_MAX + 32];
    size_t size = 0;
    uint8_t *bytes = malloc(HK_RECOVERY_SET_MAX);
    if (bytes == NULL) {
        return HK_NO_MEMORY;
    }
    snprintf(path, sizeof(path), "%s/" HK_RECOVERY_SET_NAME, core->home.path);
    enum hk_error error = hk_read_file(path, bytes, HK_RECOVERY_SET_MAX, &size);
    if (error != HK_OK) {
        free(bytes);
        return error;
    }
    return hk_holder_set_read(set, bytes, size);
}

/* ---- fetch: the set, by an account's name ---- */

static enum hk_error connect_to(struct hk_op_call *call, struct hk_core *core)
{
    const char *reason = "";
    enum hk_error error = hk_core_connect(core, &reason);
    return error != HK_OK && reason[0] != '\0' ? hk_op_fail(call, error, "the service's address: %s", reason)
                                               : error;
}

static enum hk_error check_empty(struct hk_op_call *call)
{
    bool has_passphrase;
    char reason[256] = "";
    enum hk_error error = hk_state_look(&call->core->home, &has_passphrase, reason);
    if (error == HK_OK || call->core->state != NULL) {
        return hk_op_fail(call, HK_EXISTS,
                          "there is an account here already; HALFKEY_HOME sets another folder");
    }
    return error == HK_NO_ACCOUNT ? HK_OK : reason[0] != '\0' ? hk_op_fail(call, error, "%s", reason) : error;
}

static enum hk_error fetch_as_stranger(struct hk_core *core, const uint8_t *account, size_t *count)
{
    struct hk_link *link = NULL;
    struct hk_exchange *exchange = NULL;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error == HK_OK) {
        error = hk_link_open_stranger(&link, core->client);
    }
    if (error == HK_OK) {
        hk_exchange_start(exchange, HK_OP_FETCH_PROFILE);
        hk_message_set_bytes(&exchange->request, HK_F_ACCOUNT, account, HK_ACCOUNT_BYTES);
        error = hk_link_call(link, exchange);
    }
    if (error == HK_OK) {
        const struct hk_value *profile = &exchange->answer.value[HK_F_PROFILE];
        error = hk_recovery_keep(core, link, account, profile->data, profile->size, count);
    }
    hk_link_close(link);
    hk_exchange_free(core->client, exchange);
    return error == HK_AGAIN ? HK_UNREACHABLE : error;
}

/* A state without a file, for as long as this takes. */
static enum hk_error borrow_state(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    enum hk_error error = hk_state_new(&core->state);
    if (error == HK_OK) {
        hk_agent_text(call->request, HK_A_SERVICE, core->state->address, sizeof(core->state->address));
        error = connect_to(call, core);
    }
    return error;
}

enum hk_error hk_op_recover_fetch(struct hk_op_call *call)
{
    size_t count = 0;
    enum hk_error error = check_empty(call);
    if (error != HK_OK) {
        return error;
    }
    error = borrow_state(call);
    if (error == HK_OK) {
        error = fetch_as_stranger(call->core, call->request->value[HK_A_ACCOUNT].data, &count);
    }
    hk_core_lock(call->core);
    if (error == HK_NOT_FOUND || error == HK_UNKNOWN_DEVICE) {
        return hk_op_fail(call, HK_NOT_FOUND,
                          "this service has no recovery set of that account: bring its file, with --set");
    }
    hk_agent_set_u64(call->answer, HK_A_COUNT, count);
    return error;
}

/* ---- begin: the request ---- */

static enum hk_error make_request(struct hk_op_call *call, const struct hk_holder_set *set,
                                  struct hk_recovery_request *request)
{
    struct hk_state *state = call->core->state;
    const struct hk_value *indices = &call->request->value[HK_A_INDICES];
    memset(request, 0, sizeof(*request));
    memcpy(request->account, set->profile.account, HK_ACCOUNT_BYTES);
    memcpy(request->set, set->profile.recovery.id, HK_ID_BYTES);
    memcpy(request->serial, state->serial, HK_ID_BYTES);
    memcpy(request->device_key, state->static_public, 32);
    memcpy(request->device, state->name, sizeof(request->device));
    memcpy(request->service_key, state->service_key, 32);
    memcpy(request->address, state->address, sizeof(request->address));
    memcpy(request->profile_hash, set->profile_hash, 32);
    hk_random(request->random, sizeof(request->random));
    if (indices->count != set->profile.recovery.threshold) {
        return hk_op_fail(call, HK_USAGE, "it takes exactly %zu holders of this set, not %zu",
                          set->profile.recovery.threshold, indices->count);
    }
    request->count = indices->count;
    for (size_t i = 0; i < indices->count; i++) {
        request->index[i] = ((const uint8_t *)indices->items[i].data)[0];
    }
    return hk_recovery_request_encode(request, state->recovery, sizeof(state->recovery),
                                      &state->recovery_size);
}

static enum hk_error begin(struct hk_op_call *call, const struct hk_holder_set *set)
{
    struct hk_core *core = call->core;
    char name[HK_NAME_MAX + 1];
    struct hk_recovery_request request;
    bool given = hk_agent_has(call->request, HK_A_PASSPHRASE);
    const struct hk_value *passphrase = &call->request->value[HK_A_PASSPHRASE];
    enum hk_error error = borrow_state(call);
    if (error != HK_OK) {
        return error;
    }
    struct hk_state *state = core->state;
    hk_agent_text(call->request, HK_A_DEVICE, name, sizeof(name));
    hk_state_make_device(state, name, HK_ROLE_ADMIN);
    state->phase = HK_PHASE_RECOVERING;
    hk_core_identify(core);
    state->recovered = true;
    memcpy(state->account, set->profile.account, HK_ACCOUNT_BYTES);
    memcpy(state->service_key, hk_client_service_key(core->client), 32);
    if (set->file.profile.size > sizeof(state->profile)) {
        return HK_TOO_LARGE;
    }
    memcpy(state->profile, set->file.profile.data, set->file.profile.size);
    state->profile_size = set->file.profile.size;
    state->profile_version = set->profile.version;
    error = make_request(call, set, &request);
    if (error == HK_OK) {
        error =
            hk_state_seal_make(&core->seal, given ? passphrase->data : NULL, given ? passphrase->size : 0);
    }
    return error == HK_OK ? hk_core_save(core, "recover.begin") : error;
}

enum hk_error hk_recover_reopen(struct hk_op_call *call, bool *exists)
{
    struct hk_core *core = call->core;
    bool has_passphrase;
    char reason[256] = "";
    const struct hk_value *passphrase = &call->request->value[HK_A_PASSPHRASE];
    bool given = hk_agent_has(call->request, HK_A_PASSPHRASE);
    *exists = true;
    if (core->state != NULL) {
        return HK_OK;
    }
    enum hk_error error = hk_state_look(&core->home, &has_passphrase, reason);
    if (error == HK_NO_ACCOUNT) {
        *exists = false;
        return HK_OK;
    }
    if (error == HK_OK) {
        error = has_passphrase && !given ? HK_AGENT_LOCKED
                                         : hk_core_unlock(core, has_passphrase ? passphrase->data : NULL,
                                                          has_passphrase ? passphrase->size : 0, reason);
    }
    return error != HK_OK && reason[0] != '\0' ? hk_op_fail(call, error, "%s", reason) : error;
}

/* A recovery that is under way, or the same command after its end, whose answer may have been lost. */
static bool is_repeat(const struct hk_op_call *call)
{
    const struct hk_state *state = call->core->state;
    char device[HK_NAME_MAX + 1], service[HK_ADDRESS_MAX + 1];
    hk_agent_text(call->request, HK_A_DEVICE, device, sizeof(device));
    hk_agent_text(call->request, HK_A_SERVICE, service, sizeof(service));
    return state->recovered && state->recovery_size != 0 &&
           (state->phase != HK_PHASE_ACTIVE ||
            (strcmp(state->name, device) == 0 && strcmp(state->address, service) == 0));
}

/* Again, it is the same request: holders may have it by now. */
enum hk_error hk_op_recover_begin(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_holder_set *set = NULL;
    bool exists;
    enum hk_error error = hk_recover_reopen(call, &exists);
    if (error == HK_OK && exists && !is_repeat(call)) {
        return hk_op_fail(call, HK_EXISTS,
                          "there is an account here already; HALFKEY_HOME sets another folder");
    }
    if (error == HK_OK && !exists) {
        error = hk_recovery_read_kept(core, &set);
        if (error == HK_OK) {
            error = begin(call, set);
        }
        hk_holder_set_free(set);
        if (error != HK_OK) {
            hk_core_lock(core);
        }
    }
    if (error != HK_OK) {
        return error;
    }
    return hk_op_put(call, HK_A_REQUEST, core->state->recovery, core->state->recovery_size) ? HK_OK
                                                                                            : HK_NO_MEMORY;
}

/* device promote; changes: what waits, approve, cancel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device/agent_core.h"

enum hk_error hk_core_ask_change(struct hk_core *core, enum hk_change_kind kind,
                                 const uint8_t serial[HK_ID_BYTES], uint64_t *due)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_CHANGE_ASK);
    hk_message_set_u64(&exchange->request, HK_F_KIND, kind);
    hk_message_set_bytes(&exchange->request, HK_F_DEVICE, serial, HK_ID_BYTES);
    error = hk_client_call(core->client, exchange);
    *due = error == HK_OK ? hk_exchange_u64(exchange, HK_F_EXPIRES) : 0;
    hk_exchange_free(core->client, exchange);
    return error;
}

enum hk_error hk_op_fail_waiting(struct hk_op_call *call, uint64_t due, const char *what)
{
    char when[32];
    time_t seconds = (time_t)due;
    struct tm local;
    (void)localtime_r(&seconds, &local);
    (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &local);
    return hk_op_fail(
        call, HK_NEEDS_APPROVAL,
        "%s waits until %s, or for another administrator's 'halfkey changes approve'; run the same command "
        "again then",
        what, when);
}

static enum hk_error find(struct hk_op_call *call, struct hk_profile_device *device)
{
    char name[HK_NAME_MAX + 1];
    struct hk_profile *profile = malloc(sizeof(*profile));
    enum hk_error error = profile != NULL ? hk_state_profile(call->core->state, profile) : HK_NO_MEMORY;
    bool found = false;
    hk_agent_text(call->request, HK_A_DEVICE, name, sizeof(name));
    for (size_t i = 0; error == HK_OK && i < profile->device_count; i++) {
        if (strcmp(profile->devices[i].name, name) == 0) {
            *device = profile->devices[i];
            found = true;
        }
    }
    free(profile);
    return error == HK_OK && !found
               ? hk_op_fail(call, HK_NOT_FOUND, "there is no device '%s'; see 'halfkey device list'", name)
               : error;
}

/* ---- promote ---- */

enum hk_error hk_op_device_promote(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_profile_device device;
    uint64_t due = 0;
    size_t keys = 0;
    enum hk_error error = find(call, &device);
    if (error == HK_OK && device.role == HK_ROLE_ADMIN) {
        return hk_op_fail(call, HK_EXISTS, "'%s' is an administrator's device already", device.name);
    }
    if (error == HK_OK) {
        error = hk_core_ask_change(core, HK_CHANGE_PROMOTE, device.serial, &due);
    }
    if (error == HK_CONFLICT) {
        return hk_op_fail(call, error, "'%s' is an administrator's device already, or revoked", device.name);
    }
    if (error == HK_OK && due != 0) {
        return hk_op_fail_waiting(call, due, "this promotion");
    }
    if (error == HK_OK) {
        memcpy(core->promoting, device.serial, HK_ID_BYTES);
        error = hk_core_hand_over(core, device.serial, &keys);
        memset(core->promoting, 0, HK_ID_BYTES);
    }
    if (error == HK_UNKNOWN_RUN) {
        return hk_op_fail(call, error,
                          "'%s' asks another administrator's device for keys: run the same command there; "
                          "or, if it has not "
                          "asked at all, 'halfkey' on '%s' once",
                          device.name, device.name);
    }
    hk_agent_set_u64(call->answer, HK_A_EXPIRES, due);
    hk_agent_set_u64(call->answer, HK_A_COUNT, keys);
    return error;
}

static enum hk_error set_role(void *argument, struct hk_profile *profile)
{
    const struct hk_state *state = argument;
    for (size_t i = 0; i < profile->device_count; i++) {
        if (memcmp(profile->devices[i].serial, state->serial, HK_ID_BYTES) == 0) {
            profile->devices[i].role = HK_ROLE_ADMIN;
            return HK_OK;
        }
    }
    return HK_NOT_FOUND;
}

enum hk_error hk_core_take_role(struct hk_core *core)
{
    const struct hk_state_key *key = hk_state_account_key(core->state);
    bool waits = key != NULL && key->state == HK_KEY_ACTIVE && core->state->role != HK_ROLE_ADMIN;
    return waits ? hk_core_next_profile(core, set_role, core->state) : HK_OK;
}

/* ---- what waits ---- */

static void name_of(const struct hk_profile *profile, const uint8_t *serial, char out[HK_NAME_MAX + 1])
{
    snprintf(out, HK_NAME_MAX + 1, "(%02x%02x%02x%02x)", serial[0], serial[1], serial[2], serial[3]);
    for (size_t i = 0; i < profile->device_count; i++) {
        if (memcmp(profile->devices[i].serial, serial, HK_ID_BYTES) == 0) {
            memcpy(out, profile->devices[i].name, HK_NAME_MAX + 1);
        }
    }
}

static enum hk_error add_row(struct hk_op_call *call, const struct hk_profile *profile,
                             struct hk_bytes encoded)
{
    struct hk_change change;
    struct hk_agent_change_row row;
    size_t size;
    uint8_t *room = hk_op_memory(call, 256);
    if (room == NULL) {
        return HK_NO_MEMORY;
    }
    if (hk_change_decode(&change, encoded.data, encoded.size) != HK_OK) {
        return HK_BAD_PEER;
    }
    row.kind = change.kind;
    row.due = change.due;
    name_of(profile, change.subject, row.device);
    name_of(profile, change.asker, row.asker);
    enum hk_error error = hk_agent_change_row_encode(&row, room, 256, &size);
    return error == HK_OK && !hk_agent_add(call->answer, HK_A_ROWS, room, size) ? HK_TOO_LARGE : error;
}

enum hk_error hk_op_changes(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_exchange *exchange = NULL;
    struct hk_profile *profile = malloc(sizeof(*profile));
    enum hk_error error = profile != NULL ? hk_state_profile(core->state, profile) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = hk_exchange_new(&exchange, core->client);
    }
    if (error == HK_OK) {
        hk_exchange_start(exchange, HK_OP_CHANGES);
        error = hk_client_call(core->client, exchange);
        const struct hk_value *rows = &exchange->answer.value[HK_F_ROWS];
        for (size_t i = 0; error == HK_OK && i < rows->count; i++) {
            error = add_row(call, profile, rows->items[i]);
        }
        hk_exchange_free(core->client, exchange);
    }
    free(profile);
    return error;
}

static enum hk_error decide(struct hk_op_call *call, enum hk_op op)
{
    struct hk_core *core = call->core;
    struct hk_profile_device device;
    struct hk_exchange *exchange;
    enum hk_error error = find(call, &device);
    if (error != HK_OK || (error = hk_exchange_new(&exchange, core->client)) != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, op);
    hk_message_set_u64(&exchange->request, HK_F_KIND, hk_agent_u64(call->request, HK_A_KIND));
    hk_message_set_bytes(&exchange->request, HK_F_DEVICE, device.serial, HK_ID_BYTES);
    error = op == HK_OP_CHANGE_CANCEL ? hk_client_call_alone(core->client, exchange)
                                      : hk_client_call(core->client, exchange);
    hk_exchange_free(core->client, exchange);
    return error;
}

enum hk_error hk_op_change_approve(struct hk_op_call *call)
{
    enum hk_error error = decide(call, HK_OP_CHANGE_APPROVE);
    if (error == HK_UNKNOWN_RUN) {
        return hk_op_fail(call, error, "no such change waits; see 'halfkey changes'");
    }
    return error == HK_NOT_ALLOWED
               ? hk_op_fail(call, error,
                            "this device has asked for it: another administrator approves, or time does")
               : error;
}

/* Without a look at the log before it: a suspended administrator may cancel, and not look. */
enum hk_error hk_op_change_cancel(struct hk_op_call *call)
{
    return decide(call, HK_OP_CHANGE_CANCEL);
}

/* device list, rename, revoke. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/agent_core.h"
#include "protocol/seam.h"

/* --- list --- */

static const struct hk_profile_device *find_listed(const struct hk_profile *profile, const uint8_t *serial)
{
    for (size_t i = 0; i < profile->device_count; i++) {
        if (memcmp(profile->devices[i].serial, serial, HK_ID_BYTES) == 0) {
            return &profile->devices[i];
        }
    }
    return NULL;
}

static void describe(const struct hk_state *state, const struct hk_profile *profile,
                     const struct hk_device_row *row, struct hk_agent_device_row *out)
{
    const struct hk_profile_device *listed = find_listed(profile, row->serial);
    memset(out, 0, sizeof(*out));
    memcpy(out->serial, row->serial, HK_ID_BYTES);
    if (listed != NULL) {
        memcpy(out->name, listed->name, sizeof(out->name));
    } else { /* no longer listed: its serial must do */
        snprintf(out->name, sizeof(out->name), "(%02x%02x%02x%02x)", row->serial[0], row->serial[1],
                 row->serial[2], row->serial[3]);
    }
    out->role = listed != NULL ? listed->role : row->role;
    out->is_this = memcmp(row->serial, state->serial, HK_ID_BYTES) == 0;
    out->in_profile = listed != NULL;
    out->status = row->status;
    out->epoch = row->epoch;
    out->last_use = row->last_use;
    out->uses = row->uses;
    out->stale_copy_seen = row->stale_copy_seen;
    for (size_t i = 0; i < state->log.report_count; i++) {
        if (memcmp(state->log.report[i].serial, row->serial, HK_ID_BYTES) == 0) {
            out->reported = state->log.report[i].head.time;
        }
    }
}

static enum hk_error add_row(struct hk_op_call *call, const struct hk_profile *profile,
                             struct hk_bytes encoded)
{
    struct hk_device_row row;
    struct hk_agent_device_row shown;
    size_t size;
    uint8_t *room = hk_op_memory(call, 256);
    enum hk_error error = room != NULL ? hk_row_decode(&row, encoded.data, encoded.size) : HK_NO_MEMORY;
    if (error != HK_OK) {
        return error == HK_NO_MEMORY ? error : HK_BAD_PEER;
    }
    describe(call->core->state, profile, &row, &shown);
    error = hk_agent_device_row_encode(&shown, room, 256, &size);
    if (error == HK_OK && !hk_agent_add(call->answer, HK_A_ROWS, room, size)) {
        error = HK_TOO_LARGE;
    }
    return error;
}

enum hk_error hk_op_device_list(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_exchange *exchange = NULL;
    struct hk_profile *profile = malloc(sizeof(*profile));
    enum hk_error error = profile != NULL ? hk_state_profile(core->state, profile) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = hk_exchange_new(&exchange, core->client);
    }
    if (error == HK_OK) {
        hk_exchange_start(exchange, HK_OP_STATUS);
        error = hk_client_call(core->client, exchange);
    }
    for (size_t i = 0; error == HK_OK && i < exchange->answer.value[HK_F_ROWS].count; i++) {
        error = add_row(call, profile, exchange->answer.value[HK_F_ROWS].items[i]);
    }
    hk_exchange_free(core->client, exchange);
    free(profile);
    return error;
}

/* --- rename --- */

struct rename {
    char from[HK_NAME_MAX + 1], to[HK_NAME_MAX + 1];
};

static enum hk_error apply_rename(void *argument, struct hk_profile *profile)
{
    const struct rename *names = argument;
    struct hk_profile_device *found = NULL;
    for (size_t i = 0; i < profile->device_count; i++) {
        if (strcmp(profile->devices[i].name, names->to) == 0) {
            return HK_EXISTS;
        }
        if (strcmp(profile->devices[i].name, names->from) == 0) {
            found = &profile->devices[i];
        }
    }
    if (found == NULL) {
        return HK_NOT_FOUND;
    }
    memcpy(found->name, names->to, sizeof(found->name));
    return HK_OK;
}

enum hk_error hk_op_device_rename(struct hk_op_call *call)
{
    struct rename names;
    hk_agent_text(call->request, HK_A_DEVICE, names.from, sizeof(names.from));
    hk_agent_text(call->request, HK_A_NAME, names.to, sizeof(names.to));
    enum hk_error error = hk_core_next_profile(call->core, apply_rename, &names);
    if (error == HK_NOT_FOUND) {
        return hk_op_fail(call, error, "there is no device '%s'; see 'halfkey device list'", names.from);
    }
    if (error == HK_EXISTS) {
        return hk_op_fail(call, error, "there is a device '%s' already", names.to);
    }
    return error;
}

/* --- revoke --- */

static enum hk_error remove_device(void *argument, struct hk_profile *profile)
{
    const uint8_t *serial = argument;
    for (size_t i = 0; i < profile->device_count; i++) {
        if (memcmp(profile->devices[i].serial, serial, HK_ID_BYTES) == 0) {
            memmove(&profile->devices[i], &profile->devices[i + 1],
                    (profile->device_count - i - 1) * sizeof(profile->devices[0]));
            profile->device_count--;
            return HK_OK;
        }
    }
    return HK_NOT_FOUND; /* not listed any more: there is nothing to sign */
}

enum hk_error hk_core_send_revocation(struct hk_core *core, const struct hk_state_certificate *certificate)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_REVOKE);
    hk_message_set_bytes(&exchange->request, HK_F_CERTIFICATE, certificate->bytes, certificate->size);
    HK_SEAM("revoke/before");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("revoke/after");
    hk_exchange_free(core->client, exchange);
    return error;
}

/* An administrator's end waits, or is approved by another one; then its certificate is signed here. */
static enum hk_error end_administrator(struct hk_op_call *call, const struct hk_profile_device *device)
{
    struct hk_core *core = call->core;
    uint8_t certificate[HK_SMALL_OBJECT_MAX];
    uint64_t due = 0;
    size_t size;
    if (memcmp(device->serial, core->state->serial, HK_ID_BYTES) == 0) {
        return hk_op_fail(
            call, HK_NEEDS_APPROVAL,
            "'%s' is this device: 'halfkey revoke --code' with its printed code, or --certificate, ends it",
            device->name);
    }
    enum hk_error error = hk_core_ask_change(core, HK_CHANGE_REVOKE, device->serial, &due);
    if (error == HK_OK && due != 0) {
        return hk_op_fail_waiting(call, due, "the end of an administrator's device");
    }
    if (error == HK_OK) {
        error = hk_account_sign_revocation(core, device->serial, certificate, &size);
    }
    return error == HK_OK ? hk_state_keep_certificate(core->state, device->serial, certificate, size, NULL)
                          : error;
}

/* The device of this name that may be revoked from here, with its certificate. */
static enum hk_error find_device(struct hk_op_call *call, const char *name,
                                 struct hk_state_certificate **certificate)
{
    struct hk_state *state = call->core->state;
    struct hk_profile *profile = malloc(sizeof(*profile));
    struct hk_profile_device device = {0};
    bool found = false;
    enum hk_error error = profile != NULL ? hk_state_profile(state, profile) : HK_NO_MEMORY;
    for (size_t i = 0; error == HK_OK && i < profile->device_count; i++) {
        if (strcmp(profile->devices[i].name, name) == 0) {
            device = profile->devices[i];
            found = true;
        }
    }
    free(profile);
    if (error != HK_OK) {
        return error;
    }
    if (!found) {
        return hk_op_fail(call, HK_NOT_FOUND, "there is no device '%s'; see 'halfkey device list'", name);
    }
    if (device.role == HK_ROLE_ADMIN) {
        error = end_administrator(call, &device);
        if (error != HK_OK) {
            return error;
        }
    }
    *certificate = hk_state_certificate(state, device.serial);
    return *certificate != NULL ? HK_OK
                                : hk_op_fail(call, HK_NOT_FOUND,
                                             "this device has no revocation certificate of '%s'; use its "
                                             "printed code: 'halfkey revoke --code'",
                                             name);
}

enum hk_error hk_op_device_revoke(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_state_certificate *certificate = NULL;
    char name[HK_NAME_MAX + 1];
    hk_agent_text(call->request, HK_A_DEVICE, name, sizeof(name));
    bool changed;
    /* A profile of another administrator that lists the device is not taken any more once that is marked
     * here. What keeps it from coming, a service that is away above all, keeps nobody from deciding. */
    enum hk_error followed = hk_core_follow_profile(core, &changed);
    (void)followed;
    enum hk_error error = find_device(call, name, &certificate);
    if (error != HK_OK) {
        return error;
    }
    assert(certificate != NULL);
    /* Decided is decided: from here on the certificate is shown at every contact, whatever happens below. */
    certificate->revoked = true;
    error = hk_core_save(core, "revoke.mark");
    hk_core_identify(core);
    if (error == HK_OK) {
        error = hk_core_send_revocation(core, certificate);
    }
    if (error != HK_OK) {
        return hk_op_fail(call, error,
                          "not revoked yet (%s); this device will ask for it again at every contact",
                          hk_strerror(error));
    }
    uint8_t serial[HK_ID_BYTES];
    memcpy(serial, certificate->serial, sizeof(serial));
    error = hk_core_next_profile(core, remove_device, serial);
    if (error != HK_OK && error != HK_NOT_FOUND) {
        return hk_op_fail(call, error, "'%s' is revoked, but the new profile could not be signed (%s)", name,
                          hk_strerror(error));
    }
    return hk_op_put(call, HK_A_SERIAL, serial, sizeof(serial)) ? HK_OK : HK_NO_MEMORY;
}

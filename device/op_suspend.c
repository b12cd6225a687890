/* device suspend, device resume. */
#include <stdlib.h>
#include <string.h>

#include "device/agent_core.h"

static enum hk_error find(struct hk_op_call *call, const char *name, struct hk_profile_device *device)
{
    struct hk_profile *profile = malloc(sizeof(*profile));
    enum hk_error error = profile != NULL ? hk_state_profile(call->core->state, profile) : HK_NO_MEMORY;
    bool found = false;
    for (size_t i = 0; error == HK_OK && i < profile->device_count; i++) {
        if (strcmp(profile->devices[i].name, name) == 0) {
            *device = profile->devices[i];
            found = true;
        }
    }
    free(profile);
    if (error == HK_OK && !found) {
        return hk_op_fail(call, HK_NOT_FOUND, "there is no device '%s'; see 'halfkey device list'", name);
    }
    if (error == HK_OK && memcmp(device->serial, call->core->state->serial, HK_ID_BYTES) == 0) {
        return hk_op_fail(call, HK_NEEDS_APPROVAL, "'%s' is this device: nobody might be left to resume it",
                          name);
    }
    return error;
}

static enum hk_error ask(struct hk_op_call *call, enum hk_op op)
{
    struct hk_core *core = call->core;
    struct hk_profile_device device;
    struct hk_exchange *exchange;
    char name[HK_NAME_MAX + 1];
    hk_agent_text(call->request, HK_A_DEVICE, name, sizeof(name));
    enum hk_error error = find(call, name, &device);
    if (error != HK_OK || (error = hk_exchange_new(&exchange, core->client)) != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, op);
    hk_message_set_bytes(&exchange->request, HK_F_DEVICE, device.serial, HK_ID_BYTES);
    /* A suspended administrator may suspend in return, and not look at the log before it. */
    error = op == HK_OP_SUSPEND ? hk_client_call_alone(core->client, exchange)
                                : hk_client_call(core->client, exchange);
    hk_exchange_free(core->client, exchange);
    return error == HK_CONFLICT ? hk_op_fail(call, error, "'%s' is revoked: enrol it again", name) : error;
}

enum hk_error hk_op_device_suspend(struct hk_op_call *call)
{
    return ask(call, HK_OP_SUSPEND);
}

enum hk_error hk_op_device_resume(struct hk_op_call *call)
{
    enum hk_error error = ask(call, HK_OP_RESUME);
    if (error == HK_OK) {
        atomic_store(&call->core->hands_due, true); /* keys that were made meanwhile */
    }
    return error;
}

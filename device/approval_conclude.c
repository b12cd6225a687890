/* The end of an enrolment: until the new device is active, and then into the profile; steps 8 and 9 of
 * docs/protocol.md. */
#include "device/approval.h"

#include <string.h>

/* Asks what has become of the enrolment: HK_OK once the device is active, HK_AGAIN while it is not,
 * HK_NOT_FOUND if the service has forgotten it. */
static enum hk_error ask_status(struct hk_core *core)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_STATUS);
    error = hk_client_call(core->client, exchange);
    enum hk_error found = HK_NOT_FOUND;
    const struct hk_value *rows = &exchange->answer.value[HK_F_ROWS];
    for (size_t i = 0; error == HK_OK && i < rows->count; i++) {
        struct hk_device_row row;
        if (hk_row_decode(&row, rows->items[i].data, rows->items[i].size) != HK_OK) {
            error = HK_BAD_PEER;
        } else if (memcmp(row.serial, core->state->enrolment.serial, HK_ID_BYTES) == 0) {
            found = row.status == HK_STATUS_ACTIVE || row.status == HK_STATUS_SUSPENDED ? HK_OK
                    : row.status == HK_STATUS_ENROLLING                                 ? HK_AGAIN
                                                                                        : HK_REVOKED;
        }
    }
    hk_exchange_free(core->client, exchange);
    return error == HK_OK ? found : error;
}

static enum hk_error list_device(void *argument, struct hk_profile *profile)
{
    const struct hk_device_record *record = argument;
    size_t place = 0;
    while (place < profile->device_count &&
           memcmp(profile->devices[place].serial, record->serial, HK_ID_BYTES) < 0) {
        place++;
    }
    struct hk_profile_device *at = &profile->devices[place];
    if (place < profile->device_count && memcmp(at->serial, record->serial, HK_ID_BYTES) == 0) {
        return HK_EXISTS; /* after a crash: it is there */
    }
    if (profile->device_count == HK_DEVICES) {
        return HK_TOO_LARGE;
    }
    memmove(at + 1, at, (profile->device_count - place) * sizeof(*at));
    memset(at, 0, sizeof(*at));
    memcpy(at->serial, record->serial, HK_ID_BYTES);
    memcpy(at->static_key, record->static_key, 32);
    memcpy(at->name, record->name, sizeof(at->name));
    memcpy(at->report_key, record->report_key, 32);
    at->role = record->role;
    memcpy(at->code_hash, record->code_hash, 32);
    profile->device_count++;
    return HK_OK;
}

enum hk_error hk_approval_conclude(struct hk_core *core)
{
    struct hk_state_enrolment *enrolment = &core->state->enrolment;
    struct hk_state_key *account_key = hk_state_account_key(core->state);
    struct hk_device_record record;
    if (account_key == NULL) {
        return HK_NOT_ALLOWED;
    }
    enum hk_error error =
        hk_record_open(&record, enrolment->record, enrolment->record_size, account_key->public_key);
    if (error == HK_OK) {
        error = hk_core_next_profile(core, list_device, &record);
        error = error == HK_EXISTS ? HK_OK : error;
    }
    if (error != HK_OK) {
        return error;
    }
    for (size_t i = 0; i < core->state->key_count; i++) { /* no key is made while an enrolment is open */
        if (core->state->key[i].purpose != HK_PURPOSE_ACCOUNT) {
            hk_state_add_holder(core->state, record.serial);
        }
    }
    enrolment->open = false;
    core->state->must_refresh = true;
    if ((error = hk_core_save(core, "enrol/listed")) != HK_OK) {
        return error;
    }
    return hk_core_refresh(core);
}

/* Nothing came of it: the device can never be active, and nobody lists it. */
enum hk_error hk_approval_give_up(struct hk_core *core)
{
    core->state->enrolment.open = false;
    return hk_core_save(core, "enrol/void");
}

enum hk_error hk_approval_wait(struct hk_core *core)
{
    uint8_t serial[HK_ID_BYTES];
    memcpy(serial, core->state->enrolment.serial, sizeof(serial));
    uint64_t expires = core->state->enrolment.expires;
    enum hk_error error;
    for (;;) {
        error = ask_status(core);
        bool is_temporary =
            error == HK_AGAIN || error == HK_UNREACHABLE || error == HK_TIMEOUT || error == HK_BUSY;
        if (!is_temporary) {
            return error;
        }
        if (expires <= hk_approval_now()) {
            return error == HK_AGAIN ? HK_NOT_FOUND : error;
        }
        if ((error = hk_approval_pause(core)) != HK_OK) {
            return error;
        }
        if (!core->state->enrolment.open ||
            memcmp(core->state->enrolment.serial, serial, sizeof(serial)) != 0) {
            return HK_CONFLICT;
        }
    }
}

enum hk_error hk_resume_enrolment(struct hk_core *core)
{
    if (!core->state->enrolment.open) {
        return core->state->must_refresh ? hk_core_refresh(core) : HK_OK;
    }
    enum hk_error error = ask_status(core);
    if (error == HK_OK) {
        return hk_approval_conclude(core);
    }
    if (error == HK_AGAIN) {
        return HK_OK; /* the new device has not confirmed; asked again at the next resume */
    }
    return error == HK_NOT_FOUND || error == HK_REVOKED ? hk_approval_give_up(core) : error;
}

/* Its certificate ends it at the service, where it would otherwise keep keys and epoch locked until it
 * expires. */
static enum hk_error revoke_open(struct hk_core *core)
{
    struct hk_state_enrolment *enrolment = &core->state->enrolment;
    struct hk_state_certificate *certificate = hk_state_certificate(core->state, enrolment->serial);
    if (certificate == NULL) {
        return HK_INTERNAL;
    }
    certificate->revoked = true;
    enum hk_error error = hk_core_save(core, "enrol/end");
    return error == HK_OK ? hk_core_send_revocation(core, certificate) : error;
}

enum hk_error hk_approval_end_open(struct hk_core *core)
{
    enum hk_error error = ask_status(core);
    if (error == HK_OK) {
        return hk_approval_conclude(core);
    }
    if (error == HK_AGAIN) {
        error = revoke_open(core);
        error = error == HK_OK ? HK_REVOKED : error;
    }
    return error == HK_NOT_FOUND || error == HK_REVOKED ? hk_approval_give_up(core) : error;
}

/* What the account signs: records, revocation certificates, and the next profile. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device/agent_core.h"
#include "protocol/cose.h"
#include "protocol/seam.h"

enum hk_error hk_account_sign(struct hk_core *core, const char *type, struct hk_bytes payload, uint8_t *out,
                              size_t max, size_t *size)
{
    uint8_t signature[64];
    size_t length, room = payload.size + HK_COSE_OVERHEAD_MAX;
    const struct hk_state_key *key = hk_state_account_key(core->state);
    if (key == NULL) {
        return HK_NOT_ALLOWED;
    }
    uint8_t *to_be_signed = malloc(room);
    if (to_be_signed == NULL) {
        return HK_NO_MEMORY;
    }
    enum hk_error error =
        hk_cose_to_be_signed(to_be_signed, room, &length, type, core->state->account, payload);
    if (error == HK_OK) {
        struct hk_core_signing signing = {.kind = HK_SIGN_OBJECT, .message = HK_BYTES(to_be_signed, length)};
        error = hk_core_cosign(core, key, &signing, signature);
    }
    free(to_be_signed);
    return error == HK_OK ? hk_cose_assemble(out, max, size, type, core->state->account, payload, signature)
                          : error;
}

enum hk_error hk_account_sign_record(struct hk_core *core, const struct hk_device_record *record,
                                     uint8_t *out, size_t *size)
{
    uint8_t payload[HK_SMALL_OBJECT_MAX];
    size_t length;
    enum hk_error error = hk_record_encode(record, payload, sizeof(payload), &length);
    return error == HK_OK ? hk_account_sign(core, HK_TYPE_RECORD, HK_BYTES(payload, length), out,
                                            HK_SMALL_OBJECT_MAX, size)
                          : error;
}

enum hk_error hk_account_sign_revocation(struct hk_core *core, const uint8_t serial[HK_ID_BYTES],
                                         uint8_t *out, size_t *size)
{
    uint8_t payload[HK_SMALL_OBJECT_MAX];
    size_t length;
    struct hk_revocation revocation = {.created = (uint64_t)time(NULL)};
    memcpy(revocation.account, core->state->account, HK_ACCOUNT_BYTES);
    memcpy(revocation.serial, serial, HK_ID_BYTES);
    enum hk_error error = hk_revocation_encode(&revocation, payload, sizeof(payload), &length);
    return error == HK_OK ? hk_account_sign(core, HK_TYPE_REVOCATION, HK_BYTES(payload, length), out,
                                            HK_SMALL_OBJECT_MAX, size)
                          : error;
}

/* --- the next profile --- */

struct work {
    struct hk_profile profile;
    uint8_t payload[HK_PAYLOAD_MAX], signed_profile[HK_PAYLOAD_MAX + HK_COSE_OVERHEAD_MAX];
    size_t size;
};

/* Takes over the service's profile, which may be newer: a crash between put and save leaves it so. */
static enum hk_error fetch(struct hk_core *core)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_FETCH_PROFILE);
    error = hk_client_call(core->client, exchange);
    if (error == HK_OK) {
        const struct hk_value *profile = &exchange->answer.value[HK_F_PROFILE];
        bool same = profile->size == core->state->profile_size &&
                    memcmp(profile->data, core->state->profile, profile->size) == 0;
        core->state->profile_refused = NULL;
        error = same ? HK_OK : hk_state_take_profile(core->state, profile->data, profile->size, NULL);
    }
    hk_exchange_free(core->client, exchange);
    bool none = error == HK_UNKNOWN_DEVICE || error == HK_NOT_ALLOWED;
    return none && core->state->profile_version == 0 ? HK_OK : error;
}

enum hk_error hk_core_follow_profile(struct hk_core *core, bool *changed)
{
    uint64_t version = core->state->profile_version;
    enum hk_error error = fetch(core);
    *changed = core->state->profile_version != version;
    return error == HK_OK && *changed ? hk_core_save(core, "profile") : error;
}

/* `removed`: NULL, or the key that the profile no longer lists. */
static enum hk_error put(struct hk_core *core, const struct work *work, const uint8_t *removed)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, removed != NULL ? HK_OP_KEY_DELETE : HK_OP_PROFILE_PUT);
    if (removed != NULL) {
        hk_message_set_bytes(&exchange->request, HK_F_KEY, removed, HK_ID_BYTES);
    }
    hk_message_set_bytes(&exchange->request, HK_F_PROFILE, work->signed_profile, work->size);
    HK_SEAM("profile.put/before");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("profile.put/after");
    hk_exchange_free(core->client, exchange);
    return error;
}

/* What every profile begins with: who and where, and the version before. */
static enum hk_error start_profile(struct hk_core *core, struct hk_profile *profile)
{
    const struct hk_state *state = core->state;
    const struct hk_state_key *account_key = hk_state_account_key(core->state);
    if (account_key == NULL) {
        return HK_NOT_ALLOWED;
    }
    if (state->profile_version > 0) {
        enum hk_error error = hk_state_profile(state, profile);
        if (error != HK_OK) {
            return error;
        }
        hk_object_hash(profile->previous, state->profile, state->profile_size);
    } else {
        memset(profile, 0, sizeof(*profile));
    }
    profile->version = state->profile_version + 1;
    profile->time = (uint64_t)time(NULL);
    memcpy(profile->account, state->account, HK_ACCOUNT_BYTES);
    memcpy(profile->account_key, account_key->public_key, 32);
    memcpy(profile->service_key, state->service_key, 32);
    memcpy(profile->identity_key, state->identity_key, 32);
    memcpy(profile->address, state->address, sizeof(profile->address));
    return HK_OK;
}

/* Drops the devices that the service says are revoked: by paper, by certificate, by another administrator. No
 * profile that lists one is taken. Their certificates, where they are kept, count as used from now on. */
static enum hk_error drop_revoked(struct hk_core *core, struct hk_profile *profile)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_STATUS);
    error = hk_client_call(core->client, exchange);
    const struct hk_value *rows = &exchange->answer.value[HK_F_ROWS];
    for (size_t i = 0; error == HK_OK && i < rows->count; i++) {
        struct hk_device_row row;
        error = hk_row_decode(&row, rows->items[i].data, rows->items[i].size) == HK_OK ? HK_OK : HK_BAD_PEER;
        for (size_t k = 0; error == HK_OK && k < profile->device_count;
             k++) { /* promoted, and not yet listed so */
            if (memcmp(profile->devices[k].serial, row.serial, HK_ID_BYTES) == 0) {
                profile->devices[k].role = row.role;
            }
        }
        for (size_t k = 0; error == HK_OK && row.status == HK_STATUS_REVOKED && k < profile->device_count;
             k++) {
            if (memcmp(profile->devices[k].serial, row.serial, HK_ID_BYTES) == 0) {
                struct hk_state_certificate *kept = hk_state_certificate(core->state, row.serial);
                memmove(&profile->devices[k], &profile->devices[k + 1],
                        (--profile->device_count - k) * sizeof(profile->devices[0]));
                if (kept != NULL) {
                    kept->revoked = true;
                }
            }
        }
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

static enum hk_error sign_and_put(struct hk_core *core, hk_profile_change change, void *argument,
                                  struct work *work, const uint8_t *removed, bool again)
{
    size_t length;
    enum hk_error error = start_profile(core, &work->profile);
    if (error == HK_OK && again) {
        error = drop_revoked(core, &work->profile);
    }
    if (error == HK_OK) {
        error = change(argument, &work->profile);
    }
    if (error == HK_OK) {
        error = hk_profile_encode(&work->profile, work->payload, sizeof(work->payload), &length);
    }
    if (error == HK_OK) {
        error = hk_account_sign(core, HK_TYPE_PROFILE, HK_BYTES(work->payload, length), work->signed_profile,
                                sizeof(work->signed_profile), &work->size);
    }
    return error == HK_OK ? put(core, work, removed) : error;
}

static enum hk_error next_profile(struct hk_core *core, hk_profile_change change, void *argument,
                                  const uint8_t *removed)
{
    struct work *work = malloc(sizeof(*work));
    enum hk_error error = work != NULL ? fetch(core) : HK_NO_MEMORY;
    if (error == HK_OK) { /* an old profile that is shown instead of the latest ends here */
        error = sign_and_put(core, change, argument, work, removed, false);
        if (error == HK_CONFLICT) { /* ours lists a device that is revoked */
            error = sign_and_put(core, change, argument, work, removed, true);
        }
    }
    if (error == HK_OK) {
        error = hk_state_take_profile(core->state, work->signed_profile, work->size, NULL);
    }
    free(work);
    return error == HK_OK ? hk_core_save(core, "profile") : error;
}

enum hk_error hk_core_next_profile(struct hk_core *core, hk_profile_change change, void *argument)
{
    return next_profile(core, change, argument, NULL);
}

static enum hk_error unlist(void *argument, struct hk_profile *profile)
{
    const uint8_t *id = argument;
    for (size_t i = 0; i < profile->key_count; i++) {
        if (memcmp(profile->keys[i].id, id, HK_ID_BYTES) == 0) {
            memmove(&profile->keys[i], &profile->keys[i + 1],
                    (--profile->key_count - i) * sizeof(profile->keys[0]));
            return HK_OK;
        }
    }
    return HK_UNKNOWN_KEY; /* another administrator was faster */
}

enum hk_error hk_core_delete_key(struct hk_core *core, const uint8_t id[HK_ID_BYTES])
{
    uint8_t copy[HK_ID_BYTES];
    memcpy(copy, id, sizeof(copy));
    return next_profile(core, unlist, copy, copy);
}

/* What a new device is given, checked: by the administrator end to end, by the service over its own session;
 * steps 6 and 7 of docs/protocol.md. */
#include "device/joining.h"

#include <string.h>

#include "protocol/seam.h"

static bool lists_administrator(const struct hk_finishing *finishing, const struct hk_invitation *invitation)
{
    for (size_t i = 0; i < finishing->profile.device_count; i++) {
        const struct hk_profile_device *device = &finishing->profile.devices[i];
        if (memcmp(device->serial, finishing->bundle.administrator, HK_ID_BYTES) == 0) {
            return device->role == HK_ROLE_ADMIN &&
                   memcmp(device->static_key, invitation->administrator, 32) == 0;
        }
    }
    return false;
}

static bool is_own_record(const struct hk_state *state, const struct hk_finishing *finishing,
                          const struct hk_joining *joining)
{
    const struct hk_device_record *record = &finishing->record;
    uint8_t code_hash[32];
    hk_code_hash(code_hash, finishing->bundle.code);
    return memcmp(record->serial, state->serial, HK_ID_BYTES) == 0 &&
           memcmp(record->static_key, state->static_public, 32) == 0 &&
           memcmp(record->report_key, state->report_public, 32) == 0 && record->role == HK_ROLE_ORDINARY &&
           record->has_gate && memcmp(record->gate_hash, joining->keys.gate_hash, 32) == 0 &&
           memcmp(record->code_hash, code_hash, 32) == 0;
}

/* Signed by the account of the invitation, about this device, at this service; then it is the state's. */
enum hk_error hk_joining_take_bundle(struct hk_core *core, struct hk_joining *joining,
                                     struct hk_finishing *finishing)
{
    struct hk_state *state = core->state;
    struct hk_join_bundle *bundle = &finishing->bundle;
    struct hk_revocation revocation;
    enum hk_error error = hk_profile_open_named(&finishing->profile, bundle->profile.data,
                                                bundle->profile.size, joining->invitation.account);
    if (error == HK_OK) {
        error = hk_record_open(&finishing->record, bundle->record.data, bundle->record.size,
                               finishing->profile.account_key);
    }
    if (error == HK_OK) {
        error = hk_revocation_open(&revocation, bundle->certificate.data, bundle->certificate.size,
                                   finishing->profile.account_key);
    }
    bool fits = error == HK_OK && lists_administrator(finishing, &joining->invitation) &&
                is_own_record(state, finishing, joining) &&
                memcmp(revocation.serial, state->serial, HK_ID_BYTES) == 0 &&
                memcmp(finishing->profile.service_key, state->service_key, 32) == 0 &&
                bundle->record.size <= sizeof(state->record);
    if (!fits) {
        return error == HK_OK ? HK_BAD_PEER : error;
    }
    memcpy(state->account, joining->invitation.account, HK_ACCOUNT_BYTES);
    memcpy(state->identity_key, finishing->profile.identity_key, 32);
    memcpy(state->name, finishing->record.name, sizeof(state->name));
    memcpy(state->record, bundle->record.data, bundle->record.size);
    state->record_size = bundle->record.size;
    state->log.head = bundle->head;
    error = hk_state_take_profile(state, bundle->profile.data, bundle->profile.size, NULL);
    return error == HK_OK ? hk_state_keep_certificate(state, state->serial, bundle->certificate.data,
                                                      bundle->certificate.size, bundle->code)
                          : error;
}

/* --- step 7: the service's part --- */

enum hk_error hk_joining_take_key(struct hk_enrol_key *public, struct hk_scalar *half,
                                  struct hk_point *service_point, const struct hk_join_key *given,
                                  const struct hk_profile_key *listed, const struct hk_exchange *exchange,
                                  size_t i)
{
    const struct hk_suite *suite = listed != NULL ? hk_suite_by_id(listed->suite) : NULL;
    if (suite == NULL || listed->suite != given->suite) {
        return HK_BAD_PEER;
    }
    size_t point = suite->group->point_bytes;
    const uint8_t *id = hk_exchange_item(exchange, HK_F_KEYS, i, HK_ID_BYTES),
                  *kept = hk_exchange_item(exchange, HK_F_KEPT, i, point),
                  *passed = hk_exchange_item(exchange, HK_F_PASSED, i, point),
                  *share = hk_exchange_item(exchange, HK_F_SUBSHARES, i, suite->group->scalar_bytes);
    if (id == NULL || kept == NULL || passed == NULL || share == NULL ||
        memcmp(id, given->id, HK_ID_BYTES) != 0) {
        return HK_BAD_PEER;
    }
    *public = (struct hk_enrol_key){.id = given->id, .suite = suite, .public_key = listed->public_key};
    memcpy(public->administrator.kept, given->commitment, point);
    memcpy(public->administrator.passed, given->passed, point);
    memcpy(public->service.kept, kept, point);
    memcpy(public->service.passed, passed, point);
    return hk_enrol_take(half, service_point, suite->group, listed->public_key, given->device_point,
                         &public->administrator, given->kept, &public->service, share);
}

/* One key: d2 into the state. */
static enum hk_error take_key(struct hk_core *core, struct hk_finishing *finishing,
                              const struct hk_exchange *exchange, size_t i)
{
    const struct hk_join_key *given = &finishing->bundle.keys[i];
    const struct hk_profile_key *listed = hk_profile_key_by_id(&finishing->profile, given->id);
    struct hk_scalar half;
    HK_WIPE_AT_EXIT(half);
    struct hk_point service_point;
    enum hk_error error =
        hk_joining_take_key(&finishing->keys[i], &half, &service_point, given, listed, exchange, i);
    if (error != HK_OK) {
        return error;
    }
    struct hk_state_key *key = hk_state_add_key(core->state, given->id);
    if (key == NULL) {
        return HK_OVER_QUOTA;
    }
    key->half = half;
    key->suite = listed->suite;
    key->purpose = listed->purpose;
    key->created = listed->created;
    key->imported = listed->imported;
    key->profiled = true;
    key->state = HK_KEY_PENDING;
    memcpy(key->name, listed->name, sizeof(key->name));
    memcpy(key->public_key, listed->public_key, listed->public_size);
    memcpy(key->service_point, service_point.bytes, hk_suite_point_bytes(listed->suite));
    return HK_OK;
}

static enum hk_error check_transcript(struct hk_core *core, struct hk_joining *joining,
                                      struct hk_finishing *finishing)
{
    struct hk_state *state = core->state;
    struct hk_join_bundle *bundle = &finishing->bundle;
    uint8_t record[32], transcript[HK_NAME_BYTES];
    hk_object_hash(record, bundle->record.data, bundle->record.size);
    struct hk_enrolment public = {.account = state->account,
                                  .administrator = bundle->administrator,
                                  .device = state->serial,
                                  .service_key = state->service_key,
                                  .record = record,
                                  .invitation = joining->keys.gate_hash,
                                  .epoch = bundle->epoch};
    enum hk_error error = hk_enrol_transcript(transcript, &public, finishing->keys, bundle->key_count);
    if (error == HK_OK && memcmp(transcript, bundle->transcript, sizeof(transcript)) != 0) {
        error = HK_BAD_PROOF; /* administrator and service do not say the same */
    }
    if (error == HK_OK) {
        memcpy(state->join_transcript, transcript, sizeof(transcript));
        for (size_t i = 0; i < state->key_count; i++) {
            memcpy(state->key[i].transcript, transcript, sizeof(transcript));
        }
    }
    return error;
}

enum hk_error hk_joining_fetch(struct hk_core *core, struct hk_joining *joining,
                               struct hk_finishing *finishing)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_core_identify(core);
    hk_exchange_start(exchange, HK_OP_ENROL_FETCH);
    HK_SEAM("join.fetch/before");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("join.fetch/after");
    if (error == HK_OK) {
        const uint8_t *identity = hk_exchange_bytes(exchange, HK_F_IDENTITY, 32);
        bool fits = identity != NULL && memcmp(identity, core->state->identity_key, 32) == 0 &&
                    exchange->answer.value[HK_F_KEYS].count == finishing->bundle.key_count;
        error = fits ? HK_OK : HK_BAD_PEER;
    }
    for (size_t i = 0; error == HK_OK && i < finishing->bundle.key_count; i++) {
        error = take_key(core, finishing, exchange, i);
    }
    hk_exchange_free(core->client, exchange);
    return error == HK_OK ? check_transcript(core, joining, finishing) : error;
}

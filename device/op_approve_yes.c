/* device approve, after the user has compared the words: on yes the device is enrolled, steps 4 to 6 of
 * docs/protocol.md, and waited for. */
#include "device/approval.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "device/dealing.h"
#include "protocol/seam.h"

/* Everything that a yes needs, large and secret: from hk_secret_new. */
struct yes {
    struct hk_device_record record;
    uint8_t code[HK_CODE_BYTES];
    struct hk_profile profile;
    struct hk_join_bundle bundle;
    struct hk_key_dealing dealing;
    uint8_t plain[HK_JOIN_RELAY_MAX], sealed[HK_JOIN_RELAY_MAX];
};

/* A name that the profile can take. */
static enum hk_error check_name(struct hk_op_call *call, const struct yes *yes, const char *name)
{
    for (size_t i = 0; i < yes->profile.device_count; i++) {
        if (strcmp(yes->profile.devices[i].name, name) == 0) {
            return hk_op_fail(call, HK_EXISTS,
                              "this account has a device '%s' already; let the new one join under another "
                              "name, with another code",
                              name);
        }
    }
    return yes->profile.device_count < HK_DEVICES ? HK_OK : HK_TOO_LARGE;
}

/* Step 4: record and certificate, signed by both, and kept before anything depends on them. */
static enum hk_error sign_objects(struct hk_core *core, const struct hk_approval *approval, struct yes *yes)
{
    struct hk_state *state = core->state;
    struct hk_state_enrolment *enrolment = &state->enrolment;
    struct hk_device_record *record = &yes->record;
    hk_random(yes->code, sizeof(yes->code));
    memcpy(record->account, state->account, HK_ACCOUNT_BYTES);
    memcpy(record->serial, approval->hello.serial, HK_ID_BYTES);
    memcpy(record->static_key, approval->static_key, 32);
    memcpy(record->name, approval->hello.name, sizeof(record->name));
    memcpy(record->report_key, approval->hello.report_key, 32);
    record->role = HK_ROLE_ORDINARY;
    hk_code_hash(record->code_hash, yes->code);
    record->created = hk_approval_now();
    record->has_gate = true;
    memcpy(record->gate_hash, approval->keys.gate_hash, 32);
    enum hk_error error = hk_account_sign_record(core, record, enrolment->record, &enrolment->record_size);
    if (error == HK_OK) {
        error = hk_account_sign_revocation(core, record->serial, enrolment->certificate,
                                           &enrolment->certificate_size);
    }
    if (error == HK_OK) {
        error = hk_state_keep_certificate(state, record->serial, enrolment->certificate,
                                          enrolment->certificate_size, NULL);
    }
    if (error != HK_OK) {
        return error;
    }
    enrolment->open = true;
    memcpy(enrolment->serial, record->serial, HK_ID_BYTES);
    enrolment->expires = hk_approval_now() + HK_INVITATION_SECONDS_MAX;
    return hk_core_save(core, "enrol/pending");
}

/* Splits this device's half of every key but the account's. */
static enum hk_error split_keys(const struct hk_state *state, struct yes *yes)
{
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < state->key_count && error == HK_OK; i++) {
        if (state->key[i].purpose != HK_PURPOSE_ACCOUNT) {
            error = hk_dealing_add(&yes->dealing, &state->key[i], &yes->bundle.keys[yes->dealing.count]);
        }
    }
    return error;
}

/* Step 5. */
static enum hk_error send_enrol(struct hk_core *core, const struct hk_approval *approval, struct yes *yes)
{
    const struct hk_state_enrolment *enrolment = &core->state->enrolment;
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_ENROL);
    struct hk_message *request = &exchange->request;
    hk_message_set_bytes(request, HK_F_GATE_HASH, approval->keys.gate_hash, 32);
    hk_message_set_bytes(request, HK_F_RECORD, enrolment->record, enrolment->record_size);
    hk_message_set_bytes(request, HK_F_CERTIFICATE, enrolment->certificate, enrolment->certificate_size);
    hk_dealing_put(&yes->dealing, request);
    HK_SEAM("enrol/send");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("enrol/sent");
    if (error == HK_OK) {
        error = hk_dealing_take(&yes->dealing, &exchange->answer);
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

/* Step 6: what goes to the new device, once. */
static enum hk_error send_bundle(struct hk_core *core, struct hk_approval *approval, struct yes *yes)
{
    const struct hk_state *state = core->state;
    const struct hk_state_enrolment *enrolment = &state->enrolment;
    struct hk_join_bundle *bundle = &yes->bundle;
    uint8_t record[32];
    hk_object_hash(record, enrolment->record, enrolment->record_size);
    struct hk_enrolment public = {.account = state->account,
                                  .administrator = state->serial,
                                  .device = yes->record.serial,
                                  .service_key = state->service_key,
                                  .record = record,
                                  .invitation = approval->keys.gate_hash,
                                  .epoch = state->epoch};
    enum hk_error error =
        hk_enrol_transcript(bundle->transcript, &public, yes->dealing.keys, yes->dealing.count);
    if (error != HK_OK) {
        return HK_BAD_PEER; /* the service's commitments are no points */
    }
    bundle->profile = HK_BYTES(state->profile, state->profile_size);
    bundle->record = HK_BYTES(enrolment->record, enrolment->record_size);
    bundle->certificate = HK_BYTES(enrolment->certificate, enrolment->certificate_size);
    memcpy(bundle->code, yes->code, sizeof(bundle->code));
    bundle->head = state->log.head;
    memcpy(bundle->administrator, state->serial, HK_ID_BYTES);
    bundle->epoch = state->epoch;
    bundle->key_count = yes->dealing.count;
    size_t plain_size, sealed_size;
    error = hk_join_bundle_encode(bundle, yes->plain, sizeof(yes->plain), &plain_size);
    if (error == HK_OK) {
        error = hk_join_seal(&approval->join, HK_JOIN_BUNDLE, yes->plain, plain_size, yes->sealed,
                             sizeof(yes->sealed), &sealed_size);
    }
    if (error == HK_OK) {
        HK_SEAM("enrol/bundle/send");
        error = hk_approval_relay(core, approval->keys.gate_hash, HK_JOIN_BUNDLE,
                                  HK_BYTES(yes->sealed, sealed_size), NULL, 0, NULL);
        HK_SEAM("enrol/bundle/sent");
    }
    return error;
}

/* Steps 4 to 6. */
static enum hk_error enrol(struct hk_op_call *call, struct hk_approval *approval, struct yes *yes)
{
    struct hk_core *core = call->core;
    enum hk_error error = hk_state_profile(core->state, &yes->profile);
    if (error == HK_OK) {
        error = check_name(call, yes, approval->hello.name);
    }
    if (error == HK_OK) {
        error = split_keys(core->state, yes);
    }
    if (error == HK_OK) {
        error = sign_objects(core, approval, yes);
    }
    if (error == HK_OK) {
        error = send_enrol(core, approval, yes);
    }
    return error == HK_OK ? send_bundle(core, approval, yes) : error;
}

/* ---- the answer ---- */

static enum hk_error say_no(struct hk_core *core, struct hk_approval *approval)
{
    uint8_t sealed[HK_JOIN_SEAL_BYTES];
    size_t size;
    enum hk_error error =
        hk_join_seal(&approval->join, HK_JOIN_BUNDLE, NULL, 0, sealed, sizeof(sealed), &size);
    if (error == HK_OK) { /* if it does not arrive, the code expires */
        error = hk_approval_relay(core, approval->keys.gate_hash, HK_JOIN_BUNDLE, HK_BYTES(sealed, size),
                                  NULL, 0, NULL);
    }
    (void)error;
    hk_approval_drop(core);
    return HK_OK;
}

static enum hk_error put_result(struct hk_op_call *call, const struct yes *yes,
                                const struct hk_state_certificate *certificate)
{
    char *words = hk_op_memory(call, HK_CODE_TEXT_BYTES);
    if (words == NULL || certificate == NULL) {
        return HK_NO_MEMORY;
    }
    hk_words_from_code(words, yes->code);
    hk_agent_set_text(call->answer, HK_A_WORDS, words);
    bool fits = hk_op_put(call, HK_A_DEVICE, yes->record.name, strlen(yes->record.name)) &&
                hk_op_put(call, HK_A_SERIAL, yes->record.serial, HK_ID_BYTES) &&
                hk_op_put(call, HK_A_CERTIFICATE, certificate->bytes, certificate->size);
    return fits ? HK_OK : HK_NO_MEMORY;
}

static enum hk_error say_yes(struct hk_op_call *call, struct hk_approval *approval, struct yes *yes)
{
    struct hk_core *core = call->core;
    enum hk_error error = enrol(call, approval, yes);
    hk_approval_drop(core);
    if (error != HK_OK) {
        bool unknown = error == HK_UNREACHABLE || error == HK_TIMEOUT;
        if (core->state->enrolment.open && !unknown) {
            enum hk_error saved = hk_approval_give_up(core);
            (void)saved; /* the error that led here is the one to show */
        }
        return error;
    }
    error = hk_approval_wait(core);
    if (error == HK_NOT_FOUND || error == HK_REVOKED) {
        enum hk_error saved = hk_approval_give_up(core);
        return hk_op_fail(call, saved == HK_OK ? HK_TIMEOUT : saved,
                          "the new device did not finish; make another invitation");
    }
    if (error == HK_CONFLICT) {
        return hk_op_fail(call, error, "this enrolment was ended by another invitation");
    }
    if (error == HK_OK) {
        error = hk_approval_conclude(core);
    }
    return error == HK_OK ? put_result(call, yes, hk_state_certificate(core->state, yes->record.serial))
                          : error;
}

enum hk_error hk_op_approve_confirm(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_approval *approval = core->approval;
    if (approval == NULL || approval->stage != HK_APPROVAL_GREETED) {
        return hk_op_fail(call, HK_NOT_FOUND, "no device waits for an approval");
    }
    if (hk_agent_u64(call->request, HK_A_APPROVE) != 1) {
        return say_no(core, approval);
    }
    if (core->state->enrolment.open || core->state->refresh.stage != HK_REFRESH_NONE) {
        return hk_op_fail(call, HK_LOCKED, "an enrolment or a refresh is under way; try again shortly");
    }
    struct yes *yes = hk_secret_new(sizeof(*yes));
    if (yes == NULL) {
        return HK_NO_MEMORY;
    }
    approval->stage = HK_APPROVAL_DECIDED;
    enum hk_error error = say_yes(call, approval, yes);
    hk_secret_free(yes);
    return error;
}

/* An administrator hands keys over to devices that were enrolled before them: its half of each is dealt anew,
 * as at an enrolment, in answer to the deposit that the device left. By itself after every key that is made,
 * and by `device update`. */
#include <stdlib.h>
#include <string.h>

#include "device/agent_core.h"
#include "device/dealing.h"
#include "device/hand_channel.h"
#include "protocol/seam.h"

/* One device's hand-over. Large and secret: from hk_secret_new. */
struct over {
    struct hk_hand_parties parties;
    const struct hk_profile_device *device;
    struct hk_key_dealing dealing;
    struct hk_hand_bundle bundle;
    size_t deposit_size, waiting;
    uint8_t deposit[HK_HAND_DEPOSIT_MAX];
    uint8_t plain[HK_HAND_BUNDLE_MAX], sealed[HK_HAND_BUNDLE_MAX + HK_HAND_SEAL_BYTES];
};

static enum hk_error start(struct hk_core *core, const struct over *over, enum hk_op op,
                           struct hk_exchange **exchange)
{
    enum hk_error error = hk_exchange_new(exchange, core->client);
    if (error == HK_OK) {
        hk_exchange_start(*exchange, op);
        hk_message_set_bytes(&(*exchange)->request, HK_F_DEVICE, over->device->serial, HK_ID_BYTES);
    }
    return error;
}

/* The account's own key goes to a device alone that this administrator's user promotes right now: the service
 * may say that any device lacks it. */
static bool may_have(const struct hk_core *core, const struct over *over, const struct hk_state_key *key)
{
    return key->purpose != HK_PURPOSE_ACCOUNT ||
           memcmp(core->promoting, over->device->serial, HK_ID_BYTES) == 0;
}

/* The keys that it lacks, split; none if there is nothing to do. */
static enum hk_error split(struct hk_core *core, struct over *over, const struct hk_value *ids)
{
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < ids->count && error == HK_OK; i++) {
        struct hk_state_key *key = hk_state_key_by_id(core->state, ids->items[i].data);
        bool follows = i == 0 || memcmp(ids->items[i - 1].data, ids->items[i].data, HK_ID_BYTES) < 0;
        if (key == NULL || !follows || !may_have(core, over, key)) {
            return HK_CONFLICT; /* a key that this administrator has no half of, or none that is handed over
                                 */
        }
        error = hk_dealing_add(&over->dealing, key, &over->bundle.keys[i]);
    }
    return error;
}

static enum hk_error ask(struct hk_core *core, struct over *over)
{
    struct hk_exchange *exchange;
    enum hk_error error = start(core, over, HK_OP_HAND_ASK, &exchange);
    if (error != HK_OK) {
        return error;
    }
    error = hk_client_call(core->client, exchange);
    if (error == HK_OK) {
        const struct hk_value *ids = &exchange->answer.value[HK_F_KEYS],
                              *deposit = &exchange->answer.value[HK_F_RELAY];
        over->waiting = hk_exchange_u64(exchange, HK_F_COUNT);
        bool has = hk_message_has(&exchange->answer, HK_F_RELAY);
        if (ids->count > 0 && !has) {
            error = HK_UNKNOWN_RUN;
        } else if (ids->count > HK_KEYS_MAX || (has && deposit->size > sizeof(over->deposit))) {
            error = HK_BAD_PEER;
        } else if (ids->count > 0) {
            memcpy(over->deposit, deposit->data, deposit->size);
            over->deposit_size = deposit->size;
            error = split(core, over, ids);
        }
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

static enum hk_error offer(struct hk_core *core, struct over *over, uint8_t proof[HK_SCHNORR_BYTES_MAX],
                           size_t *proof_size)
{
    struct hk_exchange *exchange;
    enum hk_error error = start(core, over, HK_OP_HAND_OFFER, &exchange);
    if (error != HK_OK) {
        return error;
    }
    hk_dealing_put(&over->dealing, &exchange->request);
    HK_SEAM("hand.offer/before");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("hand.offer/after");
    if (error == HK_OK) {
        error = hk_dealing_take(&over->dealing, &exchange->answer);
    }
    *proof_size = 0;
    if (error == HK_OK && hk_message_has(&exchange->answer, HK_F_PROOF)) {
        const struct hk_value *given = &exchange->answer.value[HK_F_PROOF];
        *proof_size = given->size;
        memcpy(proof, given->data, given->size);
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

/* As hk_enrol_transcript has it; the deposit stands where a new device has its record. */
static enum hk_error make_transcript(const struct hk_core *core, struct over *over)
{
    uint8_t deposit[HK_NAME_BYTES], device[HK_NAME_BYTES];
    hk_hand_deposit_name(deposit, over->deposit, over->deposit_size);
    hk_hand_device_name(device, &over->parties, over->device->static_key);
    struct hk_enrolment public = {.account = core->state->account,
                                  .administrator = core->state->serial,
                                  .device = over->device->serial,
                                  .service_key = core->state->service_key,
                                  .record = deposit,
                                  .invitation = device,
                                  .epoch = core->state->epoch};
    return hk_enrol_transcript(over->bundle.transcript, &public, over->dealing.keys, over->dealing.count) ==
                   HK_OK
               ? HK_OK
               : HK_BAD_PEER; /* the service's commitments are no points */
}

/* That somebody has d, somebody has s, and d + s is the key: neither a copy of the device's file from before
 * a refresh nor a service alone can show that, nor the two of them. A device that is known to have halves has
 * to. */
static enum hk_error check_possession(struct hk_core *core, const struct over *over, const uint8_t *proof,
                                      size_t proof_size)
{
    struct hk_hand_deposit deposit;
    struct hk_point device, whole;
    uint8_t transcript[HK_NAME_BYTES];
    enum hk_error error = hk_hand_deposit_open(&deposit, over->deposit, over->deposit_size);
    if (error != HK_OK) {
        return HK_BAD_PEER;
    }
    if (deposit.key == NULL) {
        return hk_state_is_holder(core->state, over->device->serial) ? HK_BAD_PROOF : HK_OK;
    }
    const struct hk_state_key *key = hk_state_key_by_id(core->state, deposit.key);
    if (key == NULL || key->purpose == HK_PURPOSE_ACCOUNT) {
        return HK_BAD_PROOF;
    }
    const struct hk_group *group = hk_suite_by_id(key->suite)->group;
    if (proof_size != group->point_bytes + group->scalar_bytes ||
        hk_hand_deposit_check(&device, &deposit, group, &over->parties) != HK_OK ||
        group->point_decode(&whole, key->public_key) != HK_OK) {
        return HK_BAD_PROOF;
    }
    struct hk_point service;
    group->point_sub(&service, &whole, &device);
    hk_hand_service_transcript(transcript, over->bundle.transcript, deposit.key);
    if (hk_schnorr_verify(group, transcript, HK_PROVER_SERVICE, &service, proof) != HK_OK) {
        return HK_BAD_PROOF;
    }
    hk_state_add_holder(core->state, over->device->serial);
    return HK_OK;
}

static enum hk_error seal(struct hk_core *core, struct over *over)
{
    size_t size, sealed_size;
    over->bundle.profile_version = core->state->profile_version;
    over->bundle.epoch = core->state->epoch;
    over->bundle.key_count = over->dealing.count;
    enum hk_error error = hk_hand_bundle_encode(&over->bundle, over->plain, sizeof(over->plain), &size);
    if (error == HK_OK) {
        error = hk_hand_answer(over->sealed, &sealed_size, &over->parties, &core->state->static_key,
                               over->device->static_key, over->deposit, over->plain, size);
    }
    if (error != HK_OK) {
        return error;
    }
    struct hk_exchange *exchange;
    core->state->must_refresh = true; /* before anything depends on the half that was dealt */
    if ((error = hk_core_save(core, "hand.dealt")) != HK_OK ||
        (error = start(core, over, HK_OP_HAND_SEAL, &exchange)) != HK_OK) {
        return error;
    }
    hk_message_set_bytes(&exchange->request, HK_F_TRANSCRIPT, over->bundle.transcript, HK_NAME_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_RELAY, over->sealed, sealed_size);
    HK_SEAM("hand.seal/before");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("hand.seal/after");
    hk_exchange_free(core->client, exchange);
    return error;
}

static enum hk_error hand_to(struct hk_core *core, const struct hk_profile_device *device, size_t *keys)
{
    uint8_t proof[HK_SCHNORR_BYTES_MAX];
    size_t proof_size;
    struct over *over = hk_secret_new(sizeof(*over));
    if (over == NULL) {
        return HK_NO_MEMORY;
    }
    over->device = device;
    over->parties = (struct hk_hand_parties){
        .account = core->state->account, .administrator = core->state->serial, .device = device->serial};
    enum hk_error error = ask(core, over);
    bool any = error == HK_OK && over->dealing.count > 0;
    if (any) {
        error = offer(core, over, proof, &proof_size);
        if (error == HK_OK) {
            error = make_transcript(core, over);
        }
        if (error == HK_OK) {
            error = check_possession(core, over, proof, proof_size);
        }
        if (error == HK_OK) {
            error = seal(core, over);
        }
    }
    if (error == HK_OK) {
        *keys = any ? over->dealing.count : over->waiting;
    }
    hk_secret_free(over);
    return error;
}

/* What ends the whole, because it would meet every other device too. */
static bool is_about_the_service(enum hk_error error)
{
    return error == HK_UNREACHABLE || error == HK_TIMEOUT || error == HK_NO_MEMORY || error == HK_IO ||
           error == HK_BUSY || error == HK_OVER_QUOTA || error == HK_LOG_FORKED || error == HK_STALE_EPOCH ||
           error == HK_ROLLED_BACK || error == HK_NEEDS_APPROVAL;
}

enum hk_error hk_core_hand_over(struct hk_core *core, const uint8_t *serial, size_t *keys)
{
    if (core->state->enrolment.open) {
        return HK_LOCKED; /* it uses this device's pairs, which a hand-over ends by refreshing */
    }
    struct hk_profile *profile = malloc(sizeof(*profile));
    enum hk_error error = profile != NULL ? hk_state_profile(core->state, profile) : HK_NO_MEMORY;
    size_t waiting = 0;
    for (size_t i = 0; error == HK_OK && i < profile->device_count; i++) {
        const struct hk_profile_device *device = &profile->devices[i];
        bool wanted = memcmp(device->serial, core->state->serial, HK_ID_BYTES) != 0 &&
                      (serial == NULL || memcmp(device->serial, serial, HK_ID_BYTES) == 0);
        if (wanted) {
            error = hand_to(core, device, &waiting);
            error = serial == NULL && !is_about_the_service(error) ? HK_OK : error;
        }
    }
    free(profile);
    if (core->state->must_refresh && core->state->refresh.stage == HK_REFRESH_NONE &&
        !is_about_the_service(error)) {
        enum hk_error refreshed = hk_core_refresh(core); /* what is left of the run fits nothing then */
        error = error == HK_OK ? refreshed : error;
    }
    if (error == HK_OK && keys != NULL) {
        *keys = waiting;
    }
    return error;
}

/* Not what a look at the log finds: `log accept` has to come through. */
bool hk_hand_ends(enum hk_error error)
{
    return error == HK_UNREACHABLE || error == HK_TIMEOUT || error == HK_IO || error == HK_NO_MEMORY ||
           error == HK_STALE_EPOCH || error == HK_ROLLED_BACK || error == HK_SUSPENDED || error == HK_REVOKED;
}

/* Both sides, after an unlock and whenever the log has told of something. What cannot be done now keeps no
 * command from going on; it is tried again when there is another reason to. */
enum hk_error hk_resume_hands(struct hk_core *core)
{
    enum hk_error error = HK_OK;
    if (core->state->role == HK_ROLE_ADMIN && !core->state->enrolment.open &&
        atomic_exchange(&core->hands_due, false)) {
        error = hk_core_hand_over(core, NULL, NULL);
        if (error != HK_OK) {
            atomic_store(&core->hands_due, true);
        }
        error = error == HK_REVOKED || error == HK_SUSPENDED ? HK_OK
                                                             : error; /* so is the other device, perhaps */
    }
    if (atomic_exchange(&core->hand_waits, false)) {
        error = hk_core_take_keys(core, NULL);
        if (error == HK_OK) {
            error = hk_core_take_role(core);
        }
        if (error == HK_UNREACHABLE || error == HK_TIMEOUT || error == HK_BUSY) {
            atomic_store(&core->hand_waits, true);
        }
    }
    return hk_hand_ends(error) ? error : HK_OK;
}

/* ---- device update ---- */

static enum hk_error find(struct hk_op_call *call, const char *name, uint8_t serial[HK_ID_BYTES])
{
    struct hk_profile *profile = malloc(sizeof(*profile));
    enum hk_error error = profile != NULL ? hk_state_profile(call->core->state, profile) : HK_NO_MEMORY;
    bool found = false;
    for (size_t i = 0; error == HK_OK && i < profile->device_count; i++) {
        if (strcmp(profile->devices[i].name, name) == 0) {
            memcpy(serial, profile->devices[i].serial, HK_ID_BYTES);
            found = true;
        }
    }
    free(profile);
    if (error == HK_OK && !found) {
        return hk_op_fail(call, HK_NOT_FOUND, "there is no device '%s'; see 'halfkey device list'", name);
    }
    bool is_this = error == HK_OK && memcmp(serial, call->core->state->serial, HK_ID_BYTES) == 0;
    return is_this ? hk_op_fail(call, HK_CONFLICT, "'%s' is this device: it has the keys that it makes", name)
                   : error;
}

enum hk_error hk_op_device_update(struct hk_op_call *call)
{
    char name[HK_NAME_MAX + 1];
    uint8_t serial[HK_ID_BYTES];
    size_t keys = 0;
    hk_agent_text(call->request, HK_A_DEVICE, name, sizeof(name));
    enum hk_error error = find(call, name, serial);
    if (error == HK_OK) {
        error = hk_core_hand_over(call->core, serial, &keys);
    } else {
        return error;
    }
    if (error == HK_UNKNOWN_RUN) {
        return hk_op_fail(call, error, "'%s' lacks keys and has not asked for them: run 'halfkey' there once",
                          name);
    }
    if (error == HK_BAD_PROOF) {
        return hk_op_fail(call, error,
                          "whoever asks for keys as '%s' does not have its halves of today: if that is an "
                          "old copy, revoke it; else run 'halfkey refresh' there",
                          name);
    }
    if (error == HK_SUSPENDED) {
        return hk_op_fail(call, error, "'%s' is suspended; 'halfkey device resume' it first", name);
    }
    if (error == HK_REVOKED || error == HK_UNKNOWN_DEVICE) {
        return hk_op_fail(call, error, "'%s' is revoked; see 'halfkey device list'", name);
    }
    hk_agent_set_u64(call->answer, HK_A_COUNT, keys);
    return error;
}

/* This device comes for keys that were made after it was enrolled, and leaves a deposit for the next ones;
 * protocol/handover.h. Like a join: d of every key is stored before the service hears of it, and a crash
 * anywhere is gone on from by asking again. */
#include <stdlib.h>
#include <string.h>

#include "crypto/enrolment.h"
#include "crypto/random.h"
#include "device/agent_core.h"
#include "device/hand_channel.h"
#include "device/joining.h"
#include "protocol/seam.h"

/* Large and secret: from hk_secret_new. */
struct taking {
    struct hk_profile profile;
    const struct hk_profile_device *administrator;
    struct hk_hand_parties parties;
    struct hk_hand_bundle bundle;
    struct hk_profile_key account_key; /* of a promotion */
    struct hk_enrol_key keys[HK_KEYS_MAX];
    struct hk_state_handed handed[HK_KEYS_MAX];
    uint8_t transcript[HK_NAME_BYTES];
    uint8_t plain[HK_HAND_BUNDLE_MAX];
};

/* ---- the deposit ---- */

/* The administrator that the deposit is for; if there is none yet, or it is one no more, any. NULL: nobody.
 */
static const struct hk_profile_device *find_administrator(struct hk_core *core,
                                                          const struct hk_profile *profile)
{
    const struct hk_profile_device *any = NULL;
    for (size_t i = 0; i < profile->device_count; i++) {
        const struct hk_profile_device *device = &profile->devices[i];
        bool is_admin =
            device->role == HK_ROLE_ADMIN && memcmp(device->serial, core->state->serial, HK_ID_BYTES) != 0;
        if (is_admin && memcmp(device->serial, core->state->hand.administrator, HK_ID_BYTES) == 0) {
            return device;
        }
        any = is_admin && any == NULL ? device : any;
    }
    return any;
}

static void name_parties(struct hk_core *core, struct taking *taking)
{
    taking->parties = (struct hk_hand_parties){.account = core->state->account,
                                               .administrator = taking->administrator->serial,
                                               .device = core->state->serial};
}

/* A key of which a half is here, to prove it with: the oldest, which a store that was put back from a backup
 * has too. */
static const struct hk_state_key *any_key(const struct hk_state *state)
{
    const struct hk_state_key *oldest = NULL;
    for (size_t i = 0; i < state->key_count; i++) {
        const struct hk_state_key *key = &state->key[i];
        bool fits = key->state == HK_KEY_ACTIVE && key->purpose != HK_PURPOSE_ACCOUNT;
        if (fits && (oldest == NULL || key->created < oldest->created)) {
            oldest = key;
        }
    }
    return oldest;
}

/* A new deposit, stored before it is sent: an answer can come at any time from then on. */
static enum hk_error make_deposit(struct hk_core *core, const struct taking *taking)
{
    struct hk_state_hand *hand = &core->state->hand;
    const struct hk_state_key *key = any_key(core->state);
    hk_wipe(hand, sizeof(*hand));
    hk_random(hand->ephemeral.bytes, sizeof(hand->ephemeral.bytes));
    memcpy(hand->administrator, taking->administrator->serial, HK_ID_BYTES);
    enum hk_error error = hk_hand_make(hand->deposit, &taking->parties, &core->state->static_key,
                                       taking->administrator->static_key, &hand->ephemeral);
    if (error != HK_OK) {
        hk_wipe(hand, sizeof(*hand));
        return error;
    }
    hand->deposit_size = HK_HAND_MESSAGE_1_BYTES;
    if (key != NULL) {
        hand->deposit_size = hk_hand_deposit_prove(hand->deposit, hk_suite_by_id(key->suite)->group,
                                                   &taking->parties, key->id, &key->half);
    }
    hand->stage = HK_HAND_OPEN;
    return hk_core_save(core, "hand.open");
}

static enum hk_error leave_deposit(struct hk_core *core, struct taking *taking)
{
    struct hk_exchange *exchange;
    name_parties(core, taking);
    enum hk_error error = make_deposit(core, taking);
    if (error != HK_OK || (error = hk_exchange_new(&exchange, core->client)) != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_HAND_OPEN);
    hk_message_set_bytes(&exchange->request, HK_F_DEVICE, taking->administrator->serial, HK_ID_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_RELAY, core->state->hand.deposit,
                         core->state->hand.deposit_size);
    HK_SEAM("hand.open/sending");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("hand.open/sent");
    hk_exchange_free(core->client, exchange);
    return error;
}

/* ---- what waits ---- */

/* Where the administrator hands over the account's own key, of which a profile has X and no more. */
static const struct hk_profile_key *account_entry(struct taking *taking, const uint8_t *id)
{
    struct hk_profile_key *entry = &taking->account_key;
    memset(entry, 0, sizeof(*entry));
    memcpy(entry->id, id, HK_ID_BYTES);
    entry->suite = HK_SUITE_ACCOUNT;
    entry->purpose = HK_PURPOSE_ACCOUNT;
    memcpy(entry->name, "account", sizeof("account"));
    memcpy(entry->public_key, taking->profile.account_key, 32);
    entry->public_size = 32;
    return entry;
}

/* One key: both dealings checked, as at a join, with X from the profile that is here. */
static enum hk_error take_key(struct taking *taking, const struct hk_exchange *exchange, size_t i)
{
    const struct hk_join_key *given = &taking->bundle.keys[i];
    const struct hk_profile_key *listed = hk_profile_key_by_id(&taking->profile, given->id);
    if (listed == NULL && given->suite == HK_SUITE_ACCOUNT) {
        listed = account_entry(taking, given->id);
    }
    struct hk_state_handed *handed = &taking->handed[i];
    struct hk_point service_point;
    enum hk_error error =
        hk_joining_take_key(&taking->keys[i], &handed->half, &service_point, given, listed, exchange, i);
    if (error == HK_OK) {
        memcpy(handed->id, given->id, HK_ID_BYTES);
        handed->suite = listed->suite;
        memcpy(handed->service_point, service_point.bytes, hk_suite_point_bytes(listed->suite));
        HK_TELL("d", handed->half.bytes, hk_suite_by_id(listed->suite)->group->scalar_bytes);
    }
    return error;
}

/* What administrator and service said is one and the same. */
static enum hk_error check_transcript(struct hk_core *core, struct taking *taking)
{
    const struct hk_state *state = core->state;
    uint8_t deposit[HK_NAME_BYTES], device[HK_NAME_BYTES];
    hk_hand_deposit_name(deposit, state->hand.deposit, state->hand.deposit_size);
    hk_hand_device_name(device, &taking->parties, state->static_public);
    struct hk_enrolment public = {.account = state->account,
                                  .administrator = taking->administrator->serial,
                                  .device = state->serial,
                                  .service_key = state->service_key,
                                  .record = deposit,
                                  .invitation = device,
                                  .epoch = taking->bundle.epoch};
    enum hk_error error =
        hk_enrol_transcript(taking->transcript, &public, taking->keys, taking->bundle.key_count);
    bool same = error == HK_OK && memcmp(taking->transcript, taking->bundle.transcript, HK_NAME_BYTES) == 0;
    return same ? HK_OK : HK_BAD_PROOF;
}

/* The administrator's part, and a profile that is not older than the one it was made for. */
static enum hk_error open_bundle(struct hk_core *core, struct taking *taking, const struct hk_value *sealed)
{
    struct hk_state_hand *hand = &core->state->hand;
    size_t size;
    bool changed;
    if (sealed->size > sizeof(taking->plain) + HK_HAND_SEAL_BYTES ||
        memcmp(taking->administrator->serial, hand->administrator, HK_ID_BYTES) != 0) {
        return HK_BAD_PEER;
    }
    enum hk_error error =
        hk_hand_read(taking->plain, &size, &taking->parties, &core->state->static_key,
                     taking->administrator->static_key, &hand->ephemeral, sealed->data, sealed->size);
    if (error == HK_OK) {
        error = hk_hand_bundle_decode(&taking->bundle, taking->plain, size);
    }
    if (error == HK_OK && core->state->profile_version < taking->bundle.profile_version) {
        error = hk_core_follow_profile(core, &changed);
    }
    if (error == HK_OK && core->state->profile_version < taking->bundle.profile_version) {
        return HK_BAD_PEER; /* the service keeps the profile back that lists these keys */
    }
    return error == HK_OK ? hk_state_profile(core->state, &taking->profile) : error;
}

/* New halves beside what is there, durably; the ephemeral key has done its work. */
static enum hk_error store(struct hk_core *core, const struct taking *taking)
{
    struct hk_state_hand *hand = &core->state->hand;
    hk_wipe(&hand->ephemeral, sizeof(hand->ephemeral));
    memcpy(hand->transcript, taking->transcript, HK_NAME_BYTES);
    hand->count = taking->bundle.key_count;
    memcpy(hand->key, taking->handed, hand->count * sizeof(hand->key[0]));
    hand->stage = HK_HAND_STORED;
    atomic_store(&core->unsettled, true);
    return hk_core_save(core, "hand.stored");
}

/* Judges the whole answer; after that the profile may be another one than `taking` began with. */
static enum hk_error judge(struct hk_core *core, struct taking *taking, const struct hk_exchange *exchange)
{
    const struct hk_message *answer = &exchange->answer;
    bool complete = hk_message_has(answer, HK_F_KEYS) && hk_message_has(answer, HK_F_KEPT) &&
                    hk_message_has(answer, HK_F_PASSED) && hk_message_has(answer, HK_F_SUBSHARES);
    enum hk_error error = complete ? open_bundle(core, taking, &answer->value[HK_F_RELAY]) : HK_BAD_PEER;
    if (error == HK_OK) {
        taking->administrator = find_administrator(core, &taking->profile);
        bool same = taking->administrator != NULL &&
                    memcmp(taking->administrator->serial, core->state->hand.administrator, HK_ID_BYTES) == 0;
        error = same && answer->value[HK_F_KEYS].count == taking->bundle.key_count ? HK_OK : HK_BAD_PEER;
    }
    if (error == HK_OK) {
        name_parties(core, taking);
    }
    for (size_t i = 0; error == HK_OK && i < taking->bundle.key_count; i++) {
        error = take_key(taking, exchange, i);
    }
    return error == HK_OK ? check_transcript(core, taking) : error;
}

/* HK_UNKNOWN_RUN: the service has not, or no more, the deposit that this device has the secret of.
 * HK_NOT_FOUND: nothing waits. */
static enum hk_error fetch(struct hk_core *core, struct taking *taking)
{
    struct hk_exchange *exchange;
    uint8_t name[HK_NAME_BYTES];
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_hand_deposit_name(name, core->state->hand.deposit, core->state->hand.deposit_size);
    hk_exchange_start(exchange, HK_OP_HAND_FETCH);
    hk_message_set_bytes(&exchange->request, HK_F_COMMITMENT, name, sizeof(name));
    HK_SEAM("hand.fetch/before");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("hand.fetch/after");
    if (error == HK_OK && !hk_message_has(&exchange->answer, HK_F_RELAY)) {
        error = HK_NOT_FOUND;
    }
    if (error == HK_OK) {
        error = judge(core, taking, exchange);
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

/* ---- the end ---- */

/* The halves are this device's. A key that was here already, with a half that the service has lost, has a new
 * one now. */
static enum hk_error activate(struct hk_core *core, struct taking *taking)
{
    struct hk_state *state = core->state;
    for (size_t i = 0; i < state->hand.count; i++) {
        const struct hk_state_handed *handed = &state->hand.key[i];
        const struct hk_profile_key *listed = handed->suite == HK_SUITE_ACCOUNT
                                                  ? account_entry(taking, handed->id)
                                                  : hk_profile_key_by_id(&taking->profile, handed->id);
        struct hk_state_key *key = hk_state_key_by_id(state, handed->id);
        if (listed == NULL) {
            continue; /* deleted since */
        }
        key = key != NULL ? key : hk_state_add_key(state, handed->id);
        if (key == NULL) {
            return HK_OVER_QUOTA;
        }
        key->suite = listed->suite;
        key->purpose = listed->purpose;
        key->created = listed->created;
        key->imported = listed->imported;
        key->profiled = true;
        key->state = HK_KEY_ACTIVE;
        memcpy(key->name, listed->name, sizeof(key->name));
        memcpy(key->public_key, listed->public_key, listed->public_size);
        memcpy(key->transcript, state->hand.transcript, sizeof(key->transcript));
        memcpy(key->service_point, handed->service_point, sizeof(key->service_point));
        key->half = handed->half;
        hk_wipe(&key->ecdsa, sizeof(key->ecdsa));
    }
    hk_wipe(&state->hand, sizeof(state->hand));
    if (state->role == HK_ROLE_ADMIN) {
        atomic_store(&core->hands_due, true); /* others may have left their deposit with this device */
    }
    return hk_core_save(core, "hand.active");
}

/* May be sent again: the service answers the same. HK_UNKNOWN_RUN: another hand-over, or a revocation, has
 * taken its place, and what was stored fits nothing. */
static enum hk_error confirm(struct hk_core *core, struct taking *taking)
{
    struct hk_state_hand *hand = &core->state->hand;
    struct hk_exchange *exchange;
    uint8_t *proofs = malloc(hand->count * HK_SCHNORR_BYTES_MAX);
    enum hk_error error = proofs != NULL ? hk_exchange_new(&exchange, core->client) : HK_NO_MEMORY;
    if (error != HK_OK) {
        free(proofs);
        return error;
    }
    hk_exchange_start(exchange, HK_OP_HAND_CONFIRM);
    hk_message_set_bytes(&exchange->request, HK_F_TRANSCRIPT, hand->transcript, HK_NAME_BYTES);
    hk_message_set_list(&exchange->request, HK_F_PROOFS, NULL, 0);
    for (size_t i = 0; i < hand->count; i++) {
        uint8_t *proof = proofs + i * HK_SCHNORR_BYTES_MAX;
        hk_enrol_prove(proof, hk_suite_by_id(hand->key[i].suite)->group, hand->transcript, hand->key[i].id,
                       &hand->key[i].half);
        hk_message_append(&exchange->request, HK_F_PROOFS, proof, hk_suite_proof_bytes(hand->key[i].suite));
    }
    HK_SEAM("hand.confirm/before");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("hand.confirm/after");
    hk_exchange_free(core->client, exchange);
    free(proofs);
    return error == HK_OK ? activate(core, taking) : error;
}

/* Whether the deposit is still for somebody, and what it proves still there. */
static bool is_good(struct hk_core *core, const struct taking *taking)
{
    const struct hk_state_hand *hand = &core->state->hand;
    struct hk_hand_deposit deposit;
    return memcmp(taking->administrator->serial, hand->administrator, HK_ID_BYTES) == 0 &&
           hk_hand_deposit_open(&deposit, hand->deposit, hand->deposit_size) == HK_OK &&
           (deposit.key == NULL || hk_state_key_by_id(core->state, deposit.key) != NULL);
}

/* Once around: what is stored is confirmed, or what waits is taken and confirmed; where that was all, or came
 * to nothing, a new deposit is left. */
static enum hk_error go_around(struct hk_core *core, struct taking *taking, bool *taken)
{
    struct hk_state_hand *hand = &core->state->hand;
    bool is_there = hand->stage == HK_HAND_STORED || (hand->stage == HK_HAND_OPEN && is_good(core, taking));
    enum hk_error error = is_there ? HK_OK : HK_UNKNOWN_RUN, problem;
    if (hand->stage == HK_HAND_OPEN && error == HK_OK) {
        error = fetch(core, taking);
        if (error == HK_NOT_FOUND) {
            return HK_OK;
        }
        if (error == HK_OK) {
            error = store(core, taking);
        }
    }
    if (hand->stage == HK_HAND_STORED && error == HK_OK) {
        error = confirm(core, taking);
        *taken = error == HK_OK;
    }
    bool is_wrong = error == HK_BAD_PEER || error == HK_BAD_PROOF || error == HK_BAD_POINT ||
                    error == HK_BAD_SCALAR || error == HK_BAD_ENCODING || error == HK_AGAIN;
    problem = is_wrong && error != HK_AGAIN ? error : HK_OK;
    if (error == HK_OK || error == HK_UNKNOWN_RUN || is_wrong) {
        taking->administrator =
            find_administrator(core, &taking->profile); /* the profile may be a later one */
        error = taking->administrator != NULL ? leave_deposit(core, taking) : HK_OK;
    }
    return problem != HK_OK ? problem : error;
}

enum hk_error hk_core_take_keys(struct hk_core *core, bool *taken)
{
    bool any = false;
    struct taking *taking = hk_secret_new(sizeof(*taking));
    enum hk_error error = taking != NULL ? hk_state_profile(core->state, &taking->profile) : HK_NO_MEMORY;
    if (error == HK_OK) {
        taking->administrator = find_administrator(core, &taking->profile);
    }
    if (error == HK_OK && taking->administrator != NULL) {
        name_parties(core, taking);
        error = go_around(core, taking, &any);
    }
    if (error == HK_OK && any) {
        error = hk_core_take_role(core);
    }
    hk_secret_free(taking);
    if (taken != NULL) {
        *taken = any;
    }
    return error;
}

/* device join: this device's side of its enrolment, steps 2, 3 and 7 of docs/protocol.md.
 *
 * Until d2 is stored nothing is on disk, and a crash leaves nothing. From then on the state file is in phase
 * JOINING, and the same command again, or the next one, finishes or wipes it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/enrolment.h"
#include "device/approval.h"
#include "protocol/seam.h"

/* A join between its two commands. In memory from hk_secret_new. */
struct joining {
    struct hk_invitation invitation;
    struct hk_invitation_keys keys;
    struct hk_join join;
    struct hk_link *link; /* the stranger's session that is bound to the invitation */
};

void hk_joining_free(void *joining)
{
    if (joining != NULL) {
        struct joining *old = joining;
        hk_link_close(old->link);
        hk_join_wipe(&old->join);
        hk_secret_free(old);
    }
}

/* Gives up a join of which nothing is stored. */
static void forget(struct hk_core *core)
{
    hk_core_lock(core);
}

/* --- the relay --- */

/* Writes a step (data not NULL) or reads one: *size is 0 if it is not there yet. */
static enum hk_error relay(struct hk_core *core, struct joining *joining, enum hk_join_step step,
                           struct hk_bytes written, uint8_t *out, size_t max, size_t *size)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_JOIN);
    hk_message_set_bytes(&exchange->request, HK_F_ACCOUNT, joining->invitation.account, HK_ACCOUNT_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_GATE, joining->keys.gate, sizeof(joining->keys.gate));
    hk_message_set_u64(&exchange->request, HK_F_STEP, (uint64_t)step);
    if (written.data != NULL) {
        hk_message_set_bytes(&exchange->request, HK_F_RELAY, written.data, written.size);
    }
    error = hk_link_call(joining->link, exchange);
    if (error == HK_OK && out != NULL) {
        const struct hk_value *relayed = &exchange->answer.value[HK_F_RELAY];
        *size = hk_message_has(&exchange->answer, HK_F_RELAY) ? relayed->size : 0;
        if (*size > max) {
            error = HK_BAD_PEER;
        } else if (*size > 0) {
            memcpy(out, relayed->data, *size);
        }
    }
    hk_exchange_free(core->client, exchange);
    return error == HK_AGAIN ? HK_UNREACHABLE : error;
}

/* Waits for a step with the gate open. HK_CONFLICT of the wait: the core is another join's by now, or
 * nobody's. */
static enum hk_error wait_for(struct hk_op_call *call, struct joining *joining, enum hk_join_step step,
                              uint8_t *out, size_t max, size_t *size)
{
    struct hk_core *core = call->core;
    for (;;) {
        enum hk_error error = relay(core, joining, step, HK_BYTES(NULL, 0), out, max, size);
        if (error != HK_OK || *size > 0) {
            return error;
        }
        if (joining->invitation.expires <= hk_approval_now()) {
            return hk_op_fail(call, HK_TIMEOUT,
                              "nobody approved before the code expired; ask for another one");
        }
        struct timespec pause = {0, HK_APPROVAL_POLL_MS * 1000000L};
        hk_core_wait_begin(core);
        (void)nanosleep(&pause, NULL);
        error = hk_core_wait_end(core);
        if (error == HK_AGENT_LOCKED) {
            return hk_op_fail(call, HK_CONFLICT, "this join was given up for another one, or locked");
        }
        if (error != HK_OK) {
            return error;
        }
    }
}

/* --- begin --- */

static enum hk_error open_state(struct hk_op_call *call, struct joining *joining)
{
    struct hk_core *core = call->core;
    const char *reason = "";
    char name[HK_NAME_MAX + 1];
    bool given = hk_agent_has(call->request, HK_A_PASSPHRASE);
    const struct hk_value *passphrase = &call->request->value[HK_A_PASSPHRASE];
    enum hk_error error = hk_state_new(&core->state);
    if (error != HK_OK) {
        return error;
    }
    hk_agent_text(call->request, HK_A_DEVICE, name, sizeof(name));
    memcpy(core->state->address, joining->invitation.address, sizeof(core->state->address));
    hk_state_make_device(core->state, name, HK_ROLE_ORDINARY);
    core->state->phase = HK_PHASE_JOINING;
    error = hk_state_seal_make(&core->seal, given ? passphrase->data : NULL, given ? passphrase->size : 0);
    if (error == HK_OK) {
        error = hk_core_connect(core, &reason);
    }
    if (error == HK_OK) {
        memcpy(core->state->service_key, hk_client_service_key(core->client), 32);
        error = hk_link_open_stranger(&joining->link, core->client);
    }
    return error != HK_OK && reason[0] != '\0' ? hk_op_fail(call, error, "the service's address: %s", reason)
                                               : error;
}

static enum hk_error say_hello(struct hk_core *core, struct joining *joining)
{
    struct hk_join_hello hello;
    uint8_t plain[HK_JOIN_HELLO_MAX], sealed[HK_JOIN_HELLO_MAX + HK_JOIN_SEAL_BYTES];
    size_t size, sealed_size;
    memset(&hello, 0, sizeof(hello));
    memcpy(hello.serial, core->state->serial, HK_ID_BYTES);
    memcpy(hello.name, core->state->name, sizeof(hello.name));
    memcpy(hello.report_key, core->state->report_public, 32);
    enum hk_error error = hk_join_hello_encode(&hello, plain, sizeof(plain), &size);
    if (error == HK_OK) {
        error =
            hk_join_seal(&joining->join, HK_JOIN_HELLO, plain, size, sealed, sizeof(sealed), &sealed_size);
    }
    return error == HK_OK ? relay(core, joining, HK_JOIN_HELLO, HK_BYTES(sealed, sealed_size), NULL, 0, NULL)
                          : error;
}

static enum hk_error shake_hands(struct hk_op_call *call, struct joining *joining)
{
    struct hk_core *core = call->core;
    uint8_t message[HK_JOIN_HANDSHAKE_MAX];
    size_t size = 0;
    enum hk_error error =
        hk_join_begin(&joining->join, &joining->invitation, &core->state->static_key, message, &size);
    if (error == HK_OK) {
        HK_SEAM("join.begin/before");
        error = relay(core, joining, HK_JOIN_MESSAGE_1, HK_BYTES(message, size), NULL, 0, NULL);
        HK_SEAM("join.begin/after");
    }
    if (error == HK_OK) {
        error = wait_for(call, joining, HK_JOIN_MESSAGE_2, message, sizeof(message), &size);
    }
    if (error != HK_OK) {
        return error;
    }
    error = hk_join_finish(&joining->join, message, size);
    if (error == HK_BAD_PEER) {
        return hk_op_fail(
            call, error, "whoever answered is not the administrator who made this code; ask for another one");
    }
    return error == HK_OK ? say_hello(core, joining) : error;
}

static enum hk_error parse_code(struct hk_op_call *call, struct joining *joining)
{
    char code[HK_INVITATION_TEXT_MAX];
    HK_WIPE_AT_EXIT(code);
    const char *reason = "";
    hk_agent_text(call->request, HK_A_CODE, code, sizeof(code));
    if (hk_invitation_parse(&joining->invitation, code, &reason) != HK_OK) {
        return hk_op_fail(call, HK_BAD_ENCODING, "this is not an invitation's code: %s", reason);
    }
    if (joining->invitation.expires <= hk_approval_now()) {
        return hk_op_fail(call, HK_TIMEOUT, "this code has expired; ask for another one");
    }
    hk_invitation_derive(&joining->keys, &joining->invitation);
    return HK_OK;
}

static enum hk_error check_empty(struct hk_op_call *call)
{
    bool has_passphrase;
    char reason[256] = "";
    struct hk_core *core = call->core;
    if (core->joining != NULL) {
        forget(core); /* an earlier try that came to nothing */
    }
    enum hk_error error = hk_state_look(&core->home, &has_passphrase, reason);
    if (error == HK_OK || core->state != NULL) {
        return hk_op_fail(call, HK_EXISTS,
                          "there is an account here already; HALFKEY_HOME sets another folder");
    }
    return error == HK_NO_ACCOUNT ? HK_OK : reason[0] != '\0' ? hk_op_fail(call, error, "%s", reason) : error;
}

enum hk_error hk_op_join_begin(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    enum hk_error error = check_empty(call);
    if (error != HK_OK) {
        return error;
    }
    struct joining *joining = hk_secret_new(sizeof(*joining));
    if (joining == NULL) {
        return HK_NO_MEMORY;
    }
    core->joining = joining;
    uint64_t locks = core->lock_count;
    error = parse_code(call, joining);
    if (error == HK_OK) {
        error = open_state(call, joining);
    }
    if (error == HK_OK) {
        error = shake_hands(call, joining);
    }
    char *words = error == HK_OK ? hk_op_memory(call, HK_FINGERPRINT_TEXT_BYTES) : NULL;
    if (error == HK_OK) {
        error = words != NULL ? hk_join_words(&joining->join, words) : HK_NO_MEMORY;
    }
    if (error != HK_OK) {
        if (core->lock_count == locks) { /* else it is forgotten already, and its memory may be another's */
            forget(core);
        }
        return error;
    }
    hk_agent_set_text(call->answer, HK_A_WORDS, words);
    return hk_op_put(call, HK_A_ACCOUNT, joining->invitation.account, HK_ACCOUNT_BYTES) ? HK_OK
                                                                                        : HK_NO_MEMORY;
}

/* --- what the administrator sent --- */

/* Everything that finishing needs: large and secret. */
struct finishing {
    uint8_t sealed[HK_JOIN_RELAY_MAX], plain[HK_JOIN_RELAY_MAX];
    struct hk_join_bundle bundle;
    struct hk_profile profile;
    struct hk_device_record record;
    struct hk_enrol_key keys[HK_KEYS_MAX];
};

static bool lists_administrator(const struct finishing *finishing, const struct hk_invitation *invitation)
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

static bool is_own_record(const struct hk_state *state, const struct finishing *finishing,
                          const struct joining *joining)
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
static enum hk_error take_bundle(struct hk_core *core, struct joining *joining, struct finishing *finishing)
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

static const struct hk_profile_key *find_key(const struct hk_profile *profile, const uint8_t *id)
{
    for (size_t i = 0; i < profile->key_count; i++) {
        if (memcmp(profile->keys[i].id, id, HK_ID_BYTES) == 0) {
            return &profile->keys[i];
        }
    }
    return NULL;
}

/* The i-th element of a list of the answer; NULL unless it has `size` bytes. */
static const uint8_t *item(const struct hk_exchange *exchange, enum hk_field field, size_t i, size_t size)
{
    const struct hk_value *list = &exchange->answer.value[field];
    return i < list->count && list->items[i].size == size ? list->items[i].data : NULL;
}

/* One key: both dealings checked, d2 into the state. */
static enum hk_error take_key(struct hk_core *core, struct finishing *finishing,
                              const struct hk_exchange *exchange, size_t i)
{
    const struct hk_join_key *given = &finishing->bundle.keys[i];
    const struct hk_profile_key *listed = find_key(&finishing->profile, given->id);
    const struct hk_suite *suite = listed != NULL ? hk_suite_by_id(listed->suite) : NULL;
    if (suite == NULL || listed->suite != given->suite) {
        return HK_BAD_PEER;
    }
    size_t point = suite->group->point_bytes;
    const uint8_t *id = item(exchange, HK_F_KEYS, i, HK_ID_BYTES),
                  *kept = item(exchange, HK_F_KEPT, i, point),
                  *passed = item(exchange, HK_F_PASSED, i, point),
                  *share = item(exchange, HK_F_SUBSHARES, i, suite->group->scalar_bytes);
    if (id == NULL || kept == NULL || passed == NULL || share == NULL ||
        memcmp(id, given->id, HK_ID_BYTES) != 0) {
        return HK_BAD_PEER;
    }
    struct hk_state_key *key = hk_state_add_key(core->state, given->id);
    if (key == NULL) {
        return HK_OVER_QUOTA;
    }
    struct hk_enrol_key *public = &finishing->keys[i];
    *public = (struct hk_enrol_key){.id = given->id, .suite = suite, .public_key = listed->public_key};
    memcpy(public->administrator.kept, given->commitment, point);
    memcpy(public->administrator.passed, given->passed, point);
    memcpy(public->service.kept, kept, point);
    memcpy(public->service.passed, passed, point);
    struct hk_point service_point;
    enum hk_error error =
        hk_enrol_take(&key->half, &service_point, suite->group, listed->public_key, given->device_point,
                      &public->administrator, given->kept, &public->service, share);
    if (error != HK_OK) {
        return error;
    }
    key->suite = listed->suite;
    key->purpose = listed->purpose;
    key->created = listed->created;
    key->imported = listed->imported;
    key->profiled = true;
    key->state = HK_KEY_PENDING;
    memcpy(key->name, listed->name, sizeof(key->name));
    memcpy(key->public_key, listed->public_key, listed->public_size);
    memcpy(key->service_point, service_point.bytes, point);
    return HK_OK;
}

static enum hk_error check_transcript(struct hk_core *core, struct joining *joining,
                                      struct finishing *finishing)
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

static enum hk_error fetch(struct hk_core *core, struct joining *joining, struct finishing *finishing)
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

/* --- confirm --- */

static enum hk_error activate(struct hk_core *core, const struct hk_exchange *exchange)
{
    struct hk_state *state = core->state;
    const uint8_t *tag = hk_exchange_bytes(exchange, HK_F_TAG, HK_TAG_BYTES);
    if (tag == NULL) {
        return HK_BAD_PEER;
    }
    memcpy(state->tag, tag, HK_TAG_BYTES);
    state->epoch = hk_exchange_u64(exchange, HK_F_EPOCH);
    for (size_t i = 0; i < state->key_count; i++) {
        state->key[i].state = HK_KEY_ACTIVE;
    }
    state->phase = HK_PHASE_ACTIVE;
    hk_core_identify(core);
    return hk_core_save(core, "join.active");
}

/* May be sent again: the service answers the same. */
static enum hk_error confirm(struct hk_core *core)
{
    struct hk_state *state = core->state;
    struct hk_exchange *exchange;
    uint8_t *proofs = malloc(state->key_count * HK_SCHNORR_BYTES_MAX + 1);
    enum hk_error error = proofs != NULL ? hk_exchange_new(&exchange, core->client) : HK_NO_MEMORY;
    if (error != HK_OK) {
        free(proofs);
        return error;
    }
    hk_exchange_start(exchange, HK_OP_ENROL_CONFIRM);
    hk_message_set_bytes(&exchange->request, HK_F_TRANSCRIPT, state->join_transcript, HK_NAME_BYTES);
    hk_message_set_list(&exchange->request, HK_F_PROOFS, NULL, 0);
    for (size_t i = 0; i < state->key_count; i++) {
        const struct hk_state_key *key = &state->key[i];
        uint8_t *proof = proofs + i * HK_SCHNORR_BYTES_MAX;
        hk_enrol_prove(proof, hk_suite_by_id(key->suite)->group, state->join_transcript, key->id, &key->half);
        hk_message_append(&exchange->request, HK_F_PROOFS, proof, hk_suite_proof_bytes(key->suite));
    }
    HK_SEAM("join.confirm/before");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("join.confirm/after");
    if (error == HK_OK) {
        error = activate(core, exchange);
    }
    hk_exchange_free(core->client, exchange);
    free(proofs);
    return error;
}

/* Asks as a stranger, since the service may not know this device (any more). */
static enum hk_error ask_status(struct hk_core *core)
{
    struct hk_link *link = NULL;
    struct hk_exchange *exchange = NULL;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error == HK_OK) {
        error = hk_link_open_stranger(&link, core->client);
    }
    if (error == HK_OK) {
        hk_exchange_start(exchange, HK_OP_ENROL_STATUS);
        hk_message_set_bytes(&exchange->request, HK_F_ACCOUNT, core->state->account, HK_ACCOUNT_BYTES);
        hk_message_set_bytes(&exchange->request, HK_F_TRANSCRIPT, core->state->join_transcript,
                             HK_NAME_BYTES);
        error = hk_link_call(link, exchange);
    }
    hk_link_close(link);
    hk_exchange_free(core->client, exchange);
    return error;
}

/* Finishes what is stored. HK_UNKNOWN_RUN: it came to nothing, and everything is wiped. */
enum hk_error hk_resume_join(struct hk_core *core)
{
    enum hk_error error = confirm(core);
    if (error != HK_UNKNOWN_RUN && error != HK_UNKNOWN_DEVICE) {
        return error;
    }
    error = ask_status(core); /* unknown-device may have been a hint, which anybody can write */
    if (error == HK_UNKNOWN_RUN) {
        error = hk_state_remove(&core->home);
        if (error == HK_OK) {
            hk_core_lock(core);
            error = HK_UNKNOWN_RUN;
        }
    }
    return error;
}

/* --- finish --- */

static enum hk_error answer(struct hk_op_call *call)
{
    struct hk_state *state = call->core->state;
    const struct hk_state_certificate *own = hk_state_certificate(state, state->serial);
    char *words = hk_op_memory(call, HK_CODE_TEXT_BYTES);
    if (own == NULL || words == NULL) {
        return own == NULL ? HK_INTERNAL : HK_NO_MEMORY;
    }
    hk_words_from_code(words, own->code);
    hk_agent_set_text(call->answer, HK_A_WORDS, words);
    bool put = hk_op_put(call, HK_A_ACCOUNT, state->account, HK_ACCOUNT_BYTES) &&
               hk_op_put(call, HK_A_SERIAL, state->serial, HK_ID_BYTES) &&
               hk_op_put(call, HK_A_CERTIFICATE, own->bytes, own->size);
    return put ? HK_OK : HK_NO_MEMORY;
}

static enum hk_error receive_bundle(struct hk_op_call *call, struct joining *joining,
                                    struct finishing *finishing)
{
    size_t size = 0, plain_size = 0;
    enum hk_error error =
        wait_for(call, joining, HK_JOIN_BUNDLE, finishing->sealed, sizeof(finishing->sealed), &size);
    if (error != HK_OK) {
        return error;
    }
    error = hk_join_open(&joining->join, HK_JOIN_BUNDLE, finishing->sealed, size, finishing->plain,
                         sizeof(finishing->plain), &plain_size);
    if (error == HK_OK && plain_size == 0) {
        return hk_op_fail(call, HK_NOT_ALLOWED, "the administrator said no");
    }
    return error == HK_OK ? hk_join_bundle_decode(&finishing->bundle, finishing->plain, plain_size) : error;
}

static enum hk_error finish(struct hk_op_call *call, struct joining *joining)
{
    struct hk_core *core = call->core;
    uint64_t locks = core->lock_count;
    struct finishing *finishing = hk_secret_new(sizeof(*finishing));
    enum hk_error error = finishing != NULL ? receive_bundle(call, joining, finishing) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = take_bundle(core, joining, finishing);
    }
    if (error == HK_OK) {
        error = fetch(core, joining, finishing);
    }
    hk_secret_free(finishing);
    if (error == HK_OK) {
        error = hk_core_save(core, "join.pending");
    }
    if (error != HK_OK) { /* nothing is stored */
        if (core->lock_count == locks) {
            forget(core);
        }
        return error;
    }
    hk_joining_free(core->joining);
    core->joining = NULL;
    return hk_resume_join(core);
}

/* After a crash: the file is there, and sealed. */
static enum hk_error reopen(struct hk_op_call *call)
{
    char reason[256] = "";
    bool has_passphrase;
    enum hk_error error = hk_state_look(&call->core->home, &has_passphrase, reason);
    if (error == HK_NO_ACCOUNT) {
        return hk_op_fail(call, HK_NOT_FOUND,
                          "no join is under way; ask for a code and run 'halfkey device join CODE'");
    }
    if (error == HK_OK) {
        error = has_passphrase ? HK_AGENT_LOCKED : hk_core_unlock(call->core, NULL, 0, reason);
    }
    return error != HK_OK && reason[0] != '\0' ? hk_op_fail(call, error, "%s", reason) : error;
}

enum hk_error hk_op_join_finish(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    enum hk_error error = HK_OK;
    if (core->joining != NULL) {
        error = finish(call, core->joining);
    } else {
        error = core->state == NULL ? reopen(call) : HK_OK;
        if (error == HK_OK && core->state != NULL && core->state->phase == HK_PHASE_JOINING) {
            error = hk_resume_join(core);
        }
    }
    if (error == HK_UNKNOWN_RUN) {
        return hk_op_fail(call, error,
                          "the enrolment came to nothing, and nothing is left of it; ask for a new code");
    }
    if (error != HK_OK) {
        return error;
    }
    return core->state != NULL && core->state->phase == HK_PHASE_ACTIVE ? answer(call) : HK_NOT_FOUND;
}

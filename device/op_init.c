/* init: the account, its first key, this device as its administrator.
 *
 * The state file says how far it came (CREATING, FOUNDING, ACTIVE); the same command again goes on from
 * there. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crypto/keygen.h"
#include "crypto/random.h"
#include "device/agent_core.h"
#include "protocol/seam.h"
#include "protocol/sid.h"
#include "protocol/udf.h"
#include "protocol/words.h"

/* The account key's generation. In memory from hk_secret_new. */
struct creation {
    uint8_t id[HK_ID_BYTES];
    uint64_t created;
    struct hk_keygen_device run;
    struct hk_keygen_result result;
    struct hk_keygen_opening opening;
};

/* What create-finish and create-status answer makes the account, if it is what this device has pending. */
static enum hk_error take_account(struct hk_core *core, const struct hk_exchange *exchange)
{
    struct hk_state *state = core->state;
    struct hk_state_key *key = hk_state_account_key(state);
    uint8_t account[HK_ACCOUNT_BYTES];
    const uint8_t *transcript = hk_exchange_bytes(exchange, HK_F_TRANSCRIPT, HK_NAME_BYTES),
                  *public_key = hk_exchange_bytes(exchange, HK_F_PUBLIC, 32),
                  *named = hk_exchange_bytes(exchange, HK_F_ACCOUNT, HK_ACCOUNT_BYTES),
                  *tag = hk_exchange_bytes(exchange, HK_F_TAG, HK_TAG_BYTES),
                  *identity = hk_exchange_bytes(exchange, HK_F_IDENTITY, 32);
    if (key == NULL || transcript == NULL || public_key == NULL || named == NULL || tag == NULL ||
        identity == NULL) {
        return HK_BAD_PEER;
    }
    hk_account_name(account, key->public_key);
    if (memcmp(transcript, key->transcript, HK_NAME_BYTES) != 0 ||
        memcmp(public_key, key->public_key, 32) != 0 || memcmp(named, account, sizeof(account)) != 0) {
        return HK_BAD_PROOF;
    }
    memcpy(state->account, account, sizeof(account));
    memcpy(state->tag, tag, HK_TAG_BYTES);
    memcpy(state->identity_key, identity, 32);
    state->epoch = hk_exchange_u64(exchange, HK_F_EPOCH);
    key->state = HK_KEY_ACTIVE;
    state->phase = HK_PHASE_FOUNDING;
    hk_core_identify(core);
    return hk_core_save(core, "init.founding");
}

static enum hk_error store_pending(struct hk_core *core, const struct creation *creation)
{
    struct hk_state_key *key = hk_state_add_key(core->state, creation->id);
    if (key == NULL) {
        return HK_OVER_QUOTA;
    }
    key->suite = HK_SUITE_ACCOUNT;
    key->purpose = HK_PURPOSE_ACCOUNT;
    memcpy(key->name, "account", sizeof("account"));
    key->created = creation->created;
    key->state = HK_KEY_PENDING;
    memcpy(key->transcript, creation->result.transcript, sizeof(key->transcript));
    memcpy(key->public_key, creation->result.public_key, sizeof(key->public_key));
    memcpy(key->service_point, creation->result.service_point, sizeof(key->service_point));
    key->half = creation->result.half;
    HK_TELL("d", key->half.bytes, 32);
    core->state->phase = HK_PHASE_CREATING;
    return hk_core_save(core, "init.pending");
}

static enum hk_error send_start(struct hk_core *core, struct creation *creation, struct hk_link *link,
                                struct hk_exchange *exchange)
{
    struct hk_state *state = core->state;
    const struct hk_suite *suite = hk_suite_by_id(HK_SUITE_ACCOUNT);
    uint8_t sid[HK_NAME_BYTES], commitment[HK_NAME_BYTES], pop[HK_NAME_BYTES];
    enum hk_error error =
        hk_sid_pop(pop, &state->static_key, hk_client_service_key(core->client), hk_link_handshake(link));
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_CREATE_ACCOUNT);
    struct hk_keygen_names names = {.handshake = HK_BYTES(hk_link_handshake(link), HK_HASH_BYTES),
                                    .request_id = exchange->id,
                                    .account = HK_BYTES(NULL, 0),
                                    .suite = suite,
                                    .key_id = creation->id,
                                    .device_key = state->static_public,
                                    .service_key = hk_client_service_key(core->client)};
    hk_keygen_sid(sid, &names);
    hk_keygen_start(&creation->run, commitment, suite->group, sid);
    struct hk_message *request = &exchange->request;
    hk_message_set_bytes(request, HK_F_DEVICE_KEY, state->static_public, 32);
    hk_message_set_bytes(request, HK_F_POP, pop, sizeof(pop));
    hk_message_set_bytes(request, HK_F_DEVICE, state->serial, HK_ID_BYTES);
    hk_message_set_bytes(request, HK_F_KEY, creation->id, HK_ID_BYTES);
    hk_message_set_u64(request, HK_F_CREATED, creation->created);
    hk_message_set_bytes(request, HK_F_REPORT_KEY, state->report_public, 32);
    hk_message_set_bytes(request, HK_F_COMMITMENT, commitment, sizeof(commitment));
    return hk_link_call(link, exchange);
}

static enum hk_error create_over(struct hk_core *core, struct creation *creation, struct hk_link *link,
                                 struct hk_exchange *exchange)
{
    hk_random(creation->id, sizeof(creation->id));
    creation->created = (uint64_t)time(NULL);
    enum hk_error error = send_start(core, creation, link, exchange);
    if (error != HK_OK) {
        return error;
    }
    const uint8_t *point = hk_exchange_bytes(exchange, HK_F_POINT, 32),
                  *proof = hk_exchange_bytes(exchange, HK_F_PROOF, HK_SCHNORR_ED25519_BYTES);
    error = point != NULL && proof != NULL
                ? hk_keygen_finish(&creation->result, &creation->opening, &creation->run, point, proof)
                : HK_BAD_PEER;
    if (error == HK_OK) {
        error = store_pending(core, creation);
    }
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_CREATE_FINISH);
    hk_message_set_bytes(&exchange->request, HK_F_KEY, creation->id, HK_ID_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_POINT, creation->opening.point, 32);
    hk_message_set_bytes(&exchange->request, HK_F_PROOF, creation->opening.proof, HK_SCHNORR_ED25519_BYTES);
    hk_message_set_bytes(&exchange->request, HK_F_OPENING, creation->opening.opening,
                         HK_KEYGEN_OPENING_BYTES);
    HK_SEAM("create.finish/before");
    error = hk_link_call(link, exchange);
    HK_SEAM("create.finish/after");
    return error == HK_OK ? take_account(core, exchange) : error;
}

static enum hk_error create(struct hk_core *core)
{
    struct hk_link *link = NULL;
    struct hk_exchange *exchange = NULL;
    struct creation *creation = hk_secret_new(sizeof(*creation));
    enum hk_error error = creation != NULL ? hk_exchange_new(&exchange, core->client) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = hk_link_open_stranger(&link, core->client);
    }
    if (error == HK_OK) {
        error = create_over(core, creation, link, exchange);
    }
    hk_link_close(link);
    hk_exchange_free(core->client, exchange);
    hk_secret_free(creation);
    return error == HK_AGAIN ? HK_UNREACHABLE : error;
}

/* CREATING: the answer to create-finish was lost. HK_UNKNOWN_RUN: there is no such account. */
static enum hk_error ask_status(struct hk_core *core)
{
    struct hk_link *link = NULL;
    struct hk_exchange *exchange = NULL;
    const struct hk_state_key *key = hk_state_account_key(core->state);
    enum hk_error error = key != NULL ? hk_exchange_new(&exchange, core->client) : HK_UNKNOWN_RUN;
    if (error == HK_OK) {
        error = hk_link_open_stranger(&link, core->client);
    }
    if (error == HK_OK) {
        hk_exchange_start(exchange, HK_OP_CREATE_STATUS);
        hk_message_set_bytes(&exchange->request, HK_F_KEY, key->id, HK_ID_BYTES);
        hk_message_set_bytes(&exchange->request, HK_F_TRANSCRIPT, key->transcript, HK_NAME_BYTES);
        error = hk_link_call(link, exchange);
    }
    if (error == HK_OK) {
        error = take_account(core, exchange);
    }
    hk_link_close(link);
    hk_exchange_free(core->client, exchange);
    return error;
}

/* --- FOUNDING: record, certificate, profile 1 --- */

/* After a recovery nothing else is left: no other device, and no key of which there were no shares. */
static void clear_profile(const struct hk_state *state, struct hk_profile *profile)
{
    size_t kept = 0;
    for (size_t i = 0; i < profile->key_count; i++) {
        for (size_t j = 0; j < state->key_count; j++) {
            if (memcmp(profile->keys[i].id, state->key[j].id, HK_ID_BYTES) == 0) {
                profile->keys[kept++] = profile->keys[i];
                break;
            }
        }
    }
    profile->key_count = kept;
    profile->device_count = 0;
}

static enum hk_error list_device(void *argument, struct hk_profile *profile)
{
    const struct hk_state *state = argument;
    if (state->recovered) {
        clear_profile(state, profile);
    }
    if (profile->device_count != 0) {
        return HK_OK; /* put before a crash */
    }
    struct hk_profile_device *device = &profile->devices[0];
    struct hk_device_record record;
    enum hk_error error = hk_record_open(&record, state->record, state->record_size, profile->account_key);
    if (error != HK_OK) {
        return error;
    }
    profile->device_count = 1;
    memcpy(device->serial, record.serial, HK_ID_BYTES);
    memcpy(device->static_key, record.static_key, 32);
    memcpy(device->name, record.name, sizeof(device->name));
    memcpy(device->report_key, record.report_key, 32);
    device->role = record.role;
    memcpy(device->code_hash, record.code_hash, 32);
    return HK_OK;
}

static enum hk_error sign_device(struct hk_core *core)
{
    struct hk_state *state = core->state;
    uint8_t code[16], certificate[HK_SMALL_OBJECT_MAX];
    HK_WIPE_AT_EXIT(code);
    size_t size;
    struct hk_device_record record = {.role = HK_ROLE_ADMIN, .created = state->created};
    hk_random(code, sizeof(code));
    memcpy(record.account, state->account, HK_ACCOUNT_BYTES);
    memcpy(record.serial, state->serial, HK_ID_BYTES);
    memcpy(record.static_key, state->static_public, 32);
    memcpy(record.name, state->name, sizeof(record.name));
    memcpy(record.report_key, state->report_public, 32);
    hk_code_hash(record.code_hash, code);
    enum hk_error error = hk_account_sign_record(core, &record, state->record, &state->record_size);
    if (error == HK_OK) {
        error = hk_account_sign_revocation(core, state->serial, certificate, &size);
    }
    if (error == HK_OK) {
        error = hk_state_keep_certificate(state, state->serial, certificate, size, code);
    }
    return error == HK_OK ? hk_core_save(core, "init.signed") : error;
}

static enum hk_error found(struct hk_core *core)
{
    struct hk_state *state = core->state;
    enum hk_error error = HK_OK;
    if (state->record_size == 0 || hk_state_certificate(state, state->serial) == NULL) {
        error = sign_device(core);
    }
    if (error == HK_OK && (state->profile_version == 0 || state->recovered)) {
        error = hk_core_next_profile(core, list_device, state);
    }
    if (error == HK_OK) {
        state->phase = HK_PHASE_ACTIVE;
        error = hk_core_save(core, "init.active");
    }
    return error;
}

enum hk_error hk_resume_init(struct hk_core *core)
{
    enum hk_error error = HK_OK;
    if (core->state->phase == HK_PHASE_CREATING) {
        error = ask_status(core);
        if (error == HK_UNKNOWN_RUN) { /* it came to nothing, at the service too */
            error = hk_state_remove(&core->home);
            if (error == HK_OK) {
                hk_core_lock(core);
                error = HK_UNKNOWN_RUN;
            }
        }
    }
    return error == HK_OK ? found(core) : error;
}

/* --- the operation --- */

static enum hk_error begin(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    char name[HK_NAME_MAX + 1];
    const char *reason = "";
    bool given = hk_agent_has(call->request, HK_A_PASSPHRASE);
    const struct hk_value *passphrase = &call->request->value[HK_A_PASSPHRASE];
    enum hk_error error = hk_state_new(&core->state);
    if (error != HK_OK) {
        return error;
    }
    hk_agent_text(call->request, HK_A_DEVICE, name, sizeof(name));
    hk_agent_text(call->request, HK_A_SERVICE, core->state->address, sizeof(core->state->address));
    hk_state_make_device(core->state, name, HK_ROLE_ADMIN);
    core->state->phase = HK_PHASE_CREATING;
    error = hk_state_seal_make(&core->seal, given ? passphrase->data : NULL, given ? passphrase->size : 0);
    if (error == HK_OK) {
        error = hk_core_connect(core, &reason);
        if (error != HK_OK && reason[0] != '\0') {
            return hk_op_fail(call, error, "the service's address: %s", reason);
        }
    }
    if (error == HK_OK) {
        memcpy(core->state->service_key, hk_client_service_key(core->client), 32);
        error = create(core);
    }
    return error == HK_OK ? found(core) : error;
}

static enum hk_error reopen(struct hk_op_call *call, bool has_passphrase)
{
    char reason[256] = "";
    const struct hk_value *passphrase = &call->request->value[HK_A_PASSPHRASE];
    bool given = has_passphrase && hk_agent_has(call->request, HK_A_PASSPHRASE);
    enum hk_error error = has_passphrase && !given
                              ? HK_AGENT_LOCKED
                              : hk_core_unlock(call->core, given ? passphrase->data : NULL,
                                               given ? passphrase->size : 0, reason);
    return error != HK_OK && reason[0] != '\0' ? hk_op_fail(call, error, "%s", reason) : error;
}

static enum hk_error answer(struct hk_op_call *call)
{
    struct hk_state *state = call->core->state;
    const struct hk_state_certificate *own = hk_state_certificate(state, state->serial);
    char words[HK_CODE_TEXT_BYTES];
    HK_WIPE_AT_EXIT(words);
    bool put = hk_op_put(call, HK_A_ACCOUNT, state->account, HK_ACCOUNT_BYTES) &&
               hk_op_put(call, HK_A_SERIAL, state->serial, HK_ID_BYTES);
    if (own != NULL && put) {
        put = hk_op_put(call, HK_A_CERTIFICATE, own->bytes, own->size);
    }
    if (own != NULL && own->has_code && put) {
        hk_words_from_code(words, own->code);
        put = hk_op_put(call, HK_A_WORDS, words, strlen(words));
    }
    return put ? HK_OK : HK_NO_MEMORY;
}

/* The same command again, whose answer may have been lost on its way: it is answered again. */
static bool is_repeat(const struct hk_op_call *call)
{
    const struct hk_state *state = call->core->state;
    char device[HK_NAME_MAX + 1], service[HK_ADDRESS_MAX + 1];
    hk_agent_text(call->request, HK_A_DEVICE, device, sizeof(device));
    hk_agent_text(call->request, HK_A_SERVICE, service, sizeof(service));
    return state->phase == HK_PHASE_ACTIVE && state->role == HK_ROLE_ADMIN &&
           strcmp(state->name, device) == 0 && strcmp(state->address, service) == 0;
}

enum hk_error hk_op_init(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    bool has_passphrase;
    char reason[256] = "";
    enum hk_error error = HK_OK;
    if (core->state == NULL) {
        error = hk_state_look(&core->home, &has_passphrase, reason);
        if (error == HK_OK) {
            error = reopen(call, has_passphrase);
        } else if (error == HK_NO_ACCOUNT) {
            error = HK_OK;
        } else if (reason[0] != '\0') {
            return hk_op_fail(call, error, "%s", reason);
        }
    }
    if (error != HK_OK) {
        return error;
    }
    if (core->state != NULL && is_repeat(call)) {
        return answer(call);
    }
    if (core->state != NULL && (core->state->phase == HK_PHASE_ACTIVE ||
                                core->state->phase == HK_PHASE_JOINING || core->state->recovered)) {
        return hk_op_fail(call, HK_EXISTS,
                          "there is an account here already; HALFKEY_HOME sets another folder");
    }
    if (core->state != NULL) {
        error = hk_resume_init(core);
        if (error != HK_UNKNOWN_RUN) {
            return error == HK_OK ? answer(call) : error;
        }
    }
    error = begin(call);
    if (error == HK_OK) {
        return answer(call);
    }
    if (hk_state_look(&core->home, &has_passphrase, reason) == HK_NO_ACCOUNT) {
        hk_core_lock(core); /* nothing was stored: the next try begins anew */
    } else {
        atomic_store(&core->unsettled, true);
    }
    return error;
}

/* device join: this device's side of its enrolment, steps 2, 3 and 7 of docs/protocol.md.
 *
 * Until d2 is stored nothing is on disk, and a crash leaves nothing. From then on the state file is in phase
 * JOINING, and the same command again, or the next one, finishes or wipes it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device/joining.h"
#include "protocol/seam.h"

void hk_joining_free(void *joining)
{
    if (joining != NULL) {
        struct hk_joining *old = joining;
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
static enum hk_error relay(struct hk_core *core, struct hk_joining *joining, enum hk_join_step step,
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
static enum hk_error wait_for(struct hk_op_call *call, struct hk_joining *joining, enum hk_join_step step,
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

static enum hk_error open_state(struct hk_op_call *call, struct hk_joining *joining)
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

static enum hk_error say_hello(struct hk_core *core, struct hk_joining *joining)
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

static enum hk_error shake_hands(struct hk_op_call *call, struct hk_joining *joining)
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

static enum hk_error parse_code(struct hk_op_call *call, struct hk_joining *joining)
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
    struct hk_joining *joining = hk_secret_new(sizeof(*joining));
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

static enum hk_error receive_bundle(struct hk_op_call *call, struct hk_joining *joining,
                                    struct hk_finishing *finishing)
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

static enum hk_error finish(struct hk_op_call *call, struct hk_joining *joining)
{
    struct hk_core *core = call->core;
    uint64_t locks = core->lock_count;
    struct hk_finishing *finishing = hk_secret_new(sizeof(*finishing));
    enum hk_error error = finishing != NULL ? receive_bundle(call, joining, finishing) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = hk_joining_take_bundle(core, joining, finishing);
    }
    if (error == HK_OK) {
        error = hk_joining_fetch(core, joining, finishing);
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
    if (core->state == NULL || core->state->phase != HK_PHASE_ACTIVE) {
        return hk_op_fail(
            call, HK_NOT_FOUND,
            "nothing is left of this join: ask for another code ('halfkey device invite' on the "
            "administrator's device)");
    }
    enum hk_error left =
        hk_resume_hands(core); /* a deposit at once: who knows when this device is used again */
    (void)left;
    return answer(call);
}

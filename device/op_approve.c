/* device approve: waits for the device that was invited and shows its words. */

#include "device/approval.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/seam.h"

void hk_approval_free(void *approval)
{
    if (approval != NULL) {
        hk_join_wipe(&((struct hk_approval *)approval)->join);
        hk_secret_free(approval);
    }
}

enum hk_error hk_approval_relay(struct hk_core *core, const uint8_t gate_hash[32], enum hk_join_step step,
                                struct hk_bytes written, uint8_t *out, size_t max, size_t *size)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_RELAY);
    hk_message_set_bytes(&exchange->request, HK_F_GATE_HASH, gate_hash, 32);
    hk_message_set_u64(&exchange->request, HK_F_STEP, step);
    if (written.data != NULL) {
        hk_message_set_bytes(&exchange->request, HK_F_RELAY, written.data, written.size);
    }
    error = hk_client_call(core->client, exchange);
    if (error == HK_OK && out != NULL) {
        const struct hk_value *relayed = &exchange->answer.value[HK_F_RELAY];
        bool is_there = hk_message_has(&exchange->answer, HK_F_RELAY);
        if (is_there && relayed->size > max) {
            error = HK_BAD_PEER;
        } else {
            *size = is_there ? relayed->size : 0;
            memcpy(out, is_there ? relayed->data : out, *size);
        }
    }
    hk_exchange_free(core->client, exchange);
    return error;
}

/* ---- waiting for the new device ---- */

/* The approval that `gate_hash` names, after a wait: NULL if it is another one by now. */
static struct hk_approval *find(struct hk_core *core, const uint8_t gate_hash[32])
{
    struct hk_approval *approval = core->approval;
    bool same = approval != NULL && memcmp(approval->keys.gate_hash, gate_hash, 32) == 0;
    return same ? approval : NULL;
}

void hk_approval_drop(struct hk_core *core)
{
    hk_approval_free(core->approval);
    core->approval = NULL;
}

/* Sleeps with the gate open. */
enum hk_error hk_approval_pause(struct hk_core *core)
{
    hk_core_wait_begin(core);
    struct timespec pause = {0, HK_APPROVAL_POLL_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
    return hk_core_wait_end(core);
}

/* A device has come: answers its handshake, the only one that is ever answered under this code. */
static enum hk_error answer(struct hk_core *core, struct hk_approval *approval)
{
    uint8_t message[HK_JOIN_HANDSHAKE_MAX];
    size_t size = 0;
    enum hk_error error = hk_approval_relay(core, approval->keys.gate_hash, HK_JOIN_MESSAGE_1,
                                            HK_BYTES(NULL, 0), message, sizeof(message), &size);
    if (error != HK_OK || size == 0) {
        return error != HK_OK ? error : HK_AGAIN;
    }
    error = hk_join_answer(&approval->join, &approval->invitation, &core->state->static_key, message, size,
                           approval->message, &approval->message_size);
    if (error == HK_OK) {
        error = hk_join_peer(&approval->join, approval->static_key);
    }
    if (error == HK_OK) {
        approval->stage = HK_APPROVAL_ANSWERED;
    }
    return error;
}

/* Sends message 2 (the same each time) and asks for the hello. */
static enum hk_error greet(struct hk_core *core, struct hk_approval *approval)
{
    uint8_t sealed[HK_JOIN_HELLO_MAX + HK_JOIN_SEAL_BYTES], hello[HK_JOIN_HELLO_MAX];
    size_t size = 0, hello_size;
    HK_SEAM("approve/answer/send");
    enum hk_error error =
        hk_approval_relay(core, approval->keys.gate_hash, HK_JOIN_MESSAGE_2,
                          HK_BYTES(approval->message, approval->message_size), NULL, 0, NULL);
    HK_SEAM("approve/answer/sent");
    if (error == HK_OK) {
        error = hk_approval_relay(core, approval->keys.gate_hash, HK_JOIN_HELLO, HK_BYTES(NULL, 0), sealed,
                                  sizeof(sealed), &size);
    }
    if (error != HK_OK || size == 0) {
        return error != HK_OK ? error : HK_AGAIN;
    }
    error = hk_join_open(&approval->join, HK_JOIN_HELLO, sealed, size, hello, sizeof(hello), &hello_size);
    if (error == HK_OK) {
        error = hk_join_hello_decode(&approval->hello, hello, hello_size) == HK_OK ? HK_OK : HK_BAD_PEER;
    }
    if (error == HK_OK) {
        approval->stage = HK_APPROVAL_GREETED;
    }
    return error;
}

/* One round of asking; HK_AGAIN while the device has not come. */
static enum hk_error poll_once(struct hk_core *core, struct hk_approval *approval)
{
    enum hk_error error = HK_OK;
    if (approval->stage == HK_APPROVAL_INVITED) {
        error = answer(core, approval);
    }
    if (error == HK_OK && approval->stage == HK_APPROVAL_ANSWERED) {
        error = greet(core, approval);
    }
    if (error == HK_UNREACHABLE || error == HK_TIMEOUT || error == HK_BUSY) {
        error = HK_AGAIN; /* the code's end is the time limit */
    }
    return error;
}

/* What the thread that attends to an invitation is given. */
struct attendance {
    struct hk_core *core;
    uint8_t gate_hash[32];
};

/* One look at the invitation; false when there is nothing left to attend to. */
static bool attend_once(struct attendance *attendance)
{
    struct hk_core *core = attendance->core;
    pthread_rwlock_wrlock(&core->gate);
    struct hk_approval *approval = atomic_load(&core->stopping) ? NULL : find(core, attendance->gate_hash);
    bool waits = approval != NULL && approval->stage < HK_APPROVAL_GREETED &&
                 approval->invitation.expires > hk_approval_now();
    if (waits) {
        enum hk_error error = poll_once(core, approval);
        waits = error == HK_AGAIN;
        if (error != HK_OK && error != HK_AGAIN) {
            hk_approval_drop(core);
        }
    }
    pthread_rwlock_unlock(&core->gate);
    return waits;
}

static void *attend(void *argument)
{
    struct attendance *attendance = argument;
    struct timespec pause = {0, HK_APPROVAL_POLL_MS * 1000000L};
    while (attend_once(attendance)) {
        (void)nanosleep(&pause, NULL);
    }
    free(attendance);
    return NULL;
}

enum hk_error hk_approval_attend(struct hk_core *core, const uint8_t gate_hash[32])
{
    pthread_t thread;
    struct attendance *attendance = malloc(sizeof(*attendance));
    if (attendance == NULL) {
        return HK_NO_MEMORY;
    }
    attendance->core = core;
    memcpy(attendance->gate_hash, gate_hash, 32);
    if (pthread_create(&thread, NULL, attend, attendance) != 0) {
        free(attendance);
        return HK_NO_MEMORY;
    }
    pthread_detach(thread);
    return HK_OK;
}

enum hk_error hk_op_approve_begin(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_approval *approval = core->approval;
    uint8_t gate_hash[32];
    if (approval == NULL || approval->stage == HK_APPROVAL_DECIDED) {
        return hk_op_fail(call, HK_NOT_FOUND, "no invitation is open; make one with 'halfkey device invite'");
    }
    memcpy(gate_hash, approval->keys.gate_hash, sizeof(gate_hash));
    enum hk_error error;
    while ((error = approval->stage == HK_APPROVAL_GREETED ? HK_OK : poll_once(core, approval)) == HK_AGAIN) {
        if (approval->invitation.expires <= hk_approval_now()) {
            hk_approval_drop(core);
            return hk_op_fail(call, HK_TIMEOUT, "no device came before the code expired; make another one");
        }
        if ((error = hk_approval_pause(core)) != HK_OK) {
            return error;
        }
        if ((approval = find(core, gate_hash)) == NULL) {
            return hk_op_fail(call, HK_NOT_FOUND, "this invitation was replaced by another one");
        }
    }
    if (error != HK_OK) {
        hk_approval_drop(core);
        return error == HK_BAD_PEER ? hk_op_fail(call, error,
                                                 "somebody came who does not have the code; the invitation "
                                                 "is void, make another one")
                                    : error;
    }
    char *words = hk_op_memory(call, HK_FINGERPRINT_TEXT_BYTES);
    if (words == NULL) {
        return HK_NO_MEMORY;
    }
    if ((error = hk_join_words(&approval->join, words)) == HK_OK) {
        hk_agent_set_text(call->answer, HK_A_WORDS, words);
        bool fits = hk_op_put(call, HK_A_DEVICE, approval->hello.name, strlen(approval->hello.name));
        error = fits ? HK_OK : HK_NO_MEMORY;
    }
    return error;
}

/* device invite: a one-time code for a new device. */

#include <string.h>
#include <time.h>

#include "device/approval.h"
#include "protocol/seam.h"

uint64_t hk_approval_now(void)
{
    return (uint64_t)time(NULL);
}

static enum hk_error announce(struct hk_core *core, const struct hk_approval *approval)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_INVITE);
    hk_message_set_bytes(&exchange->request, HK_F_GATE_HASH, approval->keys.gate_hash, 32);
    hk_message_set_u64(&exchange->request, HK_F_EXPIRES, approval->invitation.expires);
    HK_SEAM("invite/send");
    error = hk_client_call(core->client, exchange);
    HK_SEAM("invite/sent");
    hk_exchange_free(core->client, exchange);
    return error;
}

/* The invitation and its code, and the service told of it. */
static enum hk_error invite(struct hk_op_call *call, struct hk_approval *approval)
{
    struct hk_core *core = call->core;
    const struct hk_state *state = core->state;
    char *code = hk_op_memory(call, HK_INVITATION_TEXT_MAX);
    if (code == NULL) {
        return HK_NO_MEMORY;
    }
    enum hk_error error =
        hk_invitation_make(&approval->invitation, state->address, state->account, state->static_public,
                           hk_approval_now() + HK_INVITATION_SECONDS_MAX);
    if (error == HK_OK) {
        error = hk_invitation_print(code, &approval->invitation);
    }
    if (error == HK_OK) {
        hk_invitation_derive(&approval->keys, &approval->invitation);
        error = announce(core, approval);
    }
    if (error == HK_OK) {
        hk_agent_set_text(call->answer, HK_A_CODE, code);
        hk_agent_set_u64(call->answer, HK_A_EXPIRES, approval->invitation.expires);
    }
    return error;
}

enum hk_error hk_op_invite(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    if (core->state->enrolment.open) {
        enum hk_error ended = hk_approval_end_open(core);
        if (ended != HK_OK) {
            return ended;
        }
    }
    struct hk_approval *approval = hk_secret_new(sizeof(*approval));
    if (approval == NULL) {
        return HK_NO_MEMORY;
    }
    enum hk_error error = invite(call, approval);
    if (error != HK_OK) {
        hk_approval_free(approval);
        return error;
    }
    hk_approval_free(core->approval);
    core->approval = approval;
    return hk_approval_attend(core, approval->keys.gate_hash);
}

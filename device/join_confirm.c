/* The end of a join, once d2 is stored: confirmed, or found to have come to nothing and wiped. May be done
 * again after every crash. */
#include <stdlib.h>
#include <string.h>

#include "crypto/enrolment.h"
#include "device/agent_core.h"
#include "protocol/seam.h"

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
    atomic_store(&core->hand_waits, true); /* a deposit, for keys that are made from now on */
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

/* recover: a new device and a service get a pair of every key from t holders of the account's recovery set.
 *
 * RECOVERING is stored before anything is asked of a holder, since they may take days: the device's keys and
 * the request. With the contributions the halves are stored beside it, and only then recover-finish is sent;
 * if its answer is lost, enrol-status has it. From FOUNDING on it goes as after `init`: record, certificate,
 * and a profile that lists this device alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"
#include "device/cmd.h"
#include "device/holder.h"
#include "device/recovery_set.h"
#include "protocol/seam.h"
#include "protocol/sid.h"
#include "protocol/words.h"

/* Everything of one finish. From hk_secret_new, but for what is large and public. */
struct work {
    struct hk_holder_set *set;
    struct hk_recovery_request request;
    uint8_t hash[32];
    struct hk_recover_run run;
    struct hk_recovery_contribution *contributions; /* run.count, in the order of its indices */
    uint8_t transcripts[HK_KEYS_MAX][HK_NAME_BYTES];
    struct hk_recovery_packet packet;
    struct hk_recovery_key key;
    uint8_t holders[HK_RECOVERY_HOLDERS][32];
    struct hk_dealing dealings[HK_RECOVERY_HOLDERS];
    struct hk_scalar subshares[HK_RECOVERY_HOLDERS];
    uint8_t proofs[HK_KEYS_MAX][HK_SCHNORR_BYTES_MAX];
};

/* ---- finish: the contributions ---- */

/* Who has answered what, each once. */
static enum hk_error read_contributions(struct hk_op_call *call, struct work *work)
{
    const struct hk_value *list = &call->request->value[HK_A_CONTRIBUTIONS];
    size_t have = 0;
    struct hk_recovery_contribution *read = malloc(sizeof(*read));
    enum hk_error error = read != NULL ? HK_OK : HK_NO_MEMORY;
    for (size_t i = 0; i < list->count && error == HK_OK; i++) {
        size_t place = 0;
        error = hk_recovery_contribution_decode(read, list->items[i].data, list->items[i].size);
        if (error != HK_OK || memcmp(read->request, work->hash, 32) != 0) {
            error = hk_op_fail(call, HK_CONFLICT,
                               "the %zu. contribution is no answer to this device's request", i + 1);
            break;
        }
        while (place < work->run.count && work->run.index[place] != read->index) {
            place++;
        }
        if (place == work->run.count || read->count != work->set->file.count) {
            error = hk_op_fail(call, HK_CONFLICT, "the %zu. contribution is of a holder that was not asked",
                               i + 1);
            break;
        }
        have += work->contributions[place].count == 0;
        work->contributions[place] = *read;
    }
    free(read);
    if (error == HK_OK && have != work->run.count) {
        return hk_op_fail(call, HK_NEEDS_APPROVAL, "%zu of %zu holders have answered; ask the others", have,
                          work->run.count);
    }
    return error;
}

/* What the holders sealed to this device, of the key at `place`. */
static enum hk_error open_parts(struct hk_core *core, struct work *work, size_t place)
{
    const struct hk_group *group = work->key.suite->group;
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < work->run.count && error == HK_OK; i++) {
        const struct hk_recovery_part *part = &work->contributions[i].parts[place];
        uint8_t context[HK_NAME_BYTES], opened[HK_SEALED_SCALAR_BYTES];
        HK_WIPE_AT_EXIT(opened);
        if (memcmp(part->key, work->packet.key, HK_ID_BYTES) != 0 ||
            part->point_bytes != group->point_bytes) {
            return HK_BAD_PROOF;
        }
        work->dealings[i] = part->dealing;
        hk_recover_seal_context(context, work->hash, part->key, work->run.index[i], HK_OF_DEVICE);
        error = hk_sealed_share_open(opened, part->sealed[HK_OF_DEVICE], &core->state->static_key, context);
        error = error == HK_OK ? group->scalar_decode(&work->subshares[i], opened) : error;
        if (error != HK_OK) {
            return HK_BAD_PROOF;
        }
    }
    return error;
}

static enum hk_error take_key(struct hk_op_call *call, struct work *work, size_t place)
{
    struct hk_core *core = call->core;
    struct hk_state_key made = {.state = HK_KEY_PENDING, .profiled = true};
    HK_WIPE_AT_EXIT(made);
    struct hk_point other;
    size_t guilty = work->run.count;
    const struct hk_bytes *bytes = &work->set->file.packets[place];
    enum hk_error error = hk_recovery_packet_decode(&work->packet, bytes->data, bytes->size);
    if (error == HK_OK) {
        error =
            hk_recovery_packet_key(&work->key, work->holders, &work->packet, &work->set->profile.recovery);
    }
    if (error == HK_OK) {
        error = open_parts(core, work, place);
    }
    if (error == HK_OK) {
        error = hk_recover_take(&made.half, &other, &work->key, &work->run, HK_OF_DEVICE,
                                work->packet.dealings, work->dealings, work->subshares, &guilty);
    }
    if (error == HK_OK) {
        error = hk_recover_key_transcript(work->transcripts[place], &work->key, &work->run, work->dealings);
    }
    if (error != HK_OK) {
        return guilty < work->run.count
                   ? hk_op_fail(call, HK_BAD_PROOF,
                                "what holder %llu has sent does not fit the recovery set: ask another one",
                                (unsigned long long)work->run.index[guilty])
                   : error;
    }
    struct hk_state_key *key = hk_state_add_key(core->state, work->packet.key);
    if (key == NULL) {
        return HK_OVER_QUOTA;
    }
    memcpy(made.id, work->packet.key, HK_ID_BYTES);
    made.suite = work->packet.suite;
    made.purpose = (uint64_t)work->key.suite->purpose;
    memcpy(made.public_key, work->packet.public_key, sizeof(made.public_key));
    memcpy(made.service_point, other.bytes, work->key.suite->group->point_bytes);
    memcpy(made.name, "account", sizeof("account"));
    for (size_t i = 0; i < work->set->profile.key_count; i++) {
        const struct hk_profile_key *listed = &work->set->profile.keys[i];
        if (memcmp(listed->id, made.id, HK_ID_BYTES) == 0) {
            memcpy(made.name, listed->name, sizeof(made.name));
            made.created = listed->created;
            made.imported = listed->imported;
        }
    }
    *key = made;
    return HK_OK;
}

static void forget_keys(struct hk_state *state)
{
    while (state->key_count > 0) {
        hk_state_remove_key(state, &state->key[state->key_count - 1]);
    }
    memset(state->join_transcript, 0, sizeof(state->join_transcript));
}

static enum hk_error send_start(struct hk_core *core, struct hk_link *link, struct hk_exchange *exchange)
{
    struct hk_state *state = core->state;
    uint8_t pop[HK_NAME_BYTES];
    enum hk_error error =
        hk_sid_pop(pop, &state->static_key, hk_client_service_key(core->client), hk_link_handshake(link));
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_RECOVER_START);
    hk_message_set_bytes(&exchange->request, HK_F_PROFILE, state->profile, state->profile_size);
    hk_message_set_bytes(&exchange->request, HK_F_RECOVERY, state->recovery, state->recovery_size);
    hk_message_set_bytes(&exchange->request, HK_F_POP, pop, sizeof(pop));
    hk_message_set_bytes(&exchange->request, HK_F_REPORT_KEY, state->report_public, 32);
    return hk_link_call(link, exchange);
}

/* One key's parts for the service, which this device carries and cannot open. */
static enum hk_error send_key(struct work *work, struct hk_link *link, struct hk_exchange *exchange,
                              size_t place)
{
    const struct hk_bytes *packet = &work->set->file.packets[place];
    struct hk_message *request = &exchange->request;
    hk_exchange_start(exchange, HK_OP_RECOVER_KEY);
    for (int side = 0; side < 2; side++) {
        enum hk_field field = side == HK_OF_DEVICE ? HK_F_KEPT : HK_F_PASSED;
        hk_message_set_list(request, field, NULL, 0);
        for (size_t i = 0; i < work->run.count; i++) {
            const struct hk_recovery_part *part = &work->contributions[i].parts[place];
            hk_message_append(request, field, part->dealing.commitments[side], part->point_bytes);
        }
    }
    hk_message_set_list(request, HK_F_SEALED, NULL, 0);
    for (size_t i = 0; i < work->run.count; i++) {
        hk_message_append(request, HK_F_SEALED, work->contributions[i].parts[place].sealed[HK_OF_SERVICE],
                          HK_SEALED_SHARE_BYTES);
    }
    hk_message_set_list(request, HK_F_PACKETS, NULL, 0);
    hk_message_append(request, HK_F_PACKETS, packet->data, packet->size);
    return hk_link_call(link, exchange);
}

static enum hk_error take_answer(struct hk_core *core, const struct hk_exchange *exchange)
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
    state->phase = HK_PHASE_FOUNDING;
    hk_core_identify(core);
    return hk_core_save(core, "recover.founding");
}

/* Whether recover-finish was done, its answer lost; asked as a stranger first, since the service may not know
 * this device. HK_UNKNOWN_RUN: it was not. */
static enum hk_error ask_status(struct hk_core *core)
{
    static const uint8_t none[HK_NAME_BYTES];
    struct hk_exchange *exchange;
    struct hk_link *link = NULL;
    if (memcmp(core->state->join_transcript, none, sizeof(none)) == 0) {
        return HK_UNKNOWN_RUN;
    }
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    for (int as_stranger = 1; as_stranger >= 0 && error == HK_OK; as_stranger--) {
        hk_exchange_start(exchange, HK_OP_ENROL_STATUS);
        hk_message_set_bytes(&exchange->request, HK_F_ACCOUNT, core->state->account, HK_ACCOUNT_BYTES);
        hk_message_set_bytes(&exchange->request, HK_F_TRANSCRIPT, core->state->join_transcript,
                             HK_NAME_BYTES);
        error = as_stranger ? hk_link_open_stranger(&link, core->client) : HK_OK;
        if (error == HK_OK) {
            error = as_stranger ? hk_link_call(link, exchange) : hk_client_call(core->client, exchange);
        }
        hk_link_close(link);
        link = NULL;
    }
    if (error == HK_OK) {
        error = take_answer(core, exchange);
    }
    hk_exchange_free(core->client, exchange);
    return error == HK_AGAIN ? HK_UNREACHABLE : error;
}

static enum hk_error send_finish(struct hk_core *core, struct work *work, struct hk_link *link,
                                 struct hk_exchange *exchange)
{
    struct hk_state *state = core->state;
    hk_exchange_start(exchange, HK_OP_RECOVER_FINISH);
    hk_message_set_bytes(&exchange->request, HK_F_TRANSCRIPT, state->join_transcript, HK_NAME_BYTES);
    hk_message_set_list(&exchange->request, HK_F_PROOFS, NULL, 0);
    for (size_t i = 0; i < state->key_count; i++) {
        const struct hk_state_key *key = &state->key[i];
        hk_recover_prove(work->proofs[i], hk_suite_by_id(key->suite)->group, state->join_transcript, key->id,
                         &key->half);
        hk_message_append(&exchange->request, HK_F_PROOFS, work->proofs[i], hk_suite_proof_bytes(key->suite));
    }
    HK_SEAM("recover.finish/before");
    enum hk_error error = hk_link_call(link, exchange);
    HK_SEAM("recover.finish/after");
    return error == HK_OK ? take_answer(core, exchange) : error;
}

static enum hk_error run_over(struct hk_op_call *call, struct work *work, struct hk_link *link,
                              struct hk_exchange *exchange)
{
    struct hk_core *core = call->core;
    struct hk_state *state = core->state;
    enum hk_error error = send_start(core, link, exchange);
    if (error == HK_CONFLICT && ask_status(core) == HK_OK) {
        return HK_OK; /* an earlier finish came late */
    }
    const uint8_t *identity = hk_exchange_bytes(exchange, HK_F_IDENTITY, 32);
    if (error == HK_OK && identity == NULL) {
        error = HK_BAD_PEER;
    }
    if (error == HK_OK) {
        memcpy(state->identity_key, identity, 32);
        forget_keys(state); /* of a run that came to nothing */
    }
    for (size_t i = 0; i < work->set->file.count && error == HK_OK; i++) {
        error = take_key(call, work, i);
        if (error == HK_OK) {
            error = send_key(work, link, exchange, i);
        }
    }
    if (error != HK_OK) {
        return error;
    }
    hk_recover_transcript(state->join_transcript, work->hash, work->request.profile_hash,
                          state->report_public, (const uint8_t(*)[HK_NAME_BYTES])work->transcripts,
                          work->set->file.count);
    error = hk_core_save(core, "recover.pending");
    return error == HK_OK ? send_finish(core, work, link, exchange) : error;
}

static enum hk_error run(struct hk_op_call *call, struct work *work)
{
    struct hk_core *core = call->core;
    struct hk_link *link = NULL;
    struct hk_exchange *exchange = NULL;
    enum hk_error error = hk_exchange_new(&exchange, core->client);
    if (error == HK_OK) {
        error = hk_link_open_stranger(&link, core->client);
    }
    if (error == HK_OK) {
        error = run_over(call, work, link, exchange);
    }
    hk_link_close(link);
    hk_exchange_free(core->client, exchange);
    return error == HK_AGAIN ? HK_UNREACHABLE : error;
}

static enum hk_error finish(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct work *work = hk_secret_new(sizeof(*work));
    if (work == NULL) {
        return HK_NO_MEMORY;
    }
    work->contributions = calloc(HK_RECOVERY_HOLDERS, sizeof(*work->contributions));
    enum hk_error error =
        work->contributions != NULL ? hk_recovery_read_kept(core, &work->set) : HK_NO_MEMORY;
    if (error == HK_OK) {
        error = hk_recovery_request_decode(&work->request, core->state->recovery, core->state->recovery_size);
    }
    if (error == HK_OK && memcmp(work->set->profile_hash, work->request.profile_hash, 32) != 0) {
        error = hk_op_fail(call, HK_CONFLICT,
                           "the recovery set here is another one than the request was made for");
    }
    if (error == HK_OK) {
        hk_recovery_request_hash(work->hash, core->state->recovery, core->state->recovery_size);
        hk_recovery_request_run(&work->run, &work->request, work->hash);
        error = read_contributions(call, work);
    }
    if (error == HK_OK) {
        error = run(call, work);
    }
    if (error == HK_CONFLICT && call->sentence[0] == '\0') {
        error = hk_op_fail(call, error,
                           "the account has changed since this recovery began; remove %s and begin again",
                           core->home.path);
    }
    free(work->contributions);
    hk_holder_set_free(work->set);
    hk_secret_free(work);
    return error;
}

/* ---- after a crash, and to the end ---- */

enum hk_error hk_resume_recover(struct hk_core *core)
{
    enum hk_error error = core->state->phase == HK_PHASE_RECOVERING ? ask_status(core) : HK_OK;
    return error == HK_OK ? hk_resume_init(core) : error;
}

static enum hk_error answer(struct hk_op_call *call)
{
    struct hk_state *state = call->core->state;
    const struct hk_state_certificate *own = hk_state_certificate(state, state->serial);
    char words[HK_CODE_TEXT_BYTES];
    HK_WIPE_AT_EXIT(words);
    bool put = hk_op_put(call, HK_A_ACCOUNT, state->account, HK_ACCOUNT_BYTES) &&
               hk_op_put(call, HK_A_SERIAL, state->serial, HK_ID_BYTES);
    if (own != NULL && own->has_code && put) {
        hk_words_from_code(words, own->code);
        put = hk_op_put(call, HK_A_CERTIFICATE, own->bytes, own->size) &&
              hk_op_put(call, HK_A_WORDS, words, strlen(words));
    }
    hk_agent_set_u64(call->answer, HK_A_COUNT, state->key_count);
    return put ? HK_OK : HK_NO_MEMORY;
}

enum hk_error hk_op_recover_finish(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    bool exists;
    enum hk_error error = hk_recover_reopen(call, &exists);
    if (error == HK_OK && (!exists || !core->state->recovered)) {
        return hk_op_fail(call, HK_NOT_FOUND, "no recovery is under way here; begin with 'halfkey recover'");
    }
    if (error == HK_OK && core->state->phase == HK_PHASE_RECOVERING) {
        error = ask_status(core);
        if (error == HK_UNKNOWN_RUN) {
            error = finish(call);
        }
    }
    if (error == HK_OK && core->state->phase != HK_PHASE_ACTIVE) {
        error = hk_resume_init(core);
    }
    if (error == HK_OK) {
        hk_recovery_keep_own(core);
        atomic_store(&core->unsettled, true); /* set-ups for ECDSA */
    }
    return error == HK_OK ? answer(call) : error;
}

/* agree: shared secrets with senders' points, one request to the service for each key and 256 points. */
#include <string.h>
#include <time.h>

#include "crypto/agreement.h"
#include "crypto/dleq.h"
#include "crypto/suite.h"
#include "device/agent_core.h"
#include "device/refresh_policy.h"
#include "device/masks.h"
#include "protocol/sid.h"

/* One key's points on their way. In memory from hk_secret_new. */
struct batch {
    struct hk_core *core;
    const struct hk_state_key *key;
    const struct hk_agreement *agreement;
    size_t point_bytes, input_bytes; /* of what travels; of what comes in and goes out */
    struct hk_point service_point;
    struct hk_scalar part;
    bool prove;
    size_t count; /* of points that are not refused */
    size_t place[HK_AGREE_POINTS_MAX];
    bool again[HK_AGREE_POINTS_MAX]; /* asked before: must get the same answer */
    uint8_t first[HK_AGREE_POINTS_MAX][HK_AGREE_POINT_BYTES_MAX];
    struct hk_agree_open open[HK_AGREE_POINTS_MAX];
};

/* How one point is asked: as before if it was asked of late and a proof is wanted now, else under a fresh
 * mask. HK_BAD_POINT refuses it. */
static enum hk_error open_point(struct batch *batch, const uint8_t *input, size_t place)
{
    struct hk_masks *masks = batch->core->masks;
    size_t i = batch->count;
    batch->again[i] = batch->prove && hk_masks_recall(masks, batch->agreement, &batch->service_point, input,
                                                      &batch->open[i], batch->first[i]);
    if (!batch->again[i]) {
        struct hk_agree_mask mask;
        HK_WIPE_AT_EXIT(mask);
        hk_masks_take(masks, batch->agreement, &mask, &batch->service_point);
        enum hk_error error = hk_agree_begin(batch->agreement, &batch->open[i], &mask, input);
        if (error != HK_OK) {
            return error;
        }
    }
    batch->place[i] = place;
    batch->count++;
    return HK_OK;
}

/* The answers' proofs, which name the session and the request. */
static enum hk_error check_proofs(const struct batch *batch, const struct hk_exchange *exchange,
                                  const uint8_t *handshake)
{
    uint8_t sid[HK_NAME_BYTES];
    const struct hk_state *state = batch->core->state;
    const struct hk_value *answers = &exchange->answer.value[HK_F_POINTS],
                          *proofs = &exchange->answer.value[HK_F_PROOFS];
    hk_sid_operation(sid, HK_OP_AGREE, handshake, exchange->id, state->account, state->serial, batch->key->id,
                     state->epoch);
    const struct hk_group *group = batch->agreement->group;
    struct hk_dleq_statement statement = {.group = group,
                                          .cofactor = batch->agreement->cofactor,
                                          .sid = HK_BYTES(sid, sizeof(sid)),
                                          .account = HK_BYTES(state->account, HK_ACCOUNT_BYTES),
                                          .key_id = HK_BYTES(batch->key->id, HK_ID_BYTES),
                                          .epoch = state->epoch,
                                          .service = batch->service_point.bytes};
    if (!hk_message_has(&exchange->answer, HK_F_PROOFS) || proofs->count != batch->count) {
        return HK_BAD_PEER;
    }
    for (size_t i = 0; i < batch->count; i++) {
        statement.point = batch->open[i].sent;
        statement.answer = answers->items[i].data;
        if (proofs->items[i].size != 2 * group->point_bytes + group->scalar_bytes ||
            hk_dleq_verify(&statement, proofs->items[i].data) != HK_OK) {
            return HK_BAD_PROOF;
        }
    }
    return HK_OK;
}

/* The device's own shares, while the service makes its. Again after a lost session there is nothing left to
 * do. */
static void make_own(void *argument)
{
    struct batch *batch = argument;
    for (size_t i = 0; i < batch->count; i++) {
        hk_agree_prepare(&batch->open[i], &batch->part);
    }
}

static void fill_request(struct batch *batch, struct hk_exchange *exchange)
{
    hk_exchange_start(exchange, HK_OP_AGREE);
    exchange->meanwhile = (struct hk_meanwhile){make_own, batch};
    hk_message_set_bytes(&exchange->request, HK_F_KEY, batch->key->id, HK_ID_BYTES);
    hk_message_set_list(&exchange->request, HK_F_POINTS, NULL, 0);
    for (size_t i = 0; i < batch->count; i++) {
        hk_message_append(&exchange->request, HK_F_POINTS, batch->open[i].sent, batch->point_bytes);
    }
    if (batch->prove) {
        hk_message_set_u64(&exchange->request, HK_F_PROVE, 1);
    }
}

/* A proof names the session: one link for request and check, and a new one if the session was lost. */
static enum hk_error ask_with_proof(struct batch *batch, struct hk_exchange *exchange)
{
    enum hk_error error = HK_AGAIN;
    for (int tries = 0; tries < 3 && error == HK_AGAIN; tries++) {
        struct hk_link *link = NULL;
        error = hk_link_open(&link, batch->core->client);
        if (error == HK_OK) {
            fill_request(batch, exchange);
            error = hk_link_call(link, exchange);
        }
        if (error == HK_OK && exchange->answer.value[HK_F_POINTS].count == batch->count) {
            error = check_proofs(batch, exchange, hk_link_handshake(link));
        }
        hk_link_close(link);
    }
    return error == HK_AGAIN ? HK_UNREACHABLE : error;
}

static enum hk_error ask(struct batch *batch, struct hk_exchange *exchange)
{
    enum hk_error error;
    if (batch->prove) {
        error = ask_with_proof(batch, exchange);
    } else {
        fill_request(batch, exchange);
        error = hk_client_call(batch->core->client, exchange);
    }
    const struct hk_value *answers = &exchange->answer.value[HK_F_POINTS];
    if (error == HK_OK && answers->count != batch->count) {
        error = HK_BAD_PEER;
    }
    for (size_t i = 0; error == HK_OK && i < batch->count; i++) {
        error = answers->items[i].size == batch->point_bytes ? HK_OK : HK_BAD_PEER;
    }
    return error;
}

/* The shared secrets, one after the other at `results`, in the places of their points. */
static enum hk_error combine(struct hk_op_call *call, const struct batch *batch,
                             const struct hk_exchange *exchange, const struct hk_bytes *points,
                             uint8_t *results)
{
    for (size_t i = 0; i < batch->count; i++) {
        const uint8_t *answer = exchange->answer.value[HK_F_POINTS].items[i].data;
        if (batch->again[i] && memcmp(batch->first[i], answer, batch->point_bytes) != 0) {
            return hk_op_fail(call, HK_BAD_PROOF,
                              "the service gave a wrong answer before: it has now proved another one");
        }
        if (hk_agree_finish(results + batch->place[i] * batch->input_bytes, &batch->open[i], &batch->part,
                            answer) != HK_OK) {
            return hk_op_fail(call, HK_BAD_PEER, "the service answered with a point that is not valid");
        }
        hk_masks_remember(batch->core->masks, &batch->service_point, points[batch->place[i]].data,
                          &batch->open[i], answer);
    }
    return HK_OK;
}

/* At most HK_AGREE_POINTS_MAX points with one key; results are added to the answer. */
static enum hk_error agree_batch(struct hk_op_call *call, struct batch *batch, const struct hk_bytes *points,
                                 size_t count)
{
    size_t size = batch->input_bytes;
    uint8_t *results = hk_op_memory(call, count * size);
    bool refused[HK_AGREE_POINTS_MAX] = {false};
    enum hk_error error = results != NULL ? HK_OK : HK_NO_MEMORY;
    batch->count = 0;
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        error = open_point(batch, points[i].data, i);
        refused[i] = error == HK_BAD_POINT;
        error = refused[i] ? HK_OK : error;
    }
    struct hk_exchange *exchange = NULL;
    if (error == HK_OK && batch->count > 0) {
        error = hk_exchange_new(&exchange, batch->core->client);
        if (error == HK_OK) {
            error = ask(batch, exchange);
        }
        if (error == HK_OK) {
            error = combine(call, batch, exchange, points, results);
        }
        hk_exchange_free(batch->core->client, exchange);
    }
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        bool added = hk_agent_add(call->answer, HK_A_RESULTS, results + i * size, refused[i] ? 0 : size);
        error = added ? HK_OK : HK_TOO_LARGE;
    }
    return error;
}

static enum hk_error agree_with_key(struct hk_op_call *call, struct batch *batch,
                                    const struct hk_state_key *key)
{
    const struct hk_value *points = &call->request->value[HK_A_POINTS];
    batch->key = key;
    batch->agreement = hk_suite_by_id(key->suite)->agreement;
    batch->point_bytes = batch->agreement->group->point_bytes;
    batch->input_bytes = batch->agreement->input_bytes;
    for (size_t i = 0; i < points->count; i++) {
        if (points->items[i].size != batch->input_bytes) {
            return hk_op_fail(call, HK_BAD_POINT, "the key '%s' agrees with points of %zu bytes, not %zu",
                              key->name, batch->input_bytes, points->items[i].size);
        }
    }
    hk_agree_part(batch->agreement, &batch->part, &key->half);
    bool known =
        hk_masks_decoded(batch->core->masks, batch->agreement, key->service_point, &batch->service_point);
    enum hk_error error =
        known ? HK_OK : batch->agreement->group->point_decode(&batch->service_point, key->service_point);
    if (error == HK_OK && !hk_agent_add(call->answer, HK_A_KEYS, key->name, strlen(key->name))) {
        error = HK_TOO_LARGE;
    }
    for (size_t done = 0; done < points->count && error == HK_OK; done += HK_AGREE_POINTS_MAX) {
        size_t left = points->count - done;
        error = agree_batch(call, batch, points->items + done,
                            left < HK_AGREE_POINTS_MAX ? left : HK_AGREE_POINTS_MAX);
    }
    return error;
}

/* Keys for points of this length: those that are asked when none is named. */
static bool agrees_with(const struct hk_state_key *key, size_t size)
{
    const struct hk_agreement *agreement = hk_suite_by_id(key->suite)->agreement;
    return key->state == HK_KEY_ACTIVE && agreement != NULL && agreement->input_bytes == size;
}

/* One named key, or every key that can agree. */
static enum hk_error agree_with_keys(struct hk_op_call *call, struct batch *batch)
{
    struct hk_state *state = batch->core->state;
    char name[HK_NAME_MAX + 1];
    hk_agent_text(call->request, HK_A_KEY, name, sizeof(name));
    if (hk_agent_has(call->request, HK_A_KEY)) {
        const struct hk_state_key *key = hk_state_key_by_name(state, name);
        if (key == NULL || key->state != HK_KEY_ACTIVE) {
            return hk_op_no_key(call, name);
        }
        return key->purpose == HK_PURPOSE_AGREE
                   ? agree_with_key(call, batch, key)
                   : hk_op_fail(call, HK_WRONG_PURPOSE, "the key '%s' is not for key agreement", name);
    }
    const struct hk_value *points = &call->request->value[HK_A_POINTS];
    size_t size = points->count != 0 ? points->items[0].size : HK_X25519_BYTES;
    enum hk_error error = HK_OK;
    bool any = false;
    for (size_t i = 0; i < state->key_count && error == HK_OK; i++) {
        if (agrees_with(&state->key[i], size)) {
            any = true;
            error = agree_with_key(call, batch, &state->key[i]);
        }
    }
    return error != HK_OK || any
               ? error
               : hk_op_fail(call, HK_UNKNOWN_KEY, "there is no key on this device for these points");
}

/* Locking and guarding fresh pages costs as much as an agreement: one batch, wiped, is kept for the next. */
static _Atomic(struct batch *) spare;

static struct batch *batch_take(void)
{
    struct batch *batch = atomic_exchange(&spare, NULL);
    return batch != NULL ? batch : hk_secret_new(sizeof(*batch));
}

static void batch_give(struct batch *batch)
{
    hk_wipe(batch, sizeof(*batch));
    hk_secret_free(atomic_exchange(&spare, batch));
}

/* The gate is shared here: several threads may come first. */
static enum hk_error need_masks(struct hk_core *core)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    enum hk_error error = core->masks != NULL ? HK_OK : hk_masks_new(&core->masks);
    pthread_mutex_unlock(&lock);
    return error;
}

enum hk_error hk_op_agree(struct hk_op_call *call)
{
    enum hk_error error = need_masks(call->core);
    if (error != HK_OK) {
        return error;
    }
    struct batch *batch = batch_take();
    if (batch == NULL) {
        return HK_NO_MEMORY;
    }
    batch->core = call->core;
    batch->prove = hk_agent_u64(call->request, HK_A_PROVE) != 0;
    error = agree_with_keys(call, batch);
    if (error == HK_OK) {
        hk_refresh_count_use(call->core->state);
    }
    batch_give(batch);
    return error;
}

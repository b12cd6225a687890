#include "crypto/recovery.h"

#include <string.h>

#include "crypto/secret.h"

static void name_holder(struct hk_holder *holder, const uint8_t *name, size_t size, uint64_t index)
{
    memset(holder, 0, sizeof(*holder));
    memcpy(holder->name, name, size);
    holder->index = index;
}

static enum hk_error plan_set(struct hk_plan *plan, const struct hk_recovery_key *key)
{
    const struct hk_group *group = key->suite->group;
    memset(plan, 0, sizeof(*plan));
    if (key->count < 1 || key->count > HK_HOLDERS_MAX) {
        return HK_BAD_ENCODING;
    }
    plan->group = group;
    memcpy(plan->public_key, key->public_key, group->point_bytes);
    plan->sharing = HK_SHARING_THRESHOLD;
    plan->threshold = key->threshold;
    plan->epoch = key->epoch;
    plan->old_count = 2;
    name_holder(&plan->old_holders[HK_OF_DEVICE], key->device, 16, 0);
    name_holder(&plan->old_holders[HK_OF_SERVICE], key->service_key, 32, 0);
    plan->new_count = key->count;
    for (size_t i = 0; i < key->count; i++) {
        name_holder(&plan->new_holders[i], key->holders[i], 32, i + 1);
    }
    return hk_plan_check(plan);
}

enum hk_error hk_recovery_deal(struct hk_dealing *dealing, struct hk_scalar *subshares,
                               const struct hk_recovery_key *key, const struct hk_scalar *half)
{
    struct hk_plan plan;
    enum hk_error error = plan_set(&plan, key);
    return error == HK_OK ? hk_redistribute_deal(dealing, subshares, &plan, half) : error;
}

/* Alone, since the other dealing may not be there yet: as the one old holder of a key whose X is the point.
 */
enum hk_error hk_recovery_check(const struct hk_recovery_key *key, const struct hk_dealing *dealing,
                                const struct hk_point *point)
{
    struct hk_plan plan;
    enum hk_error error = plan_set(&plan, key);
    if (error != HK_OK) {
        return error;
    }
    plan.old_count = 1;
    memcpy(plan.public_key, point->bytes, key->suite->group->point_bytes);
    return hk_redistribute_check(&plan, dealing, point);
}

enum hk_error hk_recovery_transcript(uint8_t transcript[HK_NAME_BYTES], const struct hk_recovery_key *key,
                                     const struct hk_dealing dealings[2])
{
    struct hk_plan plan;
    uint8_t context[HK_NAME_BYTES], suite[8] = {0};
    enum hk_error error = plan_set(&plan, key);
    if (error != HK_OK) {
        return error;
    }
    suite[7] = (uint8_t)key->suite->id;
    hk_hash_name(context, "recovery/key", 3,
                 (struct hk_bytes[]){HK_BYTES(key->set, 16), HK_BYTES(key->id, 16), HK_BYTES(suite, 8)});
    return hk_redistribute_transcript(transcript, &plan, dealings, context);
}

/* The constant terms: what the two dealers have shared, once both dealings are known to be of this set. */
static enum hk_error constant_terms(struct hk_point terms[2], const struct hk_group *group,
                                    const struct hk_dealing dealings[2])
{
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < 2 && error == HK_OK; i++) {
        error = dealings[i].count > 0 ? group->point_decode(&terms[i], dealings[i].commitments[0])
                                      : HK_BAD_ENCODING;
    }
    return error;
}

enum hk_error hk_recovery_receive(struct hk_scalar *share, const struct hk_recovery_key *key, size_t place,
                                  const struct hk_dealing dealings[2], const struct hk_scalar subshares[2])
{
    struct hk_plan plan;
    struct hk_point terms[2];
    enum hk_error error = plan_set(&plan, key);
    if (error == HK_OK) {
        error = constant_terms(terms, plan.group, dealings);
    }
    return error == HK_OK ? hk_redistribute_receive(share, &plan, place, dealings, terms, subshares) : error;
}

/* ---- recovering ---- */

static enum hk_error plan_run(struct hk_plan *plan, const struct hk_recovery_key *key,
                              const struct hk_recover_run *run)
{
    const struct hk_group *group = key->suite->group;
    memset(plan, 0, sizeof(*plan));
    if (run->count != key->threshold || run->count < 1 || run->count > HK_HOLDERS_MAX ||
        key->count > HK_HOLDERS_MAX) {
        return HK_BAD_ENCODING;
    }
    plan->group = group;
    memcpy(plan->public_key, key->public_key, group->point_bytes);
    plan->sharing = HK_SHARING_ADDITIVE;
    plan->threshold = plan->new_count = 2;
    name_holder(&plan->new_holders[HK_OF_DEVICE], run->device, 16, 0);
    name_holder(&plan->new_holders[HK_OF_SERVICE], run->service_key, 32, 0);
    plan->old_count = run->count;
    for (size_t i = 0; i < run->count; i++) {
        if (run->index[i] < 1 || run->index[i] > key->count) {
            return HK_BAD_ENCODING;
        }
        name_holder(&plan->old_holders[i], key->holders[run->index[i] - 1], 32, run->index[i]);
    }
    return hk_plan_check(plan);
}

enum hk_error hk_recover_give(struct hk_dealing *dealing, struct hk_scalar subshares[2],
                              const struct hk_recovery_key *key, const struct hk_recover_run *run,
                              size_t which, const struct hk_scalar *share)
{
    struct hk_plan plan;
    struct hk_scalar contribution;
    HK_WIPE_AT_EXIT(contribution);
    enum hk_error error = plan_run(&plan, key, run);
    if (error == HK_OK) {
        error = hk_shamir_contribution(&contribution, plan.group, run->index, run->count, which, share);
    }
    return error == HK_OK ? hk_redistribute_deal(dealing, subshares, &plan, &contribution) : error;
}

/* W_j = [lambda_j]X_j of every holder that takes part, from the commitments of the set. */
static enum hk_error contributions(struct hk_point *out, const struct hk_recovery_key *key,
                                   const struct hk_recover_run *run, const struct hk_dealing set_dealings[2])
{
    struct hk_plan set;
    struct hk_point share;
    enum hk_error error = plan_set(&set, key);
    for (size_t i = 0; i < run->count && error == HK_OK; i++) {
        error = hk_redistribute_point(&share, &set, (size_t)run->index[i] - 1, set_dealings);
        if (error == HK_OK) {
            error = hk_shamir_contribution_point(&out[i], set.group, run->index, run->count, i, &share);
        }
    }
    return error;
}

/* The first holder whose commitments or sub-share do not fit, each looked at as if it were alone. */
static size_t find_guilty(const struct hk_plan *plan, const struct hk_point *points,
                          enum hk_recovery_side side, const struct hk_dealing *dealings,
                          const struct hk_scalar *subshares)
{
    for (size_t i = 0; i < plan->old_count; i++) {
        struct hk_plan alone = *plan;
        struct hk_scalar half;
        HK_WIPE_AT_EXIT(half);
        alone.old_count = 1;
        alone.old_holders[0] = plan->old_holders[i];
        memcpy(alone.public_key, points[i].bytes, plan->group->point_bytes);
        if (hk_redistribute_receive(&half, &alone, (size_t)side, &dealings[i], &points[i], &subshares[i]) !=
            HK_OK) {
            return i;
        }
    }
    return plan->old_count;
}

enum hk_error hk_recover_take(struct hk_scalar *half, struct hk_point *other,
                              const struct hk_recovery_key *key, const struct hk_recover_run *run,
                              enum hk_recovery_side side, const struct hk_dealing set_dealings[2],
                              const struct hk_dealing *dealings, const struct hk_scalar *subshares,
                              size_t *guilty)
{
    struct hk_plan plan;
    struct hk_point points[HK_HOLDERS_MAX], point;
    struct hk_scalar sum;
    HK_WIPE_AT_EXIT(sum);
    enum hk_error error = plan_run(&plan, key, run);
    *guilty = run->count;
    if (error == HK_OK) {
        error = contributions(points, key, run, set_dealings);
    }
    if (error != HK_OK) {
        return error;
    }
    error = hk_redistribute_receive(&sum, &plan, (size_t)side, dealings, points, subshares);
    if (error != HK_OK && error != HK_AGAIN) {
        *guilty = find_guilty(&plan, points, side, dealings, subshares);
    }
    if (error == HK_OK) {
        error = hk_redistribute_point(&point, &plan, side == HK_OF_DEVICE ? HK_OF_SERVICE : HK_OF_DEVICE,
                                      dealings);
    }
    if (error == HK_OK) {
        *half = sum;
        *other = point;
    }
    return error;
}

enum hk_error hk_recover_key_transcript(uint8_t transcript[HK_NAME_BYTES], const struct hk_recovery_key *key,
                                        const struct hk_recover_run *run, const struct hk_dealing *dealings)
{
    struct hk_plan plan;
    uint8_t context[HK_NAME_BYTES];
    enum hk_error error = plan_run(&plan, key, run);
    if (error != HK_OK) {
        return error;
    }
    hk_hash_name(
        context, "recover/key", 3,
        (struct hk_bytes[]){HK_BYTES(run->request, 32), HK_BYTES(key->set, 16), HK_BYTES(key->id, 16)});
    return hk_redistribute_transcript(transcript, &plan, dealings, context);
}

static void proof_transcript(uint8_t out[HK_NAME_BYTES], const uint8_t *transcript, const uint8_t *key_id)
{
    hk_hash_name(out, "recover/proof", 2,
                 (struct hk_bytes[]){HK_BYTES(transcript, HK_NAME_BYTES), HK_BYTES(key_id, 16)});
}

void hk_recover_prove(uint8_t *proof, const struct hk_group *group, const uint8_t transcript[HK_NAME_BYTES],
                      const uint8_t key_id[16], const struct hk_scalar *half)
{
    uint8_t bound[HK_NAME_BYTES];
    struct hk_point point;
    proof_transcript(bound, transcript, key_id);
    group->base_mul(&point, half);
    hk_schnorr_prove(proof, group, bound, HK_PROVER_DEVICE, &point, half);
}

enum hk_error hk_recover_check(const struct hk_group *group, const uint8_t transcript[HK_NAME_BYTES],
                               const uint8_t key_id[16], const struct hk_point *device_point,
                               const uint8_t *proof)
{
    uint8_t bound[HK_NAME_BYTES];
    proof_transcript(bound, transcript, key_id);
    return hk_schnorr_verify(group, bound, HK_PROVER_DEVICE, device_point, proof);
}

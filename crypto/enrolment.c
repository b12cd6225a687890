#include "crypto/enrolment.h"

#include <string.h>

/* Places in the plan. */
enum { OLD_ADMINISTRATOR, OLD_SERVICE };
enum { NEW_DEVICE, NEW_SERVICE };

/* The plan of an enrolment without names, which only the transcript needs. */
static void plan_init(struct hk_plan *plan, const struct hk_group *group, const uint8_t *public_key)
{
    memset(plan, 0, sizeof(*plan));
    plan->group = group;
    memcpy(plan->public_key, public_key, group->point_bytes);
    plan->sharing = HK_SHARING_ADDITIVE;
    plan->threshold = plan->old_count = plan->new_count = 2;
    plan->old_holders[OLD_ADMINISTRATOR].name[0] = plan->new_holders[NEW_DEVICE].name[0] = 1;
    plan->old_holders[OLD_SERVICE].name[0] = plan->new_holders[NEW_SERVICE].name[0] = 2;
}

static void dealings_init(struct hk_dealing dealings[2], const struct hk_group *group,
                          const struct hk_enrol_commitments *administrator,
                          const struct hk_enrol_commitments *service)
{
    memset(dealings, 0, 2 * sizeof(*dealings));
    const struct hk_enrol_commitments *from[2] = {administrator, service};
    for (size_t i = 0; i < 2; i++) {
        dealings[i].count = 2;
        memcpy(dealings[i].commitments[NEW_DEVICE], from[i]->kept, group->point_bytes);
        memcpy(dealings[i].commitments[NEW_SERVICE], from[i]->passed, group->point_bytes);
    }
}

static void put_commitments(struct hk_enrol_commitments *out, const struct hk_group *group,
                            const struct hk_dealing *dealing)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->kept, dealing->commitments[NEW_DEVICE], group->point_bytes);
    memcpy(out->passed, dealing->commitments[NEW_SERVICE], group->point_bytes);
}

enum hk_error hk_enrol_split(struct hk_enrol_commitments *commitments, struct hk_scalar *kept,
                             struct hk_scalar *passed, const struct hk_group *group,
                             const uint8_t *public_key, const struct hk_scalar *half)
{
    struct hk_plan plan;
    struct hk_dealing dealing;
    struct hk_scalar subshares[2];
    HK_WIPE_AT_EXIT(subshares);
    plan_init(&plan, group, public_key);
    enum hk_error error = hk_redistribute_deal(&dealing, subshares, &plan, half);
    if (error != HK_OK) {
        return error;
    }
    put_commitments(commitments, group, &dealing);
    *kept = subshares[NEW_DEVICE];
    *passed = subshares[NEW_SERVICE];
    return HK_OK;
}

/* One try of the service's dealing; HK_AGAIN where d2 or s2 would be zero. */
static enum hk_error deal_once(struct hk_enrol_commitments *commitments, struct hk_scalar *given,
                               struct hk_scalar *new_half, const struct hk_plan *plan,
                               const struct hk_point *contributions, const struct hk_scalar *half,
                               const struct hk_enrol_commitments *administrator,
                               const struct hk_scalar *passed)
{
    struct hk_dealing own, dealings[2];
    struct hk_scalar subshares[2], received[2], share;
    struct hk_point device_point;
    HK_WIPE_AT_EXIT(subshares);
    HK_WIPE_AT_EXIT(received);
    HK_WIPE_AT_EXIT(share);
    enum hk_error error = hk_redistribute_deal(&own, subshares, plan, half);
    if (error != HK_OK) {
        return error;
    }
    struct hk_enrol_commitments mine;
    put_commitments(&mine, plan->group, &own);
    dealings_init(dealings, plan->group, administrator, &mine);
    received[OLD_ADMINISTRATOR] = *passed;
    received[OLD_SERVICE] = subshares[NEW_SERVICE];
    error = hk_redistribute_receive(&share, plan, NEW_SERVICE, dealings, contributions, received);
    if (error != HK_OK ||
        (error = hk_redistribute_point(&device_point, plan, NEW_DEVICE, dealings)) != HK_OK) {
        return error;
    }
    *commitments = mine;
    *given = subshares[NEW_DEVICE];
    *new_half = share;
    return HK_OK;
}

enum hk_error hk_enrol_deal(struct hk_enrol_commitments *commitments, struct hk_scalar *given,
                            struct hk_scalar *new_half, const struct hk_group *group,
                            const uint8_t *public_key, const struct hk_scalar *half,
                            const struct hk_enrol_commitments *administrator, const uint8_t *passed)
{
    struct hk_plan plan;
    struct hk_known known = {0};
    struct hk_scalar subshare;
    struct hk_point x, contributions[2];
    HK_WIPE_AT_EXIT(subshare);
    enum hk_error error = hk_scalar_decode_nonzero(group, &subshare, passed);
    if (error != HK_OK || (error = hk_known_decode(&known, group, &x, public_key)) != HK_OK) {
        return error;
    }
    plan_init(&plan, group, public_key);
    plan.known = &known;
    group->base_mul(&contributions[OLD_SERVICE], half);
    HK_PUBLIC(contributions[OLD_SERVICE]); /* S1 */
    group->point_sub(&contributions[OLD_ADMINISTRATOR], &x, &contributions[OLD_SERVICE]);
    do {
        error = deal_once(commitments, given, new_half, &plan, contributions, half, administrator, &subshare);
    } while (error == HK_AGAIN);
    return error;
}

enum hk_error hk_enrol_take(struct hk_scalar *new_half, struct hk_point *service_point,
                            const struct hk_group *group, const uint8_t *public_key,
                            const uint8_t *device_point, const struct hk_enrol_commitments *administrator,
                            const uint8_t *kept, const struct hk_enrol_commitments *service,
                            const uint8_t *given)
{
    struct hk_plan plan;
    struct hk_known known = {0};
    struct hk_dealing dealings[2];
    struct hk_scalar received[2], share;
    struct hk_point x, contributions[2], other;
    HK_WIPE_AT_EXIT(received);
    HK_WIPE_AT_EXIT(share);
    enum hk_error error;
    if ((error = hk_scalar_decode_nonzero(group, &received[OLD_ADMINISTRATOR], kept)) != HK_OK ||
        (error = hk_scalar_decode_nonzero(group, &received[OLD_SERVICE], given)) != HK_OK ||
        (error = hk_known_decode(&known, group, &x, public_key)) != HK_OK ||
        (error = hk_known_decode(&known, group, &contributions[OLD_ADMINISTRATOR], device_point)) != HK_OK) {
        return error;
    }
    plan_init(&plan, group, public_key);
    plan.known = &known;
    group->point_sub(&contributions[OLD_SERVICE], &x, &contributions[OLD_ADMINISTRATOR]);
    dealings_init(dealings, group, administrator, service);
    error = hk_redistribute_receive(&share, &plan, NEW_DEVICE, dealings, contributions, received);
    if (error != HK_OK || (error = hk_redistribute_point(&other, &plan, NEW_SERVICE, dealings)) != HK_OK) {
        return error;
    }
    *new_half = share;
    if (service_point != NULL) {
        *service_point = other;
    }
    return HK_OK;
}

/* What a key's redistribution is for. */
static void context_of(uint8_t out[HK_NAME_BYTES], const struct hk_enrol_key *key)
{
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES];
    hk_hash_init(&hash, "enrol/key", 3);
    hk_hash_add(&hash, key->id, 16);
    hk_hash_add_u64(&hash, key->suite->id);
    hk_hash_add_u64(&hash, key->suite->purpose);
    hk_hash_final(&hash, digest);
    memcpy(out, digest, HK_NAME_BYTES);
}

/* The redistribution transcript of one key, with the real names. */
static enum hk_error key_transcript(uint8_t out[HK_NAME_BYTES], const struct hk_enrolment *enrolment,
                                    const struct hk_enrol_key *key)
{
    const struct hk_group *group = key->suite->group;
    struct hk_plan plan;
    struct hk_dealing dealings[2];
    uint8_t context[HK_NAME_BYTES];
    plan_init(&plan, group, key->public_key);
    plan.epoch = enrolment->epoch;
    struct hk_holder *old = plan.old_holders, *new = plan.new_holders;
    memset(old[OLD_ADMINISTRATOR].name, 0, HK_NAME_BYTES);
    memset(new[NEW_DEVICE].name, 0, HK_NAME_BYTES);
    memcpy(old[OLD_ADMINISTRATOR].name, enrolment->administrator, 16);
    memcpy(new[NEW_DEVICE].name, enrolment->device, 16);
    memcpy(old[OLD_SERVICE].name, enrolment->service_key, 32);
    memcpy(new[NEW_SERVICE].name, enrolment->service_key, 32);
    dealings_init(dealings, group, &key->administrator, &key->service);
    context_of(context, key);
    return hk_redistribute_transcript(out, &plan, dealings, context);
}

enum hk_error hk_enrol_transcript(uint8_t transcript[HK_NAME_BYTES], const struct hk_enrolment *enrolment,
                                  const struct hk_enrol_key *keys, size_t count)
{
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES], part[HK_NAME_BYTES];
    hk_hash_init(&hash, "enrol", (uint32_t)(8 + count));
    hk_hash_add(&hash, enrolment->account, 64);
    hk_hash_add(&hash, enrolment->administrator, 16);
    hk_hash_add(&hash, enrolment->device, 16);
    hk_hash_add(&hash, enrolment->service_key, 32);
    hk_hash_add(&hash, enrolment->record, 32);
    hk_hash_add(&hash, enrolment->invitation, 32);
    hk_hash_add_u64(&hash, enrolment->epoch);
    hk_hash_add_u64(&hash, count);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && memcmp(keys[i - 1].id, keys[i].id, 16) >= 0) {
            return HK_BAD_ENCODING;
        }
        enum hk_error error = key_transcript(part, enrolment, &keys[i]);
        if (error != HK_OK) {
            return error;
        }
        hk_hash_add(&hash, part, sizeof(part));
    }
    hk_hash_final(&hash, digest);
    memcpy(transcript, digest, HK_NAME_BYTES);
    return HK_OK;
}

static void proof_transcript(uint8_t out[HK_NAME_BYTES], const uint8_t *transcript, const uint8_t *key_id)
{
    hk_hash_name(out, "enrol/proof", 2,
                 (struct hk_bytes[]){HK_BYTES(transcript, HK_NAME_BYTES), HK_BYTES(key_id, 16)});
}

void hk_enrol_prove(uint8_t *proof, const struct hk_group *group, const uint8_t transcript[HK_NAME_BYTES],
                    const uint8_t key_id[16], const struct hk_scalar *new_half)
{
    uint8_t bound[HK_NAME_BYTES];
    struct hk_point point;
    proof_transcript(bound, transcript, key_id);
    group->base_mul(&point, new_half);
    hk_schnorr_prove(proof, group, bound, HK_PROVER_DEVICE, &point, new_half);
}

enum hk_error hk_enrol_check(const struct hk_enrol_key *key, const uint8_t transcript[HK_NAME_BYTES],
                             const struct hk_scalar *new_half, const uint8_t *proof)
{
    const struct hk_group *group = key->suite->group;
    struct hk_point from_administrator, from_service, device_point, sum;
    uint8_t bound[HK_NAME_BYTES];
    enum hk_error error = group->point_decode(&from_administrator, key->administrator.kept);
    if (error != HK_OK || (error = group->point_decode(&from_service, key->service.kept)) != HK_OK) {
        return error;
    }
    group->point_add(&device_point, &from_administrator, &from_service);
    if (group->point_is_identity(&device_point)) {
        return HK_BAD_POINT;
    }
    group->base_mul(&sum, new_half);
    HK_PUBLIC(sum); /* S2 */
    group->point_add(&sum, &sum, &device_point);
    /* X, if this is its encoding, which then is a strict one */
    if (group->point_is_identity(&sum) || memcmp(sum.bytes, key->public_key, group->point_bytes) != 0) {
        return HK_BAD_PROOF;
    }
    proof_transcript(bound, transcript, key->id);
    return hk_schnorr_verify(group, bound, HK_PROVER_DEVICE, &device_point, proof);
}

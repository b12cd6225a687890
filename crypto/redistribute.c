#include "crypto/redistribute.h"

#include <string.h>

static size_t commitment_count(const struct hk_plan *plan)
{
    return plan->sharing == HK_SHARING_ADDITIVE ? plan->new_count : plan->threshold;
}

/* Indices of a Shamir sharing: non-zero and distinct mod n, so that no holder gets the secret itself and no
 * two get the same share. */
static bool indices_are_good(const struct hk_group *group, const uint64_t *indices, size_t count)
{
    struct hk_scalar a, b;
    for (size_t i = 0; i < count; i++) {
        group->scalar_set(&a, indices[i]);
        if (group->scalar_is_zero(&a)) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            group->scalar_set(&b, indices[j]);
            group->scalar_sub(&b, &b, &a);
            if (group->scalar_is_zero(&b)) {
                return false;
            }
        }
    }
    return true;
}

static bool names_are_distinct(const struct hk_holder *holders, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (memcmp(holders[i].name, holders[j].name, HK_NAME_BYTES) == 0) {
                return false;
            }
        }
    }
    return true;
}

static bool new_holders_are_good(const struct hk_plan *plan)
{
    uint64_t indices[HK_HOLDERS_MAX], all = 0;
    for (size_t i = 0; i < plan->new_count; i++) {
        indices[i] = plan->new_holders[i].index;
        all |= indices[i];
    }
    if (plan->sharing == HK_SHARING_ADDITIVE) {
        return plan->threshold == plan->new_count && all == 0;
    }
    return plan->sharing == HK_SHARING_THRESHOLD && plan->threshold >= 1 &&
           plan->threshold <= plan->new_count && indices_are_good(plan->group, indices, plan->new_count);
}

static bool rules_are_kept(const struct hk_plan *plan)
{
    return !(plan->old_count < 1 || plan->old_count > HK_HOLDERS_MAX || plan->new_count < 1 ||
             plan->new_count > HK_HOLDERS_MAX || !names_are_distinct(plan->old_holders, plan->old_count) ||
             !names_are_distinct(plan->new_holders, plan->new_count) || !new_holders_are_good(plan));
}

/* The plan's points, or those of this call. */
static struct hk_known *known_of(const struct hk_plan *plan, struct hk_known *own)
{
    own->count = 0;
    return plan->known != NULL ? plan->known : own;
}

static enum hk_error check_plan(const struct hk_plan *plan, struct hk_known *known,
                                struct hk_point *public_key)
{
    return rules_are_kept(plan) ? hk_known_decode(known, plan->group, public_key, plan->public_key)
                                : HK_BAD_ENCODING;
}

enum hk_error hk_plan_check(const struct hk_plan *plan)
{
    struct hk_known own;
    struct hk_point public_key;
    return check_plan(plan, known_of(plan, &own), &public_key);
}

/* value = coefficients[0] + coefficients[1]*i + ... */
static void evaluate(struct hk_scalar *value, const struct hk_group *group,
                     const struct hk_scalar *coefficients, size_t count, uint64_t index)
{
    struct hk_scalar i;
    group->scalar_set(&i, index);
    *value = coefficients[count - 1];
    for (size_t k = count - 1; k-- > 0;) {
        group->scalar_mul(value, value, &i);
        group->scalar_add(value, value, &coefficients[k]);
    }
}

/* Fills values[1..] at random and sets values[0] so that an additive split sums to `whole`. No value is zero:
 * its commitment would be the identity, which no decoder takes. */
static void split(struct hk_scalar *values, const struct hk_group *group, size_t count,
                  const struct hk_scalar *whole)
{
    do {
        values[0] = *whole;
        for (size_t i = 1; i < count; i++) {
            hk_scalar_random(group, &values[i]);
            group->scalar_sub(&values[0], &values[0], &values[i]);
        }
    } while (group->scalar_is_zero(&values[0]));
}

enum hk_error hk_redistribute_deal(struct hk_dealing *dealing, struct hk_scalar *subshares,
                                   const struct hk_plan *plan, const struct hk_scalar *contribution)
{
    const struct hk_group *group = plan->group;
    struct hk_scalar values[HK_HOLDERS_MAX];
    HK_WIPE_AT_EXIT(values);
    enum hk_error error = hk_plan_check(plan);
    if (error != HK_OK) {
        return error;
    }
    if (group->scalar_is_zero(contribution)) {
        return HK_BAD_SCALAR;
    }
    size_t count = commitment_count(plan);
    if (plan->sharing == HK_SHARING_ADDITIVE) {
        split(values, group, count, contribution);
        memcpy(subshares, values, count * sizeof(values[0]));
    } else {
        values[0] = *contribution;
        for (size_t k = 1; k < count; k++) {
            hk_scalar_random(group, &values[k]);
        }
        for (size_t j = 0; j < plan->new_count; j++) {
            evaluate(&subshares[j], group, values, count, plan->new_holders[j].index);
        }
    }
    memset(dealing, 0, sizeof(*dealing));
    dealing->count = count;
    for (size_t k = 0; k < count; k++) {
        struct hk_point point;
        group->base_mul(&point, &values[k]);
        HK_PUBLIC(point); /* is published */
        memcpy(dealing->commitments[k], point.bytes, group->point_bytes);
        if (plan->known != NULL) {
            hk_known_add(plan->known, group, &point);
        }
    }
    return HK_OK;
}

/* Decodes one dealing: exactly as many commitments as there must be. */
static enum hk_error decode_dealing(struct hk_point points[HK_HOLDERS_MAX], const struct hk_plan *plan,
                                    const struct hk_dealing *dealing, struct hk_known *known)
{
    if (dealing->count != commitment_count(plan)) {
        return HK_BAD_ENCODING;
    }
    for (size_t k = 0; k < dealing->count; k++) {
        enum hk_error error = hk_known_decode(known, plan->group, &points[k], dealing->commitments[k]);
        if (error != HK_OK) {
            return error;
        }
    }
    return HK_OK;
}

/* The point of the sub-share that a dealing gives to a new holder. */
static void subshare_point(struct hk_point *out, const struct hk_plan *plan, const struct hk_point *points,
                           size_t receiver)
{
    const struct hk_group *group = plan->group;
    if (plan->sharing == HK_SHARING_ADDITIVE) {
        *out = points[receiver];
        return;
    }
    struct hk_scalar index;
    group->scalar_set(&index, plan->new_holders[receiver].index);
    *out = points[plan->threshold - 1];
    for (size_t k = plan->threshold - 1; k-- > 0;) {
        group->point_mul(out, &index, out);
        group->point_add(out, out, &points[k]);
    }
}

/* What a dealing claims to split. */
static void dealt_point(struct hk_point *out, const struct hk_plan *plan, const struct hk_point *points)
{
    *out = points[0];
    for (size_t k = 1; plan->sharing == HK_SHARING_ADDITIVE && k < plan->new_count; k++) {
        plan->group->point_add(out, out, &points[k]);
    }
}

static enum hk_error check_dealings(const struct hk_plan *plan, const struct hk_dealing *dealings,
                                    const struct hk_point *contributions, struct hk_known *known)
{
    const struct hk_group *group = plan->group;
    struct hk_point points[HK_HOLDERS_MAX], dealt, sum, public_key;
    enum hk_error error = check_plan(plan, known, &public_key);
    for (size_t i = 0; error == HK_OK && i < plan->old_count; i++) {
        error = decode_dealing(points, plan, &dealings[i], known);
        if (error != HK_OK) {
            break;
        }
        dealt_point(&dealt, plan, points);
        if (group->point_is_identity(&contributions[i]) ||
            !hk_point_equal(group, &dealt, &contributions[i])) {
            return HK_BAD_PROOF;
        }
        if (i == 0) {
            sum = contributions[0];
        } else {
            group->point_add(&sum, &sum, &contributions[i]);
        }
    }
    if (error == HK_OK && !hk_point_equal(group, &sum, &public_key)) {
        error = HK_BAD_PROOF;
    }
    return error;
}

enum hk_error hk_redistribute_check(const struct hk_plan *plan, const struct hk_dealing *dealings,
                                    const struct hk_point *contributions)
{
    struct hk_known own;
    return check_dealings(plan, dealings, contributions, known_of(plan, &own));
}

/* The points that an honest additive dealing has, from what was given: [u]B for the receiver, and what is
 * missing of W for the other one of two. What was sent is then compared with them and needs no decoding of
 * its own. */
static void expect_points(const struct hk_plan *plan, const struct hk_point *given,
                          const struct hk_point *contributions, struct hk_known *known)
{
    struct hk_point other;
    if (plan->sharing != HK_SHARING_ADDITIVE) {
        return;
    }
    for (size_t i = 0; i < plan->old_count; i++) {
        hk_known_add(known, plan->group, &given[i]);
        if (plan->new_count == 2) {
            plan->group->point_sub(&other, &contributions[i], &given[i]);
            hk_known_add(known, plan->group, &other);
        }
    }
}

enum hk_error hk_redistribute_receive(struct hk_scalar *share, const struct hk_plan *plan, size_t receiver,
                                      const struct hk_dealing *dealings, const struct hk_point *contributions,
                                      const struct hk_scalar *subshares)
{
    const struct hk_group *group = plan->group;
    struct hk_scalar sum;
    struct hk_point points[HK_HOLDERS_MAX], committed, given[HK_HOLDERS_MAX];
    struct hk_known own, *known = known_of(plan, &own);
    HK_WIPE_AT_EXIT(sum);
    if (!rules_are_kept(plan)) {
        return HK_BAD_ENCODING;
    }
    for (size_t i = 0; i < plan->old_count; i++) {
        group->base_mul(&given[i], &subshares[i]);
        HK_PUBLIC(given[i]); /* what was committed to, or the dealer lies */
    }
    expect_points(plan, given, contributions, known);
    enum hk_error error = check_dealings(plan, dealings, contributions, known);
    if (error != HK_OK) {
        return error;
    }
    if (receiver >= plan->new_count) {
        return HK_NOT_FOUND;
    }
    group->scalar_set(&sum, 0);
    for (size_t i = 0; i < plan->old_count; i++) {
        if ((error = decode_dealing(points, plan, &dealings[i], known)) != HK_OK) {
            return error;
        }
        subshare_point(&committed, plan, points, receiver);
        if (!hk_point_equal(group, &committed, &given[i])) {
            return HK_BAD_PROOF;
        }
        group->scalar_add(&sum, &sum, &subshares[i]);
    }
    if (group->scalar_is_zero(&sum)) {
        return HK_AGAIN;
    }
    *share = sum;
    return HK_OK;
}

enum hk_error hk_redistribute_point(struct hk_point *point, const struct hk_plan *plan, size_t receiver,
                                    const struct hk_dealing *dealings)
{
    const struct hk_group *group = plan->group;
    struct hk_point points[HK_HOLDERS_MAX], part, sum;
    struct hk_known own, *known = known_of(plan, &own);
    enum hk_error error = check_plan(plan, known, &part);
    if (error != HK_OK) {
        return error;
    }
    if (receiver >= plan->new_count) {
        return HK_NOT_FOUND;
    }
    for (size_t i = 0; i < plan->old_count; i++) {
        if ((error = decode_dealing(points, plan, &dealings[i], known)) != HK_OK) {
            return error;
        }
        subshare_point(&part, plan, points, receiver);
        if (i == 0) {
            sum = part;
        } else {
            group->point_add(&sum, &sum, &part);
        }
    }
    if (group->point_is_identity(&sum)) {
        return HK_AGAIN;
    }
    *point = sum;
    return HK_OK;
}

static void hash_holders(struct hk_hash *hash, const struct hk_holder *holders, size_t count)
{
    hk_hash_add_u64(hash, count);
    for (size_t i = 0; i < count; i++) {
        hk_hash_add(hash, holders[i].name, HK_NAME_BYTES);
        hk_hash_add_u64(hash, holders[i].index);
    }
}

enum hk_error hk_redistribute_transcript(uint8_t transcript[HK_NAME_BYTES], const struct hk_plan *plan,
                                         const struct hk_dealing *dealings,
                                         const uint8_t context[HK_NAME_BYTES])
{
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES];
    if (!rules_are_kept(plan)) {
        return HK_BAD_ENCODING;
    }
    size_t count = commitment_count(plan);
    for (size_t i = 0; i < plan->old_count; i++) {
        if (dealings[i].count != count) {
            return HK_BAD_ENCODING;
        }
    }
    hk_hash_init(&hash, "redistribute",
                 (uint32_t)(8 + 2 * plan->old_count + 2 * plan->new_count + plan->old_count * (1 + count)));
    hk_hash_add(&hash, context, HK_NAME_BYTES);
    hk_hash_add(&hash, plan->group->name, strlen(plan->group->name));
    hk_hash_add(&hash, plan->public_key, plan->group->point_bytes);
    hk_hash_add_u64(&hash, plan->sharing);
    hk_hash_add_u64(&hash, plan->threshold);
    hk_hash_add_u64(&hash, plan->epoch);
    hash_holders(&hash, plan->old_holders, plan->old_count);
    hash_holders(&hash, plan->new_holders, plan->new_count);
    for (size_t i = 0; i < plan->old_count; i++) {
        hk_hash_add_u64(&hash, count);
        for (size_t k = 0; k < count; k++) {
            hk_hash_add(&hash, dealings[i].commitments[k], plan->group->point_bytes);
        }
    }
    hk_hash_final(&hash, digest);
    memcpy(transcript, digest, HK_NAME_BYTES);
    return HK_OK;
}

enum hk_error hk_lagrange(struct hk_scalar *out, const struct hk_group *group, const uint64_t *indices,
                          size_t count, size_t which)
{
    struct hk_scalar top, bottom, mine, other;
    if (which >= count || !indices_are_good(group, indices, count)) {
        return HK_BAD_ENCODING;
    }
    group->scalar_set(&top, 1);
    group->scalar_set(&bottom, 1);
    group->scalar_set(&mine, indices[which]);
    for (size_t j = 0; j < count; j++) {
        if (j == which) {
            continue;
        }
        group->scalar_set(&other, indices[j]);
        group->scalar_mul(&top, &top, &other);
        group->scalar_sub(&other, &other, &mine);
        group->scalar_mul(&bottom, &bottom, &other);
    }
    group->scalar_invert(&bottom, &bottom);
    group->scalar_mul(out, &top, &bottom);
    return HK_OK;
}

enum hk_error hk_shamir_contribution(struct hk_scalar *out, const struct hk_group *group,
                                     const uint64_t *indices, size_t count, size_t which,
                                     const struct hk_scalar *share)
{
    struct hk_scalar lambda;
    enum hk_error error = hk_lagrange(&lambda, group, indices, count, which);
    if (error == HK_OK) {
        group->scalar_mul(out, &lambda, share);
    }
    return error;
}

enum hk_error hk_shamir_contribution_point(struct hk_point *out, const struct hk_group *group,
                                           const uint64_t *indices, size_t count, size_t which,
                                           const struct hk_point *share)
{
    struct hk_scalar lambda;
    enum hk_error error = hk_lagrange(&lambda, group, indices, count, which);
    if (error == HK_OK) {
        group->point_mul(out, &lambda, share);
    }
    return error;
}

enum hk_error hk_shamir_combine(struct hk_point *out, const struct hk_group *group, const uint64_t *indices,
                                const struct hk_point *shares, size_t count)
{
    struct hk_point sum, part;
    group->point_identity(&sum);
    for (size_t i = 0; i < count; i++) {
        enum hk_error error = hk_shamir_contribution_point(&part, group, indices, count, i, &shares[i]);
        if (error != HK_OK) {
            return error;
        }
        group->point_add(&sum, &sum, &part);
    }
    *out = sum;
    return HK_OK;
}

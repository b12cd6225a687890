/* Redistribution: whatever the holders, x stays x; a dealer that lies, and a plan that leaks, are refused. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/random.h"
#include "crypto/redistribute.h"
#include "tests/support/chosen_random.h"
#include "tests/support/groups.h"
#include "tests/support/toy_group.h"

#define TOY (&hk_toy_group)

static const struct hk_group *curve; /* each one that ships, in turn */

/* All that happens between old and new holders. */
struct run {
    struct hk_plan plan;
    struct hk_scalar contributions[HK_HOLDERS_MAX];
    struct hk_point points[HK_HOLDERS_MAX];                     /* W_i */
    struct hk_dealing dealings[HK_HOLDERS_MAX];                 /* of old holder i */
    struct hk_scalar subshares[HK_HOLDERS_MAX][HK_HOLDERS_MAX]; /* of old holder i for new holder j */
    struct hk_scalar received[HK_HOLDERS_MAX][HK_HOLDERS_MAX];  /* the same, turned around */
    struct hk_scalar shares[HK_HOLDERS_MAX];                    /* of new holder j */
};

static void plan_init(struct hk_plan *plan, const struct hk_group *group, size_t old_count, size_t new_count,
                      size_t threshold)
{
    memset(plan, 0, sizeof(*plan));
    plan->group = group;
    plan->sharing = threshold == 0 ? HK_SHARING_ADDITIVE : HK_SHARING_THRESHOLD;
    plan->threshold = threshold == 0 ? new_count : threshold;
    plan->old_count = old_count;
    plan->new_count = new_count;
    plan->epoch = 5;
    for (size_t i = 0; i < HK_HOLDERS_MAX; i++) {
        plan->old_holders[i].name[0] = (uint8_t)(1 + i);
        plan->new_holders[i].name[0] = (uint8_t)(101 + i);
        plan->new_holders[i].index = threshold == 0 ? 0 : 1 + i;
    }
}

/* X and W_i from the contributions; false if X is the identity. */
static bool publish(struct run *run)
{
    const struct hk_group *group = run->plan.group;
    struct hk_point sum;
    group->point_identity(&sum);
    for (size_t i = 0; i < run->plan.old_count; i++) {
        group->base_mul(&run->points[i], &run->contributions[i]);
        group->point_add(&sum, &sum, &run->points[i]);
    }
    memcpy(run->plan.public_key, sum.bytes, group->point_bytes);
    return !group->point_is_identity(&sum);
}

static void deal(struct run *run)
{
    for (size_t i = 0; i < run->plan.old_count; i++) {
        assert_int_equal(
            hk_redistribute_deal(&run->dealings[i], run->subshares[i], &run->plan, &run->contributions[i]),
            HK_OK);
        for (size_t j = 0; j < run->plan.new_count; j++) {
            run->received[j][i] = run->subshares[i][j];
        }
    }
}

static void begin(struct run *run, const struct hk_group *group, size_t old_count, size_t new_count,
                  size_t threshold)
{
    memset(run, 0, sizeof(*run));
    plan_init(&run->plan, group, old_count, new_count, threshold);
    do {
        for (size_t i = 0; i < old_count; i++) {
            hk_scalar_random(group, &run->contributions[i]);
        }
    } while (!publish(run));
    deal(run);
}

static enum hk_error receive(struct run *run, size_t j)
{
    return hk_redistribute_receive(&run->shares[j], &run->plan, j, run->dealings, run->points,
                                   run->received[j]);
}

static void receive_all(struct run *run)
{
    for (size_t j = 0; j < run->plan.new_count; j++) {
        struct hk_point expected, got;
        assert_int_equal(receive(run, j), HK_OK);
        run->plan.group->base_mul(&expected, &run->shares[j]);
        assert_int_equal(hk_redistribute_point(&got, &run->plan, j, run->dealings), HK_OK);
        assert_true(hk_point_equal(run->plan.group, &expected, &got));
    }
}

static void additive_shares_add_up_to_the_same_key(void **state)
{
    (void)state;
    for (size_t old_count = 1; old_count <= 3; old_count++) {
        for (size_t new_count = 1; new_count <= 3; new_count++) {
            struct run run;
            struct hk_scalar sum;
            struct hk_point point;
            begin(&run, curve, old_count, new_count, 0);
            receive_all(&run);
            curve->scalar_set(&sum, 0);
            for (size_t j = 0; j < new_count; j++) {
                curve->scalar_add(&sum, &sum, &run.shares[j]);
            }
            curve->base_mul(&point, &sum);
            assert_memory_equal(point.bytes, run.plan.public_key, curve->point_bytes);
        }
    }
}

/* Any t of the new holders, and their points, give X; fewer do not. */
static void any_t_holders_reconstruct_in_the_exponent(void **state)
{
    (void)state;
    struct run run;
    begin(&run, curve, 2, 4, 3);
    receive_all(&run);
    for (unsigned set = 1; set < 16; set++) {
        uint64_t indices[4];
        struct hk_point points[4], x;
        size_t count = 0;
        for (size_t j = 0; j < 4; j++) {
            if (set >> j & 1) {
                indices[count] = run.plan.new_holders[j].index;
                curve->base_mul(&points[count++], &run.shares[j]);
            }
        }
        assert_int_equal(hk_shamir_combine(&x, curve, indices, points, count), HK_OK);
        assert_int_equal(memcmp(x.bytes, run.plan.public_key, curve->point_bytes) == 0, count >= 3);
    }
}

/* Recovery: threshold holders are the old ones of the next redistribution. */
static void threshold_holders_hand_on_to_a_device_and_a_service(void **state)
{
    (void)state;
    struct run first, second;
    begin(&first, curve, 2, 5, 3);
    receive_all(&first);
    static const size_t who[3] = {4, 0, 2};
    uint64_t indices[3];
    for (size_t i = 0; i < 3; i++) {
        indices[i] = first.plan.new_holders[who[i]].index;
    }
    memset(&second, 0, sizeof(second));
    plan_init(&second.plan, curve, 3, 2, 0);
    memcpy(second.plan.public_key, first.plan.public_key, curve->point_bytes);
    for (size_t i = 0; i < 3; i++) {
        struct hk_point public_point;
        assert_int_equal(
            hk_shamir_contribution(&second.contributions[i], curve, indices, 3, i, &first.shares[who[i]]),
            HK_OK);
        assert_int_equal(hk_redistribute_point(&public_point, &first.plan, who[i], first.dealings), HK_OK);
        assert_int_equal(hk_shamir_contribution_point(&second.points[i], curve, indices, 3, i, &public_point),
                         HK_OK);
    }
    deal(&second);
    receive_all(&second);
    struct hk_scalar x;
    struct hk_point point;
    curve->scalar_add(&x, &second.shares[0], &second.shares[1]);
    curve->base_mul(&point, &x);
    assert_memory_equal(point.bytes, first.plan.public_key, curve->point_bytes);
}

/* attacks.md 4, for both kinds of sharing. */
static void subshare_that_does_not_match_is_refused(void **state)
{
    (void)state;
    for (size_t threshold = 0; threshold <= 2; threshold += 2) {
        struct run run;
        struct hk_scalar one, kept;
        begin(&run, curve, 2, 3, threshold);
        curve->scalar_set(&one, 1);
        kept = run.received[1][0];
        curve->scalar_add(&run.received[1][0], &kept, &one);
        assert_int_equal(receive(&run, 1), HK_BAD_PROOF);
        run.received[1][0] = run.received[2][0]; /* another holder's */
        assert_int_equal(receive(&run, 1), HK_BAD_PROOF);
        assert_true(hk_is_zero(&run.shares[1], sizeof(run.shares[1])));
        run.received[1][0] = kept;
        assert_int_equal(receive(&run, 1), HK_OK);
        assert_int_equal(receive(&run, 3), HK_NOT_FOUND);
    }
}

/* A dealer that splits something else than its contribution, consistently: only W_i from elsewhere shows it.
 */
static void dealing_of_something_else_is_refused(void **state)
{
    (void)state;
    for (size_t threshold = 0; threshold <= 2; threshold += 2) {
        struct run run;
        struct hk_scalar other;
        begin(&run, curve, 2, 3, threshold);
        hk_scalar_random(curve, &other);
        assert_int_equal(hk_redistribute_deal(&run.dealings[0], run.subshares[0], &run.plan, &other), HK_OK);
        for (size_t j = 0; j < 3; j++) {
            run.received[j][0] = run.subshares[0][j];
            assert_int_equal(receive(&run, j), HK_BAD_PROOF);
        }
        /* With the W_0 that its message claims, the sum is not X. */
        curve->base_mul(&run.points[0], &other);
        assert_int_equal(receive(&run, 0), HK_BAD_PROOF);
        /* Two that move the difference between them still differ from what others know of them. */
        struct hk_point difference;
        curve->base_mul(&difference, &run.contributions[0]);
        curve->point_sub(&difference, &run.points[0], &difference);
        curve->base_mul(&run.points[0], &run.contributions[0]);
        curve->point_sub(&run.points[1], &run.points[1], &difference);
        assert_int_equal(receive(&run, 0), HK_BAD_PROOF);
    }
}

static void wrong_number_of_commitments_is_refused(void **state)
{
    (void)state;
    for (size_t threshold = 0; threshold <= 2; threshold += 2) {
        struct run run;
        begin(&run, curve, 2, 3, threshold);
        size_t count = run.dealings[1].count;
        memcpy(run.dealings[1].commitments[count], run.dealings[1].commitments[0], curve->point_bytes);
        uint8_t transcript[HK_NAME_BYTES], context[HK_NAME_BYTES] = {0};
        static const int off[] = {1, -1};
        for (size_t i = 0; i < 2; i++) {
            struct hk_point point;
            run.dealings[1].count = count + (size_t)off[i];
            assert_int_equal(receive(&run, 0), HK_BAD_ENCODING);
            assert_int_equal(hk_redistribute_point(&point, &run.plan, 0, run.dealings), HK_BAD_ENCODING);
            assert_int_equal(hk_redistribute_transcript(transcript, &run.plan, run.dealings, context),
                             HK_BAD_ENCODING);
        }
        run.dealings[1].count = SIZE_MAX;
        assert_int_equal(receive(&run, 0), HK_BAD_ENCODING);
        run.dealings[1].count = count;
        memset(run.dealings[1].commitments[0], 0, curve->point_bytes);
        assert_int_equal(receive(&run, 0), HK_BAD_POINT);
    }
}

static void transcript_changes_with_everything(void **state)
{
    (void)state;
    struct run run, changed;
    uint8_t context[HK_NAME_BYTES] = {0}, seen[9][HK_NAME_BYTES];
    begin(&run, curve, 2, 3, 2);
    for (size_t i = 0; i < 9; i++) {
        changed = run;
        context[0] = i == 1;
        changed.plan.epoch += i == 2;
        changed.plan.old_holders[1].name[31] ^= i == 3;
        changed.plan.new_holders[2].name[31] ^= i == 4;
        changed.plan.new_holders[2].index += i == 5;
        changed.dealings[1].commitments[1][7] ^= i == 6;
        if (i == 7) {
            memcpy(changed.plan.public_key, changed.points[0].bytes, curve->point_bytes);
        }
        if (i == 8) {
            changed.plan.threshold = 1;
            changed.dealings[0].count = changed.dealings[1].count = 1;
        }
        assert_int_equal(hk_redistribute_transcript(seen[i], &changed.plan, changed.dealings, context),
                         HK_OK);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(seen[i], seen[j], HK_NAME_BYTES);
        }
    }
}

static void zero_contribution_cannot_be_dealt(void **state)
{
    (void)state;
    struct run run;
    struct hk_scalar zero;
    begin(&run, curve, 2, 2, 0);
    curve->scalar_set(&zero, 0);
    assert_int_equal(hk_redistribute_deal(&run.dealings[0], run.subshares[0], &run.plan, &zero),
                     HK_BAD_SCALAR);
}

/* Lagrange coefficients against polynomials: every set of indices of the toy group, every line and parabola.
 */
static void toy_group_every_interpolation(void **state)
{
    (void)state;
    for (unsigned set = 1; set < 1U << 12; set++) {
        uint64_t indices[3];
        size_t count = 0;
        for (unsigned i = 0; i < 12; i++) {
            if (set >> i & 1) {
                if (count == 3) {
                    count = 4;
                    break;
                }
                indices[count++] = i + 1;
            }
        }
        if (count > 3) {
            continue;
        }
        unsigned lambda[3];
        for (size_t i = 0; i < count; i++) {
            struct hk_scalar value;
            assert_int_equal(hk_lagrange(&value, TOY, indices, count, i), HK_OK);
            lambda[i] = hk_toy_value(&value);
        }
        for (unsigned f = 0; f < 13 * (count > 1 ? 13 : 1) * (count > 2 ? 13 : 1); f++) {
            unsigned a = f % 13, b = f / 13 % 13, c = f / 169, sum = 0;
            for (size_t i = 0; i < count; i++) {
                unsigned x = (unsigned)indices[i];
                sum += lambda[i] * ((a + b * x + c * x * x) % 13);
            }
            assert_int_equal(sum % 13, a);
        }
    }
}

/* One dealer, two of three: every secret, every slope, every sub-share right and wrong. */
static void toy_group_every_dealing_of_a_line(void **state)
{
    (void)state;
    for (unsigned secret = 1; secret < 13; secret++) {
        for (unsigned slope = 1; slope < 13; slope++) {
            struct run run;
            memset(&run, 0, sizeof(run));
            plan_init(&run.plan, TOY, 1, 3, 2);
            run.contributions[0] = hk_toy_scalar(secret);
            assert_true(publish(&run));
            hk_random_choose(&slope, 1);
            deal(&run);
            hk_random_restore();
            for (size_t j = 0; j < 3; j++) {
                unsigned right = (secret + slope * (unsigned)(j + 1)) % 13;
                for (unsigned value = 0; value < 13; value++) {
                    run.received[j][0] = hk_toy_scalar(value);
                    enum hk_error expected = value != right ? HK_BAD_PROOF : value == 0 ? HK_AGAIN : HK_OK;
                    assert_int_equal(receive(&run, j), expected);
                }
            }
        }
    }
}

/* Every value in the place of each commitment: only the honest one is taken by all who look at it. */
static void toy_group_every_wrong_commitment(void **state)
{
    (void)state;
    for (size_t threshold = 0; threshold <= 2; threshold += 2) {
        struct run run;
        bool usable;
        do {
            begin(&run, TOY, 2, 3, threshold);
            usable = receive(&run, 0) == HK_OK && receive(&run, 1) == HK_OK && receive(&run, 2) == HK_OK;
        } while (!usable);
        for (size_t k = 0; k < run.dealings[0].count; k++) {
            uint8_t honest = run.dealings[0].commitments[k][0];
            for (unsigned value = 0; value < 256; value++) {
                run.dealings[0].commitments[k][0] = (uint8_t)value;
                bool all =
                    receive(&run, 0) == HK_OK && receive(&run, 1) == HK_OK && receive(&run, 2) == HK_OK;
                assert_int_equal(all, value == honest);
            }
            run.dealings[0].commitments[k][0] = honest;
        }
    }
}

int main(void)
{
    const struct CMUnitTest each[] = {cmocka_unit_test(additive_shares_add_up_to_the_same_key),
                                      cmocka_unit_test(any_t_holders_reconstruct_in_the_exponent),
                                      cmocka_unit_test(threshold_holders_hand_on_to_a_device_and_a_service),
                                      cmocka_unit_test(subshare_that_does_not_match_is_refused),
                                      cmocka_unit_test(dealing_of_something_else_is_refused),
                                      cmocka_unit_test(wrong_number_of_commitments_is_refused),
                                      cmocka_unit_test(transcript_changes_with_everything),
                                      cmocka_unit_test(zero_contribution_cannot_be_dealt)};
    const struct CMUnitTest once[] = {cmocka_unit_test(toy_group_every_interpolation),
                                      cmocka_unit_test(toy_group_every_dealing_of_a_line),
                                      cmocka_unit_test(toy_group_every_wrong_commitment)};
    int failed = sodium_init() < 0;
    HK_RUN_FOR_GROUPS(failed, curve, each)
    return failed + cmocka_run_group_tests(once, NULL, NULL);
}

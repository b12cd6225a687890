/* Recovery: any t of n shares give a new pair of the same key, t - 1 are nothing, and every lie of a dealer
 * or a holder is found and told whose it is. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/random.h"
#include "crypto/recovery.h"
#include "tests/support/groups.h"
#include "tests/support/toy_group.h"

#define TOY (&hk_toy_group)
#define HOLDERS 5
#define NEEDED 3

static const struct hk_group *curve; /* each one that ships, in turn */

struct set {
    struct hk_suite suite;
    struct hk_scalar d, s, x, shares[HK_HOLDERS_MAX];
    struct hk_point point, device_point, service_point;
    uint8_t holders[HK_HOLDERS_MAX][32], ids[6][32];
    struct hk_recovery_key key;
    struct hk_dealing dealings[2];
    struct hk_scalar subshares[2][HK_HOLDERS_MAX];
};

static void set_init(struct set *set, const struct hk_group *group, size_t threshold, size_t count)
{
    memset(set, 0, sizeof(*set));
    hk_random(set->ids, sizeof(set->ids));
    hk_random(set->holders, sizeof(set->holders));
    set->suite = (struct hk_suite){
        .id = HK_SUITE_X25519, .name = "x25519", .purpose = HK_PURPOSE_AGREE, .group = group};
    do {
        hk_scalar_random(group, &set->d);
        hk_scalar_random(group, &set->s);
        group->scalar_add(&set->x, &set->d, &set->s);
    } while (group->scalar_is_zero(&set->x));
    group->base_mul(&set->point, &set->x);
    group->base_mul(&set->device_point, &set->d);
    group->base_mul(&set->service_point, &set->s);
    set->key = (struct hk_recovery_key){.id = set->ids[0],
                                        .suite = &set->suite,
                                        .public_key = set->point.bytes,
                                        .set = set->ids[1],
                                        .device = set->ids[2],
                                        .service_key = set->ids[3],
                                        .epoch = 3,
                                        .threshold = threshold,
                                        .count = count,
                                        .holders = (const uint8_t(*)[32])set->holders};
}

/* HK_AGAIN: some holder's share is zero, which a small group can give. */
static enum hk_error set_up(struct set *set)
{
    assert_int_equal(hk_recovery_deal(&set->dealings[0], set->subshares[0], &set->key, &set->d), HK_OK);
    assert_int_equal(hk_recovery_deal(&set->dealings[1], set->subshares[1], &set->key, &set->s), HK_OK);
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < set->key.count && error == HK_OK; i++) {
        struct hk_scalar parts[2] = {set->subshares[0][i], set->subshares[1][i]};
        error = hk_recovery_receive(&set->shares[i], &set->key, i, set->dealings, parts);
    }
    return error;
}

struct run {
    struct hk_recover_run names;
    struct hk_dealing dealings[HK_HOLDERS_MAX];
    struct hk_scalar parts[2][HK_HOLDERS_MAX];
};

static enum hk_error give_all(struct run *run, const struct set *set, const uint64_t *indices)
{
    enum hk_error error = HK_OK;
    run->names = (struct hk_recover_run){.request = set->ids[4],
                                         .device = set->ids[5],
                                         .service_key = set->holders[HK_HOLDERS_MAX - 1],
                                         .count = set->key.threshold};
    memcpy(run->names.index, indices, set->key.threshold * sizeof(*indices));
    for (size_t i = 0; i < run->names.count && error == HK_OK; i++) {
        struct hk_scalar parts[2];
        error = hk_recover_give(&run->dealings[i], parts, &set->key, &run->names, i,
                                &set->shares[indices[i] - 1]);
        run->parts[0][i] = parts[0];
        run->parts[1][i] = parts[1];
    }
    return error;
}

static enum hk_error take(struct hk_scalar halves[2], const struct run *run, const struct set *set,
                          size_t *guilty)
{
    struct hk_point others[2];
    enum hk_error error = HK_OK;
    for (int side = 0; side < 2 && error == HK_OK; side++) {
        error =
            hk_recover_take(&halves[side], &others[side], &set->key, &run->names, (enum hk_recovery_side)side,
                            set->dealings, run->dealings, run->parts[side], guilty);
    }
    for (int side = 0; side < 2 && error == HK_OK; side++) {
        struct hk_point own;
        set->suite.group->base_mul(&own, &halves[side]);
        assert_true(hk_point_equal(set->suite.group, &own, &others[1 - side]));
    }
    return error;
}

static void is_the_same_key(const struct set *set, const struct hk_scalar halves[2])
{
    const struct hk_group *group = set->suite.group;
    struct hk_scalar sum;
    group->scalar_add(&sum, &halves[0], &halves[1]);
    assert_memory_equal(sum.bytes, set->x.bytes, group->scalar_bytes);
}

static void any_t_of_n_bring_the_key_back(void **state)
{
    (void)state;
    struct set set;
    size_t tried = 0;
    set_init(&set, curve, NEEDED, HOLDERS);
    assert_int_equal(set_up(&set), HK_OK);
    for (uint64_t a = 1; a <= HOLDERS; a++) {
        for (uint64_t b = a + 1; b <= HOLDERS; b++) {
            for (uint64_t c = b + 1; c <= HOLDERS; c++) {
                struct run run;
                struct hk_scalar halves[2];
                size_t guilty;
                assert_int_equal(give_all(&run, &set, (uint64_t[]){a, b, c}), HK_OK);
                assert_int_equal(take(halves, &run, &set, &guilty), HK_OK);
                is_the_same_key(&set, halves);
                assert_memory_not_equal(halves[0].bytes, set.d.bytes, curve->scalar_bytes);
                tried++;
            }
        }
    }
    assert_int_equal(tried, 10);
}

/* Over the toy group: every pair of halves, two of three. */
static void every_pair_of_halves_comes_back_over_the_toy_group(void **state)
{
    (void)state;
    size_t tried = 0;
    for (uint64_t d = 1; d < 13; d++) {
        for (uint64_t s = 1; s < 13; s++) {
            struct set set;
            set_init(&set, TOY, 2, 3);
            TOY->scalar_set(&set.d, d);
            TOY->scalar_set(&set.s, s);
            TOY->scalar_add(&set.x, &set.d, &set.s);
            if (TOY->scalar_is_zero(&set.x)) {
                continue;
            }
            TOY->base_mul(&set.point, &set.x);
            enum hk_error error = HK_AGAIN;
            struct run run;
            struct hk_scalar halves[2];
            size_t guilty;
            for (int tries = 0; tries < 500 && error == HK_AGAIN; tries++) {
                error = set_up(&set);
                if (error == HK_OK) {
                    error = give_all(&run, &set, (uint64_t[]){1, 3});
                }
                if (error == HK_OK) {
                    error = take(halves, &run, &set, &guilty);
                }
            }
            assert_int_equal(error, HK_OK);
            is_the_same_key(&set, halves);
            tried++;
        }
    }
    assert_int_equal(tried, 132);
}

static void both_sides_name_the_run_alike_and_prove_their_halves(void **state)
{
    (void)state;
    struct set set;
    struct run run;
    struct hk_scalar halves[2];
    struct hk_point device_point;
    uint8_t transcript[32], other[32], proof[HK_SCHNORR_BYTES_MAX];
    size_t guilty;
    set_init(&set, curve, 2, 3);
    assert_int_equal(set_up(&set), HK_OK);
    assert_int_equal(give_all(&run, &set, (uint64_t[]){1, 2}), HK_OK);
    assert_int_equal(take(halves, &run, &set, &guilty), HK_OK);
    assert_int_equal(hk_recover_key_transcript(transcript, &set.key, &run.names, run.dealings), HK_OK);
    hk_recover_prove(proof, curve, transcript, set.key.id, &halves[0]);
    curve->base_mul(&device_point, &halves[0]);
    assert_int_equal(hk_recover_check(curve, transcript, set.key.id, &device_point, proof), HK_OK);
    assert_int_equal(hk_recover_check(curve, transcript, set.ids[5], &device_point, proof), HK_BAD_PROOF);
    set.ids[4][0] ^= 1; /* another request */
    assert_int_equal(hk_recover_key_transcript(other, &set.key, &run.names, run.dealings), HK_OK);
    assert_memory_not_equal(transcript, other, 32);
    assert_int_equal(hk_recover_check(curve, other, set.key.id, &device_point, proof), HK_BAD_PROOF);
}

static void a_dealer_that_lies_is_found(void **state)
{
    (void)state;
    struct set set;
    struct hk_scalar one, parts[2], share;
    set_init(&set, curve, NEEDED, HOLDERS);
    assert_int_equal(set_up(&set), HK_OK);
    curve->scalar_set(&one, 1);
    /* another half than the one that is in use */
    assert_int_equal(hk_recovery_check(&set.key, &set.dealings[1], &set.service_point), HK_OK);
    assert_int_equal(hk_recovery_check(&set.key, &set.dealings[1], &set.device_point), HK_BAD_PROOF);
    /* a sub-share that is off by one, of either dealer, to any holder */
    for (size_t i = 0; i < HOLDERS; i++) {
        for (int side = 0; side < 2; side++) {
            parts[0] = set.subshares[0][i];
            parts[1] = set.subshares[1][i];
            curve->scalar_add(&parts[side], &parts[side], &one);
            assert_int_equal(hk_recovery_receive(&share, &set.key, i, set.dealings, parts), HK_BAD_PROOF);
        }
    }
    /* one coefficient too many, one too few */
    for (int change = -1; change <= 1; change += 2) {
        struct hk_dealing dealing = set.dealings[0];
        memcpy(dealing.commitments[NEEDED], dealing.commitments[0], HK_POINT_BYTES_MAX);
        dealing.count = (size_t)((int)dealing.count + change);
        assert_int_equal(hk_recovery_check(&set.key, &dealing, &set.device_point), HK_BAD_ENCODING);
    }
    /* halves that do not make X */
    curve->scalar_add(&set.s, &set.s, &one);
    assert_int_equal(hk_recovery_deal(&set.dealings[1], set.subshares[1], &set.key, &set.s), HK_OK);
    parts[0] = set.subshares[0][0];
    parts[1] = set.subshares[1][0];
    assert_int_equal(hk_recovery_receive(&share, &set.key, 0, set.dealings, parts), HK_BAD_PROOF);
}

static void a_holder_that_lies_is_named(void **state)
{
    (void)state;
    struct set set;
    struct hk_scalar one, halves[2];
    set_init(&set, curve, NEEDED, HOLDERS);
    assert_int_equal(set_up(&set), HK_OK);
    curve->scalar_set(&one, 1);
    for (size_t liar = 0; liar < NEEDED; liar++) {
        for (int lie = 0; lie < 4; lie++) {
            struct run run;
            size_t guilty = 99;
            assert_int_equal(give_all(&run, &set, (uint64_t[]){1, 3, 5}), HK_OK);
            if (lie < 2) { /* a part that does not fit its commitment */
                curve->scalar_add(&run.parts[lie][liar], &run.parts[lie][liar], &one);
            } else if (lie == 2) { /* another share than its own, split well */
                struct hk_scalar parts[2], false_share;
                curve->scalar_add(&false_share, &set.shares[run.names.index[liar] - 1], &one);
                assert_int_equal(
                    hk_recover_give(&run.dealings[liar], parts, &set.key, &run.names, liar, &false_share),
                    HK_OK);
                run.parts[0][liar] = parts[0];
                run.parts[1][liar] = parts[1];
            } else { /* commitments of another holder */
                run.dealings[liar] = run.dealings[(liar + 1) % NEEDED];
            }
            assert_true(take(halves, &run, &set, &guilty) != HK_OK);
            assert_int_equal(guilty, liar);
        }
    }
}

static void bad_sets_and_bad_runs_are_refused(void **state)
{
    (void)state;
    struct set set;
    struct run run;
    struct hk_dealing dealing;
    struct hk_scalar subshares[HK_HOLDERS_MAX], parts[2], zero;
    set_init(&set, curve, NEEDED, HOLDERS);
    assert_int_equal(set_up(&set), HK_OK);
    memset(&zero, 0, sizeof(zero));
    assert_int_equal(hk_recovery_deal(&dealing, subshares, &set.key, &zero), HK_BAD_SCALAR);
    static const struct {
        size_t threshold, count;
    } bad[] = {{6, 5}, {0, 5}, {1, 0}, {3, HK_HOLDERS_MAX + 1}};
    for (size_t i = 0; i < 4; i++) {
        struct set other = set;
        other.key.holders = (const uint8_t(*)[32])other.holders;
        other.key.threshold = bad[i].threshold;
        other.key.count = bad[i].count;
        assert_int_equal(hk_recovery_deal(&dealing, subshares, &other.key, &set.d), HK_BAD_ENCODING);
    }
    struct set twice = set;
    twice.key.holders = (const uint8_t(*)[32])twice.holders;
    memcpy(twice.holders[1], twice.holders[0], 32);
    assert_int_equal(hk_recovery_deal(&dealing, subshares, &twice.key, &set.d), HK_BAD_ENCODING);
    static const uint64_t runs[][NEEDED] = {{1, 1, 2}, {0, 1, 2}, {1, 2, 6}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(give_all(&run, &set, (uint64_t[]){1, 2, 3}), HK_OK);
        memcpy(run.names.index, runs[i], sizeof(runs[i]));
        assert_int_equal(hk_recover_give(&dealing, parts, &set.key, &run.names, 0, &set.shares[0]),
                         HK_BAD_ENCODING);
    }
    assert_int_equal(give_all(&run, &set, (uint64_t[]){1, 2, 3}), HK_OK);
    run.names.count = NEEDED - 1; /* too few are not enough */
    assert_int_equal(hk_recover_give(&dealing, parts, &set.key, &run.names, 0, &set.shares[0]),
                     HK_BAD_ENCODING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_t_of_n_bring_the_key_back),
        cmocka_unit_test(both_sides_name_the_run_alike_and_prove_their_halves),
        cmocka_unit_test(a_dealer_that_lies_is_found),
        cmocka_unit_test(a_holder_that_lies_is_named),
        cmocka_unit_test(bad_sets_and_bad_runs_are_refused),
    };
    const struct CMUnitTest toys[] = {
        cmocka_unit_test(every_pair_of_halves_comes_back_over_the_toy_group),
    };
    int failed = sodium_init() < 0;
    HK_RUN_FOR_GROUPS(failed, curve, tests)
    return failed + cmocka_run_group_tests(toys, NULL, NULL);
}

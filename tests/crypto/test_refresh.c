/* Refresh: new halves of the same key on both sides, from the same seeds however often asked, or nothing. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/random.h"
#include "crypto/refresh.h"
#include "tests/support/groups.h"
#include "tests/support/toy_group.h"

#define TOY (&hk_toy_group)

static const struct hk_group *curve; /* each one that ships, in turn */

struct run {
    const struct hk_group *group;
    struct hk_refresh refresh;
    uint8_t key_id[16];
    struct hk_scalar d, s, new_d, new_s;
    struct hk_point x, service, new_service;
    uint8_t proof[HK_SCHNORR_BYTES_MAX], confirm[HK_SCHNORR_BYTES_MAX];
};

static void pair_init(struct run *run, const struct hk_group *group, const struct hk_scalar *d,
                      const struct hk_scalar *s)
{
    struct hk_scalar x;
    memset(run, 0, sizeof(*run));
    run->group = group;
    run->d = *d;
    run->s = *s;
    group->scalar_add(&x, d, s);
    group->base_mul(&run->x, &x);
    group->base_mul(&run->service, s);
    hk_random(&run->refresh, sizeof(run->refresh));
    hk_random(run->key_id, sizeof(run->key_id));
}

static enum hk_error service(struct run *run)
{
    return hk_refresh_service(&run->new_s, run->proof, run->group, &run->refresh, run->key_id, &run->s);
}

static enum hk_error device(struct run *run)
{
    return hk_refresh_device(&run->new_d, &run->new_service, run->group, &run->refresh, run->key_id, &run->d,
                             &run->service, run->proof);
}

static enum hk_error check(struct run *run)
{
    hk_refresh_confirm(run->confirm, run->group, &run->refresh, &run->new_d);
    return hk_refresh_check(run->group, &run->refresh, &run->x, &run->new_s, run->confirm);
}

static void begin(struct run *run)
{
    struct hk_scalar d, s;
    hk_scalar_random(curve, &d);
    hk_scalar_random(curve, &s);
    pair_init(run, curve, &d, &s);
}

static void assert_refreshed(const struct run *run)
{
    struct hk_scalar sum;
    struct hk_point point;
    run->group->scalar_add(&sum, &run->new_d, &run->new_s);
    run->group->base_mul(&point, &sum);
    assert_true(hk_point_equal(run->group, &point, &run->x));
    run->group->base_mul(&point, &run->new_s);
    assert_true(hk_point_equal(run->group, &point, &run->new_service));
}

static void refresh_keeps_the_key_and_changes_both_halves(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct run run;
        struct hk_scalar mixed;
        struct hk_point point;
        begin(&run);
        assert_int_equal(service(&run), HK_OK);
        assert_int_equal(device(&run), HK_OK);
        assert_int_equal(check(&run), HK_OK);
        assert_refreshed(&run);
        curve->scalar_add(&mixed, &run.d, &run.new_s);
        curve->base_mul(&point, &mixed);
        assert_false(hk_point_equal(curve, &point, &run.x)); /* halves of two epochs fit nothing */
    }
}

static void same_seeds_give_the_same_halves(void **state)
{
    (void)state;
    struct run run, again;
    begin(&run);
    again = run;
    assert_int_equal(service(&run), HK_OK);
    assert_int_equal(service(&again), HK_OK);
    assert_memory_equal(&run.new_s, &again.new_s, sizeof(run.new_s));
    /* A proof made anew for a retry fits the first answer. */
    memcpy(run.proof, again.proof, sizeof(run.proof));
    assert_int_equal(device(&run), HK_OK);
    again.refresh.service_seed.bytes[0] ^= 1;
    assert_int_equal(service(&again), HK_OK);
    assert_memory_not_equal(&run.new_s, &again.new_s, 32);
    again = run;
    again.key_id[0] ^= 1; /* every key has a delta of its own */
    assert_int_equal(service(&again), HK_OK);
    assert_memory_not_equal(&run.new_s, &again.new_s, 32);
}

/* attacks.md 17: a fake service that answers leaves the device at e. */
static void answer_of_somebody_without_the_half_is_refused(void **state)
{
    (void)state;
    struct run run, fake;
    begin(&run);
    fake = run;
    hk_scalar_random(curve, &fake.s);
    assert_int_equal(service(&fake), HK_OK);
    memcpy(run.proof, fake.proof, sizeof(run.proof));
    assert_int_equal(device(&run), HK_BAD_PROOF);
    assert_true(hk_is_zero(&run.new_d, sizeof(run.new_d)));
    assert_int_equal(service(&run), HK_OK);
    struct run changed = run;
    changed.refresh.new_tag[0] ^= 1;
    assert_int_equal(device(&changed), HK_BAD_PROOF);
    changed = run;
    changed.refresh.service_seed.bytes[31] ^= 1;
    assert_int_equal(device(&changed), HK_BAD_PROOF);
    changed = run;
    changed.refresh.ref[0] ^= 1;
    assert_int_equal(device(&changed), HK_BAD_PROOF);
    assert_int_equal(device(&run), HK_OK);
}

/* A clone has d of e but not the seeds, or the seeds of another refresh: it cannot confirm. */
static void old_half_cannot_confirm(void **state)
{
    (void)state;
    struct run run, other;
    begin(&run);
    assert_int_equal(service(&run), HK_OK);
    assert_int_equal(device(&run), HK_OK);
    hk_refresh_confirm(run.confirm, curve, &run.refresh, &run.d);
    assert_int_equal(hk_refresh_check(curve, &run.refresh, &run.x, &run.new_s, run.confirm), HK_BAD_PROOF);
    other = run;
    other.refresh.new_tag[3] ^= 1;
    hk_refresh_confirm(run.confirm, curve, &other.refresh, &run.new_d);
    assert_int_equal(hk_refresh_check(curve, &run.refresh, &run.x, &run.new_s, run.confirm), HK_BAD_PROOF);
    /* The service's own proof, sent back. */
    assert_int_equal(hk_refresh_check(curve, &run.refresh, &run.x, &run.new_s, run.proof), HK_BAD_PROOF);
    assert_int_equal(check(&run), HK_OK);
}

static void ref_changes_with_everything_and_wants_sorted_keys(void **state)
{
    (void)state;
    uint8_t seen[8][HK_NAME_BYTES], out[HK_NAME_BYTES];
    for (size_t i = 0; i < 8; i++) {
        uint8_t account[64] = {0}, serial[16] = {0}, tag[16] = {0};
        struct hk_refresh_key keys[2] = {{{1}, 1}, {{2}, 2}};
        account[63] = i == 1;
        serial[15] = i == 2;
        tag[15] = i == 3;
        keys[1].id[15] = i == 4;
        keys[0].suite += i == 5;
        assert_int_equal(hk_refresh_ref(seen[i], account, serial, 1 + (i == 6), tag, keys, i == 7 ? 1 : 2),
                         HK_OK);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(seen[i], seen[j], HK_NAME_BYTES);
        }
        struct hk_refresh_key reversed[2] = {keys[1], keys[0]}, equal[2] = {keys[0], keys[0]};
        assert_int_equal(hk_refresh_ref(out, account, serial, 1, tag, reversed, 2), HK_BAD_ENCODING);
        assert_int_equal(hk_refresh_ref(out, account, serial, 1, tag, equal, 2), HK_BAD_ENCODING);
    }
}

/* Every pair, many seeds: a zero half starts over on the side that sees it, everything else fits. */
static void toy_group_every_pair_of_halves(void **state)
{
    (void)state;
    unsigned again_at_service = 0, again_at_device = 0, done = 0;
    for (unsigned n = 0; n < 144 * 40; n++) {
        struct hk_scalar d = hk_toy_scalar(1 + n % 12), s = hk_toy_scalar(1 + n / 12 % 12);
        struct run run;
        pair_init(&run, TOY, &d, &s);
        if (TOY->point_is_identity(&run.x)) {
            continue;
        }
        enum hk_error error = service(&run);
        if (error == HK_AGAIN) {
            again_at_service++;
            continue;
        }
        assert_int_equal(error, HK_OK);
        if ((error = device(&run)) == HK_AGAIN) {
            again_at_device++;
            continue;
        }
        assert_int_equal(error, HK_OK);
        assert_int_equal(check(&run), HK_OK);
        assert_refreshed(&run);
        done++;
    }
    assert_true(again_at_service > 100 && again_at_device > 100 && done > 4000);
}

int main(void)
{
    const struct CMUnitTest each[] = {cmocka_unit_test(refresh_keeps_the_key_and_changes_both_halves),
                                      cmocka_unit_test(same_seeds_give_the_same_halves),
                                      cmocka_unit_test(answer_of_somebody_without_the_half_is_refused),
                                      cmocka_unit_test(old_half_cannot_confirm)};
    const struct CMUnitTest once[] = {cmocka_unit_test(ref_changes_with_everything_and_wants_sorted_keys),
                                      cmocka_unit_test(toy_group_every_pair_of_halves)};
    int failed = sodium_init() < 0;
    HK_RUN_FOR_GROUPS(failed, curve, each)
    return failed + cmocka_run_group_tests(once, NULL, NULL);
}

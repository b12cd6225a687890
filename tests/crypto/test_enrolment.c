/* Enrolment: a new device gets an independent pair of the same key, and every lie of either dealer is seen.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/enrolment.h"
#include "crypto/random.h"
#include "tests/support/chosen_random.h"
#include "tests/support/groups.h"
#include "tests/support/toy_group.h"

#define TOY (&hk_toy_group)

static const struct hk_group *curve; /* each one that ships, in turn */

struct run {
    const struct hk_group *group;
    struct hk_suite suite;
    struct hk_scalar d1, s1, d2, s2, a, passed, b;
    struct hk_point x, point1, service2; /* X, D1, S2 */
    struct hk_enrol_commitments administrator, service;
    uint8_t names[6][64], key_id[16];
    struct hk_enrolment enrolment;
    struct hk_enrol_key key;
};

static void names_init(struct run *run)
{
    hk_random(run->names, sizeof(run->names));
    hk_random(run->key_id, sizeof(run->key_id));
    run->enrolment = (struct hk_enrolment){
        run->names[0], run->names[1], run->names[2], run->names[3], run->names[4], run->names[5], 7};
    run->suite = (struct hk_suite){
        .id = HK_SUITE_X25519, .name = "x25519", .purpose = HK_PURPOSE_AGREE, .group = run->group};
}

static void key_init(struct run *run)
{
    run->key =
        (struct hk_enrol_key){run->key_id, &run->suite, run->x.bytes, run->administrator, run->service};
}

static bool pair_init(struct run *run, const struct hk_group *group, const struct hk_scalar *d1,
                      const struct hk_scalar *s1)
{
    memset(run, 0, sizeof(*run));
    run->group = group;
    run->d1 = *d1;
    run->s1 = *s1;
    struct hk_scalar x;
    group->scalar_add(&x, d1, s1);
    group->base_mul(&run->x, &x);
    group->base_mul(&run->point1, d1);
    return !group->scalar_is_zero(&x);
}

static enum hk_error split(struct run *run)
{
    return hk_enrol_split(&run->administrator, &run->a, &run->passed, run->group, run->x.bytes, &run->d1);
}

static enum hk_error deal(struct run *run)
{
    return hk_enrol_deal(&run->service, &run->b, &run->s2, run->group, run->x.bytes, &run->s1,
                         &run->administrator, run->passed.bytes);
}

static enum hk_error take(struct run *run)
{
    return hk_enrol_take(&run->d2, &run->service2, run->group, run->x.bytes, run->point1.bytes,
                         &run->administrator, run->a.bytes, &run->service, run->b.bytes);
}

static void begin(struct run *run)
{
    struct hk_scalar d1, s1;
    hk_scalar_random(curve, &d1);
    hk_scalar_random(curve, &s1);
    assert_true(pair_init(run, curve, &d1, &s1));
    names_init(run);
    assert_int_equal(split(run), HK_OK);
    assert_int_equal(deal(run), HK_OK);
    key_init(run);
}

static void assert_second_pair(const struct run *run)
{
    const struct hk_group *group = run->group;
    struct hk_scalar x;
    struct hk_point point;
    group->scalar_add(&x, &run->d2, &run->s2);
    group->base_mul(&point, &x);
    assert_true(hk_point_equal(group, &point, &run->x));
    group->base_mul(&point, &run->s2);
    assert_true(hk_point_equal(group, &point, &run->service2));
    assert_false(group->scalar_is_zero(&run->d2));
    assert_false(group->scalar_is_zero(&run->s2));
}

static void new_device_gets_an_independent_pair(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct run run;
        uint8_t transcript[HK_NAME_BYTES], proof[HK_SCHNORR_BYTES_MAX];
        begin(&run);
        assert_int_equal(take(&run), HK_OK);
        assert_second_pair(&run);
        assert_memory_not_equal(&run.d1, &run.d2, sizeof(run.d1));
        assert_int_equal(hk_enrol_transcript(transcript, &run.enrolment, &run.key, 1), HK_OK);
        hk_enrol_prove(proof, curve, transcript, run.key_id, &run.d2);
        assert_int_equal(hk_enrol_check(&run.key, transcript, &run.s2, proof), HK_OK);
    }
}

static void administrator_that_splits_something_else_is_refused(void **state)
{
    (void)state;
    struct run run;
    struct hk_scalar honest;
    begin(&run);
    honest = run.d1;
    hk_scalar_random(curve, &run.d1);
    assert_int_equal(split(&run), HK_OK);
    assert_int_equal(deal(&run), HK_BAD_PROOF);
    run.d1 = honest;
    assert_int_equal(split(&run), HK_OK);
    run.passed.bytes[3] ^= 1;
    assert_int_equal(deal(&run), HK_BAD_PROOF);
    run.passed.bytes[3] ^= 1;
    memset(run.administrator.kept, 0, sizeof(run.administrator.kept));
    assert_int_equal(deal(&run), HK_BAD_POINT);
    memset(&run.passed, 0, sizeof(run.passed));
    assert_int_equal(deal(&run), HK_BAD_SCALAR);
    memset(&run.passed, 0xff, 32);
    assert_int_equal(deal(&run), HK_BAD_SCALAR);
}

/* The service lies to the new device about S1, Q or b. */
static void service_that_lies_to_the_new_device_is_refused(void **state)
{
    (void)state;
    struct run run, lie;
    begin(&run);
    lie = run;
    hk_scalar_random(curve, &lie.b);
    assert_int_equal(take(&lie), HK_BAD_PROOF);
    lie = run;
    memcpy(lie.service.kept, run.administrator.kept, curve->point_bytes);
    assert_int_equal(take(&lie), HK_BAD_PROOF);
    lie = run;
    lie.b = run.a;
    memcpy(lie.service.kept, run.administrator.kept, curve->point_bytes);
    assert_int_equal(take(&lie), HK_BAD_PROOF);
    /* A consistent dealing of another s1, and a D1 of the service's making that would go with it. */
    lie = run;
    hk_scalar_random(curve, &lie.s1);
    struct hk_scalar x;
    struct hk_point honest = lie.x, device = lie.point1;
    curve->scalar_add(&x, &lie.d1, &lie.s1);
    curve->base_mul(&lie.x, &x);
    assert_int_equal(deal(&lie), HK_OK);
    lie.x = honest;
    assert_int_equal(take(&lie), HK_BAD_PROOF);
    curve->base_mul(&lie.point1, &lie.s1);
    curve->point_sub(&lie.point1, &lie.x, &lie.point1);
    assert_int_equal(take(&lie), HK_BAD_PROOF);
    lie = run;
    memset(&lie.point1, 0, sizeof(lie.point1));
    assert_int_equal(take(&lie), HK_BAD_POINT);
    lie.point1 = device;
    assert_int_equal(take(&lie), HK_OK);
}

/* Everything fits but D1 itself, which comes from the administrator and from nowhere else. */
static void dealing_of_another_half_than_the_administrators_is_refused(void **state)
{
    (void)state;
    struct run run;
    struct hk_scalar other;
    begin(&run);
    struct hk_point honest = run.point1;
    hk_scalar_random(curve, &other);
    curve->base_mul(&run.point1, &other);
    assert_int_equal(take(&run), HK_BAD_PROOF);
    curve->base_mul(&run.point1, &run.s1);
    assert_int_equal(take(&run), HK_BAD_PROOF);
    run.point1 = honest;
    assert_int_equal(take(&run), HK_OK);
}

static void proof_of_anything_else_does_not_activate(void **state)
{
    (void)state;
    struct run run, other;
    uint8_t transcript[HK_NAME_BYTES], proof[HK_SCHNORR_BYTES_MAX], another[HK_NAME_BYTES];
    begin(&run);
    begin(&other);
    assert_int_equal(take(&run), HK_OK);
    assert_int_equal(hk_enrol_transcript(transcript, &run.enrolment, &run.key, 1), HK_OK);
    hk_enrol_prove(proof, curve, transcript, run.key_id, &run.d1);
    assert_int_equal(hk_enrol_check(&run.key, transcript, &run.s2, proof), HK_BAD_PROOF);
    hk_enrol_prove(proof, curve, transcript, other.key_id, &run.d2);
    assert_int_equal(hk_enrol_check(&run.key, transcript, &run.s2, proof), HK_BAD_PROOF);
    assert_int_equal(hk_enrol_transcript(another, &other.enrolment, &run.key, 1), HK_OK);
    hk_enrol_prove(proof, curve, another, run.key_id, &run.d2);
    assert_int_equal(hk_enrol_check(&run.key, transcript, &run.s2, proof), HK_BAD_PROOF);
    hk_enrol_prove(proof, curve, transcript, run.key_id, &run.d2);
    assert_int_equal(hk_enrol_check(&run.key, transcript, &run.s1, proof), HK_BAD_PROOF);
    assert_int_equal(hk_enrol_check(&run.key, transcript, &run.s2, proof), HK_OK);
}

static void transcript_changes_with_everything(void **state)
{
    (void)state;
    struct run run;
    uint8_t seen[13][HK_NAME_BYTES];
    begin(&run);
    for (size_t i = 0; i < 13; i++) {
        struct run changed = run;
        changed.enrolment =
            (struct hk_enrolment){changed.names[0], changed.names[1], changed.names[2], changed.names[3],
                                  changed.names[4], changed.names[5], 7 + (i == 6)};
        key_init(&changed);
        if (i < 6) {
            changed.names[i][15] ^= 1;
        }
        changed.key.administrator.kept[0] ^= i == 7;
        changed.key.service.passed[0] ^= i == 8;
        changed.key_id[0] ^= i == 9;
        if (i == 10) {
            changed.suite.id = HK_SUITE_ED25519;
        }
        if (i == 11) {
            changed.suite.purpose = HK_PURPOSE_SIGN;
        }
        changed.key.suite = &changed.suite;
        changed.key.public_key = changed.x.bytes;
        changed.key.id = changed.key_id;
        assert_int_equal(hk_enrol_transcript(seen[i], &changed.enrolment, &changed.key, 1), HK_OK);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(seen[i], seen[j], HK_NAME_BYTES);
        }
    }
    uint8_t empty[HK_NAME_BYTES], twice[HK_NAME_BYTES];
    assert_int_equal(hk_enrol_transcript(empty, &run.enrolment, NULL, 0), HK_OK);
    struct hk_enrol_key keys[2] = {run.key, run.key};
    assert_int_equal(hk_enrol_transcript(twice, &run.enrolment, keys, 2), HK_BAD_ENCODING);
}

/* Every pair, every a, every b: 12^4 enrolments. */
static void toy_group_every_enrolment(void **state)
{
    (void)state;
    unsigned done = 0;
    for (unsigned n = 0; n < 12 * 12 * 12 * 12; n++) {
        struct hk_scalar d1 = hk_toy_scalar(1 + n % 12), s1 = hk_toy_scalar(1 + n / 12 % 12);
        unsigned passed = 1 + n / 144 % 12, kept = 1 + n / 1728;
        struct run run;
        if (!pair_init(&run, TOY, &d1, &s1)) {
            continue;
        }
        hk_random_choose(&passed, 1);
        assert_int_equal(split(&run), HK_OK);
        hk_random_choose(&kept, 1);
        assert_int_equal(deal(&run), HK_OK);
        hk_random_restore();
        assert_int_equal(take(&run), HK_OK);
        assert_second_pair(&run);
        done++;
    }
    assert_int_equal(done, 12 * 11 * 12 * 12);
}

/* Every sub-share and every commitment that an administrator could send to the service. */
static void toy_group_every_lie_of_an_administrator(void **state)
{
    (void)state;
    struct run run;
    struct hk_scalar d1 = hk_toy_scalar(4), s1 = hk_toy_scalar(6);
    assert_true(pair_init(&run, TOY, &d1, &s1));
    unsigned accepted = 0;
    for (unsigned kept = 0; kept < 64; kept++) {
        for (unsigned passed = 0; passed < 64; passed++) {
            for (unsigned value = 0; value < 16; value++) {
                struct hk_point a;
                uint8_t byte = (uint8_t)kept;
                run.administrator.kept[0] = byte;
                run.administrator.passed[0] = (uint8_t)passed;
                memset(&run.passed, 0, sizeof(run.passed));
                run.passed.bytes[0] = (uint8_t)value;
                struct hk_point expected = hk_toy_point(value);
                bool good = value > 0 && value < 13 && passed == expected.bytes[0] &&
                            TOY->point_decode(&a, &byte) == HK_OK && (hk_toy_log(&a) + value) % 13 == 4;
                assert_int_equal(deal(&run) == HK_OK, good);
                accepted += good;
            }
        }
    }
    assert_int_equal(accepted, 11); /* every split of 4 into two that are not zero */
}

int main(void)
{
    const struct CMUnitTest each[] = {
        cmocka_unit_test(new_device_gets_an_independent_pair),
        cmocka_unit_test(administrator_that_splits_something_else_is_refused),
        cmocka_unit_test(service_that_lies_to_the_new_device_is_refused),
        cmocka_unit_test(dealing_of_another_half_than_the_administrators_is_refused),
        cmocka_unit_test(proof_of_anything_else_does_not_activate),
        cmocka_unit_test(transcript_changes_with_everything)};
    const struct CMUnitTest once[] = {cmocka_unit_test(toy_group_every_enrolment),
                                      cmocka_unit_test(toy_group_every_lie_of_an_administrator)};
    int failed = sodium_init() < 0;
    HK_RUN_FOR_GROUPS(failed, curve, each)
    return failed + cmocka_run_group_tests(once, NULL, NULL);
}

/* Key generation and import: honest runs make a key that neither side has, and a side that deviates gets
 * none. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/keygen.h"
#include "crypto/random.h"
#include "tests/support/chosen_random.h"
#include "tests/support/groups.h"
#include "tests/support/toy_group.h"

#define TOY (&hk_toy_group)

static const struct hk_group *curve; /* each one that ships, in turn */

/* A run up to message 2, over any group. */
struct run {
    const struct hk_group *group;
    uint8_t sid[HK_NAME_BYTES], commitment[HK_NAME_BYTES];
    struct hk_keygen_device device;
    struct hk_keygen_service service;
    uint8_t point[HK_POINT_BYTES_MAX], proof[HK_SCHNORR_BYTES_MAX];
    struct hk_keygen_opening opening;
    struct hk_keygen_result at_device, at_service;
};

static void begin(struct run *run, const struct hk_group *group)
{
    memset(run, 0, sizeof(*run));
    run->group = group;
    hk_random(run->sid, sizeof(run->sid));
    hk_keygen_start(&run->device, run->commitment, group, run->sid);
    hk_keygen_answer(&run->service, run->point, run->proof, group, run->sid, run->commitment);
}

static enum hk_error finish(struct run *run)
{
    return hk_keygen_finish(&run->at_device, &run->opening, &run->device, run->point, run->proof);
}

static enum hk_error complete(struct run *run)
{
    return hk_keygen_complete(&run->at_service, &run->service, run->opening.point, run->opening.proof,
                              run->opening.opening);
}

static void assert_one_key(const struct run *run)
{
    const struct hk_keygen_result *d = &run->at_device, *s = &run->at_service;
    struct hk_scalar x;
    struct hk_point point;
    run->group->scalar_add(&x, &d->half, &s->half);
    run->group->base_mul(&point, &x);
    assert_memory_equal(point.bytes, d->public_key, run->group->point_bytes);
    assert_memory_equal(d->public_key, s->public_key, sizeof(d->public_key));
    assert_memory_equal(d->transcript, s->transcript, sizeof(d->transcript));
    run->group->base_mul(&point, &d->half);
    assert_memory_equal(point.bytes, d->device_point, run->group->point_bytes);
    assert_memory_equal(d->device_point, s->device_point, sizeof(d->device_point));
    run->group->base_mul(&point, &s->half);
    assert_memory_equal(point.bytes, d->service_point, run->group->point_bytes);
    assert_memory_equal(d->service_point, s->service_point, sizeof(d->service_point));
}

static void honest_run_makes_one_key_in_two_halves(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct run run;
        begin(&run, curve);
        assert_int_equal(finish(&run), HK_OK);
        assert_int_equal(complete(&run), HK_OK);
        assert_one_key(&run);
        assert_int_equal(
            hk_keygen_accept(&run.at_device, curve, run.at_service.transcript, run.at_service.public_key),
            HK_OK);
    }
}

static void runs_can_be_used_once(void **state)
{
    (void)state;
    struct run run;
    begin(&run, curve);
    assert_int_equal(finish(&run), HK_OK);
    assert_true(hk_is_zero(&run.device, sizeof(run.device)));
    assert_int_equal(finish(&run), HK_CONFLICT);
    assert_int_equal(complete(&run), HK_OK);
    assert_true(hk_is_zero(&run.service, sizeof(run.service)));
    assert_int_equal(complete(&run), HK_CONFLICT);
}

/* One try for each commitment: after a bad opening the good one is refused too, and nothing was written. */
static void refused_message_ends_the_run(void **state)
{
    (void)state;
    struct run run;
    begin(&run, curve);
    assert_int_equal(finish(&run), HK_OK);
    run.opening.opening[0] ^= 1;
    assert_int_equal(complete(&run), HK_BAD_PROOF);
    assert_true(hk_is_zero(&run.at_service, sizeof(run.at_service)));
    run.opening.opening[0] ^= 1;
    assert_int_equal(complete(&run), HK_CONFLICT);
    begin(&run, curve);
    run.proof[curve->point_bytes + 8] ^= 1;
    assert_int_equal(finish(&run), HK_BAD_PROOF);
    assert_true(hk_is_zero(&run.at_device, sizeof(run.at_device)));
    assert_true(hk_is_zero(&run.opening, sizeof(run.opening)));
    run.proof[curve->point_bytes + 8] ^= 1;
    assert_int_equal(finish(&run), HK_CONFLICT);
}

static void commitment_opens_only_to_what_was_committed(void **state)
{
    (void)state;
    struct run run, other;
    begin(&run, curve);
    begin(&other, curve);
    assert_int_equal(finish(&run), HK_OK);
    assert_int_equal(finish(&other), HK_OK);
    struct hk_keygen_service service = run.service;
    run.opening = other.opening;
    assert_int_equal(complete(&run), HK_BAD_PROOF);
    run.service = service;
    run.opening.opening[31] ^= 0x80;
    assert_int_equal(complete(&run), HK_BAD_PROOF);
}

/* attacks.md 3: a device that waits for S and then chooses D = D' - S for a D' whose logarithm it knows. */
static void rogue_key_chosen_after_seeing_the_other_is_refused(void **state)
{
    (void)state;
    struct run run;
    struct hk_scalar wanted;
    struct hk_point target, service, rogue;
    begin(&run, curve);
    assert_int_equal(curve->point_decode(&service, run.point), HK_OK);
    assert_int_equal(finish(&run), HK_OK);
    hk_scalar_random(curve, &wanted);
    curve->base_mul(&target, &wanted);
    curve->point_sub(&rogue, &target, &service);
    struct hk_keygen_opening opening = run.opening;
    memcpy(opening.point, rogue.bytes, curve->point_bytes);
    hk_schnorr_prove(opening.proof, curve, run.sid, HK_PROVER_DEVICE, &rogue, &wanted);
    struct hk_keygen_service copy = run.service;
    assert_int_equal(
        hk_keygen_complete(&run.at_service, &copy, opening.point, opening.proof, opening.opening),
        HK_BAD_PROOF);
    /* Even with a commitment to it, the proof does not hold: the device does not know log D. */
    uint8_t commitment[HK_NAME_BYTES];
    hk_hash_name(commitment, "dkg/commit", 4,
                 (struct hk_bytes[]){HK_BYTES(run.sid, 32), HK_BYTES(opening.point, curve->point_bytes),
                                     HK_BYTES(opening.proof, curve->point_bytes + curve->scalar_bytes),
                                     HK_BYTES(opening.opening, 32)});
    memcpy(run.service.commitment, commitment, HK_NAME_BYTES);
    assert_int_equal(
        hk_keygen_complete(&run.at_service, &run.service, opening.point, opening.proof, opening.opening),
        HK_BAD_PROOF);
}

/* And the service that answers D - something: its proof fails, and X cannot be the identity. */
static void service_that_cancels_the_device_is_refused(void **state)
{
    (void)state;
    struct run run;
    struct hk_scalar zero, minus;
    struct hk_point point;
    uint8_t t1[HK_NAME_BYTES];
    begin(&run, curve);
    curve->scalar_set(&zero, 0);
    curve->scalar_sub(&minus, &zero, &run.device.half);
    curve->base_mul(&point, &minus);
    hk_hash_name(t1, "dkg/1", 2, (struct hk_bytes[]){HK_BYTES(run.sid, 32), HK_BYTES(run.commitment, 32)});
    memcpy(run.point, point.bytes, curve->point_bytes);
    hk_schnorr_prove(run.proof, curve, t1, HK_PROVER_SERVICE, &point, &minus);
    assert_int_equal(finish(&run), HK_BAD_POINT);
}

static void proof_of_another_run_or_role_is_refused(void **state)
{
    (void)state;
    struct run run, other;
    begin(&run, curve);
    begin(&other, curve);
    memcpy(run.point, other.point, sizeof(run.point));
    memcpy(run.proof, other.proof, sizeof(run.proof));
    assert_int_equal(finish(&run), HK_BAD_PROOF);
    /* The device's own point and proof, sent back to it. */
    memcpy(other.point, other.device.point, sizeof(other.point));
    memcpy(other.proof, other.device.proof, sizeof(other.proof));
    assert_int_equal(finish(&other), HK_BAD_PROOF);
}

static void points_that_are_none_are_refused(void **state)
{
    (void)state;
    /* each is none in either group */
    static const uint8_t bad[][HK_POINT_BYTES_MAX] = {{1}, {0}, {2}, {[0] = 1, [31] = 0x80}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct run run;
        begin(&run, curve);
        memcpy(run.point, bad[i], curve->point_bytes);
        assert_int_equal(finish(&run), HK_BAD_POINT);
    }
}

static void every_name_is_part_of_the_sid(void **state)
{
    (void)state;
    uint8_t fields[7][64] = {{1}, {2}, {3}, {4}, {5}, {6}, {7}}, sids[9][HK_NAME_BYTES];
    for (size_t changed = 0; changed < 9; changed++) {
        if (changed < 6) {
            fields[changed][5] ^= 1;
        }
        struct hk_keygen_names names = {.handshake = HK_BYTES(fields[0], 64),
                                        .request_id = fields[1],
                                        .account = HK_BYTES(fields[2], changed == 6 ? 0 : 64),
                                        .suite =
                                            hk_suite_by_id(changed == 7 ? HK_SUITE_ED25519 : HK_SUITE_X25519),
                                        .key_id = fields[3],
                                        .device_key = fields[4],
                                        .service_key = fields[5]};
        hk_keygen_sid(sids[changed], &names);
        if (changed < 6) {
            fields[changed][5] ^= 1;
        }
        for (size_t i = 0; i < changed; i++) {
            assert_memory_not_equal(sids[changed], sids[i], HK_NAME_BYTES);
        }
    }
}

static void last_message_must_be_of_this_run(void **state)
{
    (void)state;
    struct run run, other;
    begin(&run, curve);
    begin(&other, curve);
    assert_int_equal(finish(&run), HK_OK);
    assert_int_equal(finish(&other), HK_OK);
    assert_int_equal(
        hk_keygen_accept(&run.at_device, curve, other.at_device.transcript, run.at_device.public_key),
        HK_BAD_PROOF);
    assert_int_equal(
        hk_keygen_accept(&run.at_device, curve, run.at_device.transcript, other.at_device.public_key),
        HK_BAD_PROOF);
}

static void imported_key_is_split_and_the_original_wiped(void **state)
{
    (void)state;
    struct run run = {.group = curve};
    struct hk_scalar whole;
    struct hk_point x;
    uint8_t scalar[32], proof[HK_SCHNORR_BYTES_MAX], sid[HK_NAME_BYTES] = {1}, other[HK_NAME_BYTES] = {2};
    hk_scalar_random(curve, &whole);
    curve->base_mul(&x, &whole);
    assert_int_equal(hk_import_split(&run.at_device, scalar, proof, curve, sid, &whole), HK_OK);
    assert_true(hk_is_zero(&whole, sizeof(whole)));
    const uint8_t *point = run.at_device.device_point;
    assert_int_equal(hk_import_take(&run.at_service, curve, other, scalar, point, proof), HK_BAD_PROOF);
    assert_int_equal(hk_import_take(&run.at_service, curve, sid, scalar, point, proof), HK_OK);
    assert_one_key(&run);
    assert_memory_equal(run.at_service.public_key, x.bytes, curve->point_bytes);
    memset(scalar, 0, sizeof(scalar));
    assert_int_equal(hk_import_take(&run.at_service, curve, sid, scalar, point, proof), HK_BAD_SCALAR);
    memset(scalar, 0xff, sizeof(scalar));
    assert_int_equal(hk_import_take(&run.at_service, curve, sid, scalar, point, proof), HK_BAD_SCALAR);
    assert_int_equal(hk_import_split(&run.at_device, scalar, proof, curve, sid, &whole), HK_BAD_SCALAR);
}

/* Every pair of halves. */
static void toy_group_every_pair_of_halves(void **state)
{
    (void)state;
    for (unsigned d = 1; d < HK_TOY_ORDER; d++) {
        for (unsigned s = 1; s < HK_TOY_ORDER; s++) {
            struct run run;
            hk_random_choose((unsigned[]){d, s}, 2);
            begin(&run, TOY);
            hk_random_restore();
            enum hk_error expected = d + s == HK_TOY_ORDER ? HK_BAD_POINT : HK_OK;
            assert_int_equal(finish(&run), expected);
            if (expected != HK_OK) {
                continue;
            }
            assert_int_equal(complete(&run), HK_OK);
            assert_one_key(&run);
            assert_int_equal(hk_toy_value(&run.at_device.half), d);
            assert_int_equal(hk_toy_value(&run.at_service.half), s);
        }
    }
}

/* Every answer that a service could give to a device: taken exactly if it proves what it says and X is a key.
 */
static void toy_group_every_answer_of_a_service(void **state)
{
    (void)state;
    struct run run;
    begin(&run, TOY);
    uint8_t t1[HK_NAME_BYTES];
    hk_hash_name(t1, "dkg/1", 2, (struct hk_bytes[]){HK_BYTES(run.sid, 32), HK_BYTES(run.commitment, 32)});
    for (unsigned point = 0; point < 64; point++) {
        for (unsigned r = 0; r < 64; r++) {
            for (unsigned z = 0; z < 16; z++) {
                struct hk_keygen_device device = run.device;
                struct hk_keygen_result result;
                struct hk_keygen_opening opening;
                struct hk_point service, own, sum;
                uint8_t s = (uint8_t)point, proof[2] = {(uint8_t)r, (uint8_t)z};
                bool good = TOY->point_decode(&service, &s) == HK_OK &&
                            TOY->point_decode(&own, run.device.point) == HK_OK &&
                            hk_schnorr_verify(TOY, t1, HK_PROVER_SERVICE, &service, proof) == HK_OK;
                if (good) {
                    TOY->point_add(&sum, &own, &service);
                    good = !TOY->point_is_identity(&sum);
                }
                bool taken = hk_keygen_finish(&result, &opening, &device, &s, proof) == HK_OK;
                assert_int_equal(taken, good);
            }
        }
    }
}

/* Every opening that a device could send: the one that was committed to and no other. */
static void toy_group_every_opening_of_a_device(void **state)
{
    (void)state;
    struct run run;
    do {
        begin(&run, TOY);
    } while (finish(&run) != HK_OK);
    unsigned accepted = 0;
    for (unsigned point = 0; point < 64; point++) {
        for (unsigned r = 0; r < 64; r++) {
            for (unsigned z = 0; z < 16; z++) {
                struct hk_keygen_service service = run.service;
                struct hk_keygen_result result;
                uint8_t d = (uint8_t)point, proof[2] = {(uint8_t)r, (uint8_t)z};
                accepted += hk_keygen_complete(&result, &service, &d, proof, run.opening.opening) == HK_OK;
            }
        }
    }
    assert_int_equal(accepted, 1);
}

static void toy_group_every_import(void **state)
{
    (void)state;
    uint8_t sid[HK_NAME_BYTES] = {3};
    for (unsigned x = 0; x < HK_TOY_ORDER; x++) {
        for (unsigned d = 1; d < HK_TOY_ORDER; d++) {
            struct run run = {.group = TOY};
            struct hk_scalar whole = hk_toy_scalar(x);
            uint8_t scalar, proof[2];
            hk_random_choose(&d, 1);
            enum hk_error error = hk_import_split(&run.at_device, &scalar, proof, TOY, sid, &whole);
            hk_random_restore();
            assert_int_equal(error, x == 0 ? HK_BAD_SCALAR : HK_OK);
            if (x == 0) {
                continue;
            }
            assert_int_equal(
                hk_import_take(&run.at_service, TOY, sid, &scalar, run.at_device.device_point, proof), HK_OK);
            assert_one_key(&run);
            struct hk_point key = hk_toy_point(x);
            assert_int_equal(run.at_service.public_key[0], key.bytes[0]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest each[] = {cmocka_unit_test(honest_run_makes_one_key_in_two_halves),
                                      cmocka_unit_test(runs_can_be_used_once),
                                      cmocka_unit_test(refused_message_ends_the_run),
                                      cmocka_unit_test(commitment_opens_only_to_what_was_committed),
                                      cmocka_unit_test(rogue_key_chosen_after_seeing_the_other_is_refused),
                                      cmocka_unit_test(service_that_cancels_the_device_is_refused),
                                      cmocka_unit_test(proof_of_another_run_or_role_is_refused),
                                      cmocka_unit_test(points_that_are_none_are_refused),
                                      cmocka_unit_test(last_message_must_be_of_this_run),
                                      cmocka_unit_test(imported_key_is_split_and_the_original_wiped)};
    const struct CMUnitTest once[] = {
        cmocka_unit_test(every_name_is_part_of_the_sid), cmocka_unit_test(toy_group_every_pair_of_halves),
        cmocka_unit_test(toy_group_every_answer_of_a_service),
        cmocka_unit_test(toy_group_every_opening_of_a_device), cmocka_unit_test(toy_group_every_import)};
    int failed = sodium_init() < 0;
    HK_RUN_FOR_GROUPS(failed, curve, each)
    return failed + cmocka_run_group_tests(once, NULL, NULL);
}

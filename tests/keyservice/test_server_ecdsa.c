/* Two-party ECDSA at the real service: set-up, both modes, slots, refresh of both kinds, enrolment, and that
 * an old device's state with the service's whole store gives nothing after a revocation or a full refresh. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "keyservice/vault_parts.h"
#include "tests/support/ecdsa_service.h"

static struct hk_test_ecdsa_service world;

static int set_up(void **state)
{
    (void)state;
    hk_ecdsa_service_start(&world, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_ecdsa_service_end(&world);
    return 0;
}

static void signs_in_both_modes_and_after_a_restart(void **state)
{
    (void)state;
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    for (int i = 0; i < 3; i++) {
        hk_ecdsa_assert_signs(&world.laptop, &world.run);
    }
    world.run.next = true; /* each answer brings the next offer: one round trip a signature */
    assert_int_equal(hk_test_ecdsa_commit(&world.laptop, key, &world.run, true), HK_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hk_test_ecdsa_request(key, &world.run), HK_OK);
        assert_int_equal(hk_test_ecdsa_send(&world.laptop, key, &world.run), HK_OK);
        world.run.nonce = world.run.next_nonce;
        world.run.offer = world.run.next_offer;
        hk_random(world.run.digest, sizeof(world.run.digest));
    }
    world.run.next = false;
    assert_int_equal(hk_test_ecdsa_request(key, &world.run), HK_OK);
    hk_test_hang_up(&world.laptop);
    hk_test_service_kill(&world.service);
    hk_test_service_restart(&world.service);
    assert_int_equal(hk_test_ecdsa_send(&world.laptop, key, &world.run),
                     HK_UNKNOWN_RUN); /* slots die with the process */
    struct hk_ring before = world.run.pair.ring;
    assert_int_equal(hk_test_ecdsa_ring(&world.laptop, &world.run), HK_OK);
    assert_memory_equal(&before, &world.run.pair.ring, sizeof(before));
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
}

static void a_slot_serves_once_whatever_came_of_it(void **state)
{
    (void)state;
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    assert_int_equal(hk_test_ecdsa_commit(&world.laptop, key, &world.run, false), HK_OK);
    assert_int_equal(hk_test_ecdsa_request(key, &world.run), HK_OK);
    assert_int_equal(hk_test_ecdsa_send(&world.laptop, key, &world.run), HK_OK);
    assert_int_equal(hk_test_ecdsa_send(&world.laptop, key, &world.run), HK_UNKNOWN_RUN);
    assert_int_equal(hk_test_ecdsa_commit(&world.laptop, key, &world.run, false), HK_OK);
    assert_int_equal(hk_test_ecdsa_request(key, &world.run), HK_OK);
    world.run.request.proof[700] ^= 1;
    assert_int_equal(hk_test_ecdsa_send(&world.laptop, key, &world.run), HK_BAD_PROOF);
    world.run.request.proof[700] ^= 1;
    assert_int_equal(hk_test_ecdsa_send(&world.laptop, key, &world.run), HK_UNKNOWN_RUN);
    hk_ecdsa_assert_signs(&world.laptop, &world.run); /* and no pair is ever locked */
}

static void a_pair_has_four_slots_and_the_oldest_makes_room(void **state)
{
    (void)state;
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    assert_int_equal(hk_test_ecdsa_commit(&world.laptop, key, &world.run, false), HK_OK);
    assert_int_equal(hk_test_ecdsa_request(key, &world.run), HK_OK);
    world.other = world.run;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hk_test_ecdsa_commit(&world.laptop, key, &world.other, false), HK_OK);
    }
    world.other = world.run;
    assert_int_equal(hk_test_ecdsa_send(&world.laptop, key, &world.other), HK_OK); /* the fourth back */
    assert_int_equal(hk_test_ecdsa_commit(&world.laptop, key, &world.run, false), HK_OK);
    assert_int_equal(hk_test_ecdsa_request(key, &world.run), HK_OK);
    world.other = world.run;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(hk_test_ecdsa_commit(&world.laptop, key, &world.other, false), HK_OK);
    }
    assert_int_equal(hk_test_ecdsa_send(&world.laptop, key, &world.run), HK_UNKNOWN_RUN);
}

static void shifts_and_full_refreshes_follow_each_other(void **state)
{
    (void)state;
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(hk_test_ecdsa_commit(&world.laptop, key, &world.run, true), HK_OK);
        assert_int_equal(hk_test_ecdsa_request(key, &world.run), HK_OK);
        world.other = world.run;
        hk_ecdsa_service_refresh(&world.laptop, &world.run);
        assert_int_not_equal(hk_test_ecdsa_send(&world.laptop, key, &world.other),
                             HK_OK); /* a slot of the old epoch */
        hk_ecdsa_assert_signs(&world.laptop, &world.run);
    }
    world.other = world.run;
    assert_int_equal(hk_test_ecdsa_setup(&world.laptop, key, &world.run), HK_OK);
    assert_memory_not_equal(world.run.pair.paillier.n, world.other.pair.paillier.n, 256);
    assert_int_equal(hk_test_ecdsa_sign(&world.laptop, key, &world.other),
                     HK_CONFLICT); /* says that it is another */
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
    hk_ecdsa_service_refresh(&world.laptop, &world.run);
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
}

static void a_set_up_waits_for_a_refresh_to_end(void **state)
{
    (void)state;
    static struct hk_test_epoch next;
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&world.laptop, &next), HK_OK);
    hk_test_hang_up(&world.laptop);
    assert_int_equal(hk_test_ecdsa_setup(&world.laptop, key, &world.other), HK_LOCKED);
}

static void every_device_has_a_paillier_key_of_its_own(void **state)
{
    (void)state;
    hk_ecdsa_service_begin(&world);
    hk_ecdsa_service_enrol(&world);
    assert_memory_not_equal(world.run.pair.paillier.n, world.other.pair.paillier.n, 256);
    assert_memory_equal(&world.run.pair.public_key, &world.other.pair.public_key,
                        sizeof(world.run.pair.public_key));
    hk_ecdsa_assert_signs(&world.phone, &world.other);
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
    /* One's set-up is of no use to the other, nor is its slot. */
    assert_int_equal(hk_test_ecdsa_sign(&world.phone, hk_ecdsa_key_of(&world.phone), &world.run),
                     HK_CONFLICT);
    assert_int_equal(hk_test_ecdsa_commit(&world.phone, hk_ecdsa_key_of(&world.phone), &world.other, false),
                     HK_OK);
    assert_int_equal(hk_test_ecdsa_request(hk_ecdsa_key_of(&world.phone), &world.other), HK_OK);
    memcpy(world.other.pair.name, world.run.pair.name, HK_NAME_BYTES);
    assert_int_equal(hk_test_ecdsa_send(&world.laptop, hk_ecdsa_key_of(&world.laptop), &world.other),
                     HK_UNKNOWN_RUN);
}

static void keys_of_other_suites_are_refused(void **state)
{
    (void)state;
    hk_ecdsa_service_begin(&world);
    assert_int_equal(hk_test_keygen(&world.laptop, HK_SUITE_SECP256K1_SCHNORR, "taproot"), HK_OK);
    for (size_t i = 0; i < world.laptop.key_count; i++) {
        if (world.laptop.key[i].suite->id == HK_SUITE_SECP256K1_SCHNORR) {
            struct hk_message request, answer;
            hk_test_request(&request, HK_OP_ECDSA_SETUP, &world.laptop);
            hk_message_set_bytes(&request, HK_F_KEY, world.laptop.key[i].id, HK_ID_BYTES);
            assert_int_equal(hk_test_call(&world.laptop, &request, &answer), HK_WRONG_PURPOSE);
        }
    }
    uint8_t signature[64];
    assert_int_equal(
        hk_test_sign(&world.laptop, hk_ecdsa_key_of(&world.laptop), HK_SIGN_RAW, "x", 1, signature),
        HK_WRONG_PURPOSE);
}

/* -- with the real stores -- */

/* What a thief of the service finds there for a device's pair: its half and its Paillier key, through the
 * vault as the service opens it. */
static enum hk_error steal(const struct hk_test_device *device, struct hk_scalar *half, uint8_t *stored,
                           size_t *size)
{
    char data[128];
    (void)snprintf(data, sizeof(data), "%s/data", world.service.directory);
    struct hk_vault_options options = {.data = data};
    struct hk_vault *vault;
    struct hk_txn *txn;
    struct hk_device row;
    struct hk_key key;
    char reason[256];
    assert_int_equal(hk_vault_open_parts(&vault, &options, HK_VAULT_CHECK, reason), HK_OK);
    assert_int_equal(hk_store_read_begin(hk_vault_store(vault), &txn), HK_OK);
    enum hk_error error = hk_store_get_device(txn, device->serial, &row);
    if (error == HK_OK) {
        error = hk_store_get_key(txn, device->account,
                                 hk_ecdsa_key_of((struct hk_test_device *)(uintptr_t)device)->id, &key);
    }
    if (error == HK_OK) {
        error = hk_store_get_half(txn, &row, &key, half);
    }
    if (error == HK_OK) {
        error = hk_store_get_ecdsa(txn, &row, key.id, stored, size);
    }
    hk_store_read_end(txn);
    hk_vault_close(vault);
    return error;
}

/* d of the device, and s out of its C with a Paillier key: do they make x? */
static bool opens(const struct hk_test_ecdsa *old, const struct hk_scalar *device_half, const uint8_t *stored,
                  size_t size)
{
    struct hk_paillier_secret paillier;
    hk_limb plain[HK_PAILLIER_N_LIMBS_MAX] = {0};
    struct hk_scalar s, x;
    struct hk_point point;
    assert_int_equal(hk_paillier_secret_decode(&paillier, stored + 8, (size - 8) / 2), HK_OK);
    if (memcmp(paillier.key.n, old->pair.paillier.n, 256) == 0) {
        hk_paillier_decrypt(plain, &paillier, old->pair.cipher);
        if ((plain[31] >> 63) != 0) { /* below zero */
            (void)mpn_sub_n(plain, paillier.key.n, plain, 32);
            hk_ecdsa_scalar_of(&s, plain, 32);
            hk_secp256k1_negate_if(&s, &s, true);
        } else {
            hk_ecdsa_scalar_of(&s, plain, 32);
        }
    } else {
        hk_big_mod(plain, old->pair.cipher, 64, paillier.key.n, 32); /* some number */
        hk_ecdsa_scalar_of(&s, plain, 32);
    }
    hk_secp256k1.scalar_add(&x, &s, device_half);
    hk_secp256k1.base_mul(&point, &x);
    return hk_point_equal(&hk_secp256k1, &point, &old->pair.public_key);
}

static void old_device_and_stolen_store_give_the_key_only_before_a_full_refresh(void **state)
{
    (void)state;
    struct hk_scalar half, device_half;
    uint8_t stored[HK_STORE_ECDSA_MAX];
    size_t size = 0;
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    device_half = key->half;
    world.other = world.run; /* the old device: d, N, C */
    hk_test_hang_up(&world.laptop);
    assert_int_equal(hk_test_service_stop(&world.service), 0);
    assert_int_equal(steal(&world.laptop, &half, stored, &size), HK_OK);
    assert_true(
        opens(&world.other, &device_half, stored, size)); /* what collusion always gives, at one epoch */
    hk_test_service_restart(&world.service);
    hk_ecdsa_service_refresh(
        &world.laptop, &world.run); /* a shift: the halves do not fit, but the Paillier key is the same */
    hk_test_hang_up(&world.laptop);
    assert_int_equal(hk_test_service_stop(&world.service), 0);
    assert_int_equal(steal(&world.laptop, &half, stored, &size), HK_OK);
    assert_true(
        opens(&world.other, &device_half, stored, size)); /* docs/ecdsa.md: a shift is not proactive */
    hk_test_service_restart(&world.service);
    assert_int_equal(hk_test_ecdsa_setup(&world.laptop, key, &world.run), HK_OK);
    hk_test_hang_up(&world.laptop);
    assert_int_equal(hk_test_service_stop(&world.service), 0);
    assert_int_equal(steal(&world.laptop, &half, stored, &size), HK_OK);
    assert_false(opens(&world.other, &device_half, stored, size)); /* full: nothing */
    struct hk_scalar x;
    struct hk_point point;
    hk_secp256k1.scalar_add(&x, &half, &device_half);
    hk_secp256k1.base_mul(&point, &x);
    assert_false(hk_point_equal(&hk_secp256k1, &point, &world.run.pair.public_key));
    hk_test_service_restart(&world.service);
}

static void revoked_device_and_stolen_store_give_nothing(void **state)
{
    (void)state;
    struct hk_scalar half;
    uint8_t stored[HK_STORE_ECDSA_MAX];
    size_t size = 0;
    hk_ecdsa_service_begin(&world);
    hk_ecdsa_service_enrol(&world);
    hk_ecdsa_assert_signs(&world.phone, &world.other);
    assert_int_equal(hk_test_ecdsa_commit(&world.phone, hk_ecdsa_key_of(&world.phone), &world.other, true),
                     HK_OK);
    assert_int_equal(hk_test_ecdsa_request(hk_ecdsa_key_of(&world.phone), &world.other), HK_OK);
    assert_int_equal(hk_ecdsa_service_revoke(&world), HK_OK);
    assert_int_not_equal(hk_test_ecdsa_send(&world.phone, hk_ecdsa_key_of(&world.phone), &world.other),
                         HK_OK);
    hk_test_hang_up(&world.laptop);
    hk_test_hang_up(&world.phone);
    assert_int_equal(hk_test_service_stop(&world.service), 0);
    assert_int_not_equal(steal(&world.phone, &half, stored, &size), HK_OK);
    assert_int_equal(steal(&world.laptop, &half, stored, &size), HK_NOT_FOUND); /* full refresh, forced */
    hk_test_service_restart(&world.service);
    assert_int_equal(hk_test_ecdsa_setup(&world.laptop, hk_ecdsa_key_of(&world.laptop), &world.run), HK_OK);
    hk_test_hang_up(&world.laptop);
    assert_int_equal(hk_test_service_stop(&world.service), 0);
    assert_int_equal(steal(&world.laptop, &half, stored, &size),
                     HK_OK); /* the thief can open what is there */
    assert_false(opens(&world.other, &hk_ecdsa_key_of(&world.phone)->half, stored, size));
    hk_test_service_restart(&world.service);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(signs_in_both_modes_and_after_a_restart),
        TEST(a_slot_serves_once_whatever_came_of_it),
        TEST(a_pair_has_four_slots_and_the_oldest_makes_room),
        TEST(shifts_and_full_refreshes_follow_each_other),
        TEST(a_set_up_waits_for_a_refresh_to_end),
        TEST(every_device_has_a_paillier_key_of_its_own),
        TEST(keys_of_other_suites_are_refused),
        TEST(old_device_and_stolen_store_give_the_key_only_before_a_full_refresh),
        TEST(revoked_device_and_stolen_store_give_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

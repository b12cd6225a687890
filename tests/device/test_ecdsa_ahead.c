/* What is made ahead of ECDSA signatures: handed out once, for one pair at one epoch. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "device/ecdsa_ahead.h"
#include "tests/support/ecdsa_world.h"

static struct ecdsa_world world;
static struct hk_ecdsa_ahead *ahead;

static int set_up(void **state)
{
    (void)state;
    return hk_ecdsa_ahead_new(&ahead) == HK_OK ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    hk_ecdsa_ahead_free(ahead);
    return 0;
}

static void let_it_work(void)
{
    const struct timespec second = {1, 0};
    (void)nanosleep(&second, NULL);
}

static void every_mask_is_another_and_signs(void **state)
{
    (void)state;
    uint8_t seen[8][32];
    for (size_t i = 0; i < 8; i++) { /* more than wait: some come from the thread, some are made here */
        struct ecdsa_run run;
        if (i == 1) {
            let_it_work();
        }
        ecdsa_run_begin(&run, &world, false);
        hk_ecdsa_ahead_mask(ahead, &run.mask, &world.pair, &world.device_half);
        memcpy(seen[i], run.mask.w, 32);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(seen[j], seen[i], 32);
        }
        assert_int_equal(ecdsa_run_request(&run, &world), HK_OK);
        assert_int_equal(ecdsa_run_answer(&run, &world), HK_OK);
        assert_int_equal(ecdsa_run_accept(&run, &world), HK_OK);
    }
}

static void nothing_made_for_an_old_epoch_is_handed_out(void **state)
{
    (void)state;
    struct ecdsa_run run;
    struct hk_scalar delta;
    hk_ecdsa_ahead_mask(ahead, &run.mask, &world.pair, &world.device_half);
    let_it_work();
    ecdsa_run_begin(&run, &world, true);
    hk_ecdsa_ahead_keep(ahead, &world.pair, &run.nonce, &run.offer);
    hk_scalar_random(&hk_secp256k1, &delta);
    ecdsa_world_shift(&world, &delta);
    assert_false(hk_ecdsa_ahead_take(ahead, &world.pair, &run.nonce, &run.offer));
    ecdsa_run_begin(&run, &world, true);
    hk_ecdsa_ahead_mask(ahead, &run.mask, &world.pair, &world.device_half);
    assert_int_equal(ecdsa_run_request(&run, &world), HK_OK); /* one for this epoch, or it would be refused */
}

static void an_offer_is_handed_out_once(void **state)
{
    (void)state;
    struct ecdsa_run run, taken;
    hk_ecdsa_ahead_mask(ahead, &run.mask, &world.pair, &world.device_half);
    assert_false(hk_ecdsa_ahead_take(ahead, &world.pair, &taken.nonce, &taken.offer));
    ecdsa_run_begin(&run, &world, true);
    hk_ecdsa_ahead_keep(ahead, &world.pair, &run.nonce, &run.offer);
    assert_true(hk_ecdsa_ahead_take(ahead, &world.pair, &taken.nonce, &taken.offer));
    assert_memory_equal(taken.nonce.commitment, run.nonce.commitment, HK_NAME_BYTES);
    assert_false(hk_ecdsa_ahead_take(ahead, &world.pair, &taken.nonce, &taken.offer));
    run.nonce = taken.nonce;
    assert_int_equal(ecdsa_run_request(&run, &world), HK_OK);
    assert_int_equal(ecdsa_run_answer(&run, &world), HK_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(every_mask_is_another_and_signs),
                                       TEST(nothing_made_for_an_old_epoch_is_handed_out),
                                       TEST(an_offer_is_handed_out_once)};
    if (sodium_init() < 0) {
        return 1;
    }
    ecdsa_world_make(&world, HK_PAILLIER_BITS);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

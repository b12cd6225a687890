/* Key agreement in two halves against libsodium's X25519 with the whole key. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <valgrind/valgrind.h>

#include "crypto/agreement.h"
#include "crypto/random.h"

#define GROUP (&hk_edwards25519)

/* An X25519 private key, split. */
struct pair {
    uint8_t key[32];
    struct hk_scalar d8, s8;
    struct hk_point service;
};

static void split(struct pair *pair)
{
    struct hk_scalar x, d, s;
    hk_random(pair->key, 32);
    hk_x25519_scalar(&x, pair->key);
    hk_scalar_random(GROUP, &d);
    GROUP->scalar_sub(&s, &x, &d);
    GROUP->base_mul(&pair->service, &s);
    hk_agree_part(&hk_agree_x25519, &pair->d8, &d);
    hk_agree_part(&hk_agree_x25519, &pair->s8, &s);
}

static enum hk_error agree(uint8_t out[32], const struct pair *pair, const uint8_t u[32], bool blinded)
{
    struct hk_agree_mask mask;
    struct hk_agree_open open;
    uint8_t answer[32];
    hk_agree_mask_make(&hk_agree_x25519, &mask, &pair->service);
    enum hk_error error = hk_agree_begin(&hk_agree_x25519, &open, blinded ? &mask : NULL, u);
    if (error != HK_OK) {
        return error;
    }
    assert_int_equal(hk_agree_share(&hk_agree_x25519, answer, &pair->s8, open.sent, 1), HK_OK);
    return hk_agree_finish(out, &open, &pair->d8, answer);
}

static void result_is_exactly_x25519_blinded_or_not(void **state)
{
    int agreed = 0;
    (void)state;
    for (int i = 0; i < 1500; i++) {
        struct pair pair;
        uint8_t u[32], expected[32], out[32], plain[32];
        struct hk_point ignored;
        split(&pair);
        hk_random(u, 32); /* any order, top bit and all */
        if (hk_x25519_to_point(&ignored, u) != HK_OK) {
            continue;
        }
        assert_int_equal(crypto_scalarmult_curve25519(expected, pair.key, u), 0);
        assert_int_equal(agree(out, &pair, u, true), HK_OK);
        assert_int_equal(agree(plain, &pair, u, false), HK_OK);
        assert_memory_equal(out, expected, 32);
        assert_memory_equal(plain, expected, 32);
        agreed++;
    }
    assert_true(agreed > 600);
}

static void honest_sender_and_split_key_agree(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct pair pair;
        uint8_t ephemeral[32], u[32], public[32], theirs[32], ours[32];
        split(&pair);
        hk_random(ephemeral, 32);
        crypto_scalarmult_curve25519_base(u, ephemeral);
        crypto_scalarmult_curve25519_base(public, pair.key);
        assert_int_equal(crypto_scalarmult_curve25519(theirs, ephemeral, public), 0);
        assert_int_equal(agree(ours, &pair, u, true), HK_OK);
        assert_memory_equal(ours, theirs, 32);
    }
}

/* What the strict decoder refuses must be refused by the one library call that the share makes. */
static void check_refused(const uint8_t point[32])
{
    struct pair pair;
    struct hk_point ignored;
    uint8_t out[32], before[32];
    split(&pair);
    memset(out, 0x5a, 32);
    memcpy(before, out, 32);
    assert_int_equal(GROUP->point_decode(&ignored, point), HK_BAD_POINT);
    assert_int_equal(hk_agree_share(&hk_agree_x25519, out, &pair.s8, point, 1), HK_BAD_POINT);
    assert_memory_equal(out, before, 32);
}

static void service_refuses_every_point_that_the_strict_decoder_refuses(void **state)
{
    static const char *const small[] = {
        "0100000000000000000000000000000000000000000000000000000000000000", /* identity */
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* order 2 */
        "0000000000000000000000000000000000000000000000000000000000000000", /* 4 */
        "0000000000000000000000000000000000000000000000000000000000000080",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", /* 8 */
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        /* x = 0 with sign 1; not canonical */
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t point[32], sum[32], torsion[32];
    (void)state;
    for (size_t i = 0; i < sizeof(small) / sizeof(*small); i++) {
        sodium_hex2bin(point, 32, small[i], 64, NULL, NULL, NULL);
        check_refused(point);
    }
    /* every encoding with y from p up, either sign */
    for (unsigned low = 0xed; low <= 0xff; low++) {
        memset(point, 0xff, 32);
        point[0] = (uint8_t)low;
        check_refused(point);
        point[31] = 0x7f;
        check_refused(point);
    }
    /* mixed order: an honest point plus each multiple of one of order 8 */
    sodium_hex2bin(torsion, 32, small[4], 64, NULL, NULL, NULL);
    for (int i = 0; i < 20; i++) {
        struct hk_scalar k;
        struct hk_point honest;
        hk_scalar_random(GROUP, &k);
        GROUP->base_mul(&honest, &k);
        memcpy(sum, honest.bytes, 32);
        for (int j = 1; j < 8; j++) {
            assert_int_equal(crypto_core_ed25519_add(sum, sum, torsion), 0);
            check_refused(sum);
        }
    }
}

static void strict_decoder_and_share_agree_on_random_strings(void **state)
{
    int good = 0;
    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct pair pair;
        struct hk_point ignored;
        uint8_t point[32], out[32];
        if (i % 100 == 0) {
            split(&pair);
        }
        hk_random(point, 32);
        enum hk_error decoded = GROUP->point_decode(&ignored, point);
        assert_int_equal(hk_agree_share(&hk_agree_x25519, out, &pair.s8, point, 1), decoded);
        good += decoded == HK_OK;
    }
    assert_in_range(good, 60, 200); /* one in sixteen */
}

static void device_refuses_bad_answers_and_keeps_its_output(void **state)
{
    struct pair pair;
    struct hk_agree_open open;
    uint8_t u[32] = {9}, answer[32], shared[32], before[32];
    (void)state;
    split(&pair);
    memset(shared, 0x5a, 32);
    memcpy(before, shared, 32);
    assert_int_equal(hk_agree_begin(&hk_agree_x25519, &open, NULL, u), HK_OK);
    memset(answer, 0, 32);
    assert_int_equal(hk_agree_finish(shared, &open, &pair.d8, answer), HK_BAD_POINT);
    answer[0] = 1;
    assert_int_equal(hk_agree_finish(shared, &open, &pair.d8, answer), HK_BAD_POINT);
    /* the negative of the device's own share makes the sum the identity, whose u is all zero */
    struct hk_point own = open.point, zero;
    GROUP->point_mul(&own, &pair.d8, &own);
    GROUP->point_identity(&zero);
    GROUP->point_sub(&own, &zero, &own);
    assert_int_equal(hk_agree_finish(shared, &open, &pair.d8, own.bytes), HK_BAD_POINT);
    assert_memory_equal(shared, before, 32);
}

static void mask_works_once_and_is_wiped_even_on_failure(void **state)
{
    struct pair pair;
    struct hk_agree_mask mask;
    struct hk_agree_open open;
    uint8_t good[32] = {9}, bad[32] = {0};
    (void)state;
    split(&pair);
    hk_agree_mask_make(&hk_agree_x25519, &mask, &pair.service);
    assert_int_equal(hk_agree_begin(&hk_agree_x25519, &open, &mask, good), HK_OK);
    assert_true(hk_is_zero(&mask, sizeof(mask)));
    assert_int_equal(hk_agree_begin(&hk_agree_x25519, &open, &mask, good), HK_CONFLICT);
    hk_agree_mask_make(&hk_agree_x25519, &mask, &pair.service);
    assert_int_equal(hk_agree_begin(&hk_agree_x25519, &open, &mask, bad), HK_BAD_POINT);
    assert_true(hk_is_zero(&mask, sizeof(mask)));
}

static int order(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static void service_sees_no_point_twice_for_one_ciphertext(void **state)
{
    enum { TIMES = 10000 };
    static uint8_t seen[TIMES + 1][32];
    struct pair pair;
    uint8_t u[32] = {9};
    struct hk_point plain;
    const int times =
        RUNNING_ON_VALGRIND ? TIMES / 50 : TIMES; /* what memcheck looks for is in the first few */
    (void)state;
    split(&pair);
    assert_int_equal(hk_x25519_to_point(&plain, u), HK_OK);
    memcpy(seen[times], plain.bytes, 32);
    for (int i = 0; i < times; i++) {
        struct hk_agree_mask mask;
        struct hk_agree_open open;
        hk_agree_mask_make(&hk_agree_x25519, &mask, &pair.service);
        assert_int_equal(hk_agree_begin(&hk_agree_x25519, &open, &mask, u), HK_OK);
        memcpy(seen[i], open.sent, 32);
    }
    qsort(seen, (size_t)times + 1, 32, order);
    for (int i = 0; i < times; i++) {
        assert_memory_not_equal(seen[i], seen[i + 1], 32);
    }
}

static void batch_gives_what_single_shares_give_and_is_all_or_nothing(void **state)
{
    static uint8_t points[HK_AGREE_BATCH_MAX * 32 + 32], batch[HK_AGREE_BATCH_MAX * 32], one[32];
    struct pair pair;
    (void)state;
    split(&pair);
    for (size_t i = 0; i < HK_AGREE_BATCH_MAX; i++) {
        struct hk_scalar k;
        struct hk_point point;
        hk_scalar_random(GROUP, &k);
        GROUP->base_mul(&point, &k);
        memcpy(points + 32 * i, point.bytes, 32);
    }
    assert_int_equal(hk_agree_share(&hk_agree_x25519, batch, &pair.s8, points, HK_AGREE_BATCH_MAX), HK_OK);
    for (size_t i = 0; i < HK_AGREE_BATCH_MAX; i += 17) {
        assert_int_equal(hk_agree_share(&hk_agree_x25519, one, &pair.s8, points + 32 * i, 1), HK_OK);
        assert_memory_equal(one, batch + 32 * i, 32);
    }
    memset(batch, 0, sizeof(batch));
    memset(points + 32 * 255, 0, 32);
    assert_int_equal(hk_agree_share(&hk_agree_x25519, batch, &pair.s8, points, HK_AGREE_BATCH_MAX),
                     HK_BAD_POINT);
    assert_true(hk_is_zero(batch, sizeof(batch)));
    assert_int_equal(hk_agree_share(&hk_agree_x25519, batch, &pair.s8, points, 0), HK_TOO_LARGE);
    assert_int_equal(hk_agree_share(&hk_agree_x25519, batch, &pair.s8, points, HK_AGREE_BATCH_MAX + 1),
                     HK_TOO_LARGE);
}

static void eighth_times_eight_is_the_half(void **state)
{
    struct hk_scalar half, eighth, eight;
    (void)state;
    GROUP->scalar_set(&eight, 8);
    for (int i = 0; i < 100; i++) {
        hk_scalar_random(GROUP, &half);
        hk_agree_part(&hk_agree_x25519, &eighth, &half);
        GROUP->scalar_mul(&eighth, &eighth, &eight);
        assert_memory_equal(eighth.bytes, half.bytes, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(result_is_exactly_x25519_blinded_or_not),
        cmocka_unit_test(honest_sender_and_split_key_agree),
        cmocka_unit_test(service_refuses_every_point_that_the_strict_decoder_refuses),
        cmocka_unit_test(strict_decoder_and_share_agree_on_random_strings),
        cmocka_unit_test(device_refuses_bad_answers_and_keeps_its_output),
        cmocka_unit_test(mask_works_once_and_is_wiped_even_on_failure),
        cmocka_unit_test(service_sees_no_point_twice_for_one_ciphertext),
        cmocka_unit_test(batch_gives_what_single_shares_give_and_is_all_or_nothing),
        cmocka_unit_test(eighth_times_eight_is_the_half),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

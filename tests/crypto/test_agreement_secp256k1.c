/* Key agreement on secp256k1 in two halves against libsecp256k1's own with the whole key. */
#include <setjmp.h>
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/agreement.h"
#include "crypto/group_secp256k1.h"
#include "crypto/random.h"

#define GROUP (&hk_secp256k1)
#define KIND (&hk_agree_secp256k1)
#define POINT HK_SECP256K1_POINT_BYTES

struct pair {
    struct hk_scalar x, d, s;
    struct hk_point service;
    uint8_t sender[POINT];
};

static void split(struct pair *pair)
{
    struct hk_scalar e;
    struct hk_point ephemeral;
    hk_scalar_random(GROUP, &pair->x);
    hk_scalar_random(GROUP, &pair->d);
    GROUP->scalar_sub(&pair->s, &pair->x, &pair->d);
    GROUP->base_mul(&pair->service, &pair->s);
    hk_scalar_random(GROUP, &e);
    GROUP->base_mul(&ephemeral, &e);
    memcpy(pair->sender, ephemeral.bytes, POINT);
}

static enum hk_error agree(uint8_t out[POINT], const struct pair *pair, const uint8_t *sender, bool blinded)
{
    struct hk_agree_mask mask;
    struct hk_agree_open open;
    struct hk_scalar part;
    uint8_t answer[POINT];
    hk_agree_mask_make(KIND, &mask, &pair->service);
    enum hk_error error = hk_agree_begin(KIND, &open, blinded ? &mask : NULL, sender);
    if (error != HK_OK) {
        return error;
    }
    assert_int_equal(memcmp(open.sent, sender, POINT) == 0, !blinded);
    hk_agree_part(KIND, &part, &pair->s);
    error = hk_agree_share(KIND, answer, &part, open.sent, 1);
    if (error != HK_OK) {
        return error;
    }
    hk_agree_part(KIND, &part, &pair->d);
    return hk_agree_finish(out, &open, &part, answer);
}

/* What an ECIES user of the library gets: SHA-256 of the compressed point. */
static void result_is_what_libsecp256k1_gives_with_the_whole_key(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct pair pair;
        secp256k1_pubkey sender;
        uint8_t expected[32], out[POINT], plain[POINT], hash[32];
        split(&pair);
        assert_int_equal(secp256k1_ec_pubkey_parse(secp256k1_context_static, &sender, pair.sender, POINT), 1);
        assert_int_equal(
            secp256k1_ecdh(secp256k1_context_static, expected, &sender, pair.x.bytes, NULL, NULL), 1);
        assert_int_equal(agree(out, &pair, pair.sender, true), HK_OK);
        assert_int_equal(agree(plain, &pair, pair.sender, false), HK_OK);
        assert_memory_equal(out, plain, POINT);
        crypto_hash_sha256(hash, out, POINT);
        assert_memory_equal(hash, expected, 32);
    }
}

static void points_that_are_none_are_refused_on_both_sides(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        struct pair pair;
        uint8_t out[POINT] = {0}, bad[POINT];
        split(&pair);
        memcpy(bad, pair.sender, POINT);
        bad[0] = (uint8_t)first;
        enum hk_error expected = first == 2 || first == 3 ? HK_OK : HK_BAD_POINT;
        assert_int_equal(agree(out, &pair, bad, true), expected);
        assert_int_equal(hk_agree_share(KIND, out, &pair.s, bad, 1), expected);
    }
    struct pair pair;
    uint8_t out[2 * POINT] = {0}, points[2 * POINT];
    split(&pair);
    memcpy(points, pair.sender, POINT);
    memset(points + POINT, 0xff, POINT); /* x >= p, behind a good one: nothing is written */
    points[POINT] = 2;
    assert_int_equal(hk_agree_share(KIND, out, &pair.s, points, 2), HK_BAD_POINT);
    assert_true(hk_is_zero(out, sizeof(out)));
}

static void an_answer_that_cancels_the_own_share_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    struct hk_agree_open open;
    struct hk_point own, zero;
    uint8_t shared[POINT] = {0};
    split(&pair);
    assert_int_equal(hk_agree_begin(KIND, &open, NULL, pair.sender), HK_OK);
    GROUP->point_mul(&own, &pair.d, &open.point);
    GROUP->point_identity(&zero);
    GROUP->point_sub(&own, &zero, &own);
    assert_int_equal(hk_agree_finish(shared, &open, &pair.d, own.bytes), HK_BAD_POINT);
    assert_true(hk_is_zero(shared, POINT));
}

static void masks_work_once_and_for_their_own_kind(void **state)
{
    (void)state;
    struct pair pair;
    struct hk_agree_mask mask;
    struct hk_agree_open open, again;
    uint8_t u[32] = {9};
    split(&pair);
    hk_agree_mask_make(KIND, &mask, &pair.service);
    assert_int_equal(hk_agree_begin(KIND, &open, &mask, pair.sender), HK_OK);
    assert_true(hk_is_zero(&mask, sizeof(mask)));
    assert_int_equal(hk_agree_begin(KIND, &again, &mask, pair.sender), HK_CONFLICT);
    hk_agree_mask_make(KIND, &mask, &pair.service);
    assert_int_equal(hk_agree_begin(&hk_agree_x25519, &again, &mask, u), HK_CONFLICT);
    assert_true(hk_is_zero(&mask, sizeof(mask)));
    /* a fresh mask for each: the service sees no point twice */
    hk_agree_mask_make(KIND, &mask, &pair.service);
    assert_int_equal(hk_agree_begin(KIND, &again, &mask, pair.sender), HK_OK);
    assert_memory_not_equal(open.sent, again.sent, POINT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(result_is_what_libsecp256k1_gives_with_the_whole_key),
                                       cmocka_unit_test(points_that_are_none_are_refused_on_both_sides),
                                       cmocka_unit_test(an_answer_that_cancels_the_own_share_is_refused),
                                       cmocka_unit_test(masks_work_once_and_for_their_own_kind)};
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

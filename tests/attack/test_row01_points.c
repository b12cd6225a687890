/* Row 1: points that are none of the group, wherever one travels. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gmp.h>
#include <sodium.h>
#include <string.h>

#include "crypto/random.h"
#include "tests/support/attack_places.h"
#include "tests/support/bad_values.h"
#include "tests/support/scale.h"

static struct hk_attack attack;

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    return 0;
}

static int set_up_secp256k1(void **state)
{
    (void)state;
    attack = (struct hk_attack){.on_secp256k1 = true};
    hk_attack_begin(&attack, false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&attack);
    return 0;
}

static void row01_a_bad_point_is_refused_in_every_message_about_keys_and_epochs(void **state)
{
    (void)state;
    attack_places(&attack, attack_key_places, attack_key_place_count, true);
}

static void row01_a_bad_point_is_refused_in_every_message_of_an_enrolment(void **state)
{
    (void)state;
    attack_enrolment_begin(&attack);
    attack_places(&attack, attack_enrol_places, attack_enrol_place_count, true);
    attack_enrolment_end(&attack);
}

/* ---- keys of the channel and of reports ---- */

static uint8_t key_put[32];
static enum hk_field key_field;

static void put_key(struct hk_message *request, void *argument)
{
    (void)argument;
    if (request->value[HK_F_OP].number == HK_OP_CREATE_ACCOUNT) {
        hk_watch(&attack);
        hk_message_set_bytes(request, key_field, key_put, 32);
    }
}

static void create_with(enum hk_field field, enum hk_error expected, const char *name)
{
    static struct hk_test_device stranger;
    hk_test_device_init(&stranger, &attack.service);
    key_field = field;
    hk_test_change_requests(put_key, NULL);
    enum hk_error got = hk_test_create_account(&stranger);
    hk_test_change_requests(NULL, NULL);
    hk_refused(&attack, NULL, HK_OP_CREATE_ACCOUNT, got, expected, "create-account %s", name);
    hk_test_device_end(&stranger);
}

/* u-coordinates of small order on Curve25519 and its twist, and their second encodings. */
static const char *const small_u[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};
#define SMALL_U (sizeof(small_u) / sizeof(*small_u))

static void from_hex(uint8_t out[32], const char *hex)
{
    assert_int_equal(sodium_hex2bin(out, 32, hex, 64, NULL, NULL, NULL), 0);
}

static void row01_a_key_of_small_order_is_taken_for_no_device_and_no_report(void **state)
{
    (void)state;
    struct bad_value points[BAD_POINTS_MAX];
    size_t count = bad_points(points, &hk_edwards25519);
    for (size_t i = 0; i < SMALL_U; i++) {
        from_hex(key_put, small_u[i]);
        create_with(HK_F_DEVICE_KEY, HK_BAD_POINT, small_u[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (points[i].size == 32) {
            memcpy(key_put, points[i].bytes, 32);
            create_with(HK_F_REPORT_KEY, HK_BAD_POINT, points[i].name);
        }
    }
}

/* A stranger whose ephemeral key makes every Diffie-Hellman result zero, known to all the world. */
static void row01_no_handshake_with_an_ephemeral_key_of_small_order(void **state)
{
    (void)state;
    struct hk_endpoint *endpoint;
    static const enum hk_frame_type types[] = {HK_FRAME_HANDSHAKE_IK, HK_FRAME_HANDSHAKE_NK};
    assert_int_equal(hk_endpoint_new(&endpoint, attack.service.address.url), HK_OK);
    for (size_t i = 0; i < 2 * SMALL_U; i++) {
        uint8_t frame[HK_FRAME_HEADER_BYTES + 32 + 48 + 16] = {HK_FRAME_VERSION, (uint8_t)types[i % 2]};
        uint8_t answer[HK_FRAME_MAX];
        size_t size = HK_FRAME_HEADER_BYTES + (i % 2 == 0 ? 32 + 48 + 16 : 32 + 16), answer_size;
        from_hex(frame + HK_FRAME_HEADER_BYTES, small_u[i / 2]);
        hk_watch(&attack);
        assert_int_equal(hk_endpoint_call(endpoint, frame, size, answer, sizeof(answer), &answer_size, 5000),
                         HK_OK);
        assert_int_equal(answer[1], HK_FRAME_HINT);
        hk_refused(&attack, NULL, 0, HK_OK, HK_OK, "handshake %d %s", (int)types[i % 2], small_u[i / 2]);
    }
    hk_endpoint_free(endpoint);
}

/* ---- the device's front end ---- */

/* Whether u (top bit ignored) is a coordinate on the curve, and not on its twist. */
static bool is_on_curve(const uint8_t u[32])
{
    uint8_t masked[32];
    mpz_t p, x, right;
    memcpy(masked, u, 32);
    masked[31] &= 0x7f;
    mpz_inits(p, x, right, NULL);
    mpz_ui_pow_ui(p, 2, 255);
    mpz_sub_ui(p, p, 19);
    mpz_import(x, 32, -1, 1, 0, 0, masked);
    mpz_mod(x, x, p);
    mpz_add_ui(right, x, 486662);
    mpz_mul(right, right, x);
    mpz_add_ui(right, right, 1);
    mpz_mul(right, right, x);
    mpz_mod(right, right, p);
    bool on = mpz_legendre(right, p) >= 0;
    mpz_clears(p, x, right, NULL);
    return on;
}

/* An imported key, so that X25519 itself can be asked what is right. */
static void row01_any_u_gives_what_x25519_gives_or_is_refused_on_the_device(void **state)
{
    (void)state;
    uint8_t private[32], u[32], shared[32], expected[32];
    struct hk_scalar x;
    hk_random(private, 32);
    private[0] &= 248;
    private[31] = (uint8_t)((private[31] & 127) | 64);
    uint8_t wide[64] = {0};
    memcpy(wide, private, 32);
    hk_edwards25519.scalar_reduce(&x, wide);
    assert_int_equal(hk_test_import(&attack.laptop, HK_SUITE_X25519, "old", x.bytes), HK_OK);
    struct hk_test_key *key = NULL;
    for (size_t i = 0; i < attack.laptop.key_count; i++) {
        key = strcmp(attack.laptop.key[i].name, "old") == 0 ? &attack.laptop.key[i] : key;
    }
    assert_non_null(key);
    int on = 0, off = 0;
    for (uint64_t i = 0; i < hk_scaled(1000); i++) { /* 7 in 8 of those on the curve are of mixed order */
        hk_random(u, 32);
        if (is_on_curve(u)) {
            assert_int_equal(hk_test_agree(&attack.laptop, key, u, shared), HK_OK);
            assert_int_equal(crypto_scalarmult_curve25519(expected, private, u), 0);
            assert_memory_equal(shared, expected, 32);
            hk_tried("u of any order %d", on++);
        } else {
            hk_watch(&attack);
            enum hk_error got = hk_test_agree(&attack.laptop, key, u, shared);
            hk_refused(&attack, NULL, HK_OP_AGREE, got, HK_BAD_POINT, "u on the twist %d", off++);
        }
    }
    assert_true(on > 0 && off > 0);
    for (uint8_t low = 2; low < 19; low++) { /* u = p + low is another name of low */
        memset(u, 0xff, 32);
        u[0] = (uint8_t)(0xed + low);
        if (is_on_curve(u)) {
            assert_int_equal(hk_test_agree(&attack.laptop, key, u, shared), HK_OK);
            assert_int_equal(crypto_scalarmult_curve25519(expected, private, u), 0);
            assert_memory_equal(shared, expected, 32);
            hk_tried("u = p + %d", low);
        }
    }
    for (size_t i = 0; i < SMALL_U; i++) {
        from_hex(u, small_u[i]);
        hk_watch(&attack);
        enum hk_error got = hk_test_agree(&attack.laptop, key, u, shared);
        hk_refused(&attack, NULL, HK_OP_AGREE, got, HK_BAD_POINT, "u of small order %s", small_u[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define ALSO(name) cmocka_unit_test_setup_teardown(name, set_up_secp256k1, tear_down)
        TEST(row01_a_bad_point_is_refused_in_every_message_about_keys_and_epochs),
        ALSO(row01_a_bad_point_is_refused_in_every_message_about_keys_and_epochs),
        TEST(row01_a_bad_point_is_refused_in_every_message_of_an_enrolment),
        ALSO(row01_a_bad_point_is_refused_in_every_message_of_an_enrolment),
        TEST(row01_a_key_of_small_order_is_taken_for_no_device_and_no_report),
        TEST(row01_no_handshake_with_an_ephemeral_key_of_small_order),
        TEST(row01_any_u_gives_what_x25519_gives_or_is_refused_on_the_device),
    };
    return HK_ATTACK_ROW(1, tests);
}

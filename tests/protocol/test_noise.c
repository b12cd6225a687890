/* The handshake machine where the published vectors do not look: failures, wrong order, small order, wiping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "protocol/noise.h"

#define IK "Noise_IK_25519_ChaChaPoly_BLAKE2b"
#define IKPSK1 "Noise_IKpsk1_25519_ChaChaPoly_BLAKE2b"

struct keys {
    struct hk_secret32 private_key;
    uint8_t public_key[32];
};

struct handshake {
    struct keys initiator, responder;
    struct hk_secret32 psk;
    struct hk_noise_setup setup[2];
    struct hk_noise side[2];
};

static void begin(struct handshake *handshake, const char *name)
{
    memset(handshake, 0, sizeof(*handshake));
    hk_noise_keypair(&handshake->initiator.private_key, handshake->initiator.public_key);
    hk_noise_keypair(&handshake->responder.private_key, handshake->responder.public_key);
    hk_random(handshake->psk.bytes, 32);
    handshake->setup[0] = (struct hk_noise_setup){.static_key = &handshake->initiator.private_key,
                                                  .remote_static = handshake->responder.public_key,
                                                  .psk = &handshake->psk};
    handshake->setup[1] = (struct hk_noise_setup){.static_key = &handshake->responder.private_key,
                                                  .remote_static = handshake->initiator.public_key,
                                                  .psk = &handshake->psk};
    assert_int_equal(hk_noise_init(&handshake->side[0], name, HK_NOISE_INITIATOR, &handshake->setup[0]),
                     HK_OK);
    assert_int_equal(hk_noise_init(&handshake->side[1], name, HK_NOISE_RESPONDER, &handshake->setup[1]),
                     HK_OK);
}

static enum hk_error step(struct handshake *handshake, int sender)
{
    uint8_t message[512], payload[512];
    size_t size, got;
    enum hk_error error = hk_noise_write(&handshake->side[sender], "hi", 2, message, sizeof(message), &size);
    if (error == HK_OK) {
        error = hk_noise_read(&handshake->side[1 - sender], message, size, payload, sizeof(payload), &got);
    }
    if (error == HK_OK) {
        assert_int_equal(got, 2);
        assert_memory_equal(payload, "hi", 2);
    }
    return error;
}

static void every_pattern_ends_with_the_same_keys(void **state)
{
    static const char *const patterns[] = {"N",      "K",      "X",      "NK",     "XK",
                                           "IK",     "XX",     "Npsk0",  "Xpsk1",  "NKpsk0",
                                           "NKpsk2", "XKpsk3", "IKpsk1", "IKpsk2", "XXpsk3"};
    static const char *const hashes[] = {"BLAKE2b", "SHA256", "SHA512"};
    (void)state;
    for (size_t i = 0; i < 3 * sizeof(patterns) / sizeof(patterns[0]); i++) {
        char name[64];
        struct handshake handshake;
        struct hk_noise_result results[2];
        strcpy(name, "Noise_");
        strcat(name, patterns[i / 3]);
        strcat(name, "_25519_ChaChaPoly_");
        strcat(name, hashes[i % 3]);
        begin(&handshake, name);
        for (int sender = 0; !hk_noise_is_finished(&handshake.side[0]); sender = 1 - sender) {
            assert_true(hk_noise_is_my_turn(&handshake.side[sender]));
            assert_int_equal(step(&handshake, sender), HK_OK);
        }
        for (int side = 0; side < 2; side++) {
            assert_int_equal(hk_noise_split(&handshake.side[side], &results[side]), HK_OK);
            assert_true(hk_is_zero(&handshake.side[side], sizeof(handshake.side[side])));
        }
        assert_memory_equal(results[0].hash, results[1].hash, HK_DIGEST_BYTES_MAX);
        assert_memory_equal(&results[0].send, &results[1].receive, sizeof(struct hk_cipher));
        assert_memory_equal(&results[1].send, &results[0].receive, sizeof(struct hk_cipher));
    }
}

static void names_that_are_not_ours_are_refused(void **state)
{
    static const char *const names[] = {"",
                                        "Noise_",
                                        "Noise_IK_25519_ChaChaPoly_",
                                        "Noise_IK_25519_ChaChaPoly_BLAKE2s",
                                        "Noise_IK_25519_AESGCM_SHA256",
                                        "Noise_IK_448_ChaChaPoly_SHA512",
                                        "Noise_ZZ_25519_ChaChaPoly_SHA512",
                                        "Noise_IKpsk3_25519_ChaChaPoly_SHA512",
                                        "Noise_IKpsk_25519_ChaChaPoly_SHA512",
                                        "Noise_IK_25519_ChaChaPoly_BLAKE2b ",
                                        "noise_IK_25519_ChaChaPoly_BLAKE2b"};
    struct hk_noise noise;
    struct keys own, remote;
    (void)state;
    hk_noise_keypair(&own.private_key, own.public_key);
    hk_noise_keypair(&remote.private_key, remote.public_key);
    struct hk_noise_setup setup = {
        .static_key = &own.private_key, .remote_static = remote.public_key, .psk = &own.private_key};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(hk_noise_init(&noise, names[i], HK_NOISE_INITIATOR, &setup), HK_UNSUPPORTED);
    }
    struct hk_noise_setup none = {0};
    assert_int_equal(hk_noise_init(&noise, IK, HK_NOISE_INITIATOR, &none), HK_USAGE);
    assert_int_equal(hk_noise_init(&noise, IK, HK_NOISE_RESPONDER, &none), HK_USAGE);
    setup.psk = NULL;
    assert_int_equal(hk_noise_init(&noise, IKPSK1, HK_NOISE_INITIATOR, &setup), HK_USAGE);
}

static void messages_with_any_byte_changed_are_refused_and_the_handshake_is_dead(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        for (size_t at = 0;; at++) {
            struct handshake handshake;
            uint8_t message[256], payload[256];
            size_t size, got;
            begin(&handshake, IKPSK1);
            if (which == 1) {
                assert_int_equal(step(&handshake, 0), HK_OK);
            }
            assert_int_equal(hk_noise_write(&handshake.side[which], NULL, 0, message, sizeof(message), &size),
                             HK_OK);
            if (at == size) {
                break;
            }
            message[at] ^= 1;
            assert_int_not_equal(
                hk_noise_read(&handshake.side[1 - which], message, size, payload, sizeof(payload), &got),
                HK_OK);
            assert_true(hk_is_zero(&handshake.side[1 - which], sizeof(struct hk_noise)));
            message[at] ^= 1;
            assert_int_equal(
                hk_noise_read(&handshake.side[1 - which], message, size, payload, sizeof(payload), &got),
                HK_CONFLICT);
        }
    }
}

static void shortened_messages_are_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < 96; size++) {
        struct handshake handshake;
        uint8_t message[256], payload[256];
        size_t whole, got;
        begin(&handshake, IK);
        assert_int_equal(hk_noise_write(&handshake.side[0], NULL, 0, message, sizeof(message), &whole),
                         HK_OK);
        assert_int_equal(whole, 96);
        assert_int_not_equal(hk_noise_read(&handshake.side[1], message, size, payload, sizeof(payload), &got),
                             HK_OK);
    }
}

static void wrong_psk_is_refused(void **state)
{
    struct handshake handshake;
    (void)state;
    begin(&handshake, IKPSK1);
    handshake.side[1].psk.bytes[0] ^= 1;
    assert_int_equal(step(&handshake, 0), HK_AUTH);
}

static void points_of_small_order_are_refused(void **state)
{
    static const uint8_t one[32] = {1};
    struct handshake handshake;
    struct hk_secret32 shared;
    uint8_t message[256], payload[256], zero[32] = {0};
    size_t size;
    (void)state;
    begin(&handshake, "Noise_NK_25519_ChaChaPoly_BLAKE2b");
    assert_int_equal(hk_noise_dh(&shared, &handshake.initiator.private_key, zero), HK_BAD_POINT);
    assert_int_equal(hk_noise_dh(&shared, &handshake.initiator.private_key, one), HK_BAD_POINT);
    assert_int_equal(hk_noise_write(&handshake.side[0], NULL, 0, message, sizeof(message), &size), HK_OK);
    memset(message, 0, 32);
    assert_int_equal(hk_noise_read(&handshake.side[1], message, size, payload, sizeof(payload), &size),
                     HK_BAD_POINT);
    memset(handshake.responder.public_key, 0, 32);
    assert_int_equal(hk_noise_init(&handshake.side[0], IK, HK_NOISE_INITIATOR, &handshake.setup[0]), HK_OK);
    assert_int_equal(hk_noise_write(&handshake.side[0], NULL, 0, message, sizeof(message), &size),
                     HK_BAD_POINT);
}

static enum hk_error refuse(void *argument, const uint8_t static_key[32])
{
    memcpy(argument, static_key, 32);
    return HK_UNKNOWN_DEVICE;
}

static void admission_is_asked_before_the_second_multiplication(void **state)
{
    struct handshake handshake;
    uint8_t seen[32];
    (void)state;
    begin(&handshake, IK);
    handshake.side[1].admit = refuse;
    handshake.side[1].argument = seen;
    assert_int_equal(step(&handshake, 0), HK_UNKNOWN_DEVICE);
    assert_memory_equal(seen, handshake.initiator.public_key, 32);
}

static void out_of_turn_calls_are_refused_and_harm_nothing(void **state)
{
    struct handshake handshake;
    struct hk_noise_result result;
    uint8_t message[256];
    size_t size;
    (void)state;
    begin(&handshake, IK);
    assert_int_equal(hk_noise_write(&handshake.side[1], NULL, 0, message, sizeof(message), &size),
                     HK_CONFLICT);
    assert_int_equal(hk_noise_read(&handshake.side[0], message, 96, message, sizeof(message), &size),
                     HK_CONFLICT);
    assert_int_equal(hk_noise_split(&handshake.side[0], &result), HK_CONFLICT);
    assert_int_equal(step(&handshake, 0), HK_OK);
    assert_int_equal(step(&handshake, 1), HK_OK);
    assert_int_equal(hk_noise_write(&handshake.side[0], NULL, 0, message, sizeof(message), &size),
                     HK_CONFLICT);
    assert_int_equal(hk_noise_split(&handshake.side[0], &result), HK_OK);
    assert_int_equal(hk_noise_split(&handshake.side[0], &result), HK_CONFLICT);
}

static void hmac_takes_keys_longer_than_a_block(void **state)
{
    /* RFC 4231, test case 6. */
    static const uint8_t expected[32] = {0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26,
                                         0xaa, 0xcb, 0xf5, 0xb7, 0x7f, 0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28,
                                         0xc5, 0x14, 0x05, 0x46, 0x04, 0x0f, 0x0e, 0xe3, 0x7f, 0x54};
    uint8_t key[131], out[32];
    static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    (void)state;
    memset(key, 0xaa, sizeof(key));
    hk_hmac(out, &hk_digest_sha256, key, sizeof(key), &HK_BYTES(text, sizeof(text) - 1), 1);
    assert_memory_equal(out, expected, sizeof(out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_ends_with_the_same_keys),
        cmocka_unit_test(names_that_are_not_ours_are_refused),
        cmocka_unit_test(messages_with_any_byte_changed_are_refused_and_the_handshake_is_dead),
        cmocka_unit_test(shortened_messages_are_refused),
        cmocka_unit_test(wrong_psk_is_refused),
        cmocka_unit_test(points_of_small_order_are_refused),
        cmocka_unit_test(admission_is_asked_before_the_second_multiplication),
        cmocka_unit_test(out_of_turn_calls_are_refused_and_harm_nothing),
        cmocka_unit_test(hmac_takes_keys_longer_than_a_block),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

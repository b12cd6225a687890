/* The channel between a new device and its administrator: a run, and everything somebody between them could
 * try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "crypto/suite.h"
#include "device/join_channel.h"

static struct hk_secret32 administrator_key, device_key;
static uint8_t administrator_public[32], device_public[32];
static struct hk_invitation invitation;
static struct hk_join administrator, device;
static uint8_t message_1[HK_JOIN_HANDSHAKE_MAX], message_2[HK_JOIN_HANDSHAKE_MAX];
static size_t size_1, size_2;

static int set_up(void **state)
{
    (void)state;
    uint8_t account[HK_ACCOUNT_BYTES];
    hk_random(account, sizeof(account));
    hk_noise_keypair(&administrator_key, administrator_public);
    hk_noise_keypair(&device_key, device_public);
    memset(&administrator, 0, sizeof(administrator));
    memset(&device, 0, sizeof(device));
    return hk_invitation_make(&invitation, "halfkey://somewhere", account, administrator_public, 1) == HK_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hk_join_wipe(&administrator);
    hk_join_wipe(&device);
    return 0;
}

static void shake_hands(void)
{
    assert_int_equal(hk_join_begin(&device, &invitation, &device_key, message_1, &size_1), HK_OK);
    assert_int_equal(hk_join_answer(&administrator, &invitation, &administrator_key, message_1, size_1,
                                    message_2, &size_2),
                     HK_OK);
    assert_int_equal(hk_join_finish(&device, message_2, size_2), HK_OK);
}

static void both_see_the_same_words_and_each_other(void **state)
{
    (void)state;
    shake_hands();
    char one[HK_FINGERPRINT_TEXT_BYTES], other[HK_FINGERPRINT_TEXT_BYTES];
    assert_int_equal(hk_join_words(&device, one), HK_OK);
    assert_int_equal(hk_join_words(&administrator, other), HK_OK);
    assert_string_equal(one, other);
    uint8_t peer[32];
    assert_int_equal(hk_join_peer(&administrator, peer), HK_OK);
    assert_memory_equal(peer, device_public, 32);
    assert_int_equal(hk_join_peer(&device, peer), HK_OK);
    assert_memory_equal(peer, administrator_public, 32);
}

static void frames_pass_in_both_directions(void **state)
{
    (void)state;
    shake_hands();
    uint8_t sealed[64], opened[64];
    size_t sealed_size, opened_size;
    assert_int_equal(hk_join_seal(&device, HK_JOIN_HELLO, "hello", 5, sealed, sizeof(sealed), &sealed_size),
                     HK_OK);
    assert_int_equal(hk_join_open(&administrator, HK_JOIN_HELLO, sealed, sealed_size, opened, sizeof(opened),
                                  &opened_size),
                     HK_OK);
    assert_int_equal(opened_size, 5);
    assert_memory_equal(opened, "hello", 5);
    assert_int_equal(
        hk_join_seal(&administrator, HK_JOIN_BUNDLE, "bundle", 6, sealed, sizeof(sealed), &sealed_size),
        HK_OK);
    assert_int_equal(
        hk_join_open(&device, HK_JOIN_BUNDLE, sealed, sealed_size, opened, sizeof(opened), &opened_size),
        HK_OK);
    assert_memory_equal(opened, "bundle", 6);
}

static void nothing_passes_before_the_handshake(void **state)
{
    (void)state;
    uint8_t out[64];
    char words[HK_FINGERPRINT_TEXT_BYTES];
    size_t size;
    assert_int_equal(hk_join_seal(&device, HK_JOIN_HELLO, "x", 1, out, sizeof(out), &size), HK_CONFLICT);
    assert_int_equal(hk_join_words(&device, words), HK_CONFLICT);
    assert_int_equal(hk_join_begin(&device, &invitation, &device_key, message_1, &size_1), HK_OK);
    assert_int_equal(hk_join_words(&device, words), HK_CONFLICT);
    assert_int_equal(hk_join_seal(&device, HK_JOIN_HELLO, "x", 1, out, sizeof(out), &size), HK_CONFLICT);
}

static void every_changed_bit_of_message_1_is_refused(void **state)
{
    (void)state;
    assert_int_equal(hk_join_begin(&device, &invitation, &device_key, message_1, &size_1), HK_OK);
    for (size_t bit = 0; bit < 8 * size_1; bit++) {
        uint8_t wrong[HK_JOIN_HANDSHAKE_MAX];
        memcpy(wrong, message_1, size_1);
        wrong[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(&administrator, 0, sizeof(administrator));
        assert_int_equal(hk_join_answer(&administrator, &invitation, &administrator_key, wrong, size_1,
                                        message_2, &size_2),
                         HK_BAD_PEER);
    }
}

static void every_changed_bit_of_message_2_is_refused(void **state)
{
    (void)state;
    assert_int_equal(hk_join_begin(&device, &invitation, &device_key, message_1, &size_1), HK_OK);
    assert_int_equal(hk_join_answer(&administrator, &invitation, &administrator_key, message_1, size_1,
                                    message_2, &size_2),
                     HK_OK);
    struct hk_join waiting = device;
    for (size_t bit = 0; bit < 8 * size_2; bit++) {
        uint8_t wrong[HK_JOIN_HANDSHAKE_MAX];
        memcpy(wrong, message_2, size_2);
        wrong[bit / 8] ^= (uint8_t)(1u << bit % 8);
        device = waiting;
        assert_int_equal(hk_join_finish(&device, wrong, size_2), HK_BAD_PEER);
        assert_int_equal(hk_join_finish(&device, message_2, size_2), HK_CONFLICT);
    }
    device = waiting;
    assert_int_equal(hk_join_finish(&device, message_2, size_2 - 1), HK_BAD_PEER);
}

/* `theirs` is what the new device has in its hands instead of the invitation. */
static void refuses_a_device_with(const struct hk_invitation *theirs)
{
    memset(&administrator, 0, sizeof(administrator));
    memset(&device, 0, sizeof(device));
    assert_int_equal(hk_join_begin(&device, theirs, &device_key, message_1, &size_1), HK_OK);
    assert_int_equal(hk_join_answer(&administrator, &invitation, &administrator_key, message_1, size_1,
                                    message_2, &size_2),
                     HK_BAD_PEER);
}

static void a_device_without_the_secret_is_refused(void **state)
{
    (void)state;
    struct hk_invitation guess = invitation;
    guess.secret[0] ^= 1;
    refuses_a_device_with(&guess);
}

static void a_device_with_another_account_is_refused(void **state)
{
    (void)state;
    struct hk_invitation other = invitation;
    other.account[63] ^= 1;
    refuses_a_device_with(&other);
}

static void a_device_that_means_another_administrator_is_refused(void **state)
{
    (void)state;
    struct hk_invitation other = invitation;
    struct hk_secret32 unused;
    hk_noise_keypair(&unused, other.administrator);
    refuses_a_device_with(&other);
}

static void an_answer_without_the_administrators_key_is_refused(void **state)
{
    (void)state;
    struct hk_secret32 service_key;
    uint8_t service_public[32];
    hk_noise_keypair(&service_key, service_public);
    struct hk_invitation forged = invitation;
    memcpy(forged.administrator, service_public, 32);
    struct hk_join third;
    memset(&third, 0, sizeof(third));
    assert_int_equal(hk_join_begin(&third, &forged, &device_key, message_1, &size_1), HK_OK);
    assert_int_equal(
        hk_join_answer(&administrator, &forged, &service_key, message_1, size_1, message_2, &size_2), HK_OK);
    assert_int_equal(hk_join_begin(&device, &invitation, &device_key, message_1, &size_1), HK_OK);
    assert_int_equal(hk_join_finish(&device, message_2, size_2), HK_BAD_PEER);
    hk_join_wipe(&third);
}

static void a_second_handshake_is_not_answered(void **state)
{
    (void)state;
    shake_hands();
    struct hk_join second;
    memset(&second, 0, sizeof(second));
    assert_int_equal(hk_join_begin(&second, &invitation, &device_key, message_1, &size_1), HK_OK);
    assert_int_equal(hk_join_answer(&administrator, &invitation, &administrator_key, message_1, size_1,
                                    message_2, &size_2),
                     HK_CONFLICT);
    assert_int_equal(hk_join_begin(&device, &invitation, &device_key, message_1, &size_1), HK_CONFLICT);
    hk_join_wipe(&second);
    char words[HK_FINGERPRINT_TEXT_BYTES];
    assert_int_equal(hk_join_words(&administrator, words), HK_OK);
}

static void a_handshake_is_not_answered_after_one_that_failed(void **state)
{
    (void)state;
    struct hk_invitation guess = invitation;
    guess.secret[0] ^= 1;
    refuses_a_device_with(&guess);
    memset(&device, 0, sizeof(device));
    assert_int_equal(hk_join_begin(&device, &invitation, &device_key, message_1, &size_1), HK_OK);
    assert_int_equal(hk_join_answer(&administrator, &invitation, &administrator_key, message_1, size_1,
                                    message_2, &size_2),
                     HK_CONFLICT);
}

static void a_frame_is_refused_if_changed_or_of_another_step_or_direction(void **state)
{
    (void)state;
    uint8_t sealed[64], opened[64];
    size_t sealed_size, opened_size;
    for (int way = 0; way < 4; way++) {
        (void)tear_down(NULL);
        shake_hands();
        assert_int_equal(
            hk_join_seal(&device, HK_JOIN_HELLO, "hello", 5, sealed, sizeof(sealed), &sealed_size), HK_OK);
        sealed[0] ^= way == 0;
        sealed_size -= way == 1;
        struct hk_join *reader = way == 2 ? &device : &administrator;
        enum hk_join_step step = way == 3 ? HK_JOIN_BUNDLE : HK_JOIN_HELLO;
        assert_int_equal(
            hk_join_open(reader, step, sealed, sealed_size, opened, sizeof(opened), &opened_size),
            HK_BAD_PEER);
        assert_int_equal(
            hk_join_open(reader, step, sealed, sealed_size, opened, sizeof(opened), &opened_size),
            HK_CONFLICT);
    }
}

static void a_wiped_run_holds_nothing(void **state)
{
    (void)state;
    shake_hands();
    hk_join_wipe(&device);
    assert_true(hk_is_zero(&device, sizeof(device)));
}

static void the_hello_reads_back_and_is_strict(void **state)
{
    (void)state;
    struct hk_join_hello hello, read;
    memset(&hello, 0, sizeof(hello));
    hk_random(hello.serial, sizeof(hello.serial));
    hk_random(hello.report_key, sizeof(hello.report_key));
    strcpy(hello.name, "laptop");
    uint8_t out[HK_JOIN_HELLO_MAX];
    size_t size;
    assert_int_equal(hk_join_hello_encode(&hello, out, sizeof(out), &size), HK_OK);
    assert_int_equal(hk_join_hello_decode(&read, out, size), HK_OK);
    assert_memory_equal(&read, &hello, sizeof(hello));
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(hk_join_hello_decode(&read, out, cut), HK_BAD_ENCODING);
    }
    hello.name[0] = '\0';
    assert_int_equal(hk_join_hello_encode(&hello, out, sizeof(out), &size), HK_BAD_ENCODING);
}

static void the_bundle_reads_back_and_is_strict(void **state)
{
    (void)state;
    static struct hk_join_bundle bundle, read;
    static uint8_t out[HK_JOIN_RELAY_MAX];
    memset(&bundle, 0, sizeof(bundle));
    bundle.profile = HK_TEXT("the profile");
    bundle.record = HK_TEXT("the record");
    bundle.certificate = HK_TEXT("the certificate");
    hk_random(bundle.code, sizeof(bundle.code));
    hk_random(&bundle.head, sizeof(bundle.head));
    hk_random(bundle.transcript, sizeof(bundle.transcript));
    bundle.epoch = 7;
    bundle.key_count = 2;
    static const enum hk_suite_id suites[] = {HK_SUITE_ED25519, HK_SUITE_SECP256K1_ECDH};
    for (uint8_t i = 0; i < 2; i++) { /* a key of each group */
        struct hk_join_key *key = &bundle.keys[i];
        key->id[0] = i + 1;
        key->suite = (uint64_t)suites[i];
        hk_random(key->device_point, hk_suite_point_bytes(key->suite));
        hk_random(key->commitment, hk_suite_point_bytes(key->suite));
        hk_random(key->passed, hk_suite_point_bytes(key->suite));
        hk_random(key->kept, hk_suite_scalar_bytes(key->suite));
    }
    size_t size;
    assert_int_equal(hk_join_bundle_encode(&bundle, out, sizeof(out), &size), HK_OK);
    assert_int_equal(hk_join_bundle_decode(&read, out, size), HK_OK);
    assert_memory_equal(read.keys, bundle.keys, sizeof(bundle.keys));
    assert_memory_equal(&read.head, &bundle.head, sizeof(bundle.head));
    assert_memory_equal(read.profile.data, "the profile", 11);
    assert_int_equal(read.epoch, 7);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(hk_join_bundle_decode(&read, out, cut), HK_BAD_ENCODING);
    }
    bundle.keys[1].suite = (uint64_t)HK_SUITE_X25519; /* points of another length */
    assert_int_equal(hk_join_bundle_encode(&bundle, out, sizeof(out), &size), HK_OK);
    size_t last = size - 1;
    assert_int_equal(out[last], HK_SUITE_X25519);
    out[last] = HK_SUITE_SECP256K1_ECDH;
    assert_int_equal(hk_join_bundle_decode(&read, out, size), HK_BAD_ENCODING);
    bundle.keys[1] = bundle.keys[0];
    assert_int_equal(hk_join_bundle_encode(&bundle, out, sizeof(out), &size), HK_OK);
    assert_int_equal(hk_join_bundle_decode(&read, out, size), HK_BAD_ENCODING);
    assert_true(hk_is_zero(&read, sizeof(read)));
    bundle.key_count = HK_KEYS_MAX + 1;
    assert_int_equal(hk_join_bundle_encode(&bundle, out, sizeof(out), &size), HK_BAD_ENCODING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_see_the_same_words_and_each_other),
        TEST(frames_pass_in_both_directions),
        TEST(nothing_passes_before_the_handshake),
        TEST(every_changed_bit_of_message_1_is_refused),
        TEST(every_changed_bit_of_message_2_is_refused),
        TEST(a_device_without_the_secret_is_refused),
        TEST(a_device_with_another_account_is_refused),
        TEST(a_device_that_means_another_administrator_is_refused),
        TEST(an_answer_without_the_administrators_key_is_refused),
        TEST(a_second_handshake_is_not_answered),
        TEST(a_handshake_is_not_answered_after_one_that_failed),
        TEST(a_frame_is_refused_if_changed_or_of_another_step_or_direction),
        TEST(a_wiped_run_holds_nothing),
        TEST(the_hello_reads_back_and_is_strict),
        TEST(the_bundle_reads_back_and_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* An account and its keys at the real service, over the real transport. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "protocol/openpgp_signature.h"
#include "protocol/ssh_wire.h"
#include "tests/support/client.h"

static struct hk_test_service service;
static struct hk_test_device laptop;

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_device_init(&laptop, &service);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_device_end(&laptop);
    hk_test_service_end(&service);
    return 0;
}

/* X25519 with the whole key, which exists only here: d from the device, s as it must be. */
static void check_agreement(struct hk_test_key *key)
{
    struct hk_secret32 private;
    uint8_t peer[32], u[32], expected[32], shared[32];
    struct hk_secret32 result;
    assert_int_equal(crypto_sign_ed25519_pk_to_curve25519(u, key->public_key), 0);
    hk_noise_keypair(&private, peer);
    assert_int_equal(hk_noise_dh(&result, &private, u), HK_OK); /* the sender's side */
    memcpy(expected, result.bytes, 32);
    assert_int_equal(hk_test_agree(&laptop, key, peer, shared), HK_OK);
    assert_memory_equal(shared, expected, 32);
}

static struct hk_test_key *key_of(enum hk_suite_id suite)
{
    for (size_t i = 0; i < laptop.key_count; i++) {
        if (laptop.key[i].suite->id == suite) {
            return &laptop.key[i];
        }
    }
    fail();
    return NULL;
}

static void an_account_makes_keys_agrees_and_signs_and_a_restart_loses_nothing(void **state)
{
    (void)state;
    uint8_t signature[64];
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_X25519, "mail"), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    assert_int_equal(hk_test_put_profile(&laptop, NULL), HK_OK);
    check_agreement(key_of(HK_SUITE_X25519));
    struct hk_test_key *git = key_of(HK_SUITE_ED25519);
    assert_int_equal(hk_test_sign(&laptop, git, HK_SIGN_RAW, "message", 7, signature), HK_OK);
    assert_int_equal(crypto_sign_verify_detached(signature, (const uint8_t *)"message", 7, git->public_key),
                     0);
    hk_test_hang_up(&laptop);
    hk_test_service_kill(&service);
    hk_test_service_restart(&service);
    check_agreement(key_of(HK_SUITE_X25519));
    hk_test_hang_up(&laptop);
    assert_int_equal(hk_test_service_stop(&service), 0);
    hk_test_service_restart(&service);
    check_agreement(key_of(HK_SUITE_X25519));
}

static void an_account_without_a_profile_can_do_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(hk_test_create_account(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_X25519, "mail"), HK_NOT_ALLOWED);
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_STATUS, &laptop);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
}

static void create_status_gives_the_first_tag_again_and_voids_what_it_does_not_know(void **state)
{
    (void)state;
    struct hk_message request, answer;
    uint8_t nothing[32] = {1};
    assert_int_equal(hk_test_create_account(&laptop), HK_OK);
    hk_test_request(&request, HK_OP_CREATE_STATUS, NULL);
    hk_message_set_bytes(&request, HK_F_KEY, laptop.key[0].id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, laptop.key[0].transcript, 32);
    assert_int_equal(hk_test_call_stranger(&laptop, &request, &answer), HK_OK);
    assert_memory_equal(answer.value[HK_F_TAG].data, laptop.tag, HK_TAG_BYTES);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, nothing, 32);
    assert_int_equal(hk_test_call_stranger(&laptop, &request, &answer), HK_UNKNOWN_RUN);
}

static void a_keys_name_is_taken_once(void **state)
{
    (void)state;
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_X25519, "mail"), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_X25519, "mail"), HK_CONFLICT);
}

static void an_ssh_signature_says_its_namespace(void **state)
{
    (void)state;
    uint8_t signature[64];
    static const char blob[] = "SSHSIG\0\0\0\3git\0\0\0\0\0\0\0\6sha256\0\0\0\40"
                               "0123456789abcdef0123456789abcdef";
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    struct hk_test_key *git = key_of(HK_SUITE_ED25519);
    assert_int_equal(hk_test_sign(&laptop, git, HK_SIGN_RAW, blob, sizeof(blob) - 1, signature),
                     HK_BAD_ENCODING); /* disguised as something else */
    assert_int_equal(hk_test_sign(&laptop, git, HK_SIGN_SSHSIG, blob, sizeof(blob) - 1, signature),
                     HK_BAD_ENCODING); /* no namespace said */
    assert_int_equal(hk_test_sign(&laptop, git, HK_SIGN_RAW, "x", 1, signature), HK_OK);
}

static void an_openpgp_signature_says_its_hash_or_shows_what_it_is_over(void **state)
{
    (void)state;
    uint8_t signature[64], digest[64] = {7}, foreign[32] = {1};
    struct hk_openpgp_key stranger;
    struct hk_openpgp_self self;
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "mail"), HK_OK);
    struct hk_test_key *mail = key_of(HK_SUITE_ED25519);
    assert_int_equal(hk_test_sign_openpgp(&laptop, mail, "sha512", digest, 64, signature), HK_OK);
    assert_int_equal(crypto_sign_verify_detached(signature, digest, 64, mail->public_key), 0);
    assert_int_equal(hk_test_sign_openpgp(&laptop, mail, "sha256", digest, 32, signature), HK_OK);
    static const struct {
        const char *namespace;
        size_t size;
    } refused[] = {{NULL, 64},     {"sha512", 32}, {"sha256", 64},
                   {"sha1", 20},   {"git", 64},    {"self-certification", 64},
                   {"sha512", 63}, {"sha384", 0},  {"subkey-binding", 0}};
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        assert_int_equal(
            hk_test_sign_openpgp(&laptop, mail, refused[i].namespace, digest, refused[i].size, signature),
            HK_BAD_ENCODING);
    }
    hk_openpgp_key_init(&stranger, HK_OPENPGP_EDDSA, foreign, 1700000000);
    hk_openpgp_self_user_id(&self, &stranger, "Ann <ann@example.org>", 1700000000);
    assert_int_equal(hk_test_sign_openpgp(&laptop, mail, "self-certification", self.signed_data,
                                          self.signed_size, signature),
                     HK_BAD_ENCODING); /* of another key */
    assert_int_equal(hk_test_sign(&laptop, mail, HK_SIGN_RAW, "x", 1, signature), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_SECP256K1_SCHNORR, "coins"), HK_OK);
    struct hk_test_key *coins = key_of(HK_SUITE_SECP256K1_SCHNORR);
    assert_int_equal(hk_test_sign_openpgp(&laptop, coins, "sha256", digest, 32, signature), HK_WRONG_PURPOSE);
}

/* A login by `key`, or by another one. */
static size_t make_login(uint8_t out[512], const struct hk_test_key *key, bool by_another)
{
    uint8_t blob[64], point[32];
    struct hk_ssh_writer writer = {out, 0, 512, false}, inner = {blob, 0, sizeof(blob), false};
    memcpy(point, key->public_key, 32);
    point[0] ^= by_another;
    hk_ssh_put_string(&inner, "ssh-ed25519", 11);
    hk_ssh_put_string(&inner, point, 32);
    hk_ssh_put_string(&writer, "0123456789abcdef0123456789abcdef", 32);
    hk_ssh_put_byte(&writer, 50);
    hk_ssh_put_string(&writer, "alice", 5);
    hk_ssh_put_string(&writer, "ssh-connection", 14);
    hk_ssh_put_string(&writer, "publickey-hostbound-v00@openssh.com", 35);
    hk_ssh_put_byte(&writer, 1);
    hk_ssh_put_string(&writer, "ssh-ed25519", 11);
    hk_ssh_put_string(&writer, blob, inner.size);
    hk_ssh_put_string(&writer, "the host's key", 14);
    return writer.size;
}

static void an_ssh_login_is_signed_as_one_and_as_nothing_else(void **state)
{
    (void)state;
    uint8_t signature[64], login[512];
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    struct hk_test_key *git = key_of(HK_SUITE_ED25519);
    size_t size = make_login(login, git, false);
    assert_int_equal(hk_test_sign(&laptop, git, HK_SIGN_SSH_LOGIN, login, size, signature), HK_OK);
    assert_int_equal(hk_test_sign(&laptop, git, HK_SIGN_RAW, login, size, signature), HK_BAD_ENCODING);
    assert_int_equal(hk_test_sign(&laptop, git, HK_SIGN_SSHSIG, login, size, signature), HK_BAD_ENCODING);
    assert_int_equal(hk_test_sign(&laptop, git, HK_SIGN_SSH_LOGIN, "x", 1, signature), HK_BAD_ENCODING);
    size = make_login(login, git, true);
    assert_int_equal(hk_test_sign(&laptop, git, HK_SIGN_SSH_LOGIN, login, size, signature), HK_BAD_ENCODING);
}

static void a_closed_registration_and_a_wrong_pop_are_refused(void **state)
{
    (void)state;
    struct hk_message request, answer;
    uint8_t zero[32] = {0};
    hk_test_request(&request, HK_OP_CREATE_ACCOUNT, NULL);
    hk_message_set_bytes(&request, HK_F_DEVICE_KEY, laptop.static_public, 32);
    hk_message_set_bytes(&request, HK_F_POP, zero, 32);
    hk_message_set_bytes(&request, HK_F_DEVICE, laptop.serial, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_KEY, laptop.serial, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_CREATED, 1);
    hk_message_set_bytes(&request, HK_F_REPORT_KEY, laptop.report_key, 32);
    hk_message_set_bytes(&request, HK_F_COMMITMENT, zero, 32);
    assert_int_equal(hk_test_call_stranger(&laptop, &request, &answer), HK_BAD_PROOF);
    hk_test_hang_up(&laptop);
    assert_int_equal(hk_test_service_stop(&service), 0);
    service.options[0] = "--registration";
    service.options[1] = "closed";
    hk_test_service_restart(&service);
    assert_int_equal(hk_test_create_account(&laptop), HK_NOT_ALLOWED);
}

static void share_operations_over_the_quota_are_refused(void **state)
{
    (void)state;
    uint8_t signature[64];
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    hk_test_hang_up(&laptop);
    assert_int_equal(hk_test_service_stop(&service), 0);
    service.options[0] = "--quota";
    service.options[1] = "5";
    hk_test_service_restart(&service);
    enum hk_error error = HK_OK;
    int answered = 0;
    for (; answered < 20 && error == HK_OK; answered++) {
        error = hk_test_sign(&laptop, key_of(HK_SUITE_ED25519), HK_SIGN_RAW, "x", 1, signature);
    }
    assert_int_equal(error, HK_OVER_QUOTA);
    assert_int_equal(answered, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(an_account_makes_keys_agrees_and_signs_and_a_restart_loses_nothing),
        TEST(an_account_without_a_profile_can_do_nothing_else),
        TEST(create_status_gives_the_first_tag_again_and_voids_what_it_does_not_know),
        TEST(a_keys_name_is_taken_once),
        TEST(an_ssh_signature_says_its_namespace),
        TEST(an_openpgp_signature_says_its_hash_or_shows_what_it_is_over),
        TEST(an_ssh_login_is_signed_as_one_and_as_nothing_else),
        TEST(a_closed_registration_and_a_wrong_pop_are_refused),
        TEST(share_operations_over_the_quota_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

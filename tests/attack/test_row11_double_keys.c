/* Row 11: a signature under a public key that the caller brings along, or with a key that is for something
 * else. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "crypto/cosign.h"
#include "crypto/random.h"
#include "protocol/cose.h"
#include "tests/support/attack.h"

static struct hk_attack attack;
static const struct hk_group *const group = &hk_edwards25519;

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    assert_int_equal(hk_test_keygen(&attack.laptop, HK_SUITE_SECP256K1_SCHNORR, "coins"), HK_OK);
    assert_int_equal(hk_test_keygen(&attack.laptop, HK_SUITE_SECP256K1_ECDH, "box"), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&attack);
    return 0;
}

static struct hk_test_key *key_of(enum hk_suite_id suite)
{
    return hk_test_key_of(&attack.laptop, suite);
}

/* ---- no public key beside a share ---- */

static const struct {
    enum hk_field field;
    size_t size;
} brought[] = {{HK_F_PUBLIC, 32},  {HK_F_POINT, 32}, {HK_F_SCALAR, 32},     {HK_F_IDENTITY, 32},
               {HK_F_PROOF, 64},   {HK_F_SHARE, 32}, {HK_F_DEVICE_KEY, 32}, {HK_F_COMMITMENT, 32},
               {HK_F_PROFILE, 32}, {HK_F_SEED, 32},  {HK_F_ROOT, 32}};
#define BROUGHT (sizeof(brought) / sizeof(*brought))

static enum hk_field more;
static size_t more_size;
static struct hk_point other_key;

/* X' of an attacker, or any other value beside the half that is asked for. */
static void bring(struct hk_message *request, void *argument)
{
    static uint8_t bytes[64];
    (void)argument;
    memcpy(bytes, other_key.bytes, 32);
    memcpy(bytes + 32, other_key.bytes, 32);
    hk_message_set_bytes(request, more, bytes, more_size);
    hk_watch(&attack);
}

static enum hk_error sign_with(struct hk_test_key *key, enum hk_sign_kind kind, const void *message,
                               size_t size)
{
    uint8_t signature[64];
    hk_watch(&attack);
    return hk_test_sign(&attack.laptop, key, kind, message, size, signature);
}

static enum hk_error agree_with(struct hk_test_key *key)
{
    uint8_t input[HK_AGREE_INPUT_BYTES_MAX] = {9}, shared[HK_AGREE_INPUT_BYTES_MAX];
    struct hk_scalar one;
    struct hk_point base;
    if (key->suite->group != group) {
        key->suite->group->scalar_set(&one, 1);
        key->suite->group->base_mul(&base, &one);
        memcpy(input, base.bytes, sizeof(input));
    }
    hk_watch(&attack);
    return hk_test_agree(&attack.laptop, key, input, shared);
}

static void row11_no_share_operation_takes_a_public_key_from_its_caller(void **state)
{
    (void)state;
    struct hk_scalar k;
    static const enum hk_op shares[] = {HK_OP_AGREE, HK_OP_SIGN};
    hk_scalar_random(group, &k);
    group->base_mul(&other_key, &k);
    for (size_t i = 0; i < BROUGHT; i++) {
        more = brought[i].field;
        more_size = brought[i].size;
        hk_test_change_requests(bring, NULL);
        enum hk_error signed_as = sign_with(key_of(HK_SUITE_ED25519), HK_SIGN_RAW, "message", 7);
        hk_refused(&attack, &attack.laptop, HK_OP_SIGN, signed_as, HK_BAD_ENCODING, "sign with field %d",
                   (int)more);
        enum hk_error agreed = agree_with(key_of(HK_SUITE_X25519));
        hk_refused(&attack, &attack.laptop, HK_OP_AGREE, agreed, HK_BAD_ENCODING, "agree with field %d",
                   (int)more);
        hk_test_change_requests(NULL, NULL);
        for (size_t j = 0; j < 2; j++) { /* and the table that decides has no such field */
            const struct hk_op_row *row = hk_op_row((uint64_t)shares[j]);
            assert_int_equal((row->request | row->request_optional) & HK_BIT(more), 0);
        }
    }
}

static uint8_t root[32];
static size_t root_size;

static void bring_root(struct hk_message *request, void *argument)
{
    (void)argument;
    hk_message_set_bytes(request, HK_F_TWEAK_ROOT, root, root_size);
    hk_watch(&attack);
}

/* A taproot tweak is no way in: the service derives it from a root, of keys that have one and of no others,
 * and a device that reckons with another root, or with none, gets nothing. */
static void row11_a_tweak_is_derived_by_the_service_and_for_bip340_alone(void **state)
{
    (void)state;
    uint8_t signature[64] = {0}, none[64] = {0};
    struct hk_test_key *coins = key_of(HK_SUITE_SECP256K1_SCHNORR);
    hk_random(root, sizeof(root));
    assert_int_equal(hk_test_sign_taproot(&attack.laptop, coins, root, 32, "message", 7, signature), HK_OK);
    hk_test_change_requests(bring_root, NULL);
    for (root_size = 0; root_size <= 32; root_size += 32) {
        enum hk_error got = sign_with(key_of(HK_SUITE_ED25519), HK_SIGN_RAW, "message", 7);
        hk_refused(&attack, &attack.laptop, HK_OP_SIGN, got, HK_WRONG_PURPOSE, "ed25519 with a root of %zu",
                   root_size);
        memset(signature, 0, sizeof(signature));
        got = hk_test_sign(&attack.laptop, coins, HK_SIGN_RAW, "message", 7, signature);
        assert_int_equal(got, HK_BAD_PROOF); /* the service signed for another key than the device means */
        assert_memory_equal(signature, none, 64);
        hk_tried("a root of %zu that the device did not mean", root_size);
    }
    static const size_t wrong[] = {1, 16, 31};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        root_size = wrong[i];
        enum hk_error got = sign_with(coins, HK_SIGN_RAW, "message", 7);
        hk_refused(&attack, &attack.laptop, HK_OP_SIGN, got, HK_BAD_ENCODING, "a root of %zu", root_size);
    }
    hk_test_change_requests(NULL, NULL);
}

/* A device that computes its own part under X' gets no signature under either key. */
static void row11_a_device_that_signs_under_another_key_gets_nothing(void **state)
{
    (void)state;
    struct hk_scalar k;
    uint8_t signature[64] = {0}, none[64] = {0};
    for (int i = 0; i < 6; i++) {
        const struct hk_test_key *own = key_of(i < 3 ? HK_SUITE_ED25519 : HK_SUITE_SECP256K1_SCHNORR);
        const struct hk_group *of = own->suite->group;
        struct hk_test_key wrong = *own;
        hk_scalar_random(of, &k);
        of->base_mul(&other_key, &k);
        memcpy(wrong.public_key,
               i % 3 == 0   ? other_key.bytes
               : i % 3 == 1 ? own->device_point
                            : own->service_point,
               of->point_bytes);
        enum hk_error got = hk_test_sign(&attack.laptop, &wrong, HK_SIGN_RAW, "message", 7, signature);
        assert_true(got == HK_BAD_PROOF || got == HK_BAD_SIGNATURE);
        assert_memory_equal(signature, none, 64);
        hk_tried("device computes under X' %d", i);
    }
}

/* ---- a key for something else ---- */

static void row11_a_key_is_used_for_its_own_purpose_alone(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum hk_suite_id suite;
        enum hk_sign_kind kind;
    } wrong[] = {
        {"sign raw with x25519", HK_SUITE_X25519, HK_SIGN_RAW},
        {"sign sshsig with x25519", HK_SUITE_X25519, HK_SIGN_SSHSIG},
        {"sign an object with x25519", HK_SUITE_X25519, HK_SIGN_OBJECT},
        {"sign an object with ed25519", HK_SUITE_ED25519, HK_SIGN_OBJECT},
        {"sign raw with secp256k1-ecdh", HK_SUITE_SECP256K1_ECDH, HK_SIGN_RAW},
        {"sign sshsig with secp256k1-schnorr", HK_SUITE_SECP256K1_SCHNORR, HK_SIGN_SSHSIG},
        {"sign an object with secp256k1-schnorr", HK_SUITE_SECP256K1_SCHNORR, HK_SIGN_OBJECT},
        {"sign raw with the account key", HK_SUITE_ACCOUNT, HK_SIGN_RAW},
        {"sign sshsig with the account key", HK_SUITE_ACCOUNT, HK_SIGN_SSHSIG},
        {"sign for openpgp with the account key", HK_SUITE_ACCOUNT, HK_SIGN_OPENPGP},
        {"log in with the account key", HK_SUITE_ACCOUNT, HK_SIGN_SSH_LOGIN},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        enum hk_error got = sign_with(key_of(wrong[i].suite), wrong[i].kind, "message", 7);
        hk_refused(&attack, &attack.laptop, HK_OP_SIGN, got, HK_WRONG_PURPOSE, "%s", wrong[i].name);
    }
    enum hk_error got = agree_with(key_of(HK_SUITE_ED25519));
    hk_refused(&attack, &attack.laptop, HK_OP_AGREE, got, HK_WRONG_PURPOSE, "agree with ed25519");
    got = agree_with(key_of(HK_SUITE_SECP256K1_SCHNORR));
    hk_refused(&attack, &attack.laptop, HK_OP_AGREE, got, HK_WRONG_PURPOSE, "agree with secp256k1-schnorr");
    got = agree_with(key_of(HK_SUITE_ACCOUNT));
    hk_refused(&attack, &attack.laptop, HK_OP_AGREE, got, HK_WRONG_PURPOSE, "agree with the account key");
    struct hk_test_key nobody = *key_of(HK_SUITE_ED25519);
    hk_random(nobody.id, HK_ID_BYTES);
    got = sign_with(&nobody, HK_SIGN_RAW, "message", 7);
    hk_refused(&attack, &attack.laptop, HK_OP_SIGN, got, HK_UNKNOWN_KEY, "sign with a key of nobody");
    got = sign_with(hk_test_key_of(&attack.bystander, HK_SUITE_ED25519), HK_SIGN_RAW, "message", 7);
    hk_refused(&attack, &attack.laptop, HK_OP_SIGN, got, HK_UNKNOWN_KEY, "sign with the bystander's key");
}

/* What the account key signs is parsed; anything else, and anything not of this account, is refused. */
static enum hk_error sign_object(const char *type, const uint8_t *account, const void *payload, size_t size)
{
    static uint8_t bytes[4096];
    size_t length;
    assert_int_equal(
        hk_cose_to_be_signed(bytes, sizeof(bytes), &length, type, account, HK_BYTES(payload, size)), HK_OK);
    return sign_with(key_of(HK_SUITE_ACCOUNT), HK_SIGN_OBJECT, bytes, length);
}

static void row11_the_account_key_signs_only_objects_that_are_parsed_and_allowed(void **state)
{
    (void)state;
    uint8_t payload[HK_SMALL_OBJECT_MAX];
    size_t size;
    const struct hk_test_device *laptop = &attack.laptop;
    struct hk_device_record record = {.name = "rogue", .role = HK_ROLE_ORDINARY, .created = 1};
    struct hk_revocation revocation = {.created = 1};
    memcpy(record.account, laptop->account, HK_ACCOUNT_BYTES);
    hk_random(record.serial, HK_ID_BYTES);
    hk_random(record.static_key, 32);
    memcpy(record.report_key, laptop->report_key, 32);
#define OBJECT(name, type, of, expected)                                                                     \
    hk_refused(&attack, laptop, HK_OP_SIGN, sign_object(type, of, payload, size), expected, "object: %s",    \
               name)
#define RECORD(name, expected)                                                                               \
    assert_int_equal(hk_record_encode(&record, payload, sizeof(payload), &size), HK_OK);                     \
    OBJECT(name, HK_TYPE_RECORD, laptop->account, expected)
    RECORD("a record without an invitation", HK_NOT_ALLOWED);
    record.has_gate = true;
    hk_random(record.gate_hash, 32);
    RECORD("a record of no invitation", HK_NOT_ALLOWED);
    memcpy(record.gate_hash, attack.enrolment.gate_hash, 32);
    RECORD("a record of a used invitation", HK_NOT_ALLOWED);
    record.role = HK_ROLE_ADMIN;
    RECORD("a record of an administrator", HK_NOT_ALLOWED);
    OBJECT("a record as if it were a revocation", HK_TYPE_REVOCATION, laptop->account, HK_BAD_ENCODING);
    OBJECT("a record as if it were a profile", HK_TYPE_PROFILE, laptop->account, HK_BAD_ENCODING);
    OBJECT("a type that is none", "halfkey-anything", laptop->account, HK_NOT_ALLOWED);
    OBJECT("under the bystander's name", HK_TYPE_RECORD, attack.bystander.account, HK_NOT_ALLOWED);
    memcpy(revocation.account, laptop->account, HK_ACCOUNT_BYTES);
    memcpy(revocation.serial, attack.phone.serial, HK_ID_BYTES);
    assert_int_equal(hk_revocation_encode(&revocation, payload, sizeof(payload), &size), HK_OK);
    OBJECT("a certificate outside of an enrolment", HK_TYPE_REVOCATION, laptop->account, HK_NOT_ALLOWED);
    memcpy(revocation.account, attack.bystander.account, HK_ACCOUNT_BYTES);
    memcpy(revocation.serial, attack.bystander.serial, HK_ID_BYTES);
    assert_int_equal(hk_revocation_encode(&revocation, payload, sizeof(payload), &size), HK_OK);
    OBJECT("a certificate of the bystander", HK_TYPE_REVOCATION, laptop->account, HK_NOT_ALLOWED);
    size--;
    OBJECT("an object cut short", HK_TYPE_REVOCATION, laptop->account, HK_BAD_ENCODING);
    enum hk_error got = sign_with(key_of(HK_SUITE_ACCOUNT), HK_SIGN_OBJECT, "message", 7);
    hk_refused(&attack, laptop, HK_OP_SIGN, got, HK_BAD_ENCODING, "object: no object at all");
}

/* ---- a profile that gives a key's name to another one ---- */

enum other { NAME, PUBLIC_KEY, SUITE, IMPORTED };

static void list_another(struct hk_profile *profile, void *argument)
{
    struct hk_profile_key *key = NULL;
    struct hk_scalar k;
    struct hk_point point;
    for (size_t i = 0; i < profile->key_count; i++) {
        key = profile->keys[i].suite == HK_SUITE_ED25519 ? &profile->keys[i] : key;
    }
    assert_non_null(key);
    switch (*(const enum other *)argument) {
    case NAME: /* the order of ids stays as it is */
        key->id[HK_ID_BYTES - 1] ^= 1;
        break;
    case PUBLIC_KEY:
        hk_scalar_random(group, &k);
        group->base_mul(&point, &k);
        memcpy(key->public_key, point.bytes, 32);
        break;
    case SUITE:
        key->suite = HK_SUITE_X25519;
        key->purpose = HK_PURPOSE_AGREE;
        break;
    case IMPORTED:
        key->imported = !key->imported;
        break;
    }
}

static void row11_a_profile_lists_keys_as_they_were_made_and_no_others(void **state)
{
    (void)state;
    static const char *const names[] = {"a key that there is not", "another public key", "another suite",
                                        "as imported"};
    for (enum other other = NAME; other <= IMPORTED; other++) {
        hk_test_change_profiles(list_another, &other);
        hk_watch(&attack);
        enum hk_error got = hk_test_put_profile(&attack.laptop, &attack.phone);
        hk_test_change_profiles(NULL, NULL);
        hk_refused(&attack, &attack.laptop, HK_OP_SIGN, got, HK_CONFLICT, "a profile with %s", names[other]);
    }
    assert_int_equal(hk_test_put_profile(&attack.laptop, &attack.phone), HK_OK);
}

/* ---- making a key whose suite and purpose do not go together ---- */

static uint64_t put_suite, put_purpose;

static void change_suite(struct hk_message *request, void *argument)
{
    (void)argument;
    hk_message_set_u64(request, HK_F_SUITE, put_suite);
    hk_message_set_u64(request, HK_F_PURPOSE, put_purpose);
    hk_watch(&attack);
}

static void row11_a_key_is_made_with_the_purpose_of_its_suite_alone(void **state)
{
    (void)state;
    struct hk_scalar x;
    hk_scalar_random(group, &x);
    hk_test_change_requests(change_suite, NULL);
    for (put_suite = 0; put_suite <= 12; put_suite++) {
        for (put_purpose = 0; put_purpose <= 4; put_purpose++) {
            const struct hk_suite *suite = hk_suite_by_id(put_suite);
            if (suite != NULL && suite->id != HK_SUITE_ACCOUNT && (uint64_t)suite->purpose == put_purpose) {
                continue;
            }
            enum hk_error got = hk_test_keygen(&attack.laptop, HK_SUITE_ED25519, "odd");
            hk_refused(&attack, &attack.laptop, HK_OP_KEYGEN_START, got, HK_WRONG_PURPOSE,
                       "keygen suite %d purpose %d", (int)put_suite, (int)put_purpose);
            got = hk_test_import(&attack.laptop, HK_SUITE_ED25519, "odd", x.bytes);
            hk_refused(&attack, &attack.laptop, HK_OP_KEY_IMPORT, got, HK_WRONG_PURPOSE,
                       "import suite %d purpose %d", (int)put_suite, (int)put_purpose);
        }
    }
    hk_test_change_requests(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row11_no_share_operation_takes_a_public_key_from_its_caller),
        TEST(row11_a_tweak_is_derived_by_the_service_and_for_bip340_alone),
        TEST(row11_a_device_that_signs_under_another_key_gets_nothing),
        TEST(row11_a_key_is_used_for_its_own_purpose_alone),
        TEST(row11_the_account_key_signs_only_objects_that_are_parsed_and_allowed),
        TEST(row11_a_profile_lists_keys_as_they_were_made_and_no_others),
        TEST(row11_a_key_is_made_with_the_purpose_of_its_suite_alone),
    };
    return HK_ATTACK_ROW(11, tests);
}

/* Profiles, records, revocations, leaves and rows: round trips, bounds, the CDDL, and whose signature counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "crypto/random.h"
#include "crypto/suite.h"
#include "protocol/cose.h"
#include "protocol/object.h"
#include "protocol/udf.h"
#include "tests/support/cddl.h"

static struct cddl *cddl;
static uint8_t account_key[32], account_secret[64], account[HK_ACCOUNT_BYTES];
static uint8_t out[HK_PLAINTEXT_MAX];
static struct hk_profile profile, decoded_profile;

static int set_up(void **state)
{
    (void)state;
    cddl = cddl_load("protocol/halfkey.cddl");
    crypto_sign_keypair(account_key, account_secret);
    hk_account_name(account, account_key);
    return cddl == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    cddl_free(cddl);
    return 0;
}

static struct hk_device_record some_record(void)
{
    struct hk_device_record record;
    hk_random(&record, sizeof(record));
    memcpy(record.account, account, sizeof(account));
    memset(record.name, 0, sizeof(record.name));
    strcpy(record.name, "Alice's phone");
    record.role = HK_ROLE_ADMIN;
    record.has_gate = true;
    return record;
}

static void make_profile(size_t devices, size_t keys)
{
    memset(&profile, 0, sizeof(profile));
    memcpy(profile.account, account, sizeof(account));
    memcpy(profile.account_key, account_key, 32);
    profile.version = 3;
    hk_random(profile.previous, 32);
    profile.time = 1700000000;
    hk_random(profile.service_key, 32);
    hk_random(profile.identity_key, 32);
    strcpy(profile.address, "tcp://127.0.0.1:7700#key");
    profile.device_count = devices;
    profile.key_count = keys;
    for (size_t i = 0; i < devices; i++) {
        hk_random(&profile.devices[i], sizeof(profile.devices[i]));
        memset(profile.devices[i].name, 0, sizeof(profile.devices[i].name));
        memset(profile.devices[i].name, 'd', HK_NAME_MAX);
        profile.devices[i].serial[0] = (uint8_t)i;
        profile.devices[i].role = i == 0 ? HK_ROLE_ADMIN : HK_ROLE_ORDINARY;
    }
    for (size_t i = 0; i < keys; i++) {
        struct hk_profile_key *key = &profile.keys[i];
        hk_random(key->id, sizeof(key->id));
        key->id[0] = (uint8_t)i;
        key->suite = 1 + i % 3;
        key->purpose = hk_suite_by_id(key->suite)->purpose;
        hk_random(key->public_key, 32);
        key->public_size = 32;
        key->created = 1700000000 + i;
        snprintf(key->name, sizeof(key->name), "key number %zu", i);
        key->imported = i % 2 == 1;
    }
}

/* Every truncation is refused; every change of a bit is refused or gives something that is encoded as it
 * came. */
#define DAMAGE(type, decode, encode, size)                                                                   \
    do {                                                                                                     \
        static uint8_t damaged[sizeof(out)], again[sizeof(out)];                                             \
        static type object;                                                                                  \
        for (size_t at = 0; at < (size); at++) {                                                             \
            uint8_t *exact = malloc(at + 1);                                                                 \
            memcpy(exact, out, at);                                                                          \
            assert_int_equal(decode(&object, exact, at), HK_BAD_ENCODING);                                   \
            free(exact);                                                                                     \
            for (unsigned bit = 0; bit < 8; bit++) {                                                         \
                size_t written;                                                                              \
                memcpy(damaged, out, (size));                                                                \
                damaged[at] ^= (uint8_t)(1u << bit);                                                         \
                if (decode(&object, damaged, (size)) == HK_OK) {                                             \
                    assert_int_equal(encode(&object, again, sizeof(again), &written), HK_OK);                \
                    assert_int_equal(written, (size));                                                       \
                    assert_memory_equal(again, damaged, (size));                                             \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
        memcpy(damaged, out, (size));                                                                        \
        damaged[(size)] = 0;                                                                                 \
        assert_int_equal(decode(&object, damaged, (size) + 1), HK_BAD_ENCODING);                             \
    } while (0)

static void records_are_read_back_and_match_the_cddl(void **state)
{
    (void)state;
    struct hk_device_record record = some_record(), back;
    for (int gate = 0; gate < 2; gate++) {
        size_t size;
        record.has_gate = gate == 1;
        assert_int_equal(hk_record_encode(&record, out, sizeof(out), &size), HK_OK);
        assert_true(size <= HK_SMALL_OBJECT_MAX);
        assert_true(cddl_matches(cddl, "device-record", out, size));
        assert_int_equal(hk_record_decode(&back, out, size), HK_OK);
        assert_memory_equal(back.account, record.account, sizeof(back.account));
        assert_memory_equal(back.serial, record.serial, sizeof(back.serial));
        assert_memory_equal(back.static_key, record.static_key, 32);
        assert_string_equal(back.name, record.name);
        assert_memory_equal(back.report_key, record.report_key, 32);
        assert_memory_equal(back.code_hash, record.code_hash, 32);
        assert_true(back.role == record.role && back.created == record.created &&
                    back.has_gate == record.has_gate);
        if (record.has_gate) {
            assert_memory_equal(back.gate_hash, record.gate_hash, 32);
        }
        DAMAGE(struct hk_device_record, hk_record_decode, hk_record_encode, size);
    }
}

static void records_with_bad_names_or_roles_are_not_written(void **state)
{
    (void)state;
    struct hk_device_record record = some_record();
    size_t size = 5;
    record.role = (enum hk_role)2;
    assert_int_equal(hk_record_encode(&record, out, sizeof(out), &size), HK_BAD_ENCODING);
    record = some_record();
    record.name[0] = '\0';
    assert_int_equal(hk_record_encode(&record, out, sizeof(out), &size), HK_BAD_ENCODING);
    strcpy(record.name, "two\nlines");
    assert_int_equal(hk_record_encode(&record, out, sizeof(out), &size), HK_BAD_ENCODING);
    memset(record.name, 'x', sizeof(record.name)); /* no final zero */
    assert_int_equal(hk_record_encode(&record, out, sizeof(out), &size), HK_BAD_ENCODING);
    record = some_record();
    assert_int_equal(hk_record_encode(&record, out, 20, &size), HK_TOO_LARGE);
    assert_int_equal(size, 5);
}

static void revocations_are_read_back_and_match_the_cddl(void **state)
{
    (void)state;
    struct hk_revocation revocation, back;
    size_t size;
    hk_random(&revocation, sizeof(revocation));
    assert_int_equal(hk_revocation_encode(&revocation, out, sizeof(out), &size), HK_OK);
    assert_true(cddl_matches(cddl, "revocation", out, size));
    assert_int_equal(hk_revocation_decode(&back, out, size), HK_OK);
    assert_memory_equal(&back, &revocation, sizeof(back));
    DAMAGE(struct hk_revocation, hk_revocation_decode, hk_revocation_encode, size);
}

static void profiles_are_read_back_and_match_the_cddl(void **state)
{
    (void)state;
    static const struct {
        size_t devices, keys;
    } sizes[] = {{0, 0}, {1, 1}, {2, 3}, {HK_DEVICES, HK_KEYS_MAX}};
    static uint8_t encoded_again[HK_PLAINTEXT_MAX];
    for (size_t i = 0; i < 4; i++) {
        size_t size, length;
        make_profile(sizes[i].devices, sizes[i].keys);
        assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_OK);
        assert_true(cddl_matches(cddl, "account-profile", out, size));
        assert_int_equal(hk_profile_decode(&decoded_profile, out, size), HK_OK);
        assert_int_equal(decoded_profile.device_count, sizes[i].devices);
        assert_int_equal(decoded_profile.key_count, sizes[i].keys);
        for (size_t k = 0; k < sizes[i].keys; k++) {
            assert_string_equal(decoded_profile.keys[k].name, profile.keys[k].name);
            assert_memory_equal(decoded_profile.keys[k].public_key, profile.keys[k].public_key, 32);
            assert_true(decoded_profile.keys[k].imported == profile.keys[k].imported);
        }
        assert_int_equal(hk_profile_encode(&decoded_profile, encoded_again, sizeof(encoded_again), &length),
                         HK_OK);
        assert_int_equal(length, size);
        assert_memory_equal(encoded_again, out, size);
        if (size < 2000) {
            DAMAGE(struct hk_profile, hk_profile_decode, hk_profile_encode, size);
        }
    }
}

static void the_first_profile_has_no_predecessor_and_later_ones_have(void **state)
{
    (void)state;
    size_t size;
    make_profile(1, 1);
    profile.version = 1;
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
    memset(profile.previous, 0, 32);
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_OK);
    assert_true(cddl_matches(cddl, "account-profile", out, size));
    assert_int_equal(hk_profile_decode(&decoded_profile, out, size), HK_OK);
    assert_int_equal(decoded_profile.version, 1);
    DAMAGE(struct hk_profile, hk_profile_decode, hk_profile_encode, size);
    profile.version = 0;
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
}

static void profiles_with_disorder_doubles_or_strange_keys_are_refused(void **state)
{
    (void)state;
    size_t size = 5;
    make_profile(2, 2);
    memcpy(profile.devices[1].serial, profile.devices[0].serial, HK_ID_BYTES);
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
    make_profile(2, 2);
    profile.devices[0].serial[0] = 9;
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
    make_profile(2, 2);
    profile.keys[0].id[0] = 9;
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
    make_profile(2, 2);
    strcpy(profile.keys[1].name, profile.keys[0].name);
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
    make_profile(2, 2);
    profile.keys[1].suite = 77;
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
    make_profile(2, 2);
    profile.keys[1].purpose = profile.keys[0].purpose;
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
    make_profile(2, 2);
    profile.keys[1].public_size = 33;
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
    make_profile(2, 2);
    profile.key_count = HK_KEYS_MAX + 1;
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
    make_profile(2, 2);
    profile.keys[0].attachments = HK_BYTES("\xa0", 1);
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_BAD_ENCODING);
    assert_int_equal(size, 5);
}

static void attachments_are_sorted_carried_and_read_back(void **state)
{
    (void)state;
    struct hk_attachment list[] = {{HK_TEXT("openpgp"), HK_BYTES("fingerprint", 11)},
                                   {HK_TEXT("ssh"), HK_BYTES("", 0)},
                                   {HK_TEXT("note"), HK_BYTES("n", 1)}},
                         back[HK_ATTACHMENTS];
    uint8_t encoded[256];
    size_t size, count;
    assert_int_equal(hk_attachments_encode(list, 3, encoded, sizeof(encoded), &size), HK_OK);
    assert_true(cddl_matches(cddl, "attachments", encoded, size));
    make_profile(1, 2);
    profile.keys[1].attachments = HK_BYTES(encoded, size);
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_OK);
    assert_true(cddl_matches(cddl, "account-profile", out, size));
    assert_int_equal(hk_profile_decode(&decoded_profile, out, size), HK_OK);
    assert_int_equal(hk_attachments_decode(back, &count, decoded_profile.keys[0].attachments), HK_OK);
    assert_int_equal(count, 0);
    assert_int_equal(hk_attachments_decode(back, &count, decoded_profile.keys[1].attachments), HK_OK);
    assert_int_equal(count, 3);
    assert_memory_equal(back[0].name.data, "ssh", 3);
    assert_memory_equal(back[1].name.data, "note", 4);
    assert_memory_equal(back[2].data.data, "fingerprint", 11);
    DAMAGE(struct hk_profile, hk_profile_decode, hk_profile_encode, size);
    list[1].name = list[0].name;
    assert_int_equal(hk_attachments_encode(list, 2, encoded, sizeof(encoded), &size), HK_BAD_ENCODING);
    list[1].name = HK_BYTES("", 0);
    assert_int_equal(hk_attachments_encode(list, 2, encoded, sizeof(encoded), &size), HK_BAD_ENCODING);
    assert_int_equal(hk_attachments_encode(list, HK_ATTACHMENTS + 1, encoded, sizeof(encoded), &size),
                     HK_BAD_ENCODING);
}

/* ---- signatures ---- */

static size_t sign(uint8_t *signed_object, const char *type, const uint8_t *kid, const uint8_t *payload,
                   size_t size, const uint8_t secret[64])
{
    static uint8_t to_be_signed[HK_PLAINTEXT_MAX];
    uint8_t signature[64];
    size_t length;
    assert_int_equal(
        hk_cose_to_be_signed(to_be_signed, sizeof(to_be_signed), &length, type, kid, HK_BYTES(payload, size)),
        HK_OK);
    crypto_sign_detached(signature, NULL, to_be_signed, length, secret);
    assert_int_equal(hk_cose_assemble(signed_object, HK_PLAINTEXT_MAX, &length, type, kid,
                                      HK_BYTES(payload, size), signature),
                     HK_OK);
    return length;
}

static uint8_t signed_object[HK_PLAINTEXT_MAX];

static void signed_objects_open_under_the_account_key_alone(void **state)
{
    (void)state;
    struct hk_device_record record = some_record(), back;
    struct hk_revocation revocation = {.created = 5}, back_revocation;
    uint8_t other_key[32], other_secret[64];
    size_t size, length;
    crypto_sign_keypair(other_key, other_secret);
    assert_int_equal(hk_record_encode(&record, out, sizeof(out), &size), HK_OK);
    length = sign(signed_object, HK_TYPE_RECORD, account, out, size, account_secret);
    assert_true(length <= HK_SMALL_OBJECT_MAX);
    assert_int_equal(hk_record_open(&back, signed_object, length, account_key), HK_OK);
    assert_string_equal(back.name, record.name);
    assert_int_equal(hk_record_open(&back, signed_object, length, other_key), HK_BAD_SIGNATURE);
    assert_int_equal(hk_revocation_open(&back_revocation, signed_object, length, account_key),
                     HK_BAD_SIGNATURE);
    assert_int_equal(hk_profile_open(&decoded_profile, signed_object, length, account_key), HK_BAD_SIGNATURE);
    length = sign(signed_object, HK_TYPE_RECORD, account, out, size, other_secret);
    assert_int_equal(hk_record_open(&back, signed_object, length, account_key), HK_BAD_SIGNATURE);
    /* the other key's owner signs in our name: kid and payload say ours, the key is not */
    assert_int_equal(hk_record_open(&back, signed_object, length, other_key), HK_BAD_SIGNATURE);
    memcpy(revocation.account, account, sizeof(account));
    assert_int_equal(hk_revocation_encode(&revocation, out, sizeof(out), &size), HK_OK);
    length = sign(signed_object, HK_TYPE_REVOCATION, account, out, size, account_secret);
    assert_int_equal(hk_revocation_open(&back_revocation, signed_object, length, account_key), HK_OK);
    revocation.account[0] ^= 1; /* the payload is of another account than the kid */
    assert_int_equal(hk_revocation_encode(&revocation, out, sizeof(out), &size), HK_OK);
    length = sign(signed_object, HK_TYPE_REVOCATION, account, out, size, account_secret);
    assert_int_equal(hk_revocation_open(&back_revocation, signed_object, length, account_key),
                     HK_BAD_SIGNATURE);
}

static void a_profile_opens_by_the_accounts_name_alone(void **state)
{
    (void)state;
    uint8_t other_key[32], other_secret[64], other_account[HK_ACCOUNT_BYTES];
    size_t size, length;
    crypto_sign_keypair(other_key, other_secret);
    hk_account_name(other_account, other_key);
    make_profile(2, 2);
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_OK);
    length = sign(signed_object, HK_TYPE_PROFILE, account, out, size, account_secret);
    assert_int_equal(hk_profile_open(&decoded_profile, signed_object, length, account_key), HK_OK);
    assert_int_equal(hk_profile_open_named(&decoded_profile, signed_object, length, account), HK_OK);
    assert_int_equal(decoded_profile.version, 3);
    assert_int_equal(hk_profile_open_named(&decoded_profile, signed_object, length, other_account),
                     HK_BAD_SIGNATURE);
    memcpy(profile.account_key, other_key, 32); /* the name of one, the key of another */
    assert_int_equal(hk_profile_encode(&profile, out, sizeof(out), &size), HK_OK);
    length = sign(signed_object, HK_TYPE_PROFILE, account, out, size, other_secret);
    assert_int_equal(hk_profile_open_named(&decoded_profile, signed_object, length, account),
                     HK_BAD_SIGNATURE);
    length = sign(signed_object, HK_TYPE_PROFILE, account, out, size, account_secret);
    assert_int_equal(hk_profile_open(&decoded_profile, signed_object, length, account_key), HK_BAD_SIGNATURE);
    length = sign(signed_object, HK_TYPE_PROFILE, other_account, out, size, other_secret);
    assert_int_equal(hk_profile_open_named(&decoded_profile, signed_object, length, other_account),
                     HK_BAD_SIGNATURE);
}

static void hashes_of_objects_codes_and_gates_differ(void **state)
{
    (void)state;
    uint8_t input[32] = {1}, object[32], code[32], gate[32];
    hk_object_hash(object, input, 32);
    hk_code_hash(code, input);
    hk_gate_hash(gate, input);
    assert_memory_not_equal(object, code, 32);
    assert_memory_not_equal(object, gate, 32);
    assert_memory_not_equal(code, gate, 32);
}

/* ---- log and status ---- */

static void heads_are_read_back_and_signatures_hold_for_one_use_only(void **state)
{
    (void)state;
    struct hk_log_head head = {.generation = 1, .size = UINT64_MAX, .time = 0x0102030405060708}, back;
    uint8_t encoded[HK_HEAD_BYTES], statement[HK_HASH_BYTES], signature[64], other[HK_ACCOUNT_BYTES] = {0};
    hk_random(head.root, 32);
    hk_head_encode(encoded, &head);
    assert_memory_equal(encoded, "\0\0\0\0\0\0\0\1\xff", 9);
    assert_memory_equal(encoded + 48, "\1\2\3\4\5\6\7\x08", 8);
    hk_head_decode(&back, encoded);
    assert_memory_equal(&back, &head, sizeof(head));
    hk_head_statement(statement, HK_HEAD_REPORT, account, &head);
    crypto_sign_detached(signature, NULL, statement, sizeof(statement), account_secret);
    assert_int_equal(hk_head_verify(HK_HEAD_REPORT, account, &head, signature, account_key), HK_OK);
    assert_int_equal(hk_head_verify(HK_HEAD_OF_SERVICE, account, &head, signature, account_key),
                     HK_BAD_SIGNATURE);
    assert_int_equal(hk_head_verify(HK_HEAD_REPORT, other, &head, signature, account_key), HK_BAD_SIGNATURE);
    uint8_t *at[] = {(uint8_t *)&head.generation, (uint8_t *)&head.size, head.root, (uint8_t *)&head.time};
    for (size_t i = 0; i < 4; i++) {
        *at[i] ^= 1;
        assert_int_equal(hk_head_verify(HK_HEAD_REPORT, account, &head, signature, account_key),
                         HK_BAD_SIGNATURE);
        *at[i] ^= 1;
    }
}

static void leaves_are_read_back_with_every_choice_of_members(void **state)
{
    (void)state;
    for (unsigned choice = 0; choice < 64; choice++) {
        struct hk_leaf leaf, back;
        size_t size;
        memset(&leaf, 0, sizeof(leaf));
        leaf.has_who = (choice & 1) != 0;
        leaf.has_key = (choice & 2) != 0;
        leaf.has_namespace = (choice & 4) != 0;
        leaf.has_report = (choice & 8) != 0;
        leaf.has_subject = (choice & 16) != 0;
        leaf.has_previous = (choice & 32) != 0;
        hk_random(leaf.digest, 32);
        hk_random(leaf.who, leaf.has_who ? HK_ID_BYTES : 0);
        hk_random(leaf.key, leaf.has_key ? HK_ID_BYTES : 0);
        hk_random(leaf.report, leaf.has_report ? HK_REPORT_BYTES : 0);
        hk_random(leaf.subject, leaf.has_subject ? HK_ID_BYTES : 0);
        hk_random(leaf.previous, leaf.has_previous ? HK_HEAD_BYTES : 0);
        memset(leaf.namespace, 'n', leaf.has_namespace ? HK_NAMESPACE_MAX : 0);
        leaf.op = HK_OP_SIGN;
        leaf.count = leaf.time = UINT64_MAX;
        assert_int_equal(hk_leaf_encode(&leaf, out, sizeof(out), &size), HK_OK);
        assert_true(size <= HK_SMALL_OBJECT_MAX);
        assert_true(cddl_matches(cddl, "log-leaf", out, size));
        assert_int_equal(hk_leaf_decode(&back, out, size), HK_OK);
        assert_memory_equal(&back, &leaf, sizeof(leaf));
        DAMAGE(struct hk_leaf, hk_leaf_decode, hk_leaf_encode, size);
    }
}

static void rows_are_read_back_and_match_the_cddl(void **state)
{
    (void)state;
    struct hk_device_row row, back;
    for (unsigned status = HK_STATUS_ACTIVE; status <= HK_STATUS_ENROLLING; status++) {
        size_t size;
        memset(&row, 0, sizeof(row));
        hk_random(row.serial, HK_ID_BYTES);
        row.status = (enum hk_device_status)status;
        row.role = HK_ROLE_ADMIN;
        row.epoch = row.uses = row.last_use = row.stale_copy_seen = UINT64_MAX;
        row.must_refresh = true;
        assert_int_equal(hk_row_encode(&row, out, sizeof(out), &size), HK_OK);
        assert_true(cddl_matches(cddl, "device-row", out, size));
        assert_int_equal(hk_row_decode(&back, out, size), HK_OK);
        assert_memory_equal(&back, &row, sizeof(row));
        DAMAGE(struct hk_device_row, hk_row_decode, hk_row_encode, size);
    }
    size_t size = 3;
    row.status = (enum hk_device_status)0;
    assert_int_equal(hk_row_encode(&row, out, sizeof(out), &size), HK_BAD_ENCODING);
    row.status = (enum hk_device_status)5;
    assert_int_equal(hk_row_encode(&row, out, sizeof(out), &size), HK_BAD_ENCODING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read_back_and_match_the_cddl),
        cmocka_unit_test(records_with_bad_names_or_roles_are_not_written),
        cmocka_unit_test(revocations_are_read_back_and_match_the_cddl),
        cmocka_unit_test(profiles_are_read_back_and_match_the_cddl),
        cmocka_unit_test(the_first_profile_has_no_predecessor_and_later_ones_have),
        cmocka_unit_test(profiles_with_disorder_doubles_or_strange_keys_are_refused),
        cmocka_unit_test(attachments_are_sorted_carried_and_read_back),
        cmocka_unit_test(signed_objects_open_under_the_account_key_alone),
        cmocka_unit_test(a_profile_opens_by_the_accounts_name_alone),
        cmocka_unit_test(hashes_of_objects_codes_and_gates_differ),
        cmocka_unit_test(heads_are_read_back_and_signatures_hold_for_one_use_only),
        cmocka_unit_test(leaves_are_read_back_with_every_choice_of_members),
        cmocka_unit_test(rows_are_read_back_and_match_the_cddl),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

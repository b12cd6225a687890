/* The enrolment of a second device, both sides of it, with a stop before any step. What the two devices say
 * to each other end to end is passed by hand here. */

#include "tests/support/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "crypto/enrolment.h"
#include "crypto/random.h"

struct parts {
    size_t count;
    const struct hk_test_key *key[HK_TEST_KEYS];
    struct hk_enrol_key public[HK_TEST_KEYS];
    struct hk_scalar kept[HK_TEST_KEYS], passed[HK_TEST_KEYS];
};

static enum hk_error join(struct hk_test_device *admin, struct hk_test_device *device,
                          struct hk_test_enrolment *enrolment)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_JOIN, NULL);
    hk_message_set_bytes(&request, HK_F_ACCOUNT, admin->account, HK_ACCOUNT_BYTES);
    hk_message_set_bytes(&request, HK_F_GATE, enrolment->gate, 32);
    hk_message_set_u64(&request, HK_F_STEP, 0);
    hk_message_set_bytes(&request, HK_F_RELAY, "hello", 5);
    enum hk_error error = hk_test_call_stranger(device, &request, &answer);
    if (error != HK_OK) {
        return error;
    }
    hk_test_request(&request, HK_OP_RELAY, admin);
    hk_message_set_bytes(&request, HK_F_GATE_HASH, enrolment->gate_hash, 32);
    hk_message_set_u64(&request, HK_F_STEP, 0);
    error = hk_test_call(admin, &request, &answer);
    if (error == HK_OK) {
        assert_memory_equal(answer.value[HK_F_RELAY].data, "hello", 5);
    }
    return error;
}

static enum hk_error sign_objects(struct hk_test_device *admin, const struct hk_test_device *device,
                                  struct hk_test_enrolment *enrolment)
{
    uint8_t payload[HK_SMALL_OBJECT_MAX];
    size_t size;
    struct hk_device_record record = {
        .name = "phone", .role = HK_ROLE_ORDINARY, .created = (uint64_t)time(NULL), .has_gate = true};
    struct hk_revocation revocation = {.created = (uint64_t)time(NULL)};
    memcpy(record.account, admin->account, HK_ACCOUNT_BYTES);
    memcpy(record.serial, device->serial, HK_ID_BYTES);
    memcpy(record.static_key, device->static_public, 32);
    memcpy(record.report_key, device->report_key, 32);
    memcpy(record.gate_hash, enrolment->gate_hash, 32);
    hk_code_hash(record.code_hash, device->code);
    memcpy(revocation.account, admin->account, HK_ACCOUNT_BYTES);
    memcpy(revocation.serial, device->serial, HK_ID_BYTES);
    assert_int_equal(hk_record_encode(&record, payload, sizeof(payload), &size), HK_OK);
    enum hk_error error = hk_test_object(admin, HK_TYPE_RECORD, payload, size, enrolment->record,
                                         sizeof(enrolment->record), &enrolment->record_size);
    if (error != HK_OK) {
        return error;
    }
    assert_int_equal(hk_revocation_encode(&revocation, payload, sizeof(payload), &size), HK_OK);
    return hk_test_object(admin, HK_TYPE_REVOCATION, payload, size, enrolment->certificate,
                          sizeof(enrolment->certificate), &enrolment->certificate_size);
}

/* The administrator's dealing, and the service's answer. */
static enum hk_error enrol(struct hk_test_device *admin, struct hk_test_device *device,
                           struct hk_test_enrolment *enrolment, struct parts *parts)
{
    struct hk_message request, answer;
    struct hk_bytes ids[HK_TEST_KEYS], kept[HK_TEST_KEYS], passed[HK_TEST_KEYS], shares[HK_TEST_KEYS];
    for (size_t i = 0; i < admin->key_count; i++) {
        const struct hk_test_key *key = &admin->key[i];
        if (key->suite->id != HK_SUITE_ACCOUNT) {
            size_t n = parts->count++;
            parts->key[n] = key;
            parts->public[n] =
                (struct hk_enrol_key){.id = key->id, .suite = key->suite, .public_key = key->public_key};
            assert_int_equal(hk_enrol_split(&parts->public[n].administrator, &parts->kept[n],
                                            &parts->passed[n], key->suite->group, key->public_key,
                                            &key->half),
                             HK_OK);
            ids[n] = HK_BYTES(key->id, HK_ID_BYTES);
            kept[n] = HK_BYTES(parts->public[n].administrator.kept, key->suite->group->point_bytes);
            passed[n] = HK_BYTES(parts->public[n].administrator.passed, key->suite->group->point_bytes);
            shares[n] = HK_BYTES(parts->passed[n].bytes, key->suite->group->scalar_bytes);
        }
    }
    hk_test_request(&request, HK_OP_ENROL, admin);
    hk_message_set_bytes(&request, HK_F_GATE_HASH, enrolment->gate_hash, 32);
    hk_message_set_bytes(&request, HK_F_RECORD, enrolment->record, enrolment->record_size);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, enrolment->certificate, enrolment->certificate_size);
    hk_message_set_list(&request, HK_F_KEYS, ids, parts->count);
    hk_message_set_list(&request, HK_F_KEPT, kept, parts->count);
    hk_message_set_list(&request, HK_F_PASSED, passed, parts->count);
    hk_message_set_list(&request, HK_F_SUBSHARES, shares, parts->count);
    enum hk_error error = hk_test_call(admin, &request, &answer);
    for (size_t i = 0; i < parts->count && error == HK_OK; i++) {
        size_t point = parts->key[i]->suite->group->point_bytes;
        memcpy(parts->public[i].service.kept, answer.value[HK_F_KEPT].items[i].data, point);
        memcpy(parts->public[i].service.passed, answer.value[HK_F_PASSED].items[i].data, point);
    }
    if (error == HK_OK) {
        uint8_t record[32];
        hk_object_hash(record, enrolment->record, enrolment->record_size);
        struct hk_enrolment names = {.account = admin->account,
                                     .administrator = admin->serial,
                                     .device = device->serial,
                                     .service_key = admin->service->address.service_key,
                                     .record = record,
                                     .invitation = enrolment->gate_hash,
                                     .epoch = admin->epoch};
        error = hk_enrol_transcript(enrolment->transcript, &names, parts->public, parts->count);
    }
    return error;
}

static enum hk_error fetch(struct hk_test_device *device, struct hk_test_enrolment *enrolment,
                           const struct parts *parts)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_ENROL_FETCH, NULL);
    enum hk_error error = hk_test_call(device, &request, &answer);
    for (size_t i = 0; i < parts->count && error == HK_OK; i++) {
        struct hk_test_key key = *parts->key[i];
        struct hk_point point, service;
        struct hk_enrol_commitments given;
        size_t size = key.suite->group->point_bytes;
        memcpy(given.kept, answer.value[HK_F_KEPT].items[i].data, size);
        memcpy(given.passed, answer.value[HK_F_PASSED].items[i].data, size);
        error = hk_enrol_take(&key.half, &service, key.suite->group, key.public_key,
                              parts->key[i]->device_point, &parts->public[i].administrator,
                              parts->kept[i].bytes, &given, answer.value[HK_F_SUBSHARES].items[i].data);
        key.suite->group->base_mul(&point, &key.half);
        memcpy(key.device_point, point.bytes, size);
        memcpy(key.service_point, service.bytes, size);
        device->key[device->key_count++] = key;
        hk_enrol_prove(enrolment->proofs[i], key.suite->group, enrolment->transcript, key.id, &key.half);
    }
    if (error == HK_OK) {
        memcpy(device->identity, answer.value[HK_F_IDENTITY].data, 32);
    }
    enrolment->count = parts->count;
    return error;
}

static enum hk_error confirm(struct hk_test_device *device, const struct hk_test_enrolment *enrolment)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_ENROL_CONFIRM, NULL);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, enrolment->transcript, 32);
    hk_message_set_list(&request, HK_F_PROOFS, NULL, 0);
    for (size_t i = 0; i < enrolment->count; i++) {
        hk_message_append(&request, HK_F_PROOFS, enrolment->proofs[i],
                          hk_suite_proof_bytes(device->key[i].suite->id));
    }
    enum hk_error error = hk_test_call(device, &request, &answer);
    if (error == HK_OK) {
        device->epoch = answer.value[HK_F_EPOCH].number;
        device->refused = 0; /* nobody logs what it was refused before it was a device */
        memcpy(device->tag, answer.value[HK_F_TAG].data, HK_TAG_BYTES);
    }
    return error;
}

enum hk_error hk_test_enrol_on(struct hk_test_device *admin, struct hk_test_device *device,
                               struct hk_test_enrolment *enrolment, int first, int stop_before)
{
    struct parts parts = {0};
    enum hk_error error = HK_OK;
    for (int step = first; step <= 5 && error == HK_OK && step != stop_before; step++) {
        error = step == 1   ? join(admin, device, enrolment)
                : step == 2 ? sign_objects(admin, device, enrolment)
                : step == 3 ? enrol(admin, device, enrolment, &parts)
                : step == 4 ? fetch(device, enrolment, &parts)
                            : confirm(device, enrolment);
    }
    return error;
}

enum hk_error hk_test_enrol(struct hk_test_device *admin, struct hk_test_device *device,
                            struct hk_test_enrolment *enrolment, int stop_before)
{
    struct hk_message request, answer;
    memset(enrolment, 0, sizeof(*enrolment));
    hk_random(enrolment->gate, 32);
    hk_gate_hash(enrolment->gate_hash, enrolment->gate);
    memcpy(device->account, admin->account, HK_ACCOUNT_BYTES);
    hk_test_request(&request, HK_OP_INVITE, admin);
    hk_message_set_bytes(&request, HK_F_GATE_HASH, enrolment->gate_hash, 32);
    hk_message_set_u64(&request, HK_F_EXPIRES, (uint64_t)time(NULL) + 600);
    enum hk_error error = hk_test_call(admin, &request, &answer);
    return error == HK_OK ? hk_test_enrol_on(admin, device, enrolment, 1, stop_before) : error;
}

void hk_test_two_devices(struct hk_test_device *laptop, struct hk_test_device *phone,
                         struct hk_test_service *service, struct hk_test_enrolment *enrolment)
{
    hk_test_device_init(laptop, service);
    hk_test_device_init(phone, service);
    assert_int_equal(hk_test_init(laptop), HK_OK);
    assert_int_equal(hk_test_keygen(laptop, HK_SUITE_ED25519, "git"), HK_OK);
    assert_int_equal(hk_test_put_profile(laptop, NULL), HK_OK);
    assert_int_equal(hk_test_enrol(laptop, phone, enrolment, 0), HK_OK);
    assert_int_equal(hk_test_put_profile(laptop, phone), HK_OK);
}

enum hk_error hk_test_sign_git(struct hk_test_device *device)
{
    uint8_t signature[64];
    for (size_t i = 0; i < device->key_count; i++) {
        if (device->key[i].suite->id == HK_SUITE_ED25519) {
            return hk_test_sign(device, &device->key[i], HK_SIGN_RAW, "message", 7, signature);
        }
    }
    fail();
    return HK_INTERNAL;
}

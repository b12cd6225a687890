#include "tests/support/client_hand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "tests/support/client_lies.h"

static struct hk_hand_parties parties_of(const struct hk_test_device *admin,
                                         const struct hk_test_device *device)
{
    return (struct hk_hand_parties){
        .account = admin->account, .administrator = admin->serial, .device = device->serial};
}

static const struct hk_test_key *find(const struct hk_test_device *device, const uint8_t *id)
{
    for (size_t i = 0; i < device->key_count; i++) {
        if (memcmp(device->key[i].id, id, HK_ID_BYTES) == 0) {
            return &device->key[i];
        }
    }
    return NULL;
}

enum hk_error hk_test_hand_open(struct hk_test_device *admin, struct hk_test_device *device,
                                struct hk_test_hand *hand, bool proves)
{
    struct hk_message request, answer;
    struct hk_hand_parties parties = parties_of(admin, device);
    memset(hand, 0, sizeof(*hand));
    hk_random(hand->deposit, HK_HAND_MESSAGE_1_BYTES);
    hand->deposit_size = HK_HAND_MESSAGE_1_BYTES;
    if (proves && device->key_count > 0) {
        const struct hk_test_key *key = &device->key[0];
        hand->deposit_size =
            hk_hand_deposit_prove(hand->deposit, key->suite->group, &parties, key->id, &key->half);
    }
    hk_test_request(&request, HK_OP_HAND_OPEN, device);
    hk_message_set_bytes(&request, HK_F_DEVICE, admin->serial, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_RELAY, hand->deposit, hand->deposit_size);
    return hk_test_call(device, &request, &answer);
}

enum hk_error hk_test_hand_ask(struct hk_test_device *admin, const struct hk_test_device *device,
                               size_t *lacks, size_t *waits)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_HAND_ASK, admin);
    hk_message_set_bytes(&request, HK_F_DEVICE, device->serial, HK_ID_BYTES);
    enum hk_error error = hk_test_call(admin, &request, &answer);
    if (error == HK_OK) {
        *lacks = answer.value[HK_F_KEYS].count;
        *waits = answer.value[HK_F_COUNT].number;
    }
    return error;
}

static void split(struct hk_test_device *admin, const struct hk_test_device *device,
                  struct hk_test_hand *hand)
{
    hand->count = 0;
    for (size_t i = 0; i < admin->key_count; i++) {
        const struct hk_test_key *key = &admin->key[i];
        if (key->suite->id == HK_SUITE_ACCOUNT || find(device, key->id) != NULL) {
            continue;
        }
        size_t n = hand->count++;
        hand->key[n] = *key;
        hand->public[n] = (struct hk_enrol_key){
            .id = hand->key[n].id, .suite = key->suite, .public_key = hand->key[n].public_key};
        assert_int_equal(hk_enrol_split(&hand->public[n].administrator, &hand->kept[n], &hand->passed[n],
                                        key->suite->group, key->public_key, &key->half),
                         HK_OK);
    }
}

/* The service's proof is of the other half of the key that the deposit names. */
static void check_proof(const struct hk_test_device *admin, const struct hk_test_hand *hand,
                        const struct hk_message *answer)
{
    struct hk_hand_deposit deposit;
    struct hk_point whole, half;
    uint8_t transcript[32];
    assert_int_equal(hk_hand_deposit_open(&deposit, hand->deposit, hand->deposit_size), HK_OK);
    assert_int_equal(hk_message_has(answer, HK_F_PROOF), deposit.key != NULL);
    if (deposit.key == NULL) {
        return;
    }
    const struct hk_test_key *key = find(admin, deposit.key);
    const struct hk_group *group = key->suite->group;
    assert_int_equal(group->point_decode(&whole, key->public_key), HK_OK);
    assert_int_equal(group->point_decode(&half, deposit.point), HK_OK);
    group->point_sub(&half, &whole, &half);
    hk_hand_service_transcript(transcript, hand->transcript, key->id);
    assert_int_equal(
        hk_schnorr_verify(group, transcript, HK_PROVER_SERVICE, &half, answer->value[HK_F_PROOF].data),
        HK_OK);
}

static void make_transcript(const struct hk_test_device *admin, const struct hk_test_device *device,
                            struct hk_test_hand *hand)
{
    uint8_t deposit[32], name[32];
    struct hk_hand_parties parties = parties_of(admin, device);
    hk_hand_deposit_name(deposit, hand->deposit, hand->deposit_size);
    hk_hand_device_name(name, &parties, device->static_public);
    struct hk_enrolment names = {.account = admin->account,
                                 .administrator = admin->serial,
                                 .device = device->serial,
                                 .service_key = admin->service->address.service_key,
                                 .record = deposit,
                                 .invitation = name,
                                 .epoch = admin->epoch};
    assert_int_equal(hk_enrol_transcript(hand->transcript, &names, hand->public, hand->count), HK_OK);
}

enum hk_error hk_test_hand_offer(struct hk_test_device *admin, const struct hk_test_device *device,
                                 struct hk_test_hand *hand)
{
    struct hk_message request, answer;
    struct hk_bytes ids[HK_TEST_KEYS], kept[HK_TEST_KEYS], passed[HK_TEST_KEYS], shares[HK_TEST_KEYS];
    split(admin, device, hand);
    for (size_t i = 0; i < hand->count; i++) {
        const struct hk_group *group = hand->key[i].suite->group;
        ids[i] = HK_BYTES(hand->key[i].id, HK_ID_BYTES);
        kept[i] = HK_BYTES(hand->public[i].administrator.kept, group->point_bytes);
        passed[i] = HK_BYTES(hand->public[i].administrator.passed, group->point_bytes);
        shares[i] = HK_BYTES(hand->passed[i].bytes, group->scalar_bytes);
    }
    hk_test_request(&request, HK_OP_HAND_OFFER, admin);
    hk_message_set_bytes(&request, HK_F_DEVICE, device->serial, HK_ID_BYTES);
    hk_message_set_list(&request, HK_F_KEYS, ids, hand->count);
    hk_message_set_list(&request, HK_F_KEPT, kept, hand->count);
    hk_message_set_list(&request, HK_F_PASSED, passed, hand->count);
    hk_message_set_list(&request, HK_F_SUBSHARES, shares, hand->count);
    enum hk_error error = hk_test_call(admin, &request, &answer);
    for (size_t i = 0; i < hand->count && error == HK_OK; i++) {
        size_t point = hand->key[i].suite->group->point_bytes;
        memcpy(hand->public[i].service.kept, answer.value[HK_F_KEPT].items[i].data, point);
        memcpy(hand->public[i].service.passed, answer.value[HK_F_PASSED].items[i].data, point);
    }
    if (error == HK_OK) {
        make_transcript(admin, device, hand);
        check_proof(admin, hand, &answer);
    }
    return error;
}

enum hk_error hk_test_hand_seal(struct hk_test_device *admin, const struct hk_test_device *device,
                                const struct hk_test_hand *hand)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_HAND_SEAL, admin);
    hk_message_set_bytes(&request, HK_F_DEVICE, device->serial, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, hand->transcript, 32);
    hk_message_set_bytes(&request, HK_F_RELAY, "sealed for the device", 21);
    return hk_test_call(admin, &request, &answer);
}

enum hk_error hk_test_hand_fetch(struct hk_test_device *device, struct hk_test_hand *hand)
{
    struct hk_message request, answer;
    uint8_t name[32];
    hk_hand_deposit_name(name, hand->deposit, hand->deposit_size);
    hk_test_request(&request, HK_OP_HAND_FETCH, device);
    hk_message_set_bytes(&request, HK_F_COMMITMENT, name, sizeof(name));
    enum hk_error error = hk_test_call(device, &request, &answer);
    if (error == HK_OK && !hk_message_has(&answer, HK_F_RELAY)) {
        return HK_NOT_FOUND;
    }
    for (size_t i = 0; i < hand->count && error == HK_OK; i++) {
        struct hk_test_key *key = &hand->handed[i];
        struct hk_point point, service;
        struct hk_enrol_commitments given;
        *key = hand->key[i];
        size_t size = key->suite->group->point_bytes;
        memcpy(given.kept, answer.value[HK_F_KEPT].items[i].data, size);
        memcpy(given.passed, answer.value[HK_F_PASSED].items[i].data, size);
        error = hk_enrol_take(&key->half, &service, key->suite->group, key->public_key,
                              hand->key[i].device_point, &hand->public[i].administrator, hand->kept[i].bytes,
                              &given, answer.value[HK_F_SUBSHARES].items[i].data);
        key->suite->group->base_mul(&point, &key->half);
        memcpy(key->device_point, point.bytes, size);
        memcpy(key->service_point, service.bytes, size);
    }
    return error;
}

enum hk_error hk_test_hand_confirm(struct hk_test_device *device, const struct hk_test_hand *hand)
{
    struct hk_message request, answer;
    uint8_t proofs[HK_TEST_KEYS][HK_SCHNORR_BYTES_MAX];
    hk_test_request(&request, HK_OP_HAND_CONFIRM, device);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, hand->transcript, 32);
    hk_message_set_list(&request, HK_F_PROOFS, NULL, 0);
    for (size_t i = 0; i < hand->count; i++) {
        const struct hk_test_key *key = &hand->handed[i];
        hk_enrol_prove(proofs[i], key->suite->group, hand->transcript, key->id, &key->half);
        hk_message_append(&request, HK_F_PROOFS, proofs[i], hk_suite_proof_bytes(key->suite->id));
    }
    enum hk_error error = hk_test_call(device, &request, &answer);
    for (size_t i = 0; i < hand->count && error == HK_OK; i++) {
        if (find(device, hand->handed[i].id) == NULL) {
            (void)hk_test_insert_key(device, &hand->handed[i]);
        }
    }
    return error;
}

enum hk_error hk_test_hand_deal(struct hk_test_device *admin, struct hk_test_device *device,
                                struct hk_test_hand *hand)
{
    enum hk_error error = hk_test_hand_open(admin, device, hand, true);
    if (error == HK_OK) {
        error = hk_test_hand_offer(admin, device, hand);
    }
    return error == HK_OK ? hk_test_hand_seal(admin, device, hand) : error;
}

#include "tests/support/client_ecdsa.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "crypto/random.h"

enum hk_error hk_test_ecdsa_ring(struct hk_test_device *device, struct hk_test_ecdsa *run)
{
    struct hk_message request, answer;
    const struct timespec pause = {0, 50000000};
    enum hk_error error = HK_BUSY;
    for (int i = 0; i < 1200 && error == HK_BUSY; i++) {
        hk_test_request(&request, HK_OP_ECDSA_RING, device);
        error = hk_test_call(device, &request, &answer);
        if (error == HK_OK && !hk_message_has(&answer, HK_F_RING)) {
            error = HK_BUSY;
        }
        if (error == HK_BUSY) {
            (void)nanosleep(&pause, NULL);
        }
    }
    if (error != HK_OK) {
        return error;
    }
    const uint8_t *ring = answer.value[HK_F_RING].data;
    uint8_t statement[HK_HASH_BYTES];
    run->bits = answer.value[HK_F_SIZE].number;
    assert_int_equal(hk_ring_decode(&run->pair.ring, ring), HK_OK);
    hk_ecdsa_ring_statement(statement, &run->pair.ring, run->bits);
    if (crypto_sign_verify_detached(answer.value[HK_F_SIGNATURE].data, statement, sizeof(statement),
                                    device->identity) != 0) {
        return HK_BAD_SIGNATURE;
    }
    return hk_ring_verify(&run->pair.ring, ring + HK_RING_PUBLIC_BYTES);
}

static struct hk_ecdsa_place place_of(const struct hk_test_device *device, const struct hk_test_key *key)
{
    return (struct hk_ecdsa_place){HK_BYTES(device->account, HK_ACCOUNT_BYTES), device->serial, key->id,
                                   device->epoch};
}

static void set_points(const struct hk_test_key *key, struct hk_test_ecdsa *run)
{
    assert_int_equal(hk_secp256k1.point_decode(&run->pair.service_point, key->service_point), HK_OK);
    assert_int_equal(hk_secp256k1.point_decode(&run->pair.public_key, key->public_key), HK_OK);
}

void hk_test_ecdsa_name(struct hk_test_device *device, const struct hk_test_key *key,
                        struct hk_test_ecdsa *run)
{
    const struct hk_ecdsa_place place = place_of(device, key);
    set_points(key, run);
    hk_ecdsa_pair_name(&run->pair, &place);
}

enum hk_error hk_test_ecdsa_setup(struct hk_test_device *device, const struct hk_test_key *key,
                                  struct hk_test_ecdsa *run)
{
    struct hk_message request, answer;
    const struct hk_ecdsa_place place = place_of(device, key);
    uint8_t transcript[HK_NAME_BYTES];
    hk_test_request(&request, HK_OP_ECDSA_SETUP, device);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    enum hk_error error = hk_test_call(device, &request, &answer);
    if (error != HK_OK) {
        return error;
    }
    set_points(key, run);
    hk_ecdsa_setup_transcript(transcript, &place, &run->pair.service_point, &run->pair.public_key);
    error = hk_ecdsa_setup_take(&run->pair, answer.value[HK_F_SETUP].data, answer.value[HK_F_SETUP].size,
                                transcript);
    hk_test_ecdsa_name(device, key, run);
    return error;
}

void hk_test_ecdsa_shift(struct hk_test_device *device, const struct hk_test_key *key,
                         const struct hk_test_epoch *next, struct hk_test_ecdsa *run)
{
    struct hk_refresh refresh;
    struct hk_scalar delta;
    hk_test_refresh_names(device, next, &refresh);
    hk_refresh_delta(&delta, &hk_secp256k1, &refresh, key->id);
    hk_ecdsa_shift_cipher(run->pair.cipher, &run->pair.paillier, &delta);
}

static void put_key(struct hk_message *request, const struct hk_test_key *key,
                    const struct hk_test_ecdsa *run)
{
    hk_message_set_bytes(request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_bytes(request, HK_F_TRANSCRIPT, run->pair.name, HK_NAME_BYTES);
}

enum hk_error hk_test_ecdsa_commit(struct hk_test_device *device, const struct hk_test_key *key,
                                   struct hk_test_ecdsa *run, bool prepared)
{
    struct hk_message request, answer;
    hk_random(run->digest, sizeof(run->digest));
    run->prepared = prepared;
    hk_ecdsa_commit(&run->nonce, &run->pair, &key->half, prepared ? NULL : run->digest);
    hk_test_request(&request, HK_OP_ECDSA_COMMIT, device);
    put_key(&request, key, run);
    hk_message_set_bytes(&request, HK_F_COMMITMENT, run->nonce.commitment, HK_NAME_BYTES);
    hk_message_set_u64(&request, HK_F_STEP, prepared ? 2 : 1);
    enum hk_error error = hk_test_call(device, &request, &answer);
    if (error == HK_OK) {
        hk_ecdsa_offer_decode(&run->offer, answer.value[HK_F_OFFER].data);
    }
    return error;
}

enum hk_error hk_test_ecdsa_request(const struct hk_test_key *key, struct hk_test_ecdsa *run)
{
    hk_ecdsa_mask_prepare(&run->mask, &run->pair, &key->half, HK_BYTES(run->digest, sizeof(run->digest)));
    return hk_ecdsa_make_request(&run->request, &run->pending, &run->nonce, &run->mask, &run->pair,
                                 &key->half, &run->offer, run->digest);
}

enum hk_error hk_test_ecdsa_send(struct hk_test_device *device, const struct hk_test_key *key,
                                 struct hk_test_ecdsa *run)
{
    struct hk_message request, answer;
    uint8_t wire[HK_ECDSA_REQUEST_BYTES_MAX];
    size_t size = hk_ecdsa_request_encode(wire, run->offer.number, &run->request, &run->pair.paillier);
    hk_test_request(&request, HK_OP_ECDSA_SIGN, device);
    put_key(&request, key, run);
    hk_message_set_bytes(&request, HK_F_MESSAGE, run->digest, sizeof(run->digest));
    hk_message_set_bytes(&request, HK_F_ECDSA, wire, size);
    if (run->next) {
        hk_ecdsa_commit(&run->next_nonce, &run->pair, &key->half, NULL);
        hk_message_set_bytes(&request, HK_F_COMMITMENT, run->next_nonce.commitment, HK_NAME_BYTES);
    }
    enum hk_error error = hk_test_call(device, &request, &answer);
    if (error != HK_OK) {
        return error;
    }
    run->has_next_offer = hk_message_has(&answer, HK_F_OFFER);
    if (run->has_next_offer) {
        hk_ecdsa_offer_decode(&run->next_offer, answer.value[HK_F_OFFER].data);
    }
    hk_ecdsa_answer_decode(&run->answer, answer.value[HK_F_ECDSA].data);
    return hk_ecdsa_accept(&run->result, &run->pending, &run->pair, &run->answer);
}

enum hk_error hk_test_ecdsa_sign(struct hk_test_device *device, const struct hk_test_key *key,
                                 struct hk_test_ecdsa *run)
{
    enum hk_error error = hk_test_ecdsa_commit(device, key, run, false);
    if (error == HK_OK) {
        error = hk_test_ecdsa_request(key, run);
    }
    return error == HK_OK ? hk_test_ecdsa_send(device, key, run) : error;
}

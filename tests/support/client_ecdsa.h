/* client_ecdsa.h - two-party ECDSA as a test's device plays it: every message can be changed between two
 * steps, and every secret is in sight. */
#ifndef HALFKEY_TESTS_CLIENT_ECDSA_H
#define HALFKEY_TESTS_CLIENT_ECDSA_H

#include "protocol/ecdsa_wire.h"
#include "tests/support/client.h"

/* A device's pair for one key, and one signature under way. Large: static. */
struct hk_test_ecdsa {
    struct hk_ecdsa_pair pair;
    struct hk_ecdsa_nonce nonce;
    struct hk_ecdsa_mask mask;
    struct hk_ecdsa_offer offer;
    struct hk_ecdsa_request request;
    struct hk_ecdsa_pending pending;
    struct hk_ecdsa_answer answer;
    struct hk_ecdsa_result result;
    uint8_t digest[32];
    bool prepared;
    bool next; /* set before _sign: ask for the offer of a prepared signature with it */
    struct hk_ecdsa_nonce next_nonce;
    struct hk_ecdsa_offer next_offer;
    bool has_next_offer;
    uint64_t bits; /* of Paillier keys, as the service signed it with the ring */
};

/* Asks for the ring (waiting until it is made) and checks signature (HK_BAD_SIGNATURE) and proof; asks for a
 * set-up and checks it. */
enum hk_error hk_test_ecdsa_ring(struct hk_test_device *device, struct hk_test_ecdsa *run);
enum hk_error hk_test_ecdsa_setup(struct hk_test_device *device, const struct hk_test_key *key,
                                  struct hk_test_ecdsa *run);
/* The shift that goes with a refresh, before hk_test_adopt. */
void hk_test_ecdsa_shift(struct hk_test_device *device, const struct hk_test_key *key,
                         const struct hk_test_epoch *next, struct hk_test_ecdsa *run);
/* Names the pair again for the device's current epoch. */
void hk_test_ecdsa_name(struct hk_test_device *device, const struct hk_test_key *key,
                        struct hk_test_ecdsa *run);

/* A random digest, a commitment and the service's offer for it. */
enum hk_error hk_test_ecdsa_commit(struct hk_test_device *device, const struct hk_test_key *key,
                                   struct hk_test_ecdsa *run, bool prepared);
/* Mask and request from what is there. */
enum hk_error hk_test_ecdsa_request(const struct hk_test_key *key, struct hk_test_ecdsa *run);
/* Sends the request and checks the answer. */
enum hk_error hk_test_ecdsa_send(struct hk_test_device *device, const struct hk_test_key *key,
                                 struct hk_test_ecdsa *run);
/* All three. */
enum hk_error hk_test_ecdsa_sign(struct hk_test_device *device, const struct hk_test_key *key,
                                 struct hk_test_ecdsa *run);

#endif

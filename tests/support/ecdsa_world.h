/* ecdsa_world.h - a pair of ECDSA halves in one process, for tests: keys, set-up and whole signatures. */
#ifndef HALFKEY_TESTS_SUPPORT_ECDSA_WORLD_H
#define HALFKEY_TESTS_SUPPORT_ECDSA_WORLD_H

#include "crypto/ecdsa.h"
#include "crypto/ecdsa_setup.h"

struct ecdsa_world {
    struct hk_ring_secret ring;
    struct hk_paillier_secret paillier;
    struct hk_ecdsa_pair pair;       /* both sides have the same here */
    struct hk_ecdsa_service service; /* points into this structure: do not copy */
    struct hk_scalar device_half;
    struct hk_secret32 process_key;
    uint64_t next_slot, epoch;
    uint8_t account[64], serial[16], key_id[16], transcript[HK_NAME_BYTES];
};

/* Everything new: ring, Paillier key, halves, C. Asserts that the proofs hold. */
void ecdsa_world_make(struct ecdsa_world *world, unsigned bits);
/* New halves and C under the same ring and Paillier key; or under a new Paillier key. */
void ecdsa_world_new_halves(struct ecdsa_world *world);
void ecdsa_world_full_refresh(struct ecdsa_world *world);
/* d + delta, s - delta, C shifted, epoch + 1. */
void ecdsa_world_shift(struct ecdsa_world *world, const struct hk_scalar *delta);
/* Names the pair again after a change. */
void ecdsa_world_name(struct ecdsa_world *world);

/* One signature, with everything between device and service in these structures. */
struct ecdsa_run {
    uint8_t message[HK_ECDSA_DIGEST_BYTES];
    struct hk_ecdsa_nonce nonce;
    struct hk_ecdsa_slot slot;
    struct hk_ecdsa_offer offer;
    struct hk_ecdsa_mask mask;
    struct hk_ecdsa_request request;
    struct hk_ecdsa_pending pending;
    struct hk_ecdsa_answer answer;
    struct hk_ecdsa_result result;
};
/* Commitment, offer and mask, for a random message. */
void ecdsa_run_begin(struct ecdsa_run *run, struct ecdsa_world *world, bool prepared);
/* The device's request; the service's answer; the device's acceptance. */
enum hk_error ecdsa_run_request(struct ecdsa_run *run, struct ecdsa_world *world) HK_CHECK;
enum hk_error ecdsa_run_answer(struct ecdsa_run *run, struct ecdsa_world *world) HK_CHECK;
enum hk_error ecdsa_run_accept(struct ecdsa_run *run, struct ecdsa_world *world) HK_CHECK;
/* All of it: HK_OK or the first error. */
enum hk_error ecdsa_run_all(struct ecdsa_run *run, struct ecdsa_world *world, bool prepared) HK_CHECK;

#endif

/* ecdsa.h - ECDSA on secp256k1 from two halves: x = d + s, nonce k = k_d * k_s (after Lindell, CRYPTO 2017).
 *
 *   device                                                          service
 *   hk_ecdsa_commit   -- c ------------------------------------>    hk_ecdsa_offer
 *   hk_ecdsa_request  <- slot number, random, R_s, proof_s ------
 *                     -- R_d, proof_d, opening, proof of E ----->   hk_ecdsa_answer
 *   hk_ecdsa_accept   <- s of the signature, recovery id --------
 *
 * c = H("ecdsa/commit", name of the pair, R_d, proof_d, m, opening) with the message digest m in it: plain
 * ECDSA in two round trips, where a service put back to an older state can only repeat itself. Prepared, c is
 * made without m and sent with the request before (its answer carries the offer): one round trip, and ECDSA
 * with presignatures (Groth, Shoup, ePrint 2021/1330), never to be used with tweaks that a caller chooses.
 * The slot is named by sid = H("slot", name of the pair, slot number, 32 random bytes of the service, c,
 * prepared or not), which is in proof_s and in the proof of E; the name of the pair has the account, the
 * device, the key, the epoch and all public values of both sides.
 *
 * The device computes R = [k_d]R_s, r = x(R) mod n, K = r / k_d, T = (m + r*d) / k_d, and sends a proved
 * ciphertext of K*s + T (ecdsa_proof.h). The service divides by k_s, takes the low s with the recovery id
 * that goes with it, and verifies under X before it answers; the device verifies again. Every structure that
 * carries a nonce is used once: its consumer wipes it first.
 *
 * Constant time in halves and nonces; slots, offers and requests are public. */
#ifndef HALFKEY_CRYPTO_ECDSA_H
#define HALFKEY_CRYPTO_ECDSA_H

#include "crypto/ecdsa_proof.h"
#include "crypto/ecdsa_signature.h"

#define HK_ECDSA_POINT_PROOF_BYTES (HK_SECP256K1_POINT_BYTES + HK_SECP256K1_SCALAR_BYTES)
#define HK_ECDSA_OPENING_BYTES 32
#define HK_ECDSA_OFFER_RANDOM_BYTES 32

/* The device's nonce between its commitment and its request. Secret, one use, must not be copied. */
struct hk_ecdsa_nonce {
    uint64_t magic;
    struct hk_scalar k;
    uint8_t point[HK_SECP256K1_POINT_BYTES], proof[HK_ECDSA_POINT_PROOF_BYTES];
    uint8_t opening[HK_ECDSA_OPENING_BYTES], commitment[HK_NAME_BYTES];
    uint8_t message[HK_ECDSA_DIGEST_BYTES];
    bool prepared; /* committed to without a message */
};

/* The service's nonce between its offer and its answer: a slot. Secret, one use, never stored. */
struct hk_ecdsa_slot {
    uint64_t magic;
    struct hk_scalar k;
    uint8_t point[HK_SECP256K1_POINT_BYTES];
    uint8_t commitment[HK_NAME_BYTES], sid[HK_NAME_BYTES], pair_name[HK_NAME_BYTES];
    bool prepared;
};

/* What a service offers. */
struct hk_ecdsa_offer {
    uint64_t number;
    uint8_t random[HK_ECDSA_OFFER_RANDOM_BYTES];
    uint8_t point[HK_SECP256K1_POINT_BYTES]; /* R_s */
    uint8_t proof[HK_ECDSA_POINT_PROOF_BYTES];
};

/* What a device asks with; the proof has HK_ECDSA_PROOF_BYTES of its N. */
struct hk_ecdsa_request {
    uint8_t point[HK_SECP256K1_POINT_BYTES]; /* R_d */
    uint8_t point_proof[HK_ECDSA_POINT_PROOF_BYTES];
    uint8_t opening[HK_ECDSA_OPENING_BYTES];
    uint8_t proof[HK_ECDSA_PROOF_BYTES_MAX];
};

/* What a device remembers until the answer: public. */
struct hk_ecdsa_pending {
    uint8_t message[HK_ECDSA_DIGEST_BYTES];
    struct hk_point nonce_point; /* R */
};

struct hk_ecdsa_answer {
    uint8_t s[HK_SECP256K1_SCALAR_BYTES]; /* low */
    uint8_t recovery;                     /* 0 to 3 */
};

struct hk_ecdsa_result {
    uint8_t signature[HK_ECDSA_COMPACT_BYTES];
    uint8_t recovery;
};

/* Device: draws k_d and commits to R_d = [k_d]B. `message` is NULL for the prepared mode. `half` is d, which
 * keeps a repeating generator harmless where the message is known. */
void hk_ecdsa_commit(struct hk_ecdsa_nonce *nonce, const struct hk_ecdsa_pair *pair,
                     const struct hk_scalar *half, const uint8_t *message);

/* Service: draws k_s = H("nonce", 32 random bytes, process key, sid, ...) for a commitment of 32 bytes.
 * `process_key` is drawn when the service starts and never stored; `number` is never used twice for a pair
 * within a process. */
void hk_ecdsa_make_offer(struct hk_ecdsa_slot *slot, struct hk_ecdsa_offer *offer,
                         const struct hk_ecdsa_pair *pair, const struct hk_secret32 *process_key,
                         uint64_t number, const uint8_t commitment[HK_NAME_BYTES], bool prepared);

/* Device: checks the offer and makes the request.
 *
 *   nonce, mask  wiped first; HK_CONFLICT if one was used before, is another pair's, or the nonce was
 *                committed to with another message
 *
 * HK_BAD_POINT or HK_BAD_PROOF if the offer is not good. */
HK_CHECK enum hk_error hk_ecdsa_make_request(struct hk_ecdsa_request *request,
                                             struct hk_ecdsa_pending *pending, struct hk_ecdsa_nonce *nonce,
                                             struct hk_ecdsa_mask *mask, const struct hk_ecdsa_pair *pair,
                                             const struct hk_scalar *half, const struct hk_ecdsa_offer *offer,
                                             const uint8_t message[HK_ECDSA_DIGEST_BYTES]);

/* Service: checks the request and finishes the signature.
 *
 *   slot  wiped first; HK_CONFLICT if it was used or is another pair's
 *
 * HK_BAD_PROOF, whatever is wrong with the request, the finished signature not verifying under X included. */
HK_CHECK enum hk_error hk_ecdsa_answer(struct hk_ecdsa_answer *answer, struct hk_ecdsa_slot *slot,
                                       const struct hk_ecdsa_service *service,
                                       const struct hk_ecdsa_request *request,
                                       const uint8_t message[HK_ECDSA_DIGEST_BYTES]);

/* Device: checks the answer, the recovery id included; nothing is handed out that does not verify.
 * HK_BAD_PROOF names the service. */
HK_CHECK enum hk_error hk_ecdsa_accept(struct hk_ecdsa_result *result, const struct hk_ecdsa_pending *pending,
                                       const struct hk_ecdsa_pair *pair,
                                       const struct hk_ecdsa_answer *answer);

#endif

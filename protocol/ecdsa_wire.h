/* ecdsa_wire.h - the messages of two-party ECDSA as byte strings of fixed layout: what the fields `setup`,
 * `offer` and `ecdsa` of protocol/message.h hold.
 *
 *   setup    N ‖ C ‖ proof (crypto/ecdsa_setup.h): 6.4 times the bytes of N, which follow from its length
 *   offer    u64be slot number ‖ 32 random ‖ R_s ‖ proof_s: 138
 *   request  u64be slot number ‖ R_d ‖ proof_d ‖ opening ‖ proof: 138 and HK_ECDSA_PROOF_BYTES of the pair's
 * N answer   s ‖ recovery id: 33
 *
 * Reading checks lengths; what the numbers are is judged where they are used. */
#ifndef HALFKEY_PROTOCOL_ECDSA_WIRE_H
#define HALFKEY_PROTOCOL_ECDSA_WIRE_H

#include "crypto/ecdsa.h"
#include "crypto/ecdsa_setup.h"

#define HK_ECDSA_OFFER_BYTES                                                                                 \
    (8 + HK_ECDSA_OFFER_RANDOM_BYTES + HK_SECP256K1_POINT_BYTES + HK_ECDSA_POINT_PROOF_BYTES)
#define HK_ECDSA_REQUEST_HEAD                                                                                \
    (8 + HK_SECP256K1_POINT_BYTES + HK_ECDSA_POINT_PROOF_BYTES + HK_ECDSA_OPENING_BYTES)
#define HK_ECDSA_REQUEST_BYTES_MAX (HK_ECDSA_REQUEST_HEAD + HK_ECDSA_PROOF_BYTES_MAX)
#define HK_ECDSA_ANSWER_BYTES 33
#define HK_ECDSA_SETUP_WIRE_BYTES(n_bytes) (3 * (n_bytes) + HK_ECDSA_SETUP_BYTES(n_bytes))
#define HK_ECDSA_SETUP_WIRE_BYTES_MAX HK_ECDSA_SETUP_WIRE_BYTES(HK_PAILLIER_N_BYTES_MAX)

/* What the service's identity key signs of its ring: H("ecdsa/ring", H("ring", ...), u64be bits of the
 * Paillier keys of its set-ups). Only what is signed so is taken by a device, the first time and in place of
 * another ring. */
void hk_ecdsa_ring_statement(uint8_t out[HK_HASH_BYTES], const struct hk_ring *ring, uint64_t bits);

/* The transcript of a set-up: it belongs to one half of one device at one epoch.
 * H("ecdsa/setup-run", account, serial, key id, epoch, S, X). */
void hk_ecdsa_setup_transcript(uint8_t transcript[HK_NAME_BYTES], const struct hk_ecdsa_place *place,
                               const struct hk_point *service_point, const struct hk_point *public_key);

/* Returns the bytes written, HK_ECDSA_SETUP_WIRE_BYTES of N. */
size_t hk_ecdsa_setup_encode(uint8_t out[HK_ECDSA_SETUP_WIRE_BYTES_MAX], const struct hk_paillier *paillier,
                             const hk_limb *cipher, const uint8_t *proof);
/* Device: reads and checks a whole set-up for a pair whose points are set already; sets its N and C.
 * HK_BAD_ENCODING, HK_BAD_PROOF, HK_BAD_POINT. */
HK_CHECK enum hk_error hk_ecdsa_setup_take(struct hk_ecdsa_pair *pair, const uint8_t *in, size_t size,
                                           const uint8_t transcript[HK_NAME_BYTES]);

void hk_ecdsa_offer_encode(uint8_t out[HK_ECDSA_OFFER_BYTES], const struct hk_ecdsa_offer *offer);
void hk_ecdsa_offer_decode(struct hk_ecdsa_offer *offer, const uint8_t in[HK_ECDSA_OFFER_BYTES]);

/* Returns the bytes written. */
size_t hk_ecdsa_request_encode(uint8_t out[HK_ECDSA_REQUEST_BYTES_MAX], uint64_t number,
                               const struct hk_ecdsa_request *request, const struct hk_paillier *paillier);
/* HK_BAD_PROOF unless it has the length that goes with N. */
HK_CHECK enum hk_error hk_ecdsa_request_decode(struct hk_ecdsa_request *request, uint64_t *number,
                                               const uint8_t *in, size_t size,
                                               const struct hk_paillier *paillier);

void hk_ecdsa_answer_encode(uint8_t out[HK_ECDSA_ANSWER_BYTES], const struct hk_ecdsa_answer *answer);
void hk_ecdsa_answer_decode(struct hk_ecdsa_answer *answer, const uint8_t in[HK_ECDSA_ANSWER_BYTES]);

#endif

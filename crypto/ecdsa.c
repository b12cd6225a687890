#include "crypto/ecdsa.h"

#include <string.h>

#include "crypto/nonce.h"
#include "crypto/random.h"
#include "crypto/schnorr.h"

#define NONCE_MAGIC UINT64_C(0x68616c6665636e64)
#define SLOT_MAGIC UINT64_C(0x68616c6665637376)

static const struct hk_group *const curve = &hk_secp256k1;

/* -- what is hashed -- */

/* The transcript of proof_d: it comes before the service has said anything. */
static void device_transcript(uint8_t out[HK_NAME_BYTES], const struct hk_ecdsa_pair *pair,
                              const uint8_t *opening)
{
    hk_hash_name(
        out, "ecdsa/device-nonce", 2,
        (struct hk_bytes[]){HK_BYTES(pair->name, HK_NAME_BYTES), HK_BYTES(opening, HK_ECDSA_OPENING_BYTES)});
}

static void commitment_of(uint8_t out[HK_NAME_BYTES], const struct hk_ecdsa_pair *pair, const uint8_t *point,
                          const uint8_t *proof, const uint8_t *message, const uint8_t *opening)
{
    hk_hash_name(out, "ecdsa/commit", 5,
                 (struct hk_bytes[]){HK_BYTES(pair->name, HK_NAME_BYTES),
                                     HK_BYTES(point, HK_SECP256K1_POINT_BYTES),
                                     HK_BYTES(proof, HK_ECDSA_POINT_PROOF_BYTES),
                                     HK_BYTES(message, message == NULL ? 0 : HK_ECDSA_DIGEST_BYTES),
                                     HK_BYTES(opening, HK_ECDSA_OPENING_BYTES)});
}

static void sid_of(uint8_t out[HK_NAME_BYTES], const struct hk_ecdsa_pair *pair, uint64_t number,
                   const uint8_t *random, const uint8_t *commitment, bool prepared)
{
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES];
    hk_hash_init(&hash, "slot", 5);
    hk_hash_add(&hash, pair->name, HK_NAME_BYTES);
    hk_hash_add_u64(&hash, number);
    hk_hash_add(&hash, random, HK_ECDSA_OFFER_RANDOM_BYTES);
    hk_hash_add(&hash, commitment, HK_NAME_BYTES);
    hk_hash_add_u64(&hash, prepared ? 1 : 0);
    hk_hash_final(&hash, digest);
    memcpy(out, digest, HK_NAME_BYTES);
}

static void context_of(uint8_t out[HK_NAME_BYTES], const uint8_t *sid, const uint8_t *device_point,
                       const uint8_t *service_point, const uint8_t *message)
{
    hk_hash_name(out, "ecdsa/sign", 4,
                 (struct hk_bytes[]){HK_BYTES(sid, HK_NAME_BYTES),
                                     HK_BYTES(device_point, HK_SECP256K1_POINT_BYTES),
                                     HK_BYTES(service_point, HK_SECP256K1_POINT_BYTES),
                                     HK_BYTES(message, HK_ECDSA_DIGEST_BYTES)});
}

static void scalar_of_bytes(struct hk_scalar *out, const uint8_t bytes[32])
{
    hk_limb number[HK_ECDSA_ORDER_LIMBS];
    hk_big_load(number, HK_ECDSA_ORDER_LIMBS, bytes, 32);
    hk_ecdsa_scalar_of(out, number, HK_ECDSA_ORDER_LIMBS);
}

/* r = x(R) mod n; whether x was n or more. */
static bool r_of(struct hk_scalar *r, const struct hk_point *point)
{
    uint8_t x[HK_SECP256K1_X_BYTES];
    hk_secp256k1_x(x, point);
    scalar_of_bytes(r, x);
    return memcmp(x, r->bytes, sizeof(x)) != 0;
}

/* -- device, first -- */

void hk_ecdsa_commit(struct hk_ecdsa_nonce *nonce, const struct hk_ecdsa_pair *pair,
                     const struct hk_scalar *half, const uint8_t *message)
{
    struct hk_nonces nonces;
    struct hk_point point;
    uint8_t statement[HK_NAME_BYTES], transcript[HK_NAME_BYTES];
    HK_WIPE_AT_EXIT(nonces);
    memset(nonce, 0, sizeof(*nonce));
    hk_hash_name(statement, "ecdsa/commit-nonces", 2,
                 (struct hk_bytes[]){HK_BYTES(pair->name, HK_NAME_BYTES),
                                     HK_BYTES(message, message == NULL ? 0 : HK_ECDSA_DIGEST_BYTES)});
    hk_nonces_init(&nonces, HK_BYTES(half->bytes, HK_SECP256K1_SCALAR_BYTES), "ecdsa/commit", statement);
    hk_nonces_bytes(&nonces, nonce->opening, sizeof(nonce->opening));
    hk_nonces_scalar(&nonces, curve, &nonce->k);
    curve->base_mul(&point, &nonce->k);
    HK_PUBLIC(point); /* shown with the opening */
    memcpy(nonce->point, point.bytes, sizeof(nonce->point));
    HK_PUBLIC(nonce->opening);
    device_transcript(transcript, pair, nonce->opening);
    hk_schnorr_prove(nonce->proof, curve, transcript, HK_PROVER_DEVICE, &point, &nonce->k);
    commitment_of(nonce->commitment, pair, nonce->point, nonce->proof, message, nonce->opening);
    nonce->prepared = message == NULL;
    if (message != NULL) {
        memcpy(nonce->message, message, sizeof(nonce->message));
    }
    nonce->magic = NONCE_MAGIC;
}

/* -- service, first -- */

void hk_ecdsa_make_offer(struct hk_ecdsa_slot *slot, struct hk_ecdsa_offer *offer,
                         const struct hk_ecdsa_pair *pair, const struct hk_secret32 *process_key,
                         uint64_t number, const uint8_t commitment[HK_NAME_BYTES], bool prepared)
{
    struct hk_nonces nonces;
    struct hk_point point;
    HK_WIPE_AT_EXIT(nonces);
    memset(slot, 0, sizeof(*slot));
    offer->number = number;
    hk_random(offer->random, sizeof(offer->random));
    memcpy(slot->commitment, commitment, HK_NAME_BYTES);
    memcpy(slot->pair_name, pair->name, HK_NAME_BYTES);
    slot->prepared = prepared;
    sid_of(slot->sid, pair, number, offer->random, commitment, prepared);
    hk_nonces_init(&nonces, HK_BYTES(process_key->bytes, sizeof(process_key->bytes)), "ecdsa/offer",
                   slot->sid);
    hk_nonces_scalar(&nonces, curve, &slot->k);
    curve->base_mul(&point, &slot->k);
    memcpy(slot->point, point.bytes, sizeof(slot->point));
    memcpy(offer->point, point.bytes, sizeof(offer->point));
    hk_schnorr_prove(offer->proof, curve, slot->sid, HK_PROVER_SERVICE, &point, &slot->k);
    slot->magic = SLOT_MAGIC;
}

/* -- device, second -- */

/* K = r / k_d and T = (m + r*d) / k_d. */
static void values_of(struct hk_scalar *k, struct hk_scalar *t, const struct hk_scalar *nonce,
                      const struct hk_scalar *r, const struct hk_scalar *half, const uint8_t *message)
{
    struct hk_scalar inverse, m;
    HK_WIPE_AT_EXIT(inverse);
    curve->scalar_invert(&inverse, nonce);
    curve->scalar_mul(k, &inverse, r);
    scalar_of_bytes(&m, message);
    curve->scalar_mul(t, r, half);
    curve->scalar_add(t, t, &m);
    curve->scalar_mul(t, t, &inverse);
}

static enum hk_error check_offer(struct hk_point *point, uint8_t sid[HK_NAME_BYTES],
                                 const struct hk_ecdsa_nonce *nonce, const struct hk_ecdsa_pair *pair,
                                 const struct hk_ecdsa_offer *offer)
{
    sid_of(sid, pair, offer->number, offer->random, nonce->commitment, nonce->prepared);
    enum hk_error error = curve->point_decode(point, offer->point);
    if (error != HK_OK) {
        return error;
    }
    return hk_schnorr_verify(curve, sid, HK_PROVER_SERVICE, point, offer->proof);
}

enum hk_error hk_ecdsa_make_request(struct hk_ecdsa_request *request, struct hk_ecdsa_pending *pending,
                                    struct hk_ecdsa_nonce *nonce, struct hk_ecdsa_mask *mask,
                                    const struct hk_ecdsa_pair *pair, const struct hk_scalar *half,
                                    const struct hk_ecdsa_offer *offer,
                                    const uint8_t message[HK_ECDSA_DIGEST_BYTES])
{
    struct hk_ecdsa_nonce own = *nonce;
    struct hk_ecdsa_mask own_mask = *mask;
    struct hk_scalar r, k, t;
    struct hk_point point, common;
    uint8_t sid[HK_NAME_BYTES], context[HK_NAME_BYTES], proof[HK_ECDSA_PROOF_BYTES_MAX];
    HK_WIPE_AT_EXIT(own);
    HK_WIPE_AT_EXIT(own_mask);
    HK_WIPE_AT_EXIT(k);
    HK_WIPE_AT_EXIT(t);
    hk_wipe(nonce, sizeof(*nonce));
    hk_wipe(mask, sizeof(*mask));
    if (own.magic != NONCE_MAGIC ||
        (!own.prepared && memcmp(own.message, message, HK_ECDSA_DIGEST_BYTES) != 0)) {
        return HK_CONFLICT;
    }
    enum hk_error error = check_offer(&point, sid, &own, pair, offer);
    if (error != HK_OK) {
        return error;
    }
    curve->point_mul(&common, &own.k, &point);
    HK_PUBLIC(common); /* R: r is half of the signature */
    (void)r_of(&r, &common);
    if (curve->scalar_is_zero(&r)) {
        return HK_BAD_POINT; /* nobody knows such a point */
    }
    values_of(&k, &t, &own.k, &r, half, message);
    context_of(context, sid, own.point, offer->point, message);
    error = hk_ecdsa_proof_make(proof, &own_mask, pair, context, &k, &t);
    if (error != HK_OK) {
        return error;
    }
    memcpy(request->point, own.point, sizeof(own.point));
    memcpy(request->point_proof, own.proof, sizeof(own.proof));
    memcpy(request->opening, own.opening, sizeof(own.opening));
    memcpy(request->proof, proof, HK_ECDSA_PROOF_BYTES(hk_paillier_n_bytes(&pair->paillier)));
    memcpy(pending->message, message, HK_ECDSA_DIGEST_BYTES);
    pending->nonce_point = common;
    return HK_OK;
}

/* -- service, second -- */

static enum hk_error check_opening(struct hk_point *point, const struct hk_ecdsa_slot *slot,
                                   const struct hk_ecdsa_pair *pair, const struct hk_ecdsa_request *request,
                                   const uint8_t *message)
{
    uint8_t commitment[HK_NAME_BYTES], transcript[HK_NAME_BYTES];
    commitment_of(commitment, pair, request->point, request->point_proof, slot->prepared ? NULL : message,
                  request->opening);
    if (memcmp(commitment, slot->commitment, HK_NAME_BYTES) != 0 ||
        curve->point_decode(point, request->point) != HK_OK) {
        return HK_BAD_PROOF;
    }
    device_transcript(transcript, pair, request->opening);
    return hk_schnorr_verify(curve, transcript, HK_PROVER_DEVICE, point, request->point_proof) == HK_OK
               ? HK_OK
               : HK_BAD_PROOF;
}

/* The lower one of s and n - s; true if it was n - s. Constant time. */
static bool make_low(struct hk_scalar *s)
{
    hk_limb value[HK_ECDSA_ORDER_LIMBS], middle[HK_ECDSA_ORDER_LIMBS];
    HK_WIPE_AT_EXIT(value);
    hk_ecdsa_limbs_of(value, s);
    (void)mpn_rshift(middle, hk_ecdsa_order, HK_ECDSA_ORDER_LIMBS, 1);
    bool high = hk_big_less(middle, value, HK_ECDSA_ORDER_LIMBS);
    hk_secp256k1_negate_if(s, s, high);
    return high;
}

static enum hk_error check_signature(const struct hk_ecdsa_pair *pair, const struct hk_scalar *r,
                                     const struct hk_scalar *s, const uint8_t *message)
{
    uint8_t signature[HK_ECDSA_COMPACT_BYTES];
    memcpy(signature, r->bytes, 32);
    memcpy(signature + 32, s->bytes, 32);
    return hk_ecdsa_verify(&pair->public_key, message, signature, true) == HK_OK ? HK_OK : HK_BAD_PROOF;
}

enum hk_error hk_ecdsa_answer(struct hk_ecdsa_answer *answer, struct hk_ecdsa_slot *slot,
                              const struct hk_ecdsa_service *service, const struct hk_ecdsa_request *request,
                              const uint8_t message[HK_ECDSA_DIGEST_BYTES])
{
    struct hk_ecdsa_slot own = *slot;
    struct hk_scalar r, s, inverse;
    struct hk_point point, common;
    uint8_t context[HK_NAME_BYTES];
    HK_WIPE_AT_EXIT(own);
    HK_WIPE_AT_EXIT(s);
    HK_WIPE_AT_EXIT(inverse);
    hk_wipe(slot, sizeof(*slot));
    if (own.magic != SLOT_MAGIC || memcmp(own.pair_name, service->pair->name, HK_NAME_BYTES) != 0) {
        return HK_CONFLICT;
    }
    enum hk_error error = check_opening(&point, &own, service->pair, request, message);
    if (error != HK_OK) {
        return error;
    }
    curve->point_mul(&common, &own.k, &point);
    HK_PUBLIC(common); /* R, as the device has it */
    bool overflow = r_of(&r, &common);
    context_of(context, own.sid, request->point, own.point, message);
    error = hk_ecdsa_proof_open(&s, service, context, request->proof);
    if (error != HK_OK) {
        return error;
    }
    curve->scalar_invert(&inverse, &own.k);
    curve->scalar_mul(&s, &s, &inverse);
    bool odd = hk_secp256k1_has_odd_y(&common) != make_low(&s);
    HK_PUBLIC(s); /* the answer */
    HK_PUBLIC(odd);
    if (curve->scalar_is_zero(&r) || curve->scalar_is_zero(&s) ||
        check_signature(service->pair, &r, &s, message) != HK_OK) {
        return HK_BAD_PROOF;
    }
    memcpy(answer->s, s.bytes, sizeof(answer->s));
    answer->recovery = (uint8_t)((overflow ? 2 : 0) | (odd ? 1 : 0));
    return HK_OK;
}

/* -- device, third -- */

/* Whether [m/s]B + [r/s]X has an odd y: that point is R or -R where the signature is good. */
static bool is_odd(const struct hk_ecdsa_pair *pair, const uint8_t *message, const struct hk_scalar *r,
                   const uint8_t *s)
{
    struct hk_scalar inverse, m, scaled;
    struct hk_point left, right;
    scalar_of_bytes(&inverse, s);
    curve->scalar_invert(&inverse, &inverse);
    scalar_of_bytes(&m, message);
    curve->scalar_mul(&m, &m, &inverse);
    curve->scalar_mul(&scaled, r, &inverse);
    curve->base_mul(&left, &m);
    curve->point_mul(&right, &scaled, &pair->public_key);
    curve->point_add(&left, &left, &right);
    return hk_secp256k1_has_odd_y(&left);
}

enum hk_error hk_ecdsa_accept(struct hk_ecdsa_result *result, const struct hk_ecdsa_pending *pending,
                              const struct hk_ecdsa_pair *pair, const struct hk_ecdsa_answer *answer)
{
    struct hk_ecdsa_result made;
    struct hk_scalar r;
    bool overflow = r_of(&r, &pending->nonce_point);
    memcpy(made.signature, r.bytes, 32);
    memcpy(made.signature + 32, answer->s, 32);
    if (hk_ecdsa_verify(&pair->public_key, pending->message, made.signature, true) != HK_OK) {
        return HK_BAD_PROOF;
    }
    bool odd = is_odd(pair, pending->message, &r, answer->s);
    made.recovery = (uint8_t)((overflow ? 2 : 0) | (odd ? 1 : 0));
    if (answer->recovery != made.recovery) {
        return HK_BAD_PROOF;
    }
    *result = made;
    return HK_OK;
}

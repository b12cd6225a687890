#include "protocol/ecdsa_wire.h"

#include <string.h>

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static uint64_t get_u64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

static void put(uint8_t **at, const void *data, size_t size)
{
    memcpy(*at, data, size);
    *at += size;
}

static void get(void *out, const uint8_t **at, size_t size)
{
    memcpy(out, *at, size);
    *at += size;
}

void hk_ecdsa_ring_statement(uint8_t out[HK_HASH_BYTES], const struct hk_ring *ring, uint64_t bits)
{
    struct hk_hash hash;
    uint8_t name[HK_NAME_BYTES];
    hk_ring_name(name, ring);
    hk_hash_init(&hash, "ecdsa/ring", 2);
    hk_hash_add(&hash, name, sizeof(name));
    hk_hash_add_u64(&hash, bits);
    hk_hash_final(&hash, out);
}

void hk_ecdsa_setup_transcript(uint8_t transcript[HK_NAME_BYTES], const struct hk_ecdsa_place *place,
                               const struct hk_point *service_point, const struct hk_point *public_key)
{
    uint8_t epoch[8];
    put_u64(epoch, place->epoch);
    hk_hash_name(transcript, "ecdsa/setup-run", 6,
                 (struct hk_bytes[]){place->account, HK_BYTES(place->serial, 16), HK_BYTES(place->key_id, 16),
                                     HK_BYTES(epoch, sizeof(epoch)),
                                     HK_BYTES(service_point->bytes, HK_SECP256K1_POINT_BYTES),
                                     HK_BYTES(public_key->bytes, HK_SECP256K1_POINT_BYTES)});
}

size_t hk_ecdsa_setup_encode(uint8_t out[HK_ECDSA_SETUP_WIRE_BYTES_MAX], const struct hk_paillier *paillier,
                             const hk_limb *cipher, const uint8_t *proof)
{
    size_t n = hk_paillier_n_bytes(paillier);
    hk_paillier_encode(out, paillier);
    hk_ecdsa_cipher_encode(out + n, paillier, cipher);
    memcpy(out + 3 * n, proof, HK_ECDSA_SETUP_BYTES(n));
    return HK_ECDSA_SETUP_WIRE_BYTES(n);
}

enum hk_error hk_ecdsa_setup_take(struct hk_ecdsa_pair *pair, const uint8_t *in, size_t size,
                                  const uint8_t transcript[HK_NAME_BYTES])
{
    struct hk_paillier paillier;
    hk_limb cipher[HK_BIG_LIMBS] = {0};
    size_t n = size == HK_ECDSA_SETUP_WIRE_BYTES(HK_PAILLIER_BITS / 8)       ? HK_PAILLIER_BITS / 8
               : size == HK_ECDSA_SETUP_WIRE_BYTES(HK_PAILLIER_BITS_MAX / 8) ? HK_PAILLIER_BITS_MAX / 8
                                                                             : 0;
    enum hk_error error = n == 0 ? HK_BAD_ENCODING : hk_paillier_decode(&paillier, in, n);
    if (error == HK_OK) {
        error = hk_ecdsa_cipher_decode(cipher, &paillier, in + n);
    }
    if (error == HK_OK) {
        error = hk_ecdsa_setup_verify(&paillier, cipher, &pair->service_point, transcript, in + 3 * n);
    }
    if (error == HK_OK) {
        pair->paillier = paillier;
        memcpy(pair->cipher, cipher, sizeof(cipher));
    }
    return error;
}

void hk_ecdsa_offer_encode(uint8_t out[HK_ECDSA_OFFER_BYTES], const struct hk_ecdsa_offer *offer)
{
    uint8_t *at = out + 8;
    put_u64(out, offer->number);
    put(&at, offer->random, sizeof(offer->random));
    put(&at, offer->point, sizeof(offer->point));
    put(&at, offer->proof, sizeof(offer->proof));
}

void hk_ecdsa_offer_decode(struct hk_ecdsa_offer *offer, const uint8_t in[HK_ECDSA_OFFER_BYTES])
{
    const uint8_t *at = in + 8;
    offer->number = get_u64(in);
    get(offer->random, &at, sizeof(offer->random));
    get(offer->point, &at, sizeof(offer->point));
    get(offer->proof, &at, sizeof(offer->proof));
}

size_t hk_ecdsa_request_encode(uint8_t out[HK_ECDSA_REQUEST_BYTES_MAX], uint64_t number,
                               const struct hk_ecdsa_request *request, const struct hk_paillier *paillier)
{
    uint8_t *at = out + 8;
    put_u64(out, number);
    put(&at, request->point, sizeof(request->point));
    put(&at, request->point_proof, sizeof(request->point_proof));
    put(&at, request->opening, sizeof(request->opening));
    put(&at, request->proof, HK_ECDSA_PROOF_BYTES(hk_paillier_n_bytes(paillier)));
    return (size_t)(at - out);
}

enum hk_error hk_ecdsa_request_decode(struct hk_ecdsa_request *request, uint64_t *number, const uint8_t *in,
                                      size_t size, const struct hk_paillier *paillier)
{
    const uint8_t *at = in + 8;
    size_t proof = HK_ECDSA_PROOF_BYTES(hk_paillier_n_bytes(paillier));
    if (size != HK_ECDSA_REQUEST_HEAD + proof) {
        return HK_BAD_PROOF;
    }
    *number = get_u64(in);
    get(request->point, &at, sizeof(request->point));
    get(request->point_proof, &at, sizeof(request->point_proof));
    get(request->opening, &at, sizeof(request->opening));
    get(request->proof, &at, proof);
    return HK_OK;
}

void hk_ecdsa_answer_encode(uint8_t out[HK_ECDSA_ANSWER_BYTES], const struct hk_ecdsa_answer *answer)
{
    memcpy(out, answer->s, sizeof(answer->s));
    out[32] = answer->recovery;
}

void hk_ecdsa_answer_decode(struct hk_ecdsa_answer *answer, const uint8_t in[HK_ECDSA_ANSWER_BYTES])
{
    memcpy(answer->s, in, sizeof(answer->s));
    answer->recovery = in[32];
}

/* Rows in process for two-party ECDSA, both sides, beside the exponentiations that the protocol cannot do
 * without, done bare on GMP with numbers of the same lengths: constant time (mpn_sec_powm) where the exponent
 * is secret, mod the primes where the owner does them, mpz_powm where everything is public. */
#include <gmp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/row.h"
#include "crypto/ecdsa.h"
#include "crypto/ecdsa_setup.h"
#include "crypto/random.h"
#include "protocol/ecdsa_wire.h"
#include "protocol/frame.h"
#include "protocol/message.h"

#define SCRATCH 8192

/* Both sides of one pair, and one signature. */
struct both {
    size_t keys; /* that a sample of the set-up makes */
    struct hk_ring_secret ring;
    struct hk_paillier_secret paillier;
    struct hk_ecdsa_pair pair;
    struct hk_ecdsa_service service;
    struct hk_scalar half;
    struct hk_secret32 process_key;
    uint64_t slot;
    uint8_t account[64], id[16], message[32], transcript[HK_NAME_BYTES];
    struct hk_ecdsa_nonce nonce;
    struct hk_ecdsa_slot taken;
    struct hk_ecdsa_offer offer;
    struct hk_ecdsa_mask mask;
    struct hk_ecdsa_request request;
    struct hk_ecdsa_pending pending;
    struct hk_ecdsa_answer answer;
    struct hk_ecdsa_result result;
};

static bool set_up(struct both *both)
{
    uint8_t proof[HK_ECDSA_SETUP_BYTES_MAX];
    const struct hk_ecdsa_place place = {HK_BYTES(both->account, 64), both->id, both->id, 1};
    hk_paillier_generate(&both->paillier, HK_PAILLIER_BITS);
    both->pair.paillier = both->paillier.key;
    hk_ecdsa_setup_prove(both->pair.cipher, proof, &both->paillier, &both->service.half, both->transcript);
    if (hk_ecdsa_setup_verify(&both->pair.paillier, both->pair.cipher, &both->pair.service_point,
                              both->transcript, proof) != HK_OK) {
        return false;
    }
    hk_ecdsa_pair_name(&both->pair, &place);
    return true;
}

static struct both *both_new(void)
{
    struct both *both = hk_secret_new(sizeof(*both));
    struct hk_point device;
    if (both == NULL) {
        return NULL;
    }
    hk_random(both->process_key.bytes, 32);
    hk_random(both->message, sizeof(both->message));
    hk_ring_generate(&both->ring);
    both->pair.ring = both->ring.ring;
    hk_scalar_random(&hk_secp256k1, &both->half);
    hk_scalar_random(&hk_secp256k1, &both->service.half);
    hk_secp256k1.base_mul(&device, &both->half);
    hk_secp256k1.base_mul(&both->pair.service_point, &both->service.half);
    hk_secp256k1.point_add(&both->pair.public_key, &device, &both->pair.service_point);
    both->service.pair = &both->pair;
    both->service.paillier = &both->paillier;
    both->service.ring = &both->ring;
    if (!set_up(both)) {
        hk_secret_free(both);
        return NULL;
    }
    return both;
}

/* From the commitment to the signature that the device has verified; the mask is there. */
static bool online(struct both *both)
{
    hk_ecdsa_commit(&both->nonce, &both->pair, &both->half, both->message);
    hk_ecdsa_make_offer(&both->taken, &both->offer, &both->pair, &both->process_key, ++both->slot,
                        both->nonce.commitment, false);
    return hk_ecdsa_make_request(&both->request, &both->pending, &both->nonce, &both->mask, &both->pair,
                                 &both->half, &both->offer, both->message) == HK_OK &&
           hk_ecdsa_answer(&both->answer, &both->taken, &both->service, &both->request, both->message) ==
               HK_OK &&
           hk_ecdsa_accept(&both->result, &both->pending, &both->pair, &both->answer) == HK_OK;
}

/* ---- bare ---- */

/* An exponentiation: limbs of the modulus, bits of the exponent, how often. */
struct bare {
    size_t limbs, bits, times;
};

static const struct bare bare_online[] = {
    {64, 256, 1},  /* C^K mod N^2 */
    {32, 256, 2},  /* s1^K, s2^T mod N^ */
    {32, 128, 1},  /* w^e mod N */
    {16, 1024, 2}, /* t^(...) mod both primes of N^ */
    {16, 128, 2},  /* S_c^e likewise */
    {32, 1024, 4}, /* two decryptions, mod both squares */
    {16, 128, 2},  /* E^e mod both primes of N */
    {16, 770, 2},  /* C^z1 likewise */
    {16, 1024, 2}, /* z_w^N likewise */
};
static const struct bare bare_mask[] = {
    {64, 512, 1}, {64, 2048, 1},                /* C^(rho' n), w^N mod N^2 */
    {64, 769, 1}, {64, 2048, 1},                /* C^alpha, omega^N */
    {32, 512, 1}, {32, 896, 1},  {32, 2176, 1}, /* S_c */
    {32, 769, 1}, {32, 1153, 1}, {32, 2432, 1}, /* A_c */
};
static const struct bare bare_setup[] = {
    {16, 1024, 4},
    {32, 1024, 4}, /* u^N, v^N by the owner */
    {32, 128, 1},  /* u^e */
};
#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static void exponentiate(const struct bare *list, size_t count)
{
    static mp_limb_t modulus[64], base[64], exponent[64], out[64], scratch[SCRATCH];
    for (size_t i = 0; i < count; i++) {
        size_t n = list[i].limbs;
        hk_random(modulus, 8 * n);
        hk_random(base, 8 * n);
        hk_random(exponent, 8 * ((list[i].bits + 63) / 64));
        modulus[0] |= 1;
        modulus[n - 1] |= UINT64_C(1) << 63;
        base[n - 1] >>= 1;
        for (size_t j = 0; j < list[i].times; j++) {
            mpn_sec_powm(out, base, (mp_size_t)n, exponent, list[i].bits, modulus, (mp_size_t)n, scratch);
        }
    }
}

/* y^N and C^e mod N^2 with nothing secret in them. */
static void exponentiate_public(size_t bits)
{
    mp_limb_t limbs[3][64];
    mpz_t modulus, base, exponent, out;
    hk_random(limbs, sizeof(limbs));
    limbs[0][0] |= 1;
    limbs[0][63] |= UINT64_C(1) << 63;
    mpz_init(out);
    mpz_powm(out, mpz_roinit_n(base, limbs[1], 63), mpz_roinit_n(exponent, limbs[2], (mp_size_t)(bits / 64)),
             mpz_roinit_n(modulus, limbs[0], 64));
    mpz_clear(out);
}

static void bare_prime(mpz_t prime)
{
    mp_limb_t limbs[16];
    mpz_t start;
    hk_random(limbs, sizeof(limbs));
    limbs[15] |= UINT64_C(3) << 62;
    mpz_nextprime(prime, mpz_roinit_n(start, limbs, 16));
}

/* ---- rows ---- */

#define KEYS 4 /* primes are found after more or fewer tries: a sample has several */

static bool measure(struct bench_result *result, const struct bench_settings *settings,
                    bool (*take)(void *context, double *thing, double *baseline))
{
    static struct both *both; /* its ring takes a second: one for all rows */
    both = both != NULL ? both : both_new();
    if (both == NULL) {
        return false;
    }
    both->keys = settings->quick ? 1 : KEYS;
    return bench_measure_samples(
        result, &(struct bench_samples){.take = take, .context = both, .seconds = settings->seconds});
}

static bool take_prepared(void *context, double *thing, double *baseline)
{
    struct both *both = context;
    hk_ecdsa_mask_prepare(&both->mask, &both->pair, &both->half, HK_BYTES("bench", 5));
    double start = bench_now(BENCH_CPU);
    bool fine = online(both);
    double between = bench_now(BENCH_CPU);
    exponentiate(bare_online, COUNT(bare_online));
    *thing = between - start;
    *baseline = bench_now(BENCH_CPU) - between;
    return fine;
}

bool bench_ecdsa_prepared(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, take_prepared);
}

static bool take_whole(void *context, double *thing, double *baseline)
{
    struct both *both = context;
    double start = bench_now(BENCH_CPU);
    hk_ecdsa_mask_prepare(&both->mask, &both->pair, &both->half, HK_BYTES("bench", 5));
    bool fine = online(both);
    double between = bench_now(BENCH_CPU);
    exponentiate(bare_online, COUNT(bare_online));
    exponentiate(bare_mask, COUNT(bare_mask));
    *thing = between - start;
    *baseline = bench_now(BENCH_CPU) - between;
    return fine;
}

bool bench_ecdsa_whole(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, take_whole);
}

/* How long a prime takes is chance, so a sample is of several keys on each side. */

static bool take_setup(void *context, double *thing, double *baseline)
{
    struct both *both = context;
    bool fine = true;
    double start = bench_now(BENCH_CPU);
    for (size_t i = 0; i < both->keys; i++) {
        fine = set_up(both) && fine;
    }
    double between = bench_now(BENCH_CPU);
    mpz_t p, q;
    mpz_init(p);
    mpz_init(q);
    for (size_t i = 0; i < both->keys; i++) {
        bare_prime(p);
        bare_prime(q);
        mpz_mul(p, p, q);
        exponentiate(bare_setup, COUNT(bare_setup));
        exponentiate_public(2048);
        exponentiate_public(128);
    }
    mpz_clear(p);
    mpz_clear(q);
    *thing = (between - start) / (double)both->keys;
    *baseline = (bench_now(BENCH_CPU) - between) / (double)both->keys;
    return fine;
}

bool bench_ecdsa_setup(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, take_setup);
}

/* Both sides' part of a shift, beside the online part of a signature. */
static bool take_shift(void *context, double *thing, double *baseline)
{
    struct both *both = context;
    struct hk_scalar delta;
    uint64_t wraps = 0;
    hk_limb cipher[HK_BIG_LIMBS];
    hk_scalar_random(&hk_secp256k1, &delta);
    memcpy(cipher, both->pair.cipher, sizeof(cipher));
    hk_ecdsa_mask_prepare(&both->mask, &both->pair, &both->half, HK_BYTES("bench", 5));
    double start = bench_now(BENCH_CPU);
    bool fine = hk_ecdsa_shift_wraps(&wraps, &both->service.half, &delta) == HK_OK;
    hk_ecdsa_shift_cipher(cipher, &both->pair.paillier, &delta);
    hk_ecdsa_shift_cipher(cipher, &both->pair.paillier, &delta);
    double between = bench_now(BENCH_CPU);
    fine = online(both) && fine;
    *thing = between - start;
    *baseline = bench_now(BENCH_CPU) - between;
    return fine;
}

bool bench_ecdsa_shift(struct bench_result *result, const struct bench_settings *settings)
{
    return measure(result, settings, take_shift);
}

/* ---- bytes ---- */

/* The frame of a message with the fields of its row, each as long as it is in a signature. */
static bool add_frame(size_t *total, bool is_request, enum hk_op op)
{
    static const uint8_t zeros[HK_ECDSA_REQUEST_BYTES_MAX];
    static struct hk_message message;
    static uint8_t encoded[HK_PLAINTEXT_MAX];
    const struct hk_op_row *row = hk_op_row(op);
    size_t size, request = HK_ECDSA_REQUEST_HEAD + HK_ECDSA_PROOF_BYTES(HK_PAILLIER_BITS / 8);
    hk_message_init(&message);
    hk_field_set fields = is_request ? row->request : row->answer;
#define PUT_HK_U64(id, min) hk_message_set_u64(&message, id, UINT32_MAX);
#define PUT_HK_BSTR(id, min)                                                                                 \
    hk_message_set_bytes(&message, id, zeros,                                                                \
                         (id) == HK_F_ECDSA && is_request ? request                                          \
                         : (id) == HK_F_MESSAGE           ? 32                                               \
                                                          : (min));
#define PUT_HK_TSTR(id, min) hk_message_set_text(&message, id, "x");
#define PUT_HK_LIST(id, min) hk_message_set_array(&message, id, zeros, min, 1);
#define PUT(id, number, name, type, min, max)                                                                \
    if ((fields & HK_BIT(id)) != 0) {                                                                        \
        PUT_##type(id, min)                                                                                  \
    }
    HK_FIELDS(PUT)
    if (hk_message_encode(&message, encoded, sizeof(encoded), &size) != HK_OK) {
        return false;
    }
    *total += size + HK_FRAME_OVERHEAD + (is_request ? 0 : 8);
    return true;
}

bool bench_ecdsa_bytes(struct bench_result *result, const struct bench_settings *settings)
{
    size_t total = 0;
    (void)settings;
    bool fine = add_frame(&total, true, HK_OP_ECDSA_COMMIT) && add_frame(&total, false, HK_OP_ECDSA_COMMIT) &&
                add_frame(&total, true, HK_OP_ECDSA_SIGN) && add_frame(&total, false, HK_OP_ECDSA_SIGN);
    double bytes = (double)total, ratio = bytes / 4096;
    *result = (struct bench_result){.thing = {bytes, bytes, bytes},
                                    .baseline = {4096, 4096, 4096},
                                    .ratio = {ratio, ratio, ratio},
                                    .samples = 1};
    return fine;
}

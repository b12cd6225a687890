/* Two-party ECDSA, each side's part with its own secrets marked: set-up, mask and request at the device, the
 * answer at the service. The making of the primes is left out: how many candidates were passed over is not
 * hidden. */
#include "tests/ctcheck/ctcheck.h"

#include <string.h>

#include "crypto/ecdsa.h"
#include "crypto/ecdsa_setup.h"

#define N_BYTES 256

static struct {
    struct hk_ring_secret ring;
    struct hk_paillier_secret paillier;
    struct hk_ecdsa_pair pair;
    struct hk_ecdsa_service service;
    struct hk_scalar half;
    uint8_t setup[HK_ECDSA_SETUP_BYTES_MAX];
} world;
static const uint8_t transcript[HK_NAME_BYTES] = {3}, id[16] = {4}, message[32] = {5};

static void defined_random(void *out, size_t size)
{
    randombytes_buf(out, size);
}

/* Keys with randomness that is not marked; a ring of plain primes will do, and takes a tenth of the time. */
static void make_keys(void)
{
    hk_test_random_source(defined_random);
    hk_paillier_generate(&world.paillier, HK_PAILLIER_BITS);
    for (int i = 0; i < 2; i++) {
        do { /* safe ones are 3 mod 4, and reading looks at that */
            hk_prime(world.ring.prime[i], HK_RING_HALF);
        } while ((world.ring.prime[i][0] & 3) != 3);
    }
    struct hk_ring *ring = &world.ring.ring;
    hk_big_mul(ring->n, world.ring.prime[0], HK_RING_HALF, world.ring.prime[1], HK_RING_HALF);
    ring->t[0] = 4;
    world.ring.lambda1[0] = 12345;
    world.ring.lambda2[0] = 6789;
    hk_big_pow(ring->s1, ring->t, world.ring.lambda1, 64, ring->n, HK_RING_LIMBS);
    hk_big_pow(ring->s2, ring->t, world.ring.lambda2, 64, ring->n, HK_RING_LIMBS);
    hk_scalar_random(&hk_secp256k1, &world.half);
    hk_scalar_random(&hk_secp256k1, &world.service.half);
    hk_test_random_source(ct_secret_random);
}

/* GMP's mpn_sec_ functions are constant time in operands and exponents, not quite in the modulus: they look
 * up a table by the eight highest bits of its highest limb, and by seven of its lowest. docs/ecdsa.md says
 * what that tells; here both limbs are taken as known. */
static void show_ends(const hk_limb *prime, size_t limbs)
{
    PUBLIC(prime[0]);
    PUBLIC(prime[limbs - 1]);
}

static void make_points(void)
{
    struct hk_point device;
    const struct hk_ecdsa_place place = {HK_BYTES(id, 16), id, id, 1};
    hk_secp256k1.base_mul(&device, &world.half);
    hk_secp256k1.base_mul(&world.pair.service_point, &world.service.half);
    hk_secp256k1.point_add(&world.pair.public_key, &device, &world.pair.service_point);
    world.pair.ring = world.ring.ring;
    world.pair.paillier = world.paillier.key;
    world.service.pair = &world.pair;
    world.service.paillier = &world.paillier;
    world.service.ring = &world.ring;
    SECRET(world.service.half);
    SECRET(world.paillier.p);
    SECRET(world.paillier.q);
    SECRET(world.paillier.p2);
    SECRET(world.paillier.q2);
    show_ends(world.paillier.p, HK_RING_HALF);
    show_ends(world.paillier.q, HK_RING_HALF);
    show_ends(world.paillier.p2, 2 * HK_RING_HALF);
    show_ends(world.paillier.q2, 2 * HK_RING_HALF);
    SECRET(world.paillier.p_inverse);
    SECRET(world.paillier.q_inverse);
    hk_ecdsa_setup_prove(world.pair.cipher, world.setup, &world.paillier, &world.service.half, transcript);
    PUBLIC(world.pair.cipher);
    PUBLIC(world.setup);
    MUST(hk_ecdsa_setup_verify(&world.pair.paillier, world.pair.cipher, &world.pair.service_point, transcript,
                               world.setup) == HK_OK);
    hk_ecdsa_pair_name(&world.pair, &place);
}

static void mark_rest(void)
{
    SECRET(world.half);
    SECRET(world.ring.prime);
    show_ends(world.ring.prime[0], HK_RING_HALF);
    show_ends(world.ring.prime[1], HK_RING_HALF);
    SECRET(world.ring.lambda1);
    SECRET(world.ring.lambda2);
}

static void setup(const struct ct_subject *subject)
{
    (void)subject;
    make_keys();
    make_points();
    mark_rest();
}

static void signature(const struct ct_subject *subject)
{
    static struct hk_ecdsa_nonce nonce;
    static struct hk_ecdsa_slot slot;
    static struct hk_ecdsa_offer offer;
    static struct hk_ecdsa_mask mask;
    static struct hk_ecdsa_request request;
    struct hk_ecdsa_pending pending;
    struct hk_ecdsa_answer answer;
    struct hk_ecdsa_result result;
    struct hk_secret32 process_key = {{1}};
    (void)subject;
    SECRET(process_key);
    hk_ecdsa_commit(&nonce, &world.pair, &world.half, message);
    PUBLIC(nonce.commitment);
    hk_ecdsa_make_offer(&slot, &offer, &world.pair, &process_key, 1, nonce.commitment, false);
    PUBLIC(offer);
    hk_ecdsa_mask_prepare(&mask, &world.pair, &world.half, HK_BYTES("ct", 2));
    MUST(hk_ecdsa_make_request(&request, &pending, &nonce, &mask, &world.pair, &world.half, &offer,
                               message) == HK_OK);
    PUBLIC(request);
    PUBLIC(pending);
    PUBLIC(slot.sid); /* a hash of what travelled */
    PUBLIC(slot.point);
    MUST(hk_ecdsa_answer(&answer, &slot, &world.service, &request, message) == HK_OK);
    PUBLIC(answer);
    MUST(hk_ecdsa_accept(&result, &pending, &world.pair, &answer) == HK_OK);
}

static void shift(const struct ct_subject *subject)
{
    struct hk_scalar delta;
    uint64_t wraps = 0;
    (void)subject;
    hk_scalar_random(&hk_secp256k1, &delta);
    MUST(hk_ecdsa_shift_wraps(&wraps, &world.service.half, &delta) == HK_OK);
    hk_ecdsa_shift_cipher(world.pair.cipher, &world.pair.paillier, &delta);
}

static void ring_proof(const struct ct_subject *subject)
{
    static uint8_t proof[HK_RING_PROOF_BYTES];
    (void)subject;
    hk_ring_prove(proof, &world.ring);
    PUBLIC(proof);
    MUST(hk_ring_verify(&world.ring.ring, proof) == HK_OK);
}

/* The service's own keys on their way into its store and out of it. */
static void stored_keys(const struct ct_subject *subject)
{
    static struct hk_paillier_secret paillier;
    static struct hk_ring_secret ring;
    static uint8_t bytes[HK_RING_SECRET_BYTES];
    (void)subject;
    hk_paillier_secret_encode(bytes, &world.paillier);
    MUST(hk_paillier_secret_decode(&paillier, bytes, 2 * N_BYTES) == HK_OK);
    hk_ring_secret_encode(bytes, &world.ring);
    MUST(hk_ring_secret_decode(&ring, bytes) == HK_OK);
}

const struct ct_row ct_rows_ecdsa[] = {{"key set-up of ECDSA", CT_ONCE, setup},
                                       {"ECDSA signature, both sides", CT_ONCE, signature},
                                       {"shift of an ECDSA pair", CT_ONCE, shift},
                                       {"proof of the ring", CT_ONCE, ring_proof},
                                       {"the keys of ECDSA, stored and read", CT_ONCE, stored_keys},
                                       {NULL, CT_ONCE, NULL}};

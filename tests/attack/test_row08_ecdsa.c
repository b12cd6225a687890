/* Row 8: wrong mathematics in two-party ECDSA, at the real service: ciphertexts, commitments and responses
 * that are none, ranges, proofs of other requests, the published attack on one bit of s (CVE-2023-33242); and
 * set-ups that a service should not dare. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/ecdsa_proof_parts.h"
#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/client_ecdsa.h"
#include "tests/support/scale.h"

#define LIMBS 32

static struct hk_attack attack;
static struct hk_test_ecdsa run, spare;
static struct hk_test_device *laptop;
static struct hk_test_key *key;

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    laptop = &attack.laptop;
    assert_int_equal(hk_test_keygen(laptop, HK_SUITE_SECP256K1_ECDSA, "coins"), HK_OK);
    assert_int_equal(hk_test_put_profile(laptop, &attack.phone), HK_OK);
    key = hk_test_key_of(laptop, HK_SUITE_SECP256K1_ECDSA);
    assert_int_equal(hk_test_ecdsa_ring(laptop, &run), HK_OK);
    assert_int_equal(hk_test_ecdsa_setup(laptop, key, &run), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&attack);
    return 0;
}

/* A request that would be answered, up to its sending. */
static void ready(bool prepared)
{
    assert_int_equal(hk_test_ecdsa_commit(laptop, key, &run, prepared), HK_OK);
    assert_int_equal(hk_test_ecdsa_request(key, &run), HK_OK);
}

static void send_refused(enum hk_error expected, const char *what)
{
    hk_watch(&attack);
    enum hk_error got = hk_test_ecdsa_send(laptop, key, &run);
    hk_refused(&attack, laptop, HK_OP_ECDSA_SIGN, got, expected, "ecdsa-sign: %s", what);
}

static void row08_malformed_ciphertexts_and_commitments_are_refused(void **state)
{
    (void)state;
    const char *kinds[] = {"zero", "N or N^", "above everything"};
    struct hk_ecdsa_layout at = hk_ecdsa_layout_of(&run.pair.paillier);
    const struct {
        const char *name;
        size_t offset, size;
        const hk_limb *modulus;
    } parts[] = {{"E", at.e, 512, run.pair.paillier.n},
                 {"A_E", at.a_e, 512, run.pair.paillier.n},
                 {"S_c", at.s_c, 256, run.pair.ring.n},
                 {"A_c", at.a_c, 256, run.pair.ring.n},
                 {"z_w", at.z_w, 256, run.pair.paillier.n}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        for (size_t kind = 0; kind < 3; kind++) {
            char name[64];
            ready(false);
            uint8_t *part = run.request.proof + parts[i].offset;
            memset(part, kind == 2 ? 0xff : 0, parts[i].size);
            if (kind == 1) {
                hk_big_store(part, parts[i].size, parts[i].modulus, LIMBS);
            }
            (void)snprintf(name, sizeof(name), "%s is %s", parts[i].name, kinds[kind]);
            send_refused(HK_BAD_PROOF, name);
        }
    }
}

/* Masks that are longer than they may be, everything else right. */
static void row08_responses_out_of_range_are_refused(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        assert_int_equal(hk_test_ecdsa_commit(laptop, key, &run, false), HK_OK);
        hk_ecdsa_mask_prepare(&run.mask, &run.pair, &key->half, HK_BYTES("row 8", 5));
        if (which == 0) {
            run.mask.alpha[12] = 4; /* z1 from 2^770 on */
        } else {
            run.mask.beta[18] = 4; /* z2 from 2^1154 on */
        }
        hk_ecdsa_mask_compute(&run.mask, &run.pair);
        assert_int_equal(hk_ecdsa_make_request(&run.request, &run.pending, &run.nonce, &run.mask, &run.pair,
                                               &key->half, &run.offer, run.digest),
                         HK_OK);
        send_refused(HK_BAD_PROOF, which == 0 ? "z1 is too long" : "z2 is too long");
    }
}

static void row08_proofs_of_another_request_are_refused(void **state)
{
    (void)state;
    ready(false);
    spare = run;
    assert_int_equal(hk_test_ecdsa_send(laptop, key, &run), HK_OK);
    send_refused(HK_UNKNOWN_RUN, "the same request again");
    ready(false);
    memcpy(run.request.proof, spare.request.proof, sizeof(run.request.proof));
    send_refused(HK_BAD_PROOF, "the proof of an earlier signature");
    ready(true);
    run.digest[0] ^= 1;
    send_refused(HK_BAD_PROOF, "another message than the proof's");
    ready(false);
    memcpy(run.request.proof, spare.request.proof, 512);
    send_refused(HK_BAD_PROOF, "another ciphertext than the proof's");
    ready(false);
    spare = run;
    ready(false);
    run.offer.number = spare.offer.number;
    send_refused(HK_BAD_PROOF, "in another slot");
    ready(false);
    memcpy(run.request.opening, spare.request.opening, sizeof(run.request.opening));
    send_refused(HK_BAD_PROOF, "the opening of another commitment");
    ready(false);
    memcpy(run.request.point, run.offer.point, sizeof(run.request.point));
    send_refused(HK_BAD_PROOF, "the service's own point");
}

/* K and T halved mod N, not mod n: without a proof the signature comes out right for one value of a bit of s.
 */
static void row08_the_published_attack_passes_never(void **state)
{
    (void)state;
    const struct hk_paillier *paillier = &run.pair.paillier;
    hk_limb half[LIMBS], root[HK_BIG_LIMBS], cipher[HK_BIG_LIMBS], k[4], t[LIMBS];
    struct hk_scalar random;
    memcpy(half, paillier->n, sizeof(half));
    (void)mpn_add_1(half, half, LIMBS, 1);
    (void)mpn_rshift(half, half, LIMBS, 1);
    hk_big_pow(root, run.pair.cipher, half, 2048, paillier->n2, 2 * LIMBS);
    uint64_t tries = hk_scaled(200);
    for (uint64_t i = 0; i < tries; i++) {
        char name[64];
        ready(false);
        hk_scalar_random(&hk_secp256k1, &random);
        hk_ecdsa_limbs_of(k, &random);
        memset(t, 0, sizeof(t));
        hk_scalar_random(&hk_secp256k1, &random);
        hk_ecdsa_limbs_of(t, &random);
        t[0] = (t[0] & ~(hk_limb)1) | (i & 1);
        hk_big_mul_mod(t, t, half, paillier->n, LIMBS);
        hk_big_pow(cipher, root, k, 256, paillier->n2, 2 * LIMBS);
        hk_paillier_plain(root, paillier, t);
        hk_big_mul_mod(cipher, cipher, root, paillier->n2, 2 * LIMBS);
        hk_big_pow(root, run.pair.cipher, half, 2048, paillier->n2, 2 * LIMBS);
        hk_big_store(run.request.proof, 512, cipher, 2 * LIMBS);
        (void)snprintf(name, sizeof(name), "CVE-2023-33242, try %u", (unsigned)i);
        send_refused(HK_BAD_PROOF, name);
    }
    assert_int_equal(hk_test_ecdsa_sign(laptop, key, &run), HK_OK); /* and the pair is not locked */
}

/* What a device says to a service's set-up. N with small factors or a square is no case of these: it gives
 * the service nothing, which tests/crypto/test_ecdsa_proof.c measures. */
static void row08_a_device_refuses_set_ups_that_do_not_fit(void **state)
{
    (void)state;
    struct hk_message request, answer;
    uint8_t wire[HK_ECDSA_SETUP_WIRE_BYTES_MAX], transcript[HK_NAME_BYTES];
    const struct hk_ecdsa_place place = {HK_BYTES(laptop->account, HK_ACCOUNT_BYTES), laptop->serial, key->id,
                                         laptop->epoch};
    hk_test_request(&request, HK_OP_ECDSA_SETUP, laptop);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    assert_int_equal(hk_test_call(laptop, &request, &answer), HK_OK);
    size_t size = answer.value[HK_F_SETUP].size;
    memcpy(wire, answer.value[HK_F_SETUP].data, size);
    hk_ecdsa_setup_transcript(transcript, &place, &run.pair.service_point, &run.pair.public_key);
    const struct {
        const char *name;
        size_t offset;
        uint8_t flip;
    } rows[] = {{"an even N", 255, 1},         {"a short N", 0, 0x80},           {"another C", 600, 1},
                {"another A", 256 * 3 + 9, 4}, {"another R", 1290, 1},           {"another z", 1330, 1},
                {"another y", 1600, 1},        {"z above its range", 1313, 0x80}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct hk_ecdsa_pair pair = run.pair;
        wire[rows[i].offset] ^= rows[i].flip;
        assert_int_not_equal(hk_ecdsa_setup_take(&pair, wire, size, transcript), HK_OK);
        wire[rows[i].offset] ^= rows[i].flip;
        hk_tried("set-up with %s", rows[i].name);
    }
    struct hk_ecdsa_pair pair = run.pair;
    assert_int_equal(hk_ecdsa_setup_take(&pair, wire, size, transcript), HK_OK);
    assert_int_equal(hk_ecdsa_setup_take(&pair, wire, size - 1, transcript), HK_BAD_ENCODING);
    hk_tried("set-up one byte shorter");
    memcpy(&pair.service_point, &run.pair.public_key, sizeof(pair.service_point));
    assert_int_not_equal(hk_ecdsa_setup_take(&pair, wire, size, transcript), HK_OK);
    hk_tried("set-up of another S");
    transcript[0] ^= 1;
    pair = run.pair;
    assert_int_not_equal(hk_ecdsa_setup_take(&pair, wire, size, transcript), HK_OK);
    hk_tried("set-up of another device, key or epoch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row08_malformed_ciphertexts_and_commitments_are_refused),
        cmocka_unit_test(row08_responses_out_of_range_are_refused),
        cmocka_unit_test(row08_proofs_of_another_request_are_refused),
        cmocka_unit_test(row08_the_published_attack_passes_never),
        cmocka_unit_test(row08_a_device_refuses_set_ups_that_do_not_fit),
    };
    return HK_ATTACK_ROW_IN(8, tests, set_up, tear_down);
}

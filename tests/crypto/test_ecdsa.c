/* Two-party ECDSA: whole signatures in both modes, judged by libsecp256k1 and by OpenSSL; everything that is
 * used once; everything that a peer can get wrong between the first message and the last. */
#include <setjmp.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/random.h"
#include "tests/support/chosen_random.h"
#include "tests/support/ecdsa_world.h"
#include "tests/support/scale.h"

static struct ecdsa_world world;

/* -- judges that know nothing of halves -- */

static bool openssl_accepts(const struct hk_point *public_key, const uint8_t *digest,
                            const uint8_t *signature)
{
    uint8_t der[HK_ECDSA_DER_BYTES_MAX];
    size_t size = hk_ecdsa_to_der(der, signature);
    uint8_t encoded[HK_SECP256K1_POINT_BYTES];
    memcpy(encoded, public_key->bytes, sizeof(encoded));
    char name[] = "secp256k1";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded, sizeof(encoded)),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    assert_int_equal(EVP_PKEY_fromdata_init(maker), 1);
    assert_int_equal(EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
    EVP_PKEY_CTX *judge = EVP_PKEY_CTX_new(key, NULL);
    assert_int_equal(EVP_PKEY_verify_init(judge), 1);
    bool good = EVP_PKEY_verify(judge, der, size, digest, HK_ECDSA_DIGEST_BYTES) == 1;
    EVP_PKEY_CTX_free(judge);
    EVP_PKEY_CTX_free(maker);
    EVP_PKEY_free(key);
    return good;
}

static bool recovers(const struct hk_point *public_key, const uint8_t *digest,
                     const struct hk_ecdsa_result *result)
{
    secp256k1_ecdsa_recoverable_signature signature;
    secp256k1_pubkey key;
    uint8_t encoded[HK_SECP256K1_POINT_BYTES];
    size_t size = sizeof(encoded);
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    bool good = secp256k1_ecdsa_recoverable_signature_parse_compact(context, &signature, result->signature,
                                                                    result->recovery) == 1 &&
                secp256k1_ecdsa_recover(context, &key, &signature, digest) == 1 &&
                secp256k1_ec_pubkey_serialize(context, encoded, &size, &key, SECP256K1_EC_COMPRESSED) == 1 &&
                memcmp(encoded, public_key->bytes, size) == 0;
    secp256k1_context_destroy(context);
    return good;
}

static void assert_signed(const struct ecdsa_run *run)
{
    const struct hk_point *key = &world.pair.public_key;
    assert_int_equal(hk_ecdsa_verify(key, run->message, run->result.signature, true), HK_OK);
    assert_true(openssl_accepts(key, run->message, run->result.signature));
    assert_true(recovers(key, run->message, &run->result));
}

/* -- what works -- */

static void signature_is_accepted_by_libsecp256k1_and_openssl(void **state)
{
    (void)state;
    /* a hundredth in make check, 10^4 in make soak */
    uint64_t count = hk_scaled(100) * hk_scaled(100);
    for (uint64_t i = 0; i < count; i++) {
        struct ecdsa_run run;
        assert_int_equal(ecdsa_run_all(&run, &world, i % 2 != 0), HK_OK);
        assert_signed(&run);
        uint8_t der[HK_ECDSA_DER_BYTES_MAX], back[HK_ECDSA_COMPACT_BYTES];
        size_t size = hk_ecdsa_to_der(der, run.result.signature);
        assert_int_equal(hk_ecdsa_from_der(back, der, size), HK_OK);
        assert_memory_equal(back, run.result.signature, sizeof(back));
        if (i % 50 == 49) {
            ecdsa_world_new_halves(&world);
        }
    }
}

/* Digests that are no numbers mod n, and the digest zero. */
static void every_digest_can_be_signed(void **state)
{
    (void)state;
    const uint8_t fill[] = {0x00, 0xff};
    for (size_t i = 0; i < 2; i++) {
        struct ecdsa_run run;
        ecdsa_run_begin(&run, &world, true);
        memset(run.message, fill[i], sizeof(run.message));
        assert_int_equal(ecdsa_run_request(&run, &world), HK_OK);
        assert_int_equal(ecdsa_run_answer(&run, &world), HK_OK);
        assert_int_equal(ecdsa_run_accept(&run, &world), HK_OK);
        assert_signed(&run);
    }
}

static void signatures_go_on_through_refreshes_in_a_row(void **state)
{
    (void)state;
    uint64_t count = hk_scaled(100) * hk_scaled(10); /* 10^3 in make soak */
    struct hk_point before = world.pair.public_key;
    for (uint64_t i = 0; i < count; i++) {
        struct hk_scalar delta;
        struct ecdsa_run run;
        hk_scalar_random(&hk_secp256k1, &delta);
        ecdsa_world_shift(&world, &delta);
        assert_int_equal(ecdsa_run_all(&run, &world, false), HK_OK);
        assert_signed(&run);
    }
    assert_memory_equal(&before, &world.pair.public_key, sizeof(before));
    assert_true(world.service.wraps > 0); /* the integer went below zero on the way */
    ecdsa_world_full_refresh(&world);
    struct ecdsa_run run;
    assert_int_equal(ecdsa_run_all(&run, &world, false), HK_OK);
    assert_signed(&run);
}

/* What 2^32 - 1 wraps leave, signed with: the bounds hold to the end, and the shift after that is refused. */
static void the_last_allowed_shift_still_signs_and_the_next_is_refused(void **state)
{
    (void)state;
    hk_limb down[HK_PAILLIER_N_LIMBS_MAX] = {0}, factor[HK_BIG_LIMBS];
    struct ecdsa_run run;
    struct hk_scalar delta;
    uint64_t wraps = HK_ECDSA_SHIFTS_MAX;
    hk_big_mul(down, hk_ecdsa_order, HK_ECDSA_ORDER_LIMBS, (const hk_limb[]){wraps}, 1);
    hk_paillier_minus_plain(factor, &world.pair.paillier, down);
    ecdsa_world_full_refresh(&world);
    hk_paillier_minus_plain(factor, &world.pair.paillier, down);
    hk_big_mul_mod(world.pair.cipher, world.pair.cipher, factor, world.pair.paillier.n2,
                   2 * world.pair.paillier.n_limbs);
    world.service.wraps = wraps;
    ecdsa_world_name(&world);
    assert_int_equal(ecdsa_run_all(&run, &world, false), HK_OK);
    assert_signed(&run);
    hk_scalar_random(&hk_secp256k1, &delta);
    assert_int_equal(hk_ecdsa_shift_wraps(&wraps, &world.service.half, &delta), HK_LOCKED);
    ecdsa_world_full_refresh(&world);
}

static void longer_paillier_key_signs_as_well(void **state)
{
    (void)state;
    static struct ecdsa_world longer;
    struct ecdsa_run run;
    ecdsa_world_make(&longer, HK_PAILLIER_BITS_MAX);
    assert_int_equal(ecdsa_run_all(&run, &longer, false), HK_OK);
    assert_int_equal(hk_ecdsa_verify(&longer.pair.public_key, run.message, run.result.signature, true),
                     HK_OK);
}

/* -- what is used once -- */

static void nonce_mask_and_slot_are_used_once(void **state)
{
    (void)state;
    struct ecdsa_run run;
    ecdsa_run_begin(&run, &world, false);
    assert_int_equal(ecdsa_run_request(&run, &world), HK_OK);
    assert_true(hk_is_zero(&run.nonce, sizeof(run.nonce)));
    assert_true(hk_is_zero(&run.mask, sizeof(run.mask)));
    hk_ecdsa_mask_prepare(&run.mask, &world.pair, &world.device_half, HK_BYTES("again", 5));
    assert_int_equal(ecdsa_run_request(&run, &world), HK_CONFLICT); /* the nonce is gone */
    assert_true(hk_is_zero(&run.mask, sizeof(run.mask)));
    assert_int_equal(ecdsa_run_answer(&run, &world), HK_OK);
    assert_true(hk_is_zero(&run.slot, sizeof(run.slot)));
    assert_int_equal(ecdsa_run_answer(&run, &world), HK_CONFLICT);
}

static void slot_is_gone_after_a_refused_request(void **state)
{
    (void)state;
    struct ecdsa_run run;
    ecdsa_run_begin(&run, &world, false);
    assert_int_equal(ecdsa_run_request(&run, &world), HK_OK);
    run.request.proof[0] ^= 1;
    assert_int_equal(ecdsa_run_answer(&run, &world), HK_BAD_PROOF);
    run.request.proof[0] ^= 1;
    assert_int_equal(ecdsa_run_answer(&run, &world), HK_CONFLICT);
}

static void mask_or_slot_of_before_a_refresh_is_refused(void **state)
{
    (void)state;
    struct ecdsa_run run;
    struct hk_scalar delta;
    hk_scalar_random(&hk_secp256k1, &delta);
    ecdsa_run_begin(&run, &world, true);
    assert_int_equal(ecdsa_run_request(&run, &world), HK_OK);
    struct hk_ecdsa_mask old;
    hk_ecdsa_mask_prepare(&old, &world.pair, &world.device_half, HK_BYTES("old", 3));
    ecdsa_world_shift(&world, &delta);
    assert_int_equal(ecdsa_run_answer(&run, &world), HK_CONFLICT);
    ecdsa_run_begin(&run, &world, true);
    run.mask = old;
    assert_int_equal(ecdsa_run_request(&run, &world), HK_CONFLICT);
}

/* -- what a peer gets wrong -- */

static void committed_message_cannot_be_changed(void **state)
{
    (void)state;
    struct ecdsa_run run;
    ecdsa_run_begin(&run, &world, false);
    struct hk_ecdsa_nonce nonce = run.nonce;
    run.message[0] ^= 1;
    assert_int_equal(ecdsa_run_request(&run, &world), HK_CONFLICT);
    run.nonce = nonce; /* a device that does it all the same */
    memcpy(run.nonce.message, run.message, sizeof(run.message));
    hk_ecdsa_mask_prepare(&run.mask, &world.pair, &world.device_half, HK_BYTES("x", 1));
    assert_int_equal(ecdsa_run_request(&run, &world), HK_OK);
    assert_int_equal(ecdsa_run_answer(&run, &world), HK_BAD_PROOF);
}

static void every_wrong_part_of_a_request_is_refused_alike(void **state)
{
    (void)state;
    const size_t at[] = {
        offsetof(struct hk_ecdsa_request, point) + 5, offsetof(struct hk_ecdsa_request, point_proof),
        offsetof(struct hk_ecdsa_request, point_proof) + 60, offsetof(struct hk_ecdsa_request, opening) + 31};
    for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
        struct ecdsa_run run;
        ecdsa_run_begin(&run, &world, i % 2 == 0);
        assert_int_equal(ecdsa_run_request(&run, &world), HK_OK);
        ((uint8_t *)&run.request)[at[i]] ^= 1;
        assert_int_equal(ecdsa_run_answer(&run, &world), HK_BAD_PROOF);
    }
}

static void request_for_another_message_slot_or_mode_is_refused(void **state)
{
    (void)state;
    struct ecdsa_run run, other;
    ecdsa_run_begin(&run, &world, true);
    assert_int_equal(ecdsa_run_request(&run, &world), HK_OK);
    run.message[7] ^= 4;
    assert_int_equal(ecdsa_run_answer(&run, &world), HK_BAD_PROOF);
    ecdsa_run_begin(&run, &world, true);
    assert_int_equal(ecdsa_run_request(&run, &world), HK_OK);
    /* The same commitment in another slot: the proof names the first. */
    hk_ecdsa_make_offer(&run.slot, &other.offer, &world.pair, &world.process_key, world.next_slot++,
                        run.slot.commitment, true);
    assert_int_equal(ecdsa_run_answer(&run, &world), HK_BAD_PROOF);
    ecdsa_run_begin(&run, &world, true);
    run.nonce.prepared = false; /* a device that thinks it is the other mode */
    memcpy(run.nonce.message, run.message, sizeof(run.message));
    assert_int_equal(ecdsa_run_request(&run, &world), HK_BAD_PROOF);
}

static void wrong_offer_is_refused_by_the_device(void **state)
{
    (void)state;
    struct ecdsa_run run;
    for (int i = 0; i < 4; i++) {
        ecdsa_run_begin(&run, &world, false);
        switch (i) {
        case 0:
            run.offer.number++;
            break;
        case 1:
            run.offer.random[0] ^= 1;
            break;
        case 2:
            memcpy(run.offer.point, run.nonce.point, sizeof(run.offer.point)); /* the device's own */
            break;
        default:
            memcpy(run.offer.proof, run.nonce.proof, sizeof(run.offer.proof));
        }
        assert_int_equal(ecdsa_run_request(&run, &world), HK_BAD_PROOF);
        assert_true(hk_is_zero(&run.nonce, sizeof(run.nonce)));
    }
    ecdsa_run_begin(&run, &world, false);
    memset(run.offer.point, 0xff, sizeof(run.offer.point));
    assert_int_equal(ecdsa_run_request(&run, &world), HK_BAD_POINT);
}

static void wrong_answer_is_never_handed_out(void **state)
{
    (void)state;
    struct ecdsa_run run;
    assert_int_equal(ecdsa_run_all(&run, &world, false), HK_OK);
    struct hk_ecdsa_answer good = run.answer;
    struct hk_ecdsa_result before = run.result;
    for (int bit = 0; bit < 256; bit += 17) {
        run.answer = good;
        run.answer.s[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        assert_int_equal(ecdsa_run_accept(&run, &world), HK_BAD_PROOF);
    }
    for (uint8_t id = 0; id < 8; id++) {
        run.answer = good;
        run.answer.recovery = id;
        assert_int_equal(ecdsa_run_accept(&run, &world), id == good.recovery ? HK_OK : HK_BAD_PROOF);
    }
    run.answer = good; /* high s, with the id that goes with it: valid ECDSA, but not ours */
    struct hk_scalar s = {{0}};
    memcpy(s.bytes, good.s, sizeof(good.s));
    hk_secp256k1_negate_if(&s, &s, true);
    memcpy(run.answer.s, s.bytes, sizeof(good.s));
    run.answer.recovery ^= 1;
    assert_int_equal(ecdsa_run_accept(&run, &world), HK_BAD_PROOF);
    assert_memory_equal(&before, &run.result, sizeof(before));
}

/* attacks.md 6: with the message in the commitment a stuck generator repeats itself or is independent. */
static void stuck_generator_never_gives_one_nonce_for_two_messages(void **state)
{
    (void)state;
    struct ecdsa_run one, same, other;
    hk_random_stick(7);
    ecdsa_run_begin(&one, &world, false);
    memset(one.message, 1, sizeof(one.message));
    hk_ecdsa_commit(&one.nonce, &world.pair, &world.device_half, one.message);
    hk_ecdsa_commit(&same.nonce, &world.pair, &world.device_half, one.message);
    memset(other.message, 2, sizeof(other.message));
    hk_ecdsa_commit(&other.nonce, &world.pair, &world.device_half, other.message);
    assert_memory_equal(one.nonce.commitment, same.nonce.commitment, HK_NAME_BYTES);
    assert_memory_not_equal(one.nonce.point, other.nonce.point, sizeof(one.nonce.point));
    /* The service: the same commitment in the same slot is the same offer, anything else is independent. */
    hk_ecdsa_make_offer(&one.slot, &one.offer, &world.pair, &world.process_key, 3, one.nonce.commitment,
                        false);
    hk_ecdsa_make_offer(&same.slot, &same.offer, &world.pair, &world.process_key, 3, one.nonce.commitment,
                        false);
    hk_ecdsa_make_offer(&other.slot, &other.offer, &world.pair, &world.process_key, 3, other.nonce.commitment,
                        false);
    assert_memory_equal(one.offer.point, same.offer.point, sizeof(one.offer.point));
    assert_memory_not_equal(one.offer.point, other.offer.point, sizeof(one.offer.point));
    hk_random_restore();
}

static void signature_stays_below_four_kib_on_the_wire(void **state)
{
    (void)state;
    size_t request = offsetof(struct hk_ecdsa_request, proof) + HK_ECDSA_PROOF_BYTES(256);
    size_t all = HK_NAME_BYTES + sizeof(struct hk_ecdsa_offer) + request + HK_ECDSA_DIGEST_BYTES +
                 sizeof(struct hk_ecdsa_answer);
    assert_true(all <= 4096 - 600); /* frames, ids and CBOR take the rest */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_is_accepted_by_libsecp256k1_and_openssl),
        cmocka_unit_test(every_digest_can_be_signed),
        cmocka_unit_test(signatures_go_on_through_refreshes_in_a_row),
        cmocka_unit_test(the_last_allowed_shift_still_signs_and_the_next_is_refused),
        cmocka_unit_test(longer_paillier_key_signs_as_well),
        cmocka_unit_test(nonce_mask_and_slot_are_used_once),
        cmocka_unit_test(slot_is_gone_after_a_refused_request),
        cmocka_unit_test(mask_or_slot_of_before_a_refresh_is_refused),
        cmocka_unit_test(committed_message_cannot_be_changed),
        cmocka_unit_test(every_wrong_part_of_a_request_is_refused_alike),
        cmocka_unit_test(request_for_another_message_slot_or_mode_is_refused),
        cmocka_unit_test(wrong_offer_is_refused_by_the_device),
        cmocka_unit_test(wrong_answer_is_never_handed_out),
        cmocka_unit_test(stuck_generator_never_gives_one_nonce_for_two_messages),
        cmocka_unit_test(signature_stays_below_four_kib_on_the_wire)};
    if (sodium_init() < 0) {
        return 1;
    }
    ecdsa_world_make(&world, HK_PAILLIER_BITS);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

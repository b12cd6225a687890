/* Signatures by device and service in one round trip, and what a dishonest side can try. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/cosign.h"
#include "crypto/random.h"

#define GROUP (&hk_edwards25519)

struct pair {
    struct hk_scalar d, s;
    struct hk_point device, service, public;
    uint8_t key_id[16], request_id[16];
    struct hk_cosign request;
};

static void make(struct pair *pair, const void *message, size_t size)
{
    hk_scalar_random(GROUP, &pair->d);
    hk_scalar_random(GROUP, &pair->s);
    GROUP->base_mul(&pair->device, &pair->d);
    GROUP->base_mul(&pair->service, &pair->s);
    GROUP->point_add(&pair->public, &pair->device, &pair->service);
    hk_random(pair->key_id, 16);
    hk_random(pair->request_id, 16);
    pair->request = (struct hk_cosign){
        &hk_frost_ed25519, pair->public.bytes, pair->key_id, 3, pair->request_id, message, size};
}

static void signature_is_an_ordinary_one_for_every_length(void **state)
{
    static uint8_t message[61440];
    static const size_t sizes[] = {0, 1, 31, 32, 111, 112, 127, 128, 1024, 61440};
    (void)state;
    hk_random(message, sizeof(message));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        for (int times = 0; times < 20; times++) {
            struct pair pair;
            struct hk_frost_nonces nonces;
            uint8_t device[64], service[64], share[32], signature[64];
            make(&pair, message, sizes[i]);
            assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
            assert_int_equal(hk_cosign_answer(service, share, &pair.request, &pair.s, device), HK_OK);
            assert_int_equal(
                hk_cosign_finish(signature, &nonces, &pair.request, &pair.d, &pair.service, service, share),
                HK_OK);
            assert_int_equal(crypto_sign_verify_detached(signature, message, sizes[i], pair.public.bytes), 0);
            assert_true(hk_is_zero(&nonces, sizeof(nonces)));
        }
    }
}

static void it_is_frost_with_identifiers_1_and_2(void **state)
{
    struct pair pair;
    struct hk_frost_nonces nonces;
    struct hk_frost_commitment list[2];
    struct hk_frost_session session;
    struct hk_frost_identifier two;
    uint8_t device[64], service[64], share[64], whole[64], signature[64];
    (void)state;
    make(&pair, "message", 7);
    assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
    assert_int_equal(hk_cosign_answer(service, share + 32, &pair.request, &pair.s, device), HK_OK);
    memset(list, 0, sizeof(list));
    list[0] = nonces.commitment;
    hk_frost_identifier_set(&two, &hk_frost_ed25519, 2);
    list[1].identifier = two;
    memcpy(list[1].hiding, service, 32);
    memcpy(list[1].binding, service + 32, 32);
    assert_int_equal(
        hk_frost_session_init(&session, &hk_frost_ed25519, pair.public.bytes, "message", 7, list, 2), HK_OK);
    assert_int_equal(hk_frost_verify_share(&session, &two, share + 32, &pair.service), HK_OK);
    struct hk_frost_nonces copy = nonces;
    assert_int_equal(hk_frost_sign_share(share, &copy, &session, &pair.d), HK_OK);
    assert_int_equal(hk_frost_aggregate(whole, &session, share), HK_OK);
    assert_int_equal(
        hk_cosign_finish(signature, &nonces, &pair.request, &pair.d, &pair.service, service, share + 32),
        HK_OK);
    assert_memory_equal(signature, whole, 64);
}

static const uint8_t small[][32] = {
    {1}, /* the identity */
    {0}, /* order 4 */
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

static void both_refuse_commitments_that_are_no_honest_points(void **state)
{
    struct pair pair;
    struct hk_frost_nonces nonces;
    uint8_t device[64], service[64], share[32], bad[64], out[96], before[96], signature[64];
    (void)state;
    make(&pair, "m", 1);
    memset(out, 0x5a, sizeof(out));
    memcpy(before, out, sizeof(out));
    for (size_t i = 0; i < 4; i++) {
        for (size_t half = 0; half < 2; half++) {
            assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
            assert_int_equal(hk_cosign_answer(service, share, &pair.request, &pair.s, device), HK_OK);
            memcpy(bad, device, 64);
            memcpy(bad + 32 * half, small[i], 32);
            assert_int_equal(hk_cosign_answer(out, out + 64, &pair.request, &pair.s, bad), HK_BAD_POINT);
            assert_memory_equal(out, before, sizeof(out));
            /* mixed order; order 2 has no effect on nothing, so it is added, too */
            memcpy(bad, device, 64);
            if (i > 0) {
                assert_int_equal(crypto_core_ed25519_add(bad + 32 * half, bad + 32 * half, small[i]), 0);
                assert_int_equal(hk_cosign_answer(out, out + 64, &pair.request, &pair.s, bad), HK_BAD_POINT);
            }
            memcpy(bad, service, 64);
            memcpy(bad + 32 * half, small[i], 32);
            memset(signature, 0, 64);
            assert_int_equal(
                hk_cosign_finish(signature, &nonces, &pair.request, &pair.d, &pair.service, bad, share),
                HK_BAD_POINT);
            assert_true(hk_is_zero(signature, 64));
            assert_true(hk_is_zero(&nonces, sizeof(nonces)));
        }
    }
}

static void device_refuses_a_service_that_mirrors_its_commitments(void **state)
{
    (void)state;
    for (size_t from = 0; from < 2; from++) {
        for (size_t to = 0; to < 2; to++) {
            struct pair pair;
            struct hk_frost_nonces nonces;
            uint8_t device[64], service[64], share[32], signature[64] = {0};
            make(&pair, "m", 1);
            assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
            assert_int_equal(hk_cosign_answer(service, share, &pair.request, &pair.s, device), HK_OK);
            memcpy(service + 32 * to, device + 32 * from, 32);
            assert_int_equal(
                hk_cosign_finish(signature, &nonces, &pair.request, &pair.d, &pair.service, service, share),
                HK_BAD_POINT);
            assert_true(hk_is_zero(signature, 64));
        }
    }
}

/* Lets `bend` spoil what the service sends; the device must answer `expected` and give no signature. */
static void expect(enum hk_error expected, void (*bend)(struct pair *, uint8_t *, uint8_t *, uint8_t *))
{
    struct pair pair;
    struct hk_frost_nonces nonces;
    uint8_t device[64], service[64], share[32], signature[64] = {0};
    make(&pair, "message", 7);
    assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
    assert_int_equal(hk_cosign_answer(service, share, &pair.request, &pair.s, device), HK_OK);
    bend(&pair, device, service, share);
    assert_int_equal(
        hk_cosign_finish(signature, &nonces, &pair.request, &pair.d, &pair.service, service, share),
        expected);
    assert_true(hk_is_zero(signature, 64));
    assert_true(hk_is_zero(&nonces, sizeof(nonces)));
    assert_int_equal(
        hk_cosign_finish(signature, &nonces, &pair.request, &pair.d, &pair.service, service, share),
        HK_CONFLICT);
}

static void changed_share(struct pair *pair, uint8_t *device, uint8_t *service, uint8_t *share)
{
    (void)pair, (void)device, (void)service;
    share[3] ^= 4;
}

static void share_plus_n(struct pair *pair, uint8_t *device, uint8_t *service, uint8_t *share)
{
    static const uint8_t n[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    (void)pair, (void)device, (void)service;
    sodium_add(share, n, 32);
}

static void share_of_another_message(struct pair *pair, uint8_t *device, uint8_t *service, uint8_t *share)
{
    struct hk_cosign other = pair->request;
    other.message = "massage";
    assert_int_equal(hk_cosign_answer(service, share, &other, &pair->s, device), HK_OK);
}

static void share_over_another_list(struct pair *pair, uint8_t *device, uint8_t *service, uint8_t *share)
{
    uint8_t swapped[64];
    memcpy(swapped, device + 32, 32);
    memcpy(swapped + 32, device, 32);
    assert_int_equal(hk_cosign_answer(service, share, &pair->request, &pair->s, swapped), HK_OK);
}

static void share_for_another_group_key(struct pair *pair, uint8_t *device, uint8_t *service, uint8_t *share)
{
    struct hk_cosign other = pair->request;
    other.group_key = pair->device.bytes;
    assert_int_equal(hk_cosign_answer(service, share, &other, &pair->s, device), HK_OK);
}

static void share_with_another_half(struct pair *pair, uint8_t *device, uint8_t *service, uint8_t *share)
{
    struct hk_scalar other;
    hk_scalar_random(GROUP, &other);
    assert_int_equal(hk_cosign_answer(service, share, &pair->request, &other, device), HK_OK);
}

static void commitments_of_another_answer(struct pair *pair, uint8_t *device, uint8_t *service,
                                          uint8_t *share)
{
    uint8_t ignored[32];
    (void)share;
    assert_int_equal(hk_cosign_answer(service, ignored, &pair->request, &pair->s, device), HK_OK);
}

static void own_half_does_not_belong(struct pair *pair, uint8_t *device, uint8_t *service, uint8_t *share)
{
    (void)device, (void)service, (void)share;
    hk_scalar_random(GROUP, &pair->d);
}

static void device_names_a_dishonest_service_and_gives_no_signature(void **state)
{
    (void)state;
    expect(HK_BAD_PROOF, changed_share);
    expect(HK_BAD_SCALAR, share_plus_n);
    expect(HK_BAD_PROOF, share_of_another_message);
    expect(HK_BAD_PROOF, share_over_another_list);
    expect(HK_BAD_PROOF, share_for_another_group_key);
    expect(HK_BAD_PROOF, share_with_another_half);
    expect(HK_BAD_PROOF, commitments_of_another_answer);
}

static void device_does_not_accuse_the_service_of_its_own_fault(void **state)
{
    (void)state;
    expect(HK_BAD_SIGNATURE, own_half_does_not_belong);
}

static void stuck(void *out, size_t size)
{
    memset(out, 7, size);
}

/* With the generator stuck, answers to the two requests must be identical bytes, or share no commitment. */
static void check_independent(const struct hk_cosign *a, const struct hk_cosign *b, const struct hk_scalar *s,
                              const uint8_t *device_a, const uint8_t *device_b)
{
    uint8_t first[96], second[96];
    hk_test_random_source(stuck);
    assert_int_equal(hk_cosign_answer(first, first + 64, a, s, device_a), HK_OK);
    assert_int_equal(hk_cosign_answer(second, second + 64, b, s, device_b), HK_OK);
    hk_test_random_source(NULL);
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            assert_memory_not_equal(first + 32 * i, second + 32 * j, 32);
        }
    }
}

static void restored_service_gives_the_same_answer_or_independent_nonces(void **state)
{
    struct pair pair, elsewhere;
    struct hk_frost_nonces nonces;
    uint8_t device[64], other_device[64], first[96], second[96], id[16] = {0};
    (void)state;
    make(&pair, "message", 7);
    make(&elsewhere, "message", 7);
    assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
    assert_int_equal(hk_cosign_begin(&nonces, other_device, &pair.request, &pair.d), HK_OK);
    hk_test_random_source(stuck);
    assert_int_equal(hk_cosign_answer(first, first + 64, &pair.request, &pair.s, device), HK_OK);
    assert_int_equal(hk_cosign_answer(second, second + 64, &pair.request, &pair.s, device), HK_OK);
    hk_test_random_source(NULL);
    assert_memory_equal(first, second, 96);
    struct hk_cosign other = pair.request;
    other.message = "massage";
    check_independent(&pair.request, &other, &pair.s, device, device);
    other = pair.request;
    other.size = 6;
    check_independent(&pair.request, &other, &pair.s, device, device);
    other = pair.request;
    other.epoch++;
    check_independent(&pair.request, &other, &pair.s, device, device);
    other = pair.request;
    other.request_id = id;
    check_independent(&pair.request, &other, &pair.s, device, device);
    other = pair.request;
    other.key_id = id;
    check_independent(&pair.request, &other, &pair.s, device, device);
    other = pair.request;
    other.group_key = elsewhere.public.bytes;
    check_independent(&pair.request, &other, &pair.s, device, device);
    check_independent(&pair.request, &pair.request, &pair.s, device, other_device);
    memcpy(other_device, device, 32); /* one commitment changed is enough */
    check_independent(&pair.request, &pair.request, &pair.s, device, other_device);
}

static void device_with_stuck_generator_never_uses_a_nonce_for_two_requests(void **state)
{
    struct pair pair;
    struct hk_frost_nonces nonces;
    uint8_t first[64], second[64], id[16] = {0};
    (void)state;
    make(&pair, "message", 7);
    struct hk_cosign others[4];
    for (size_t i = 0; i < 4; i++) {
        others[i] = pair.request;
    }
    others[0].message = "massage";
    others[1].request_id = id;
    others[2].key_id = id;
    others[3].epoch++;
    hk_test_random_source(stuck);
    assert_int_equal(hk_cosign_begin(&nonces, first, &pair.request, &pair.d), HK_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(hk_cosign_begin(&nonces, second, &others[i], &pair.d), HK_OK);
        assert_memory_not_equal(first, second, 32);
        assert_memory_not_equal(first + 32, second + 32, 32);
    }
    hk_test_random_source(NULL);
}

static void a_new_call_draws_new_nonces(void **state)
{
    struct pair pair;
    struct hk_frost_nonces nonces;
    uint8_t first[64], second[64];
    (void)state;
    make(&pair, "message", 7);
    assert_int_equal(hk_cosign_begin(&nonces, first, &pair.request, &pair.d), HK_OK);
    assert_int_equal(hk_cosign_begin(&nonces, second, &pair.request, &pair.d), HK_OK);
    assert_memory_not_equal(first, second, 32);
    assert_memory_not_equal(first + 32, second + 32, 32);
}

/* 256 sessions left open at the device, all with commitments that the service chose after seeing all of the
 * device's; the sum of shares, which the ROS attack needs to meet one challenge, meets none. */
static void many_open_sessions_with_adversarial_commitments_forge_nothing(void **state)
{
    enum { OPEN = 256 };
    static struct hk_frost_nonces nonces[OPEN];
    static uint8_t device[OPEN][64], service[64], share[32], challenges[OPEN][32], forged[64], signature[64];
    struct pair pair;
    struct hk_scalar z, sum;
    struct hk_point total, point;
    (void)state;
    make(&pair, "message", 7);
    GROUP->point_identity(&total);
    GROUP->scalar_set(&sum, 0);
    for (size_t i = 0; i < OPEN; i++) {
        assert_int_equal(hk_cosign_begin(&nonces[i], device[i], &pair.request, &pair.d), HK_OK);
        assert_int_equal(GROUP->point_decode(&point, device[i]), HK_OK);
        GROUP->point_add(&total, &total, &point);
    }
    for (size_t i = 0; i < OPEN; i++) {
        /* the adversary aims all of them at the sum of the hiding commitments */
        struct hk_frost_commitment list[2];
        struct hk_frost_session session;
        memset(list, 0, sizeof(list));
        list[0] = nonces[i].commitment;
        hk_frost_identifier_set(&list[1].identifier, &hk_frost_ed25519, 2);
        assert_int_equal(GROUP->point_decode(&point, device[i]), HK_OK);
        GROUP->point_sub(&point, &total, &point);
        memcpy(list[1].hiding, point.bytes, 32);
        memcpy(list[1].binding, device[(i + 1) % OPEN] + 32, 32);
        assert_int_equal(
            hk_frost_session_init(&session, &hk_frost_ed25519, pair.public.bytes, "message", 7, list, 2),
            HK_OK);
        memcpy(challenges[i], session.challenge.bytes, 32);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(challenges[i], challenges[k], 32);
        }
        memcpy(service, list[1].hiding, 32);
        memcpy(service + 32, list[1].binding, 32);
        hk_scalar_random(GROUP, &z);
        memcpy(share, z.bytes, 32);
        assert_int_equal(
            hk_cosign_finish(signature, &nonces[i], &pair.request, &pair.d, &pair.service, service, share),
            HK_BAD_PROOF);
        GROUP->scalar_add(&sum, &sum, &z);
    }
    memcpy(forged, total.bytes, 32);
    memcpy(forged + 32, sum.bytes, 32);
    assert_int_equal(crypto_sign_verify_detached(forged, (const uint8_t *)"message", 7, pair.public.bytes),
                     -1);
    assert_true(hk_is_zero(signature, 64));
}

/* The service's side of the same: answers to 256 requests that differ only in the device's entry have
 * independent nonces and challenges, so no two of them combine. */
static void parallel_answers_of_the_service_share_nothing(void **state)
{
    enum { OPEN = 256 };
    static uint8_t service[OPEN][64], share[OPEN][32];
    struct pair pair;
    (void)state;
    make(&pair, "message", 7);
    hk_test_random_source(stuck);
    for (size_t i = 0; i < OPEN; i++) {
        struct hk_scalar k;
        struct hk_point point;
        uint8_t device[64];
        GROUP->scalar_set(&k, i + 1);
        GROUP->base_mul(&point, &k);
        memcpy(device, point.bytes, 32);
        memcpy(device + 32, point.bytes, 32);
        assert_int_equal(hk_cosign_answer(service[i], share[i], &pair.request, &pair.s, device), HK_OK);
        for (size_t k2 = 0; k2 < i; k2++) {
            assert_memory_not_equal(service[i], service[k2], 32);
            assert_memory_not_equal(service[i] + 32, service[k2] + 32, 32);
            assert_memory_not_equal(share[i], share[k2], 32);
        }
    }
    hk_test_random_source(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_is_an_ordinary_one_for_every_length),
        cmocka_unit_test(it_is_frost_with_identifiers_1_and_2),
        cmocka_unit_test(both_refuse_commitments_that_are_no_honest_points),
        cmocka_unit_test(device_refuses_a_service_that_mirrors_its_commitments),
        cmocka_unit_test(device_names_a_dishonest_service_and_gives_no_signature),
        cmocka_unit_test(device_does_not_accuse_the_service_of_its_own_fault),
        cmocka_unit_test(restored_service_gives_the_same_answer_or_independent_nonces),
        cmocka_unit_test(device_with_stuck_generator_never_uses_a_nonce_for_two_requests),
        cmocka_unit_test(a_new_call_draws_new_nonces),
        cmocka_unit_test(many_open_sessions_with_adversarial_commitments_forge_nothing),
        cmocka_unit_test(parallel_answers_of_the_service_share_nothing),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

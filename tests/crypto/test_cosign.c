/* Signatures by device and service in one round trip, and what a dishonest side can try. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/cosign.h"
#include "crypto/random.h"
#include "tests/support/groups.h"

static const struct hk_frost_suite *suite = &hk_frost_ed25519; /* each that device and service use, in turn */
#define GROUP (suite->group)
#define POINT (suite->group->point_bytes)
#define LIST HK_COSIGN_COMMITMENTS_BYTES_MAX

struct pair {
    struct hk_scalar d, s;
    struct hk_point device, service, public;
    uint8_t key_id[16], request_id[16];
    struct hk_cosign request;
    struct hk_frost_key key;
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
    pair->request = (struct hk_cosign){.suite = suite,
                                       .key_id = pair->key_id,
                                       .epoch = 3,
                                       .request_id = pair->request_id,
                                       .message = message,
                                       .size = size};
    assert_int_equal(hk_cosign_under(&pair->request, &pair->key, pair->public.bytes, NULL), HK_OK);
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
            uint8_t device[LIST], service[LIST], share[32], signature[64];
            make(&pair, message, sizes[i]);
            assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
            assert_int_equal(hk_cosign_answer(service, share, &pair.request, &pair.s, device), HK_OK);
            assert_int_equal(
                hk_cosign_finish(signature, &nonces, &pair.request, &pair.d, &pair.service, service, share),
                HK_OK);
            assert_int_equal(hk_frost_verify(suite, signature, pair.public.bytes, message, sizes[i]), HK_OK);
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
    uint8_t device[LIST], service[LIST], share[64], whole[64], signature[64];
    (void)state;
    make(&pair, "message", 7);
    assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
    assert_int_equal(hk_cosign_answer(service, share + 32, &pair.request, &pair.s, device), HK_OK);
    memset(list, 0, sizeof(list));
    list[0] = nonces.commitment;
    hk_frost_identifier_set(&two, suite, 2);
    list[1].identifier = two;
    memcpy(list[1].hiding, service, POINT);
    memcpy(list[1].binding, service + POINT, POINT);
    assert_int_equal(hk_frost_session_init(&session, suite, pair.public.bytes, "message", 7, list, 2), HK_OK);
    assert_int_equal(hk_frost_verify_share(&session, &two, share + 32, &pair.service), HK_OK);
    struct hk_frost_nonces copy = nonces;
    assert_int_equal(hk_frost_sign_share(share, &copy, &session, &pair.d), HK_OK);
    assert_int_equal(hk_frost_aggregate(whole, &session, share), HK_OK);
    assert_int_equal(
        hk_cosign_finish(signature, &nonces, &pair.request, &pair.d, &pair.service, service, share + 32),
        HK_OK);
    assert_memory_equal(signature, whole, 64);
}

static const uint8_t small[][HK_POINT_BYTES_MAX] = {
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
    uint8_t device[LIST], service[LIST], share[32], bad[LIST], out[LIST + 32], before[LIST + 32],
        signature[64];
    (void)state;
    make(&pair, "m", 1);
    memset(out, 0x5a, sizeof(out));
    memcpy(before, out, sizeof(out));
    for (size_t i = 0; i < 4; i++) {
        for (size_t half = 0; half < 2; half++) {
            assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
            assert_int_equal(hk_cosign_answer(service, share, &pair.request, &pair.s, device), HK_OK);
            memcpy(bad, device, LIST);
            memcpy(bad + POINT * half, small[i], POINT);
            assert_int_equal(hk_cosign_answer(out, out + LIST, &pair.request, &pair.s, bad), HK_BAD_POINT);
            assert_memory_equal(out, before, sizeof(out));
            /* mixed order; order 2 has no effect on nothing, so it is added, too */
            memcpy(bad, device, LIST);
            if (i > 0 && suite == &hk_frost_ed25519) {
                assert_int_equal(crypto_core_ed25519_add(bad + 32 * half, bad + 32 * half, small[i]), 0);
                assert_int_equal(hk_cosign_answer(out, out + LIST, &pair.request, &pair.s, bad),
                                 HK_BAD_POINT);
            }
            memcpy(bad, service, LIST);
            memcpy(bad + POINT * half, small[i], POINT);
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
            uint8_t device[LIST], service[LIST], share[32], signature[64] = {0};
            make(&pair, "m", 1);
            assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
            assert_int_equal(hk_cosign_answer(service, share, &pair.request, &pair.s, device), HK_OK);
            memcpy(service + POINT * to, device + POINT * from, POINT);
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
    uint8_t device[LIST], service[LIST], share[32], signature[64] = {0};
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
    (void)pair, (void)device, (void)service;
    if (!hk_number_add_order(GROUP, share)) {
        hk_order(GROUP, share); /* z + n has no room where n is near 2^256 */
    }
}

static void share_of_another_message(struct pair *pair, uint8_t *device, uint8_t *service, uint8_t *share)
{
    struct hk_cosign other = pair->request;
    other.message = "massage";
    assert_int_equal(hk_cosign_answer(service, share, &other, &pair->s, device), HK_OK);
}

static void share_over_another_list(struct pair *pair, uint8_t *device, uint8_t *service, uint8_t *share)
{
    uint8_t swapped[LIST];
    memcpy(swapped, device + POINT, POINT);
    memcpy(swapped + POINT, device, POINT);
    assert_int_equal(hk_cosign_answer(service, share, &pair->request, &pair->s, swapped), HK_OK);
}

static void share_for_another_group_key(struct pair *pair, uint8_t *device, uint8_t *service, uint8_t *share)
{
    struct hk_cosign other = pair->request;
    struct hk_frost_key key;
    assert_int_equal(hk_cosign_under(&other, &key, pair->device.bytes, NULL), HK_OK);
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
    uint8_t first[LIST + 32], second[LIST + 32];
    hk_test_random_source(stuck);
    assert_int_equal(hk_cosign_answer(first, first + LIST, a, s, device_a), HK_OK);
    assert_int_equal(hk_cosign_answer(second, second + LIST, b, s, device_b), HK_OK);
    hk_test_random_source(NULL);
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            assert_memory_not_equal(first + POINT * i, second + POINT * j, POINT);
        }
    }
}

static void restored_service_gives_the_same_answer_or_independent_nonces(void **state)
{
    struct pair pair, elsewhere;
    struct hk_frost_nonces nonces;
    uint8_t device[LIST], other_device[LIST], first[LIST + 32] = {0}, second[LIST + 32] = {0}, id[16] = {0};
    (void)state;
    make(&pair, "message", 7);
    make(&elsewhere, "message", 7);
    assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
    assert_int_equal(hk_cosign_begin(&nonces, other_device, &pair.request, &pair.d), HK_OK);
    hk_test_random_source(stuck);
    assert_int_equal(hk_cosign_answer(first, first + LIST, &pair.request, &pair.s, device), HK_OK);
    assert_int_equal(hk_cosign_answer(second, second + LIST, &pair.request, &pair.s, device), HK_OK);
    hk_test_random_source(NULL);
    assert_memory_equal(first, second, sizeof(first));
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
    memcpy(other_device, device, POINT); /* one commitment changed is enough */
    check_independent(&pair.request, &pair.request, &pair.s, device, other_device);
}

static void device_with_stuck_generator_never_uses_a_nonce_for_two_requests(void **state)
{
    struct pair pair;
    struct hk_frost_nonces nonces;
    uint8_t first[LIST], second[LIST], id[16] = {0};
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
        assert_memory_not_equal(first, second, POINT);
        assert_memory_not_equal(first + POINT, second + POINT, POINT);
    }
    hk_test_random_source(NULL);
}

static void a_new_call_draws_new_nonces(void **state)
{
    struct pair pair;
    struct hk_frost_nonces nonces;
    uint8_t first[LIST], second[LIST];
    (void)state;
    make(&pair, "message", 7);
    assert_int_equal(hk_cosign_begin(&nonces, first, &pair.request, &pair.d), HK_OK);
    assert_int_equal(hk_cosign_begin(&nonces, second, &pair.request, &pair.d), HK_OK);
    assert_memory_not_equal(first, second, POINT);
    assert_memory_not_equal(first + POINT, second + POINT, POINT);
}

/* 256 sessions left open at the device, all with commitments that the service chose after seeing all of the
 * device's; the sum of shares, which the ROS attack needs to meet one challenge, meets none. */
static void many_open_sessions_with_adversarial_commitments_forge_nothing(void **state)
{
    enum { OPEN = 256 };
    static struct hk_frost_nonces nonces[OPEN];
    static uint8_t device[OPEN][LIST], service[LIST], share[32], challenges[OPEN][32], forged[64];
    uint8_t signature[64] = {0};
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
        hk_frost_identifier_set(&list[1].identifier, suite, 2);
        assert_int_equal(GROUP->point_decode(&point, device[i]), HK_OK);
        GROUP->point_sub(&point, &total, &point);
        memcpy(list[1].hiding, point.bytes, POINT);
        memcpy(list[1].binding, device[(i + 1) % OPEN] + POINT, POINT);
        assert_int_equal(hk_frost_session_init(&session, suite, pair.public.bytes, "message", 7, list, 2),
                         HK_OK);
        memcpy(challenges[i], session.challenge.bytes, 32);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(challenges[i], challenges[k], 32);
        }
        memcpy(service, list[1].hiding, POINT);
        memcpy(service + POINT, list[1].binding, POINT);
        hk_scalar_random(GROUP, &z);
        memcpy(share, z.bytes, 32);
        assert_int_equal(
            hk_cosign_finish(signature, &nonces[i], &pair.request, &pair.d, &pair.service, service, share),
            HK_BAD_PROOF);
        GROUP->scalar_add(&sum, &sum, &z);
    }
    hk_frost_put_signature(forged, suite, &total, &sum);
    assert_int_equal(hk_frost_verify(suite, forged, pair.public.bytes, "message", 7), HK_BAD_SIGNATURE);
    assert_true(hk_is_zero(signature, 64));
}

/* The service's side of the same: answers to 256 requests that differ only in the device's entry have
 * independent nonces and challenges, so no two of them combine. */
static void parallel_answers_of_the_service_share_nothing(void **state)
{
    enum { OPEN = 256 };
    static uint8_t service[OPEN][LIST], share[OPEN][32];
    struct pair pair;
    (void)state;
    make(&pair, "message", 7);
    hk_test_random_source(stuck);
    for (size_t i = 0; i < OPEN; i++) {
        struct hk_scalar k;
        struct hk_point point;
        uint8_t device[LIST];
        GROUP->scalar_set(&k, i + 1);
        GROUP->base_mul(&point, &k);
        memcpy(device, point.bytes, POINT);
        memcpy(device + POINT, point.bytes, POINT);
        assert_int_equal(hk_cosign_answer(service[i], share[i], &pair.request, &pair.s, device), HK_OK);
        for (size_t k2 = 0; k2 < i; k2++) {
            assert_memory_not_equal(service[i], service[k2], POINT);
            assert_memory_not_equal(service[i] + POINT, service[k2] + POINT, POINT);
            assert_memory_not_equal(share[i], share[k2], 32);
        }
    }
    hk_test_random_source(NULL);
}

/* attacks.md 11: under another taproot root the same halves sign another key; no scalar is taken from
 * anybody. */
static void tweaked_signatures_verify_under_the_output_key_alone(void **state)
{
    (void)state;
    if (suite->signing_key == NULL) {
        struct pair pair;
        make(&pair, "m", 1);
        assert_int_equal(hk_cosign_under(&pair.request, &pair.key, pair.public.bytes, &HK_BYTES("", 0)),
                         HK_WRONG_PURPOSE);
        return;
    }
    for (size_t i = 0; i < 64; i++) { /* every combination of odd and even comes up */
        struct pair pair;
        struct hk_frost_nonces nonces;
        uint8_t root[32], device[LIST], service[LIST], share[32], signature[64];
        make(&pair, "message", 7);
        hk_random(root, sizeof(root));
        struct hk_bytes merkle = HK_BYTES(root, i % 4 == 0 ? 0 : 32);
        assert_int_equal(hk_cosign_under(&pair.request, &pair.key, pair.public.bytes, &merkle), HK_OK);
        assert_memory_not_equal(pair.key.group_key + 1, pair.public.bytes + 1, 32);
        assert_int_equal(hk_cosign_begin(&nonces, device, &pair.request, &pair.d), HK_OK);
        assert_int_equal(hk_cosign_answer(service, share, &pair.request, &pair.s, device), HK_OK);
        struct hk_frost_nonces copy = nonces;
        assert_int_equal(
            hk_cosign_finish(signature, &nonces, &pair.request, &pair.d, &pair.service, service, share),
            HK_OK);
        assert_int_equal(hk_frost_verify(suite, signature, pair.key.group_key, "message", 7), HK_OK);
        assert_int_equal(hk_frost_verify(suite, signature, pair.public.bytes, "message", 7),
                         HK_BAD_SIGNATURE);
        struct hk_frost_nonces own_fault = copy;
        struct hk_scalar other;
        hk_scalar_random(GROUP, &other); /* with another half of its own it blames nobody */
        assert_int_equal(
            hk_cosign_finish(signature, &own_fault, &pair.request, &other, &pair.service, service, share),
            HK_BAD_SIGNATURE);
        share[31] ^= 1; /* and a wrong share is still the service's */
        assert_int_equal(
            hk_cosign_finish(signature, &copy, &pair.request, &pair.d, &pair.service, service, share),
            HK_BAD_PROOF);
    }
}

int main(void)
{
    const struct CMUnitTest each[] = {
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
        cmocka_unit_test(tweaked_signatures_verify_under_the_output_key_alone)};
    static const struct hk_frost_suite *const suites[] = {&hk_frost_ed25519, &hk_frost_bip340};
    int failed = sodium_init() < 0;
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
        suite = suites[i];
        failed += cmocka_run_group_tests_name(suite->name, each, NULL, NULL);
    }
    return failed;
}

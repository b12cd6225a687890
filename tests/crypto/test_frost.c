/* FROST: the figures of RFC 9591, then t-of-n at random, then everything that can be wrong. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/frost.h"
#include "crypto/random.h"
#include "tests/support/groups.h"

static const struct hk_frost_suite *suite = &hk_frost_ed25519; /* each one that ships, in turn */
#define GROUP (suite->group)
#define POINT HK_POINT_BYTES_MAX
#define MANY 9

/* RFC 9591, appendix E.1: figures only. */
#define GROUP_SECRET "7b1c33d3f5291d85de664833beb1ad469f7fb6025a0ec78b3a790c6e13a98304"
#define GROUP_KEY "15d21ccd7ee42959562fc8aa63224c8851fb3ec85a3faf66040d380fb9738673"
#define COEFFICIENT "178199860edd8c62f5212ee91eff1295d0d670ab4ed4506866bae57e7030b204"
#define SIGNATURE                                                                                            \
    "154fb694ee7fcb37bf2381d94488c2a84b03b3352ad085feca81ad26d45852b7"                                       \
    "ecfe971ce4da95c4a95db93ac376b053897fca212ef85f99cf696bffeb178f07"
static const struct {
    uint64_t identifier;
    const char *share, *hiding_random, *binding_random, *hiding, *binding, *hiding_point, *binding_point,
        *factor, *response;
} signers[] = {
    {
        1,
        "929dcc590407aae7d388761cddb0c0db6f5627aea8e217f4a033f2ec83d93509",
        "06894e04ee4aceec8619d5f6a0a180e2f47194d2ac306cba586b555e7c48d765",
        "40d6f879ff22e22409f7d808fed81f37118e7d3e4af71c0f44c60207553bcbce",
        "ef6599dea4010581a72b3018c37c29a4341d7cab0773e8687ca74dcf14009701",
        "2baadfa0c69aa60d517ad4751de372a73f9d89cfc39026601f18458cdec12605",
        "9b116f12589591a7e23fe8048059ab10ab48e67739e7a2fb3890f61a7999478c",
        "c39b66b7dfccb122da24f13587f9a08c4347cae70046ca15169adf90ba65854d",
        "ff960a65374e216a0918729b153466016664fa980d409bc3f308daa7acb30d0d",
        "60997f0142e43e8005027fe5ab7447dac00d22c2d7ddd9571a02613ba7d81c08",
    },
    {
        3,
        "d3cb090a075eb154e82fdb4b3cb507f110040905468bb9c46da8bdea643a9a02",
        "fa5d950626782aade9e33fa781376d4888c2d1de7c37518bc248eb818ed0cdde",
        "7459a4d14ded0e365b085271be8dc6600d5b88f3978a2174297ffa32001a5afc",
        "80f8d9a4b8f9366e1a0b618107c907cd3ee29fa9bb40b4691cc1bde696240005",
        "2610b664a5a187b4855e87d2ff485bebdf043dc2f161fcd4854cd01dc0276404",
        "e679a2a971748ccfaabead4dbe8ac1def61275c186c79d471e1e45091ad1e687",
        "b2a942478453fabb6bd3181c56ba657413447b4136e1daea2484d396d1a516b3",
        "279d48ec56f16d234c09ea62f3d02ab776ee38e03f66b20f939f1316e13df10f",
        "79390e78bc59699c7af831f8f5fb478ec871a85f561a8641b5670ac4443f720f",
    },
};
static void unhex(uint8_t *out, size_t size, const char *hex)
{
    assert_int_equal(sodium_hex2bin(out, size, hex, strlen(hex), NULL, NULL, NULL), 0);
}

static void assert_hex(const uint8_t *bytes, const char *hex)
{
    uint8_t expected[64];
    unhex(expected, 64, hex);
    assert_memory_equal(bytes, expected, strlen(hex) / 2);
}

static void scalar(struct hk_scalar *out, const char *hex)
{
    uint8_t bytes[32];
    unhex(bytes, 32, hex);
    assert_int_equal(GROUP->scalar_decode(out, bytes), HK_OK);
}

static void gives_the_figures_of_rfc_9591(void **state)
{
    struct hk_frost_nonces nonces[2];
    struct hk_frost_commitment list[2];
    struct hk_frost_session session;
    uint8_t key[32], shares[64], signature[64];
    (void)state;
    unhex(key, 32, GROUP_KEY);
    for (int i = 0; i < 2; i++) {
        uint8_t random[64];
        struct hk_scalar share;
        struct hk_frost_identifier identifier;
        unhex(random, 32, signers[i].hiding_random);
        unhex(random + 32, 32, signers[i].binding_random);
        scalar(&share, signers[i].share);
        hk_frost_identifier_set(&identifier, suite, signers[i].identifier);
        assert_int_equal(hk_frost_commit(&nonces[i], suite, &identifier, &share, random), HK_OK);
        assert_hex(nonces[i].hiding.bytes, signers[i].hiding);
        assert_hex(nonces[i].binding.bytes, signers[i].binding);
        assert_hex(nonces[i].commitment.hiding, signers[i].hiding_point);
        assert_hex(nonces[i].commitment.binding, signers[i].binding_point);
        list[i] = nonces[i].commitment;
    }
    assert_int_equal(hk_frost_session_init(&session, suite, key, "test", 4, list, 2), HK_OK);
    for (int i = 0; i < 2; i++) {
        struct hk_scalar share, weighted;
        struct hk_point public;
        scalar(&share, signers[i].share);
        assert_hex(session.factor[i].bytes, signers[i].factor);
        assert_int_equal(hk_frost_weigh(&weighted, suite, &list[i].identifier, list, 2, &share), HK_OK);
        assert_int_equal(hk_frost_sign_share(shares + 32 * i, &nonces[i], &session, &weighted), HK_OK);
        assert_hex(shares + 32 * i, signers[i].response);
        GROUP->base_mul(&public, &share);
        assert_int_equal(hk_frost_weigh_point(&public, suite, &list[i].identifier, list, 2, &public), HK_OK);
        assert_int_equal(hk_frost_verify_share(&session, &list[i].identifier, shares + 32 * i, &public),
                         HK_OK);
    }
    assert_int_equal(hk_frost_aggregate(signature, &session, shares), HK_OK);
    assert_hex(signature, SIGNATURE);
    assert_int_equal(hk_frost_verify(suite, signature, key, "test", 4), HK_OK);
}

static void shares_of_rfc_9591_lie_on_its_polynomial(void **state)
{
    struct hk_scalar secret, coefficient, x, value;
    struct hk_point public;
    (void)state;
    scalar(&secret, GROUP_SECRET);
    scalar(&coefficient, COEFFICIENT);
    GROUP->base_mul(&public, &secret);
    assert_hex(public.bytes, GROUP_KEY);
    for (int i = 0; i < 2; i++) {
        GROUP->scalar_set(&x, signers[i].identifier);
        GROUP->scalar_mul(&value, &coefficient, &x);
        GROUP->scalar_add(&value, &value, &secret);
        assert_hex(value.bytes, signers[i].share);
    }
}

/* A group of n signers, t of them needed; identifiers random over the whole field, sorted. */
struct setup {
    size_t n, t;
    struct hk_frost_identifier identifier[MANY];
    struct hk_scalar share[MANY];
    struct hk_point public[MANY];
    uint8_t key[POINT];
};

static int by_number(const void *a, const void *b)
{
    const uint8_t *x = a, *y = b;
    for (int i = 0; i < 32; i++) {
        int at = GROUP->big_endian ? i : 31 - i;
        if (x[at] != y[at]) {
            return x[at] - y[at];
        }
    }
    return 0;
}

static void deal(struct setup *setup, size_t n, size_t t)
{
    struct hk_scalar coefficient[MANY], x;
    struct hk_point key;
    setup->n = n;
    setup->t = t;
    for (size_t i = 0; i < t; i++) {
        hk_scalar_random(GROUP, &coefficient[i]);
    }
    GROUP->base_mul(&key, &coefficient[0]);
    memcpy(setup->key, key.bytes, GROUP->point_bytes);
    memset(setup->identifier, 0, sizeof(setup->identifier));
    for (size_t i = 0; i < n; i++) {
        hk_scalar_random(GROUP, &x);
        memcpy(setup->identifier[i].bytes, x.bytes, 32);
        if (i % 3 == 0) {
            hk_frost_identifier_set(&setup->identifier[i], suite, i + 1);
        }
    }
    qsort(setup->identifier, n, sizeof(setup->identifier[0]), by_number);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(GROUP->scalar_decode(&x, setup->identifier[i].bytes), HK_OK);
        GROUP->scalar_set(&setup->share[i], 0);
        for (size_t k = t; k-- > 0;) {
            GROUP->scalar_mul(&setup->share[i], &setup->share[i], &x);
            GROUP->scalar_add(&setup->share[i], &setup->share[i], &coefficient[k]);
        }
        GROUP->base_mul(&setup->public[i], &setup -> share[i]);
    }
}

/* The first `count` from a rotated start sign; the rest do not. Leaves all public pieces for a test to bend.
 */
struct signing {
    size_t count;
    size_t who[MANY];
    struct hk_frost_nonces nonces[MANY];
    struct hk_frost_commitment list[MANY];
    struct hk_frost_session session;
    uint8_t shares[MANY * 32];
};

static void commit_all(struct signing *signing, const struct setup *setup, size_t count)
{
    size_t skip = setup->n - count;
    uint32_t left_out = randombytes_uniform((uint32_t)setup->n);
    signing->count = 0;
    for (size_t i = 0; i < setup->n && signing->count < count; i++) {
        if (skip > 0 && i >= left_out) {
            skip--;
            continue;
        }
        if (setup->n - i < count - signing->count) {
            break;
        }
        size_t at = signing->count++;
        signing->who[at] = i;
        assert_int_equal(
            hk_frost_commit(&signing->nonces[at], suite, &setup->identifier[i], &setup->share[i], NULL),
            HK_OK);
        signing->list[at] = signing->nonces[at].commitment;
    }
}

static void sign_all(struct signing *signing, const struct setup *setup, const char *message)
{
    assert_int_equal(hk_frost_session_init(&signing->session, suite, setup->key, message, strlen(message),
                                           signing->list, signing->count),
                     HK_OK);
    for (size_t i = 0; i < signing->count; i++) {
        struct hk_scalar weighted;
        assert_int_equal(hk_frost_weigh(&weighted, suite, &signing->list[i].identifier, signing->list,
                                        signing->count, &setup->share[signing->who[i]]),
                         HK_OK);
        assert_int_equal(
            hk_frost_sign_share(signing->shares + 32 * i, &signing->nonces[i], &signing->session, &weighted),
            HK_OK);
    }
}

static enum hk_error check_share(const struct signing *signing, const struct setup *setup, size_t i)
{
    struct hk_point weighted;
    assert_int_equal(hk_frost_weigh_point(&weighted, suite, &signing->list[i].identifier, signing->list,
                                          signing->count, &setup->public[signing->who[i]]),
                     HK_OK);
    return hk_frost_verify_share(&signing->session, &signing->list[i].identifier, signing->shares + 32 * i,
                                 &weighted);
}

static void any_t_of_n_sign_and_fewer_do_not(void **state)
{
    (void)state;
    for (size_t n = 1; n <= MANY; n++) {
        for (size_t t = 1; t <= n; t++) {
            struct setup setup;
            struct signing signing;
            uint8_t signature[HK_FROST_SIGNATURE_BYTES_MAX];
            deal(&setup, n, t);
            commit_all(&signing, &setup, t);
            assert_int_equal(signing.count, t);
            sign_all(&signing, &setup, "a message");
            assert_int_equal(hk_frost_aggregate(signature, &signing.session, signing.shares), HK_OK);
            assert_int_equal(hk_frost_verify(suite, signature, setup.key, "a message", 9), HK_OK);
            assert_int_equal(hk_frost_verify(suite, signature, setup.key, "another one", 11),
                             HK_BAD_SIGNATURE);
            for (size_t i = 0; i < t; i++) {
                assert_int_equal(check_share(&signing, &setup, i), HK_OK);
            }
            if (t > 1) {
                commit_all(&signing, &setup, t - 1);
                sign_all(&signing, &setup, "a message");
                assert_int_equal(hk_frost_aggregate(signature, &signing.session, signing.shares), HK_OK);
                assert_int_equal(hk_frost_verify(suite, signature, setup.key, "a message", 9),
                                 HK_BAD_SIGNATURE);
            }
        }
    }
}

static void wrong_share_is_found_and_its_signer_named(void **state)
{
    struct setup setup;
    struct signing signing;
    uint8_t signature[HK_FROST_SIGNATURE_BYTES_MAX];
    (void)state;
    deal(&setup, 5, 3);
    for (size_t bad = 0; bad < 3; bad++) {
        commit_all(&signing, &setup, 3);
        sign_all(&signing, &setup, "m");
        signing.shares[32 * bad] ^= 1;
        assert_int_equal(hk_frost_aggregate(signature, &signing.session, signing.shares), HK_OK);
        assert_int_equal(hk_frost_verify(suite, signature, setup.key, "m", 1), HK_BAD_SIGNATURE);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(check_share(&signing, &setup, i), i == bad ? HK_BAD_PROOF : HK_OK);
        }
    }
}

static void share_of_another_message_or_key_is_refused(void **state)
{
    struct setup setup;
    struct signing signing;
    struct hk_frost_session other;
    struct hk_point weighted;
    uint8_t key[POINT];
    (void)state;
    deal(&setup, 3, 2);
    commit_all(&signing, &setup, 2);
    sign_all(&signing, &setup, "m");
    assert_int_equal(hk_frost_weigh_point(&weighted, suite, &signing.list[0].identifier, signing.list, 2,
                                          &setup.public[signing.who[0]]),
                     HK_OK);
    assert_int_equal(hk_frost_session_init(&other, suite, setup.key, "n", 1, signing.list, 2), HK_OK);
    assert_int_equal(hk_frost_verify_share(&other, &signing.list[0].identifier, signing.shares, &weighted),
                     HK_BAD_PROOF);
    memcpy(key, setup.public[0].bytes, GROUP->point_bytes);
    assert_int_equal(hk_frost_session_init(&other, suite, key, "m", 1, signing.list, 2), HK_OK);
    assert_int_equal(hk_frost_verify_share(&other, &signing.list[0].identifier, signing.shares, &weighted),
                     HK_BAD_PROOF);
    /* a list with one signer more: other binding factors, other R */
    struct signing all;
    commit_all(&all, &setup, 3);
    for (size_t i = 0; i < 2; i++) {
        all.list[signing.who[i]] = signing.list[i];
    }
    assert_int_equal(hk_frost_session_init(&other, suite, setup.key, "m", 1, all.list, 3), HK_OK);
    assert_int_equal(hk_frost_verify_share(&other, &signing.list[0].identifier, signing.shares, &weighted),
                     HK_BAD_PROOF);
}

static void share_plus_n_is_refused(void **state)
{
    struct setup setup;
    struct signing signing;
    uint8_t signature[HK_FROST_SIGNATURE_BYTES_MAX], before[HK_FROST_SIGNATURE_BYTES_MAX];
    (void)state;
    deal(&setup, 2, 2);
    commit_all(&signing, &setup, 2);
    sign_all(&signing, &setup, "m");
    if (!hk_number_add_order(GROUP, signing.shares + 32)) {
        hk_order(GROUP, signing.shares + 32); /* z + n has no room where n is near 2^256 */
    }
    memset(signature, 0x5a, sizeof(signature));
    memcpy(before, signature, sizeof(signature));
    assert_int_equal(check_share(&signing, &setup, 1), HK_BAD_SCALAR);
    assert_int_equal(hk_frost_aggregate(signature, &signing.session, signing.shares), HK_BAD_SCALAR);
    assert_memory_equal(signature, before, sizeof(signature));
}

static void bad_commitment_lists_are_refused(void **state)
{
    struct setup setup;
    struct signing signing;
    struct hk_frost_session session;
    struct hk_frost_commitment list[HK_FROST_SIGNERS_MAX + 1];
    (void)state;
    deal(&setup, 3, 3);
    commit_all(&signing, &setup, 3);
#define INIT(count) hk_frost_session_init(&session, suite, setup.key, "m", 1, list, (count))
    memset(list, 0, sizeof(list));
    memcpy(list, signing.list, 3 * sizeof(*list));
    assert_int_equal(INIT(3), HK_OK);
    assert_int_equal(INIT(0), HK_BAD_ENCODING);
    assert_int_equal(INIT(HK_FROST_SIGNERS_MAX + 1), HK_BAD_ENCODING);
    list[0] = signing.list[1];
    assert_int_equal(INIT(3), HK_BAD_ENCODING); /* one twice */
    list[1] = signing.list[0];
    assert_int_equal(INIT(3), HK_BAD_ENCODING); /* not sorted */
    memcpy(list, signing.list, 3 * sizeof(*list));
    memset(list[0].identifier.bytes, 0, 32);
    assert_int_equal(INIT(3), HK_BAD_SCALAR);
    memset(list[2].identifier.bytes, 0xff, 32);
    memcpy(list, signing.list, 2 * sizeof(*list));
    assert_int_equal(INIT(3), HK_BAD_SCALAR);
    static const uint8_t bad[][POINT] = {{1}, {0}, {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f,
                                                    0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
                                                    0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
                                                    0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}};
    for (size_t i = 0; i < 3; i++) {
        memcpy(list, signing.list, 3 * sizeof(*list));
        memcpy(list[i].hiding, bad[i], GROUP->point_bytes);
        assert_int_equal(INIT(3), HK_BAD_POINT);
        memcpy(list, signing.list, 3 * sizeof(*list));
        memcpy(list[i].binding, bad[i], GROUP->point_bytes);
        assert_int_equal(INIT(3), HK_BAD_POINT);
    }
#undef INIT
}

static void nonces_work_once_and_are_wiped_first(void **state)
{
    struct setup setup;
    struct signing signing;
    uint8_t share[32], again[32] = {0};
    (void)state;
    deal(&setup, 2, 2);
    commit_all(&signing, &setup, 2);
    assert_int_equal(hk_frost_session_init(&signing.session, suite, setup.key, "m", 1, signing.list, 2),
                     HK_OK);
    assert_int_equal(hk_frost_sign_share(share, &signing.nonces[0], &signing.session, &setup.share[0]),
                     HK_OK);
    assert_true(hk_is_zero(&signing.nonces[0], sizeof(signing.nonces[0])));
    assert_int_equal(hk_frost_sign_share(again, &signing.nonces[0], &signing.session, &setup.share[0]),
                     HK_CONFLICT);
    assert_true(hk_is_zero(again, 32));
    /* also where the list holds something else: refused and wiped */
    signing.session.list[1].hiding[0] ^= 1;
    assert_int_equal(hk_frost_sign_share(again, &signing.nonces[1], &signing.session, &setup.share[1]),
                     HK_BAD_PROOF);
    assert_true(hk_is_zero(&signing.nonces[1], sizeof(signing.nonces[1])));
    assert_true(hk_is_zero(again, 32));
}

static void additive_halves_sign_without_weights(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct setup setup;
        struct signing signing;
        struct hk_point key;
        uint8_t signature[HK_FROST_SIGNATURE_BYTES_MAX];
        deal(&setup, 2, 2);
        GROUP->point_add(&key, &setup.public[0], &setup.public[1]);
        commit_all(&signing, &setup, 2);
        assert_int_equal(hk_frost_session_init(&signing.session, suite, key.bytes, "m", 1, signing.list, 2),
                         HK_OK);
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(hk_frost_sign_share(signing.shares + 32 * k, &signing.nonces[k],
                                                 &signing.session, &setup.share[k]),
                             HK_OK);
        }
        assert_int_equal(hk_frost_aggregate(signature, &signing.session, signing.shares), HK_OK);
        assert_int_equal(hk_frost_verify(suite, signature, key.bytes, "m", 1), HK_OK);
    }
}

int main(void)
{
    const struct CMUnitTest once[] = {cmocka_unit_test(gives_the_figures_of_rfc_9591),
                                      cmocka_unit_test(shares_of_rfc_9591_lie_on_its_polynomial)};
    const struct CMUnitTest each[] = {cmocka_unit_test(any_t_of_n_sign_and_fewer_do_not),
                                      cmocka_unit_test(wrong_share_is_found_and_its_signer_named),
                                      cmocka_unit_test(share_of_another_message_or_key_is_refused),
                                      cmocka_unit_test(share_plus_n_is_refused),
                                      cmocka_unit_test(bad_commitment_lists_are_refused),
                                      cmocka_unit_test(nonces_work_once_and_are_wiped_first),
                                      cmocka_unit_test(additive_halves_sign_without_weights)};
    static const struct hk_frost_suite *const suites[] = {&hk_frost_ed25519, &hk_frost_secp256k1,
                                                          &hk_frost_bip340};
    if (sodium_init() < 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(once, NULL, NULL);
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
        suite = suites[i];
        failed += cmocka_run_group_tests_name(suite->name, each, NULL, NULL);
    }
    return failed;
}

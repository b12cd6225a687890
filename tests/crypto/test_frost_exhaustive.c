/* FROST over a group so small that every nonce, every challenge and every wrong share can be tried. The
 * suite's hashes to scalars are tables that the test sets, so that challenges and binding factors take every
 * value, too. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/cosign.h"
#include "crypto/random.h"
#include "tests/support/toy_group.h"

#define GROUP (&hk_toy_group)
#define ORDER ((unsigned)HK_TOY_ORDER)

static unsigned factor[ORDER], challenge; /* by identifier; what the hashes give */

static void toy_hash_to_scalar(struct hk_scalar *out, const struct hk_frost_suite *suite, const char *tag,
                               const struct hk_bytes *list, size_t count)
{
    (void)suite;
    if (tag == NULL) {
        GROUP->scalar_set(out, challenge);
    } else if (strcmp(tag, "rho") == 0) {
        GROUP->scalar_set(out, factor[*(const uint8_t *)list[count - 1].data]);
    } else {
        uint8_t digest[64];
        crypto_hash_sha512(digest, list[0].data, list[0].size);
        memset(out, 0, sizeof(*out));
        GROUP->scalar_reduce(out, digest);
    }
}

static void toy_hash(uint8_t *digest, const struct hk_frost_suite *suite, const char *tag,
                     const struct hk_bytes *list, size_t count)
{
    (void)suite, (void)tag, (void)list, (void)count;
    digest[0] = 0;
}

static const struct hk_frost_suite toy = {
    .name = "toy",
    .group = &hk_toy_group,
    .context = "toy",
    .digest_bytes = 1,
    .hash_to_scalar = toy_hash_to_scalar,
    .hash = toy_hash,
    .verify = NULL,
};

/* The same with BIP-340's rule: of P and -P the larger number is the odd one. */
static bool toy_is_odd(const struct hk_point *point)
{
    struct hk_point identity, negative;
    GROUP->point_identity(&identity);
    GROUP->point_sub(&negative, &identity, point);
    return point->bytes[0] > negative.bytes[0];
}

static enum hk_error toy_signing_key(struct hk_frost_key *out, const uint8_t *public_key,
                                     const struct hk_bytes *root);

static const struct hk_frost_suite toy_even = {
    .name = "toy with even points",
    .group = &hk_toy_group,
    .context = "toy",
    .digest_bytes = 1,
    .hash_to_scalar = toy_hash_to_scalar,
    .hash = toy_hash,
    .verify = NULL,
    .is_odd = toy_is_odd,
    .signing_key = toy_signing_key,
};

/* The tweak itself stands in place of a root, so that every one is tried. */
static enum hk_error toy_signing_key(struct hk_frost_key *out, const uint8_t *public_key,
                                     const struct hk_bytes *root)
{
    struct hk_point point, tweak;
    struct hk_scalar zero;
    memset(out, 0, sizeof(*out));
    assert_int_equal(GROUP->point_decode(&point, public_key), HK_OK);
    out->negated = hk_frost_make_even(&point, &toy_even);
    GROUP->scalar_set(&zero, 0);
    if (root != NULL) {
        assert_int_equal(GROUP->scalar_decode(&out->tweak, root->data), HK_OK);
        GROUP->base_mul(&tweak, &out->tweak);
        GROUP->point_add(&point, &point, &tweak);
        if (GROUP->point_is_identity(&point)) {
            return HK_BAD_POINT;
        }
        if (hk_frost_make_even(&point, &toy_even)) {
            out->negated = !out->negated;
            GROUP->scalar_sub(&out->tweak, &zero, &out->tweak);
        }
    }
    out->group_key[0] = point.bytes[0];
    return HK_OK;
}

static const struct hk_frost_suite *suite = &toy; /* in turn */

static unsigned draw(unsigned below)
{
    return (unsigned)randombytes_uniform(below);
}

/* A signing by two with the given numbers; everything that can come out is checked. Returns false if R is the
 * identity, which the session refuses. */
static bool sign(unsigned d, unsigned s, const unsigned nonce[4])
{
    struct hk_scalar half[2], k[4];
    struct hk_point public[2], key;
    struct hk_frost_nonces nonces[2];
    struct hk_frost_commitment list[2];
    static struct hk_frost_session session;
    uint8_t shares[2 * HK_SCALAR_BYTES_MAX], signature[HK_FROST_SIGNATURE_BYTES_MAX];
    size_t size = GROUP->scalar_bytes;
    GROUP->scalar_set(&half[0], d);
    GROUP->scalar_set(&half[1], s);
    for (size_t i = 0; i < 2; i++) {
        struct hk_frost_identifier identifier;
        GROUP->base_mul(&public[i], &half[i]);
        GROUP->scalar_set(&k[2 * i], nonce[2 * i]);
        GROUP->scalar_set(&k[2 * i + 1], nonce[2 * i + 1]);
        hk_frost_identifier_set(&identifier, suite, i + 1);
        assert_int_equal(hk_frost_commit_to(&nonces[i], suite, &identifier, &k[2 * i], &k[2 * i + 1]), HK_OK);
        list[i] = nonces[i].commitment;
    }
    GROUP->point_add(&key, &public[0], &public[1]);
    unsigned r = (nonce[0] + factor[1] * nonce[1] + nonce[2] + factor[2] * nonce[3]) % ORDER;
    enum hk_error error = hk_frost_session_init(&session, suite, key.bytes, "m", 1, list, 2);
    assert_int_equal(error, r == 0 ? HK_BAD_POINT : HK_OK);
    if (error != HK_OK) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(hk_frost_sign_share(shares + i * size, &nonces[i], &session, &half[i]), HK_OK);
    }
    /* every value of the share but the right one is found, and spoils the signature */
    for (size_t i = 0; i < 2; i++) {
        struct hk_scalar right, wrong, delta;
        assert_int_equal(GROUP->scalar_decode(&right, shares + i * size), HK_OK);
        for (unsigned off = 0; off < ORDER; off++) {
            GROUP->scalar_set(&delta, off);
            GROUP->scalar_add(&wrong, &right, &delta);
            memcpy(shares + i * size, wrong.bytes, size);
            assert_int_equal(
                hk_frost_verify_share(&session, &list[i].identifier, shares + i * size, &public[i]),
                off == 0 ? HK_OK : HK_BAD_PROOF);
            assert_int_equal(hk_frost_aggregate(signature, &session, shares), HK_OK);
            assert_int_equal(hk_frost_verify(suite, signature, key.bytes, "m", 1),
                             off == 0 ? HK_OK : HK_BAD_SIGNATURE);
        }
        memcpy(shares + i * size, right.bytes, size);
    }
    return true;
}

static void every_nonce_and_challenge_signs_and_every_wrong_share_is_found(void **state)
{
    unsigned refused = 0, done = 0;
    (void)state;
    unsigned step = suite == &toy ? 1 : 7, rounds = 0; /* the second time a sample, prime to 12 */
    for (unsigned i = 0; i < 12 * 12 * 12 * 12; i += step, rounds++) {
        const unsigned nonce[4] = {1 + i % 12, 1 + i / 12 % 12, 1 + i / 144 % 12, 1 + i / 1728};
        for (challenge = 0; challenge < ORDER; challenge++) {
            unsigned d = 1 + draw(12), s = 1 + draw(12);
            if (d + s == ORDER) {
                s = d;
            }
            factor[1] = draw(ORDER);
            factor[2] = draw(ORDER);
            sign(d, s, nonce) ? done++ : refused++;
        }
    }
    assert_int_equal(done + refused, rounds * ORDER);
    assert_true(done > 10 * refused); /* one in thirteen */
}

static void every_pair_of_halves_and_every_binding_factor_signs(void **state)
{
    (void)state;
    for (unsigned d = 1; d < ORDER; d++) {
        for (unsigned s = 1; s < ORDER; s++) {
            for (unsigned f = 0; f < ORDER * ORDER && d + s != ORDER; f++) {
                const unsigned nonce[4] = {1 + draw(12), 1 + draw(12), 1 + draw(12), 1 + draw(12)};
                factor[1] = f % ORDER;
                factor[2] = f / ORDER;
                challenge = draw(ORDER);
                (void)sign(d, s, nonce);
            }
        }
    }
}

/* Lagrange weights: for every secret, slope and pair of distinct identifiers, the weighted shares sum to the
 * secret. */
static void every_pair_of_identifiers_gives_the_secret_back(void **state)
{
    (void)state;
    for (unsigned x = 0; x < ORDER; x++) {
        for (unsigned slope = 0; slope < ORDER; slope++) {
            for (unsigned i = 1; i < ORDER; i++) {
                for (unsigned j = i + 1; j < ORDER; j++) {
                    struct hk_frost_commitment list[2];
                    struct hk_scalar a, b;
                    memset(list, 0, sizeof(list));
                    hk_frost_identifier_set(&list[0].identifier, suite, i);
                    hk_frost_identifier_set(&list[1].identifier, suite, j);
                    GROUP->scalar_set(&a, x + slope * i);
                    GROUP->scalar_set(&b, x + slope * j);
                    assert_int_equal(hk_frost_weigh(&a, suite, &list[0].identifier, list, 2, &a), HK_OK);
                    assert_int_equal(hk_frost_weigh(&b, suite, &list[1].identifier, list, 2, &b), HK_OK);
                    GROUP->scalar_add(&a, &a, &b);
                    assert_int_equal(hk_toy_value(&a), x);
                }
            }
        }
    }
}

/* The one-round-trip form for every pair of halves, every challenge and every value of the service's share.
 */
static void device_accepts_exactly_the_right_share_of_the_service(void **state)
{
    unsigned accepted = 0;
    (void)state;
    for (unsigned run = 0; run < 12 * 12 * ORDER; run++) {
        unsigned d = 1 + run % 12, s = 1 + run / 12 % 12;
        uint8_t id[16], device[2 * HK_POINT_BYTES_MAX], service[2 * HK_POINT_BYTES_MAX];
        uint8_t share[HK_SCALAR_BYTES_MAX], signature[HK_FROST_SIGNATURE_BYTES_MAX];
        struct hk_scalar half[2], right, z;
        struct hk_point public[2], key;
        struct hk_frost_nonces nonces;
        challenge = run / 144;
        factor[1] = draw(ORDER);
        factor[2] = draw(ORDER);
        hk_random(id, sizeof(id));
        GROUP->scalar_set(&half[0], d);
        GROUP->scalar_set(&half[1], s);
        GROUP->base_mul(&public[0], &half[0]);
        GROUP->base_mul(&public[1], &half[1]);
        GROUP->point_add(&key, &public[0], &public[1]);
        uint8_t tweak = (uint8_t)draw(ORDER);
        struct hk_frost_key signing_key;
        struct hk_cosign request = {
            .suite = suite, .key_id = id, .epoch = 1, .request_id = id, .message = "m", .size = 1};
        /* In so small a group nonces are zero, points meet and sums vanish every few runs: all that is
         * refused. */
        if (d + s == ORDER ||
            hk_cosign_under(&request, &signing_key, key.bytes,
                            suite == &toy_even && draw(3) > 0 ? &HK_BYTES(&tweak, 1) : NULL) != HK_OK ||
            hk_cosign_begin(&nonces, device, &request, &half[0]) != HK_OK ||
            hk_cosign_answer(service, share, &request, &half[1], device) != HK_OK) {
            continue;
        }
        assert_int_equal(GROUP->scalar_decode(&right, share), HK_OK);
        for (unsigned value = 0; value < ORDER; value++) {
            struct hk_frost_nonces copy = nonces;
            GROUP->scalar_set(&z, value);
            memcpy(share, z.bytes, GROUP->scalar_bytes);
            enum hk_error error =
                hk_cosign_finish(signature, &copy, &request, &half[0], &public[1], service, share);
            assert_int_equal(error, value == hk_toy_value(&right) ? HK_OK : HK_BAD_PROOF);
            accepted += error == HK_OK;
        }
        assert_int_equal(hk_frost_verify(suite, signature, request.group_key, "m", 1), HK_OK);
    }
    assert_true(accepted > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_nonce_and_challenge_signs_and_every_wrong_share_is_found),
        cmocka_unit_test(every_pair_of_halves_and_every_binding_factor_signs),
        cmocka_unit_test(every_pair_of_identifiers_gives_the_secret_back),
        cmocka_unit_test(device_accepts_exactly_the_right_share_of_the_service),
    };
    static const struct hk_frost_suite *const suites[] = {&toy, &toy_even};
    int failed = sodium_init() < 0;
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
        suite = suites[i];
        failed += cmocka_run_group_tests_name(suite->name, tests, NULL, NULL);
    }
    return failed;
}

/* Row 7: 256 signing sessions open at once, with commitments that were chosen after the others' (the ROS
 * attack), against the service; for Ed25519 and for BIP-340. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/cosign.h"
#include "crypto/group_secp256k1.h"
#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/groups.h"
#include "tests/support/store_view.h"

#define OPEN 256
#define P_MAX HK_SECP256K1_POINT_BYTES

static const struct hk_group *group;
static const struct hk_frost_suite *suite;
static size_t p; /* bytes of a point */

static struct hk_attack attack;
static struct hk_test_key *key;

/* One session as the attacker has it: its own commitments, and what came. */
static struct {
    uint8_t id[HK_ID_BYTES], own[2 * P_MAX], service[2 * P_MAX], share[32];
    char message[32];
    enum hk_error got;
} session[OPEN];

static void *ask(void *argument)
{
    size_t i = (size_t)argument;
    struct hk_message request, answer;
    uint8_t plain[512], back[512];
    size_t size, back_size;
    hk_test_request(&request, HK_OP_SIGN, &attack.laptop);
    memcpy(session[i].id, request.value[HK_F_REQUEST].data, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_KIND, HK_SIGN_RAW);
    hk_message_set_bytes(&request, HK_F_MESSAGE, session[i].message, strlen(session[i].message));
    hk_message_set_bytes(&request, HK_F_NONCES, session[i].own, 2 * p);
    enum hk_error error = hk_message_encode(&request, plain, sizeof(plain), &size);
    if (error == HK_OK) {
        error = hk_channel_call(attack.laptop.channel, plain, size, back, sizeof(back), &back_size, 10000);
    }
    if (error == HK_OK) {
        error = hk_message_decode(&answer, back, back_size);
    }
    if (error == HK_OK) {
        error = hk_message_check_answer(&answer, hk_op_row(HK_OP_SIGN), session[i].id);
    }
    if (error == HK_OK) {
        memcpy(session[i].service, answer.value[HK_F_NONCES].data, 2 * p);
        memcpy(session[i].share, answer.value[HK_F_SHARE].data, 32);
    }
    session[i].got = error;
    return NULL;
}

/* [from, to) at the same time. */
static void ask_all(size_t from, size_t to)
{
    pthread_t thread[OPEN];
    for (size_t i = from; i < to; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, ask, (void *)i), 0);
    }
    for (size_t i = from; i < to; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(session[i].got, HK_OK);
    }
}

/* out = a + b, or a - b; false, and nothing, if that is no point that could be sent. */
static bool combine(uint8_t *out, const uint8_t *a, const uint8_t *b, bool minus)
{
    struct hk_point one, other, sum;
    if (group->point_decode(&one, a) != HK_OK || group->point_decode(&other, b) != HK_OK) {
        return false;
    }
    (minus ? group->point_sub : group->point_add)(&sum, &one, &other);
    bool good = group->point_decode(&one, sum.bytes) == HK_OK;
    if (good) {
        memcpy(out, sum.bytes, p);
    }
    return good;
}

static void negate(uint8_t *point)
{
    struct hk_point identity, one;
    group->point_identity(&identity);
    assert_int_equal(group->point_decode(&one, point), HK_OK);
    group->point_sub(&one, &identity, &one);
    memcpy(point, one.bytes, p);
}

/* The attacker's commitments of a round, from all that it has seen: the same for all; the sum of the
 * service's; what is missing to the first one's; the service's own; the negative of it. */
static void choose(size_t round, size_t from, size_t to)
{
    uint8_t sum[P_MAX];
    hk_random_point_bytes(group, sum);
    for (size_t i = 0; i < from; i++) {
        (void)combine(sum, sum, session[i].service + p * (i % 2), false);
    }
    for (size_t i = from; i < to; i++) {
        uint8_t *own = session[i].own;
        hk_random_point_bytes(group, own);
        hk_random_point_bytes(group, own + p);
        if (round == 0) {
            memcpy(own, session[from].own, 2 * p);
        } else if (round == 1) {
            memcpy(own, sum, p);
        } else if (round == 2) {
            assert_true(combine(own, sum, session[i - from].service, true));
            memcpy(own + p, session[i - from].service + p, p);
        } else {
            memcpy(own, session[i - from].service, p);
            negate(own);
            memcpy(own + p, session[i - from].service + p, p);
        }
        (void)snprintf(session[i].message, sizeof(session[i].message),
                       round == 0 ? "the same message" : "message %zu", i);
    }
}

/* The share of a session is right for its own message, list and challenge: that is all it is. */
static void check_share(size_t i, struct hk_scalar *challenge)
{
    struct hk_frost_commitment list[2];
    struct hk_frost_session frost;
    struct hk_scalar z, right;
    struct hk_point left, point, other, zero;
    struct hk_scalar factors[2];
    uint8_t digest[HK_FROST_DIGEST_BYTES_MAX];
    memset(list, 0, sizeof(list));
    for (size_t j = 0; j < 2; j++) {
        hk_frost_identifier_set(&list[j].identifier, suite, j + 1);
        memcpy(list[j].hiding, j == 0 ? session[i].own : session[i].service, p);
        memcpy(list[j].binding, (j == 0 ? session[i].own : session[i].service) + p, p);
    }
    assert_int_equal(hk_frost_session_init(&frost, suite, key->public_key, session[i].message,
                                           strlen(session[i].message), list, 2),
                     HK_OK);
    /* BIP-340 means the even one of a key and of a sum of commitments: all of it then counts negated. */
    hk_frost_message_digest(digest, suite, session[i].message, strlen(session[i].message));
    hk_frost_binding_factors(factors, suite, frost.group_key, digest, list, 2);
    assert_int_equal(hk_frost_signer_commitment(&other, suite, &factors[1], &list[1]), HK_OK);
    assert_int_equal(group->scalar_decode(&z, session[i].share), HK_OK);
    assert_int_equal(group->point_decode(&point, key->service_point), HK_OK);
    right = frost.challenge;
    group->base_mul(&left, &z);
    group->point_mul(&point, &right, &point);
    group->point_identity(&zero);
    if (frost.key_negated) {
        group->point_sub(&point, &zero, &point);
    }
    if (frost.nonces_negated) {
        group->point_sub(&other, &zero, &other);
    }
    group->point_add(&point, &point, &other);
    assert_true(hk_point_equal(group, &left, &point)); /* [z]B = R_s + [c]S */
    *challenge = frost.challenge;
}

/* What ROS needs: a sum of challenges that is the challenge of another message under the sum of the
 * commitments. Every prefix of the sessions is tried, with the attacker's own half in it. */
static void try_to_forge(const struct hk_scalar *challenges)
{
    static const char target[] = "what nobody asked for";
    struct hk_scalar sum, part;
    struct hk_point total, point;
    uint8_t forged[HK_COSIGN_SIGNATURE_BYTES_MAX];
    group->scalar_set(&sum, 0);
    group->point_identity(&total);
    for (size_t i = 0; i < OPEN; i++) {
        assert_int_equal(group->point_decode(&point, session[i].service), HK_OK);
        group->point_add(&total, &total, &point);
        assert_int_equal(group->scalar_decode(&part, session[i].share), HK_OK);
        group->scalar_add(&sum, &sum, &part);
        group->scalar_mul(&part, &challenges[i], &key->half);
        group->scalar_add(&sum, &sum, &part);
        point = total;
        (void)hk_frost_make_even(&point, suite);
        hk_frost_put_signature(forged, suite, &point, &sum);
        assert_int_equal(hk_frost_verify(suite, forged, key->public_key, target, sizeof(target) - 1),
                         HK_BAD_SIGNATURE);
    }
}

static void shares_are_independent(bool on_secp256k1)
{
    static struct hk_scalar challenges[OPEN];
    struct hk_message request, answer;
    attack = (struct hk_attack){.on_secp256k1 = on_secp256k1};
    hk_attack_begin(&attack, false);
    group = hk_attack_group(&attack);
    suite = hk_attack_signs(&attack)->frost;
    p = group->point_bytes;
    key = hk_test_key_of(&attack.laptop, hk_attack_signs(&attack)->id);
    hk_test_request(&request, HK_OP_STATUS, &attack.laptop);
    assert_int_equal(hk_test_call(&attack.laptop, &request, &answer), HK_OK);
    uint64_t leaves = hk_view_leaves(&attack.service, attack.laptop.account);
    for (size_t round = 0; round < 4; round++) {
        choose(round, round * OPEN / 4, (round + 1) * OPEN / 4);
        ask_all(round * OPEN / 4, (round + 1) * OPEN / 4);
    }
    for (size_t i = 0; i < OPEN; i++) {
        check_share(i, &challenges[i]);
        for (size_t j = 0; j < i; j++) {
            for (size_t place = 0; place < 4; place++) { /* nor is one the negative of another */
                assert_memory_not_equal(session[i].service + p * (place / 2) + p - 32,
                                        session[j].service + p * (place % 2) + p - 32, 31);
            }
            assert_memory_not_equal(challenges[i].bytes, challenges[j].bytes, 32);
        }
        hk_tried("%s, session %zu", hk_attack_signs(&attack)->name, i);
    }
    try_to_forge(challenges);
    hk_tried("%s, sums of up to %d shares", hk_attack_signs(&attack)->name, OPEN);
    /* and each share that left is a leaf */
    assert_int_equal(hk_view_leaves(&attack.service, attack.laptop.account), leaves + OPEN);
    hk_attack_end(&attack);
}

static void row07_shares_of_many_open_sessions_are_independent(void **state)
{
    (void)state;
    shares_are_independent(false);
}

static void row07_shares_of_many_open_bip340_sessions_are_independent(void **state)
{
    (void)state;
    shares_are_independent(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row07_shares_of_many_open_sessions_are_independent),
        cmocka_unit_test(row07_shares_of_many_open_bip340_sessions_are_independent),
    };
    return HK_ATTACK_ROW(7, tests);
}

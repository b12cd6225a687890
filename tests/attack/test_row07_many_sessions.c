/* Row 7: 256 signing sessions open at once, with commitments that were chosen after the others' (the ROS
 * attack). Once against the service, once against the device. */

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
#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/echo_service.h"
#include "tests/support/store_view.h"

#define OPEN 256
static const struct hk_group *const group = &hk_edwards25519;

/* ---- against the service ---- */

static struct hk_attack attack;
static struct hk_test_key *key;

/* One session as the attacker has it: its own commitments, and what came. */
static struct {
    uint8_t id[HK_ID_BYTES], own[64], service[64], share[32];
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
    hk_message_set_bytes(&request, HK_F_NONCES, session[i].own, 64);
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
        memcpy(session[i].service, answer.value[HK_F_NONCES].data, 64);
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

static void random_point(uint8_t out[32])
{
    struct hk_scalar k;
    struct hk_point point;
    hk_scalar_random(group, &k);
    group->base_mul(&point, &k);
    memcpy(out, point.bytes, 32);
}

/* The attacker's commitments of a round, from all that it has seen: the same for all; the sum of the
 * service's; what is missing to the first one's; the service's own; the negative of it. */
static void choose(size_t round, size_t from, size_t to)
{
    static const uint8_t identity[32] = {1};
    uint8_t sum[32];
    random_point(sum);
    for (size_t i = 0; i < from; i++) {
        uint8_t more[32];
        if (crypto_core_ed25519_add(more, sum, session[i].service + 32 * (i % 2)) == 0 &&
            memcmp(more, identity, 32) != 0) {
            memcpy(sum, more, 32);
        }
    }
    for (size_t i = from; i < to; i++) {
        uint8_t *own = session[i].own;
        random_point(own);
        random_point(own + 32);
        if (round == 0) {
            memcpy(own, session[from].own, 64);
        } else if (round == 1) {
            memcpy(own, sum, 32);
        } else if (round == 2) {
            assert_int_equal(crypto_core_ed25519_sub(own, sum, session[i - from].service), 0);
            memcpy(own + 32, session[i - from].service + 32, 32);
        } else {
            memcpy(own, session[i - from].service, 32);
            own[31] ^= 0x80;
            memcpy(own + 32, session[i - from].service + 32, 32);
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
    struct hk_point left, point, other;
    struct hk_scalar factors[2];
    uint8_t digest[HK_FROST_DIGEST_BYTES_MAX];
    memset(list, 0, sizeof(list));
    for (size_t j = 0; j < 2; j++) {
        hk_frost_identifier_set(&list[j].identifier, &hk_frost_ed25519, j + 1);
        memcpy(list[j].hiding, j == 0 ? session[i].own : session[i].service, 32);
        memcpy(list[j].binding, (j == 0 ? session[i].own : session[i].service) + 32, 32);
    }
    assert_int_equal(hk_frost_session_init(&frost, &hk_frost_ed25519, key->public_key, session[i].message,
                                           strlen(session[i].message), list, 2),
                     HK_OK);
    hk_frost_message_digest(digest, &hk_frost_ed25519, session[i].message, strlen(session[i].message));
    hk_frost_binding_factors(factors, &hk_frost_ed25519, key->public_key, digest, list, 2);
    assert_int_equal(hk_frost_signer_commitment(&other, &hk_frost_ed25519, &factors[1], &list[1]), HK_OK);
    assert_int_equal(group->scalar_decode(&z, session[i].share), HK_OK);
    assert_int_equal(group->point_decode(&point, key->service_point), HK_OK);
    right = frost.challenge;
    group->base_mul(&left, &z);
    group->point_mul(&point, &right, &point);
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
    uint8_t forged[64];
    group->scalar_set(&sum, 0);
    group->point_identity(&total);
    for (size_t i = 0; i < OPEN; i++) {
        assert_int_equal(group->point_decode(&point, session[i].service), HK_OK);
        group->point_add(&total, &total, &point);
        assert_int_equal(group->scalar_decode(&part, session[i].share), HK_OK);
        group->scalar_add(&sum, &sum, &part);
        group->scalar_mul(&part, &challenges[i], &key->half);
        group->scalar_add(&sum, &sum, &part);
        memcpy(forged, total.bytes, 32);
        memcpy(forged + 32, sum.bytes, 32);
        assert_int_equal(
            crypto_sign_verify_detached(forged, (const uint8_t *)target, sizeof(target) - 1, key->public_key),
            -1);
    }
}

static void row07_shares_of_many_open_sessions_are_independent(void **state)
{
    (void)state;
    static struct hk_scalar challenges[OPEN];
    struct hk_message request, answer;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    key = hk_test_key_of(&attack.laptop, HK_SUITE_ED25519);
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
            for (size_t place = 0; place < 4; place++) {
                assert_memory_not_equal(session[i].service + 32 * (place / 2),
                                        session[j].service + 32 * (place % 2), 32);
            }
            assert_memory_not_equal(challenges[i].bytes, challenges[j].bytes, 32);
        }
        hk_tried("service, session %zu", i);
    }
    try_to_forge(challenges);
    hk_tried("service, sums of up to %d shares", OPEN);
    /* and each share that left is a leaf */
    assert_int_equal(hk_view_leaves(&attack.service, attack.laptop.account), leaves + OPEN);
    hk_attack_end(&attack);
}

/* ---- against the device: a service that answers nobody until all have shown their commitments ---- */

static struct {
    struct echo_service echo;
    struct hk_channel *channel;
    pthread_mutex_t lock;
    size_t asked;
    struct waiting {
        struct hk_session *session;
        uint64_t counter;
        struct hk_reply *reply;
        uint8_t id[HK_ID_BYTES], commitments[64];
    } waiting[OPEN];
} collector = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct hk_scalar d, s; /* the device's half, and what the service should hold */
static struct hk_point service_point, public_key;
static size_t lie;

/* R_i for session i, after all of the device's commitments: aimed at one sum for all, at the negative of the
 * device's, at the next session's. */
static void adversarial(size_t i, uint8_t out[64])
{
    const struct waiting *of = collector.waiting;
    uint8_t sum[32], negative[32];
    memcpy(sum, of[0].commitments, 32);
    for (size_t j = 1; j < OPEN; j++) {
        if (crypto_core_ed25519_add(sum, sum, of[j].commitments) != 0) {
            abort();
        }
    }
    if (lie == 0) {
        (void)crypto_core_ed25519_sub(out, sum, of[i].commitments);
        memcpy(out + 32, of[(i + 1) % OPEN].commitments + 32, 32);
    } else if (lie == 1) {
        memcpy(negative, of[i].commitments, 64 / 2);
        negative[31] ^= 0x80;
        memcpy(out, negative, 32);
        memcpy(out + 32, of[i].commitments + 32, 32);
        out[63] ^= 0x80;
    } else {
        memcpy(out, of[(i + 1) % OPEN].commitments, 64);
    }
}

static void answer_all(void)
{
    static struct hk_message answer;
    static uint8_t plain[512], frame[1024];
    for (size_t i = 0; i < OPEN; i++) {
        struct waiting *to = &collector.waiting[i];
        uint8_t commitments[64];
        struct hk_scalar z;
        size_t size, frame_size;
        adversarial(i, commitments);
        hk_scalar_random(group, &z);
        hk_message_init(&answer);
        hk_message_set_bytes(&answer, HK_F_REQUEST, to->id, HK_ID_BYTES);
        hk_message_set_u64(&answer, HK_F_ERROR, 0);
        hk_message_set_bytes(&answer, HK_F_NONCES, commitments, 64);
        hk_message_set_bytes(&answer, HK_F_SHARE, z.bytes, 32);
        if (hk_message_encode(&answer, plain, sizeof(plain), &size) != HK_OK ||
            hk_session_seal_answer(to->session, to->counter, plain, size, frame, sizeof(frame),
                                   &frame_size) != HK_OK) {
            abort();
        }
        hk_reply_send(to->reply, frame, frame_size);
        hk_session_table_release(collector.echo.table, to->session);
    }
}

static void collect(struct echo_service *service, struct hk_session *from, uint64_t counter,
                    struct hk_reply *reply, const uint8_t *text, size_t size)
{
    static struct hk_message request;
    (void)service;
    pthread_mutex_lock(&collector.lock);
    if (hk_message_decode(&request, text, size) != HK_OK || collector.asked >= OPEN) {
        abort();
    }
    struct waiting *mine = &collector.waiting[collector.asked++];
    mine->session = from;
    mine->counter = counter;
    mine->reply = reply;
    memcpy(mine->id, request.value[HK_F_REQUEST].data, HK_ID_BYTES);
    memcpy(mine->commitments, request.value[HK_F_NONCES].data, 64);
    if (collector.asked == OPEN) {
        answer_all();
    }
    pthread_mutex_unlock(&collector.lock);
}

static struct {
    enum hk_error got;
    uint8_t signature[64];
} device[OPEN];

static void *sign(void *argument)
{
    size_t i = (size_t)argument, size, back_size;
    static const uint8_t key_id[HK_ID_BYTES] = {7};
    uint8_t id[HK_ID_BYTES], commitments[64], plain[512], back[512];
    char message[32];
    struct hk_message request, answer;
    struct hk_frost_nonces nonces;
    (void)snprintf(message, sizeof(message), "message %zu", i);
    hk_random(id, sizeof(id));
    struct hk_cosign run = {.suite = &hk_frost_ed25519,
                            .group_key = public_key.bytes,
                            .key_id = key_id,
                            .epoch = 1,
                            .request_id = id,
                            .message = message,
                            .size = strlen(message)};
    enum hk_error error = hk_cosign_begin(&nonces, commitments, &run, &d);
    hk_message_init(&request);
    hk_message_set_u64(&request, HK_F_OP, HK_OP_SIGN);
    hk_message_set_bytes(&request, HK_F_REQUEST, id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_NONCES, commitments, 64);
    if (error == HK_OK) {
        error = hk_message_encode(&request, plain, sizeof(plain), &size);
    }
    if (error == HK_OK) {
        error = hk_channel_call(collector.channel, plain, size, back, sizeof(back), &back_size, 20000);
    }
    if (error == HK_OK) {
        error = hk_message_decode(&answer, back, back_size);
    }
    if (error == HK_OK && memcmp(answer.value[HK_F_REQUEST].data, id, HK_ID_BYTES) == 0) {
        error = hk_cosign_finish(device[i].signature, &nonces, &run, &d, &service_point,
                                 answer.value[HK_F_NONCES].data, answer.value[HK_F_SHARE].data);
    }
    device[i].got = error;
    return NULL;
}

static void row07_a_device_with_many_open_sessions_signs_nothing_for_a_cheat(void **state)
{
    (void)state;
    char url[96] = "ipc:///tmp/halfkey-row07-";
    static const uint8_t none[64];
    pthread_t thread[OPEN];
    struct hk_endpoint *endpoint;
    (void)snprintf(url + strlen(url), sizeof(url) - strlen(url), "%d", (int)getpid());
    hk_scalar_random(group, &d);
    hk_scalar_random(group, &s);
    group->base_mul(&service_point, &s);
    group->base_mul(&public_key, &d);
    group->point_add(&public_key, &public_key, &service_point);
    echo_start(&collector.echo, url);
    collector.echo.answer = collect;
    assert_int_equal(hk_endpoint_new(&endpoint, collector.echo.url), HK_OK);
    assert_int_equal(
        hk_channel_open(&collector.channel, endpoint, NULL, NULL, collector.echo.static_public, 5000), HK_OK);
    for (lie = 0; lie < 3; lie++) {
        collector.asked = 0;
        memset(device, 0, sizeof(device));
        for (size_t i = 0; i < OPEN; i++) {
            assert_int_equal(pthread_create(&thread[i], NULL, sign, (void *)i), 0);
        }
        for (size_t i = 0; i < OPEN; i++) {
            assert_int_equal(pthread_join(thread[i], NULL), 0);
            assert_true(device[i].got == HK_BAD_PROOF || device[i].got == HK_BAD_POINT);
            assert_memory_equal(device[i].signature, none, 64);
            hk_tried("device, lie %zu, session %zu", lie, i);
        }
        assert_int_equal(collector.asked, OPEN);
    }
    hk_channel_free(collector.channel);
    hk_endpoint_free(endpoint);
    echo_stop(&collector.echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row07_shares_of_many_open_sessions_are_independent),
        cmocka_unit_test(row07_a_device_with_many_open_sessions_signs_nothing_for_a_cheat),
    };
    return HK_ATTACK_ROW(7, tests);
}

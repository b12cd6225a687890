/* Row 7: 256 signing sessions of a device open at once, against a service that answers nobody until all have
 * shown their commitments, and chooses its own after them. */

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

#define OPEN 256
static const struct hk_group *const group = &hk_edwards25519;

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
        cmocka_unit_test(row07_a_device_with_many_open_sessions_signs_nothing_for_a_cheat),
    };
    return HK_ATTACK_ROW(7, tests);
}

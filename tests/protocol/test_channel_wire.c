/* What an attacker or a bad network does to frames between a device and a service over real nng. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "crypto/random.h"
#include "protocol/channel.h"
#include "tests/support/echo_device.h"

#define TCP "tcp://127.0.0.1:0"

struct wire {
    struct echo_service service;
    struct hk_session session;
    struct hk_session_keys *keys;
    struct hk_secret32 static_key;
    uint8_t hello[HK_HANDSHAKE_BYTES_MAX];
    size_t hello_size;
};

static enum hk_error raw(struct wire *wire, const void *frame, size_t size, uint8_t *answer,
                         size_t *answer_size)
{
    return echo_raw(wire->service.url, frame, size, answer, answer_size, 400);
}

static void wire_open(struct wire *wire)
{
    uint8_t public_key[32], answer[HK_FRAME_MAX];
    struct hk_noise noise;
    size_t size;
    echo_start(&wire->service, TCP);
    hk_noise_keypair(&wire->static_key, public_key);
    wire->keys = hk_secret_new(sizeof(*wire->keys));
    assert_non_null(wire->keys);
    assert_int_equal(hk_session_begin(&noise, &wire->static_key, public_key, wire->service.static_public,
                                      wire->hello, &wire->hello_size),
                     HK_OK);
    assert_int_equal(raw(wire, wire->hello, wire->hello_size, answer, &size), HK_OK);
    assert_int_equal(hk_session_finish(&wire->session, wire->keys, &noise, answer, size), HK_OK);
}

static void wire_close(struct wire *wire)
{
    hk_secret_free(hk_session_close(&wire->session));
    hk_session_wipe(&wire->session);
    echo_stop(&wire->service);
}

static size_t wire_seal(struct wire *wire, const char *text, uint8_t *frame, uint64_t *counter)
{
    size_t size;
    assert_int_equal(
        hk_session_seal_request(&wire->session, text, strlen(text), frame, HK_FRAME_MAX, &size, counter),
        HK_OK);
    return size;
}

static enum hk_error hint_in(const uint8_t *answer, size_t size)
{
    struct hk_frame frame;
    assert_int_equal(hk_frame_parse(&frame, answer, size), HK_OK);
    return frame.type == HK_FRAME_HINT ? hk_frame_hinted(&frame) : HK_OK;
}

static void repeated_frame_gets_the_same_bytes_and_is_executed_once(void **state)
{
    struct wire wire;
    uint8_t frame[HK_FRAME_MAX], first[HK_FRAME_MAX], again[HK_FRAME_MAX];
    size_t first_size, again_size;
    uint64_t counter;
    (void)state;
    wire_open(&wire);
    size_t size = wire_seal(&wire, "once", frame, &counter);
    assert_int_equal(raw(&wire, frame, size, first, &first_size), HK_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(raw(&wire, frame, size, again, &again_size), HK_OK);
        assert_int_equal(again_size, first_size);
        assert_memory_equal(again, first, first_size);
    }
    assert_int_equal(wire.service.executed, 1);
    wire_close(&wire);
}

static void repeat_of_an_answer_that_is_never_kept_is_too_old(void **state)
{
    struct wire wire;
    uint8_t frame[HK_FRAME_MAX], answer[HK_FRAME_MAX];
    size_t answer_size;
    uint64_t counter;
    (void)state;
    wire_open(&wire);
    size_t size = wire_seal(&wire, "N seeds", frame, &counter);
    assert_int_equal(raw(&wire, frame, size, answer, &answer_size), HK_OK);
    assert_int_equal(hint_in(answer, answer_size), HK_OK);
    assert_int_equal(raw(&wire, frame, size, answer, &answer_size), HK_OK);
    assert_int_equal(hint_in(answer, answer_size), HK_TOO_OLD);
    assert_int_equal(wire.service.executed, 1);
    wire_close(&wire);
}

static void frames_out_of_order_are_all_answered_once(void **state)
{
    struct wire wire;
    uint8_t frames[8][256], answer[HK_FRAME_MAX], text[64];
    uint64_t counters[8];
    size_t sizes[8], size, text_size;
    static const int order[] = {7, 0, 3, 1, 6, 2, 5, 4, 3, 7};
    (void)state;
    wire_open(&wire);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(
            hk_session_seal_request(&wire.session, "abc", 3, frames[i], 256, &sizes[i], &counters[i]), HK_OK);
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct hk_frame frame;
        int n = order[i];
        assert_int_equal(raw(&wire, frames[n], sizes[n], answer, &size), HK_OK);
        assert_int_equal(hk_frame_parse(&frame, answer, size), HK_OK);
        assert_int_equal(
            hk_session_open_answer(&wire.session, &frame, counters[n], text, sizeof(text), &text_size),
            i < 8 ? HK_OK : HK_TOO_OLD);
    }
    assert_int_equal(wire.service.executed, 8);
    wire_close(&wire);
}

static void frame_with_any_byte_changed_is_refused_and_moves_nothing(void **state)
{
    struct wire wire;
    uint8_t frame[HK_FRAME_MAX], answer[HK_FRAME_MAX];
    size_t answer_size;
    uint64_t counter;
    (void)state;
    wire_open(&wire);
    size_t size = wire_seal(&wire, "hello", frame, &counter);
    struct hk_endpoint *endpoint;
    assert_int_equal(hk_endpoint_new(&endpoint, wire.service.url), HK_OK);
    for (size_t i = 0; i < size; i++) {
        frame[i] ^= 1;
        assert_int_equal(hk_endpoint_call(endpoint, frame, size, answer, sizeof(answer), &answer_size, 1000),
                         HK_OK);
        assert_int_not_equal(hint_in(answer, answer_size), HK_OK);
        frame[i] ^= 1;
    }
    assert_int_equal(wire.service.executed, 0);
    assert_int_equal(hk_endpoint_call(endpoint, frame, size, answer, sizeof(answer), &answer_size, 1000),
                     HK_OK);
    assert_int_equal(hint_in(answer, answer_size), HK_OK);
    assert_int_equal(wire.service.executed, 1);
    hk_endpoint_free(endpoint);
    wire_close(&wire);
}

static void first_message_replayed_executes_nothing(void **state)
{
    struct wire wire;
    uint8_t frame[HK_FRAME_MAX], answer[HK_FRAME_MAX];
    size_t answer_size;
    uint64_t counter;
    struct hk_session_counts counts;
    (void)state;
    wire_open(&wire);
    size_t size = wire_seal(&wire, "hello", frame, &counter);
    assert_int_equal(raw(&wire, frame, size, answer, &answer_size), HK_OK);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(raw(&wire, wire.hello, wire.hello_size, answer, &answer_size), HK_OK);
        struct hk_frame parsed;
        assert_int_equal(hk_frame_parse(&parsed, answer, answer_size), HK_OK);
        /* The captured request, put under the new session's id. */
        memcpy(frame + 2, parsed.session, HK_SESSION_ID_BYTES);
        assert_int_equal(raw(&wire, frame, size, answer, &answer_size), HK_OK);
        assert_int_equal(hint_in(answer, answer_size), HK_AUTH);
    }
    assert_int_equal(wire.service.executed, 1);
    hk_session_table_count(wire.service.table, &counts);
    assert_int_equal(counts.sessions, 1); /* unconfirmed ones close nothing */
    assert_true(counts.unconfirmed <= 8);
    wire_close(&wire);
}

static void service_with_another_key_is_refused_by_the_device(void **state)
{
    struct echo_service service;
    struct echo_device device;
    struct hk_secret32 other;
    uint8_t other_public[32];
    (void)state;
    echo_start(&service, TCP);
    hk_noise_keypair(&other, other_public);
    hk_noise_keypair(&device.static_key, device.static_public);
    assert_int_equal(hk_endpoint_new(&device.endpoint, service.url), HK_OK);
    /* The service cannot read a first message for another key, and says so. */
    assert_int_equal(
        hk_channel_open(&device.channel, device.endpoint, &device.static_key, NULL, other_public, 0),
        HK_AUTH);
    assert_int_equal(service.admitted, 0);
    hk_endpoint_free(device.endpoint);
    echo_stop(&service);
}

static void unknown_device_is_turned_away_at_the_handshake(void **state)
{
    struct echo_service service;
    struct echo_device device;
    struct hk_session_counts counts;
    (void)state;
    echo_start(&service, TCP);
    hk_noise_keypair(&device.static_key, device.static_public);
    memcpy(service.unknown, device.static_public, 32);
    assert_int_equal(hk_endpoint_new(&device.endpoint, service.url), HK_OK);
    assert_int_equal(
        hk_channel_open(&device.channel, device.endpoint, &device.static_key, NULL, service.static_public, 0),
        HK_UNKNOWN_DEVICE);
    hk_session_table_count(service.table, &counts);
    assert_int_equal(counts.unconfirmed + counts.sessions, 0);
    hk_endpoint_free(device.endpoint);
    echo_stop(&service);
}

static void answer_to_another_request_is_refused(void **state)
{
    struct wire wire;
    uint8_t one[HK_FRAME_MAX], two[HK_FRAME_MAX], text[64];
    size_t size, text_size;
    uint64_t first, second;
    struct hk_frame frame;
    (void)state;
    wire_open(&wire);
    size_t one_size = wire_seal(&wire, "one", one, &first);
    (void)wire_seal(&wire, "two", two, &second);
    assert_int_equal(raw(&wire, one, one_size, one, &size), HK_OK);
    assert_int_equal(hk_frame_parse(&frame, one, size), HK_OK);
    assert_int_equal(hk_session_open_answer(&wire.session, &frame, second, text, sizeof(text), &text_size),
                     HK_BAD_PEER);
    wire_close(&wire);
}

static void garbage_gets_a_hint_and_the_service_goes_on(void **state)
{
    struct wire wire;
    uint8_t frame[HK_FRAME_MAX], answer[HK_FRAME_MAX];
    size_t answer_size;
    uint64_t counter;
    (void)state;
    wire_open(&wire);
    for (size_t size = 1; size <= 4096; size *= 4) {
        hk_random(frame, size);
        frame[0] = size % 8 < 4 ? HK_FRAME_VERSION : frame[0];
        assert_int_equal(raw(&wire, frame, size, answer, &answer_size), HK_OK);
        assert_int_not_equal(hint_in(answer, answer_size), HK_OK);
    }
    size_t size = wire_seal(&wire, "hello", frame, &counter);
    assert_int_equal(raw(&wire, frame, size, answer, &answer_size), HK_OK);
    assert_int_equal(hint_in(answer, answer_size), HK_OK);
    wire_close(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_frame_gets_the_same_bytes_and_is_executed_once),
        cmocka_unit_test(repeat_of_an_answer_that_is_never_kept_is_too_old),
        cmocka_unit_test(frames_out_of_order_are_all_answered_once),
        cmocka_unit_test(frame_with_any_byte_changed_is_refused_and_moves_nothing),
        cmocka_unit_test(first_message_replayed_executes_nothing),
        cmocka_unit_test(service_with_another_key_is_refused_by_the_device),
        cmocka_unit_test(unknown_device_is_turned_away_at_the_handshake),
        cmocka_unit_test(answer_to_another_request_is_refused),
        cmocka_unit_test(garbage_gets_a_hint_and_the_service_goes_on),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

/* Device and service over real nng: handshakes, many requests at once, and what a network or an attacker
 * does. */
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
#include "tests/support/echo_service.h"

#define TCP "tcp://127.0.0.1:0"

struct device {
    struct hk_secret32 static_key;
    uint8_t static_public[32];
    struct hk_endpoint *endpoint;
    struct hk_channel *channel;
};

static void device_open(struct device *device, const struct echo_service *service)
{
    hk_noise_keypair(&device->static_key, device->static_public);
    assert_int_equal(hk_endpoint_new(&device->endpoint, service->url), HK_OK);
    assert_int_equal(hk_channel_open(&device->channel, device->endpoint, &device->static_key,
                                     device->static_public, service->static_public, 0),
                     HK_OK);
}

static void device_close(struct device *device)
{
    hk_channel_free(device->channel);
    hk_endpoint_free(device->endpoint);
}

static enum hk_error call(struct hk_channel *channel, const char *text)
{
    uint8_t *answer = malloc(HK_PLAINTEXT_MAX);
    size_t size;
    assert_non_null(answer);
    enum hk_error error = hk_channel_call(channel, text, strlen(text), answer, HK_PLAINTEXT_MAX, &size, 5000);
    if (error == HK_OK) {
        assert_int_equal(size, strlen(text));
        assert_memory_equal(answer, text, size);
    }
    free(answer);
    return error;
}

static void device_and_service_talk_over_tcp(void **state)
{
    struct echo_service service;
    struct device device;
    (void)state;
    echo_start(&service, TCP);
    device_open(&device, &service);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(call(device.channel, "hello"), HK_OK);
    }
    assert_int_equal(service.executed, 100);
    device_close(&device);
    echo_stop(&service);
}

static void device_and_service_talk_over_ipc_and_only_the_owner_may_connect(void **state)
{
    struct echo_service service;
    struct device device;
    struct stat info;
    char path[64], url[80];
    (void)state;
    snprintf(path, sizeof(path), "/tmp/halfkey-test-%d.sock", (int)getpid());
    snprintf(url, sizeof(url), "ipc://%s", path);
    echo_start(&service, url);
    assert_string_equal(service.url, url);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    device_open(&device, &service);
    assert_int_equal(call(device.channel, "hello"), HK_OK);
    device_close(&device);
    echo_stop(&service);
    unlink(path);
}

static void stranger_talks_over_nk_and_is_never_asked_for(void **state)
{
    struct echo_service service;
    struct hk_endpoint *endpoint;
    struct hk_channel *channel;
    struct hk_session_counts counts;
    (void)state;
    echo_start(&service, TCP);
    assert_int_equal(hk_endpoint_new(&endpoint, service.url), HK_OK);
    assert_int_equal(hk_channel_open(&channel, endpoint, NULL, NULL, service.static_public, 0), HK_OK);
    assert_int_equal(call(channel, "hello"), HK_OK);
    assert_int_equal(service.admitted, 0);
    hk_session_table_count(service.table, &counts);
    assert_int_equal(counts.strangers, 1);
    assert_int_equal(counts.sessions, 0);
    hk_channel_free(channel);
    hk_endpoint_free(endpoint);
    echo_stop(&service);
}

static void largest_message_passes_and_a_larger_one_is_refused(void **state)
{
    struct echo_service service;
    struct device device;
    uint8_t *buffer = calloc(1, HK_PLAINTEXT_MAX + 1);
    size_t size;
    (void)state;
    assert_non_null(buffer);
    echo_start(&service, TCP);
    device_open(&device, &service);
    buffer[0] = ' ';
    assert_int_equal(
        hk_channel_call(device.channel, buffer, HK_PLAINTEXT_MAX, buffer, HK_PLAINTEXT_MAX, &size, 0), HK_OK);
    assert_int_equal(size, HK_PLAINTEXT_MAX);
    assert_int_equal(
        hk_channel_call(device.channel, buffer, HK_PLAINTEXT_MAX + 1, buffer, HK_PLAINTEXT_MAX, &size, 0),
        HK_TOO_LARGE);
    assert_int_equal(hk_channel_call(device.channel, "L", 1, buffer, HK_PLAINTEXT_MAX, &size, 0), HK_OK);
    assert_int_equal(size, HK_PLAINTEXT_MAX);
    assert_int_equal(call(device.channel, "still there"), HK_OK);
    device_close(&device);
    echo_stop(&service);
    free(buffer);
}

struct caller {
    pthread_t thread;
    struct hk_channel *channel;
    const char *text;
    int rounds, good;
};

static void *call_often(void *argument)
{
    struct caller *caller = argument;
    uint8_t answer[64];
    size_t size;
    for (int i = 0; i < caller->rounds; i++) {
        if (hk_channel_call(caller->channel, caller->text, strlen(caller->text), answer, sizeof(answer),
                            &size, 10000) == HK_OK &&
            size == strlen(caller->text) && memcmp(answer, caller->text, size) == 0) {
            caller->good++;
        }
    }
    return NULL;
}

static void many_requests_are_under_way_at_once_in_one_session(void **state)
{
    struct echo_service service;
    struct device device;
    struct caller callers[32];
    struct timespec before, after;
    (void)state;
    echo_start(&service, TCP);
    device_open(&device, &service);
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (size_t i = 0; i < 32; i++) {
        callers[i] =
            (struct caller){.channel = device.channel, .text = i % 2 ? "S slow" : "quick", .rounds = 10};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
    }
    for (size_t i = 0; i < 32; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].good, 10);
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    /* One after the other the slow ones alone would need 4.8 s. */
    assert_true(after.tv_sec - before.tv_sec < 4);
    assert_int_equal(service.executed, 320);
    device_close(&device);
    echo_stop(&service);
}

/* ---- what an attacker or a bad network does ---- */
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
    struct device device;
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
    struct device device;
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

/* ---- connections that fail ---- */
static void dead_host_is_unreachable_at_once(void **state)
{
    struct hk_endpoint *endpoint;
    uint8_t answer[64];
    size_t size;
    struct timespec before, after;
    (void)state;
    assert_int_equal(hk_endpoint_new(&endpoint, "tcp://127.0.0.1:1"), HK_OK);
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(hk_endpoint_call(endpoint, "x", 1, answer, sizeof(answer), &size, 5000), HK_UNREACHABLE);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 3);
    hk_endpoint_free(endpoint);
}

static void answer_that_never_comes_is_a_timeout(void **state)
{
    struct echo_service service;
    struct device device;
    uint8_t answer[64];
    size_t size;
    (void)state;
    echo_start(&service, TCP);
    device_open(&device, &service);
    assert_int_equal(hk_channel_call(device.channel, "D", 1, answer, sizeof(answer), &size, 200), HK_TIMEOUT);
    assert_int_equal(call(device.channel, "next"), HK_OK);
    device_close(&device);
    echo_stop(&service);
}

/* The seam closes it between the sending and the wait for the answer. */
static void request_whose_connection_was_lost_is_not_sent_again(void **state)
{
    struct echo_service service;
    struct device device;
    (void)state;
    echo_start(&service, TCP);
    device_open(&device, &service);
    assert_int_equal(setenv("HK_CUT", "after:1", 1), 0);
    assert_int_equal(call(device.channel, "once"), HK_UNREACHABLE);
    assert_int_equal(unsetenv("HK_CUT"), 0);
    assert_int_equal(service.executed, 1);
    assert_int_equal(call(device.channel, "next"), HK_OK);
    device_close(&device);
    echo_stop(&service);
}

static void endpoint_closes_under_calls_that_wait(void **state)
{
    struct echo_service service;
    struct device device;
    struct caller callers[8];
    (void)state;
    echo_start(&service, TCP);
    device_open(&device, &service);
    for (size_t i = 0; i < 8; i++) {
        callers[i] = (struct caller){.channel = device.channel, .text = "D", .rounds = 1};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
    }
    while (service.executed < 8) {
        usleep(1000);
    }
    hk_endpoint_free(device.endpoint);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].good, 0);
    }
    hk_channel_free(device.channel);
    echo_stop(&service);
}

/* Accepts and closes at once, as a service does that dies while it starts. */
static void *close_what_comes(void *argument)
{
    int listener = *(int *)argument;
    for (int fd = accept(listener, NULL, NULL); fd >= 0; fd = accept(listener, NULL, NULL)) {
        close(fd);
    }
    return NULL;
}

static void endpoint_comes_back_after_a_service_that_closed_what_it_accepted(void **state)
{
    struct echo_service service;
    struct device device;
    char path[64], url[80];
    pthread_t thread;
    struct timespec before, after;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    snprintf(path, sizeof(path), "/tmp/halfkey-test-%d.socket", (int)getpid());
    snprintf(url, sizeof(url), "ipc://%s", path);
    for (int i = 0; i < 5; i++) {
        echo_start(&service, url);
        device_open(&device, &service);
        echo_stop(&service);
        unlink(path);
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        memcpy(address.sun_path, path, strlen(path) + 1);
        assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(listener, 16), 0);
        assert_int_equal(pthread_create(&thread, NULL, close_what_comes, &listener), 0);
        usleep(200000);
        shutdown(listener, SHUT_RDWR);
        pthread_join(thread, NULL);
        close(listener);
        unlink(path);
        echo_start(&service, url);
        hk_channel_free(device.channel);
        clock_gettime(CLOCK_MONOTONIC, &before);
        assert_int_equal(hk_channel_open(&device.channel, device.endpoint, &device.static_key,
                                         device.static_public, service.static_public, 5000),
                         HK_OK);
        clock_gettime(CLOCK_MONOTONIC, &after);
        assert_in_range(after.tv_sec - before.tv_sec, 0, 4);
        device_close(&device);
        echo_stop(&service);
    }
}

static void service_that_stops_still_answers_what_it_accepted(void **state)
{
    struct echo_service service;
    struct device device;
    struct caller caller;
    (void)state;
    echo_start(&service, TCP);
    device_open(&device, &service);
    caller = (struct caller){.channel = device.channel, .text = "H", .rounds = 1};
    assert_int_equal(pthread_create(&caller.thread, NULL, call_often, &caller), 0);
    while (service.executed < 1) {
        usleep(1000);
    }
    assert_int_equal(hk_listener_stop(service.listener, 50), HK_TIMEOUT);
    echo_stop(&service); /* answers it */
    pthread_join(caller.thread, NULL);
    assert_int_equal(caller.good, 1);
    uint8_t answer[64];
    size_t size;
    assert_int_equal(hk_channel_call(device.channel, "x", 1, answer, sizeof(answer), &size, 300),
                     HK_UNREACHABLE);
    device_close(&device);
}

static void connections_of_a_device_are_closed_with_it(void **state)
{
    struct echo_service service;
    struct device device, other;
    struct caller caller;
    (void)state;
    echo_start(&service, TCP);
    device_open(&device, &service);
    device_open(&other, &service);
    assert_int_equal(call(device.channel, "hello"), HK_OK);
    assert_int_equal(call(other.channel, "hello"), HK_OK);
    caller = (struct caller){.channel = device.channel, .text = "H", .rounds = 1};
    assert_int_equal(pthread_create(&caller.thread, NULL, call_often, &caller), 0);
    while (service.executed < 3) {
        usleep(1000);
    }
    assert_int_equal(hk_session_table_close_device(service.table, device.static_public, NULL), 1);
    hk_listener_close_marked(service.listener, device.static_public);
    echo_release(&service);
    pthread_join(caller.thread, NULL);
    assert_int_equal(caller.good, 0);
    enum hk_error error = call(device.channel, "hello");
    if (error == HK_UNREACHABLE) { /* it had not yet seen that its connection was closed */
        error = call(device.channel, "hello");
    }
    assert_int_equal(error, HK_NOT_FOUND);
    assert_int_equal(call(other.channel, "hello"), HK_OK);
    device_close(&device);
    device_close(&other);
    echo_stop(&service);
}

static void fifth_session_of_a_device_closes_the_oldest(void **state)
{
    struct echo_service service;
    struct device device;
    struct hk_channel *channels[5];
    struct hk_session_counts counts;
    (void)state;
    echo_start(&service, TCP);
    device_open(&device, &service);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(hk_channel_open(&channels[i], device.endpoint, &device.static_key,
                                         device.static_public, service.static_public, 0),
                         HK_OK);
        assert_int_equal(call(channels[i], "hello"), HK_OK);
    }
    hk_session_table_count(service.table, &counts);
    assert_int_equal(counts.sessions, 4);
    assert_int_equal(counts.devices, 1);
    assert_int_equal(call(channels[0], "hello"), HK_NOT_FOUND);
    for (int i = 0; i < 5; i++) {
        if (i != 0) {
            assert_int_equal(call(channels[i], "hello"), HK_OK);
        }
        hk_channel_free(channels[i]);
    }
    device_close(&device);
    echo_stop(&service);
}

static void address_that_is_turned_away_cannot_connect(void **state)
{
    struct echo_service service;
    struct device device;
    uint8_t answer[64];
    size_t size;
    (void)state;
    echo_start(&service, TCP);
    service.refuse_connections = true;
    assert_int_equal(hk_endpoint_new(&device.endpoint, service.url), HK_OK);
    assert_int_not_equal(hk_endpoint_call(device.endpoint, "x", 1, answer, sizeof(answer), &size, 300),
                         HK_OK);
    hk_endpoint_free(device.endpoint);
    echo_stop(&service);
}

static void port_that_is_taken_is_refused_with_a_reason(void **state)
{
    struct echo_service service;
    const char *reason = NULL;
    (void)state;
    echo_start(&service, TCP);
    struct hk_listener *second;
    const char *url = service.url;
    struct hk_listener_setup setup = {.urls = &url, .url_count = 1};
    assert_int_equal(hk_listener_new(&second, &setup, &reason), HK_IO);
    assert_non_null(reason);
    echo_stop(&service);
}

static void star_listens_where_it_can(void **state)
{
    struct echo_service service;
    char url[64];
    struct hk_endpoint *endpoint;
    struct hk_channel *channel;
    (void)state;
    echo_start(&service, "tcp://*:0");
    snprintf(url, sizeof(url), "tcp://127.0.0.1%s", strrchr(service.url, ':'));
    assert_int_equal(hk_endpoint_new(&endpoint, url), HK_OK);
    assert_int_equal(hk_channel_open(&channel, endpoint, NULL, NULL, service.static_public, 0), HK_OK);
    assert_int_equal(call(channel, "hello"), HK_OK);
    hk_channel_free(channel);
    hk_endpoint_free(endpoint);
    echo_stop(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_and_service_talk_over_tcp),
        cmocka_unit_test(device_and_service_talk_over_ipc_and_only_the_owner_may_connect),
        cmocka_unit_test(stranger_talks_over_nk_and_is_never_asked_for),
        cmocka_unit_test(largest_message_passes_and_a_larger_one_is_refused),
        cmocka_unit_test(many_requests_are_under_way_at_once_in_one_session),
        cmocka_unit_test(repeated_frame_gets_the_same_bytes_and_is_executed_once),
        cmocka_unit_test(repeat_of_an_answer_that_is_never_kept_is_too_old),
        cmocka_unit_test(frames_out_of_order_are_all_answered_once),
        cmocka_unit_test(frame_with_any_byte_changed_is_refused_and_moves_nothing),
        cmocka_unit_test(first_message_replayed_executes_nothing),
        cmocka_unit_test(service_with_another_key_is_refused_by_the_device),
        cmocka_unit_test(unknown_device_is_turned_away_at_the_handshake),
        cmocka_unit_test(answer_to_another_request_is_refused),
        cmocka_unit_test(garbage_gets_a_hint_and_the_service_goes_on),
        cmocka_unit_test(dead_host_is_unreachable_at_once),
        cmocka_unit_test(answer_that_never_comes_is_a_timeout),
        cmocka_unit_test(request_whose_connection_was_lost_is_not_sent_again),
        cmocka_unit_test(endpoint_closes_under_calls_that_wait),
        cmocka_unit_test(endpoint_comes_back_after_a_service_that_closed_what_it_accepted),
        cmocka_unit_test(service_that_stops_still_answers_what_it_accepted),
        cmocka_unit_test(connections_of_a_device_are_closed_with_it),
        cmocka_unit_test(fifth_session_of_a_device_closes_the_oldest),
        cmocka_unit_test(address_that_is_turned_away_cannot_connect),
        cmocka_unit_test(port_that_is_taken_is_refused_with_a_reason),
        cmocka_unit_test(star_listens_where_it_can),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

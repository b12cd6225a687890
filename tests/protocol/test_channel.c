/* Device and service over real nng: handshakes, and many requests at once. */
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

static void device_and_service_talk_over_tcp(void **state)
{
    struct echo_service service;
    struct echo_device device;
    (void)state;
    echo_start(&service, TCP);
    echo_device_open(&device, &service);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(echo_call(device.channel, "hello"), HK_OK);
    }
    assert_int_equal(service.executed, 100);
    echo_device_close(&device);
    echo_stop(&service);
}

static void device_and_service_talk_over_ipc_and_only_the_owner_may_connect(void **state)
{
    struct echo_service service;
    struct echo_device device;
    struct stat info;
    char path[64], url[80];
    (void)state;
    snprintf(path, sizeof(path), "/tmp/halfkey-test-%d.sock", (int)getpid());
    snprintf(url, sizeof(url), "ipc://%s", path);
    echo_start(&service, url);
    assert_string_equal(service.url, url);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    echo_device_open(&device, &service);
    assert_int_equal(echo_call(device.channel, "hello"), HK_OK);
    echo_device_close(&device);
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
    assert_int_equal(echo_call(channel, "hello"), HK_OK);
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
    struct echo_device device;
    uint8_t *buffer = calloc(1, HK_PLAINTEXT_MAX + 1);
    size_t size;
    (void)state;
    assert_non_null(buffer);
    echo_start(&service, TCP);
    echo_device_open(&device, &service);
    buffer[0] = ' ';
    assert_int_equal(
        hk_channel_call(device.channel, buffer, HK_PLAINTEXT_MAX, buffer, HK_PLAINTEXT_MAX, &size, 0), HK_OK);
    assert_int_equal(size, HK_PLAINTEXT_MAX);
    assert_int_equal(
        hk_channel_call(device.channel, buffer, HK_PLAINTEXT_MAX + 1, buffer, HK_PLAINTEXT_MAX, &size, 0),
        HK_TOO_LARGE);
    assert_int_equal(hk_channel_call(device.channel, "L", 1, buffer, HK_PLAINTEXT_MAX, &size, 0), HK_OK);
    assert_int_equal(size, HK_PLAINTEXT_MAX);
    assert_int_equal(echo_call(device.channel, "still there"), HK_OK);
    echo_device_close(&device);
    echo_stop(&service);
    free(buffer);
}

static void many_requests_are_under_way_at_once_in_one_session(void **state)
{
    struct echo_service service;
    struct echo_device device;
    struct echo_caller callers[32];
    struct timespec before, after;
    (void)state;
    echo_start(&service, TCP);
    echo_device_open(&device, &service);
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (size_t i = 0; i < 32; i++) {
        callers[i] =
            (struct echo_caller){.channel = device.channel, .text = i % 2 ? "S slow" : "quick", .rounds = 10};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, echo_call_often, &callers[i]), 0);
    }
    for (size_t i = 0; i < 32; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].good, 10);
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    /* One after the other the slow ones alone would need 4.8 s. */
    assert_true(after.tv_sec - before.tv_sec < 4);
    assert_int_equal(service.executed, 320);
    echo_device_close(&device);
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
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

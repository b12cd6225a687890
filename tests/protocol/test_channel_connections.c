/* Connections between a device and a service over real nng that fail, end, or are not let in. */
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
    struct echo_device device;
    uint8_t answer[64];
    size_t size;
    (void)state;
    echo_start(&service, TCP);
    echo_device_open(&device, &service);
    assert_int_equal(hk_channel_call(device.channel, "D", 1, answer, sizeof(answer), &size, 200), HK_TIMEOUT);
    assert_int_equal(echo_call(device.channel, "next"), HK_OK);
    echo_device_close(&device);
    echo_stop(&service);
}

/* The seam closes it between the sending and the wait for the answer. */
static void request_whose_connection_was_lost_is_not_sent_again(void **state)
{
    struct echo_service service;
    struct echo_device device;
    (void)state;
    echo_start(&service, TCP);
    echo_device_open(&device, &service);
    assert_int_equal(setenv("HK_CUT", "after:1", 1), 0);
    assert_int_equal(echo_call(device.channel, "once"), HK_UNREACHABLE);
    assert_int_equal(unsetenv("HK_CUT"), 0);
    assert_int_equal(service.executed, 1);
    assert_int_equal(echo_call(device.channel, "next"), HK_OK);
    echo_device_close(&device);
    echo_stop(&service);
}

static void endpoint_closes_under_calls_that_wait(void **state)
{
    struct echo_service service;
    struct echo_device device;
    struct echo_caller callers[8];
    (void)state;
    echo_start(&service, TCP);
    echo_device_open(&device, &service);
    for (size_t i = 0; i < 8; i++) {
        callers[i] = (struct echo_caller){.channel = device.channel, .text = "D", .rounds = 1};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, echo_call_often, &callers[i]), 0);
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
    struct echo_device device;
    char path[64], url[80];
    pthread_t thread;
    struct timespec before, after;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    snprintf(path, sizeof(path), "/tmp/halfkey-test-%d.socket", (int)getpid());
    snprintf(url, sizeof(url), "ipc://%s", path);
    for (int i = 0; i < 5; i++) {
        echo_start(&service, url);
        echo_device_open(&device, &service);
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
        echo_device_close(&device);
        echo_stop(&service);
    }
}

static void service_that_stops_still_answers_what_it_accepted(void **state)
{
    struct echo_service service;
    struct echo_device device;
    struct echo_caller caller;
    (void)state;
    echo_start(&service, TCP);
    echo_device_open(&device, &service);
    caller = (struct echo_caller){.channel = device.channel, .text = "H", .rounds = 1};
    assert_int_equal(pthread_create(&caller.thread, NULL, echo_call_often, &caller), 0);
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
    echo_device_close(&device);
}

static void connections_of_a_device_are_closed_with_it(void **state)
{
    struct echo_service service;
    struct echo_device device, other;
    struct echo_caller caller;
    (void)state;
    echo_start(&service, TCP);
    echo_device_open(&device, &service);
    echo_device_open(&other, &service);
    assert_int_equal(echo_call(device.channel, "hello"), HK_OK);
    assert_int_equal(echo_call(other.channel, "hello"), HK_OK);
    caller = (struct echo_caller){.channel = device.channel, .text = "H", .rounds = 1};
    assert_int_equal(pthread_create(&caller.thread, NULL, echo_call_often, &caller), 0);
    while (service.executed < 3) {
        usleep(1000);
    }
    assert_int_equal(hk_session_table_close_device(service.table, device.static_public, NULL), 1);
    hk_listener_close_marked(service.listener, device.static_public);
    echo_release(&service);
    pthread_join(caller.thread, NULL);
    assert_int_equal(caller.good, 0);
    enum hk_error error = echo_call(device.channel, "hello");
    if (error == HK_UNREACHABLE) { /* it had not yet seen that its connection was closed */
        error = echo_call(device.channel, "hello");
    }
    assert_int_equal(error, HK_NOT_FOUND);
    assert_int_equal(echo_call(other.channel, "hello"), HK_OK);
    echo_device_close(&device);
    echo_device_close(&other);
    echo_stop(&service);
}

static void fifth_session_of_a_device_closes_the_oldest(void **state)
{
    struct echo_service service;
    struct echo_device device;
    struct hk_channel *channels[5];
    struct hk_session_counts counts;
    (void)state;
    echo_start(&service, TCP);
    echo_device_open(&device, &service);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(hk_channel_open(&channels[i], device.endpoint, &device.static_key,
                                         device.static_public, service.static_public, 0),
                         HK_OK);
        assert_int_equal(echo_call(channels[i], "hello"), HK_OK);
    }
    hk_session_table_count(service.table, &counts);
    assert_int_equal(counts.sessions, 4);
    assert_int_equal(counts.devices, 1);
    assert_int_equal(echo_call(channels[0], "hello"), HK_NOT_FOUND);
    for (int i = 0; i < 5; i++) {
        if (i != 0) {
            assert_int_equal(echo_call(channels[i], "hello"), HK_OK);
        }
        hk_channel_free(channels[i]);
    }
    echo_device_close(&device);
    echo_stop(&service);
}

static void address_that_is_turned_away_cannot_connect(void **state)
{
    struct echo_service service;
    struct echo_device device;
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
    assert_int_equal(echo_call(channel, "hello"), HK_OK);
    hk_channel_free(channel);
    hk_endpoint_free(endpoint);
    echo_stop(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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

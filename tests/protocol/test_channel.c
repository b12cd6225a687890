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
#include <sys/stat.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_and_service_talk_over_tcp),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/support/echo_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void echo_device_open(struct echo_device *device, const struct echo_service *service)
{
    hk_noise_keypair(&device->static_key, device->static_public);
    assert_int_equal(hk_endpoint_new(&device->endpoint, service->url), HK_OK);
    assert_int_equal(hk_channel_open(&device->channel, device->endpoint, &device->static_key,
                                     device->static_public, service->static_public, 0),
                     HK_OK);
}

void echo_device_close(struct echo_device *device)
{
    hk_channel_free(device->channel);
    hk_endpoint_free(device->endpoint);
}

enum hk_error echo_call(struct hk_channel *channel, const char *text)
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

void *echo_call_often(void *argument)
{
    struct echo_caller *caller = argument;
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

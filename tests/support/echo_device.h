/* echo_device.h - a device that talks to the echo service of echo_service.h. */
#ifndef HALFKEY_TESTS_ECHO_DEVICE_H
#define HALFKEY_TESTS_ECHO_DEVICE_H

#include <pthread.h>

#include "protocol/channel.h"
#include "tests/support/echo_service.h"

struct echo_device {
    struct hk_secret32 static_key;
    uint8_t static_public[32];
    struct hk_endpoint *endpoint;
    struct hk_channel *channel;
};

/* A new key, a connection and an open channel. */
void echo_device_open(struct echo_device *device, const struct echo_service *service);
void echo_device_close(struct echo_device *device);

/* Sends the text and wants it back. */
enum hk_error echo_call(struct hk_channel *channel, const char *text);

/* For a thread of its own (echo_call_often): `rounds` times; `good` counts what came back as it was sent. */
struct echo_caller {
    pthread_t thread;
    struct hk_channel *channel;
    const char *text;
    int rounds, good;
};
void *echo_call_often(void *caller);

#endif

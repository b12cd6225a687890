/* client_parts.h - the inside of a client, for device/client*.c alone. */
#ifndef HALFKEY_DEVICE_CLIENT_PARTS_H
#define HALFKEY_DEVICE_CLIENT_PARTS_H

#include <pthread.h>

#include "device/client.h"

#define HK_CLIENT_REVOCATIONS 64
#define HK_CLIENT_CHECK_SECONDS 60

struct hk_link {
    struct hk_client *client;
    struct hk_channel *channel;
    unsigned references; /* under the client's lock */
    bool is_stranger;
    bool is_over;  /* not to be given to anybody else */
    bool has_sent; /* its first request is through */
};

/* In memory from hk_secret_new. */
struct hk_client {
    struct hk_address address;
    struct hk_endpoint *endpoint;
    int timeout_ms;

    pthread_mutex_t lock;
    struct hk_client_identity identity;
    bool has_identity, enrolling;
    struct hk_link *current;
    size_t revocation_count;
    struct hk_bytes revocations[HK_CLIENT_REVOCATIONS]; /* allocated */
    bool has_report;
    uint8_t report[HK_REPORT_BYTES];
    uint64_t warning;
    struct hk_exchange *spare;
    size_t own_count;
    struct hk_log_own own[HK_CLIENT_OWN_MAX];

    pthread_mutex_t opening; /* one thread opens the session and runs the hook */
    hk_client_hook hook;
    void *hook_argument;
    bool in_hook, must_check;
    pthread_t hook_thread;
    uint64_t last_check; /* hk_seconds_awake */
};

/* Under the client's lock: a use of a key goes out, and its answer is here or will not come. */
void hk_client_own_sent(struct hk_client *client, const uint8_t digest[32]);
void hk_client_own_ended(struct hk_client *client, const uint8_t digest[32], bool answered);

/* CLOCK_BOOTTIME in ms. */
uint64_t hk_client_clock(void) HK_CHECK;

#endif

/* A device's client of the service, against the real one: sessions that end unseen, what is tried again and
 * what is not, the look at the log before requests, and what is remembered of them. */
#include "device/client.h"
#include "device/log_check.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/client.h"

static struct hk_test_service service;
static struct hk_test_device device;
static struct hk_client *client;
static unsigned looks;
static enum hk_error look_says;

/* The hook: what it asks itself calls no hook. */
static enum hk_error look(void *argument, struct hk_client *of)
{
    struct hk_exchange *exchange;
    assert_ptr_equal(argument, &looks);
    looks++;
    assert_int_equal(hk_exchange_new(&exchange, of), HK_OK);
    hk_exchange_start(exchange, HK_OP_LOG_HEAD);
    enum hk_error error = hk_client_call(of, exchange);
    hk_exchange_free(of, exchange);
    return error != HK_OK ? error : look_says;
}

static void identify(uint64_t epoch)
{
    struct hk_client_identity identity = {.static_key = device.static_key, .epoch = epoch};
    memcpy(identity.account, device.account, HK_ACCOUNT_BYTES);
    memcpy(identity.serial, device.serial, HK_ID_BYTES);
    memcpy(identity.static_public, device.static_public, 32);
    memcpy(identity.tag, device.tag, HK_TAG_BYTES);
    hk_client_set_identity(client, &identity, false);
}

static int set_up(void **state)
{
    (void)state;
    const char *reason = "";
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_device_init(&device, &service);
    assert_int_equal(hk_test_init(&device), HK_OK);
    assert_int_equal(hk_client_new(&client, service.line, 3000, &reason), HK_OK);
    identify(device.epoch);
    looks = 0;
    look_says = HK_OK;
    hk_client_set_hook(client, look, &looks);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_client_free(client);
    hk_test_device_end(&device);
    hk_test_service_end(&service);
    return 0;
}

static enum hk_error ask(enum hk_op op)
{
    struct hk_exchange *exchange;
    assert_int_equal(hk_exchange_new(&exchange, client), HK_OK);
    hk_exchange_start(exchange, op);
    if (op == HK_OP_HAND_ASK) {
        hk_message_set_bytes(&exchange->request, HK_F_DEVICE, device.serial, HK_ID_BYTES);
    }
    enum hk_error error = hk_client_call(client, exchange);
    if (error == HK_OK && op == HK_OP_STATUS) {
        assert_int_equal(exchange->answer.value[HK_F_ROWS].count, 1);
    }
    hk_exchange_free(client, exchange);
    return error;
}

static void an_address_that_is_none_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct hk_client *none = NULL;
    const char *reason = NULL;
    assert_int_equal(hk_client_new(&none, "halfkey://short@host:1", 0, &reason), HK_BAD_ENCODING);
    assert_non_null(reason);
    assert_null(none);
}

static void what_the_service_says_comes_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(ask(HK_OP_STATUS), HK_OK);
    assert_int_equal(ask(HK_OP_HAND_ASK), HK_UNKNOWN_DEVICE); /* it is the device itself */
    identify(device.epoch + 1);
    assert_int_equal(ask(HK_OP_STATUS), HK_ROLLED_BACK);
    identify(device.epoch);
    assert_int_equal(ask(HK_OP_STATUS), HK_OK);
    device.tag[0] ^= 1;
    identify(device.epoch);
    assert_int_equal(ask(HK_OP_STATUS), HK_STALE_EPOCH);
    device.tag[0] ^= 1;
}

static void the_log_is_looked_at_once_for_each_session(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask(HK_OP_STATUS), HK_OK);
    }
    assert_int_equal(looks, 1);
    hk_client_close_sessions(client);
    assert_int_equal(ask(HK_OP_STATUS), HK_OK);
    assert_int_equal(looks, 2);
    assert_int_equal(hk_client_check_now(client), HK_OK);
    assert_int_equal(looks, 3);
}

static void a_look_that_finds_something_ends_the_request(void **state)
{
    (void)state;
    look_says = HK_LOG_FORKED;
    assert_int_equal(ask(HK_OP_STATUS), HK_LOG_FORKED);
    look_says = HK_OK;
    assert_int_equal(ask(HK_OP_STATUS), HK_OK);
    assert_int_equal(looks, 2); /* the first one did not count */
}

static void a_service_that_was_restarted_makes_no_difference(void **state)
{
    (void)state;
    assert_int_equal(ask(HK_OP_STATUS), HK_OK);
    for (int i = 0; i < 3; i++) {
        hk_test_service_kill(&service);
        hk_test_service_restart(&service);
        assert_int_equal(ask(HK_OP_STATUS), HK_OK);
    }
    assert_int_equal(looks, 4);
}

static void a_service_that_is_away_is_told_within_the_time_limit(void **state)
{
    (void)state;
    struct timespec before, after;
    assert_int_equal(ask(HK_OP_STATUS), HK_OK);
    hk_test_service_kill(&service);
    clock_gettime(CLOCK_MONOTONIC, &before);
    enum hk_error error = ask(HK_OP_STATUS);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(error == HK_UNREACHABLE || error == HK_TIMEOUT);
    assert_true(after.tv_sec - before.tv_sec <= 5);
    hk_test_service_restart(&service);
    assert_int_equal(ask(HK_OP_STATUS), HK_OK);
}

/* What must not be done twice is not sent again. */
static void a_link_is_one_session_and_one_try(void **state)
{
    (void)state;
    struct hk_link *link = NULL;
    struct hk_exchange *exchange;
    assert_int_equal(hk_link_open(&link, client), HK_OK);
    assert_int_equal(hk_exchange_new(&exchange, client), HK_OK);
    hk_exchange_start(exchange, HK_OP_STATUS);
    assert_int_equal(hk_link_call(link, exchange), HK_OK);
    hk_test_service_kill(&service);
    hk_test_service_restart(&service);
    hk_exchange_start(exchange, HK_OP_STATUS);
    assert_int_equal(hk_link_call(link, exchange), HK_AGAIN);
    hk_link_close(link);
    assert_int_equal(hk_link_open(&link, client), HK_OK);
    hk_exchange_start(exchange, HK_OP_STATUS);
    assert_int_equal(hk_link_call(link, exchange), HK_OK);
    hk_link_close(link);
    hk_exchange_free(client, exchange);
}

static void a_stranger_is_not_the_device(void **state)
{
    (void)state;
    struct hk_link *link = NULL;
    struct hk_exchange *exchange;
    assert_int_equal(hk_link_open_stranger(&link, client), HK_OK);
    assert_int_equal(hk_exchange_new(&exchange, client), HK_OK);
    hk_exchange_start(exchange, HK_OP_FETCH_PROFILE);
    hk_message_set_bytes(&exchange->request, HK_F_ACCOUNT, device.account, HK_ACCOUNT_BYTES);
    assert_int_equal(hk_link_call(link, exchange), HK_OK);
    hk_exchange_start(exchange, HK_OP_STATUS);
    assert_int_equal(hk_link_call(link, exchange), HK_NOT_ALLOWED);
    hk_link_close(link);
    hk_exchange_free(client, exchange);
}

/* Their leaves are asked for when a head is verified; of what was refused nothing has to be there. */
static void uses_of_keys_are_remembered_and_nothing_else_is(void **state)
{
    (void)state;
    static struct hk_log_own own[8];
    struct hk_exchange *exchange;
    uint8_t point[32] = {0x58}, none[HK_ID_BYTES] = {0};
    memset(point + 1, 0x66, 31); /* the base point */
    assert_int_equal(hk_test_keygen(&device, HK_SUITE_X25519, "mail"), HK_OK);
    const uint8_t *keys[] = {none, device.key[device.key[0].suite->id == HK_SUITE_X25519 ? 0 : 1].id};
    assert_int_equal(ask(HK_OP_STATUS), HK_OK);
    assert_int_equal(hk_client_own(client, own, 8), 0);
    assert_int_equal(hk_exchange_new(&exchange, client), HK_OK);
    for (size_t i = 0; i < 2; i++) {
        hk_exchange_start(exchange, HK_OP_AGREE);
        hk_message_set_bytes(&exchange->request, HK_F_KEY, keys[i], HK_ID_BYTES);
        hk_message_set_array(&exchange->request, HK_F_POINTS, point, sizeof(point), 1);
        assert_int_equal(hk_client_call(client, exchange), i == 0 ? HK_UNKNOWN_KEY : HK_OK);
        assert_int_equal(hk_client_own(client, own, 8), i);
    }
    hk_exchange_free(client, exchange);
    hk_client_own_settle(client, own, 1);
    assert_int_equal(hk_client_own(client, own, 8), 0);
}

static enum hk_error use(struct hk_link *link)
{
    struct hk_exchange *exchange;
    uint8_t point[32] = {0x58};
    memset(point + 1, 0x66, 31); /* the base point */
    const struct hk_test_key *key = &device.key[device.key[0].suite->id == HK_SUITE_X25519 ? 0 : 1];
    assert_int_equal(hk_exchange_new(&exchange, client), HK_OK);
    hk_exchange_start(exchange, HK_OP_AGREE);
    hk_message_set_bytes(&exchange->request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_array(&exchange->request, HK_F_POINTS, point, sizeof(point), 1);
    enum hk_error error = hk_link_call(link, exchange);
    hk_exchange_free(client, exchange);
    return error;
}

/* Another thread's, on a session that it had before: the head may show it, so a later one will not. */
static void a_use_that_is_sent_while_a_head_is_asked_for_is_looked_for_in_it(void **state)
{
    (void)state;
    static struct hk_log_own own[HK_CLIENT_OWN_MAX];
    struct hk_link *link;
    assert_int_equal(hk_test_keygen(&device, HK_SUITE_X25519, "mail"), HK_OK);
    assert_int_equal(hk_link_open(&link, client), HK_OK);
    assert_int_equal(use(link), HK_OK);
    size_t count = hk_client_own(client, own, HK_CLIENT_OWN_MAX);
    assert_int_equal(count, 1);
    assert_int_equal(use(link), HK_OK); /* and now the head comes */
    count = hk_client_own_later(client, own, count);
    assert_int_equal(count, 2);
    assert_true(own[0].answered); /* must be in it */
    assert_false(own[1].answered);
    own[0].found = own[1].found = true;
    hk_client_own_settle(client, own, count);
    assert_int_equal(hk_client_own(client, own, HK_CLIENT_OWN_MAX), 0);

    assert_int_equal(use(link), HK_OK); /* one that the head did not show waits for the next */
    count = hk_client_own_later(client, own, 0);
    assert_int_equal(count, 1);
    hk_client_own_settle(client, own, count);
    assert_int_equal(hk_client_own(client, own, HK_CLIENT_OWN_MAX), 1);
    assert_true(own[0].answered);
    hk_link_close(link);
}

static void *ask_often(void *argument)
{
    unsigned *failed = argument;
    for (int i = 0; i < 20; i++) {
        struct hk_exchange *exchange = NULL;
        if (hk_exchange_new(&exchange, client) != HK_OK) {
            ++*failed;
            continue;
        }
        hk_exchange_start(exchange, HK_OP_STATUS);
        *failed += hk_client_call(client, exchange) != HK_OK;
        hk_exchange_free(client, exchange);
        if (i == 10) {
            hk_client_close_sessions(client); /* under the others */
        }
    }
    return NULL;
}

static void many_threads_may_ask_at_once(void **state)
{
    (void)state;
    pthread_t threads[8];
    unsigned failed[8] = {0};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &failed[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(failed[i], 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_address_that_is_none_is_refused_with_a_reason),
        TEST(what_the_service_says_comes_as_it_is),
        TEST(the_log_is_looked_at_once_for_each_session),
        TEST(a_look_that_finds_something_ends_the_request),
        TEST(a_service_that_was_restarted_makes_no_difference),
        TEST(a_service_that_is_away_is_told_within_the_time_limit),
        TEST(a_link_is_one_session_and_one_try),
        TEST(a_stranger_is_not_the_device),
        TEST(uses_of_keys_are_remembered_and_nothing_else_is),
        TEST(a_use_that_is_sent_while_a_head_is_asked_for_is_looked_for_in_it),
        TEST(many_threads_may_ask_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

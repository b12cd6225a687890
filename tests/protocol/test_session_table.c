/* The table of a service's sessions, without a transport: floods, sweeps, sessions that are in use when they
 * end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/random.h"
#include "protocol/session_table.h"

#define MINUTE (UINT64_C(60) * 1000000000)

static struct hk_secret32 table_key;

static struct hk_session_table *table_new(size_t ring)
{
    struct hk_session_table *table;
    struct hk_session_table_setup setup = {
        .service = {.static_key = &table_key}, .unconfirmed = ring, .strangers = ring};
    hk_test_session_clock(0, 0);
    hk_noise_keypair(&table_key, setup.service.static_public);
    assert_int_equal(hk_session_table_new(&table, &setup), HK_OK);
    return table;
}

struct client {
    struct hk_session session;
    struct hk_session_keys keys;
};

static void client_open(struct client *client, struct hk_session_table *table, const struct hk_secret32 *key)
{
    uint8_t service_public[32], frame[HK_HANDSHAKE_BYTES_MAX], answer_frame[HK_HANDSHAKE_BYTES_MAX];
    struct hk_noise noise;
    struct hk_frame parsed;
    size_t size;
    hk_noise_public(service_public, &table_key);
    assert_int_equal(hk_session_begin(&noise, key, NULL, service_public, frame, &size), HK_OK);
    assert_int_equal(hk_frame_parse(&parsed, frame, size), HK_OK);
    assert_int_equal(hk_session_table_accept(table, &parsed, answer_frame, &size), HK_OK);
    assert_int_equal(hk_session_finish(&client->session, &client->keys, &noise, answer_frame, size), HK_OK);
}

static enum hk_error client_send(struct client *client, struct hk_session_table *table,
                                 struct hk_session **session)
{
    uint8_t frame[128], out[HK_FRAME_MAX];
    struct hk_frame parsed;
    enum hk_opened what;
    size_t size;
    uint64_t counter;
    assert_int_equal(hk_session_seal_request(&client->session, "a", 1, frame, sizeof(frame), &size, &counter),
                     HK_OK);
    assert_int_equal(hk_frame_parse(&parsed, frame, size), HK_OK);
    return hk_session_table_open(table, &parsed, session, &what, out, &size);
}

static void flood_of_handshakes_closes_no_confirmed_session(void **state)
{
    struct hk_session_table *table = table_new(4);
    struct client device, stranger, flood;
    struct hk_secret32 key;
    uint8_t public_key[32];
    struct hk_session *session;
    struct hk_session_counts counts;
    (void)state;
    hk_noise_keypair(&key, public_key);
    client_open(&device, table, &key);
    assert_int_equal(client_send(&device, table, &session), HK_OK);
    hk_session_table_release(table, session);
    client_open(&stranger, table, NULL);
    assert_int_equal(client_send(&stranger, table, &session), HK_OK);
    hk_session_table_release(table, session);
    for (int i = 0; i < 500; i++) {
        client_open(&flood, table, i % 2 ? &key : NULL);
    }
    hk_session_table_count(table, &counts);
    assert_int_equal(counts.unconfirmed, 4);
    assert_int_equal(client_send(&device, table, &session), HK_OK);
    hk_session_table_release(table, session);
    assert_int_equal(client_send(&stranger, table, &session), HK_OK);
    hk_session_table_release(table, session);
    /* Strangers push out strangers only. */
    for (int i = 0; i < 10; i++) {
        client_open(&flood, table, NULL);
        assert_int_equal(client_send(&flood, table, &session), HK_OK);
        hk_session_table_release(table, session);
    }
    assert_int_equal(client_send(&stranger, table, &session), HK_NOT_FOUND);
    assert_int_equal(client_send(&device, table, &session), HK_OK);
    hk_session_table_release(table, session);
    hk_session_table_free(table);
}

static void idle_handshakes_time_out_and_old_sessions_are_swept(void **state)
{
    struct hk_session_table *table = table_new(16);
    struct client idle, used;
    struct hk_secret32 key;
    uint8_t public_key[32];
    struct hk_session *session;
    struct hk_session_counts counts;
    (void)state;
    hk_noise_keypair(&key, public_key);
    client_open(&idle, table, &key);
    client_open(&used, table, &key);
    assert_int_equal(client_send(&used, table, &session), HK_OK);
    hk_session_table_release(table, session);
    hk_test_session_clock(MINUTE, 0);
    hk_session_table_sweep(table);
    hk_session_table_count(table, &counts);
    assert_int_equal(counts.unconfirmed, 0);
    assert_int_equal(counts.sessions, 1);
    hk_test_session_clock(60 * MINUTE, 0);
    hk_session_table_sweep(table);
    hk_session_table_count(table, &counts);
    assert_int_equal(counts.sessions + counts.devices, 0);
    hk_test_session_clock(0, 0);
    hk_session_table_free(table);
}

static unsigned users_freed;
static void user_free(void *user)
{
    users_freed += *(unsigned *)user;
}

static void session_in_use_outlives_its_end(void **state)
{
    struct hk_session_table *table;
    struct hk_session_table_setup setup = {.service = {.static_key = &table_key}, .user_free = user_free};
    struct client device;
    struct hk_secret32 key;
    uint8_t public_key[32], out[128];
    struct hk_session *session;
    size_t size;
    unsigned one = 1;
    (void)state;
    hk_noise_keypair(&table_key, setup.service.static_public);
    assert_int_equal(hk_session_table_new(&table, &setup), HK_OK);
    hk_noise_keypair(&key, public_key);
    client_open(&device, table, &key);
    assert_int_equal(client_send(&device, table, &session), HK_OK);
    session->user = &one;
    assert_int_equal(hk_session_table_close_device(table, public_key, session), 0);
    assert_int_equal(hk_session_table_close_device(table, public_key, NULL), 1);
    assert_int_equal(hk_session_seal_answer(session, 0, "a", 1, out, sizeof(out), &size), HK_NOT_FOUND);
    hk_session_table_close(table, session); /* twice is no harm */
    assert_int_equal(users_freed, 0);
    hk_session_table_release(table, session);
    assert_int_equal(users_freed, 1);
    hk_session_table_free(table);
}

static void table_holds_many_devices(void **state)
{
    struct hk_session_table *table = table_new(16);
    struct client *clients = calloc(600, sizeof(*clients));
    struct hk_session *session;
    struct hk_session_counts counts;
    struct hk_secret32 key;
    uint8_t public_key[32];
    (void)state;
    assert_non_null(clients);
    for (int i = 0; i < 600; i++) {
        hk_noise_keypair(&key, public_key);
        client_open(&clients[i], table, &key);
        assert_int_equal(client_send(&clients[i], table, &session), HK_OK);
        hk_session_table_release(table, session);
    }
    hk_session_table_count(table, &counts);
    assert_int_equal(counts.devices, 600);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(client_send(&clients[i], table, &session), HK_OK);
        hk_session_table_release(table, session);
    }
    hk_session_table_free(table);
    free(clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flood_of_handshakes_closes_no_confirmed_session),
        cmocka_unit_test(idle_handshakes_time_out_and_old_sessions_are_swept),
        cmocka_unit_test(session_in_use_outlives_its_end),
        cmocka_unit_test(table_holds_many_devices),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

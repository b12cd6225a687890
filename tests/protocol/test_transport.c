/* Our sockets and nng's own programs understand one another, and what is no message ends its connection. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/transport.h"
#include "tests/support/raw_peer.h"

#define ROUNDS 50

/* ---- a listener that gives back what it gets ---- */

static void echo(void *argument, struct hk_reply *reply, uint8_t *frame, size_t size)
{
    (void)argument;
    hk_reply_send(reply, frame, size);
}

static struct hk_listener *listen_at(const char *url, size_t contexts)
{
    struct hk_listener *listener;
    const char *reason = NULL;
    struct hk_listener_setup setup = {.urls = &url, .url_count = 1, .contexts = contexts, .request = echo};
    if (hk_listener_new(&listener, &setup, &reason) != HK_OK) {
        fail_msg("%s: %s", url, reason);
    }
    return listener;
}

static void end(struct hk_listener *listener)
{
    assert_int_equal(hk_listener_stop(listener, 5000), HK_OK);
    hk_listener_free(listener);
}

/* ---- nng's own REQ against it ---- */

static void nng_asks(const char *url)
{
    nng_socket socket;
    assert_int_equal(nng_req0_open(&socket), 0);
    assert_int_equal(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 5000), 0);
    assert_int_equal(nng_dial(socket, url, NULL, 0), 0);
    for (size_t size = 0; size < 60000; size = size * 3 + 1) {
        static uint8_t sent[60000], got[60000];
        size_t got_size = sizeof(got);
        randombytes_buf(sent, size);
        assert_int_equal(nng_send(socket, sent, size, 0), 0);
        assert_int_equal(nng_recv(socket, got, &got_size, 0), 0);
        assert_int_equal(got_size, size);
        assert_memory_equal(got, sent, size);
    }
    nng_close(socket);
}

static void nngs_own_client_is_understood(void **state)
{
    (void)state;
    char ipc[64];
    snprintf(ipc, sizeof(ipc), "ipc:///tmp/halfkey-transport-%d", (int)getpid());
    const char *urls[] = {"tcp://127.0.0.1:0", "tcp://[::1]:0", ipc};
    for (size_t i = 0; i < 3; i++) {
        struct hk_listener *listener = listen_at(urls[i], 0);
        nng_asks(hk_listener_url(listener, 0));
        end(listener);
    }
    assert_int_not_equal(access(ipc + 6, F_OK), 0);
}

/* ---- our endpoint against nng's own REP ---- */

struct nng_service {
    nng_socket socket;
    pthread_t thread;
};

static void *serve(void *argument)
{
    struct nng_service *service = argument;
    for (;;) {
        nng_msg *message;
        if (nng_recvmsg(service->socket, &message, 0) != 0) {
            return NULL;
        }
        if (nng_sendmsg(service->socket, message, 0) != 0) {
            nng_msg_free(message);
        }
    }
}

static void ask(const char *url)
{
    struct hk_endpoint *endpoint;
    assert_int_equal(hk_endpoint_new(&endpoint, url), HK_OK);
    for (size_t i = 0; i < ROUNDS; i++) {
        static uint8_t sent[HK_FRAME_MAX], got[HK_FRAME_MAX];
        size_t size = i * 1300, got_size = 0;
        randombytes_buf(sent, size);
        assert_int_equal(hk_endpoint_call(endpoint, sent, size, got, sizeof(got), &got_size, 5000), HK_OK);
        assert_int_equal(got_size, size);
        assert_memory_equal(got, sent, size);
    }
    hk_endpoint_free(endpoint);
}

static void nngs_own_service_is_understood(void **state)
{
    (void)state;
    char url[64];
    struct nng_service service;
    snprintf(url, sizeof(url), "ipc:///tmp/halfkey-transport-%d", (int)getpid());
    assert_int_equal(nng_rep0_open(&service.socket), 0);
    assert_int_equal(nng_listen(service.socket, url, NULL, 0), 0);
    assert_int_equal(pthread_create(&service.thread, NULL, serve, &service), 0);
    ask(url);
    nng_close(service.socket);
    pthread_join(service.thread, NULL);
}

static void web_sockets_are_nngs_on_both_sides(void **state)
{
    (void)state;
    char url[64];
    snprintf(url, sizeof(url), "ws://127.0.0.1:%u/halfkey", 20000 + randombytes_uniform(20000));
    struct hk_listener *listener = listen_at(url, 8);
    ask(url);
    end(listener);
}

/* ---- many at once ---- */

struct caller {
    struct hk_endpoint *endpoint;
    pthread_t thread;
    bool good;
};

static void *call_often(void *argument)
{
    struct caller *caller = argument;
    caller->good = true;
    for (size_t i = 0; i < ROUNDS && caller->good; i++) {
        uint8_t sent[300], got[300];
        size_t size = 0;
        randombytes_buf(sent, sizeof(sent));
        caller->good =
            hk_endpoint_call(caller->endpoint, sent, sizeof(sent), got, sizeof(got), &size, 9000) == HK_OK &&
            size == sizeof(sent) && memcmp(got, sent, size) == 0;
    }
    return NULL;
}

/* Fewer replies than requests: the others wait for one to be free. */
static void calls_of_many_threads_share_a_connection_and_few_replies(void **state)
{
    (void)state;
    struct hk_listener *listener = listen_at("tcp://127.0.0.1:0", 2);
    struct hk_endpoint *endpoint;
    struct caller callers[24];
    assert_int_equal(hk_endpoint_new(&endpoint, hk_listener_url(listener, 0)), HK_OK);
    for (size_t i = 0; i < 24; i++) {
        callers[i].endpoint = endpoint;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
    }
    for (size_t i = 0; i < 24; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_true(callers[i].good);
    }
    assert_int_equal(hk_listener_connections(listener), 1);
    hk_endpoint_free(endpoint);
    end(listener);
}

/* ---- what is no message ---- */

static void what_is_no_message_ends_its_connection(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t size;
        uint8_t bytes[16];
    } bad[] = {
        {"a greeting of another protocol", 8, {0, 'S', 'P', 0, 0, 0x10, 0, 0}},
        {"no greeting", 8, {'G', 'E', 'T', ' ', '/', ' ', 'H', 'T'}},
        {"an empty message", 16, {0, 'S', 'P', 0, 0, 0x30, 0, 0}},
        {"a message longer than any", 16, {0, 'S', 'P', 0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 1, 0, 4}},
        {"a length that wraps", 16, {0, 'S', 'P', 0, 0, 0x30, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}},
    };
    struct hk_listener *listener = listen_at("tcp://127.0.0.1:0", 0);
    uint16_t port = raw_port(hk_listener_url(listener, 0));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        uint8_t byte[64];
        int fd = raw_connect(1, port);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, bad[i].bytes, bad[i].size), bad[i].size);
        size_t got = 0;
        ssize_t more;
        while ((more = read(fd, byte, sizeof(byte))) > 0) {
            got += (size_t)more;
        }
        if (got != 8) {
            fail_msg("%s got %zu bytes", bad[i].what, got);
        }
        close(fd);
    }
    /* a message without a request id that ends */
    static const uint8_t endless[8 + 8 + 40] = {0, 'S', 'P', 0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40};
    uint8_t greeting[9];
    int fd = raw_connect(1, port);
    assert_int_equal(write(fd, endless, sizeof(endless)), sizeof(endless));
    assert_int_equal(read(fd, greeting, sizeof(greeting)), 8);
    assert_true(read(fd, greeting, sizeof(greeting)) <= 0);
    close(fd);
    ask(hk_listener_url(listener, 0));
    end(listener);
}

/* ---- who goes at once ---- */

static atomic_int pause_ms; /* after a descriptor has come to an epoll */

int epoll_ctl(int poll, int how, int fd, struct epoll_event *event)
{
    int result = (int)syscall(SYS_epoll_ctl, poll, how, fd, event);
    if (how == EPOLL_CTL_ADD && pause_ms != 0) {
        nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000L}, NULL);
    }
    return result;
}

static void wait_for_connections(struct hk_listener *listener, size_t wanted)
{
    for (int i = 0; hk_listener_connections(listener) != wanted && i < 500; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_int_equal(hk_listener_connections(listener), wanted);
}

/* Reset as soon as it is greeted: the thread that accepts it is not done with it yet. */
static void a_connection_may_be_reset_while_it_is_accepted(void **state)
{
    (void)state;
    struct hk_listener *listener = listen_at("tcp://127.0.0.1:0", 0);
    uint16_t port = raw_port(hk_listener_url(listener, 0));
    pause_ms = 20;
    for (int i = 0; i < 10; i++) {
        const struct linger reset = {.l_onoff = 1};
        uint8_t greeting[8];
        int fd = raw_connect(1, port);
        assert_true(fd >= 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
        assert_int_equal(read(fd, greeting, sizeof(greeting)), 8);
        close(fd);
    }
    pause_ms = 0;
    wait_for_connections(listener, 0);
    ask(hk_listener_url(listener, 0));
    end(listener);
}

/* ---- who has gone ---- */

struct seen {
    struct hk_listener *listener;
    struct hk_peer peer;
    atomic_bool is_known;
};

/* Looks at who asks when the connection is there no more. */
static void look_late(void *argument, struct hk_reply *reply, uint8_t *frame, size_t size)
{
    struct seen *seen = argument;
    (void)frame;
    (void)size;
    for (int i = 0; hk_listener_connections(seen->listener) != 0 && i < 500; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    hk_reply_peer(reply, &seen->peer);
    hk_reply_drop(reply);
    seen->is_known = true;
}

/* Else a stranger's work would be charged to nobody, as that of this machine's own sockets is. */
static void who_asked_is_known_also_when_its_connection_is_gone(void **state)
{
    (void)state;
    struct seen seen = {.is_known = false};
    const char *url = "tcp://127.0.0.1:0", *reason = NULL;
    struct hk_listener_setup setup = {.urls = &url, .url_count = 1, .request = look_late, .argument = &seen};
    assert_int_equal(hk_listener_new(&seen.listener, &setup, &reason), HK_OK);
    int fd = raw_connect(7, raw_port(hk_listener_url(seen.listener, 0)));
    assert_true(fd >= 0);
    assert_true(raw_greet(fd));
    assert_true(raw_send(fd, "x", 1));
    close(fd);
    for (int i = 0; !seen.is_known && i < 600; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_true(seen.is_known);
    assert_int_equal(hk_listener_connections(seen.listener), 0);
    assert_false(seen.peer.is_local);
    assert_int_equal(seen.peer.address[15], 7);
    end(seen.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nngs_own_client_is_understood),
        cmocka_unit_test(nngs_own_service_is_understood),
        cmocka_unit_test(web_sockets_are_nngs_on_both_sides),
        cmocka_unit_test(calls_of_many_threads_share_a_connection_and_few_replies),
        cmocka_unit_test(what_is_no_message_ends_its_connection),
        cmocka_unit_test(a_connection_may_be_reset_while_it_is_accepted),
        cmocka_unit_test(who_asked_is_known_also_when_its_connection_is_gone),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

/* Row 23: many devices that are connected and idle, some that are busy, and a thousand strangers who flood.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/session.h"
#include "tests/support/attack.h"
#include "tests/support/process_view.h"
#include "tests/support/raw_peer.h"
#include "tests/support/scale.h"
#include "tests/support/vault_fixture.h"

#define DEVICES 10000
#define STRANGERS 1000
#define BUSY 64
#define A_SECOND 4 /* operations of each busy device: far from the machine's limit */
#define ROUND_SECONDS 3
#define ROUNDS 5            /* at most: one without a neighbour on the machine is enough */
#define ATTEMPTS_A_SECOND 5 /* of each stranger: handshakes, forged ones, junk, connecting again */
#define BURSTS_A_SECOND 200
#define BYTES_A_DEVICE 8192
#define DEVICE_SOURCE 0x010000U

/* A device that only sits there: an account of its own, written into the store before the service starts. */
struct idle {
    struct hk_secret32 static_key;
    uint8_t static_public[32];
    struct sample sample;
    int fd;
};

static struct hk_test_service service;
static struct hk_test_device busy[BUSY];
static struct idle *idle;
static size_t idle_count, stranger_count;
static uint16_t port;

/* ---- devices that wait ---- */

static enum hk_error put_some(void *context, struct hk_txn *txn)
{
    size_t from = *(size_t *)context, to = from + 500 < idle_count ? from + 500 : idle_count;
    enum hk_error error = HK_OK;
    for (size_t i = from; i < to && error == HK_OK; i++) {
        sample_make(&idle[i].sample, (unsigned)i + 1);
        hk_noise_keypair(&idle[i].static_key, idle[i].static_public);
        memcpy(idle[i].sample.device.static_key, idle[i].static_public, 32);
        error = sample_put(&idle[i].sample, txn);
    }
    return error;
}

static void put_idle_devices(void)
{
    struct vault_fixture fixture = {.dir = ""};
    (void)snprintf(fixture.data, sizeof(fixture.data), "%s/data", service.directory);
    vault_fixture_open(&fixture);
    for (size_t from = 0; from < idle_count; from += 500) {
        assert_int_equal(vault_do(&fixture, put_some, &from), HK_OK);
    }
    vault_fixture_close(&fixture);
}

/* Handshake and one request; the connection stays, what the device knew of the session does not matter. */
static void connect_idle(struct idle *device, size_t n, struct hk_session_keys *keys)
{
    static uint8_t bytes[HK_FRAME_MAX], plain[HK_FRAME_MAX];
    struct hk_noise noise;
    struct hk_session session;
    struct hk_message request, answer;
    struct hk_frame frame;
    size_t size;
    uint64_t counter;
    device->fd = raw_connect(DEVICE_SOURCE + (uint32_t)n, port);
    assert_true(device->fd >= 0);
    assert_true(raw_greet(device->fd));
    assert_int_equal(hk_session_begin(&noise, &device->static_key, device->static_public,
                                      service.address.service_key, bytes, &size),
                     HK_OK);
    assert_true(raw_send(device->fd, bytes, size));
    long got = raw_receive(device->fd, bytes, sizeof(bytes), 10000);
    assert_true(got > 0);
    assert_int_equal(hk_session_finish(&session, keys, &noise, bytes, (size_t)got), HK_OK);
    hk_test_request(&request, HK_OP_LOG_HEAD, NULL);
    hk_message_set_bytes(&request, HK_F_ACCOUNT, device->sample.account.id, HK_ACCOUNT_BYTES);
    hk_message_set_u64(&request, HK_F_EPOCH, 1);
    hk_message_set_bytes(&request, HK_F_TAG, device->sample.tag, HK_TAG_BYTES);
    assert_int_equal(hk_message_encode(&request, plain, sizeof(plain), &size), HK_OK);
    assert_int_equal(hk_session_seal_request(&session, plain, size, bytes, sizeof(bytes), &size, &counter),
                     HK_OK);
    assert_true(raw_send(device->fd, bytes, size));
    got = raw_receive(device->fd, bytes, sizeof(bytes), 10000);
    assert_true(got > 0);
    assert_int_equal(hk_frame_parse(&frame, bytes, (size_t)got), HK_OK);
    assert_int_equal(hk_session_open_answer(&session, &frame, counter, plain, sizeof(plain), &size), HK_OK);
    assert_int_equal(hk_message_decode(&answer, plain, size), HK_OK);
    assert_int_equal(answer.value[HK_F_ERROR].number, HK_OK);
    (void)hk_session_close(&session);
    hk_session_wipe(&session);
}

static void connect_all_idle(void)
{
    struct hk_session_keys *keys = hk_secret_new(sizeof(*keys));
    assert_non_null(keys);
    for (size_t i = 0; i < idle_count; i++) {
        connect_idle(&idle[i], i, keys);
    }
    hk_secret_free(keys);
}

/* ---- devices that work ---- */

struct meter {
    pthread_mutex_t lock;
    size_t count;
    double ms[BUSY * A_SECOND * ROUND_SECONDS * 2];
};
static struct meter meter = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local struct timespec began;

static double ms_since(const struct timespec *from)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) * 1e3 + (double)(now.tv_nsec - from->tv_nsec) / 1e6;
}

/* At its own times, not when the last answer came: an answer that is late must not make the load smaller. */
static void *work(void *argument)
{
    struct hk_test_device *device = argument;
    struct hk_test_key *key = hk_test_key_of(device, HK_SUITE_X25519);
    const double every = 1000.0 / A_SECOND, phase = every * (double)(device - busy) / BUSY;
    uint8_t u[32] = {9}, shared[32];
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    for (int n = 0; n < A_SECOND * ROUND_SECONDS; n++) {
        double due = phase + every * n, early = due - ms_since(&began);
        if (early > 0) {
            (void)nanosleep(&(struct timespec){(time_t)(early / 1000), (long)(early * 1e6) % 1000000000},
                            NULL);
        }
        enum hk_error error = hk_test_agree(device, key, u, shared);
        double took = ms_since(&began) - due;
        (void)pthread_mutex_lock(&meter.lock);
        meter.ms[meter.count++] = error == HK_OK ? took : 1e9;
        (void)pthread_mutex_unlock(&meter.lock);
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The 99th percentile of a round, in ms; a single operation that failed makes it huge. */
static double p99_of_a_round(void)
{
    pthread_t thread[BUSY];
    meter.count = 0;
    for (size_t i = 0; i < BUSY; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, work, &busy[i]), 0);
    }
    for (size_t i = 0; i < BUSY; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    }
    qsort(meter.ms, meter.count, sizeof(meter.ms[0]), by_size);
    assert_int_equal(meter.count, BUSY * A_SECOND * ROUND_SECONDS);
    assert_true(meter.ms[meter.count - 1] < 1e8);
    return meter.ms[meter.count * 99 / 100];
}

/* ---- strangers ---- */

/* One attempt: sends what its kind sends, without ever waiting for the answer. */
static void attack_once(int *fd, size_t n, const uint8_t *frame, size_t size)
{
    static uint8_t junk[4096];
    if (*fd < 0) {
        static const uint8_t greeting[RAW_GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
        *fd = raw_connect(RAW_STRANGER(n), port);
        if (*fd >= 0) {
            (void)send(*fd, greeting, sizeof(greeting), MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        return;
    }
    while (recv(*fd, junk, sizeof(junk), MSG_DONTWAIT) > 0) {
    }
    uint8_t message[RAW_HEAD_BYTES + HK_HANDSHAKE_BYTES_MAX];
    raw_head(message, size);
    memcpy(message + RAW_HEAD_BYTES, frame, size);
    if (n % 4 == 1) { /* forged: the tag is wrong */
        message[RAW_HEAD_BYTES + size - 1] ^= 1;
    } else if (n % 4 == 2) { /* no handshake at all */
        memset(message + RAW_HEAD_BYTES, 0x5a, size);
    }
    ssize_t sent = send(*fd, message, RAW_HEAD_BYTES + size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        (void)close(*fd);
        *fd = -1;
    }
}

/* The strangers' machine: a process that yields to the service, since theirs is another one in truth. It
 * tells its attempts through the pipe when it is killed by SIGTERM. */
static volatile sig_atomic_t told_to_stop;
static void on_term(int number)
{
    (void)number;
    told_to_stop = 1;
}

static pid_t start_flood(int *result)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int *fd = malloc(stranger_count * sizeof(*fd));
        uint8_t frame[HK_HANDSHAKE_BYTES_MAX];
        struct hk_noise noise;
        size_t size, attempts = 0;
        size_t burst = 1 + stranger_count * ATTEMPTS_A_SECOND / BURSTS_A_SECOND;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)signal(SIGTERM, on_term);
        (void)setpriority(PRIO_PROCESS, 0, 19);
        for (size_t i = 0; i < idle_count; i++) {
            (void)close(idle[i].fd);
        }
        if (fd == NULL ||
            hk_session_begin(&noise, NULL, NULL, service.address.service_key, frame, &size) != HK_OK) {
            _exit(1);
        }
        memset(fd, 0xff, stranger_count * sizeof(*fd));
        for (size_t i = 0; !told_to_stop; i = (i + 1) % stranger_count) {
            attack_once(&fd[i], i, frame, size);
            if (++attempts % burst == 0) {
                (void)nanosleep(&(struct timespec){.tv_nsec = 1000000000 / BURSTS_A_SECOND}, NULL);
            }
        }
        (void)!write(ends[1], &attempts, sizeof(attempts));
        _exit(0);
    }
    (void)close(ends[1]);
    *result = ends[0];
    return child;
}

static size_t end_flood(pid_t child, int result)
{
    size_t attempts = 0;
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(read(result, &attempts, sizeof(attempts)), (ssize_t)sizeof(attempts));
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(result);
    return attempts;
}

/* ---- memory ---- */

static double anonymous_bytes(pid_t pid)
{
    char path[64], line[256];
    double kib = -1;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "RssAnon: %lf", &kib);
    }
    (void)fclose(file);
    assert_true(kib > 0);
    return kib * 1024;
}

/* A bare nng server with as many contexts as ours, that gives back what it gets. */
static void echo(void *argument)
{
    struct {
        nng_ctx context;
        nng_aio *aio;
        bool sending;
    } *one = argument;
    bool good = nng_aio_result(one->aio) == 0;
    if (good && !one->sending) {
        nng_aio_set_msg(one->aio, nng_aio_get_msg(one->aio));
        one->sending = true;
        nng_ctx_send(one->context, one->aio);
    } else {
        one->sending = false;
        nng_ctx_recv(one->context, one->aio);
    }
}

static pid_t start_bare(uint16_t *bare_port)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* a program of its own would be the same; nng has not been used before the fork */
        static struct {
            nng_ctx context;
            nng_aio *aio;
            bool sending;
        } all[256];
        nng_socket socket;
        nng_listener listener;
        nng_sockaddr address;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (nng_rep0_open(&socket) != 0 || nng_listener_create(&listener, socket, "tcp://127.0.0.1:0") != 0 ||
            nng_listener_start(listener, 0) != 0 ||
            nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &address) != 0) {
            _exit(1);
        }
        for (size_t i = 0; i < 256; i++) {
            if (nng_ctx_open(&all[i].context, socket) != 0 ||
                nng_aio_alloc(&all[i].aio, echo, &all[i]) != 0) {
                _exit(1);
            }
            nng_ctx_recv(all[i].context, all[i].aio);
        }
        (void)!write(ends[1], &address.s_in.sa_port, 2);
        (void)pause();
        _exit(0);
    }
    uint16_t network = 0;
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &network, 2), 2);
    (void)close(ends[0]);
    *bare_port = (uint16_t)(network << 8 | network >> 8);
    return child;
}

/* What a connection costs nng alone: each sends two messages, as a device does. */
static double bytes_of_bare_nng(void)
{
    uint16_t bare_port;
    uint8_t answer[256], message[200] = {0};
    int *fd = malloc(idle_count * sizeof(*fd));
    assert_non_null(fd);
    pid_t bare = start_bare(&bare_port);
    double before = anonymous_bytes(bare);
    for (size_t i = 0; i < idle_count; i++) {
        fd[i] = raw_connect(DEVICE_SOURCE + (uint32_t)i, bare_port);
        assert_true(fd[i] >= 0 && raw_greet(fd[i]));
        for (int n = 0; n < 2; n++) {
            assert_true(raw_send(fd[i], message, sizeof(message)));
            assert_int_equal(raw_receive(fd[i], answer, sizeof(answer), 10000), sizeof(message));
        }
    }
    double each = (anonymous_bytes(bare) - before) / (double)idle_count;
    assert_int_equal(kill(bare, SIGKILL), 0);
    assert_int_equal(waitpid(bare, NULL, 0), bare);
    for (size_t i = 0; i < idle_count; i++) {
        (void)close(fd[i]);
    }
    free(fd);
    return each;
}

/* ---- the tests ---- */

static size_t descriptors_of_service(void)
{
    char path[64];
    size_t count = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)service.pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

static double bare_each;

static int set_up(void **state)
{
    (void)state;
    struct rlimit files;
    idle_count = hk_scaled(DEVICES) - BUSY;
    stranger_count = hk_scaled(STRANGERS);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return 1;
    }
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    idle = calloc(idle_count, sizeof(*idle));
    assert_non_null(idle);
    bare_each = bytes_of_bare_nng(); /* first: it forks, and nng does not like that later */
    hk_test_service_start(&service, true);
    for (size_t i = 0; i < BUSY; i++) {
        hk_test_device_init(&busy[i], &service);
        assert_int_equal(hk_test_init(&busy[i]), HK_OK);
        assert_int_equal(hk_test_keygen(&busy[i], HK_SUITE_X25519, "mail"), HK_OK);
        hk_test_hang_up(&busy[i]);
    }
    assert_int_equal(hk_test_service_stop(&service), 0);
    put_idle_devices();
    hk_test_service_restart(&service);
    port = raw_port(service.address.url);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < BUSY; i++) {
        hk_test_device_end(&busy[i]);
    }
    assert_int_equal(hk_test_service_stop(&service), 0);
    hk_test_service_end(&service);
    free(idle);
    return 0;
}

static void idle_device_costs_little_beyond_what_nng_needs(void **state)
{
    (void)state;
    double before = anonymous_bytes(service.pid);
    connect_all_idle();
    double each = (anonymous_bytes(service.pid) - before) / (double)idle_count;
    print_message("an idle device: %.0f bytes, of which nng %.0f\n", each, bare_each);
    assert_true(SANITIZED || each - bare_each <= BYTES_A_DEVICE);
    assert_true(bare_each > 0);
    hk_tried("%zu idle devices", idle_count);
}

static void busy_devices_hardly_notice_a_flood_of_strangers(void **state)
{
    (void)state;
    double best = 1e9;
    (void)p99_of_a_round(); /* sessions are opened */
    size_t before = descriptors_of_service();
    for (int round = 0; round < ROUNDS && best > 2; round++) {
        double quiet = p99_of_a_round();
        int result;
        pid_t strangers = start_flood(&result);
        (void)nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        double flooded = p99_of_a_round();
        size_t attempts = end_flood(strangers, result);
        print_message("p99 %.1f ms, beside %zu attempts %.1f ms\n", quiet, attempts, flooded);
        assert_true(attempts > 5 * stranger_count);
        best = flooded / quiet < best ? flooded / quiet : best;
    }
    assert_true(best <= 2);
    for (int i = 0; i < 100 && descriptors_of_service() > before + 10; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    assert_true(descriptors_of_service() <= before + 10); /* nothing of the flood is left */
    hk_tried("%zu strangers beside %d busy and %zu idle devices", stranger_count, BUSY, idle_count);
}

/* Not one of them was cut off by the floods. */
static void idle_devices_are_still_connected_after_the_flood(void **state)
{
    (void)state;
    for (size_t i = 0; i < idle_count; i++) {
        uint8_t byte;
        assert_int_equal(recv(idle[i].fd, &byte, 1, MSG_DONTWAIT), -1);
        assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
        (void)close(idle[i].fd);
    }
    hk_tried("%zu connections kept", idle_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_device_costs_little_beyond_what_nng_needs),
        cmocka_unit_test(busy_devices_hardly_notice_a_flood_of_strangers),
        cmocka_unit_test(idle_devices_are_still_connected_after_the_flood),
    };
    return HK_ATTACK_ROW_IN(23, tests, set_up, tear_down);
}

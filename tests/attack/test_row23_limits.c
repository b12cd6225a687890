/* Row 23: what a service has only so much of, descriptors and memory, asked for without end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
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
#include "tests/support/raw_peer.h"
#include "tests/support/scale.h"

#define HANDSHAKES 1000000
#define SENDERS 16
#define A_BATCH 64
#define GROWTH_BYTES (4 << 20)

static struct hk_attack world;
static uint16_t port;

static int set_up(void **state)
{
    (void)state;
    hk_attack_begin(&world, true);
    port = raw_port(world.service.address.url);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&world);
    return 0;
}

/* ---- handshakes without end ---- */

static long anonymous_bytes(void)
{
    char path[64], line[256];
    long kib = -1;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)world.service.pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "RssAnon: %ld", &kib);
    }
    (void)fclose(file);
    assert_true(kib > 0);
    return kib * 1024;
}

/* Sends so many handshakes, from sixteen addresses in turn, and reads nothing that it does not have to. */
static void send_handshakes(size_t count)
{
    static uint8_t batch[A_BATCH * (RAW_HEAD_BYTES + HK_HANDSHAKE_BYTES_MAX)], junk[65536];
    uint8_t frame[HK_HANDSHAKE_BYTES_MAX];
    struct hk_noise noise;
    size_t size, used = 0;
    int fd[SENDERS];
    assert_int_equal(hk_session_begin(&noise, NULL, NULL, world.service.address.service_key, frame, &size),
                     HK_OK);
    hk_noise_wipe(&noise);
    for (size_t i = 0; i < A_BATCH; i++) {
        raw_head(batch + used, size);
        memcpy(batch + used + RAW_HEAD_BYTES, frame, size);
        used += RAW_HEAD_BYTES + size;
    }
    for (size_t i = 0; i < SENDERS; i++) {
        fd[i] = -1;
    }
    for (size_t sent = 0, turn = 0; sent < count; turn = (turn + 1) % SENDERS) {
        if (fd[turn] < 0) {
            fd[turn] = raw_connect(RAW_STRANGER(turn), port);
            if (fd[turn] >= 0 && !raw_greet(fd[turn])) {
                (void)close(fd[turn]);
                fd[turn] = -1; /* turned away at the door; its next turn comes */
                raw_nap(1);
            }
            continue;
        }
        while (recv(fd[turn], junk, sizeof(junk), MSG_DONTWAIT) > 0) {
        }
        if (send(fd[turn], batch, used, MSG_NOSIGNAL) == (ssize_t)used) {
            sent += A_BATCH;
        } else {
            (void)close(fd[turn]);
            fd[turn] = -1;
        }
    }
    for (size_t i = 0; i < SENDERS; i++) {
        if (fd[i] >= 0) {
            (void)close(fd[i]);
        }
    }
}

static void handshakes_without_end_cost_no_memory_and_no_session(void **state)
{
    (void)state;
    struct hk_message request, answer;
    size_t count = hk_scaled(HANDSHAKES);
    hk_test_request(&request, HK_OP_STATUS, &world.phone);
    assert_int_equal(hk_test_call(&world.phone, &request, &answer), HK_OK);
    send_handshakes(5000); /* the ring of unconfirmed ones is full, the allocator has what it needs */
    raw_nap(500);
    long before = anonymous_bytes();
    send_handshakes(count);
    assert_true(hk_serves_in_the_same_session(&world.phone));
    long growth = anonymous_bytes() - before;
    print_message("%zu handshakes: %ld KiB more\n", count, growth / 1024);
    assert_true(growth < GROWTH_BYTES);
    hk_tried("%zu handshakes", count);
    hk_serves_others(&world);
}

/* ---- the limit of descriptors ---- */

/* A process of its own that holds connections until it is killed. */
static pid_t hold(uint32_t source, size_t count, bool greets)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (size_t i = 0; i < count; i++) {
            int fd = raw_connect(source + (uint32_t)(i / 200), port);
            if (fd >= 0 && greets) {
                (void)raw_greet(fd);
            }
        }
        (void)!write(ends[1], "", 1);
        (void)pause();
        _exit(0);
    }
    char byte;
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    return child;
}

static void release(pid_t *holders, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(kill(holders[i], SIGKILL), 0);
        assert_int_equal(waitpid(holders[i], NULL, 0), holders[i]);
    }
}

static size_t descriptors_of_service(void)
{
    char command[128], text[32] = "";
    (void)snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l", (int)world.service.pid);
    FILE *output = popen(command, "re");
    assert_non_null(output);
    assert_non_null(fgets(text, sizeof(text), output));
    (void)pclose(output);
    return strtoul(text, NULL, 10);
}

/* The last one: a limit that was lowered cannot be raised again. */
static void limit_of_descriptors_is_reached_and_left_again(void **state)
{
    (void)state;
    static const rlim_t limit = 1024;
    struct rlimit low = {limit, limit};
    pid_t holder[2];
    hk_test_hang_up(&world.laptop);
    hk_test_hang_up(&world.phone);
    hk_test_hang_up(&world.bystander);
    assert_int_equal(hk_test_service_stop(&world.service), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    hk_test_service_restart(&world.service);
    size_t before = descriptors_of_service();
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_STATUS, &world.phone);
    assert_int_equal(hk_test_call(&world.phone, &request, &answer), HK_OK);
    for (int greets = 0; greets < 2; greets++) {
        holder[0] = hold(RAW_STRANGER(0x3000), 600, greets != 0);
        holder[1] = hold(RAW_STRANGER(0x4000), 600, greets != 0);
        for (int i = 0; i < 50 && descriptors_of_service() <= limit - 200; i++) {
            raw_nap(100); /* they are connected, and accepted as the service comes to it */
        }
        assert_true(descriptors_of_service() > limit - 200);
        assert_true(hk_serves_in_the_same_session(&world.phone));
        if (greets != 0) { /* a device that comes now gets the place of a silent one */
            hk_serves_others(&world);
        }
        hk_tried("more connections than descriptors, %s", greets != 0 ? "greeted" : "not even greeted");
        if (greets == 0) { /* nng lets go of those in ten seconds, and takes whoever waited */
            for (int i = 0; i < 200 && descriptors_of_service() > before + 250; i++) {
                raw_nap(100);
            }
        }
        release(holder, 2);
        for (int i = 0; i < 100 && descriptors_of_service() > before + 50; i++) {
            raw_nap(100);
        }
        assert_true(descriptors_of_service() <= before + 50);
        hk_serves_others(&world);
    }
    hk_tried("after the flood the descriptors are free again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_without_end_cost_no_memory_and_no_session),
        cmocka_unit_test(limit_of_descriptors_is_reached_and_left_again),
    };
    return HK_ATTACK_ROW_IN(23, tests, set_up, tear_down);
}

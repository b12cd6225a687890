/* Row 30: what a program that has the agent's socket for SSH may send: anything. It gets no signature that it
 * should not have, the agent goes on serving others, and nothing is left of a locked one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/ssh_peer.h"

#define FAILURE 5
#define SIGNATURE 14

static struct hk_test_service service;
static struct hk_test_home laptop;
static struct hk_ssh_peer attacker, other;
static uint8_t key[32];

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_home_init(&laptop, &service, "laptop");
    hk_test_home_account(&laptop, &service, "laptop");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "git", "--suite", "ed25519");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "files", "--suite", "x25519");
    hk_ssh_peer_open(&other, &laptop);
    assert_int_equal(hk_ssh_peer_list(&other, 0, key), 1); /* the x25519 key is not among them */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_ssh_peer_close(&other);
    hk_test_home_end(&laptop);
    hk_test_service_end(&service);
    return 0;
}

static uint64_t uses(void)
{
    struct hk_test_output output;
    const char *at = output.out;
    uint64_t count = 0;
    assert_int_equal(HK_RUN(&laptop, &output, "log", "--count", "500"), 0);
    while ((at = strstr(at, " sign ")) != NULL) {
        count++;
        at++;
    }
    return count;
}

static void others_are_served(void)
{
    uint8_t again[32];
    assert_int_equal(hk_ssh_peer_list(&other, 0, again), 1);
    assert_memory_equal(again, key, 32);
}

static void row30_a_request_cut_at_any_byte_or_with_bytes_behind_it_gets_nothing(void **state)
{
    (void)state;
    uint8_t data[1024], blob[51], request[2048];
    size_t size = hk_ssh_test_sshsig(data, "git");
    struct hk_ssh_writer writer = {request, 0, sizeof(request), false},
                         inner = {blob, 0, sizeof(blob), false};
    hk_ssh_put_string(&inner, "ssh-ed25519", 11);
    hk_ssh_put_string(&inner, key, 32);
    hk_ssh_put_byte(&writer, 13);
    hk_ssh_put_string(&writer, blob, sizeof(blob));
    hk_ssh_put_string(&writer, data, size);
    hk_ssh_put_u32(&writer, 0);
    uint64_t before = uses();
    hk_ssh_peer_open(&attacker, &laptop);
    for (size_t cut = 0; cut < writer.size; cut++) {
        assert_int_equal(hk_ssh_peer_ask(&attacker, request, cut), FAILURE);
        hk_tried("a sign request of %zu bytes", cut);
    }
    hk_ssh_put_byte(&writer, 0);
    assert_int_equal(hk_ssh_peer_ask(&attacker, request, writer.size), FAILURE);
    hk_tried("a byte behind it");
    /* A length in it that reaches beyond it. */
    for (size_t at = 1; at < 9; at++) {
        request[at] ^= 0x80;
        assert_int_equal(hk_ssh_peer_ask(&attacker, request, writer.size - 1), FAILURE);
        hk_tried("byte %zu changed", at);
        request[at] ^= 0x80;
    }
    assert_int_equal(hk_ssh_peer_ask(&attacker, request, writer.size - 1), SIGNATURE);
    hk_ssh_peer_close(&attacker);
    assert_int_equal(uses(), before + 1);
    others_are_served();
}

static void row30_every_other_message_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static uint8_t request[4096];
    hk_ssh_peer_open(&attacker, &laptop);
    for (int type = 0; type < 256; type++) {
        if (type == 11 || type == 22 || type == 23) {
            continue;
        }
        hk_random(request, sizeof(request));
        request[0] = (uint8_t)type;
        assert_int_equal(hk_ssh_peer_ask(&attacker, request, sizeof(request)), FAILURE);
        hk_tried("message %d", type);
    }
    hk_ssh_peer_close(&attacker);
    others_are_served();
}

static void row30_frames_beyond_the_limit_and_half_frames_end_their_own_connection_alone(void **state)
{
    (void)state;
    static const uint8_t lengths[][4] = {
        {0xff, 0xff, 0xff, 0xff}, {0x7f, 0xff, 0xff, 0xff}, {0x80, 0, 0, 0}, {0, 4, 0, 1}};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        hk_ssh_peer_open(&attacker, &laptop);
        assert_int_equal(hk_ssh_peer_send(&attacker, lengths[i], 4), 0);
        hk_ssh_peer_close(&attacker);
        hk_tried("length %zu", i);
    }
    for (size_t size = 1; size < 4; size++) {
        hk_ssh_peer_open(&attacker, &laptop);
        assert_int_equal(write(attacker.fd, "\0\0\0\5\x0b", size + 2), (ssize_t)size + 2);
        hk_ssh_peer_close(&attacker); /* in the middle of a frame */
        hk_tried("hung up after %zu bytes", size + 2);
    }
    others_are_served();
}

/* More than it serves at a time: the rest is turned away, and those that were there go on. */
static void row30_a_flood_of_connections_leaves_those_that_are_there(void **state)
{
    (void)state;
    static struct hk_ssh_peer flood[80];
    for (size_t i = 0; i < 80; i++) {
        hk_ssh_peer_open(&flood[i], &laptop);
    }
    others_are_served();
    hk_tried("80 connections that say nothing");
    for (size_t i = 0; i < 80; i++) {
        hk_ssh_peer_close(&flood[i]);
    }
    uint8_t again[32];
    uint32_t count = 0;
    for (int i = 0; i < 100 && count == 0; i++) {
        hk_ssh_peer_open(&attacker, &laptop);
        count = hk_ssh_peer_ask(&attacker, "\x0b", 1) == 12;
        hk_ssh_peer_close(&attacker);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    assert_int_equal(count, 1);
    hk_ssh_peer_open(&attacker, &laptop);
    assert_int_equal(hk_ssh_peer_list(&attacker, 0, again), 1);
    hk_ssh_peer_close(&attacker);
}

static uint8_t lock(uint8_t type, const char *password)
{
    uint8_t request[64];
    struct hk_ssh_writer writer = {request, 0, sizeof(request), false};
    hk_ssh_put_byte(&writer, type);
    hk_ssh_put_string(&writer, password, strlen(password));
    return hk_ssh_peer_ask(&attacker, request, writer.size);
}

static void row30_a_locked_agent_lists_and_signs_nothing_and_guesses_take_longer_and_longer(void **state)
{
    (void)state;
    uint8_t data[1024], nothing[32];
    size_t size = hk_ssh_test_sshsig(data, "git");
    struct timespec start, end;
    hk_ssh_peer_open(&attacker, &laptop);
    assert_int_equal(lock(22, "secret"), 6);
    assert_int_equal(hk_ssh_peer_list(&other, 0, nothing), 0);
    assert_int_equal(hk_ssh_peer_sign(&other, key, data, size), FAILURE);
    hk_tried("another connection signs");
    assert_int_equal(lock(22, "another"), FAILURE);
    hk_tried("locked again with another password");
    clock_gettime(CLOCK_MONOTONIC, &start);
    static const char *const guesses[] = {"", "secre", "secret ", "Secret"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(lock(23, guesses[i]), FAILURE);
        hk_tried("guess '%s'", guesses[i]);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    /* 0.1 + 0.2 + 0.3 + 0.4 s */
    assert_true((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000 >= 990);
    assert_int_equal(hk_ssh_peer_sign(&other, key, data, size), FAILURE);
    assert_int_equal(lock(23, "secret"), 6);
    assert_int_equal(lock(23, "secret"), FAILURE); /* it is not locked */
    assert_int_equal(hk_ssh_peer_sign(&other, key, data, size), SIGNATURE);
    hk_ssh_peer_close(&attacker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row30_a_request_cut_at_any_byte_or_with_bytes_behind_it_gets_nothing),
        cmocka_unit_test(row30_every_other_message_is_refused_and_changes_nothing),
        cmocka_unit_test(row30_frames_beyond_the_limit_and_half_frames_end_their_own_connection_alone),
        cmocka_unit_test(row30_a_flood_of_connections_leaves_those_that_are_there),
        cmocka_unit_test(row30_a_locked_agent_lists_and_signs_nothing_and_guesses_take_longer_and_longer),
    };
    return HK_ATTACK_ROW_IN(30, tests, set_up, tear_down);
}

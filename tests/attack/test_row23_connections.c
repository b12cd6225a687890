/* Row 23: connections that cost their owner nothing and want to cost the service something. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/frame.h"
#include "protocol/session.h"
#include "tests/support/attack.h"
#include "tests/support/raw_peer.h"

#define GONE_MS 20000 /* ten seconds, a sweep every five, and a slow machine */

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

static int connected(uint32_t source)
{
    int fd = raw_connect(source, port);
    assert_true(fd >= 0);
    return fd;
}

static int greeted(uint32_t source)
{
    int fd = connected(source);
    assert_true(raw_greet(fd));
    return fd;
}

/* The first frame of a stranger's handshake. */
static size_t handshake(uint8_t frame[HK_HANDSHAKE_BYTES_MAX])
{
    struct hk_noise noise;
    size_t size;
    assert_int_equal(hk_session_begin(&noise, NULL, NULL, world.service.address.service_key, frame, &size),
                     HK_OK);
    hk_noise_wipe(&noise);
    return size;
}

static enum hk_error hint_of(const uint8_t *bytes, long size)
{
    struct hk_frame frame;
    assert_true(size > 0);
    assert_int_equal(hk_frame_parse(&frame, bytes, (size_t)size), HK_OK);
    return frame.type == HK_FRAME_HINT ? hk_frame_hinted(&frame) : HK_OK;
}

/* ---- silence ---- */

static int does_not_greet(void)
{
    return connected(RAW_STRANGER(1));
}

static int greets_by_half(void)
{
    int fd = connected(RAW_STRANGER(2));
    assert_int_equal(send(fd, "\0SP", 3, MSG_NOSIGNAL), 3);
    return fd;
}

static int says_nothing(void)
{
    return greeted(RAW_STRANGER(3));
}

static int never_confirms(void)
{
    uint8_t frame[HK_HANDSHAKE_BYTES_MAX], answer[HK_FRAME_MAX];
    size_t size = handshake(frame);
    int fd = greeted(RAW_STRANGER(4));
    assert_true(raw_send(fd, frame, size));
    assert_int_equal(hint_of(answer, raw_receive(fd, answer, sizeof(answer), 10000)), HK_OK);
    return fd;
}

static int sends_half_a_message(void)
{
    uint8_t head[RAW_HEAD_BYTES];
    int fd = greeted(RAW_STRANGER(5));
    raw_head(head, 60000);
    assert_int_equal(send(fd, head, sizeof(head), MSG_NOSIGNAL), (ssize_t)sizeof(head));
    return fd;
}

static int sends_garbage(void)
{
    uint8_t frame[200], answer[HK_FRAME_MAX];
    int fd = greeted(RAW_STRANGER(6));
    memset(frame, 0x5a, sizeof(frame));
    assert_true(raw_send(fd, frame, sizeof(frame)));
    assert_int_not_equal(hint_of(answer, raw_receive(fd, answer, sizeof(answer), 10000)), HK_OK);
    return fd;
}

static const struct {
    const char *name;
    int (*begin)(void);
    bool drips; /* sends a byte now and then */
} silent[] = {
    {"does not greet", does_not_greet, false},
    {"greets by half", greets_by_half, false},
    {"greets by half, then a byte a second", greets_by_half, true},
    {"says nothing after the greeting", says_nothing, false},
    {"never confirms its handshake", never_confirms, false},
    {"sends half a message", sends_half_a_message, false},
    {"sends a message a byte a second", sends_half_a_message, true},
    {"sends garbage, then nothing", sends_garbage, false},
};
#define SILENT (sizeof(silent) / sizeof(*silent))

static void connections_that_show_nothing_are_closed_and_a_devices_is_not(void **state)
{
    (void)state;
    int fd[SILENT];
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_STATUS, &world.phone);
    assert_int_equal(hk_test_call(&world.phone, &request, &answer), HK_OK);
    for (size_t i = 0; i < SILENT; i++) {
        fd[i] = silent[i].begin();
    }
    bool closed[SILENT] = {false};
    size_t left = SILENT;
    for (int ms = 0; ms < GONE_MS && left != 0; ms += 500) {
        raw_nap(500);
        for (size_t i = 0; i < SILENT; i++) {
            if (!closed[i] && silent[i].drips && ms % 1000 == 0) {
                (void)send(fd[i], "", 1, MSG_NOSIGNAL);
            }
            if (!closed[i] && raw_is_closed(fd[i], 0)) {
                closed[i] = true;
                left--;
            }
        }
    }
    for (size_t i = 0; i < SILENT; i++) {
        if (!closed[i]) {
            print_error("still open: %s\n", silent[i].name);
        }
        assert_true(closed[i]);
        (void)close(fd[i]);
        hk_tried("%s", silent[i].name);
    }
    assert_true(hk_serves_in_the_same_session(&world.phone)); /* as silent as they were, and still there */
    hk_tried("a device's idle connection stays");
    hk_serves_others(&world);
}

static void oversized_frames_end_their_connection_at_once(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {HK_FRAME_MAX + 1, 1 << 20, UINT64_C(1) << 40, UINT64_MAX - 4};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint8_t head[RAW_HEAD_BYTES];
        int fd = greeted(RAW_STRANGER(10));
        raw_head(head, sizes[i]);
        assert_int_equal(send(fd, head, sizeof(head), MSG_NOSIGNAL), (ssize_t)sizeof(head));
        assert_true(raw_is_closed(fd, 5000));
        (void)close(fd);
        hk_tried("a message of %llu bytes", (unsigned long long)sizes[i]);
    }
    hk_serves_others(&world);
}

/* ---- too many ---- */

static void address_has_so_many_connections_and_no_more(void **state)
{
    (void)state;
    enum { TRIED = 300, ALLOWED = 256 };
    int fd[TRIED], open = 0;
    for (size_t i = 0; i < TRIED; i++) {
        fd[i] = connected(RAW_STRANGER(20));
        (void)raw_greet(fd[i]);
    }
    raw_nap(500);
    for (size_t i = 0; i < TRIED; i++) {
        open += raw_is_closed(fd[i], 0) ? 0 : 1;
    }
    assert_int_equal(open, ALLOWED);
    int other = greeted(RAW_STRANGER(21));
    assert_false(raw_is_closed(other, 100));
    (void)close(other);
    for (size_t i = 0; i < TRIED; i++) {
        (void)close(fd[i]);
    }
    hk_tried("%d connections from one address", TRIED);
    hk_serves_others(&world);
}

/* Handshakes as fast as they are answered; how many were, before the address was over its rate. */
static size_t flood(uint32_t source, size_t most, bool *told)
{
    uint8_t frame[HK_HANDSHAKE_BYTES_MAX], answer[HK_FRAME_MAX];
    size_t size = handshake(frame), answered = 0; /* one frame, replayed: that costs its sender nothing */
    int fd = greeted(source);
    *told = false;
    while (answered < most && !*told) {
        long got = raw_send(fd, frame, size) ? raw_receive(fd, answer, sizeof(answer), 10000) : RAW_CLOSED;
        /* At the door already, if it shares its place in the table with one that was here before. */
        enum hk_error error = got == RAW_CLOSED ? HK_OVER_QUOTA : hint_of(answer, got);
        assert_true(error == HK_OK || error == HK_OVER_QUOTA);
        *told = error == HK_OVER_QUOTA;
        answered += *told ? 0 : 1;
    }
    (void)close(fd);
    return answered;
}

/* It is told once; from then on not even that. */
static void assert_silence(uint32_t source)
{
    uint8_t frame[HK_HANDSHAKE_BYTES_MAX], answer[HK_FRAME_MAX];
    size_t size = handshake(frame), heard = 0;
    int fd = raw_connect(source, port);
    if (fd >= 0 && raw_greet(fd)) { /* else it was turned away at the door */
        for (int i = 0; i < 3000 && raw_send(fd, frame, size); i++) {
        }
        while (raw_receive(fd, answer, sizeof(answer), 1000) > 0) {
            heard++;
        }
    }
    assert_true(heard < 2500);
    (void)close(fd);
}

static void address_over_its_rate_is_turned_away_before_anything_is_computed(void **state)
{
    (void)state;
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_STATUS, &world.phone);
    assert_int_equal(hk_test_call(&world.phone, &request, &answer), HK_OK);
    struct timespec begun, ended;
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    bool told;
    size_t answered = flood(RAW_STRANGER(30), 100000, &told);
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_true(told);
    /* What it has at once, and what comes back in the meantime (a second more for the rounding). */
    assert_in_range(answered, 1024, 3000 + 500 * (size_t)(ended.tv_sec - begun.tv_sec + 1));
    hk_tried("handshakes without end from one address");
    assert_silence(RAW_STRANGER(30));
    hk_tried("more of them after the refusal");
    /* The ring of 1,024 unconfirmed sessions went round several times. */
    assert_true(hk_serves_in_the_same_session(&world.phone));
    hk_tried("unconfirmed sessions evict no confirmed one");
    assert_true(flood(RAW_STRANGER(31), 3, &told) == 3);
    hk_tried("another address is still answered");
    hk_serves_others(&world);
}

static void thousand_addresses_together_leave_room_for_one_that_is_new(void **state)
{
    (void)state;
    bool told;
    size_t answered = 0, addresses = 120;
    struct timespec begun, ended;
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    for (size_t i = 0; i < addresses; i++) {
        answered += flood(RAW_STRANGER(1000 + i), 100, &told);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    size_t seconds = (size_t)(ended.tv_sec - begun.tv_sec) + 1;
    assert_in_range(answered, 1, 4000 + 1000 * seconds + addresses * (14 + seconds));
    assert_true(answered < 100 * addresses);
    hk_tried("%zu addresses with 100 handshakes each", addresses);
    assert_true(flood(RAW_STRANGER(5000), 5, &told) == 5);
    hk_tried("a new address among them");
    hk_serves_others(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_that_show_nothing_are_closed_and_a_devices_is_not),
        cmocka_unit_test(oversized_frames_end_their_connection_at_once),
        cmocka_unit_test(address_has_so_many_connections_and_no_more),
        cmocka_unit_test(address_over_its_rate_is_turned_away_before_anything_is_computed),
        cmocka_unit_test(thousand_addresses_together_leave_room_for_one_that_is_new),
    };
    return HK_ATTACK_ROW_IN(23, tests, set_up, tear_down);
}

/* Sessions without a transport: the window and its edges, repeats, the end. */
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

struct pair {
    struct hk_session device, service;
    struct hk_session_keys *keys[2];
};

static void pair_open(struct pair *pair)
{
    struct hk_secret32 device_key, service_key;
    uint8_t device_public[32], frame[HK_HANDSHAKE_BYTES_MAX], answer[HK_HANDSHAKE_BYTES_MAX];
    struct hk_session_service service = {.static_key = &service_key};
    struct hk_noise noise;
    struct hk_frame parsed;
    size_t size;
    hk_test_session_clock(0, 0);
    hk_noise_keypair(&device_key, device_public);
    hk_noise_keypair(&service_key, service.static_public);
    for (int i = 0; i < 2; i++) {
        pair->keys[i] = hk_secret_new(sizeof(struct hk_session_keys));
        assert_non_null(pair->keys[i]);
    }
    assert_int_equal(hk_session_begin(&noise, &device_key, NULL, service.static_public, frame, &size), HK_OK);
    assert_int_equal(hk_frame_parse(&parsed, frame, size), HK_OK);
    assert_int_equal(hk_session_accept(&pair->service, pair->keys[1], &service, &parsed, answer, &size),
                     HK_OK);
    assert_int_equal(hk_session_finish(&pair->device, pair->keys[0], &noise, answer, size), HK_OK);
    assert_memory_equal(pair->device.handshake_hash, pair->service.handshake_hash, HK_HASH_BYTES);
    assert_memory_equal(pair->service.remote_static, device_public, 32);
    assert_false(pair->service.confirmed);
}

static void pair_close(struct pair *pair)
{
    hk_test_session_clock(0, 0);
    (void)hk_session_close(&pair->device);
    (void)hk_session_close(&pair->service);
    hk_session_wipe(&pair->device);
    hk_session_wipe(&pair->service);
    hk_secret_free(pair->keys[0]);
    hk_secret_free(pair->keys[1]);
}

struct sealed {
    uint8_t bytes[128];
    size_t size;
    uint64_t counter;
};

static struct sealed seal(struct pair *pair)
{
    struct sealed sealed;
    assert_int_equal(hk_session_seal_request(&pair->device, "abc", 3, sealed.bytes, sizeof(sealed.bytes),
                                             &sealed.size, &sealed.counter),
                     HK_OK);
    return sealed;
}

static enum hk_error open_request(struct pair *pair, const struct sealed *sealed, enum hk_opened *what,
                                  uint8_t *out, size_t *size)
{
    struct hk_frame frame;
    assert_int_equal(hk_frame_parse(&frame, sealed->bytes, sealed->size), HK_OK);
    return hk_session_open_request(&pair->service, &frame, what, out, size);
}

static enum hk_opened opened(struct pair *pair, const struct sealed *sealed)
{
    uint8_t out[HK_FRAME_MAX];
    enum hk_opened what;
    size_t size;
    assert_int_equal(open_request(pair, sealed, &what, out, &size), HK_OK);
    return what;
}

/* Sends an answer of so many bytes and keeps it. */
static void answer(struct pair *pair, uint64_t counter, size_t text)
{
    uint8_t *buffer = calloc(1, HK_FRAME_MAX);
    size_t size;
    assert_non_null(buffer);
    assert_int_equal(
        hk_session_seal_answer(&pair->service, counter, buffer, text, buffer, HK_FRAME_MAX, &size), HK_OK);
    hk_session_keep(&pair->service, counter, buffer, size);
    free(buffer);
}

static void window_takes_every_frame_once_and_none_below_it(void **state)
{
    struct pair pair;
    struct sealed *frames = calloc(3000, sizeof(*frames));
    (void)state;
    assert_non_null(frames);
    pair_open(&pair);
    for (int i = 0; i < 3000; i++) {
        frames[i] = seal(&pair);
    }
    assert_int_equal(opened(&pair, &frames[1500]), HK_OPENED_NEW);
    assert_int_equal(opened(&pair, &frames[1500 - 1023]), HK_OPENED_NEW);     /* the last one inside */
    assert_int_equal(opened(&pair, &frames[1500 - 1024]), HK_OPENED_TOO_OLD); /* the first one below */
    assert_int_equal(opened(&pair, &frames[1500 - 1023]), HK_OPENED_PENDING); /* no answer yet */
    assert_int_equal(opened(&pair, &frames[1501]), HK_OPENED_NEW);
    assert_int_equal(opened(&pair, &frames[1501 - 1023]), HK_OPENED_NEW);
    /* Below now, but still remembered. */
    assert_int_equal(opened(&pair, &frames[1500 - 1023]), HK_OPENED_PENDING);
    assert_int_equal(opened(&pair, &frames[2999]), HK_OPENED_NEW); /* farther than the window is wide */
    for (int i = 2998; i > 2999 - 1024; i--) {
        assert_int_equal(opened(&pair, &frames[i]), HK_OPENED_NEW);
    }
    assert_int_equal(opened(&pair, &frames[1501]), HK_OPENED_TOO_OLD);
    free(frames);
    pair_close(&pair);
}

/* A service that mixes up two requests, or wants to: the device sees it. */
static void answer_of_another_request_is_not_taken(void **state)
{
    (void)state;
    struct pair pair;
    struct hk_frame frame;
    uint8_t bytes[128], out[128];
    size_t size, length;
    pair_open(&pair);
    struct sealed first = seal(&pair), second = seal(&pair);
    assert_int_equal(opened(&pair, &first), HK_OPENED_NEW);
    assert_int_equal(
        hk_session_seal_answer(&pair.service, first.counter, "yes", 3, bytes, sizeof(bytes), &size), HK_OK);
    assert_int_equal(hk_frame_parse(&frame, bytes, size), HK_OK);
    assert_int_equal(hk_session_open_answer(&pair.device, &frame, second.counter, out, sizeof(out), &length),
                     HK_BAD_PEER);
    pair_close(&pair);
}

static void forged_frame_does_not_move_the_window(void **state)
{
    struct pair pair;
    struct sealed good, forged;
    uint8_t out[HK_FRAME_MAX];
    enum hk_opened what;
    size_t size;
    (void)state;
    pair_open(&pair);
    good = forged = seal(&pair);
    hk_put_u64(forged.bytes + 18, 500000); /* far ahead */
    assert_int_equal(open_request(&pair, &forged, &what, out, &size), HK_AUTH);
    assert_false(pair.service.confirmed);
    assert_int_equal(opened(&pair, &good), HK_OPENED_NEW);
    assert_true(pair.service.confirmed);
    pair_close(&pair);
}

static void kept_answers_are_sixty_four_and_64_kib_at_most(void **state)
{
    struct pair pair;
    struct sealed frames[80];
    (void)state;
    pair_open(&pair);
    for (int i = 0; i < 80; i++) {
        frames[i] = seal(&pair);
        assert_int_equal(opened(&pair, &frames[i]), HK_OPENED_NEW);
        answer(&pair, frames[i].counter, 16);
    }
    assert_int_equal(opened(&pair, &frames[15]), HK_OPENED_TOO_OLD);
    assert_int_equal(opened(&pair, &frames[16]), HK_OPENED_REPEAT);
    struct sealed large[2];
    for (int i = 0; i < 2; i++) {
        large[i] = seal(&pair);
        assert_int_equal(opened(&pair, &large[i]), HK_OPENED_NEW);
        answer(&pair, large[i].counter, 40000);
        assert_true(pair.service.answers_bytes <= HK_SESSION_ANSWER_BYTES);
    }
    assert_int_equal(opened(&pair, &large[0]), HK_OPENED_TOO_OLD);
    assert_int_equal(opened(&pair, &large[1]), HK_OPENED_REPEAT);
    assert_int_equal(opened(&pair, &frames[79]), HK_OPENED_TOO_OLD);
    pair_close(&pair);
}

static void kept_answers_go_after_half_a_minute(void **state)
{
    struct pair pair;
    (void)state;
    pair_open(&pair);
    struct sealed frame = seal(&pair);
    assert_int_equal(opened(&pair, &frame), HK_OPENED_NEW);
    answer(&pair, frame.counter, 16);
    hk_session_trim(&pair.service);
    assert_int_equal(opened(&pair, &frame), HK_OPENED_REPEAT);
    hk_test_session_clock(MINUTE, 0);
    hk_session_trim(&pair.service);
    assert_int_equal(opened(&pair, &frame), HK_OPENED_TOO_OLD);
    assert_int_equal(pair.service.answers_bytes, 0);
    pair_close(&pair);
}

static void other_frame_under_a_used_counter_gets_no_answer(void **state)
{
    struct pair pair;
    (void)state;
    pair_open(&pair);
    struct sealed frame = seal(&pair);
    assert_int_equal(opened(&pair, &frame), HK_OPENED_NEW);
    answer(&pair, frame.counter, 16);
    pair.device.next_counter = 0; /* a device that breaks the rules */
    assert_int_equal(hk_session_seal_request(&pair.device, "xyz", 3, frame.bytes, sizeof(frame.bytes),
                                             &frame.size, &frame.counter),
                     HK_OK);
    assert_int_equal(opened(&pair, &frame), HK_OPENED_TOO_OLD);
    pair_close(&pair);
}

static void session_ends_after_an_hour(void **state)
{
    struct pair pair;
    uint8_t out[HK_FRAME_MAX];
    size_t size;
    uint64_t counter;
    (void)state;
    pair_open(&pair);
    struct sealed frame = seal(&pair), late = seal(&pair);
    assert_int_equal(opened(&pair, &frame), HK_OPENED_NEW);
    hk_test_session_clock(53 * MINUTE, 0);
    assert_false(hk_session_is_old(&pair.device));
    hk_test_session_clock(55 * MINUTE, 0);
    assert_true(hk_session_is_old(&pair.device));
    assert_false(hk_session_is_over(&pair.device));
    hk_test_session_clock(60 * MINUTE, 0);
    assert_true(hk_session_is_over(&pair.device));
    assert_int_equal(hk_session_seal_request(&pair.device, "a", 1, out, sizeof(out), &size, &counter),
                     HK_NOT_FOUND);
    enum hk_opened what;
    assert_int_equal(open_request(&pair, &late, &what, out, &size), HK_NOT_FOUND);
    /* What was accepted before may still be answered for a minute. */
    assert_int_equal(hk_session_seal_answer(&pair.service, frame.counter, "a", 1, out, sizeof(out), &size),
                     HK_OK);
    hk_test_session_clock(62 * MINUTE, 0);
    assert_int_equal(hk_session_seal_answer(&pair.service, frame.counter, "a", 1, out, sizeof(out), &size),
                     HK_NOT_FOUND);
    pair_close(&pair);
}

static void session_ends_when_the_machine_was_suspended(void **state)
{
    struct pair pair;
    (void)state;
    pair_open(&pair);
    assert_false(hk_session_is_over(&pair.device));
    hk_test_session_clock(MINUTE, MINUTE);
    assert_true(hk_session_is_over(&pair.device));
    assert_true(hk_session_is_over(&pair.service));
    pair_close(&pair);
}

static void session_ends_after_its_last_frame(void **state)
{
    struct pair pair;
    struct sealed last;
    uint8_t out[256];
    size_t size;
    uint64_t counter;
    (void)state;
    pair_open(&pair);
    pair.device.next_counter = HK_SESSION_FRAMES - 1;
    last = seal(&pair);
    assert_int_equal(opened(&pair, &last), HK_OPENED_NEW);
    assert_int_equal(hk_session_seal_request(&pair.device, "a", 1, out, sizeof(out), &size, &counter),
                     HK_NOT_FOUND);
    assert_true(hk_session_is_over(&pair.device));
    pair_close(&pair);
}

static void session_is_of_no_use_in_a_forked_child(void **state)
{
    struct pair pair;
    int status;
    (void)state;
    pair_open(&pair);
    pid_t child = fork();
    if (child == 0) {
        uint8_t out[256];
        size_t size;
        uint64_t counter;
        bool ended =
            hk_session_is_over(&pair.device) && hk_is_zero(pair.keys[0], sizeof(*pair.keys[0])) &&
            hk_session_seal_request(&pair.device, "a", 1, out, sizeof(out), &size, &counter) == HK_NOT_FOUND;
        _exit(ended ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(hk_session_is_over(&pair.device));
    pair_close(&pair);
}

static void closed_session_holds_nothing(void **state)
{
    struct pair pair;
    uint8_t out[HK_FRAME_MAX];
    size_t size;
    enum hk_opened what;
    (void)state;
    pair_open(&pair);
    struct sealed frame = seal(&pair);
    assert_int_equal(opened(&pair, &frame), HK_OPENED_NEW);
    answer(&pair, frame.counter, 100);
    assert_ptr_equal(hk_session_close(&pair.service), pair.keys[1]);
    assert_true(hk_is_zero(pair.keys[1], sizeof(*pair.keys[1])));
    assert_int_equal(pair.service.answers_bytes, 0);
    assert_null(hk_session_close(&pair.service));
    assert_int_equal(open_request(&pair, &frame, &what, out, &size), HK_NOT_FOUND);
    hk_session_keep(&pair.service, frame.counter, out, 10);
    assert_int_equal(pair.service.answers_bytes, 0);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_takes_every_frame_once_and_none_below_it),
        cmocka_unit_test(answer_of_another_request_is_not_taken),
        cmocka_unit_test(forged_frame_does_not_move_the_window),
        cmocka_unit_test(kept_answers_are_sixty_four_and_64_kib_at_most),
        cmocka_unit_test(kept_answers_go_after_half_a_minute),
        cmocka_unit_test(other_frame_under_a_used_counter_gets_no_answer),
        cmocka_unit_test(session_ends_after_an_hour),
        cmocka_unit_test(session_ends_when_the_machine_was_suspended),
        cmocka_unit_test(session_ends_after_its_last_frame),
        cmocka_unit_test(session_is_of_no_use_in_a_forked_child),
        cmocka_unit_test(closed_session_holds_nothing),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

/* What passes between command line and agent: every field of the table at its bounds, strict decoding, and
 * frames over a real socket that comes in pieces, stops, or ends. */
#include "device/agent_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    enum hk_agent_field field;
    enum hk_field_type type;
    size_t min, max;
} fields[] = {
#define ROW(id, number, type, min, max) {id, type, min, max},
    HK_AGENT_FIELDS(ROW)
#undef ROW
};
#define FIELDS (sizeof(fields) / sizeof(*fields))

static struct hk_agent_message message, decoded;
static uint8_t encoded[HK_AGENT_FRAME_MAX], content[1 << 17];
static size_t size;

/* A message of one field with a value of so many bytes, of one element for a list. */
static void make(size_t place, size_t bytes)
{
    hk_agent_message_init(&message);
    if (fields[place].type == HK_U64) {
        hk_agent_set_u64(&message, fields[place].field, bytes);
    } else if (fields[place].type == HK_LIST) {
        assert_true(hk_agent_add(&message, fields[place].field, content, bytes));
    } else {
        hk_agent_set_bytes(&message, fields[place].field, content, bytes);
    }
}

static enum hk_error encode(void)
{
    return hk_agent_encode(&message, encoded, sizeof(encoded), &size);
}

static void assert_comes_back(size_t place, size_t bytes)
{
    const struct hk_value *value = &decoded.value[fields[place].field];
    assert_int_equal(hk_agent_decode(&decoded, encoded, size), HK_OK);
    assert_int_equal(decoded.present, HK_BIT(fields[place].field));
    if (fields[place].type == HK_U64) {
        assert_int_equal(value->number, bytes);
    } else if (fields[place].type == HK_LIST) {
        assert_int_equal(value->count, 1);
        assert_int_equal(value->items[0].size, bytes);
        assert_memory_equal(value->items[0].data, content, bytes);
    } else {
        assert_int_equal(value->size, bytes);
        assert_memory_equal(value->data, content, bytes);
    }
}

static void every_field_passes_at_its_bounds_and_not_beyond(void **state)
{
    (void)state;
    memset(content, 'a', sizeof(content));
    for (size_t i = 0; i < FIELDS; i++) {
        const size_t bounds[] = {fields[i].min, fields[i].max};
        for (size_t k = 0; k < 2; k++) {
            make(i, bounds[k]);
            assert_int_equal(encode(), HK_OK);
            assert_comes_back(i, bounds[k]);
        }
        if (fields[i].type == HK_U64) {
            make(i, SIZE_MAX);
            assert_int_equal(encode(), HK_OK);
            assert_comes_back(i, SIZE_MAX);
            continue;
        }
        make(i, fields[i].max + 1);
        assert_int_equal(encode(), HK_BAD_ENCODING);
        if (fields[i].min > 0) {
            make(i, fields[i].min - 1);
            assert_int_equal(encode(), HK_BAD_ENCODING);
        }
    }
}

/* The decoder does not trust the encoder on the other side. */
static void a_length_outside_the_table_is_not_decoded(void **state)
{
    (void)state;
    /* {11: 31 bytes}: HK_A_PUBLIC has 32 or 33 */
    uint8_t short_key[2 + 2 + 31] = {0xa1, 11, 0x58, 31};
    assert_int_equal(hk_agent_decode(&decoded, short_key, sizeof(short_key)), HK_BAD_ENCODING);
    uint8_t good_key[2 + 2 + 32] = {0xa1, 11, 0x58, 32};
    assert_int_equal(hk_agent_decode(&decoded, good_key, sizeof(good_key)), HK_OK);
    const uint8_t control[] = {0xa1, 8, 0x61, 0x07}; /* a key's name that rings */
    assert_int_equal(hk_agent_decode(&decoded, control, sizeof(control)), HK_BAD_ENCODING);
}

static void numbers_that_are_no_fields_are_not_decoded(void **state)
{
    (void)state;
    unsigned known = 0;
    for (unsigned number = 0; number < 256; number++) {
        bool is_number = false;
        for (size_t i = 0; i < FIELDS; i++) {
            is_number = is_number || (fields[i].field == number && fields[i].type == HK_U64);
        }
        const uint8_t small[] = {0xa1, (uint8_t)number, 5}, large[] = {0xa1, 0x18, (uint8_t)number, 5};
        enum hk_error error = number < 24 ? hk_agent_decode(&decoded, small, sizeof(small))
                                          : hk_agent_decode(&decoded, large, sizeof(large));
        assert_int_equal(error == HK_OK, is_number);
        known += error == HK_OK;
    }
    assert_true(known > 10);
}

static void fields_twice_out_of_order_or_cut_are_not_decoded(void **state)
{
    (void)state;
    const uint8_t twice[] = {0xa2, 0, 1, 0, 1}, order[] = {0xa2, 1, 1, 0, 1}, good[] = {0xa2, 0, 1, 1, 1};
    const uint8_t more[] = {0xa1, 0, 1, 0}, long_form[] = {0xa1, 0, 0x18, 1};
    assert_int_equal(hk_agent_decode(&decoded, good, sizeof(good)), HK_OK);
    assert_int_equal(hk_agent_decode(&decoded, twice, sizeof(twice)), HK_BAD_ENCODING);
    assert_int_equal(hk_agent_decode(&decoded, order, sizeof(order)), HK_BAD_ENCODING);
    assert_int_equal(hk_agent_decode(&decoded, more, sizeof(more)), HK_BAD_ENCODING);
    assert_int_equal(hk_agent_decode(&decoded, long_form, sizeof(long_form)), HK_BAD_ENCODING);
    for (size_t cut = 0; cut < sizeof(good); cut++) {
        assert_int_equal(hk_agent_decode(&decoded, good, cut), HK_BAD_ENCODING);
    }
}

static void lists_are_bounded_over_all_of_a_message(void **state)
{
    (void)state;
    hk_agent_message_init(&message);
    for (size_t i = 0; i < HK_AGENT_ITEMS_MAX; i++) {
        assert_true(hk_agent_add(&message, HK_A_KEYS, "x", 1));
    }
    assert_false(hk_agent_add(&message, HK_A_KEYS, "x", 1));
    assert_int_equal(encode(), HK_OK);
    assert_int_equal(hk_agent_decode(&decoded, encoded, size), HK_OK);
    assert_int_equal(decoded.value[HK_A_KEYS].count, HK_AGENT_ITEMS_MAX);
    encoded[4]++; /* {15: array of 4096}: one element more than there may be */
    assert_int_equal(hk_agent_decode(&decoded, encoded, size), HK_BAD_ENCODING);
}

static void texts_end_with_a_zero_or_are_not_there(void **state)
{
    (void)state;
    char text[6];
    hk_agent_message_init(&message);
    hk_agent_text(&message, HK_A_KEY, text, sizeof(text));
    assert_string_equal(text, "");
    hk_agent_set_text(&message, HK_A_KEY, "abcde");
    hk_agent_text(&message, HK_A_KEY, text, sizeof(text));
    assert_string_equal(text, "abcde");
    hk_agent_set_text(&message, HK_A_KEY, "abcdef");
    hk_agent_text(&message, HK_A_KEY, text, sizeof(text));
    assert_string_equal(text, ""); /* never a part of one */
    assert_int_equal(hk_agent_u64(&message, HK_A_EPOCH), 0);
}

/* ---- rows ---- */

static void rows_come_back_as_they_were(void **state)
{
    (void)state;
    struct hk_agent_key_row key = {
        .suite = 4, .name = "coin", .created = 7, .public_size = 33, .imported = true};
    struct hk_agent_key_row key_again;
    memset(key.public_key, 9, 33);
    assert_int_equal(hk_agent_key_row_encode(&key, encoded, sizeof(encoded), &size), HK_OK);
    assert_int_equal(hk_agent_key_row_decode(&key_again, HK_BYTES(encoded, size)), HK_OK);
    assert_memory_equal(&key_again, &key, sizeof(key));
    assert_int_equal(hk_agent_key_row_decode(&key_again, HK_BYTES(encoded, size - 1)), HK_BAD_ENCODING);
    struct hk_agent_device_row device = {.name = "phone", .role = HK_ROLE_ADMIN, .is_this = true, .epoch = 3};
    struct hk_agent_device_row device_again;
    device.status = HK_STATUS_SUSPENDED;
    device.reported = UINT64_MAX;
    assert_int_equal(hk_agent_device_row_encode(&device, encoded, sizeof(encoded), &size), HK_OK);
    assert_int_equal(hk_agent_device_row_decode(&device_again, HK_BYTES(encoded, size)), HK_OK);
    assert_memory_equal(&device_again, &device, sizeof(device));
    assert_int_equal(hk_agent_device_row_encode(&device, encoded, 10, &size), HK_TOO_LARGE);
}

/* ---- frames ---- */

static int ends[2];

static int open_ends(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static int close_ends(void **state)
{
    (void)state;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}

static void frames_arrive_whole_however_they_are_cut(void **state)
{
    (void)state;
    static uint8_t got[64];
    size_t length;
    const uint8_t frame[] = {0, 0, 0, 5, 'a', 'b', 'c', 'd', 'e'};
    assert_int_equal(hk_agent_send(ends[0], (const uint8_t *)"one", 3), HK_OK);
    assert_int_equal(hk_agent_send(ends[0], (const uint8_t *)"", 0), HK_OK);
    assert_int_equal(hk_agent_receive(ends[1], got, sizeof(got), &length, 1000), HK_OK);
    assert_int_equal(length, 3);
    assert_memory_equal(got, "one", 3);
    assert_int_equal(hk_agent_receive(ends[1], got, sizeof(got), &length, 1000), HK_OK);
    assert_int_equal(length, 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* a byte at a time */
        for (size_t i = 0; i < sizeof(frame); i++) {
            (void)usleep(2000);
            (void)!write(ends[0], &frame[i], 1);
        }
        _exit(0);
    }
    assert_int_equal(hk_agent_receive(ends[1], got, sizeof(got), &length, 2000), HK_OK);
    assert_int_equal(length, 5);
    assert_memory_equal(got, "abcde", 5);
}

static void a_frame_that_is_too_long_stops_or_ends_is_told_apart(void **state)
{
    (void)state;
    static uint8_t got[64];
    size_t length = 77;
    assert_int_equal(hk_agent_send(ends[0], content, HK_AGENT_FRAME_MAX + 1), HK_TOO_LARGE);
    const uint8_t too_long[] = {0, 0, 0, 65}, half[] = {0, 0, 0, 9, 1, 2};
    assert_int_equal(write(ends[0], too_long, sizeof(too_long)), sizeof(too_long));
    assert_int_equal(hk_agent_receive(ends[1], got, sizeof(got), &length, 1000), HK_TOO_LARGE);
    assert_int_equal(hk_agent_receive(ends[1], got, sizeof(got), &length, 30), HK_TIMEOUT);
    assert_int_equal(write(ends[0], half, sizeof(half)), sizeof(half));
    assert_int_equal(hk_agent_receive(ends[1], got, sizeof(got), &length, 30), HK_TIMEOUT);
    assert_int_equal(write(ends[0], half, sizeof(half)), sizeof(half));
    assert_int_equal(shutdown(ends[0], SHUT_WR), 0);
    assert_int_equal(hk_agent_receive(ends[1], got, sizeof(got), &length, 1000), HK_IO); /* in the middle */
    assert_int_equal(hk_agent_receive(ends[1], got, sizeof(got), &length, 1000),
                     HK_NOT_FOUND); /* a clean end */
    assert_int_equal(length, 77);
    (void)close(ends[1]);
    assert_int_equal(hk_agent_send(ends[0], content, 8), HK_IO); /* and no signal */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_passes_at_its_bounds_and_not_beyond),
        cmocka_unit_test(a_length_outside_the_table_is_not_decoded),
        cmocka_unit_test(numbers_that_are_no_fields_are_not_decoded),
        cmocka_unit_test(fields_twice_out_of_order_or_cut_are_not_decoded),
        cmocka_unit_test(lists_are_bounded_over_all_of_a_message),
        cmocka_unit_test(texts_end_with_a_zero_or_are_not_there),
        cmocka_unit_test(rows_come_back_as_they_were),
        cmocka_unit_test_setup_teardown(frames_arrive_whole_however_they_are_cut, open_ends, close_ends),
        cmocka_unit_test_setup_teardown(a_frame_that_is_too_long_stops_or_ends_is_told_apart, open_ends,
                                        close_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

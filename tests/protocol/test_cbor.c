/* Deterministic CBOR: every value has one encoding, and the reader takes no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "protocol/cbor.h"
#include "protocol/encoding.h"

static size_t from_hex(uint8_t *out, const char *hex)
{
    size_t size = strlen(hex) / 2;
    assert_int_equal(hk_hex_decode(out, size, hex, strlen(hex)), HK_OK);
    return size;
}

/* Exactly sized on the heap, so that a sanitizer sees a read past the end. */
static enum hk_error check_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    if (size != 0) {
        memcpy(copy, data, size);
    }
    enum hk_error error = hk_cbor_check(copy, size);
    free(copy);
    return error;
}

static enum hk_error check_hex(const char *hex)
{
    uint8_t data[256];
    return check_exact(data, from_hex(data, hex));
}

/* RFC 8949 appendix A, those of its examples that are in deterministic encoding. */
static const char *const deterministic[] = {"00",
                                            "01",
                                            "0a",
                                            "17",
                                            "1818",
                                            "1819",
                                            "1864",
                                            "1903e8",
                                            "1a000f4240",
                                            "1b000000e8d4a51000",
                                            "1bffffffffffffffff",
                                            "c249010000000000000000",
                                            "3bffffffffffffffff",
                                            "c349010000000000000000",
                                            "20",
                                            "29",
                                            "3863",
                                            "3903e7",
                                            "f90000",
                                            "f98000",
                                            "f93c00",
                                            "fb3ff199999999999a",
                                            "f93e00",
                                            "f97bff",
                                            "fa47c35000",
                                            "fa7f7fffff",
                                            "fb7e37e43c8800759c",
                                            "f90001",
                                            "f90400",
                                            "f9c400",
                                            "fbc010666666666666",
                                            "f97c00",
                                            "f97e00",
                                            "f9fc00",
                                            "f4",
                                            "f5",
                                            "f6",
                                            "f7",
                                            "f0",
                                            "f8ff",
                                            "c074323031332d30332d32315432303a30343a30305a",
                                            "c11a514b67b0",
                                            "c1fb41d452d9e8000000",
                                            "d74401020304",
                                            "d818456449455446",
                                            "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
                                            "40",
                                            "4401020304",
                                            "60",
                                            "6161",
                                            "6449455446",
                                            "62225c",
                                            "62c3bc",
                                            "63e6b0b4",
                                            "64f0908591",
                                            "80",
                                            "83010203",
                                            "8301820203820405",
                                            "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
                                            "a0",
                                            "a201020304",
                                            "a26161016162820203",
                                            "826161a161626163",
                                            "a56161614161626142616361436164614461656145"};

static const char *const refused[] = {
    /* appendix A: indefinite lengths, floats that could be shorter, another NaN */
    "5f42010243030405ff", "7f657374726561646d696e67ff", "9fff", "9f018202039f0405ffff", "83018202039f0405ff",
    "bf61610161629f0203ffff", "826161bf61626163ff", "fa7f800000", "fb7ff0000000000000", "fa7fc00000",
    "fb7ff8000000000000", "faff800000", "f97e01",
    /* floats with a shorter form: 1.0, 65504.0, the smallest subnormal half; 1.5 and the smallest subnormal
       single */
    "fa3f800000", "fa477fe000", "fa33800000", "fa38ffc000", "fb3ff8000000000000", "fb36a0000000000000",
    /* integers and lengths that could be shorter */
    "1800", "1817", "190017", "1900ff", "1a0000ffff", "1b00000000ffffffff", "3817", "5800", "590001aa",
    "7800", "9800", "b800", "d80100", "980101",
    /* simple values: 0 to 31 in two bytes */
    "f800", "f814", "f818", "f81f",
    /* reserved and lonely breaks */
    "1c", "1d", "1e", "1f", "3f", "5c", "7d", "9e", "bc", "dc", "df00", "fc", "fd", "fe", "ff",
    /* nothing, too much, too little */
    "", "0000", "18", "19ff", "1affffff", "41", "4201", "6261", "81", "8201", "a1", "a101", "a20102", "c0",
    "f8", "f9", "f900", "fa000000", "fb00000000000000",
    /* lengths that the input cannot hold */
    "5bffffffffffffffff", "7bffffffffffffffff", "9bffffffffffffffff", "bbffffffffffffffff",
    "bb8000000000000000",
    /* map keys: twice, out of order (integers, texts, by length, by type), nested keys */
    "a201020102", "a202030102", "a2616201616101", "a2626161016162 02", "a2616100 0100", "a2810200810100",
    "a2810100810100", "8181a201000100",
    /* text that is not UTF-8: lone continuation, overlong, surrogate, above U+10FFFF, cut off */
    "6180", "62c080", "63e08080", "63eda080", "64f08080 80", "64f4908080", "61c3", "62e6b0", "61ff", "61f5"};

static void every_deterministic_example_of_appendix_a_is_read_and_written_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(deterministic) / sizeof(*deterministic); i++) {
        uint8_t data[256], again[256];
        size_t size = from_hex(data, deterministic[i]), written;
        struct hk_cbor_reader reader;
        struct hk_cbor_writer writer;
        struct hk_cbor_item item;
        assert_int_equal(check_exact(data, size), HK_OK);
        hk_cbor_reader_init(&reader, data, size);
        hk_cbor_writer_init(&writer, again, sizeof(again));
        while (reader.at != reader.end) {
            assert_true(hk_cbor_next(&reader, &item));
            hk_cbor_put_item(&writer, &item);
        }
        assert_int_equal(hk_cbor_writer_finish(&writer, &written), HK_OK);
        assert_int_equal(written, size);
        assert_memory_equal(again, data, size);
    }
}

static void anything_but_the_one_encoding_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        char hex[128];
        size_t n = 0;
        for (const char *c = refused[i]; *c != '\0'; c++) {
            if (*c != ' ') {
                hex[n++] = *c;
            }
        }
        hex[n] = '\0';
        if (check_hex(hex) != HK_BAD_ENCODING) {
            fail_msg("accepted: %s", refused[i]);
        }
    }
}

static void every_truncation_and_every_extension_of_an_item_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(deterministic) / sizeof(*deterministic); i++) {
        uint8_t data[256];
        size_t size = from_hex(data, deterministic[i]);
        for (size_t cut = 0; cut < size; cut++) {
            assert_int_equal(check_exact(data, cut), HK_BAD_ENCODING);
        }
        data[size] = 0;
        assert_int_equal(check_exact(data, size + 1), HK_BAD_ENCODING);
    }
}

/* Writes again what was read, item by item: an accepted input must come out as it went in. */
static void whatever_is_accepted_is_written_again_byte_for_byte(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 200000; round++) {
        uint8_t data[24], again[24];
        size_t size, written;
        hk_random(data, sizeof(data));
        size = data[0] % sizeof(data);
        memmove(data, data + 1, sizeof(data) - 1);
        if (check_exact(data, size) != HK_OK) {
            continue;
        }
        struct hk_cbor_reader reader;
        struct hk_cbor_writer writer;
        struct hk_cbor_item item;
        hk_cbor_reader_init(&reader, data, size);
        hk_cbor_writer_init(&writer, again, sizeof(again));
        while (reader.at != reader.end) {
            assert_true(hk_cbor_next(&reader, &item));
            hk_cbor_put_item(&writer, &item);
        }
        assert_int_equal(hk_cbor_writer_finish(&writer, &written), HK_OK);
        assert_int_equal(written, size);
        assert_memory_equal(again, data, size);
    }
}

static void integers_around_every_boundary_are_written_shortest_and_read_back(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        size_t size;
    } cases[] = {{0, 1},         {23, 1},         {24, 2},
                 {255, 2},       {256, 3},        {65535, 3},
                 {65536, 5},     {UINT32_MAX, 5}, {(uint64_t)UINT32_MAX + 1, 9},
                 {UINT64_MAX, 9}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t out[16];
        size_t size;
        struct hk_cbor_writer writer;
        struct hk_cbor_reader reader;
        hk_cbor_writer_init(&writer, out, sizeof(out));
        hk_cbor_put_uint(&writer, cases[i].value);
        assert_int_equal(hk_cbor_writer_finish(&writer, &size), HK_OK);
        assert_int_equal(size, cases[i].size);
        hk_cbor_reader_init(&reader, out, size);
        assert_true(hk_cbor_get_uint(&reader) == cases[i].value);
        assert_int_equal(hk_cbor_reader_finish(&reader), HK_OK);
    }
    static const int64_t signed_values[] = {0, -1, -24, -25, -256, -257, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof(signed_values) / sizeof(*signed_values); i++) {
        uint8_t out[16];
        size_t size;
        struct hk_cbor_writer writer;
        struct hk_cbor_reader reader;
        hk_cbor_writer_init(&writer, out, sizeof(out));
        hk_cbor_put_int(&writer, signed_values[i]);
        assert_int_equal(hk_cbor_writer_finish(&writer, &size), HK_OK);
        hk_cbor_reader_init(&reader, out, size);
        assert_true(hk_cbor_get_int(&reader) == signed_values[i]);
        assert_int_equal(hk_cbor_reader_finish(&reader), HK_OK);
    }
}

static void integers_outside_of_int64_are_refused_as_signed(void **state)
{
    (void)state;
    static const char *const hex[] = {"1b8000000000000000", "3b8000000000000000", "3bffffffffffffffff"};
    for (size_t i = 0; i < 3; i++) {
        uint8_t data[9];
        struct hk_cbor_reader reader;
        hk_cbor_reader_init(&reader, data, from_hex(data, hex[i]));
        assert_true(hk_cbor_get_int(&reader) == 0);
        assert_int_equal(hk_cbor_reader_finish(&reader), HK_BAD_ENCODING);
    }
}

static void writer_refuses_every_buffer_that_is_too_short_and_stays_inside_it(void **state)
{
    (void)state;
    for (size_t max = 0; max < 20; max++) {
        uint8_t *out = malloc(max == 0 ? 1 : max);
        size_t size = 77;
        struct hk_cbor_writer writer;
        assert_non_null(out);
        hk_cbor_writer_init(&writer, out, max);
        hk_cbor_put_map(&writer, 2);           /* 1 */
        hk_cbor_put_uint(&writer, 1);          /* 1 */
        hk_cbor_put_bytes(&writer, "abcd", 4); /* 5 */
        hk_cbor_put_uint(&writer, 300);        /* 3 */
        hk_cbor_put_array(&writer, 2);         /* 1 */
        hk_cbor_put_bool(&writer, true);       /* 1 */
        hk_cbor_put_text(&writer, "xyz", 3);   /* 4 */
        enum hk_error error = hk_cbor_writer_finish(&writer, &size);
        assert_int_equal(error, max < 16 ? HK_TOO_LARGE : HK_OK);
        assert_int_equal(size, max < 16 ? 77 : 16);
        free(out);
    }
}

static void reader_remembers_the_first_fault(void **state)
{
    (void)state;
    const uint8_t data[] = {0x01, 0x41, 0xaa, 0x02};
    uint8_t fixed[2] = {7, 7};
    struct hk_cbor_reader reader;
    struct hk_cbor_map map;
    uint64_t key;
    hk_cbor_reader_init(&reader, data, sizeof(data));
    assert_int_equal(hk_cbor_get_uint(&reader), 1);
    hk_cbor_get_fixed(&reader, fixed, 2);
    assert_int_equal(fixed[0], 7);
    assert_int_equal(hk_cbor_get_uint(&reader), 0);
    assert_null(hk_cbor_get_bytes(&reader, 0, 9).data);
    assert_false(hk_cbor_get_bool(&reader));
    hk_cbor_get_map(&reader, &map, 9);
    assert_false(hk_cbor_map_next_uint(&reader, &map, &key));
    assert_null(hk_cbor_skip(&reader).data);
    assert_int_equal(hk_cbor_reader_finish(&reader), HK_BAD_ENCODING);
}

static void bounds_of_strings_arrays_and_maps_are_kept(void **state)
{
    (void)state;
    const uint8_t string[] = {0x43, 1, 2, 3}, array[] = {0x82, 1, 2}, map[] = {0xa1, 1, 2};
    for (size_t bound = 0; bound < 6; bound++) {
        struct hk_cbor_reader reader;
        struct hk_cbor_map pairs;
        hk_cbor_reader_init(&reader, string, sizeof(string));
        (void)hk_cbor_get_bytes(&reader, 0, bound);
        assert_int_equal(reader.error == HK_OK, bound >= 3);
        hk_cbor_reader_init(&reader, string, sizeof(string));
        (void)hk_cbor_get_bytes(&reader, bound, 9);
        assert_int_equal(reader.error == HK_OK, bound <= 3);
        hk_cbor_reader_init(&reader, array, sizeof(array));
        (void)hk_cbor_get_array(&reader, bound);
        assert_int_equal(reader.error == HK_OK, bound >= 2);
        hk_cbor_reader_init(&reader, map, sizeof(map));
        hk_cbor_get_map(&reader, &pairs, bound);
        assert_int_equal(reader.error == HK_OK, bound >= 1);
    }
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    uint8_t data[HK_CBOR_DEPTH + 3];
    for (size_t depth = 0; depth <= HK_CBOR_DEPTH + 1; depth++) {
        memset(data, 0x81, depth);
        data[depth] = 0;
        assert_int_equal(hk_cbor_check(data, depth + 1), depth <= HK_CBOR_DEPTH ? HK_OK : HK_BAD_ENCODING);
        memset(data, 0xc1, depth);
        assert_int_equal(hk_cbor_check(data, depth + 1), depth <= HK_CBOR_DEPTH ? HK_OK : HK_BAD_ENCODING);
    }
}

static void names_with_control_characters_are_not_printable(void **state)
{
    (void)state;
    assert_true(hk_text_is_printable("Alice's laptop \xc3\xbc \xf0\x9f\x94\x91", 22));
    assert_false(hk_text_is_printable("a\nb", 3));
    assert_false(hk_text_is_printable("a\0b", 3));
    assert_false(hk_text_is_printable("a\x1b[2J", 5));
    assert_false(hk_text_is_printable("a\x7f", 2));
    assert_false(hk_text_is_printable("a\xc2\x9b", 3));
    assert_true(hk_utf8_is_valid("a\xc2\x9b", 3));
    assert_true(hk_text_is_printable("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_deterministic_example_of_appendix_a_is_read_and_written_again),
        cmocka_unit_test(anything_but_the_one_encoding_is_refused),
        cmocka_unit_test(every_truncation_and_every_extension_of_an_item_is_refused),
        cmocka_unit_test(whatever_is_accepted_is_written_again_byte_for_byte),
        cmocka_unit_test(integers_around_every_boundary_are_written_shortest_and_read_back),
        cmocka_unit_test(integers_outside_of_int64_are_refused_as_signed),
        cmocka_unit_test(writer_refuses_every_buffer_that_is_too_short_and_stays_inside_it),
        cmocka_unit_test(reader_remembers_the_first_fault),
        cmocka_unit_test(bounds_of_strings_arrays_and_maps_are_kept),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(names_with_control_characters_are_not_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lines of Assuan: bounded, and what is escaped comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "device/assuan.h"

/* Memory that is read in pieces of `piece` bytes, and memory that is written to. */
struct tape {
    const uint8_t *data;
    size_t size, at, piece;
    uint8_t out[8192];
    size_t written;
};

static enum hk_error tape_read(void *context, uint8_t *out, size_t max, size_t *got)
{
    struct tape *tape = context;
    size_t n = tape->size - tape->at;
    n = n < max ? n : max;
    n = n < tape->piece ? n : tape->piece;
    memcpy(out, tape->data + tape->at, n);
    tape->at += n;
    *got = n;
    return HK_OK;
}

static enum hk_error tape_write(void *context, const uint8_t *data, size_t size)
{
    struct tape *tape = context;
    assert_true(size <= sizeof tape->out - tape->written);
    memcpy(tape->out + tape->written, data, size);
    tape->written += size;
    return HK_OK;
}

static struct hk_assuan assuan;

static void open_tape(struct tape *tape, const void *data, size_t size, size_t piece)
{
    *tape = (struct tape){.data = data, .size = size, .piece = piece};
    hk_assuan_init(&assuan, (struct hk_source){tape_read, tape}, (struct hk_sink){tape_write, tape});
}

static void lines_are_read_whatever_pieces_they_come_in(void **state)
{
    (void)state;
    static const char text[] = "OK\nD a\0b\r\n\nSERIALNO openpgp\nunfinished";
    char line[HK_ASSUAN_LINE_MAX + 1];
    struct tape tape;
    for (size_t piece = 1; piece < sizeof text; piece++) {
        size_t size = 99;
        open_tape(&tape, text, sizeof text - 1, piece);
        assert_int_equal(hk_assuan_read(&assuan, line, &size), HK_OK);
        assert_string_equal(line, "OK");
        assert_int_equal(hk_assuan_read(&assuan, line, &size), HK_OK);
        assert_int_equal(size, 5);
        assert_memory_equal(line, "D a\0b", 6);
        assert_int_equal(hk_assuan_read(&assuan, line, &size), HK_OK);
        assert_int_equal(size, 0);
        assert_int_equal(hk_assuan_read(&assuan, line, &size), HK_OK);
        assert_string_equal(line, "SERIALNO openpgp");
        assert_int_equal(hk_assuan_read(&assuan, line, &size), HK_NOT_FOUND);
    }
}

static void a_line_has_a_thousand_bytes_and_no_more(void **state)
{
    (void)state;
    uint8_t text[4096];
    char line[HK_ASSUAN_LINE_MAX + 1];
    struct tape tape;
    size_t size;
    for (size_t length = HK_ASSUAN_LINE_MAX - 1; length <= HK_ASSUAN_LINE_MAX + 3; length++) {
        for (int carriage = 0; carriage < 2; carriage++) {
            memset(text, 'x', sizeof text);
            memcpy(text + length, carriage ? "\r\n" : "\n", 2);
            open_tape(&tape, text, length + 1 + (size_t)carriage, 700);
            assert_int_equal(hk_assuan_read(&assuan, line, &size),
                             length <= HK_ASSUAN_LINE_MAX ? HK_OK : HK_TOO_LARGE);
        }
    }
    memset(text, 'x', sizeof text); /* and no line end at all */
    open_tape(&tape, text, sizeof text, 4096);
    assert_int_equal(hk_assuan_read(&assuan, line, &size), HK_TOO_LARGE);
    open_tape(&tape, "BYE\0\n", 5, 5);
    assert_int_equal(hk_assuan_read(&assuan, line, &size), HK_BAD_ENCODING);
}

static void data_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t data[2500], got[2500];
    char line[HK_ASSUAN_LINE_MAX + 1];
    struct tape out, in;
    for (size_t size = 0; size < sizeof data; size += 97) {
        hk_random(data, size);
        for (size_t i = 0; i < size; i += 3)
            data[i] = (uint8_t) "%\r\n\0"[data[i] % 4];
        open_tape(&out, NULL, 0, 1);
        assert_int_equal(hk_assuan_write_data(&assuan, data, size), HK_OK);
        open_tape(&in, out.out, out.written, 333);
        size_t have = 0, length, n;
        while (hk_assuan_read(&assuan, line, &length) == HK_OK) {
            assert_memory_equal(line, "D ", 2);
            assert_int_equal(hk_assuan_unescape(got + have, sizeof got - have, &n, line + 2, length - 2),
                             HK_OK);
            have += n;
        }
        assert_int_equal(have, size);
        assert_memory_equal(got, data, size);
    }
}

static void what_is_not_escaped_well_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum hk_error wanted;
        const char *plain;
    } rows[] = {{"", HK_OK, ""},
                {"a%25b%0a%0D", HK_OK, "a%b\n\r"},
                {"%", HK_BAD_ENCODING, NULL},
                {"%2", HK_BAD_ENCODING, NULL},
                {"a%zz", HK_BAD_ENCODING, NULL},
                {"% 1", HK_BAD_ENCODING, NULL},
                {"0123456789", HK_TOO_LARGE, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t out[8];
        size_t size = 99;
        assert_int_equal(hk_assuan_unescape(out, sizeof out, &size, rows[i].text, strlen(rows[i].text)),
                         rows[i].wanted);
        assert_int_equal(size, rows[i].plain ? strlen(rows[i].plain) : 99);
        if (rows[i].plain)
            assert_memory_equal(out, rows[i].plain, size);
    }
}

static void what_is_written_stays_one_line(void **state)
{
    (void)state;
    char big[3000];
    struct tape tape;
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = 0;
    open_tape(&tape, NULL, 0, 1);
    assert_int_equal(hk_assuan_write(&assuan, "ERR 1 %s", "two\nlines\r"), HK_OK);
    assert_int_equal(tape.written, 17);
    assert_memory_equal(tape.out, "ERR 1 two lines \n", 17);
    assert_int_equal(hk_assuan_write(&assuan, "S %s", big), HK_OK);
    assert_int_equal(tape.written, 17 + HK_ASSUAN_LINE_MAX + 1);
}

static void commands_words_and_options_are_told_apart(void **state)
{
    (void)state;
    char line[] = "pksign   --hash=sha512 HALFKEY.00  ", *rest = hk_assuan_is(line, "PKSIGN");
    assert_string_equal(rest, "--hash=sha512 HALFKEY.00");
    assert_null(hk_assuan_is(line, "PKSIG"));
    assert_null(hk_assuan_is(line, "PKSIGNS"));
    char *word = hk_assuan_word(&rest);
    assert_string_equal(hk_assuan_option(word, "hash"), "sha512");
    assert_null(hk_assuan_option(word, "has"));
    assert_null(hk_assuan_option(word, "hashes"));
    assert_string_equal(hk_assuan_word(&rest), "HALFKEY.00");
    assert_null(hk_assuan_word(&rest));
    assert_string_equal(hk_assuan_option("--append", "append"), "");
    assert_null(hk_assuan_option("append", "append"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_whatever_pieces_they_come_in),
        cmocka_unit_test(a_line_has_a_thousand_bytes_and_no_more),
        cmocka_unit_test(data_comes_back_as_it_was),
        cmocka_unit_test(what_is_not_escaped_well_is_refused),
        cmocka_unit_test(what_is_written_stays_one_line),
        cmocka_unit_test(commands_words_and_options_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Files that appear whole or not at all, lines, and stanzas at their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/age_stanza.h"
#include "device/stream.h"

static char folder[64], target[128];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/halfkey-stream-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(target, sizeof target, "%s/out", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static int entries(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

static void expect_content(const char *path, const char *text)
{
    char content[64] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fread(content, 1, sizeof content - 1, f), strlen(text));
    fclose(f);
    assert_string_equal(content, text);
}

static void put(const char *path, const char *text, bool commit)
{
    struct hk_output output;
    assert_int_equal(hk_output_open(&output, path), HK_OK);
    assert_int_equal(hk_output_write(&output, (const uint8_t *)text, strlen(text)), HK_OK);
    if (commit)
        assert_int_equal(hk_output_commit(&output), HK_OK);
    else
        hk_output_discard(&output);
}

static void nothing_is_there_before_the_end(void **state)
{
    (void)state;
    struct hk_output output;
    assert_int_equal(hk_output_open(&output, target), HK_OK);
    assert_int_equal(hk_output_write(&output, (const uint8_t *)"abc", 3), HK_OK);
    assert_int_equal(entries(), 0);
    assert_int_equal(hk_output_commit(&output), HK_OK);
    assert_int_equal(entries(), 1);
    expect_content(target, "abc");
}

static void what_fails_leaves_the_old_file(void **state)
{
    (void)state;
    put(target, "new", false);
    assert_int_equal(entries(), 0);
    put(target, "old", true);
    put(target, "new", false);
    expect_content(target, "old");
    assert_int_equal(entries(), 1);
    put(target, "new", true);
    expect_content(target, "new");
    assert_int_equal(entries(), 1);
}

static void a_replaced_file_keeps_its_mode_and_a_link_its_place(void **state)
{
    (void)state;
    char link[128];
    struct stat status;
    put(target, "old", true);
    assert_int_equal(chmod(target, 0640), 0);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink("out", link), 0);
    put(link, "new", true);
    expect_content(target, "new");
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat(target, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

static void devices_are_written_to_directly(void **state)
{
    (void)state;
    struct stat status;
    put("/dev/null", "x", true);
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct hk_output output;
    assert_int_equal(hk_output_open(&output, "/nonexistent/folder/out"), HK_IO);
}

/* ---- lines and stanzas ---- */

struct text {
    const char *at;
    size_t left;
};

static enum hk_error read_text(void *context, uint8_t *out, size_t max, size_t *got)
{
    struct text *text = context;
    *got = text->left == 0 ? 0 : max < 3 ? 1 : text->left < 3 ? text->left : 3;
    memcpy(out, text->at, *got);
    text->at += *got;
    text->left -= *got;
    return HK_OK;
}

static enum hk_error read_stanza(struct hk_stanza *stanza, const char *string)
{
    static struct hk_lines lines;
    struct text text = {string, strlen(string)};
    hk_lines_init(&lines, (struct hk_source){read_text, &text});
    return hk_stanza_read(stanza, &lines);
}

static void lines_end_where_they_should(void **state)
{
    (void)state;
    static struct hk_lines lines;
    struct text text = {"one\n\nthree\nrest", 15};
    const char *line;
    size_t size;
    bool whole;
    hk_lines_init(&lines, (struct hk_source){read_text, &text});
    static const struct {
        const char *line;
        bool whole;
    } expected[] = {{"one", true}, {"", true}, {"three", true}, {"rest", false}, {"", false}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(hk_lines_next(&lines, &line, &size, &whole), HK_OK);
        assert_int_equal(size, strlen(expected[i].line));
        assert_memory_equal(line, expected[i].line, size);
        assert_int_equal(whole, expected[i].whole);
    }
}

static void a_line_without_end_is_refused(void **state)
{
    (void)state;
    static struct hk_lines lines;
    static char endless[HK_LINE_MAX + 10];
    memset(endless, 'a', sizeof endless);
    struct text text = {endless, sizeof endless};
    const char *line;
    size_t size;
    bool whole;
    hk_lines_init(&lines, (struct hk_source){read_text, &text});
    assert_int_equal(hk_lines_next(&lines, &line, &size, &whole), HK_TOO_LARGE);
}

static void stanzas_are_read_strictly(void **state)
{
    (void)state;
    struct hk_stanza stanza;
    assert_int_equal(read_stanza(&stanza, "-> a b c\nQUJD\n"), HK_OK);
    assert_int_equal(stanza.count, 3);
    assert_string_equal(stanza.argument[2], "c");
    assert_int_equal(stanza.body_size, 3);
    assert_memory_equal(stanza.body, "ABC", 3);
    assert_int_equal(read_stanza(&stanza, "-> a\n\n"), HK_OK);
    assert_int_equal(read_stanza(&stanza, "-> 1 2 3 4 5 6 7 8 9 10\n\n"), HK_OK);
    assert_int_equal(stanza.count, 10);
    assert_int_equal(read_stanza(&stanza, ""), HK_NOT_FOUND);
    static const char *const bad[] = {"->\n\n",       "-> \n\n",    "-> a  b\n\n", "-> a \n\n",
                                      "-> a\tb\n\n",  "-> a\n",     "-> a\nQUJ\n", "-> a\nQUJ=\n",
                                      "-> a\nQU D\n", "-> a\nQUJD", "-- a\n\n",    "->a\n\n",
                                      "-> a\nQUI=\n", "-> a\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_stanza(&stanza, bad[i]) != HK_BAD_ENCODING)
            fail_msg("stanza %zu was taken", i);
}

static enum hk_error keep(void *context, const uint8_t *data, size_t size)
{
    strncat(context, (const char *)data, size);
    return HK_OK;
}

static void stanzas_come_back_at_every_size_around_a_line(void **state)
{
    (void)state;
    uint8_t body[150];
    memset(body, 'x', sizeof body);
    for (size_t size = 0; size <= sizeof body; size++) {
        char text[512] = "";
        struct hk_sink sink = {keep, text};
        struct hk_stanza stanza;
        assert_int_equal(hk_stanza_write(&sink, "word more", body, size), HK_OK);
        assert_int_equal(read_stanza(&stanza, text), HK_OK);
        assert_int_equal(stanza.body_size, size);
        assert_memory_equal(stanza.body, body, size);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_there_before_the_end),
        TEST(what_fails_leaves_the_old_file),
        TEST(a_replaced_file_keeps_its_mode_and_a_link_its_place),
        TEST(devices_are_written_to_directly),
        TEST(a_folder_that_is_not_there_is_an_error),
        TEST(lines_end_where_they_should),
        TEST(a_line_without_end_is_refused),
        TEST(stanzas_are_read_strictly),
        TEST(stanzas_come_back_at_every_size_around_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

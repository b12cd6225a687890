/* What the operator says and does not say: where the service listens, who may come, which word is the
 * stronger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "keyservice/options.h"

static char folder[64], file[128], reason[HK_OPTION_TEXT_MAX];
static struct hk_options options;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/halfkey-options-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(file, sizeof(file), "%s/conf", folder);
    assert_int_equal(unsetenv("HALFKEYD_LISTEN"), 0);
    assert_int_equal(unsetenv("HALFKEYD_QUOTA"), 0);
    assert_int_equal(unsetenv("HALFKEYD_REGISTRATION"), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(file);
    return rmdir(folder);
}

static void write_file(const char *text)
{
    FILE *opened = fopen(file, "we");
    assert_non_null(opened);
    assert_true(fputs(text, opened) >= 0);
    assert_int_equal(fclose(opened), 0);
}

/* Reads the file of this test, and what is given here, up to NULL. */
static enum hk_error read_options(const char *const *given)
{
    char *arguments[16] = {"halfkeyd", "--config", file, "--data", folder};
    int count = 5;
    for (; *given != NULL; given++) {
        arguments[count++] = (char *)(uintptr_t)*given;
    }
    reason[0] = '\0';
    return hk_options_read(&options, count, arguments, reason);
}
#define READ(...) read_options((const char *const[]){__VA_ARGS__, NULL})

static void nothing_said_is_loopback_port_7700(void **state)
{
    (void)state;
    write_file("");
    assert_int_equal(READ(NULL), HK_OK);
    assert_int_equal(options.listen_count, 1);
    assert_string_equal(options.listen[0], "tcp://127.0.0.1:7700");
    assert_int_equal(options.command, HK_COMMAND_RUN);
}

static void beyond_this_machine_it_wants_to_be_told_who_may_come(void **state)
{
    (void)state;
    static const char *const far[] = {"tcp://0.0.0.0:7700",   "tcp://[::]:7700",
                                      "tcp://192.0.2.1:7700", "tcp://example.org:7700",
                                      "ws://0.0.0.0:7700/k",  "tls+tcp://0.0.0.0:7700"};
    write_file("");
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        assert_int_equal(READ("--listen", far[i]), HK_USAGE);
        assert_non_null(strstr(reason, "--registration open"));
        assert_int_equal(READ("--listen", "tcp://127.0.0.1:0", "--listen", far[i]), HK_USAGE);
        assert_int_equal(READ("--listen", far[i], "--registration", "closed"), HK_OK);
        assert_int_equal(options.registration, HK_REGISTRATION_CLOSED);
        assert_int_equal(READ("--registration", "open", "--listen", far[i]), HK_OK);
        assert_int_equal(options.registration, HK_REGISTRATION_OPEN);
        assert_int_equal(READ("address", "--listen", far[i]), HK_OK); /* nobody can come */
    }
    assert_int_equal(READ("--registration", "perhaps"), HK_USAGE);
}

static void on_this_machine_nothing_has_to_be_said(void **state)
{
    (void)state;
    write_file("");
    assert_int_equal(READ("--listen", "tcp://127.0.0.1:0"), HK_OK);
    assert_int_equal(READ("--listen", "tcp://[::1]:0", "--listen", "ipc:///tmp/halfkey.sock"), HK_OK);
    assert_int_equal(options.listen_count, 2);
    assert_int_equal(options.registration, HK_REGISTRATION_UNSAID);
}

static void the_command_line_is_stronger_than_the_variable_and_that_than_the_file(void **state)
{
    (void)state;
    write_file("# a file\nquota = 1\nlisten = tcp://127.0.0.1:1\nregistration = closed\n");
    assert_int_equal(READ(NULL), HK_OK);
    assert_int_equal(options.quota, 1);
    assert_string_equal(options.listen[0], "tcp://127.0.0.1:1");
    assert_int_equal(options.registration, HK_REGISTRATION_CLOSED);
    assert_int_equal(setenv("HALFKEYD_QUOTA", "2", 1), 0);
    assert_int_equal(READ(NULL), HK_OK);
    assert_int_equal(options.quota, 2);
    assert_int_equal(READ("--quota", "3"), HK_OK);
    assert_int_equal(options.quota, 3);
    assert_int_equal(READ("--listen", "tcp://127.0.0.1:3"), HK_OK);
    assert_int_equal(options.listen_count, 1);
    assert_string_equal(options.listen[0], "tcp://127.0.0.1:3");
}

static void a_file_with_a_word_that_is_none_is_refused(void **state)
{
    (void)state;
    write_file("quotas = 1\n");
    assert_int_equal(READ(NULL), HK_USAGE);
    assert_non_null(strstr(reason, "quotas"));
    write_file("quota = many\n");
    assert_int_equal(READ(NULL), HK_USAGE);
    assert_non_null(strstr(reason, "many"));
    assert_int_equal(unlink(file), 0); /* one that was named must be there */
    assert_int_equal(READ(NULL), HK_USAGE);
    write_file("");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_said_is_loopback_port_7700),
        TEST(beyond_this_machine_it_wants_to_be_told_who_may_come),
        TEST(on_this_machine_nothing_has_to_be_said),
        TEST(the_command_line_is_stronger_than_the_variable_and_that_than_the_file),
        TEST(a_file_with_a_word_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

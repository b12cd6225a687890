/* Where passphrases come from: a descriptor, or a pinentry made of a shell script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/prompt.h"

static int pipe_with(const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    return ends[0];
}

static void one_line_is_taken_from_a_descriptor_and_the_next_is_left(void **state)
{
    (void)state;
    char out[HK_PASSPHRASE_MAX];
    int fd = pipe_with("correct horse\r\nbattery staple\nlast");
    assert_int_equal(hk_prompt_passphrase(out, fd, "x", false), HK_OK);
    assert_string_equal(out, "correct horse");
    assert_int_equal(hk_prompt_passphrase(out, fd, "x", true), HK_OK);
    assert_string_equal(out, "battery staple");
    assert_int_equal(hk_prompt_passphrase(out, fd, "x", false), HK_OK);
    assert_string_equal(out, "last");
    assert_int_equal(hk_prompt_passphrase(out, fd, "x", false), HK_IO);
    close(fd);
}

static void a_line_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char out[HK_PASSPHRASE_MAX], text[HK_PASSPHRASE_MAX + 2];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    int fd = pipe_with(text);
    assert_int_equal(hk_prompt_passphrase(out, fd, "x", false), HK_TOO_LARGE);
    close(fd);
}

/* Runs with a pinentry that answers GETPIN with these lines. */
static enum hk_error with_pinentry(const char *answer, char out[HK_PASSPHRASE_MAX])
{
    char path[] = "/tmp/halfkey-pinentry-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd,
            "#!/bin/sh\necho OK ready\nwhile read -r line; do case $line in\nGETPIN) printf '%s' ;;\n"
            "*) echo OK ;;\nesac; done\n",
            answer);
    fchmod(fd, 0700);
    close(fd);
    setenv("HALFKEY_PINENTRY", path, 1);
    enum hk_error error = hk_prompt_passphrase(out, -1, "Passphrase", true);
    unsetenv("HALFKEY_PINENTRY");
    unlink(path);
    return error;
}

static void pinentry_is_asked_and_its_escapes_undone(void **state)
{
    (void)state;
    char out[HK_PASSPHRASE_MAX];
    assert_int_equal(with_pinentry("S PIN_REPEATED\\nD 50%%25 %%250d\\nOK\\n", out), HK_OK);
    assert_string_equal(out, "50% %0d");
}

static void a_pinentry_that_was_cancelled_or_died_gives_nothing(void **state)
{
    (void)state;
    char out[HK_PASSPHRASE_MAX];
    assert_int_equal(with_pinentry("ERR 83886179 cancelled\\n", out), HK_AGENT_LOCKED);
    assert_int_equal(with_pinentry("OK\\n", out), HK_AGENT_LOCKED);
    assert_int_equal(with_pinentry("\\n'; exit; '", out), HK_AGENT_LOCKED);
    setenv("HALFKEY_PINENTRY", "/nonexistent/pinentry", 1);
    assert_int_equal(hk_prompt_passphrase(out, -1, "x", false), HK_AGENT_LOCKED);
    unsetenv("HALFKEY_PINENTRY");
}

/* ---- yes or no ---- */

/* Nobody but a program: no display, no terminal of its own in the tests' harness, no setting but these. */
static enum hk_error question_with(const char *setting, const char *script)
{
    char path[] = "/tmp/halfkey-question-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd, "#!/bin/sh\n%s\n", script);
    fchmod(fd, 0700);
    close(fd);
    setenv(setting, path, 1);
    enum hk_error error = hk_prompt_question("May 50% of it\nbe used?");
    unsetenv(setting);
    unlink(path);
    return error;
}

static void a_program_that_is_asked_says_yes_with_its_status(void **state)
{
    (void)state;
    assert_int_equal(question_with("HALFKEY_CONFIRM", "[ \"$1\" = 'May 50% of it\nbe used?' ]"), HK_OK);
    assert_int_equal(question_with("HALFKEY_CONFIRM", "exit 1"), HK_NOT_ALLOWED);
    assert_int_equal(question_with("HALFKEY_CONFIRM", "kill -9 $$"), HK_NOT_ALLOWED);
    assert_int_equal(question_with("HALFKEY_CONFIRM", "exit 127"), HK_NOT_FOUND);
}

static void pinentry_is_asked_a_question_with_its_escapes(void **state)
{
    (void)state;
    static const char answers[] =
        "echo OK; while read -r line; do case $line in %s BYE) exit 0;; *) echo OK;; esac; done";
    char script[512];
    snprintf(script, sizeof script, answers,
             "'SETDESC May 50%25 of it%0Abe used?') good=1; echo OK;; CONFIRM) [ \"$good\" ] && echo OK || "
             "echo ERR 1;;");
    assert_int_equal(question_with("HALFKEY_PINENTRY", script), HK_OK);
    snprintf(script, sizeof script, answers, "CONFIRM) echo ERR 83886194 no;;");
    assert_int_equal(question_with("HALFKEY_PINENTRY", script), HK_NOT_ALLOWED);
}

static void askpass_is_asked_where_there_is_a_display(void **state)
{
    (void)state;
    setenv("DISPLAY", ":none", 1);
    assert_int_equal(question_with("SSH_ASKPASS", "[ \"$SSH_ASKPASS_PROMPT\" = confirm ]"), HK_OK);
    assert_int_equal(question_with("SSH_ASKPASS", "exit 1"), HK_NOT_ALLOWED);
    unsetenv("DISPLAY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_is_taken_from_a_descriptor_and_the_next_is_left),
        cmocka_unit_test(a_line_that_is_too_long_is_refused),
        cmocka_unit_test(pinentry_is_asked_and_its_escapes_undone),
        cmocka_unit_test(a_pinentry_that_was_cancelled_or_died_gives_nothing),
        cmocka_unit_test(a_program_that_is_asked_says_yes_with_its_status),
        cmocka_unit_test(pinentry_is_asked_a_question_with_its_escapes),
        cmocka_unit_test(askpass_is_asked_where_there_is_a_display),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

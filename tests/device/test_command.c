/* The command table: what is said about a command is true of it, and the manual has the same synopsis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/command.h"
#include "device/json.h"

static char *manual(void)
{
    FILE *f = fopen("docs/man/halfkey.1", "r");
    assert_non_null(f);
    char *text = calloc(1, 1 << 17);
    assert_true(fread(text, 1, (1 << 17) - 1, f) > 0);
    fclose(f);
    return text;
}

static void the_manual_has_the_synopsis_of_the_table(void **state)
{
    (void)state;
    char *text = NULL, *page = manual();
    size_t size;
    FILE *f = open_memstream(&text, &size);
    hk_command_print_synopsis(f);
    fclose(f);
    char *start = strstr(page, ".Sh SYNOPSIS\n");
    assert_non_null(start);
    start += strlen(".Sh SYNOPSIS\n");
    char *end = strstr(start, ".Sh ");
    assert_non_null(end);
    *end = 0;
    assert_string_equal(start, text);
    free(text);
    free(page);
}

static void the_manual_explains_every_command_and_option(void **state)
{
    (void)state;
    char *page = manual();
    for (size_t i = 0; i < hk_command_count; i++) {
        const struct hk_command *command = &hk_commands[i];
        char item[128];
        if (command->hidden || !*command->words)
            continue;
        snprintf(item, sizeof item, ".It Cm %s\n", command->words);
        if (!strstr(page, item))
            fail_msg("the manual does not explain '%s'", command->words);
    }
    free(page);
}

static void every_row_is_well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; i < hk_command_count; i++) {
        const struct hk_command *a = &hk_commands[i];
        assert_non_null(a->run);
        assert_true(strlen(a->help) > 10 || a->hidden);
        assert_true(a->help[strlen(a->help) - 1] == '.');
        assert_true(a->most < 0 || a->least <= a->most);
        assert_int_equal(a->most != 0, *a->arguments != 0);
        for (size_t k = i + 1; k < hk_command_count; k++)
            assert_string_not_equal(a->words, hk_commands[k].words);
        for (size_t m = 0; m < HK_OPTIONS_MAX && a->options[m].name; m++)
            for (size_t n = m + 1; n < HK_OPTIONS_MAX && a->options[n].name; n++) {
                assert_string_not_equal(a->options[m].name, a->options[n].name);
                assert_true(!a->options[m].letter || a->options[m].letter != a->options[n].letter);
            }
    }
}

static void every_command_has_help(void **state)
{
    (void)state;
    for (size_t i = 0; i < hk_command_count; i++) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        hk_command_print_help(f, &hk_commands[i]);
        fclose(f);
        assert_non_null(strstr(text, hk_commands[i].help));
        assert_non_null(strstr(text, "--help"));
        assert_true((strstr(text, "--json") != NULL) == hk_commands[i].json);
        free(text);
    }
}

/* ---- command lines ---- */

static enum hk_error parse(struct hk_call *call, const char *line)
{
    static char copy[512], problem[256];
    static char *argv[32];
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return hk_command_parse(call, argc, argv, problem);
}

static void the_longest_words_win(void **state)
{
    (void)state;
    struct hk_call call;
    assert_int_equal(parse(&call, "halfkey device revoke phone"), HK_OK);
    assert_string_equal(call.command->words, "device revoke");
    assert_string_equal(call.arguments[0], "phone");
    assert_int_equal(parse(&call, "halfkey revoke --service x"), HK_OK);
    assert_string_equal(call.command->words, "revoke");
    assert_int_equal(parse(&call, "halfkey"), HK_OK);
    assert_string_equal(call.command->words, "");
}

static void options_stand_anywhere_and_may_be_repeated(void **state)
{
    (void)state;
    struct hk_call call;
    assert_int_equal(parse(&call, "halfkey encrypt file -r one --recipient=two -a -o out"), HK_OK);
    assert_int_equal(call.count, 1);
    assert_string_equal(call.arguments[0], "file");
    assert_string_equal(hk_call_repeated(&call, "recipient", 0), "one");
    assert_string_equal(hk_call_repeated(&call, "recipient", 1), "two");
    assert_null(hk_call_repeated(&call, "recipient", 2));
    assert_string_equal(hk_call_option(&call, "output"), "out");
    assert_int_equal(parse(&call, "halfkey decrypt -- -o"), HK_OK);
    assert_string_equal(call.arguments[0], "-o");
}

static void wrong_usage_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"halfkey nonsense",     "halfkey key",
                                        "halfkey key create",   "halfkey key create a b --suite x25519",
                                        "halfkey key create a", "halfkey key create a --suite",
                                        "halfkey lock --json",  "halfkey init --nonsense",
                                        "halfkey decrypt a b",  "halfkey --verify"};
    struct hk_call call;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (parse(&call, lines[i]) != HK_USAGE)
            fail_msg("'%s' was taken", lines[i]);
}

static void settings_come_from_option_then_variable_then_file(void **state)
{
    (void)state;
    struct hk_call call;
    char folder[] = "/tmp/halfkey-config-XXXXXX", path[256];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path,
             "mkdir %s/halfkey && printf '# mine\\n service = from-file \\n' > %s/halfkey/config", folder,
             folder);
    assert_int_equal(system(path), 0);
    setenv("XDG_CONFIG_HOME", folder, 1);
    unsetenv("HALFKEY_SERVICE");
    assert_int_equal(parse(&call, "halfkey init --device a"), HK_OK);
    assert_string_equal(hk_call_setting(&call, "service"), "from-file");
    setenv("HALFKEY_SERVICE", "from-variable", 1);
    assert_string_equal(hk_call_setting(&call, "service"), "from-variable");
    assert_int_equal(parse(&call, "halfkey init --device a --service from-option"), HK_OK);
    assert_string_equal(hk_call_setting(&call, "service"), "from-option");
    unsetenv("HALFKEY_SERVICE");
    snprintf(path, sizeof path, "rm -rf %s", folder);
    assert_int_equal(system(path), 0);
}

static void errors_have_the_exit_statuses_that_the_manual_names(void **state)
{
    (void)state;
    assert_int_equal(hk_exit_status(HK_OK), 0);
    assert_int_equal(hk_exit_status(HK_BAD_SIGNATURE), 1);
    assert_int_equal(hk_exit_status(HK_USAGE), 2);
    assert_int_equal(hk_exit_status(HK_UNREACHABLE), 3);
    assert_int_equal(hk_exit_status(HK_TIMEOUT), 3);
    assert_int_equal(hk_exit_status(HK_REVOKED), 4);
    assert_int_equal(hk_exit_status(HK_SUSPENDED), 4);
    assert_int_equal(hk_exit_status(HK_AGENT_LOCKED), 5);
    assert_int_equal(hk_exit_status(HK_LOCKED), 5);
    assert_int_equal(hk_exit_status(HK_NEEDS_APPROVAL), 5);
}

static void json_escapes_what_strangers_call_their_devices(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    struct hk_json json;
    hk_json_start(&json, f);
    hk_json_map(&json, NULL);
    hk_json_text(&json, "name", "a\"b\\c\n\x01\xff\xc3\xa9");
    hk_json_list(&json, "none");
    hk_json_end_list(&json);
    hk_json_number(&json, "n", 7);
    hk_json_time(&json, "t", 0);
    hk_json_end_map(&json);
    fclose(f);
    assert_string_equal(
        text, "{\n  \"name\": \"a\\\"b\\\\c\\n\\u0001\\ufffd\xc3\xa9\",\n  \"none\": [],\n  \"n\": 7,\n"
              "  \"t\": null\n}\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manual_has_the_synopsis_of_the_table),
        cmocka_unit_test(the_manual_explains_every_command_and_option),
        cmocka_unit_test(every_row_is_well_formed),
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(the_longest_words_win),
        cmocka_unit_test(options_stand_anywhere_and_may_be_repeated),
        cmocka_unit_test(wrong_usage_is_refused),
        cmocka_unit_test(settings_come_from_option_then_variable_then_file),
        cmocka_unit_test(errors_have_the_exit_statuses_that_the_manual_names),
        cmocka_unit_test(json_escapes_what_strangers_call_their_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

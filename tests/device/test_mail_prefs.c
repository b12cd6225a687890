/* Thunderbird's preferences: set, found, remembered and put back, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "device/mail_prefs.h"

static const char file[] = "// Mozilla User Preferences\n"
                           "\n"
                           "user_pref(\"app.update.lastUpdateTime\", 1700000000);\n"
                           "user_pref(\"mail.identity.id1.useremail\", \"bob@example.org\");\n"
                           "user_pref(\"mail.identity.id2.fullName\", \"Ann \\\"the\\\" First\");\n"
                           "user_pref(\"mail.identity.id2.useremail\", \"ann@example.org\");\n"
                           "user_pref(\"mail.identity.id2.openpgp_key_id\", \"0123456789ABCDEF\");\n"
                           "user_pref(\"mail.openpgp.allow_external_gnupg\", false);\r\n"
                           "user_pref(\"odd\", \"a); user_pref(b\");";
static char out[8192], back[8192], kept[4096];

static void preferences_are_found_as_they_stand(void **state)
{
    (void)state;
    char value[HK_PREF_VALUE_MAX];
    static const char *const rows[][2] = {{"app.update.lastUpdateTime", "1700000000"},
                                          {"mail.identity.id2.fullName", "\"Ann \\\"the\\\" First\""},
                                          {"mail.openpgp.allow_external_gnupg", "false"},
                                          {"odd", "\"a); user_pref(b\""},
                                          {"mail.openpgp.allow_external", ""},
                                          {"", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(hk_prefs_get(value, file, rows[i][0]), HK_OK);
        assert_string_equal(value, rows[i][1]);
    }
    assert_int_equal(hk_prefs_get(value, "user_pref(\"a\", 1);\nuser_pref(\"a\", 2);\n", "a"), HK_OK);
    assert_string_equal(value, "2"); /* the last one counts */
}

static void what_is_set_can_be_put_back_byte_for_byte(void **state)
{
    (void)state;
    struct hk_pref list[] = {
        {"mail.openpgp.allow_external_gnupg", "true"},
        {"mail.identity.id2.openpgp_key_id", "\"7DBA5EB740CA93E84AA37803E71D603C0AABED1F\""},
        {"mail.identity.id2.is_gnupg_key_id", "true"}};
    struct hk_pref before[3], recalled[3];
    char text[sizeof file + 2];
    size_t count = 0;
    memcpy(text, file, sizeof file);
    strcpy(strstr(text, "\r\n"), strstr(file, "\r\n") + 1); /* what is written ends in \n */
    strcat(text, "\n");
    for (size_t i = 0; i < 3; i++) {
        before[i] = list[i];
        assert_int_equal(hk_prefs_get(before[i].value, text, list[i].name), HK_OK);
    }
    assert_int_equal(hk_prefs_set(out, sizeof out, text, list, 3), HK_OK);
    for (size_t i = 0; i < 3; i++) {
        char value[HK_PREF_VALUE_MAX];
        assert_int_equal(hk_prefs_get(value, out, list[i].name), HK_OK);
        assert_string_equal(value, list[i].value);
    }
    assert_int_equal(strlen(out), strlen(text) - strlen("\"0123456789ABCDEF\"") + strlen(list[1].value) - 1 +
                                      strlen("user_pref(\"mail.identity.id2.is_gnupg_key_id\", true);\n"));
    assert_int_equal(hk_prefs_remember(kept, sizeof kept, before, 3), HK_OK);
    assert_int_equal(hk_prefs_recall(recalled, 3, &count, kept), HK_OK);
    assert_int_equal(count, 3);
    assert_memory_equal(recalled[1].value, before[1].value, strlen(before[1].value) + 1);
    assert_int_equal(hk_prefs_set(back, sizeof back, out, recalled, 3), HK_OK);
    assert_string_equal(back, text);
    assert_int_equal(hk_prefs_set(out, sizeof out, back, recalled, 3), HK_OK); /* twice */
    assert_string_equal(out, text);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct hk_pref pref = {"a", "1"}, recalled[2];
    size_t count = 0;
    for (size_t max = 0; max < sizeof file + 19; max++)
        assert_int_equal(hk_prefs_set(out, max, file, &pref, 1), HK_TOO_LARGE);
    assert_int_equal(hk_prefs_set(out, sizeof file + 20, file, &pref, 1), HK_OK);
    static const char *const wrong[] = {"x\n",
                                        "user_pref(\"a\", 1)\n",
                                        "user_pref(a, 1);\n",
                                        "user_pref(\"a\" 1);\n",
                                        "// not set: \n",
                                        "\n",
                                        "user_pref(\"\", 1);\n",
                                        "// not set: a\n// not set: b\n// not set: c\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(hk_prefs_recall(recalled, 2, &count, wrong[i]), HK_BAD_ENCODING);
}

static void an_identity_is_found_by_its_address(void **state)
{
    (void)state;
    char id[HK_PREF_IDENTITY_MAX];
    assert_int_equal(hk_prefs_identity(id, file, "Ann@Example.org"), HK_OK);
    assert_string_equal(id, "id2");
    assert_int_equal(hk_prefs_identity(id, file, "bob@example.org"), HK_OK);
    assert_string_equal(id, "id1");
    static const char *const wrong[] = {"carol@example.org", "nn@example.org", "", "Ann \"the\" First",
                                        "a\nb"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(hk_prefs_identity(id, file, wrong[i]), HK_NOT_FOUND);
    static const char odd[] = "user_pref(\"mail.identity..useremail\", \"ann@example.org\");\n";
    assert_int_equal(hk_prefs_identity(id, odd, "ann@example.org"), HK_NOT_FOUND);
}

static void strings_are_quoted(void **state)
{
    (void)state;
    char value[HK_PREF_VALUE_MAX], big[HK_PREF_VALUE_MAX];
    assert_int_equal(hk_prefs_quote(value, "a\"b\\c"), HK_OK);
    assert_string_equal(value, "\"a\\\"b\\\\c\"");
    assert_int_equal(hk_prefs_quote(value, "a\nb"), HK_BAD_ENCODING);
    memset(big, 'x', sizeof big);
    for (size_t length = HK_PREF_VALUE_MAX - 8; length < HK_PREF_VALUE_MAX; length++) {
        big[length] = 0;
        enum hk_error error = hk_prefs_quote(value, big);
        assert_true(error == HK_TOO_LARGE || (error == HK_OK && strlen(value) == length + 2));
        big[length] = 'x';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preferences_are_found_as_they_stand),
        cmocka_unit_test(what_is_set_can_be_put_back_byte_for_byte),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(an_identity_is_found_by_its_address),
        cmocka_unit_test(strings_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

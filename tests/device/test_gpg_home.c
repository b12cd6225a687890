/* What is written into GnuPG's folder, and that it can be taken away again; names in a web key directory. */
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

#include "device/certificate.h"
#include "device/gpg_home.h"

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/hk-gpg-home.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    char path[128];
    (void)state;
    snprintf(path, sizeof path, "%s/halfkey-scd.conf", folder);
    unlink(path);
    return rmdir(folder);
}

static char out[HK_GPG_CONF_MAX], again[HK_GPG_CONF_MAX], before[HK_GPG_PATH_MAX];

static void what_is_added_to_a_configuration_can_be_taken_away(void **state)
{
    (void)state;
    static const struct {
        const char *text, *before;
    } rows[] = {{"", ""},
                {"max-cache-ttl 600\n", ""},
                {"max-cache-ttl 600", ""}, /* no line end */
                {"scdaemon-program /opt/scd\n", "/opt/scd"},
                {"# a\n  scdaemon-program\t/opt/scd\r\nverbose", "/opt/scd"},
                {"scdaemon-program /a\nscdaemon-program /b\n\n\n", "/b"}, /* the last one counts */
                {"scdaemon-programs x\n#scdaemon-program /c\n", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(hk_gpg_conf_add(out, sizeof out, before, rows[i].text, "/usr/bin/halfkey-scd"),
                         HK_OK);
        assert_string_equal(before, rows[i].before);
        const char *ours = strstr(out, "\nscdaemon-program /usr/bin/halfkey-scd\n");
        assert_non_null(ours);
        /* only ours sets the option */
        for (const char *at = out; (at = strstr(at, "scdaemon-program ")); at++)
            assert_true(at == ours + 1 || (at > out && strchr("# ", at[-1])));
        assert_int_equal(hk_gpg_conf_take(again, sizeof again, out), HK_OK);
        assert_string_equal(again, rows[i].text);
        assert_int_equal(hk_gpg_conf_add(again, sizeof again, before, out, "/usr/bin/halfkey-scd"), HK_OK);
        assert_string_equal(again, out); /* twice is once */
    }
    assert_int_equal(hk_gpg_conf_add(out, 100, before, "verbose\n", "/usr/bin/halfkey-scd"), HK_TOO_LARGE);
    assert_int_equal(hk_gpg_conf_take(out, 4, "verbose\n"), HK_TOO_LARGE);
}

static void write_conf(const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/halfkey-scd.conf", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void settings_come_back_and_foreign_lines_are_refused(void **state)
{
    (void)state;
    struct hk_gpg_settings settings = {.home = "/home/ann/a folder", .serial = "D276"}, got;
    assert_int_equal(hk_gpg_settings_read(&got, folder), HK_NOT_FOUND);
    assert_int_equal(hk_gpg_settings_write(&settings, folder), HK_OK);
    assert_int_equal(hk_gpg_settings_read(&got, folder), HK_OK);
    assert_memory_equal(&got, &settings, sizeof got);
    static const char long_serial[] =
        "serial = 01234567890123456789012345678901234567890123456789012345678901234\n";
    const char *const wrong[] = {"serial\n", "serial=D276\n", "password = x\n", long_serial};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_conf(wrong[i]);
        assert_int_equal(hk_gpg_settings_read(&got, folder), HK_BAD_ENCODING);
    }
    assert_int_equal(hk_gpg_settings_remove(folder), HK_OK);
    assert_int_equal(hk_gpg_settings_remove(folder), HK_OK);
}

static void the_folder_is_the_option_the_variable_or_the_one_at_home(void **state)
{
    (void)state;
    char home[HK_GPG_PATH_MAX], inner[80];
    snprintf(inner, sizeof inner, "%s/.gnupg", folder);
    setenv("GNUPGHOME", "/usr", 1);
    setenv("HOME", folder, 1);
    assert_int_equal(hk_gpg_home(home, "/tmp/../usr/lib/", false), HK_OK);
    assert_string_equal(home, "/usr/lib");
    assert_int_equal(hk_gpg_home(home, NULL, false), HK_OK);
    assert_string_equal(home, "/usr");
    unsetenv("GNUPGHOME");
    assert_int_equal(hk_gpg_home(home, NULL, false), HK_NOT_FOUND);
    assert_int_equal(hk_gpg_home(home, NULL, true), HK_OK);
    assert_string_equal(home, inner);
    struct stat status;
    assert_int_equal(stat(inner, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(rmdir(inner), 0);
}

static void names_in_a_web_key_directory_are_those_of_the_draft(void **state)
{
    (void)state;
    char name[HK_WKD_NAME_TEXT], domain[256];
    /* draft-koch-openpgp-webkey-service, section 3.1 */
    assert_int_equal(hk_wkd_name(name, domain, "Joe Doe <Joe.Doe@Example.ORG>"), HK_OK);
    assert_string_equal(name, "iy9q119eutrkn8s1mk4r39qejnbu3n5q");
    assert_string_equal(domain, "example.org");
    assert_int_equal(hk_wkd_name(name, domain, "joe.doe@example.org"), HK_OK);
    assert_string_equal(name, "iy9q119eutrkn8s1mk4r39qejnbu3n5q");
    static const char *const wrong[] = {"", "Ann", "<@example.org>", "Ann <ann@>", "Ann at home@", "a b@c"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(hk_wkd_name(name, domain, wrong[i]), HK_BAD_ENCODING);
}

static void armor_has_the_checksum_of_the_standard(void **state)
{
    (void)state;
    /* gpg --enarmor of the nine bytes, headers apart */
    char text[HK_CERTIFICATE_ARMOR_MAX];
    uint8_t back[64];
    size_t size = 0;
    hk_certificate_armor(text, HK_BYTES("123456789", 9));
    assert_string_equal(text, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nMTIzNDU2Nzg5\n=Ic8C\n"
                              "-----END PGP PUBLIC KEY BLOCK-----\n");
    assert_int_equal(hk_armor_decode(back, sizeof back, &size, text, strlen(text)), HK_OK);
    assert_int_equal(size, 9);
    assert_memory_equal(back, "123456789", 9);
    assert_int_equal(hk_armor_decode(back, 8, &size, text, strlen(text)), HK_TOO_LARGE);
    for (size_t cut = 0; cut < (size_t)(strstr(text, "-----END PGP ") - text) + 13; cut++)
        assert_int_not_equal(hk_armor_decode(back, sizeof back, &size, text, cut), HK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_to_a_configuration_can_be_taken_away),
        cmocka_unit_test_setup_teardown(settings_come_back_and_foreign_lines_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_folder_is_the_option_the_variable_or_the_one_at_home, set_up,
                                        tear_down),
        cmocka_unit_test(names_in_a_web_key_directory_are_those_of_the_draft),
        cmocka_unit_test(armor_has_the_checksum_of_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

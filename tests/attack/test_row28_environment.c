/* Row 28: surroundings that are not as one would like, for an ordinary user (another id than root's, as
 * setpriv makes one): no home, a home that cannot be written, files that others can read, odd paths and
 * names, no locale, a folder that is gone, a clock that jumps. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/home.h"

#define USER 23456 /* nobody's, without an entry in the password file */

static struct hk_test_service service;
static struct hk_test_home home;
static struct hk_test_output output;
static char shared[sizeof(output.out)], program[128], build[512];

#define AGREE "agree", "--key", "files", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"

__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    if (system(command) != 0) {
        fail_msg("%s", command);
    }
}

/* The user's own place: a folder of its own below the test's, with the program in it, since the tree may be
 * where the user cannot look. */
static void make_user(struct hk_test_home *it, const char *name)
{
    hk_test_home_init(it, &service, name);
    (void)snprintf(it->path, sizeof(it->path), "%s/user/%s", service.directory, name);
    it->program = program;
    it->user = getuid() == 0 ? USER : 0;
}

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, true);
    ssize_t length = readlink("/proc/self/exe", build, sizeof(build) - 32);
    assert_true(length > 0);
    build[length] = '\0';
    *strrchr(build, '/') = '\0';
    *strrchr(build, '/') = '\0'; /* BUILD/test */
    (void)snprintf(program, sizeof(program), "%s/halfkey", service.directory);
    shell("chmod 711 '%s' && cp '%s/halfkey' '%s/clock.so' '%s/' && chmod 755 '%s'", service.directory, build,
          build, service.directory, program);
    shell("mkdir '%s/user' && chmod 700 '%s/user'", service.directory, service.directory);
    if (getuid() == 0) {
        shell("chown %d:%d '%s/user'", USER, USER, service.directory);
    }
    make_user(&home, "home");
    hk_test_home_account(&home, &service, "laptop");
    HK_EXPECT(&home, 0, NULL, "key", "create", "files", "--suite", "x25519");
    assert_int_equal(HK_RUN(&home, &output, AGREE), 0);
    memcpy(shared, output.out, sizeof(shared));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_home_end(&home);
    shell("chmod -R u+rwX '%s'", service.directory);
    hk_test_service_end(&service);
    return 0;
}

static void expect_same_x(const struct hk_test_home *it)
{
    if (HK_RUN(it, &output, AGREE) != 0 || strcmp(output.out, shared) != 0) {
        fail_msg("%s%s", output.out, output.err);
    }
}

/* ---- homes ---- */

static void row28_without_a_home_it_says_what_to_set(void **state)
{
    (void)state;
    struct hk_test_home none = home;
    none.set[0] = "HALFKEY_HOME";
    none.set[1] = "HOME";
    if (getuid() == 0) { /* who has an entry in the password file has a home */
        HK_EXPECT(&none, 1, "HALFKEY_HOME", "key", "list");
        HK_EXPECT(&none, 1, "HALFKEY_HOME", "init", "--service", service.line, "--device", "x",
                  "--no-passphrase");
        hk_tried("no home at all");
    }
    none.set[1] = "HOME=/nonexistent/home";
    assert_int_equal(
        HK_RUN(&none, &output, "init", "--service", service.line, "--device", "x", "--no-passphrase"), 1);
    assert_non_null(strstr(output.err, "/nonexistent"));
    hk_tried("a home that is not there");
    none.set[1] = "HOME=relative";
    assert_int_not_equal(HK_RUN(&none, &output, "key", "list"), 0);
    hk_tried("a home that is no path");
}

static void row28_a_home_that_cannot_be_written_loses_nothing(void **state)
{
    (void)state;
    struct hk_test_home fresh;
    make_user(&fresh, "closed/home");
    shell("mkdir '%s/user/closed' && chmod 500 '%s/user/closed'", service.directory, service.directory);
    if (getuid() == 0) {
        shell("chown %d:%d '%s/user/closed'", USER, USER, service.directory);
    }
    HK_EXPECT(&fresh, 1, "Permission denied", "init", "--service", service.line, "--device", "x",
              "--no-passphrase");
    hk_tried("a home that cannot be made");
    shell("chmod 500 '%s'", home.path); /* the agent runs; what it has to write now fails */
    assert_int_not_equal(HK_RUN(&home, &output, "refresh"), 0);
    assert_true(strlen(output.err) > 20);
    assert_int_not_equal(HK_RUN(&home, &output, "key", "create", "more", "--suite", "x25519"), 0);
    hk_test_agent_kill(&home);
    assert_int_not_equal(HK_RUN(&home, &output, "refresh"), 0);
    hk_test_agent_kill(&home);
    shell("chmod 700 '%s'", home.path);
    expect_same_x(&home);
    HK_EXPECT(&home, 0, "epoch", "refresh");
    expect_same_x(&home);
    hk_tried("a home that was closed later");
}

static int loose;
static int look(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)flag;
    (void)ftw;
    if ((info->st_mode & 077) != 0 && !S_ISLNK(info->st_mode)) {
        loose++;
        print_message("%s has mode %o\n", path, info->st_mode & 07777);
    }
    return 0;
}

static void no_mask(const struct hk_test_home *it)
{
    (void)it;
    (void)umask(0);
}

static void row28_without_a_umask_nothing_is_open_to_others(void **state)
{
    (void)state;
    struct hk_test_home open_home;
    make_user(&open_home, "open");
    open_home.in_child = no_mask;
    hk_test_home_account(&open_home, &service, "laptop");
    HK_EXPECT(&open_home, 0, NULL, "key", "create", "files", "--suite", "x25519");
    HK_EXPECT(&open_home, 0, NULL, "refresh");
    loose = 0;
    assert_int_equal(nftw(open_home.path, look, 16, FTW_PHYS), 0);
    assert_int_equal(loose, 0);
    hk_test_home_end(&open_home);
    hk_tried("umask 000, the device");
    char data[128];
    mode_t before = umask(0);
    (void)hk_test_service_stop(&service);
    shell("rm -rf '%s/data'", service.directory);
    hk_test_service_restart(&service);
    (void)umask(before);
    (void)snprintf(data, sizeof(data), "%s/data", service.directory);
    assert_int_equal(nftw(data, look, 16, FTW_PHYS), 0);
    assert_int_equal(loose, 0);
    hk_tried("umask 000, the service");
}

static void row28_files_that_others_can_read_are_refused(void **state)
{
    (void)state;
    hk_test_agent_kill(&home);
    shell("chmod 644 '%s'/*.share", home.path);
    HK_EXPECT(&home, 1, "chmod 600", AGREE);
    hk_test_agent_kill(&home);
    shell("chmod 600 '%s'/*.share", home.path);
    expect_same_x(&home);
    hk_tried("a share file that others can read");
    hk_test_agent_kill(&home);
    shell("chmod 755 '%s'", home.path);
    HK_EXPECT(&home, 1, "chmod 700", AGREE);
    shell("chmod 700 '%s'", home.path);
    expect_same_x(&home);
    hk_tried("a folder that others can read");
    hk_test_agent_kill(&home);
    if (getuid() == 0) {
        shell("chown 0 '%s'/*.share && chmod 600 '%s'/*.share", home.path, home.path);
        assert_int_equal(HK_RUN(&home, &output, AGREE), 1);
        assert_true(strlen(output.err) > 20);
        hk_test_agent_kill(&home);
        shell("chown %d '%s'/*.share", USER, home.path);
        expect_same_x(&home);
        hk_tried("a share file that is another's");
    }
}

/* ---- paths and names ---- */

static void row28_links_spaces_and_foreign_letters_in_paths_work(void **state)
{
    (void)state;
    struct hk_test_home odd;
    make_user(&odd, "link");
    shell("ln -s '%s' '%s'", home.path, odd.path);
    expect_same_x(&odd);
    assert_int_equal(hk_test_agent(&odd), hk_test_agent(&home)); /* one folder, one agent */
    hk_tried("a link to the store");
    static const char *const names[] = {"with space", "with\xff\xfe bytes", "with\nline", "-rf",
                                        "\xc3\xa9t\xc3\xa9"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        make_user(&odd, names[i]);
        hk_test_home_account(&odd, &service, "laptop");
        HK_EXPECT(&odd, 0, NULL, "key", "create", "files", "--suite", "x25519");
        HK_EXPECT(&odd, 0, NULL, AGREE);
        hk_test_agent_kill(&odd);
        assert_int_equal(chmod(odd.path, 0755), 0);
        HK_EXPECT(&odd, 1, "chmod 700", AGREE); /* the sentence can be said, whatever is in the path */
        assert_int_equal(chmod(odd.path, 0700), 0);
        HK_EXPECT(&odd, 0, NULL, AGREE);
        hk_test_home_end(&odd);
        hk_tried("a path %zu", i);
    }
}

static void row28_names_that_are_no_text_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"\xff", "a\xc3", "a\nb", "\x1b[2J", ""};
    struct hk_test_home fresh;
    make_user(&fresh, "fresh");
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        int status = HK_RUN(&fresh, &output, "init", "--service", service.line, "--device", names[i],
                            "--no-passphrase");
        assert_true(status == 1 || status == 2);
        assert_true(strlen(output.err) > strlen("halfkey: \n"));
        status = HK_RUN(&home, &output, "key", "create", names[i], "--suite", "x25519");
        assert_true(status == 1 || status == 2);
        assert_true(strlen(output.err) > strlen("halfkey: \n"));
        hk_tried("a name %zu", i);
    }
    hk_test_home_account(&fresh, &service, "afterwards");
    hk_test_home_end(&fresh);
}

static void row28_no_locale_or_a_strange_one_changes_nothing(void **state)
{
    (void)state;
    static const char *const locales[] = {"LC_ALL=C", "LC_ALL=xx_YY.nonsense", "LC_ALL=de_DE.UTF-8",
                                          "LC_ALL="};
    for (size_t i = 0; i < sizeof(locales) / sizeof(*locales); i++) {
        hk_test_agent_kill(&home);
        home.set[0] = locales[i];
        home.set[1] = "LANG";
        expect_same_x(&home);
        HK_EXPECT(&home, 0, "Account", NULL);
        hk_tried("%s", locales[i]);
    }
}

static void remove_folder(const struct hk_test_home *it)
{
    (void)rmdir(it->folder);
}

static void row28_a_folder_that_is_gone_is_no_matter(void **state)
{
    (void)state;
    char gone[128];
    (void)snprintf(gone, sizeof(gone), "%s/user/gone", service.directory);
    for (int i = 0; i < 2; i++) {
        hk_test_agent_kill(&home); /* once the agent is started from there too */
        shell("mkdir '%s' && chmod 777 '%s'", gone, gone);
        home.folder = gone;
        home.in_child = remove_folder;
        expect_same_x(&home);
        assert_int_equal(access(gone, F_OK), -1);
        home.folder = NULL;
        home.in_child = NULL;
        expect_same_x(&home);
    }
    hk_tried("started in a folder that does not exist any more");
}

/* ---- the clock ---- */

static char clock_file[128], load[160], clock_is[160];

static void set_clock(long days)
{
    FILE *file = fopen(clock_file, "w");
    assert_non_null(file);
    (void)fprintf(file, "%ld", days * 86400);
    (void)fclose(file);
    (void)chmod(clock_file, 0644);
}

static void row28_a_clock_that_jumps_stops_nothing(void **state)
{
    (void)state;
    static const long days[] = {3650, -3650, 1, -1, 0};
    (void)snprintf(clock_file, sizeof(clock_file), "%s/clock", service.directory);
    (void)snprintf(load, sizeof(load), "LD_PRELOAD=%s/clock.so", service.directory);
    (void)snprintf(clock_is, sizeof(clock_is), "HK_CLOCK=%s", clock_file);
    set_clock(0);
    for (int who = 0; who < 2; who++) { /* the device's, then the service's */
        const char **set = who == 0 ? home.set : service.set;
        hk_test_agent_kill(&home);
        (void)hk_test_service_stop(&service);
        set[0] = load;
        set[1] = clock_is;
        hk_test_service_restart(&service);
        expect_same_x(&home);
        for (size_t i = 0; i < sizeof(days) / sizeof(*days); i++) {
            set_clock(days[i]);
            expect_same_x(&home);
            HK_EXPECT(&home, 0, "epoch", "refresh");
            HK_EXPECT(&home, 0, "verified", "log", "--verify");
            if (days[i] == 3650) { /* it has jumped */
                char year[8];
                const time_t then = time(NULL) + days[i] * 86400;
                (void)strftime(year, sizeof(year), "%Y-", gmtime(&then));
                if (who == 0) {
                    HK_EXPECT(&home, 0, year, "key", "create", "late", "--suite", "x25519", "--json");
                    HK_EXPECT(&home, 0, year, "key", "list", "--json");
                } else {
                    HK_EXPECT(&home, 0, year, "log", "--json");
                }
            }
            hk_test_agent_kill(&home); /* and from the file */
            expect_same_x(&home);
            hk_tried("%s clock jumps to %ld days from now", who == 0 ? "the device's" : "the service's",
                     days[i]);
        }
        set[0] = set[1] = NULL;
    }
}

static void row28_a_clock_that_jumps_during_a_refresh_leaves_the_pair_working(void **state)
{
    (void)state;
    static const long days[] = {3, -3};
    (void)snprintf(clock_file, sizeof(clock_file), "%s/clock", service.directory);
    (void)snprintf(load, sizeof(load), "LD_PRELOAD=%s/clock.so", service.directory);
    (void)snprintf(clock_is, sizeof(clock_is), "HK_CLOCK=%s", clock_file);
    (void)hk_test_service_stop(&service);
    service.set[0] = load;
    service.set[1] = clock_is;
    set_clock(0);
    hk_test_service_restart(&service);
    for (size_t i = 0; i < sizeof(days) / sizeof(*days); i++) {
        hk_test_agent_kill(&home);
        home.set[0] = "HK_CRASH=refresh.next/after";
        assert_int_not_equal(HK_RUN(&home, &output, "refresh"), 0);
        home.set[0] = NULL;
        set_clock(days[i]); /* the service drops a pending epoch after a day */
        expect_same_x(&home);
        HK_EXPECT(&home, 0, "epoch", "refresh");
        expect_same_x(&home);
        set_clock(0);
        hk_tried("the service's clock jumps %ld days during a refresh", days[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row28_without_a_home_it_says_what_to_set),
        TEST(row28_a_home_that_cannot_be_written_loses_nothing),
        TEST(row28_without_a_umask_nothing_is_open_to_others),
        TEST(row28_files_that_others_can_read_are_refused),
        TEST(row28_links_spaces_and_foreign_letters_in_paths_work),
        TEST(row28_names_that_are_no_text_are_refused),
        TEST(row28_no_locale_or_a_strange_one_changes_nothing),
        TEST(row28_a_folder_that_is_gone_is_no_matter),
        TEST(row28_a_clock_that_jumps_stops_nothing),
        TEST(row28_a_clock_that_jumps_during_a_refresh_leaves_the_pair_working),
    };
    return HK_ATTACK_ROW(28, tests);
}

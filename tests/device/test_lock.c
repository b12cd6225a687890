/* One agent for each folder: a second one is refused and told who is there; what a dead one left is not in
 * the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device/lock.h"

#define OTHER_BOOT "00000000-0000-4000-8000-000000000000"

static char folder[64], path[80], reason[256], host[128], boot[64];

static int set_up(void **unused)
{
    (void)unused;
    (void)snprintf(folder, sizeof(folder), "/tmp/halfkey-lock-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/lock", folder);
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%63s", boot), 1);
    assert_int_equal(fclose(file), 0);
    memset(reason, 0, sizeof(reason));
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    (void)unlink(path);
    return rmdir(folder);
}

static void leave_mark(const char *text, time_t age)
{
    struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(close(fd), 0);
}

static void read_mark(char text[512])
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t size = fread(text, 1, 511, file);
    text[size] = '\0';
    assert_int_equal(fclose(file), 0);
}

static void assert_taken(void)
{
    char text[512], expected[512];
    int fd = -1;
    assert_int_equal(hk_lock_take(&fd, folder, reason), HK_OK);
    (void)snprintf(expected, sizeof(expected), "%ld %s %s\n", (long)getpid(), host, boot);
    read_mark(text);
    assert_string_equal(text, expected);
    hk_lock_release(fd);
}

static void assert_refused(const char *sentence)
{
    char before[512], after[512];
    int fd = -1;
    read_mark(before);
    assert_int_equal(hk_lock_take(&fd, folder, reason), HK_CONFLICT);
    assert_int_equal(fd, -1);
    assert_string_equal(reason, sentence);
    read_mark(after);
    assert_string_equal(after, before);
}

static void a_second_one_is_refused_and_told_who_is_there(void **unused)
{
    char sentence[256];
    int fd = -1;
    (void)unused;
    assert_int_equal(hk_lock_take(&fd, folder, reason), HK_OK);
    (void)snprintf(sentence, sizeof(sentence), "another agent uses this folder: process %ld on %.100s",
                   (long)getpid(), host);
    assert_refused(sentence);
    hk_lock_release(fd);
    assert_taken();
}

static void a_holder_that_has_not_written_its_mark_yet_is_believed(void **unused)
{
    int fd = -1;
    (void)unused;
    assert_int_equal(hk_lock_take(&fd, folder, reason), HK_OK);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_refused("another agent uses this folder");
    hk_lock_release(fd);
}

static void a_clean_end_leaves_no_mark(void **unused)
{
    char text[512];
    (void)unused;
    assert_taken();
    read_mark(text);
    assert_string_equal(text, "");
}

static void the_mark_of_one_that_was_killed_is_not_in_the_way(void **unused)
{
    char text[512];
    int ready[2], status, fd;
    (void)unused;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char byte = hk_lock_take(&fd, folder, reason) == HK_OK ? 'y' : 'n';
        (void)!write(ready[1], &byte, 1);
        (void)alarm(20); /* nobody kills it if the test fails before */
        for (;;) {
            pause();
        }
    }
    char byte = 0;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    (void)snprintf(text, sizeof(text), "another agent uses this folder: process %ld on %.100s", (long)child,
                   host);
    assert_refused(text);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    read_mark(text);
    assert_int_equal(strtol(text, NULL, 10), child);
    assert_taken();
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void the_mark_of_another_host_is_believed_for_a_day(void **unused)
{
    (void)unused;
    leave_mark("4242 elsewhere " OTHER_BOOT "\n", 0);
    assert_refused("another agent uses this folder: process 4242 on elsewhere");
    leave_mark("4242 elsewhere " OTHER_BOOT "\n", 86400 - 600);
    assert_refused("another agent uses this folder: process 4242 on elsewhere");
    leave_mark("4242 elsewhere " OTHER_BOOT "\n", 86400 + 600);
    assert_taken();
}

static void a_mark_of_this_host_counts_for_nothing_without_the_lock(void **unused)
{
    char text[512];
    (void)unused;
    (void)snprintf(text, sizeof(text), "1 %s " OTHER_BOOT "\n", host); /* before it was started again */
    leave_mark(text, 0);
    assert_taken();
    (void)snprintf(text, sizeof(text), "1 elsewhere %s\n", boot); /* before it was given another name */
    leave_mark(text, 0);
    assert_taken();
}

static void what_is_no_mark_is_written_over(void **unused)
{
    static const char *const texts[] = {"", "\n", "4242", "4242 elsewhere",
                                        "elsewhere 4242 00000000-0000-4000-8000-000000000000"};
    (void)unused;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        leave_mark(texts[i], 0);
        assert_taken();
    }
}

static void a_link_in_its_place_is_not_followed(void **unused)
{
    char target[96];
    int fd = -1;
    struct stat status;
    (void)unused;
    (void)snprintf(target, sizeof(target), "%s/target", folder);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(hk_lock_take(&fd, folder, reason), HK_IO);
    assert_int_equal(fd, -1);
    assert_non_null(strstr(reason, path));
    assert_int_equal(stat(target, &status), -1);
}

int main(void)
{
#define A_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        A_TEST(a_second_one_is_refused_and_told_who_is_there),
        A_TEST(a_holder_that_has_not_written_its_mark_yet_is_believed),
        A_TEST(a_clean_end_leaves_no_mark),
        A_TEST(the_mark_of_one_that_was_killed_is_not_in_the_way),
        A_TEST(the_mark_of_another_host_is_believed_for_a_day),
        A_TEST(a_mark_of_this_host_counts_for_nothing_without_the_lock),
        A_TEST(what_is_no_mark_is_written_over),
        A_TEST(a_link_in_its_place_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The agent's process gives up what it does not need, and its files are taken only when nobody else can read
 * them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/process_view.h"

#include "device/home.h"
#include "device/state.h"

static char folder[64], home_path[96];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/halfkey-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(home_path, sizeof(home_path), "%s/halfkey", folder);
    assert_int_equal(setenv("HALFKEY_HOME", home_path, 1), 0);
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
    return 0;
}

/* ---- files ---- */

static void folder_that_others_can_enter_is_refused_with_the_command_to_run(void **state)
{
    (void)state;
    static const mode_t modes[] = {0750, 0701, 0720, 0777, 0710, 0704};
    struct hk_home home;
    char reason[256] = "", wanted[128];
    assert_int_equal(hk_home_find(&home, true, reason), HK_OK);
    (void)snprintf(wanted, sizeof(wanted), "run: chmod 700 %s", home_path);
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        assert_int_equal(chmod(home_path, modes[i]), 0);
        assert_int_equal(hk_home_find(&home, true, reason), HK_IO);
        assert_non_null(strstr(reason, wanted));
    }
    assert_int_equal(chmod(home_path, 0700), 0);
    assert_int_equal(hk_home_find(&home, false, reason), HK_OK);
}

static void file_of_another_user_or_for_others_is_refused_with_the_command_to_run(void **state)
{
    (void)state;
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0601, 0666};
    struct hk_home home;
    char reason[256] = "", path[128], wanted[160];
    assert_int_equal(hk_home_find(&home, true, reason), HK_OK);
    (void)snprintf(path, sizeof(path), "%s/file", home_path);
    (void)snprintf(wanted, sizeof(wanted), "run: chmod 600 %s", path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(hk_home_check_file(fd, path, reason), HK_OK);
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        assert_int_equal(fchmod(fd, modes[i]), 0);
        assert_int_equal(hk_home_check_file(fd, path, reason), HK_IO);
        assert_non_null(strstr(reason, wanted));
    }
    assert_int_equal(fchmod(fd, 0600), 0);
    if (geteuid() == 0) {
        assert_int_equal(fchown(fd, 1, (gid_t)-1), 0);
        assert_int_equal(hk_home_check_file(fd, path, reason), HK_IO);
    }
    (void)close(fd);
}

/* ---- the process ---- */

/* The agent, as a user who is not root where this test is; its process number. */
static pid_t start_agent(void)
{
    char path[4096], line[256] = "";
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 32);
    assert_true(length > 0);
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    strcpy(strrchr(path, '/'), "/halfkey");
    const struct passwd *nobody = getpwnam("nobody");
    bool root = geteuid() == 0;
    if (root) {
        assert_int_equal(chown(folder, nobody->pw_uid, nobody->pw_gid), 0);
    }
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        if (!root || setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid) == 0) {
            (void)execl(path, "halfkey", "agent", (char *)NULL);
        }
        _exit(127);
    }
    (void)close(ends[1]);
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_true(read(ends[0], line, sizeof(line) - 1) > 0); /* its socket: it listens */
    assert_non_null(strchr(line, '/'));
    (void)close(ends[0]);
    return child;
}

static bool proc_has(pid_t pid, const char *name, const char *line)
{
    char path[64], text[8192];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    const char *at = strstr(text, line);
    if (at == NULL) {
        print_error("%s: no %s in\n%s", name, line, text);
    }
    return at != NULL;
}

static void agent_has_no_core_no_debugger_and_no_new_privileges(void **state)
{
    (void)state;
    pid_t agent = start_agent();
    char path[64];
    struct stat found;
    assert_true(proc_has(agent, "status", "NoNewPrivs:\t1"));
    assert_true(proc_has(agent, "limits", "Max core file size        0                    0 "));
    (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)agent);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_uid, 0); /* cannot be dumped: the kernel says so by root's ownership */
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)agent);
    FILE *file = fopen(path, "re");
    unsigned long locked = 0;
    for (char line[256]; fgets(line, sizeof(line), file) != NULL;) {
        (void)sscanf(line, "VmLck: %lu", &locked);
    }
    (void)fclose(file);
    assert_true(SANITIZED || locked >= 4);
    assert_int_equal(kill(agent, SIGTERM), 0);
    int status = -1;
    assert_int_equal(waitpid(agent, &status, 0), agent);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(folder_that_others_can_enter_is_refused_with_the_command_to_run),
        TEST(file_of_another_user_or_for_others_is_refused_with_the_command_to_run),
        TEST(agent_has_no_core_no_debugger_and_no_new_privileges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

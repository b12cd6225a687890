#include "tests/support/home.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* BUILD/test/halfkey, from BUILD/test/attack/test_xyz. */
static void program(char *out, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", out, size - 32);
    assert_true(length > 0);
    out[length] = '\0';
    for (int i = 0; i < 2; i++) {
        *strrchr(out, '/') = '\0';
    }
    strcat(out, "/halfkey");
}

void hk_test_home_init(struct hk_test_home *home, const struct hk_test_service *service, const char *name)
{
    memset(home, 0, sizeof(*home));
    (void)snprintf(home->path, sizeof(home->path), "%s/%s", service->directory, name);
}

/* In the child. */
static void become(const struct hk_test_home *home, const char *const arguments[])
{
    static const char *const unwanted[] = {"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
                                           "HALFKEY_SERVICE", "HALFKEY_KEY",     "HALFKEY_DEVICE",
                                           "HK_CRASH",        "DISPLAY"};
    char path[512], name[192];
    const char *argv[64] = {"halfkey"};
    program(path, sizeof(path));
    if (home->program != NULL) {
        (void)snprintf(path, sizeof(path), "%s", home->program);
    }
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(*unwanted); i++) {
        (void)unsetenv(unwanted[i]);
    }
    (void)snprintf(name, sizeof(name), "%s", home->path);
    (void)setenv("HALFKEY_HOME", name, 1);
    for (size_t i = 0; home->set[i] != NULL; i++) {
        if (strchr(home->set[i], '=') == NULL) {
            (void)unsetenv(home->set[i]);
        } else {
            (void)putenv((char *)(uintptr_t)home->set[i]);
        }
    }
    size_t count = 1;
    for (size_t i = 0; arguments[i] != NULL && count < 62; i++) {
        argv[count++] = arguments[i];
    }
    if ((home->folder != NULL && chdir(home->folder) != 0) ||
        (home->user != 0 && (setgroups(0, NULL) != 0 || setresgid(home->user, home->user, home->user) != 0 ||
                             setresuid(home->user, home->user, home->user) != 0))) {
        _exit(126);
    }
    if (home->in_child != NULL) {
        home->in_child(home);
    }
    (void)execv(path, (char *const *)(uintptr_t)argv);
    _exit(127);
}

void hk_test_begin(const struct hk_test_home *home, struct hk_test_running *running,
                   const char *const arguments[])
{
    int out[2], err[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    running->pid = fork();
    assert_true(running->pid >= 0);
    if (running->pid == 0) {
        int nothing = open("/dev/null", O_RDONLY);
        (void)dup2(nothing, STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)dup2(err[1], STDERR_FILENO);
        (void)setsid(); /* no terminal to ask for a passphrase at */
        become(home, arguments);
    }
    (void)close(out[1]);
    (void)close(err[1]);
    running->out = out[0];
    running->err = err[0];
}

static size_t drain(struct pollfd *from, char *into, size_t max, size_t used)
{
    char surplus[4096];
    bool full = used + 1 >= max;
    ssize_t got = read(from->fd, full ? surplus : into + used, full ? sizeof(surplus) : max - 1 - used);
    if (got <= 0) {
        (void)close(from->fd);
        from->fd = -1;
        return used;
    }
    return full ? used : used + (size_t)got;
}

int hk_test_finish(struct hk_test_running *running, struct hk_test_output *output)
{
    struct pollfd wait[2] = {{.fd = running->out, .events = POLLIN}, {.fd = running->err, .events = POLLIN}};
    size_t out = 0, err = 0;
    int status = 0, left = 6000;
    pid_t ended = 0;
    memset(output, 0, sizeof(*output));
    /* An agent that the command started may hold the streams open: its end is what counts. */
    while (ended == 0 && left > 0) {
        ended = waitpid(running->pid, &status, WNOHANG);
        while (poll(wait, 2, ended == 0 ? 10 : 0) > 0) {
            out = wait[0].revents != 0 ? drain(&wait[0], output->out, sizeof(output->out), out) : out;
            err = wait[1].revents != 0 ? drain(&wait[1], output->err, sizeof(output->err), err) : err;
        }
        if (wait[0].fd < 0 && wait[1].fd < 0 && ended == 0) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        }
        left--;
    }
    for (int i = 0; i < 2; i++) {
        (void)(wait[i].fd >= 0 && close(wait[i].fd));
    }
    if (ended == 0) {
        (void)kill(running->pid, SIGKILL);
        (void)waitpid(running->pid, &status, 0);
        fail_msg("a command did not end: %s", output->err);
    }
    output->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return output->status;
}

int hk_test_run(const struct hk_test_home *home, struct hk_test_output *output, const char *const arguments[])
{
    struct hk_test_running running;
    hk_test_begin(home, &running, arguments);
    return hk_test_finish(&running, output);
}

void hk_test_expect(const struct hk_test_home *home, int want, const char *word,
                    const char *const arguments[])
{
    static struct hk_test_output output;
    (void)hk_test_run(home, &output, arguments);
    bool said = word == NULL || strstr(output.out, word) != NULL || strstr(output.err, word) != NULL;
    if (output.status != want || !said) {
        fail_msg("halfkey %s %s: exit %d, not %d with '%s':\n%s%s", arguments[0],
                 arguments[0] != NULL && arguments[1] != NULL ? arguments[1] : "", output.status, want,
                 word != NULL ? word : "", output.out, output.err);
    }
}

void hk_test_read_line(struct hk_test_running *running, const char *start, char *line, size_t max)
{
    char text[1024];
    size_t used = 0;
    for (;;) {
        struct pollfd wait = {.fd = running->out, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 20000), 1);
        if (read(running->out, text + used, 1) != 1) {
            char err[512] = "";
            (void)!read(running->err, err, sizeof(err) - 1);
            fail_msg("no line '%s': %s", start, err);
        }
        if (text[used] != '\n') {
            used += used + 1 < sizeof(text);
            continue;
        }
        text[used] = '\0';
        used = 0;
        if (strncmp(text, start, strlen(start)) == 0) {
            (void)snprintf(line, max, "%s", text + strlen(start));
            return;
        }
    }
}

void hk_test_home_account(struct hk_test_home *home, const struct hk_test_service *service,
                          const char *device)
{
    HK_EXPECT(home, 0, "Account", "init", "--service", service->line, "--device", device, "--no-passphrase");
}

void hk_test_home_pair(struct hk_test_home *admin, struct hk_test_home *home, const char *device)
{
    static struct hk_test_output output;
    struct hk_test_running join;
    char words[256];
    assert_int_equal(HK_RUN(admin, &output, "device", "invite"), 0);
    *strchr(output.out, '\n') = '\0';
    hk_test_begin(
        home, &join,
        (const char *const[]){"device", "join", output.out, "--device", device, "--no-passphrase", NULL});
    hk_test_read_line(&join, "words: ", words, sizeof(words));
    HK_EXPECT(admin, 0, "is enrolled", "device", "approve", "--words", words);
    if (hk_test_finish(&join, &output) != 0) {
        fail_msg("join: %s", output.err);
    }
}

/* The folder's lock file, open; whether somebody holds it says whether an agent runs. */
static bool lock_is_held(const struct hk_test_home *home, long *pid)
{
    char path[192];
    (void)snprintf(path, sizeof(path), "%s/lock", home->path);
    FILE *file = fopen(path, "r");
    *pid = 0;
    if (file == NULL) {
        return false;
    }
    (void)!fscanf(file, "%ld", pid);
    bool held = flock(fileno(file), LOCK_EX | LOCK_NB) != 0;
    (void)fclose(file);
    return held;
}

pid_t hk_test_agent(const struct hk_test_home *home)
{
    long pid;
    return lock_is_held(home, &pid) ? (pid_t)pid : 0;
}

void hk_test_agent_kill(const struct hk_test_home *home)
{
    long pid;
    if (lock_is_held(home, &pid) && pid > 1) {
        (void)kill((pid_t)pid, SIGKILL);
        for (int i = 0; i < 500 && lock_is_held(home, &pid); i++) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
    }
}

void hk_test_home_end(struct hk_test_home *home)
{
    hk_test_agent_kill(home);
}

void hk_test_home_copy(const struct hk_test_home *from, const struct hk_test_home *to)
{
    char command[1024];
    (void)snprintf(command, sizeof(command), "rm -rf '%s' && cp -a '%s' '%s' && rm -f '%s'/lock '%s'/agent-*",
                   to->path, from->path, to->path, to->path, to->path);
    assert_int_equal(system(command), 0);
}

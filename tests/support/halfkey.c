#include "tests/support/halfkey.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/service.h"

static void execute(const char *directory, int ends[3], const char *const arguments[])
{
    char path[512], home[128];
    const char *argv[300] = {"halfkey"};
    hk_test_service_program(path, sizeof(path));
    path[strlen(path) - 1] = '\0'; /* halfkeyd's neighbour */
    (void)snprintf(home, sizeof(home), "%s/home", directory);
    for (int i = 0; arguments[i] != NULL; i++) {
        assert_true(i < 298);
        argv[i + 1] = arguments[i];
    }
    (void)dup2(ends[0], STDIN_FILENO);
    (void)dup2(ends[1], STDOUT_FILENO);
    (void)dup2(ends[2], STDERR_FILENO);
    (void)setenv("HALFKEY_HOME", home, 1);
    (void)execv(path, (char *const *)argv);
    _exit(127);
}

/* Files, not pipes: an agent that the command starts may keep them open. */
static int open_file(const char *directory, const char *name, int flags)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

static size_t read_file(int fd, char *out, size_t max)
{
    ssize_t size = pread(fd, out, max - 1, 0);
    assert_true(size >= 0);
    out[size] = '\0';
    (void)close(fd);
    return (size_t)size;
}

pid_t halfkey_start(const char *directory, const char *input, const char *const arguments[])
{
    int ends[3] = {open_file(directory, "run.in", O_RDWR | O_TRUNC),
                   open_file(directory, "run.out", O_RDWR | O_TRUNC),
                   open_file(directory, "run.err", O_RDWR | O_TRUNC)};
    if (input != NULL) {
        assert_int_equal(pwrite(ends[0], input, strlen(input), 0), (ssize_t)strlen(input));
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execute(directory, ends, arguments);
    }
    for (size_t i = 0; i < 3; i++) {
        (void)close(ends[i]);
    }
    return child;
}

void halfkey_wait(struct halfkey_run *run, const char *directory, pid_t child)
{
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    run->out_size = read_file(open_file(directory, "run.out", O_RDONLY), run->out, sizeof(run->out));
    (void)read_file(open_file(directory, "run.err", O_RDONLY), run->err, sizeof(run->err));
}

void halfkey_run(struct halfkey_run *run, const char *directory, const char *input,
                 const char *const arguments[])
{
    halfkey_wait(run, directory, halfkey_start(directory, input, arguments));
}

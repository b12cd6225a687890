#include "tests/support/service.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* BUILD/test/halfkeyd, from BUILD/test/keyservice/test_xyz. */
void hk_test_service_program(char *out, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", out, size - 32);
    assert_true(length > 0);
    out[length] = '\0';
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(out, '/');
        assert_non_null(slash);
        *slash = '\0';
    }
    strcat(out, "/halfkeyd");
}

static void arm_path(char *out, size_t size, const struct hk_test_service *service)
{
    (void)snprintf(out, size, "%s/armed", service->directory);
}

void hk_test_service_arm(const struct hk_test_service *service)
{
    char path[128];
    arm_path(path, sizeof(path), service);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

static void run(struct hk_test_service *service, int output)
{
    char path[4096], data[128], log[128];
    const char *arguments[32] = {path, "--data", data, "--listen", service->listen};
    size_t count = 5;
    hk_test_service_program(path, sizeof(path));
    (void)snprintf(data, sizeof(data), "%s/data", service->directory);
    (void)snprintf(log, sizeof(log), "%s/log", service->directory);
    for (size_t i = 0; service->options[i] != NULL; i++) {
        arguments[count++] = service->options[i];
    }
    service->pid = fork();
    assert_true(service->pid >= 0);
    if (service->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no service behind */
        int errors = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        (void)dup2(output, STDOUT_FILENO);
        (void)dup2(errors, STDERR_FILENO);
        (void)setenv("HALFKEYD_USER", geteuid() == 0 ? "root" : "", 0); /* the folder is the tester's */
        if (service->crash != NULL) {
            (void)setenv("HK_CRASH", service->crash, 1);
        }
        for (size_t i = 0; service->set[i] != NULL; i++) {
            (void)putenv((char *)(uintptr_t)service->set[i]);
        }
        if (service->notes != NULL) {
            (void)setenv("HK_NOTES", service->notes, 1);
        }
        if (service->armed_later) {
            arm_path(log, sizeof(log), service);
            (void)setenv("HK_CRASH_ARMED", log, 1);
        }
        if (service->fault != NULL) {
            (void)setenv("HK_FAULT", service->fault, 1);
        }
        (void)execv(path, (char *const *)arguments);
        _exit(127);
    }
}

void hk_test_service_restart(struct hk_test_service *service)
{
    char armed[128];
    arm_path(armed, sizeof(armed), service);
    (void)unlink(armed);
    int ends[2];
    size_t size = 0;
    char line[sizeof(service->line)];
    static const char ready[] = "halfkeyd ready ";
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    run(service, ends[1]);
    (void)close(ends[1]);
    while (size < sizeof(line) - 1 && (size == 0 || line[size - 1] != '\n')) {
        struct pollfd wait = {.fd = ends[0], .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 30000), 1);
        ssize_t got = read(ends[0], line + size, 1);
        assert_int_equal(got, 1);
        size++;
    }
    (void)close(ends[0]);
    line[size - 1] = '\0';
    assert_memory_equal(line, ready, sizeof(ready) - 1);
    (void)snprintf(service->line, sizeof(service->line), "%s", line + sizeof(ready) - 1);
    assert_int_equal(hk_address_parse(&service->address, service->line, NULL), HK_OK);
    if (strncmp(service->listen, "tcp:", 4) == 0) { /* the same port the next time */
        (void)snprintf(service->listen, sizeof(service->listen), "%s", service->address.url);
    }
}

void hk_test_service_start(struct hk_test_service *service, bool over_tcp)
{
    (void)snprintf(service->directory, sizeof(service->directory), "/tmp/halfkey-test-XXXXXX");
    assert_non_null(mkdtemp(service->directory));
    if (over_tcp) {
        (void)snprintf(service->listen, sizeof(service->listen), "tcp://127.0.0.1:0");
    } else {
        (void)snprintf(service->listen, sizeof(service->listen), "ipc://%s/socket", service->directory);
    }
    hk_test_service_restart(service);
}

int hk_test_service_stop(struct hk_test_service *service)
{
    int status = -1;
    assert_int_equal(kill(service->pid, SIGTERM), 0);
    assert_int_equal(waitpid(service->pid, &status, 0), service->pid);
    service->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void hk_test_service_kill(struct hk_test_service *service)
{
    assert_int_equal(kill(service->pid, SIGKILL), 0);
    assert_int_equal(waitpid(service->pid, NULL, 0), service->pid);
    service->pid = 0;
}

bool hk_test_service_died(struct hk_test_service *service)
{
    for (int i = 0; i < 1000; i++) {
        if (waitpid(service->pid, NULL, WNOHANG) == service->pid) {
            service->pid = 0;
            return true;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return false;
}

void hk_test_service_end(struct hk_test_service *service)
{
    char command[128];
    if (service->pid != 0) {
        hk_test_service_kill(service);
    }
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", service->directory);
    assert_int_equal(system(command), 0);
}

#include "tests/support/process_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

void hk_process_prepare(struct hk_test_service *service)
{
    (void)snprintf(service->directory, sizeof(service->directory), "/tmp/halfkey-test-XXXXXX");
    assert_non_null(mkdtemp(service->directory));
    assert_int_equal(chmod(service->directory, 0755), 0);
    (void)snprintf(service->listen, sizeof(service->listen), "tcp://127.0.0.1:0");
}

const char *hk_process_line(const struct hk_test_service *service, const char *file, const char *name)
{
    static char line[512];
    char path[600];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)service->pid, file);
    FILE *opened = fopen(path, "re");
    assert_non_null(opened);
    size_t length = strlen(name);
    while (fgets(line, sizeof(line), opened) != NULL && strncmp(line, name, length) != 0) {
        line[0] = '\0';
    }
    (void)fclose(opened);
    line[strcspn(line, "\n")] = '\0';
    char *value = strncmp(line, name, length) == 0 ? line + length : line;
    return value + strspn(value, ": \t");
}

const char *hk_process_log(const struct hk_test_service *service)
{
    static char text[65536];
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/log", service->directory);
    FILE *file = fopen(path, "re");
    size_t size = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    text[size] = '\0';
    if (file != NULL) {
        (void)fclose(file);
    }
    return text;
}

int hk_process_refused(const struct hk_test_service *service, const char *const options[], uid_t as)
{
    char path[4096], data[128];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 32);
    assert_true(length > 0);
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    strcpy(strrchr(path, '/'), "/halfkeyd");
    (void)snprintf(data, sizeof(data), "%s/data", service->directory);
    const char *arguments[16] = {path, "--data", data, "--listen", "tcp://127.0.0.1:0"};
    for (size_t i = 0; options[i] != NULL; i++) {
        arguments[5 + i] = options[i];
    }
    char log[128];
    (void)snprintf(log, sizeof(log), "%s/log", service->directory);
    int status = -1, out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(out, STDOUT_FILENO);
        (void)dup2(out, STDERR_FILENO);
        (void)alarm(10);
        if (as == geteuid() || setresuid(as, as, as) == 0) {
            (void)execv(path, (char *const *)arguments);
        }
        _exit(127);
    }
    (void)close(out);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

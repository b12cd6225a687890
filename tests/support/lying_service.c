#include "tests/support/lying_service.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "keyservice/pairs.h"

void lying_start(struct lying_service *lying)
{
    static struct hk_options options;
    char reason[256] = "";
    memset(lying, 0, sizeof(*lying));
    memset(&options, 0, sizeof(options));
    struct hk_test_service *service = &lying->service;
    (void)snprintf(service->directory, sizeof(service->directory), "/tmp/halfkey-test-XXXXXX");
    assert_non_null(mkdtemp(service->directory));
    (void)snprintf(options.data, sizeof(options.data), "%s/data", service->directory);
    (void)snprintf(options.listen[0], sizeof(options.listen[0]), "ipc://%s/socket", service->directory);
    options.listen_count = 1;
    enum hk_error error = hk_server_start(&lying->server, &options, reason);
    if (error != HK_OK) {
        fail_msg("the service does not start: %s", reason);
    }
    (void)snprintf(service->line, sizeof(service->line), "%s", lying->server->address);
    assert_int_equal(hk_address_parse(&service->address, service->line, NULL), HK_OK);
}

void lying_tell(lie_function *lie, void *argument)
{
    hk_test_on_answer(lie, argument);
}

void lying_stop(struct lying_service *lying)
{
    hk_test_on_answer(NULL, NULL);
    hk_server_stop(lying->server);
    hk_test_service_end(&lying->service);
}

void lying_half(struct hk_job *job, struct hk_scalar *half)
{
    struct hk_txn *txn;
    struct hk_key kept = job->key;
    assert_int_equal(hk_store_read_begin(job->server->store, &txn), HK_OK);
    assert_int_equal(hk_pair_load(job, txn, UINT32_MAX, half), HK_OK);
    hk_store_read_end(txn);
    job->key = kept;
}

/* ---- the real device ---- */

static void start(const struct hk_test_service *service, int ends[3], const char *const arguments[])
{
    char path[512], home[128];
    const char *argv[300] = {"halfkey"};
    hk_test_service_program(path, sizeof(path));
    path[strlen(path) - 1] = '\0'; /* halfkeyd's neighbour */
    (void)snprintf(home, sizeof(home), "%s/home", service->directory);
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
static int open_file(const struct hk_test_service *service, const char *name, int flags)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", service->directory, name);
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

void halfkey_run(struct halfkey_run *run, const struct hk_test_service *service, const char *input,
                 const char *const arguments[])
{
    int status = -1;
    int ends[3] = {open_file(service, "run.in", O_RDWR | O_TRUNC),
                   open_file(service, "run.out", O_RDWR | O_TRUNC),
                   open_file(service, "run.err", O_RDWR | O_TRUNC)};
    if (input != NULL) {
        assert_int_equal(pwrite(ends[0], input, strlen(input), 0), (ssize_t)strlen(input));
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        start(service, ends, arguments);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    (void)close(ends[0]);
    run->out_size = read_file(ends[1], run->out, sizeof(run->out));
    (void)read_file(ends[2], run->err, sizeof(run->err));
}

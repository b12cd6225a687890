#include "device/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/stream.h"

static void become(const char *const argv[], int in, int out)
{
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0) {
        signal(SIGPIPE, SIG_DFL);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
    }
    _exit(127);
}

/* All that comes; what does not fit is read and dropped, so that the program can go on. */
static void collect(int fd, char *output, size_t max)
{
    char rest[4096];
    size_t have = 0;
    ssize_t got;
    do {
        bool room = have + 1 < max;
        got = read(fd, room ? output + have : rest, room ? max - 1 - have : sizeof rest);
        if (got > 0 && room)
            have += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    output[have] = 0;
}

enum hk_error hk_run(const char *const argv[], const void *input, size_t input_size, char *output, size_t max,
                     int *status)
{
    int to[2], from[2], end = 0;
    if (pipe2(to, O_CLOEXEC) != 0)
        return HK_IO;
    if (pipe2(from, O_CLOEXEC) != 0) {
        close(to[0]);
        close(to[1]);
        return HK_IO;
    }
    pid_t child = fork();
    if (child == 0)
        become(argv, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    if (child > 0 && input_size > 0)
        (void)!hk_fd_write(&to[1], input, input_size);
    close(to[1]);
    if (child > 0)
        collect(from[0], output, max);
    close(from[0]);
    if (child < 0)
        return HK_IO;
    while (waitpid(child, &end, 0) < 0 && errno == EINTR)
        ;
    *status = WIFEXITED(end) ? WEXITSTATUS(end) : 128 + WTERMSIG(end);
    return HK_OK;
}

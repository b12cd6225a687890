#include "device/ssh_tell.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/settings.h"

#define LINE_MAX_BYTES 1024

/* Where it may be written without a mark left in anything but a place for messages. */
static bool is_for_messages(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    return S_ISFIFO(status.st_mode) || (S_ISCHR(status.st_mode) && isatty(fd));
}

/* One line, in one write: lines of several connections do not mix. */
static size_t make_line(char line[LINE_MAX_BYTES], const char *sentence)
{
    return (size_t)snprintf(line, LINE_MAX_BYTES, "halfkey: %.1000s\n", sentence);
}

void hk_ssh_say(const char *sentence)
{
    char line[LINE_MAX_BYTES];
    size_t length = make_line(line, sentence);
    (void)!write(STDERR_FILENO, line, length);
}

void hk_ssh_tell(pid_t peer, const char *sentence)
{
    char path[64], line[LINE_MAX_BYTES];
    size_t length = make_line(line, sentence);
    hk_ssh_say(sentence);
    snprintf(path, sizeof path, "/proc/%ld/fd/2", (long)peer);
    int fd = peer > 0 ? open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    if (is_for_messages(fd))
        (void)!write(fd, line, length);
    close(fd);
}

/* Twice forked: nobody has to wait for the program, and none is left a zombie. */
void hk_ssh_notify(const char *sentence)
{
    const char *program = hk_setting("notify");
    pid_t child = program ? fork() : -1;
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || fork() != 0)
            _exit(0);
        signal(SIGPIPE, SIG_DFL);
        execlp(program, program, sentence, (char *)NULL);
        _exit(127);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

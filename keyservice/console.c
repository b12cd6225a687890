#include "keyservice/console.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void hk_console(enum hk_level level, const char *event, const char *format, ...)
{
    static const char *const names[] = {"info", "warning", "error"};
    char line[1500], when[32];
    time_t now = time(NULL);
    struct tm parts;
    (void)gmtime_r(&now, &parts);
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
    int used = snprintf(line, sizeof(line), "time=%s level=%s event=%s", when, names[level], event);
    va_list list;
    va_start(list, format);
    used += vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, list);
    va_end(list);
    size_t size = (size_t)used < sizeof(line) - 1 ? (size_t)used : sizeof(line) - 2;
    line[size++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, size); /* one call, so that lines do not mix */
    (void)written;
}

void hk_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path)) {
        return;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
        (void)close(fd);
    }
}

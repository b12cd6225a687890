#include "keyservice/console.h"

#include <stdarg.h>
#include <stdio.h>
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

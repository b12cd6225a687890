#include "device/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "device/home.h"

#define MARK_MAX 512
#define DAY 86400

struct mark {
    long pid;
    char host[128], boot[64];
};

static void read_boot(char boot[64])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL || fgets(boot, 64, file) == NULL) {
        snprintf(boot, 64, "unknown");
    }
    boot[strcspn(boot, "\n")] = '\0';
    if (file != NULL) {
        fclose(file);
    }
}

static struct mark own_mark(void)
{
    struct mark mark = {.pid = (long)getpid()};
    if (gethostname(mark.host, sizeof(mark.host) - 1) != 0 || mark.host[0] == '\0') {
        snprintf(mark.host, sizeof(mark.host), "unknown");
    }
    read_boot(mark.boot);
    return mark;
}

/* False if nobody has left a mark. */
static bool read_mark(int fd, struct mark *mark)
{
    char text[MARK_MAX] = {0};
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
    char *rest = text;
    mark->pid = strtol(text, &rest, 10);
    return size > 0 && rest != text && sscanf(rest, "%127s %63s", mark->host, mark->boot) == 2;
}

static enum hk_error write_mark(int fd, const struct mark *mark)
{
    char text[MARK_MAX];
    int size = snprintf(text, sizeof(text), "%ld %s %s\n", mark->pid, mark->host, mark->boot);
    bool good = ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)size, 0) == size && fsync(fd) == 0;
    return good ? HK_OK : HK_IO;
}

static enum hk_error take(int fd, const char *path, char reason[256])
{
    struct mark other, self = own_mark();
    struct stat status;
    bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    bool marked = read_mark(fd, &other);
    bool foreign = marked && strcmp(other.host, self.host) != 0 && strcmp(other.boot, self.boot) != 0 &&
                   fstat(fd, &status) == 0 && time(NULL) - status.st_mtime < DAY;
    if (!locked || foreign) {
        if (marked) {
            snprintf(reason, 256, "another agent uses this folder: process %ld on %.100s", other.pid,
                     other.host);
        } else {
            snprintf(reason, 256, "another agent uses this folder");
        }
        return HK_CONFLICT;
    }
    if (write_mark(fd, &self) != HK_OK) {
        snprintf(reason, 256, "%.180s: cannot be written", path);
        return HK_IO;
    }
    return HK_OK;
}

enum hk_error hk_lock_take(int *fd, const char *folder, char reason[256])
{
    char path[HK_HOME_PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s/lock", folder);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        snprintf(reason, 256, "%.180s: %s", path, strerror(errno));
        return HK_IO;
    }
    enum hk_error error = hk_home_check_file(file, path, reason);
    if (error == HK_OK) {
        error = take(file, path, reason);
    }
    if (error != HK_OK) {
        close(file);
        return error;
    }
    *fd = file;
    return HK_OK;
}

void hk_lock_release(int fd)
{
    if (ftruncate(fd, 0) != 0) {
        /* the mark stays; it names a process that is gone, and flock decides */
    }
    close(fd);
}

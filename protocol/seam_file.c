#include "protocol/seam_file.h"

#ifdef HK_TEST_SEAMS
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char last_line[64];
static long writes;

enum operation { WRITE, SYNC, OTHER };
struct kind {
    const char *name;
    int error; /* what the call fails with; 0: see below */
    bool dies, halves, syncs_only;
};
static const struct kind kinds[] = {
    {"kill", 0, true, false, false},    {"torn", 0, true, true, false},
    {"short", 0, false, true, false},   {"enospc", ENOSPC, false, false, false},
    {"eio", EIO, false, false, false},  {"erofs", EROFS, false, false, false},
    {"fsync", EIO, false, false, true},
};

/* One byte more in PATH.hit or PATH.count, past everything that counts writes. */
static void mark(const char *path, const char *what)
{
    char name[512];
    snprintf(name, sizeof(name), "%s.%s", path, what);
    long fd = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)syscall(SYS_write, fd, "x", 1);
        close((int)fd);
    }
}

/* What is to go wrong with this operation; NULL: nothing. */
static const struct kind *fault(enum operation operation)
{
    const char *path = getenv("HK_FAULT");
    char line[64] = "", name[16] = "";
    long first = 0, count = 0;
    const struct kind *found = NULL;
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return NULL;
    }
    ssize_t got = read(fd, line, sizeof(line) - 1);
    close(fd);
    if (got <= 0 || sscanf(line, "%15s %ld %ld", name, &first, &count) != 3) {
        return NULL;
    }
    if (strcmp(name, "count") == 0) {
        mark(path, "count");
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        found = strcmp(kinds[i].name, name) == 0 ? &kinds[i] : found;
    }
    if (found == NULL || (found->syncs_only && operation != SYNC)) {
        return NULL;
    }
    pthread_mutex_lock(&lock);
    if (strcmp(line, last_line) != 0) {
        memcpy(last_line, line, sizeof(line));
        writes = 0;
    }
    writes++;
    bool hit = writes >= first && writes - first < count;
    pthread_mutex_unlock(&lock);
    if (hit) {
        mark(path, "hit");
    }
    return hit ? found : NULL;
}

static bool is_file(int fd)
{
    struct stat status;
    return fd > 2 && getenv("HK_FAULT") != NULL && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static void die(void)
{
    raise(SIGKILL);
}

/* offset -1: at the file's own place. */
static ssize_t put(int fd, const void *data, size_t size, off_t offset)
{
    return offset < 0 ? syscall(SYS_write, fd, data, size) : syscall(SYS_pwrite64, fd, data, size, offset);
}

static ssize_t put_or_fail(int fd, const void *data, size_t size, off_t offset)
{
    const struct kind *kind = is_file(fd) ? fault(WRITE) : NULL;
    if (kind == NULL) {
        return put(fd, data, size, offset);
    }
    if (kind->error != 0) {
        errno = kind->error;
        return -1;
    }
    ssize_t written = kind->halves && size > 1 ? put(fd, data, size / 2, offset) : 0;
    if (kind->dies) {
        die();
    }
    return written > 0 ? written : put(fd, data, size, offset);
}

/* False, with errno, if the operation must not be done. */
static bool may(enum operation operation)
{
    const struct kind *kind = fault(operation);
    if (kind != NULL && kind->dies) {
        die();
    }
    if (kind != NULL && kind->error != 0) {
        errno = kind->error;
        return false;
    }
    return true;
}

/* ---- in place of the library's ---- */

ssize_t write(int fd, const void *data, size_t size)
{
    return put_or_fail(fd, data, size, -1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return put_or_fail(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    return put_or_fail(fd, data, size, offset);
}

int ftruncate(int fd, off_t size)
{
    return !is_file(fd) || may(OTHER) ? (int)syscall(SYS_ftruncate, fd, size) : -1;
}

int ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}

int fsync(int fd)
{
    return getenv("HK_FAULT") == NULL || may(SYNC) ? (int)syscall(SYS_fsync, fd) : -1;
}

int fdatasync(int fd)
{
    return getenv("HK_FAULT") == NULL || may(SYNC) ? (int)syscall(SYS_fdatasync, fd) : -1;
}

int rename(const char *from, const char *to)
{
    return getenv("HK_FAULT") == NULL || may(OTHER) ? (int)syscall(SYS_rename, from, to) : -1;
}
#else
typedef int hk_seam_file_is_empty; /* a translation unit must declare something */
#endif

#include "keyservice/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "protocol/seam.h"

#ifdef HK_TEST_SEAMS
#include <stdatomic.h>
static atomic_long writes_until_failure, failures_left;
void hk_test_fail_write(long nth, long more)
{
    atomic_store(&failures_left, more);
    atomic_store(&writes_until_failure, nth);
}
static bool must_fail(void)
{
    if (atomic_load(&writes_until_failure) == 0) {
        return false;
    }
    if (atomic_load(&writes_until_failure) > 1) {
        atomic_fetch_sub(&writes_until_failure, 1);
        return false;
    }
    if (atomic_fetch_sub(&failures_left, 1) <= 1) {
        atomic_store(&writes_until_failure, 0);
    }
    return true;
}
#else
static bool must_fail(void)
{
    return false;
}
#endif

void hk_reason(char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, HK_REASON_MAX, format, arguments);
    va_end(arguments);
}

enum hk_error hk_path(char *path, const char *dir, const char *name)
{
    int length = snprintf(path, HK_PATH_MAX, "%s/%s", dir, name);
    return length > 0 && length < HK_PATH_MAX ? HK_OK : HK_IO;
}

bool hk_file_exists(const char *path)
{
    struct stat found;
    return lstat(path, &found) == 0;
}

/* Files that others can read are refused, not repaired: whoever could read them may have done so. */
static enum hk_error check_private(const struct stat *found, const char *path, char *reason)
{
    if (found->st_uid != geteuid() && found->st_uid != 0) {
        hk_reason(reason, "%.180s belongs to another user; chown it", path);
        return HK_IO;
    }
    if ((found->st_mode & 077) != 0) {
        hk_reason(reason, "%.90s can be read or changed by others (mode %03o); run: chmod go= %.90s", path,
                  (unsigned)(found->st_mode & 0777), path);
        return HK_IO;
    }
    return HK_OK;
}

enum hk_error hk_file_private_dir(const char *path, char *reason)
{
    if (mkdir(path, 0700) == 0) {
        if (hk_file_sync_dir(path) != HK_OK) {
            hk_reason(reason, "cannot make %.180s durable", path);
            return HK_IO;
        }
    } else if (errno != EEXIST) {
        hk_reason(reason, "cannot make %.150s: %s", path, strerror(errno));
        return HK_IO;
    }
    struct stat found;
    if (stat(path, &found) != 0 || !S_ISDIR(found.st_mode)) {
        hk_reason(reason, "%.180s is not a directory", path);
        return HK_IO;
    }
    return check_private(&found, path, reason);
}

enum hk_error hk_file_open_private(int *fd, const char *path, bool write, char *reason)
{
    int opened = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (opened < 0) {
        int why = errno;
        hk_reason(reason, why == ELOOP ? "%.150s is a symbolic link" : "cannot open %.150s: %s", path,
                  strerror(why));
        return why == ENOENT ? HK_NOT_FOUND : HK_IO;
    }
    struct stat found;
    enum hk_error error = HK_OK;
    if (fstat(opened, &found) != 0 || !S_ISREG(found.st_mode)) {
        hk_reason(reason, "%.180s is not a regular file", path);
        error = HK_IO;
    } else {
        error = check_private(&found, path, reason);
    }
    if (error != HK_OK) {
        close(opened);
        return error;
    }
    *fd = opened;
    return HK_OK;
}

enum hk_error hk_file_read_private(const char *path, void *out, size_t size, char *reason)
{
    int fd;
    enum hk_error error = hk_file_open_private(&fd, path, false, reason);
    if (error != HK_OK) {
        return error;
    }
    struct stat found;
    if (fstat(fd, &found) != 0 || (uint64_t)found.st_size != size) {
        hk_reason(reason, "%.150s is damaged: it should have %zu bytes", path, size);
        error = HK_IO;
    } else {
        error = hk_file_read_at(fd, out, size, 0);
        if (error != HK_OK) {
            hk_reason(reason, "cannot read %.180s", path);
        }
    }
    close(fd);
    return error;
}

enum hk_error hk_file_write_at(int fd, const void *data, size_t size, uint64_t offset)
{
    const uint8_t *bytes = data;
    if (must_fail()) {
        return HK_IO;
    }
    while (size != 0) {
        ssize_t written = pwrite(fd, bytes, size, (off_t)offset);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return HK_IO;
        }
        bytes += written;
        offset += (uint64_t)written;
        size -= (size_t)written;
    }
    return HK_OK;
}

enum hk_error hk_file_read_at(int fd, void *out, size_t size, uint64_t offset)
{
    uint8_t *bytes = out;
    while (size != 0) {
        ssize_t got = pread(fd, bytes, size, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return HK_IO;
        }
        bytes += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return HK_OK;
}

/* fdatasync also brings what is needed to find the data again, such as a new length; only times are left out.
 */
enum hk_error hk_file_sync(int fd)
{
    return !must_fail() && fdatasync(fd) == 0 ? HK_OK : HK_IO;
}

enum hk_error hk_file_sync_dir(const char *path)
{
    char copy[HK_PATH_MAX];
    if (strlen(path) >= sizeof copy) {
        return HK_IO;
    }
    strcpy(copy, path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return HK_IO;
    }
    enum hk_error error = !must_fail() && fsync(fd) == 0 ? HK_OK : HK_IO;
    close(fd);
    return error;
}

enum hk_error hk_file_create(int *fd, const char *path)
{
    int opened = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (opened < 0) {
        return errno == EEXIST ? HK_EXISTS : HK_IO;
    }
    if (fchmod(opened, 0600) != 0) {
        close(opened);
        return HK_IO;
    }
    *fd = opened;
    return HK_OK;
}

enum hk_error hk_file_replace(const char *path, const void *data, size_t size)
{
    char beside[HK_PATH_MAX];
    int length = snprintf(beside, sizeof beside, "%s.new", path);
    if (length <= 0 || length >= (int)sizeof beside) {
        return HK_IO;
    }
    unlink(beside);
    int fd;
    HK_SEAM("file.replace.before");
    enum hk_error error = hk_file_create(&fd, beside);
    if (error != HK_OK) {
        return HK_IO;
    }
    error = hk_file_write_at(fd, data, size, 0);
    HK_SEAM("file.replace.written");
    if (error == HK_OK) {
        error = hk_file_sync(fd);
    }
    close(fd);
    if (error == HK_OK && (must_fail() || rename(beside, path) != 0)) {
        error = HK_IO;
    }
    if (error != HK_OK) {
        unlink(beside);
        return error;
    }
    HK_SEAM("file.replace.renamed");
    error = hk_file_sync_dir(path);
    HK_SEAM("file.replace.after");
    return error;
}

/* flock belongs to the open file, so it ends with the process however that dies; the number in the file is
 * for the message alone. */
enum hk_error hk_file_lock_dir(int *fd, const char *dir, char *reason)
{
    char path[HK_PATH_MAX];
    if (hk_path(path, dir, "lock") != HK_OK) {
        hk_reason(reason, "the path of the data directory is too long");
        return HK_IO;
    }
    int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (opened < 0) {
        hk_reason(reason, "cannot open %.150s: %s", path, strerror(errno));
        return HK_IO;
    }
    char text[32] = "";
    if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
        ssize_t got = pread(opened, text, sizeof text - 1, 0);
        long pid = got > 0 ? strtol(text, NULL, 10) : 0;
        close(opened);
        hk_reason(reason, "another halfkeyd (process %ld) is running on %.150s", pid, dir);
        return HK_BUSY;
    }
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(opened, 0) != 0 || pwrite(opened, text, (size_t)length, 0) != length) {
        close(opened);
        hk_reason(reason, "cannot write %.180s", path);
        return HK_IO;
    }
    *fd = opened;
    return HK_OK;
}

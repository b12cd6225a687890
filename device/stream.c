#include "device/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "protocol/encoding.h"

enum hk_error hk_fd_read(void *context, uint8_t *out, size_t max, size_t *got)
{
    ssize_t n;
    do {
        n = read(*(const int *)context, out, max);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return HK_IO;
    *got = (size_t)n;
    return HK_OK;
}

enum hk_error hk_fd_write(void *context, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(*(const int *)context, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return HK_IO;
        data += n;
        size -= (size_t)n;
    }
    return HK_OK;
}

enum hk_error hk_read_all(const struct hk_source *source, uint8_t *out, size_t max, size_t *got)
{
    size_t have = 0;
    while (have < max) {
        size_t n = 0;
        enum hk_error error = source->read(source->context, out + have, max - have, &n);
        if (error)
            return error;
        if (n == 0)
            break;
        have += n;
    }
    *got = have;
    return HK_OK;
}

void hk_lines_init(struct hk_lines *lines, struct hk_source source)
{
    lines->source = source;
    lines->begin = lines->end = 0;
}

void hk_lines_wipe(struct hk_lines *lines)
{
    hk_wipe(lines, sizeof *lines);
}

/* Makes room and reads once more; *got is 0 at the end of the source. */
static enum hk_error fill(struct hk_lines *lines, size_t *got)
{
    if (lines->begin > 0) {
        memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->end == sizeof lines->buffer)
        return HK_TOO_LARGE;
    enum hk_error error = lines->source.read(lines->source.context, lines->buffer + lines->end,
                                             sizeof lines->buffer - lines->end, got);
    if (!error)
        lines->end += *got;
    return error;
}

enum hk_error hk_lines_peek(struct hk_lines *lines, size_t max, const uint8_t **data, size_t *size)
{
    while (lines->end - lines->begin < max) {
        size_t got = 0;
        enum hk_error error = fill(lines, &got);
        if (error)
            return error;
        if (got == 0)
            break;
    }
    size_t have = lines->end - lines->begin;
    *data = lines->buffer + lines->begin;
    *size = have < max ? have : max;
    return HK_OK;
}

enum hk_error hk_lines_next(struct hk_lines *lines, const char **data, size_t *size, bool *whole)
{
    size_t searched = 0;
    for (;;) {
        uint8_t *start = lines->buffer + lines->begin;
        size_t have = lines->end - lines->begin;
        uint8_t *newline = have > searched ? memchr(start + searched, '\n', have - searched) : NULL;
        size_t got = 0;
        if (!newline) {
            searched = have;
            enum hk_error error = fill(lines, &got);
            if (error)
                return error;
            if (got > 0)
                continue;
            start = lines->buffer + lines->begin;
        }
        *whole = newline != NULL;
        *size = newline ? (size_t)(newline - start) : have;
        *data = (const char *)start;
        lines->begin += *size + (newline ? 1 : 0);
        return HK_OK;
    }
}

enum hk_error hk_lines_read(void *context, uint8_t *out, size_t max, size_t *got)
{
    struct hk_lines *lines = context;
    size_t have = lines->end - lines->begin;
    if (have == 0)
        return lines->source.read(lines->source.context, out, max, got);
    *got = have < max ? have : max;
    memcpy(out, lines->buffer + lines->begin, *got);
    lines->begin += *got;
    return HK_OK;
}

/* Where `path` really is, if it is a symbolic link: the link stays, its target is replaced. */
static bool resolve(char target[4096], const char *path)
{
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode)) {
        char resolved[PATH_MAX];
        if (!realpath(path, resolved) || strlen(resolved) >= 4096)
            return false;
        memcpy(target, resolved, strlen(resolved) + 1);
        return true;
    }
    if (strlen(path) >= 4096) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(target, path, strlen(path) + 1);
    return true;
}

static void folder_of(char folder[4096], const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) + 1 : 2;
    memcpy(folder, slash ? path : "./", size);
    folder[size] = 0;
}

/* A name in the target's folder that nobody else has. */
static void name_temporary(struct hk_output *output)
{
    uint8_t random[8];
    char folder[4096], digits[HK_HEX_SIZE(sizeof random)];
    folder_of(folder, output->target);
    hk_random(random, sizeof random);
    hk_hex_encode(digits, random, sizeof random);
    snprintf(output->temporary, sizeof output->temporary, "%s.halfkey-%s", folder, digits);
}

enum hk_error hk_output_open(struct hk_output *output, const char *path)
{
    *output = (struct hk_output){.fd = STDOUT_FILENO};
    if (!path || strcmp(path, "-") == 0)
        return HK_OK;
    if (!resolve(output->target, path))
        return HK_IO;
    struct stat status;
    bool exists = stat(output->target, &status) == 0;
    if (exists && !S_ISREG(status.st_mode)) {
        output->fd = open(output->target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return output->fd < 0 ? HK_IO : HK_OK;
    }
    char folder[4096];
    folder_of(folder, output->target);
    output->atomic = output->nameless = true;
    output->fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (output->fd < 0) {
        output->nameless = false;
        name_temporary(output);
        output->fd = open(output->temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    }
    if (output->fd < 0)
        return HK_IO;
    if (exists && fchmod(output->fd, status.st_mode & 07777) != 0) {
        hk_output_discard(output);
        return HK_IO;
    }
    return HK_OK;
}

/* So many bytes at a time are handed to the disk while the next are computed: what is left for the end is
 * little. */
#define EARLY_BYTES (8 << 20)

enum hk_error hk_output_write(void *context, const uint8_t *data, size_t size)
{
    struct hk_output *output = context;
    enum hk_error error = hk_fd_write(&output->fd, data, size);
    output->written += size;
    if (!error && output->atomic && output->written - output->started >= EARLY_BYTES) {
        (void)!sync_file_range(output->fd, (off64_t)output->started,
                               (off64_t)(output->written - output->started), SYNC_FILE_RANGE_WRITE);
        output->started = output->written;
    }
    return error;
}

/* Gives a nameless file a temporary name, so that it can take the target's place in one step. */
static bool give_name(struct hk_output *output)
{
    char self[64];
    name_temporary(output);
    snprintf(self, sizeof self, "/proc/self/fd/%d", output->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, output->temporary, AT_SYMLINK_FOLLOW) == 0;
}

static void sync_folder(const char *path)
{
    char folder[4096];
    folder_of(folder, path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
}

enum hk_error hk_output_commit(struct hk_output *output)
{
    if (!output->atomic) {
        bool closed = output->fd == STDOUT_FILENO || close(output->fd) == 0;
        output->fd = -1;
        return closed ? HK_OK : HK_IO;
    }
    bool good = fsync(output->fd) == 0;
    if (good && output->nameless) {
        good = give_name(output);
        output->nameless = !good;
    }
    if (!good || rename(output->temporary, output->target) != 0) {
        int reason = errno;
        hk_output_discard(output);
        errno = reason;
        return HK_IO;
    }
    sync_folder(output->target);
    output->atomic = false;
    close(output->fd);
    output->fd = -1;
    return HK_OK;
}

void hk_output_discard(struct hk_output *output)
{
    if (output->atomic && !output->nameless)
        unlink(output->temporary);
    if (output->fd >= 0 && output->fd != STDOUT_FILENO)
        close(output->fd);
    output->fd = -1;
    output->atomic = false;
}

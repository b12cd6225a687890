/* file.h - the thin layer through which all of the service's own files are read and written.
 *
 * What is written here is durable when the function returns, or was not written: short writes are finished,
 * fsync's answer is believed, and a file that must be whole is made beside its place and renamed. The
 * database writes its own files. Test builds can make the n-th write or fsync fail. */
#ifndef HALFKEY_KEYSERVICE_FILE_H
#define HALFKEY_KEYSERVICE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"

#define HK_PATH_MAX 4096
#define HK_REASON_MAX 256

/* Writes a sentence for the operator to reason[HK_REASON_MAX], cut if it is longer. */
__attribute__((format(printf, 2, 3))) void hk_reason(char *reason, const char *format, ...);

/* "DIR/NAME" to path[HK_PATH_MAX]. HK_IO if it does not fit. */
HK_CHECK enum hk_error hk_path(char *path, const char *dir, const char *name);

/* True if something has this name, a dangling link included. */
bool hk_file_exists(const char *path) HK_CHECK;

/* Makes `path` a directory of mode 0700 if nothing is there; then it must be a directory of the caller (or
 * root) that nobody else can read or write. HK_IO with a sentence in `reason` otherwise. */
HK_CHECK enum hk_error hk_file_private_dir(const char *path, char *reason);

/* Opens a regular file that exists, without following a link, for reading or for both; its owner must be the
 * caller or root, and nobody else may read or write it, as ssh demands of its keys. The descriptor to *fd.
 * HK_NOT_FOUND, or HK_IO with a sentence in `reason`. */
HK_CHECK enum hk_error hk_file_open_private(int *fd, const char *path, bool write, char *reason);

/* Reads a private file whole: exactly `size` bytes to `out`. HK_NOT_FOUND; HK_IO with a sentence, also for a
 * file of another size. */
HK_CHECK enum hk_error hk_file_read_private(const char *path, void *out, size_t size, char *reason);

/* Makes the file hold exactly these bytes, mode 0600, durably and at once: new file, fsync, rename, fsync of
 * the directory. After a failure or a crash it holds the old bytes or the new, never a part. */
HK_CHECK enum hk_error hk_file_replace(const char *path, const void *data, size_t size);

/* Makes a new file, mode 0600, and fails if it is there (HK_EXISTS); the name is durable after
 * hk_file_sync_dir. */
HK_CHECK enum hk_error hk_file_create(int *fd, const char *path);

/* Writes or reads all of `size` bytes at `offset`; HK_IO. Not durable before hk_file_sync. */
HK_CHECK enum hk_error hk_file_write_at(int fd, const void *data, size_t size, uint64_t offset);
HK_CHECK enum hk_error hk_file_read_at(int fd, void *out, size_t size, uint64_t offset);

/* Makes a file's content durable, and the names in the directory that holds `path`. */
HK_CHECK enum hk_error hk_file_sync(int fd);
HK_CHECK enum hk_error hk_file_sync_dir(const char *path);

/* Takes DIR/lock for this process, as long as *fd is open. HK_BUSY with a sentence that names the process
 * that has it. */
HK_CHECK enum hk_error hk_file_lock_dir(int *fd, const char *dir, char *reason);

#ifdef HK_TEST_SEAMS
/* From now on in this process the n-th write or fsync of this layer (1: the next) fails, and so do the `more
 * - 1` that follow it; 0 ends that. Tests only. */
void hk_test_fail_write(long nth, long more);
#endif

#endif

/* stream.h - bytes in and out of files and pipes, in constant memory.
 *
 * A source is a function that reads and a sink a function that writes, each with its context; file
 * descriptors, the armor of age and the tests provide them. hk_lines reads lines from a source and then hands
 * over what follows them. hk_output is a file that either appears whole or not at all. */
#ifndef HALFKEY_DEVICE_STREAM_H
#define HALFKEY_DEVICE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"

/* Reads 1 to `max` bytes into `out`, their number to *got; 0 at the end. HK_IO, or an error of the source's
 * own. */
typedef enum hk_error (*hk_read_fn)(void *context, uint8_t *out, size_t max, size_t *got);
/* Writes all `size` bytes. HK_IO. */
typedef enum hk_error (*hk_write_fn)(void *context, const uint8_t *data, size_t size);

struct hk_source {
    hk_read_fn read;
    void *context;
};
struct hk_sink {
    hk_write_fn write;
    void *context;
};

/* Reads from and writes to the file descriptor that `context`, an int *, points to. */
HK_CHECK enum hk_error hk_fd_read(void *context, uint8_t *out, size_t max, size_t *got);
HK_CHECK enum hk_error hk_fd_write(void *context, const uint8_t *data, size_t size);

/* Reads until `max` bytes are there or the source ends; the number to *got. */
HK_CHECK enum hk_error hk_read_all(const struct hk_source *source, uint8_t *out, size_t max, size_t *got);

/* ---- lines ---- */
#define HK_LINE_MAX 65536

/* A source read by lines. `buffer` may hold secrets (a plugin is given file keys): end with hk_lines_wipe. */
struct hk_lines {
    struct hk_source source;
    uint8_t buffer[HK_LINE_MAX];
    size_t begin, end;
};
void hk_lines_init(struct hk_lines *lines, struct hk_source source);
void hk_lines_wipe(struct hk_lines *lines);

/* Looks at up to `max` (at most HK_LINE_MAX) bytes without taking them; fewer than `max` only at the end. */
HK_CHECK enum hk_error hk_lines_peek(struct hk_lines *lines, size_t max, const uint8_t **data, size_t *size);

/* The next line: *data borrows from the buffer until the next call; *size without the '\n'. *whole says
 * whether there was a '\n'; the last line of a source may lack it. At the end *size is 0 and *whole false.
 * HK_TOO_LARGE for a line of HK_LINE_MAX bytes or more. */
HK_CHECK enum hk_error hk_lines_next(struct hk_lines *lines, const char **data, size_t *size, bool *whole);

/* What follows the lines that were taken, as a hk_read_fn; `context` is the struct hk_lines *. */
HK_CHECK enum hk_error hk_lines_read(void *context, uint8_t *out, size_t max, size_t *got);

/* ---- a file that appears whole or not at all ---- */
struct hk_output {
    int fd;
    bool atomic; /* a nameless or temporary file that takes the target's place at the end */
    bool nameless;
    char target[4096], temporary[4160];
    uint64_t written, started; /* bytes; up to where the disk was told to begin */
};

/* Opens what is to become the file `path`; NULL or "-" is standard output. A pipe or a device is written to
 * directly. Otherwise nothing is visible before hk_output_commit. HK_IO, errno says why. */
HK_CHECK enum hk_error hk_output_open(struct hk_output *output, const char *path);
/* A hk_write_fn; `context` is a struct hk_output *. Has the disk begin early with what will have to be
 * durable. */
HK_CHECK enum hk_error hk_output_write(void *context, const uint8_t *data, size_t size);
/* Makes the file durable and puts it in its place, then closes. */
HK_CHECK enum hk_error hk_output_commit(struct hk_output *output);
/* Closes and leaves nothing. */
void hk_output_discard(struct hk_output *output);

#endif

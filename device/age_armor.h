/* age_armor.h - the text form of age files: strict base64 lines between two marks, read and written as a
 * stream.
 *
 * Reading accepts exactly what the format allows: up to 1,024 bytes of white space before and after, LF or
 * CRLF at the end of lines, full lines of 64 characters and one shorter last line, padded, canonical. */
#ifndef HALFKEY_DEVICE_AGE_ARMOR_H
#define HALFKEY_DEVICE_AGE_ARMOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "device/stream.h"

#define HK_ARMOR_BEGIN "-----BEGIN AGE ENCRYPTED FILE-----"
#define HK_ARMOR_END "-----END AGE ENCRYPTED FILE-----"
#define HK_ARMOR_COLUMNS 64
#define HK_ARMOR_LINE_BYTES 48

/* Reads the armor that `lines` is at. */
struct hk_armor_reader {
    struct hk_lines *lines;
    bool begun, ended;
    uint8_t decoded[HK_ARMOR_LINE_BYTES];
    size_t begin, end;
};
void hk_armor_reader_init(struct hk_armor_reader *reader, struct hk_lines *lines);
/* A hk_read_fn; `context` is a struct hk_armor_reader *. HK_BAD_ENCODING for anything that is not armor. */
HK_CHECK enum hk_error hk_armor_read(void *context, uint8_t *out, size_t max, size_t *got);

/* True if a file that begins with these bytes is to be read as armor: it has a mark like one of ours and is
 * not a binary age file. A damaged mark is then reported as such, and not as a file of an unknown kind. */
bool hk_armor_looks_like(const uint8_t *data, size_t size) HK_CHECK;

/* Writes armor to a sink. */
struct hk_armor_writer {
    struct hk_sink sink;
    uint8_t pending[HK_ARMOR_LINE_BYTES];
    size_t size;
    bool begun;
};
void hk_armor_writer_init(struct hk_armor_writer *writer, struct hk_sink sink);
/* A hk_write_fn; `context` is a struct hk_armor_writer *. */
HK_CHECK enum hk_error hk_armor_write(void *context, const uint8_t *data, size_t size);
/* Writes the last line and the end mark. */
HK_CHECK enum hk_error hk_armor_finish(struct hk_armor_writer *writer);

#endif

#include "device/age_armor.h"

#include <string.h>

#include "protocol/encoding.h"

#define WHITE_SPACE_MAX 1024

void hk_armor_reader_init(struct hk_armor_reader *reader, struct hk_lines *lines)
{
    *reader = (struct hk_armor_reader){.lines = lines};
}

static bool is_blank(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!memchr(" \t\r\n\v\f", line[i], 6))
            return false;
    return true;
}

/* The next line without LF or CRLF. HK_BAD_ENCODING at the end of the file. */
static enum hk_error next_line(struct hk_lines *lines, const char **line, size_t *size)
{
    bool whole = false;
    enum hk_error error = hk_lines_next(lines, line, size, &whole);
    if (error)
        return error == HK_TOO_LARGE ? HK_BAD_ENCODING : error;
    if (*size == 0 && !whole)
        return HK_BAD_ENCODING;
    if (*size > 0 && (*line)[*size - 1] == '\r')
        --*size;
    return HK_OK;
}

static bool is_mark(const char *line, size_t size, const char *mark)
{
    return size == strlen(mark) && memcmp(line, mark, size) == 0;
}

static enum hk_error find_begin(struct hk_lines *lines)
{
    size_t skipped = 0;
    for (;;) {
        const char *line;
        size_t size;
        enum hk_error error = next_line(lines, &line, &size);
        if (error)
            return error;
        if (is_mark(line, size, HK_ARMOR_BEGIN))
            return HK_OK;
        skipped += size + 1;
        if (!is_blank(line, size) || skipped > WHITE_SPACE_MAX)
            return HK_BAD_ENCODING;
    }
}

/* After the end mark there may be white space and nothing else. */
static enum hk_error check_tail(struct hk_lines *lines)
{
    const uint8_t *data;
    size_t size;
    enum hk_error error = hk_lines_peek(lines, WHITE_SPACE_MAX + 1, &data, &size);
    if (error)
        return error;
    return size > WHITE_SPACE_MAX || !is_blank((const char *)data, size) ? HK_BAD_ENCODING : HK_OK;
}

static enum hk_error expect_end(struct hk_armor_reader *reader)
{
    const char *line;
    size_t size;
    enum hk_error error = next_line(reader->lines, &line, &size);
    if (error)
        return error;
    return is_mark(line, size, HK_ARMOR_END) ? check_tail(reader->lines) : HK_BAD_ENCODING;
}

static enum hk_error decode_line(struct hk_armor_reader *reader)
{
    const char *line;
    size_t size;
    enum hk_error error = next_line(reader->lines, &line, &size);
    if (error)
        return error;
    if (is_mark(line, size, HK_ARMOR_END)) {
        reader->ended = true;
        return check_tail(reader->lines);
    }
    if (size == 0 || size > HK_ARMOR_COLUMNS)
        return HK_BAD_ENCODING;
    error =
        hk_base64_decode(reader->decoded, sizeof reader->decoded, &reader->end, line, size, HK_BASE64_PADDED);
    if (error)
        return HK_BAD_ENCODING;
    reader->begin = 0;
    if (reader->end == HK_ARMOR_LINE_BYTES)
        return HK_OK;
    reader->ended = true;
    return expect_end(reader);
}

enum hk_error hk_armor_read(void *context, uint8_t *out, size_t max, size_t *got)
{
    struct hk_armor_reader *reader = context;
    size_t done = 0;
    while (done < max) {
        if (reader->begin == reader->end) {
            if (reader->ended)
                break;
            enum hk_error error = reader->begun ? HK_OK : find_begin(reader->lines);
            reader->begun = true;
            reader->begin = reader->end = 0;
            if (!error)
                error = decode_line(reader);
            if (error)
                return error;
            continue;
        }
        size_t have = reader->end - reader->begin;
        size_t n = have < max - done ? have : max - done;
        memcpy(out + done, reader->decoded + reader->begin, n);
        reader->begin += n;
        done += n;
    }
    *got = done;
    return HK_OK;
}

bool hk_armor_looks_like(const uint8_t *data, size_t size)
{
    static const char binary[] = "age-encryption.org/";
    if (size >= sizeof binary - 1 && memcmp(data, binary, sizeof binary - 1) == 0)
        return false;
    return memmem(data, size, "-----", 5) != NULL;
}

void hk_armor_writer_init(struct hk_armor_writer *writer, struct hk_sink sink)
{
    *writer = (struct hk_armor_writer){.sink = sink};
}

static enum hk_error put(struct hk_armor_writer *writer, const char *text, size_t size)
{
    return writer->sink.write(writer->sink.context, (const uint8_t *)text, size);
}

static enum hk_error begin(struct hk_armor_writer *writer)
{
    if (writer->begun)
        return HK_OK;
    writer->begun = true;
    return put(writer, HK_ARMOR_BEGIN "\n", sizeof HK_ARMOR_BEGIN);
}

enum hk_error hk_armor_write(void *context, const uint8_t *data, size_t size)
{
    struct hk_armor_writer *writer = context;
    enum hk_error error = begin(writer);
    /* Lines are gathered, so that a sink sees a few KiB at a time. */
    char text[(HK_ARMOR_COLUMNS + 1) * 64 + 1];
    size_t length = 0;
    while (!error && size > 0) {
        size_t room = HK_ARMOR_LINE_BYTES - writer->size;
        size_t n = size < room ? size : room;
        memcpy(writer->pending + writer->size, data, n);
        writer->size += n;
        data += n;
        size -= n;
        if (writer->size < HK_ARMOR_LINE_BYTES)
            break;
        hk_base64_encode(text + length, writer->pending, HK_ARMOR_LINE_BYTES, HK_BASE64_PADDED);
        length += HK_ARMOR_COLUMNS;
        text[length++] = '\n';
        writer->size = 0;
        if (length + HK_ARMOR_COLUMNS + 1 >= sizeof text) {
            error = put(writer, text, length);
            length = 0;
        }
    }
    return error || length == 0 ? error : put(writer, text, length);
}

enum hk_error hk_armor_finish(struct hk_armor_writer *writer)
{
    char text[HK_BASE64_SIZE(HK_ARMOR_LINE_BYTES) + 1];
    enum hk_error error = begin(writer);
    if (!error && writer->size > 0) {
        hk_base64_encode(text, writer->pending, writer->size, HK_BASE64_PADDED);
        size_t length = strlen(text);
        text[length++] = '\n';
        error = put(writer, text, length);
    }
    return error ? error : put(writer, HK_ARMOR_END "\n", sizeof HK_ARMOR_END);
}

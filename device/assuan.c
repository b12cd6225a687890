#include "device/assuan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "crypto/secret.h"
#include "protocol/encoding.h"

void hk_assuan_init(struct hk_assuan *assuan, struct hk_source source, struct hk_sink sink)
{
    assuan->source = source;
    assuan->sink = sink;
    assuan->begin = assuan->end = 0;
}

/* Reads more behind what is there. */
static enum hk_error fill(struct hk_assuan *assuan)
{
    size_t got = 0, have = assuan->end - assuan->begin;
    memmove(assuan->buffer, assuan->buffer + assuan->begin, have);
    assuan->begin = 0;
    assuan->end = have;
    if (have == sizeof assuan->buffer)
        return HK_TOO_LARGE;
    enum hk_error error = assuan->source.read(assuan->source.context, assuan->buffer + have,
                                              sizeof assuan->buffer - have, &got);
    if (error)
        return error;
    assuan->end += got;
    return got == 0 ? HK_NOT_FOUND : HK_OK;
}

enum hk_error hk_assuan_read(struct hk_assuan *assuan, char line[HK_ASSUAN_LINE_MAX + 1], size_t *length)
{
    for (;;) {
        uint8_t *start = assuan->buffer + assuan->begin;
        uint8_t *newline = memchr(start, '\n', assuan->end - assuan->begin);
        if (!newline) {
            enum hk_error error = fill(assuan);
            if (error)
                return error;
            continue;
        }
        size_t size = (size_t)(newline - start);
        assuan->begin += size + 1;
        size -= size > 0 && start[size - 1] == '\r';
        bool is_data = size >= 2 && memcmp(start, "D ", 2) == 0;
        enum hk_error error = size > HK_ASSUAN_LINE_MAX                        ? HK_TOO_LARGE
                              : size > 0 && !is_data && memchr(start, 0, size) ? HK_BAD_ENCODING
                                                                               : HK_OK;
        if (!error) {
            memcpy(line, start, size);
            line[size] = 0;
            *length = size;
        }
        hk_wipe(start, (size_t)(newline - start));
        return error;
    }
}

enum hk_error hk_assuan_write(struct hk_assuan *assuan, const char *format, ...)
{
    char line[HK_ASSUAN_LINE_MAX + 1];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (length < 0)
        return HK_INTERNAL;
    size_t size = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    for (size_t i = 0; i < size; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    line[size] = '\n';
    return assuan->sink.write(assuan->sink.context, (uint8_t *)line, size + 1);
}

enum hk_error hk_assuan_pass(struct hk_assuan *assuan, const char *line, size_t size)
{
    enum hk_error error = assuan->sink.write(assuan->sink.context, (const uint8_t *)line, size);
    return error ? error : assuan->sink.write(assuan->sink.context, (const uint8_t *)"\n", 1);
}

enum hk_error hk_assuan_write_data(struct hk_assuan *assuan, const void *data, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t *bytes = data;
    size_t done = 0;
    char line[HK_ASSUAN_LINE_MAX + 1];
    HK_WIPE_AT_EXIT(line);
    while (done < size) {
        size_t length = 2;
        line[0] = 'D';
        line[1] = ' ';
        for (; done < size && length + 3 <= HK_ASSUAN_LINE_MAX; done++) {
            uint8_t byte = bytes[done];
            if (byte == '%' || byte == '\r' || byte == '\n') {
                line[length++] = '%';
                line[length++] = digits[byte >> 4];
                line[length++] = digits[byte & 15];
            } else {
                line[length++] = (char)byte;
            }
        }
        line[length++] = '\n';
        enum hk_error error = assuan->sink.write(assuan->sink.context, (uint8_t *)line, length);
        if (error)
            return error;
    }
    return HK_OK;
}

enum hk_error hk_assuan_unescape(uint8_t *out, size_t max, size_t *size, const char *text, size_t length)
{
    size_t count = 0;
    for (size_t at = 0; at < length; at++) {
        uint8_t byte = (uint8_t)text[at];
        if (count == max)
            return HK_TOO_LARGE;
        if (byte == '%') {
            if (length - at < 3 || hk_hex_decode(&byte, 1, text + at + 1, 2))
                return HK_BAD_ENCODING;
            at += 2;
        }
        out[count++] = byte;
    }
    *size = count;
    return HK_OK;
}

char *hk_assuan_is(char *line, const char *command)
{
    size_t length = strlen(command);
    if (strncasecmp(line, command, length) != 0 || (line[length] && line[length] != ' '))
        return NULL;
    char *rest = line + length + strspn(line + length, " ");
    size_t end = strlen(rest);
    while (end > 0 && rest[end - 1] == ' ')
        rest[--end] = 0;
    return rest;
}

char *hk_assuan_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    if (!*word)
        return NULL;
    char *end = word + strcspn(word, " ");
    *rest = *end ? end + 1 : end;
    *end = 0;
    return word;
}

const char *hk_assuan_option(const char *word, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, length) != 0)
        return NULL;
    const char *behind = word + 2 + length;
    return *behind == '=' ? behind + 1 : *behind ? NULL : behind;
}

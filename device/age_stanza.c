#include "device/age_stanza.h"

#include <stdbool.h>
#include <string.h>

#include "crypto/secret.h"
#include "protocol/encoding.h"

enum hk_error hk_stanza_open(struct hk_stanza *stanza, const char *line, size_t size)
{
    stanza->count = stanza->body_size = 0;
    if (size < 4 || memcmp(line, "-> ", 3) != 0)
        return HK_BAD_ENCODING;
    size_t used = 0, at = 3;
    while (at <= size) {
        size_t start = at;
        while (at < size && line[at] > 32 && line[at] < 127)
            at++;
        if (at == start || (at < size && line[at] != ' '))
            return HK_BAD_ENCODING;
        if (stanza->count < HK_STANZA_ARGUMENTS) {
            size_t length = at - start;
            if (used + length + 1 > sizeof stanza->text)
                length = 0;
            if (used + 1 > sizeof stanza->text)
                return HK_BAD_ENCODING;
            memcpy(stanza->text + used, line + start, length);
            stanza->argument[stanza->count] = stanza->text + used;
            used += length;
            if (used == sizeof stanza->text)
                return HK_BAD_ENCODING;
            stanza->text[used++] = 0;
        }
        stanza->count++;
        at++;
    }
    for (size_t i = stanza->count; i < HK_STANZA_ARGUMENTS; i++)
        stanza->argument[i] = "";
    return HK_OK;
}

enum hk_error hk_stanza_body(struct hk_stanza *stanza, struct hk_lines *lines, const struct hk_line_tap *tap)
{
    uint8_t decoded[48];
    HK_WIPE_AT_EXIT(decoded);
    for (;;) {
        const char *line;
        size_t size, n = 0;
        bool whole;
        enum hk_error error = hk_lines_next(lines, &line, &size, &whole);
        if (error)
            return error == HK_TOO_LARGE ? HK_BAD_ENCODING : error;
        if (!whole || size > HK_STANZA_COLUMNS)
            return HK_BAD_ENCODING;
        if (tap && (error = tap->take(tap->context, line, size + 1)) != HK_OK)
            return error;
        if (size > 0 && hk_base64_decode(decoded, sizeof decoded, &n, line, size, HK_BASE64_RAW))
            return HK_BAD_ENCODING;
        if (stanza->body_size + n <= sizeof stanza->body)
            memcpy(stanza->body + stanza->body_size, decoded, n);
        stanza->body_size += n;
        if (size < HK_STANZA_COLUMNS)
            return HK_OK;
    }
}

enum hk_error hk_stanza_read(struct hk_stanza *stanza, struct hk_lines *lines)
{
    const char *line;
    size_t size;
    bool whole;
    enum hk_error error = hk_lines_next(lines, &line, &size, &whole);
    if (error)
        return error;
    if (!whole)
        return size == 0 ? HK_NOT_FOUND : HK_BAD_ENCODING;
    error = hk_stanza_open(stanza, line, size);
    return error ? error : hk_stanza_body(stanza, lines, NULL);
}

static enum hk_error put(const struct hk_sink *sink, const char *text, size_t size)
{
    return sink->write(sink->context, (const uint8_t *)text, size);
}

enum hk_error hk_stanza_write(const struct hk_sink *sink, const char *arguments, const void *body,
                              size_t size)
{
    const uint8_t *at = body;
    char text[HK_STANZA_COLUMNS + 2];
    HK_WIPE_AT_EXIT(text);
    enum hk_error error = put(sink, "-> ", 3);
    if (!error)
        error = put(sink, arguments, strlen(arguments));
    if (!error)
        error = put(sink, "\n", 1);
    bool full = true;
    while (!error && full) {
        size_t n = size < 48 ? size : 48;
        full = n == 48;
        if (n > 0)
            hk_base64_encode(text, at, n, HK_BASE64_RAW);
        size_t length = n > 0 ? strlen(text) : 0;
        text[length++] = '\n';
        error = put(sink, text, length);
        if (n > 0)
            at += n;
        size -= n;
    }
    return error;
}

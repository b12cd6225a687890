#include "device/json.h"

#include <string.h>
#include <time.h>

void hk_json_start(struct hk_json *json, FILE *file)
{
    *json = (struct hk_json){.file = file};
}

/* How many bytes of UTF-8 begin at `at`, 0 if they are not well formed. */
static size_t utf8(const unsigned char *at)
{
    static const struct {
        unsigned char first, last, second_min, second_max;
        size_t size;
    } rows[] = {{0x20, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (*at < rows[i].first || *at > rows[i].last)
            continue;
        if (rows[i].size > 1 && (at[1] < rows[i].second_min || at[1] > rows[i].second_max))
            return 0;
        for (size_t k = 2; k < rows[i].size; k++)
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        return rows[i].size;
    }
    return 0;
}

static void put_text(FILE *file, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    fputc('"', file);
    while (*at) {
        size_t size = utf8(at);
        if (*at == '"' || *at == '\\')
            fprintf(file, "\\%c", *at);
        else if (*at == '\n')
            fputs("\\n", file);
        else if (*at < 0x20 || *at == 0x7f)
            fprintf(file, "\\u%04x", *at);
        else if (size == 0)
            fputs("\\ufffd", file);
        else
            fwrite(at, 1, size, file);
        at += size ? size : 1;
    }
    fputc('"', file);
}

static void next(struct hk_json *json, const char *name)
{
    if (json->filled)
        fputc(',', json->file);
    if (json->depth > 0)
        fprintf(json->file, "\n%*s", (int)(2 * json->depth), "");
    if (name) {
        put_text(json->file, name);
        fputs(": ", json->file);
    }
    json->filled = true;
}

static void open_level(struct hk_json *json, const char *name, char mark)
{
    next(json, name);
    fputc(mark, json->file);
    json->depth++;
    json->filled = false;
}

static void close_level(struct hk_json *json, char mark)
{
    json->depth--;
    if (json->filled)
        fprintf(json->file, "\n%*s", (int)(2 * json->depth), "");
    fputc(mark, json->file);
    json->filled = true;
    if (json->depth == 0)
        fputc('\n', json->file);
}

void hk_json_map(struct hk_json *json, const char *name)
{
    open_level(json, name, '{');
}

void hk_json_list(struct hk_json *json, const char *name)
{
    open_level(json, name, '[');
}

void hk_json_end_map(struct hk_json *json)
{
    close_level(json, '}');
}

void hk_json_end_list(struct hk_json *json)
{
    close_level(json, ']');
}

void hk_json_text(struct hk_json *json, const char *name, const char *text)
{
    next(json, name);
    if (text)
        put_text(json->file, text);
    else
        fputs("null", json->file);
}

void hk_json_number(struct hk_json *json, const char *name, uint64_t number)
{
    next(json, name);
    fprintf(json->file, "%llu", (unsigned long long)number);
}

void hk_json_bool(struct hk_json *json, const char *name, bool value)
{
    next(json, name);
    fputs(value ? "true" : "false", json->file);
}

void hk_json_hex(struct hk_json *json, const char *name, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    next(json, name);
    fputc('"', json->file);
    for (size_t i = 0; i < size; i++)
        fprintf(json->file, "%02x", bytes[i]);
    fputc('"', json->file);
}

void hk_json_time(struct hk_json *json, const char *name, uint64_t seconds)
{
    char text[32];
    struct tm utc;
    time_t when = (time_t)seconds;
    bool known =
        seconds > 0 && gmtime_r(&when, &utc) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    hk_json_text(json, name, known ? text : NULL);
}

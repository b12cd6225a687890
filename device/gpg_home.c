#include "device/gpg_home.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/cmd.h"

#define BEGIN "# halfkey: these lines go with 'halfkey gpg setup --remove'\n"
#define JOINED "# halfkey: the line before these had no end\n"
#define END "# halfkey: end\n"
#define KEPT "#halfkey# " /* before a line that was there */
#define OPTION "scdaemon-program"

enum hk_error hk_gpg_home(char out[HK_GPG_PATH_MAX], const char *option, bool make)
{
    char path[HK_GPG_PATH_MAX];
    const char *variable = getenv("GNUPGHOME"), *user = getenv("HOME");
    const char *chosen = option ? option : variable && *variable ? variable : NULL;
    int length = chosen ? snprintf(path, sizeof path, "%s", chosen)
                        : snprintf(path, sizeof path, "%s/.gnupg", user ? user : "");
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return HK_IO;
    }
    if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
        return HK_IO;
    char *real = realpath(path, NULL);
    if (!real)
        return errno == ENOENT ? HK_NOT_FOUND : HK_IO;
    enum hk_error error = strlen(real) < HK_GPG_PATH_MAX ? HK_OK : HK_IO;
    if (!error)
        strcpy(out, real);
    free(real);
    return error;
}

/* ---- halfkey-scd.conf ---- */

/* Its lines, and where each goes. */
static const struct row {
    const char *name;
    size_t offset, size;
} rows[] = {
#define ROW(field)                                                                                           \
    {                                                                                                        \
#field, offsetof(struct hk_gpg_settings, field), sizeof((struct hk_gpg_settings *)0)->field          \
    }
    ROW(home), ROW(scdaemon), ROW(serial), ROW(imported)};
#define ROWS (sizeof rows / sizeof *rows)

static void settings_path(char path[HK_GPG_PATH_MAX + 32], const char *home)
{
    snprintf(path, HK_GPG_PATH_MAX + 32, "%s/halfkey-scd.conf", home);
}

static enum hk_error read_line(struct hk_gpg_settings *settings, char *line)
{
    char *value = strstr(line, " = ");
    if (!*line || *line == '#')
        return HK_OK;
    if (!value)
        return HK_BAD_ENCODING;
    *value = 0;
    value += 3;
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, line) == 0 && strlen(value) < rows[i].size) {
            strcpy((char *)settings + rows[i].offset, value);
            return HK_OK;
        }
    return HK_BAD_ENCODING;
}

enum hk_error hk_gpg_settings_read(struct hk_gpg_settings *out, const char *home)
{
    char path[HK_GPG_PATH_MAX + 32], text[4096], *rest = text;
    struct hk_gpg_settings settings = {0};
    size_t size = 0;
    settings_path(path, home);
    enum hk_error error = hk_read_file(path, text, sizeof text, &size);
    if (error)
        return error == HK_IO && errno == ENOENT ? HK_NOT_FOUND : error;
    while (!error && rest && *rest) {
        char *end = strchr(rest, '\n');
        if (end)
            *end = 0;
        error = read_line(&settings, rest);
        rest = end ? end + 1 : NULL;
    }
    if (!error)
        *out = settings;
    return error;
}

enum hk_error hk_gpg_settings_write(const struct hk_gpg_settings *settings, const char *home)
{
    char path[HK_GPG_PATH_MAX + 32], text[4096] = "# Written by 'halfkey gpg setup', read by halfkey-scd.\n";
    settings_path(path, home);
    for (size_t i = 0; i < ROWS; i++) {
        const char *value = (const char *)settings + rows[i].offset;
        size_t length = strlen(text);
        if (*value && !strchr(value, '\n'))
            snprintf(text + length, sizeof text - length, "%s = %s\n", rows[i].name, value);
    }
    return hk_write_file(path, text, strlen(text));
}

enum hk_error hk_gpg_settings_remove(const char *home)
{
    char path[HK_GPG_PATH_MAX + 32];
    settings_path(path, home);
    return unlink(path) == 0 || errno == ENOENT ? HK_OK : HK_IO;
}

/* ---- gpg-agent.conf ---- */

struct text {
    char *out;
    size_t max, size;
    bool full;
};

static void put(struct text *text, const char *bytes, size_t size)
{
    if (text->full || size >= text->max - text->size) {
        text->full = true;
        return;
    }
    memcpy(text->out + text->size, bytes, size);
    text->size += size;
    text->out[text->size] = 0;
}

static bool starts(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

/* A line that sets the option, after white space; where its value begins, or NULL. */
static const char *option_value(const char *line)
{
    line += strspn(line, " \t");
    if (!starts(line, OPTION))
        return NULL;
    const char *value = line + strlen(OPTION);
    size_t gap = strspn(value, " \t");
    return gap ? value + gap : NULL;
}

/* All lines but ours, those that we had commented out as they were. Whether the last one ended. */
static bool put_own_lines(struct text *text, const char *from)
{
    bool ours = false, ended = true;
    while (*from) {
        const char *newline = strchr(from, '\n');
        size_t size = newline ? (size_t)(newline - from) + 1 : strlen(from);
        ours = ours || starts(from, BEGIN);
        bool last = ours && starts(from, END);
        if (ours && starts(from, JOINED) && text->size > 0) {
            text->out[--text->size] = 0;
            ended = false;
        }
        if (!ours) {
            size_t skip = starts(from, KEPT) ? strlen(KEPT) : 0;
            put(text, from + skip, size - skip);
            ended = newline != NULL;
        }
        ours = ours && !last;
        from += size;
    }
    return ended;
}

enum hk_error hk_gpg_conf_take(char *out, size_t max, const char *text)
{
    struct text written = {out, max, 0, false};
    *out = 0;
    (void)put_own_lines(&written, text);
    return written.full ? HK_TOO_LARGE : HK_OK;
}

enum hk_error hk_gpg_conf_add(char *out, size_t max, char before[HK_GPG_PATH_MAX], const char *text,
                              const char *program)
{
    char *plain = malloc(HK_GPG_CONF_MAX);
    struct text base = {plain, HK_GPG_CONF_MAX, 0, false}, written = {out, max, 0, false};
    if (!plain)
        return HK_NO_MEMORY;
    *plain = *out = *before = 0;
    bool ended = put_own_lines(&base, text);
    for (const char *from = plain; *from;) {
        const char *newline = strchr(from, '\n'), *value = option_value(from);
        size_t size = newline ? (size_t)(newline - from) + 1 : strlen(from);
        if (value) {
            put(&written, KEPT, strlen(KEPT));
            snprintf(before, HK_GPG_PATH_MAX, "%.*s", (int)strcspn(value, "\r\n"), value);
        }
        put(&written, from, size);
        from += size;
    }
    free(plain);
    if (!ended)
        put(&written, "\n", 1);
    put(&written, BEGIN, strlen(BEGIN));
    if (!ended)
        put(&written, JOINED, strlen(JOINED));
    put(&written, OPTION " ", strlen(OPTION) + 1);
    put(&written, program, strlen(program));
    put(&written, "\n" END, strlen(END) + 1);
    return base.full || written.full ? HK_TOO_LARGE : HK_OK;
}

#include "device/mail_prefs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FRONT "user_pref(\""
#define BACK ");"
#define ABSENT "// not set: "

/* The end of a line, behind its '\n'. */
static const char *line_end(const char *line)
{
    const char *newline = strchr(line, '\n');
    return newline ? newline + 1 : line + strlen(line);
}

/* If the line from `line` to `end` sets a preference: its name and where its value is. */
static bool read_line(const char *line, const char *end, const char **name, size_t *name_size,
                      const char **value, size_t *value_size)
{
    size_t front = strlen(FRONT);
    while (end > line && isspace((unsigned char)end[-1]))
        end--;
    if ((size_t)(end - line) < front + strlen(BACK) || memcmp(line, FRONT, front) != 0 ||
        memcmp(end - strlen(BACK), BACK, strlen(BACK)) != 0)
        return false;
    *name = line + front;
    const char *quote = memchr(*name, '"', (size_t)(end - *name));
    if (!quote || quote[1] != ',')
        return false;
    *name_size = (size_t)(quote - *name);
    *value = quote + 2 + strspn(quote + 2, " ");
    const char *behind = end - strlen(BACK);
    if (*value >= behind)
        return false;
    *value_size = (size_t)(behind - *value);
    return true;
}

static bool is_called(const char *name, size_t size, const char *wanted)
{
    return strlen(wanted) == size && memcmp(name, wanted, size) == 0;
}

enum hk_error hk_prefs_get(char value[HK_PREF_VALUE_MAX], const char *text, const char *wanted)
{
    char found[HK_PREF_VALUE_MAX] = "";
    for (const char *line = text, *end; *line; line = end) {
        const char *name, *at;
        size_t name_size, size;
        end = line_end(line);
        if (!read_line(line, end, &name, &name_size, &at, &size) || !is_called(name, name_size, wanted))
            continue;
        if (size >= sizeof found)
            return HK_TOO_LARGE;
        memcpy(found, at, size);
        found[size] = 0;
    }
    memcpy(value, found, sizeof found);
    return HK_OK;
}

/* ---- writing ---- */

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

static void put_pref(struct text *text, const struct hk_pref *pref)
{
    char line[HK_PREF_NAME_MAX + HK_PREF_VALUE_MAX + 32];
    int length = snprintf(line, sizeof line, FRONT "%s\", %s" BACK "\n", pref->name, pref->value);
    put(text, line, (size_t)length);
}

/* Which of the list a line sets; `count` if none. */
static size_t find_pref(const struct hk_pref *list, size_t count, const char *line, const char *end)
{
    const char *name, *value;
    size_t name_size, value_size, i = 0;
    if (!read_line(line, end, &name, &name_size, &value, &value_size))
        return count;
    while (i < count && !is_called(name, name_size, list[i].name))
        i++;
    return i;
}

#define LIST_MAX 32
enum hk_error hk_prefs_set(char *out, size_t max, const char *text, const struct hk_pref *list, size_t count)
{
    struct text written = {out, max, 0, max == 0};
    bool done[LIST_MAX] = {false};
    if (count > LIST_MAX || max == 0)
        return HK_TOO_LARGE;
    *out = 0;
    for (const char *line = text, *end; *line; line = end) {
        end = line_end(line);
        size_t at = find_pref(list, count, line, end);
        if (at == count) {
            put(&written, line, (size_t)(end - line));
        } else if (!done[at]) {
            done[at] = true;
            if (*list[at].value)
                put_pref(&written, &list[at]);
        }
    }
    bool joined = written.size > 0 && out[written.size - 1] != '\n';
    for (size_t i = 0; i < count; i++) {
        if (done[i] || !*list[i].value)
            continue;
        if (joined)
            put(&written, "\n", 1);
        joined = false;
        put_pref(&written, &list[i]);
    }
    return written.full ? HK_TOO_LARGE : HK_OK;
}

enum hk_error hk_prefs_quote(char value[HK_PREF_VALUE_MAX], const char *text)
{
    size_t size = 0;
    char quoted[HK_PREF_VALUE_MAX];
    quoted[size++] = '"';
    for (; *text; text++) {
        if ((unsigned char)*text < 32 || *text == 127)
            return HK_BAD_ENCODING;
        if (size + 4 > sizeof quoted)
            return HK_TOO_LARGE;
        if (*text == '"' || *text == '\\')
            quoted[size++] = '\\';
        quoted[size++] = *text;
    }
    quoted[size++] = '"';
    quoted[size] = 0;
    memcpy(value, quoted, size + 1);
    return HK_OK;
}

enum hk_error hk_prefs_identity(char id[HK_PREF_IDENTITY_MAX], const char *text, const char *address)
{
    static const char front[] = "mail.identity.", back[] = ".useremail";
    char quoted[HK_PREF_VALUE_MAX];
    if (hk_prefs_quote(quoted, address))
        return HK_NOT_FOUND;
    for (const char *line = text, *end; *line; line = end) {
        const char *name, *value;
        size_t size, value_size;
        end = line_end(line);
        if (!read_line(line, end, &name, &size, &value, &value_size) || value_size != strlen(quoted) ||
            strncasecmp(value, quoted, value_size) != 0 || size <= sizeof front + sizeof back - 2 ||
            memcmp(name, front, sizeof front - 1) != 0 ||
            memcmp(name + size - (sizeof back - 1), back, sizeof back - 1) != 0)
            continue;
        size_t length = size - (sizeof front - 1) - (sizeof back - 1);
        if (length >= HK_PREF_IDENTITY_MAX)
            continue;
        memcpy(id, name + sizeof front - 1, length);
        id[length] = 0;
        return HK_OK;
    }
    return HK_NOT_FOUND;
}

/* ---- what was there before ---- */

enum hk_error hk_prefs_remember(char *out, size_t max, const struct hk_pref *list, size_t count)
{
    struct text written = {out, max, 0, max == 0};
    for (size_t i = 0; i < count; i++) {
        if (*list[i].value) {
            put_pref(&written, &list[i]);
            continue;
        }
        put(&written, ABSENT, strlen(ABSENT));
        put(&written, list[i].name, strlen(list[i].name));
        put(&written, "\n", 1);
    }
    return written.full ? HK_TOO_LARGE : HK_OK;
}

enum hk_error hk_prefs_recall(struct hk_pref *list, size_t max, size_t *count, const char *text)
{
    size_t found = 0;
    for (const char *line = text, *end; *line; line = end) {
        const char *name, *value = "";
        size_t size, value_size = 0;
        end = line_end(line);
        if (strncmp(line, ABSENT, strlen(ABSENT)) == 0) {
            name = line + strlen(ABSENT);
            size = strcspn(name, "\r\n");
        } else if (!read_line(line, end, &name, &size, &value, &value_size)) {
            return HK_BAD_ENCODING;
        }
        if (found == max || size == 0 || size >= HK_PREF_NAME_MAX || value_size >= HK_PREF_VALUE_MAX)
            return HK_BAD_ENCODING;
        struct hk_pref *pref = &list[found++];
        memcpy(pref->name, name, size);
        pref->name[size] = 0;
        memcpy(pref->value, value, value_size);
        pref->value[value_size] = 0;
    }
    *count = found;
    return HK_OK;
}

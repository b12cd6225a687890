#include "tests/support/cddl.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/cbor.h"

#define RULES_MAX 256
#define BODY_MAX 2048
#define NAME_MAX_BYTES 48
#define MEMBERS_MAX 64

struct rule {
    char name[NAME_MAX_BYTES];
    char body[BODY_MAX];
};

struct cddl {
    size_t count;
    struct rule rules[RULES_MAX];
};

/* NOLINTBEGIN(cert-err34-c): numbers in a file of our own, checked by what is compared with them */

/* ---- loading: a rule begins at the left margin ---- */

static void append(char *body, const char *text)
{
    size_t at = strlen(body);
    for (; *text != '\0' && *text != ';' && at + 1 < BODY_MAX; text++) {
        bool is_space = isspace((unsigned char)*text) != 0;
        if (!is_space || (at > 0 && body[at - 1] != ' ')) {
            body[at++] = is_space ? ' ' : *text;
        }
    }
    body[at] = '\0';
}

static bool start_rule(struct cddl *cddl, const char *line)
{
    size_t length = strcspn(line, " =");
    const char *equals = strchr(line, '=');
    if (length == 0 || length >= NAME_MAX_BYTES || equals == NULL || cddl->count == RULES_MAX) {
        return false;
    }
    struct rule *rule = &cddl->rules[cddl->count++];
    memcpy(rule->name, line, length);
    append(rule->body, equals + 1);
    return true;
}

struct cddl *cddl_load(const char *path)
{
    FILE *file = fopen(path, "r");
    struct cddl *cddl = calloc(1, sizeof(*cddl));
    char line[512];
    bool good = file != NULL && cddl != NULL;
    while (good && fgets(line, sizeof(line), file) != NULL) {
        if (line[0] == ';' || line[0] == '\n') {
            continue;
        }
        if (isspace((unsigned char)line[0]) || line[0] == '}') {
            good = cddl->count > 0;
            if (good) {
                append(cddl->rules[cddl->count - 1].body, line);
            }
        } else {
            good = start_rule(cddl, line);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    if (!good) {
        free(cddl);
        return NULL;
    }
    return cddl;
}

void cddl_free(struct cddl *cddl)
{
    free(cddl);
}

const char *cddl_body(const struct cddl *cddl, const char *name)
{
    for (size_t i = 0; i < cddl->count; i++) {
        if (strcmp(cddl->rules[i].name, name) == 0) {
            return cddl->rules[i].body;
        }
    }
    return NULL;
}

size_t cddl_rules(const struct cddl *cddl)
{
    return cddl->count;
}

const char *cddl_rule(const struct cddl *cddl, size_t index)
{
    return cddl->rules[index].name;
}

/* ---- maps ---- */

static void trim(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ') {
        text[--length] = '\0';
    }
}

size_t cddl_members(const struct cddl *cddl, const char *name, struct cddl_member *out, size_t max)
{
    const char *at = cddl_body(cddl, name);
    size_t count = 0;
    if (at == NULL || *at != '{') {
        return 0;
    }
    for (at++; count < max; count++) {
        struct cddl_member *member = &out[count];
        int used = 0;
        at += strspn(at, " ,");
        member->optional = *at == '?';
        at += strspn(at, "? ");
        unsigned long long key;
        if (*at == '}' || sscanf(at, "%llu => %63[^,}]%n", &key, member->type, &used) != 2) {
            return *at == '}' ? count : 0;
        }
        member->key = key;
        trim(member->type);
        at += used;
    }
    return count;
}

/* ---- matching ---- */

static bool match(const struct cddl *cddl, const char *type, struct hk_cbor_reader *reader);

static bool sizes_fit(const char *type, size_t size)
{
    size_t min = 0, max = SIZE_MAX;
    const char *at = strstr(type, ".size");
    if (at != NULL && sscanf(at, ".size (%zu..%zu)", &min, &max) != 2) {
        if (sscanf(at, ".size %zu", &min) != 1) {
            return false;
        }
        max = min;
    }
    return size >= min && size <= max;
}

/* [* type] */
static bool match_list(const struct cddl *cddl, const char *type, struct hk_cbor_reader *reader)
{
    char element[64];
    if (sscanf(type, "[* %63[^]]", element) != 1) {
        return false;
    }
    for (uint64_t left = hk_cbor_get_array(reader, UINT64_MAX); left > 0; left--) {
        if (!match(cddl, element, reader)) {
            return false;
        }
    }
    return reader->error == HK_OK;
}

/* { 1*n type => type } */
static bool match_table(const struct cddl *cddl, const char *body, struct hk_cbor_reader *reader)
{
    char key_type[64], value_type[64];
    unsigned long long most;
    struct hk_cbor_map map;
    struct hk_cbor_item key;
    if (sscanf(body, "{ 1*%llu %63[^=]=> %63[^}]", &most, key_type, value_type) != 3) {
        return false;
    }
    hk_cbor_get_map(reader, &map, most);
    bool good = map.left > 0;
    while (good && hk_cbor_map_next(reader, &map, &key)) {
        good = key.major == HK_CBOR_TEXT && sizes_fit(key_type, key.size) && match(cddl, value_type, reader);
    }
    return good && reader->error == HK_OK;
}

static bool match_map(const struct cddl *cddl, const char *name, struct hk_cbor_reader *reader)
{
    struct cddl_member members[MEMBERS_MAX];
    size_t count = cddl_members(cddl, name, members, MEMBERS_MAX), next = 0;
    struct hk_cbor_map map;
    uint64_t key;
    if (count == 0) {
        return match_table(cddl, cddl_body(cddl, name), reader);
    }
    hk_cbor_get_map(reader, &map, count);
    while (hk_cbor_map_next_uint(reader, &map, &key)) {
        while (next < count && members[next].key != key && members[next].optional) {
            next++;
        }
        if (next == count || members[next].key != key || !match(cddl, members[next].type, reader)) {
            return false;
        }
        next++;
    }
    while (next < count && members[next].optional) {
        next++;
    }
    return next == count && reader->error == HK_OK;
}

static bool match(const struct cddl *cddl, const char *type, struct hk_cbor_reader *reader)
{
    struct hk_cbor_item item;
    if (type[0] == '[') {
        return match_list(cddl, type, reader);
    }
    if (strncmp(type, "uint", 4) == 0) {
        return hk_cbor_next(reader, &item) && item.major == HK_CBOR_UINT;
    }
    if (strncmp(type, "bstr", 4) == 0) {
        return hk_cbor_next(reader, &item) && item.major == HK_CBOR_BYTES && sizes_fit(type, item.size);
    }
    if (strncmp(type, "tstr", 4) == 0) {
        return hk_cbor_next(reader, &item) && item.major == HK_CBOR_TEXT && sizes_fit(type, item.size);
    }
    if (isdigit((unsigned char)type[0])) {
        return hk_cbor_next(reader, &item) && item.major == HK_CBOR_UINT &&
               item.number == strtoull(type, NULL, 10);
    }
    const char *body = cddl_body(cddl, type);
    if (body == NULL) {
        return false;
    }
    return body[0] == '{' ? match_map(cddl, type, reader) : match(cddl, body, reader);
}

bool cddl_matches(const struct cddl *cddl, const char *name, const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    hk_cbor_reader_init(&reader, data, size);
    return match(cddl, name, &reader) && hk_cbor_reader_finish(&reader) == HK_OK;
}

/* NOLINTEND(cert-err34-c) */

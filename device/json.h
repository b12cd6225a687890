/* json.h - what `--json` prints: one value on standard output, made piece by piece.
 *
 * Text comes from strangers too (names of devices, of keys), so every string is escaped, and what is not
 * UTF-8 is replaced. */
#ifndef HALFKEY_DEVICE_JSON_H
#define HALFKEY_DEVICE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A value under construction. */
struct hk_json {
    FILE *file;
    unsigned depth;
    bool filled; /* the innermost list or map has something in it */
};
void hk_json_start(struct hk_json *json, FILE *file);

/* Inside a map `name` is the member's name; inside a list and outermost it is NULL. */
void hk_json_map(struct hk_json *json, const char *name);
void hk_json_list(struct hk_json *json, const char *name);
void hk_json_end_map(struct hk_json *json);
void hk_json_end_list(struct hk_json *json);
void hk_json_text(struct hk_json *json, const char *name, const char *text); /* NULL: null */
void hk_json_number(struct hk_json *json, const char *name, uint64_t number);
void hk_json_bool(struct hk_json *json, const char *name, bool value);
void hk_json_hex(struct hk_json *json, const char *name, const void *data, size_t size);
/* Seconds since 1970 as "2026-01-31T12:00:00Z"; 0 as null. */
void hk_json_time(struct hk_json *json, const char *name, uint64_t seconds);

#endif

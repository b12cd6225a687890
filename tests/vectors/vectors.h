/* vectors.h - what the schemas of halfkey-vectors share.
 *
 * halfkey-vectors recognises each file by its content, runs its cases through the shipped code and prints,
 * for each file and at the end, `N passed, N failed, N skipped`. A schema is a row of the table in main.c:
 * how to recognise it, and a function that runs all of it. A case whose primitive is not ours is skipped, and
 * named. */
#ifndef HALFKEY_TESTS_VECTORS_H
#define HALFKEY_TESTS_VECTORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"

/* A file being run. */
struct vectors {
    const char *path;
    const uint8_t *bytes; /* the whole file, with a zero behind it */
    size_t size;
    json_t *json; /* NULL if it is not JSON */
    unsigned long passed, failed, skipped;
};

struct vectors_schema {
    const char *name;
    bool (*matches)(const struct vectors *file);
    void (*run)(struct vectors *file);
};

/* One row each, in the files of the same name. */
bool noise_matches(const struct vectors *file);
void noise_run(struct vectors *file);
bool wycheproof_matches(const struct vectors *file);
void wycheproof_run(struct vectors *file);
bool frost_matches(const struct vectors *file);
void frost_run(struct vectors *file);
bool frost_dkg_matches(const struct vectors *file);
void frost_dkg_run(struct vectors *file);
bool cbor_matches(const struct vectors *file);
void cbor_run(struct vectors *file);
bool mesh_matches(const struct vectors *file);
void mesh_run(struct vectors *file);
bool own_matches(const struct vectors *file);
void own_run(struct vectors *file);
bool age_matches(const struct vectors *file);
void age_run(struct vectors *file);
bool bip340_matches(const struct vectors *file);
void bip340_run(struct vectors *file);

/* Counts one case; a failed one prints the path, what was checked and the case's name. Returns `good`. */
bool vectors_check(struct vectors *file, bool good, const char *what, const char *name);
/* Counts skipped cases and prints what they are, once a call. */
void vectors_skip(struct vectors *file, unsigned long cases, const char *what);

/* The bytes of a hexadecimal string: at most `max` to `out`, the length to *size. False if `value` is no such
 * string. */
bool vectors_hex(const json_t *value, uint8_t *out, size_t max, size_t *size);
/* Exactly `size` bytes of the member `key`. */
bool vectors_fixed(const json_t *object, const char *key, uint8_t *out, size_t size);
/* True if the member is the hexadecimal form of these bytes. */
bool vectors_equal(const json_t *object, const char *key, const void *data, size_t size);
/* The member as text; "" if there is none. */
const char *vectors_text(const json_t *object, const char *key);

#endif

/* object_fields.h - writing and reading maps with small unsigned keys: the objects of protocol/object.h, and
 * what devices say to one another.
 *
 * A reader of such a map asks for its fields in ascending order; what it does not ask for, and what is
 * missing or out of bounds, is a fault of the input (protocol/cbor.h remembers it). */
#ifndef HALFKEY_PROTOCOL_OBJECT_FIELDS_H
#define HALFKEY_PROTOCOL_OBJECT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cbor.h"
#include "protocol/object.h"

void hk_put_uint_field(struct hk_cbor_writer *writer, uint64_t key, uint64_t value);
void hk_put_bytes_field(struct hk_cbor_writer *writer, uint64_t key, const void *data, size_t size);
/* A string with a final zero, printable, 1 to `max` bytes; else the writer fails with HK_BAD_ENCODING. */
void hk_put_name_field(struct hk_cbor_writer *writer, uint64_t key, const char *name, size_t max);

struct hk_fields {
    struct hk_cbor_reader *reader;
    struct hk_cbor_map map;
    bool pending; /* `key` has been read and not yet been asked for */
    uint64_t key;
};
/* A map of at most `max` fields. */
struct hk_fields hk_fields_begin(struct hk_cbor_reader *reader, uint64_t max);
/* True if the next field is `key`; it must then be read by one of the functions below. */
bool hk_fields_has(struct hk_fields *fields, uint64_t key);
/* The next field must be `key`: its value follows in the reader. A fault otherwise. */
void hk_fields_need(struct hk_fields *fields, uint64_t key);
uint64_t hk_fields_uint(struct hk_fields *fields, uint64_t key, uint64_t max);
void hk_fields_fixed(struct hk_fields *fields, uint64_t key, uint8_t *out, size_t size);
/* 1 to `max` printable bytes, to `out` with a final zero (max + 1 bytes). */
void hk_fields_name(struct hk_fields *fields, uint64_t key, char *out, size_t max);
/* A fault if a field is left. */
void hk_fields_end(struct hk_fields *fields);

/* The first fields of a profile: who it says that it is of. */
struct hk_profile_names {
    uint8_t account[HK_ACCOUNT_BYTES];
    uint8_t account_key[32];
};
HK_CHECK enum hk_error hk_profile_names(struct hk_profile_names *out, const void *payload, size_t size);

#endif

/* cbor.h - deterministic CBOR (RFC 8949 section 4.2.1), strict in both directions.
 *
 * The writer puts items into the caller's buffer; the reader walks over the caller's bytes and borrows from
 * them. Neither allocates. Both remember the first error and do nothing after it, so that code checks once at
 * the end. The reader accepts one encoding of each value and no other: shortest integers, lengths and floats,
 * definite lengths only, map keys in bytewise order and none twice, text in UTF-8, at most HK_CBOR_DEPTH
 * levels, and nothing behind the item. Not constant time: what is encoded may be secret, its shape may not.
 */
#ifndef HALFKEY_PROTOCOL_CBOR_H
#define HALFKEY_PROTOCOL_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"

#define HK_CBOR_DEPTH 16

enum hk_cbor_major {
    HK_CBOR_UINT = 0,
    HK_CBOR_NINT = 1, /* the value is -1 - number */
    HK_CBOR_BYTES = 2,
    HK_CBOR_TEXT = 3,
    HK_CBOR_ARRAY = 4, /* number: how many elements follow */
    HK_CBOR_MAP = 5,   /* number: how many pairs follow */
    HK_CBOR_TAG = 6,   /* number: the tag; one item follows */
    HK_CBOR_SIMPLE =
        7 /* number: simple value (20 false, 21 true, 22 null, 23 undefined), or a float's bits */
};

/* One item's head, and a string's content. */
struct hk_cbor_item {
    enum hk_cbor_major major;
    uint64_t number;     /* see above; the length for strings */
    unsigned float_bits; /* 16, 32 or 64 for a float, whose bits are in `number`; else 0 */
    const uint8_t *data; /* strings: content, borrowed */
    size_t size;
};

/* ---- writing ---- */
struct hk_cbor_writer {
    uint8_t *out;
    size_t max, size;
    enum hk_error error;
};
/* Writes to `out`, at most `max` bytes. */
void hk_cbor_writer_init(struct hk_cbor_writer *writer, uint8_t *out, size_t max);
void hk_cbor_put_uint(struct hk_cbor_writer *writer, uint64_t value);
void hk_cbor_put_int(struct hk_cbor_writer *writer, int64_t value);
void hk_cbor_put_bytes(struct hk_cbor_writer *writer, const void *data, size_t size);
void hk_cbor_put_text(struct hk_cbor_writer *writer, const void *text, size_t size);
/* Heads: `count` elements or pairs must follow; the caller gives map keys in their order. */
void hk_cbor_put_array(struct hk_cbor_writer *writer, uint64_t count);
void hk_cbor_put_map(struct hk_cbor_writer *writer, uint64_t count);
void hk_cbor_put_tag(struct hk_cbor_writer *writer, uint64_t tag);
void hk_cbor_put_bool(struct hk_cbor_writer *writer, bool value);
/* Any item as the reader gave it: its head, and a string's content. */
void hk_cbor_put_item(struct hk_cbor_writer *writer, const struct hk_cbor_item *item);
/* Bytes that are encoded already. */
void hk_cbor_put_raw(struct hk_cbor_writer *writer, const void *encoded, size_t size);
/* The length to *size; HK_TOO_LARGE if it did not fit. */
HK_CHECK enum hk_error hk_cbor_writer_finish(const struct hk_cbor_writer *writer, size_t *size);

/* ---- reading ---- */
struct hk_cbor_reader {
    const uint8_t *at, *end;
    enum hk_error error; /* HK_BAD_ENCODING from the first fault on */
};
/* A map being read: how many pairs are left, and the last key's encoding. */
struct hk_cbor_map {
    uint64_t left;
    const uint8_t *key;
    size_t key_size;
};
void hk_cbor_reader_init(struct hk_cbor_reader *reader, const void *data, size_t size);
/* Marks the input as bad: what follows reads as zero and empty. For callers that find a fault themselves. */
void hk_cbor_fail(struct hk_cbor_reader *reader);

/* The next item's head (and string content). False, and *item all zero, after any fault or at the end of
 * input (which is a fault). Elements of arrays and maps are the next items; sorted keys are not checked here.
 */
bool hk_cbor_next(struct hk_cbor_reader *reader, struct hk_cbor_item *item);

/* The next item, which must be of this kind; 0 or an empty span after a fault. Lengths outside [min, max] are
 * faults. Spans are borrowed from the input. */
uint64_t hk_cbor_get_uint(struct hk_cbor_reader *reader);
int64_t hk_cbor_get_int(struct hk_cbor_reader *reader);
bool hk_cbor_get_bool(struct hk_cbor_reader *reader);
struct hk_bytes hk_cbor_get_bytes(struct hk_cbor_reader *reader, size_t min, size_t max);
struct hk_bytes hk_cbor_get_text(struct hk_cbor_reader *reader, size_t min, size_t max);
/* A byte string of exactly `size` bytes, copied to `out`; `out` is untouched after a fault. */
void hk_cbor_get_fixed(struct hk_cbor_reader *reader, uint8_t *out, size_t size);
/* The number of elements that follow, at most `max`. */
uint64_t hk_cbor_get_array(struct hk_cbor_reader *reader, uint64_t max);
void hk_cbor_get_tag(struct hk_cbor_reader *reader, uint64_t tag);

/* A map of at most `max` pairs; then for each pair hk_cbor_map_next reads the key (any item but array, map,
 * tag), which must come after the last one in bytewise order, and the caller reads the value. False at the
 * end of the map and after a fault. hk_cbor_map_next_uint takes only unsigned keys. */
void hk_cbor_get_map(struct hk_cbor_reader *reader, struct hk_cbor_map *map, uint64_t max);
bool hk_cbor_map_next(struct hk_cbor_reader *reader, struct hk_cbor_map *map, struct hk_cbor_item *key);
bool hk_cbor_map_next_uint(struct hk_cbor_reader *reader, struct hk_cbor_map *map, uint64_t *key);

/* Skips one whole item, everything in it held to the rules above; returns its encoding. */
struct hk_bytes hk_cbor_skip(struct hk_cbor_reader *reader);

/* HK_OK if nothing went wrong and nothing is left; else HK_BAD_ENCODING. */
HK_CHECK enum hk_error hk_cbor_reader_finish(struct hk_cbor_reader *reader);

/* HK_OK if `data` is exactly one item in deterministic encoding; else HK_BAD_ENCODING. */
HK_CHECK enum hk_error hk_cbor_check(const void *data, size_t size);

/* True if the bytes are well-formed UTF-8 (RFC 3629: shortest forms, no surrogates, at most U+10FFFF). */
bool hk_utf8_is_valid(const void *text, size_t size) HK_CHECK;
/* The same, and without control characters (U+0000-001F, 007F-009F): safe to print as a name. */
bool hk_text_is_printable(const void *text, size_t size) HK_CHECK;

#endif

#include "protocol/cbor.h"

#include <string.h>

void hk_cbor_reader_init(struct hk_cbor_reader *reader, const void *data, size_t size)
{
    static const uint8_t nothing;
    const uint8_t *start = size == 0 ? &nothing : data;
    *reader = (struct hk_cbor_reader){.at = start, .end = start + size, .error = HK_OK};
}

void hk_cbor_fail(struct hk_cbor_reader *reader)
{
    reader->error = HK_BAD_ENCODING;
}

static size_t left(const struct hk_cbor_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* Floats go in the shortest form that keeps the value; there is one NaN, f97e00. */
static bool half_holds(uint32_t single)
{
    uint32_t exponent = single >> 23 & 0xff, fraction = single & 0x7fffff;
    if (exponent == 0xff) {
        return true; /* infinity, or a NaN, which is to be 7e00 */
    }
    if (exponent == 0) {
        return fraction == 0;
    }
    if (exponent >= 113 && exponent <= 142) {
        return (fraction & 0x1fff) == 0;
    }
    if (exponent >= 103 &&
        exponent < 113) { /* subnormal halves: 1 to 10 bits of fraction are lost at the low end */
        return (fraction & ((UINT32_C(1) << (126 - exponent)) - 1)) == 0;
    }
    return false;
}

static bool single_holds(uint64_t twice)
{
    uint64_t exponent = twice >> 52 & 0x7ff, fraction = twice & UINT64_C(0xfffffffffffff);
    if (exponent == 0x7ff) {
        return true;
    }
    if (exponent == 0) {
        return fraction == 0;
    }
    if (exponent >= 897 && exponent <= 1150) {
        return (fraction & 0x1fffffff) == 0;
    }
    if (exponent >= 874 && exponent < 897) {
        return (fraction & ((UINT64_C(1) << (926 - exponent)) - 1)) == 0;
    }
    return false;
}

static bool float_is_shortest(unsigned bits, uint64_t number)
{
    if (bits == 16) {
        bool is_nan = (number & 0x7c00) == 0x7c00 && (number & 0x3ff) != 0;
        return !is_nan || number == 0x7e00;
    }
    return bits == 32 ? !half_holds((uint32_t)number) : !single_holds(number);
}

/* Reads a head into *item; false if it is not there or not the shortest. */
static bool read_head(struct hk_cbor_reader *reader, struct hk_cbor_item *item)
{
    if (left(reader) == 0) {
        return false;
    }
    unsigned first = *reader->at++, info = first & 31;
    item->major = first >> 5;
    if (info < 24) {
        item->number = info;
        return true;
    }
    if (info > 27) { /* reserved, or of indefinite length */
        return false;
    }
    size_t bytes = (size_t)1 << (info - 24);
    if (left(reader) < bytes) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        item->number = item->number << 8 | *reader->at++;
    }
    if (item->major == HK_CBOR_SIMPLE) {
        if (bytes == 1) {
            return item->number >= 32;
        }
        item->float_bits = (unsigned)bytes * 8;
        return float_is_shortest(item->float_bits, item->number);
    }
    static const uint64_t smallest[] = {24, UINT8_MAX + 1, UINT16_MAX + 1, (uint64_t)UINT32_MAX + 1};
    return item->number >= smallest[info - 24];
}

bool hk_cbor_next(struct hk_cbor_reader *reader, struct hk_cbor_item *item)
{
    *item = (struct hk_cbor_item){.major = HK_CBOR_UINT};
    struct hk_cbor_item read = {.major = HK_CBOR_UINT};
    if (reader->error != HK_OK) {
        return false;
    }
    if (!read_head(reader, &read)) {
        hk_cbor_fail(reader);
        return false;
    }
    if (read.major == HK_CBOR_BYTES || read.major == HK_CBOR_TEXT) {
        if (read.number > left(reader) ||
            (read.major == HK_CBOR_TEXT && !hk_utf8_is_valid(reader->at, (size_t)read.number))) {
            hk_cbor_fail(reader);
            return false;
        }
        read.data = reader->at;
        read.size = (size_t)read.number;
        reader->at += read.size;
    }
    /* A count that the input cannot hold is refused at once, so that nobody loops over it. */
    if ((read.major == HK_CBOR_ARRAY && read.number > left(reader)) ||
        (read.major == HK_CBOR_MAP && read.number > left(reader) / 2)) {
        hk_cbor_fail(reader);
        return false;
    }
    *item = read;
    return true;
}

/* The next item if it is of this kind, else a fault. */
static bool expect(struct hk_cbor_reader *reader, enum hk_cbor_major major, struct hk_cbor_item *item)
{
    if (!hk_cbor_next(reader, item)) {
        return false;
    }
    if (item->major != major) {
        hk_cbor_fail(reader);
        *item = (struct hk_cbor_item){.major = HK_CBOR_UINT};
        return false;
    }
    return true;
}

uint64_t hk_cbor_get_uint(struct hk_cbor_reader *reader)
{
    struct hk_cbor_item item;
    return expect(reader, HK_CBOR_UINT, &item) ? item.number : 0;
}

int64_t hk_cbor_get_int(struct hk_cbor_reader *reader)
{
    struct hk_cbor_item item;
    if (!hk_cbor_next(reader, &item)) {
        return 0;
    }
    if ((item.major != HK_CBOR_UINT && item.major != HK_CBOR_NINT) || item.number > INT64_MAX) {
        hk_cbor_fail(reader);
        return 0;
    }
    return item.major == HK_CBOR_UINT ? (int64_t)item.number : -1 - (int64_t)item.number;
}

bool hk_cbor_get_bool(struct hk_cbor_reader *reader)
{
    struct hk_cbor_item item;
    if (!expect(reader, HK_CBOR_SIMPLE, &item)) {
        return false;
    }
    if (item.float_bits != 0 || (item.number != 20 && item.number != 21)) {
        hk_cbor_fail(reader);
        return false;
    }
    return item.number == 21;
}

static struct hk_bytes get_string(struct hk_cbor_reader *reader, enum hk_cbor_major major, size_t min,
                                  size_t max)
{
    struct hk_cbor_item item;
    if (!expect(reader, major, &item)) {
        return HK_BYTES(NULL, 0);
    }
    if (item.size < min || item.size > max) {
        hk_cbor_fail(reader);
        return HK_BYTES(NULL, 0);
    }
    return HK_BYTES(item.data, item.size);
}

struct hk_bytes hk_cbor_get_bytes(struct hk_cbor_reader *reader, size_t min, size_t max)
{
    return get_string(reader, HK_CBOR_BYTES, min, max);
}

struct hk_bytes hk_cbor_get_text(struct hk_cbor_reader *reader, size_t min, size_t max)
{
    return get_string(reader, HK_CBOR_TEXT, min, max);
}

void hk_cbor_get_fixed(struct hk_cbor_reader *reader, uint8_t *out, size_t size)
{
    struct hk_bytes bytes = get_string(reader, HK_CBOR_BYTES, size, size);
    if (bytes.data != NULL && size != 0) {
        memcpy(out, bytes.data, size);
    }
}

uint64_t hk_cbor_get_array(struct hk_cbor_reader *reader, uint64_t max)
{
    struct hk_cbor_item item;
    if (!expect(reader, HK_CBOR_ARRAY, &item)) {
        return 0;
    }
    if (item.number > max) {
        hk_cbor_fail(reader);
        return 0;
    }
    return item.number;
}

void hk_cbor_get_tag(struct hk_cbor_reader *reader, uint64_t tag)
{
    struct hk_cbor_item item;
    if (expect(reader, HK_CBOR_TAG, &item) && item.number != tag) {
        hk_cbor_fail(reader);
    }
}

void hk_cbor_get_map(struct hk_cbor_reader *reader, struct hk_cbor_map *map, uint64_t max)
{
    struct hk_cbor_item item;
    *map = (struct hk_cbor_map){.left = 0};
    if (!expect(reader, HK_CBOR_MAP, &item)) {
        return;
    }
    if (item.number > max) {
        hk_cbor_fail(reader);
        return;
    }
    map->left = item.number;
}

/* Keys are compared by their encodings; each must be greater than the one before. */
static bool key_in_order(struct hk_cbor_map *map, const uint8_t *key, size_t size)
{
    bool ordered = true;
    if (map->key != NULL) {
        int order = memcmp(map->key, key, size < map->key_size ? size : map->key_size);
        ordered = order < 0 || (order == 0 && map->key_size < size);
    }
    map->key = key;
    map->key_size = size;
    return ordered;
}

bool hk_cbor_map_next(struct hk_cbor_reader *reader, struct hk_cbor_map *map, struct hk_cbor_item *key)
{
    if (map->left == 0 || reader->error != HK_OK) {
        return false;
    }
    const uint8_t *start = reader->at;
    if (!hk_cbor_next(reader, key)) {
        return false;
    }
    if (key->major == HK_CBOR_ARRAY || key->major == HK_CBOR_MAP || key->major == HK_CBOR_TAG ||
        !key_in_order(map, start, (size_t)(reader->at - start))) {
        hk_cbor_fail(reader);
        return false;
    }
    map->left--;
    return true;
}

bool hk_cbor_map_next_uint(struct hk_cbor_reader *reader, struct hk_cbor_map *map, uint64_t *key)
{
    struct hk_cbor_item item;
    if (!hk_cbor_map_next(reader, map, &item)) {
        return false;
    }
    if (item.major != HK_CBOR_UINT) {
        hk_cbor_fail(reader);
        return false;
    }
    *key = item.number;
    return true;
}

/* What is open while a whole item is skipped: how many items are left in it, and, for a map, its last key and
 * where the one being read began. A key may itself be nested. */
struct open_item {
    uint64_t left;
    bool is_map;
    struct hk_cbor_map map;
    const uint8_t *key_start;
};

/* One item of `open` has ended: if it was a key, it must come after the last one. */
static bool item_ended(struct open_item *open, const uint8_t *at)
{
    bool was_key = open->is_map && open->left % 2 == 1;
    return !was_key || key_in_order(&open->map, open->key_start, (size_t)(at - open->key_start));
}

static uint64_t items_inside(const struct hk_cbor_item *item)
{
    switch (item->major) {
    case HK_CBOR_ARRAY:
        return item->number;
    case HK_CBOR_MAP:
        return 2 * item->number;
    case HK_CBOR_TAG:
        return 1;
    default:
        return 0;
    }
}

struct hk_bytes hk_cbor_skip(struct hk_cbor_reader *reader)
{
    struct open_item open[HK_CBOR_DEPTH + 1];
    unsigned depth = 0;
    const uint8_t *start = reader->at;
    open[0] = (struct open_item){.left = 1};
    while (open[0].left != 0 || depth != 0) {
        struct open_item *current = &open[depth];
        if (current->left == 0) {
            depth--;
            if (!item_ended(&open[depth], reader->at)) {
                hk_cbor_fail(reader);
                return HK_BYTES(NULL, 0);
            }
            continue;
        }
        if (current->left % 2 == 0) {
            current->key_start = reader->at;
        }
        struct hk_cbor_item item;
        if (!hk_cbor_next(reader, &item)) {
            return HK_BYTES(NULL, 0);
        }
        current->left--;
        uint64_t inside = items_inside(&item);
        if ((inside != 0 && depth == HK_CBOR_DEPTH) || (inside == 0 && !item_ended(current, reader->at))) {
            hk_cbor_fail(reader);
            return HK_BYTES(NULL, 0);
        }
        if (inside != 0) {
            open[++depth] = (struct open_item){.left = inside, .is_map = item.major == HK_CBOR_MAP};
        }
    }
    return HK_BYTES(start, (size_t)(reader->at - start));
}

enum hk_error hk_cbor_reader_finish(struct hk_cbor_reader *reader)
{
    if (reader->at != reader->end) {
        hk_cbor_fail(reader);
    }
    return reader->error;
}

enum hk_error hk_cbor_check(const void *data, size_t size)
{
    struct hk_cbor_reader reader;
    hk_cbor_reader_init(&reader, data, size);
    hk_cbor_skip(&reader);
    return hk_cbor_reader_finish(&reader);
}

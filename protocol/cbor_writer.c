#include "protocol/cbor.h"

#include <string.h>

void hk_cbor_writer_init(struct hk_cbor_writer *writer, uint8_t *out, size_t max)
{
    *writer = (struct hk_cbor_writer){.out = out, .max = max};
}

void hk_cbor_put_raw(struct hk_cbor_writer *writer, const void *encoded, size_t size)
{
    if (writer->error == HK_OK && size > writer->max - writer->size) {
        writer->error = HK_TOO_LARGE;
    }
    if (writer->error != HK_OK) {
        return;
    }
    if (size != 0) {
        memcpy(writer->out + writer->size, encoded, size);
    }
    writer->size += size;
}

/* The low five bits of a first byte, and how many bytes of argument follow it. */
static void put_argument(struct hk_cbor_writer *writer, unsigned major, unsigned info, unsigned bytes,
                         uint64_t value)
{
    uint8_t head[9];
    head[0] = (uint8_t)(major << 5 | info);
    for (unsigned i = 0; i < bytes; i++) {
        head[1 + i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    }
    hk_cbor_put_raw(writer, head, 1 + bytes);
}

static void put_head(struct hk_cbor_writer *writer, enum hk_cbor_major major, uint64_t value)
{
    if (value < 24) {
        put_argument(writer, major, (unsigned)value, 0, value);
    } else if (value <= UINT8_MAX) {
        put_argument(writer, major, 24, 1, value);
    } else if (value <= UINT16_MAX) {
        put_argument(writer, major, 25, 2, value);
    } else if (value <= UINT32_MAX) {
        put_argument(writer, major, 26, 4, value);
    } else {
        put_argument(writer, major, 27, 8, value);
    }
}

void hk_cbor_put_uint(struct hk_cbor_writer *writer, uint64_t value)
{
    put_head(writer, HK_CBOR_UINT, value);
}

void hk_cbor_put_int(struct hk_cbor_writer *writer, int64_t value)
{
    if (value < 0) {
        put_head(writer, HK_CBOR_NINT, (uint64_t)(-1 - value));
    } else {
        put_head(writer, HK_CBOR_UINT, (uint64_t)value);
    }
}

void hk_cbor_put_bytes(struct hk_cbor_writer *writer, const void *data, size_t size)
{
    put_head(writer, HK_CBOR_BYTES, size);
    hk_cbor_put_raw(writer, data, size);
}

void hk_cbor_put_text(struct hk_cbor_writer *writer, const void *text, size_t size)
{
    put_head(writer, HK_CBOR_TEXT, size);
    hk_cbor_put_raw(writer, text, size);
}

void hk_cbor_put_array(struct hk_cbor_writer *writer, uint64_t count)
{
    put_head(writer, HK_CBOR_ARRAY, count);
}

void hk_cbor_put_map(struct hk_cbor_writer *writer, uint64_t count)
{
    put_head(writer, HK_CBOR_MAP, count);
}

void hk_cbor_put_tag(struct hk_cbor_writer *writer, uint64_t tag)
{
    put_head(writer, HK_CBOR_TAG, tag);
}

void hk_cbor_put_bool(struct hk_cbor_writer *writer, bool value)
{
    put_head(writer, HK_CBOR_SIMPLE, value ? 21 : 20);
}

void hk_cbor_put_item(struct hk_cbor_writer *writer, const struct hk_cbor_item *item)
{
    if (item->major == HK_CBOR_SIMPLE && item->float_bits != 0) {
        unsigned bytes = item->float_bits / 8;
        put_argument(writer, HK_CBOR_SIMPLE, bytes == 2 ? 25 : bytes == 4 ? 26 : 27, bytes, item->number);
        return;
    }
    put_head(writer, item->major, item->number);
    if (item->major == HK_CBOR_BYTES || item->major == HK_CBOR_TEXT) {
        hk_cbor_put_raw(writer, item->data, item->size);
    }
}

enum hk_error hk_cbor_writer_finish(const struct hk_cbor_writer *writer, size_t *size)
{
    if (writer->error == HK_OK) {
        *size = writer->size;
    }
    return writer->error;
}

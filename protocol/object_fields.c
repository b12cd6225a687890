#include "protocol/object_fields.h"

#include <string.h>

void hk_put_uint_field(struct hk_cbor_writer *writer, uint64_t key, uint64_t value)
{
    hk_cbor_put_uint(writer, key);
    hk_cbor_put_uint(writer, value);
}

void hk_put_bytes_field(struct hk_cbor_writer *writer, uint64_t key, const void *data, size_t size)
{
    hk_cbor_put_uint(writer, key);
    hk_cbor_put_bytes(writer, data, size);
}

void hk_put_name_field(struct hk_cbor_writer *writer, uint64_t key, const char *name, size_t max)
{
    size_t size = strnlen(name, max + 1);
    if (size < 1 || size > max || !hk_text_is_printable(name, size)) {
        writer->error = HK_BAD_ENCODING;
        return;
    }
    hk_cbor_put_uint(writer, key);
    hk_cbor_put_text(writer, name, size);
}

struct hk_fields hk_fields_begin(struct hk_cbor_reader *reader, uint64_t max)
{
    struct hk_fields fields = {.reader = reader};
    hk_cbor_get_map(reader, &fields.map, max);
    return fields;
}

bool hk_fields_has(struct hk_fields *fields, uint64_t key)
{
    if (!fields->pending) {
        fields->pending = hk_cbor_map_next_uint(fields->reader, &fields->map, &fields->key);
    }
    return fields->pending && fields->key == key;
}

void hk_fields_need(struct hk_fields *fields, uint64_t key)
{
    if (!hk_fields_has(fields, key)) {
        hk_cbor_fail(fields->reader);
    }
    fields->pending = false;
}

uint64_t hk_fields_uint(struct hk_fields *fields, uint64_t key, uint64_t max)
{
    hk_fields_need(fields, key);
    uint64_t value = hk_cbor_get_uint(fields->reader);
    if (value > max) {
        hk_cbor_fail(fields->reader);
        return 0;
    }
    return value;
}

void hk_fields_fixed(struct hk_fields *fields, uint64_t key, uint8_t *out, size_t size)
{
    hk_fields_need(fields, key);
    hk_cbor_get_fixed(fields->reader, out, size);
}

void hk_fields_name(struct hk_fields *fields, uint64_t key, char *out, size_t max)
{
    hk_fields_need(fields, key);
    struct hk_bytes text = hk_cbor_get_text(fields->reader, 1, max);
    if (text.data == NULL || !hk_text_is_printable(text.data, text.size)) {
        hk_cbor_fail(fields->reader);
        return;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}

void hk_fields_end(struct hk_fields *fields)
{
    if (fields->pending || fields->map.left != 0) {
        hk_cbor_fail(fields->reader);
    }
}

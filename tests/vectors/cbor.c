/* RFC 8949 appendix A. What is deterministic must be read, valued and written again; all else refused. The
 * file still has f818 from RFC 7049: since RFC 8949, section 3.3, a simple value below 32 in two bytes is not
 * well-formed, so that one is to be refused too. */
#include <string.h>

#include "protocol/cbor.h"
#include "tests/vectors/vectors.h"

#define ITEM_MAX 512

bool cbor_matches(const struct vectors *file)
{
    const json_t *first = json_array_get(json_object_get(file->json, "vectors"), 0);
    return json_object_get(first, "cbor") != NULL && json_object_get(first, "hex") != NULL;
}

/* Numbers, strings and constants against what the file says they are; other things have only their bytes. */
static bool has_value(const struct hk_cbor_item *item, const json_t *decoded)
{
    if (item->float_bits != 0 || item->major == HK_CBOR_TAG || decoded == NULL) {
        return true;
    }
    switch (item->major) {
    case HK_CBOR_UINT:
        return json_is_number(decoded) && (double)item->number == json_number_value(decoded);
    case HK_CBOR_NINT:
        return json_is_number(decoded) && -1.0 - (double)item->number == json_number_value(decoded);
    case HK_CBOR_TEXT:
        return json_string_length(decoded) == item->size &&
               memcmp(json_string_value(decoded), item->data, item->size) == 0;
    case HK_CBOR_ARRAY:
        return json_is_array(decoded) && json_array_size(decoded) == item->number;
    case HK_CBOR_MAP:
        return json_is_object(decoded) && json_object_size(decoded) == item->number;
    case HK_CBOR_SIMPLE:
        return item->number < 20 || item->number > 22 || (json_is_false(decoded) && item->number == 20) ||
               (json_is_true(decoded) && item->number == 21) || (json_is_null(decoded) && item->number == 22);
    default:
        return true;
    }
}

static bool reads_and_writes(const uint8_t *bytes, size_t size, const json_t *decoded)
{
    uint8_t again[ITEM_MAX];
    size_t again_size;
    struct hk_cbor_reader reader;
    struct hk_cbor_writer writer;
    struct hk_cbor_item item;
    bool first = true, valued = true;
    hk_cbor_reader_init(&reader, bytes, size);
    hk_cbor_writer_init(&writer, again, sizeof(again));
    while (reader.at != reader.end && hk_cbor_next(&reader, &item)) {
        hk_cbor_put_item(&writer, &item);
        valued = valued && (!first || has_value(&item, decoded));
        first = false;
    }
    return hk_cbor_check(bytes, size) == HK_OK && hk_cbor_writer_finish(&writer, &again_size) == HK_OK &&
           again_size == size && memcmp(again, bytes, size) == 0 && valued;
}

void cbor_run(struct vectors *file)
{
    const json_t *vector;
    size_t i;
    json_array_foreach(json_object_get(file->json, "vectors"), i, vector)
    {
        uint8_t bytes[ITEM_MAX];
        size_t size;
        const char *hex = vectors_text(vector, "hex");
        if (!vectors_hex(json_object_get(vector, "hex"), bytes, sizeof(bytes), &size)) {
            vectors_check(file, false, "hexadecimal", hex);
        } else if (json_is_true(json_object_get(vector, "roundtrip")) && strcmp(hex, "f818") != 0) {
            vectors_check(file, reads_and_writes(bytes, size, json_object_get(vector, "decoded")),
                          "deterministic encoding", hex);
        } else {
            vectors_check(file, hk_cbor_check(bytes, size) == HK_BAD_ENCODING,
                          "refusal of what is not deterministic", hex);
        }
    }
}

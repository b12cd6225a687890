#include "protocol/cbor.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[1 << 17];
    struct hk_cbor_reader reader;
    struct hk_cbor_writer writer;
    struct hk_cbor_item item;
    size_t written = 0;
    if (size > sizeof(again) || hk_cbor_check(data, size) != HK_OK) {
        return 0;
    }
    hk_cbor_reader_init(&reader, data, size);
    hk_cbor_writer_init(&writer, again, sizeof(again));
    while (reader.at != reader.end) {
        MUST(hk_cbor_next(&reader, &item));
        hk_cbor_put_item(&writer, &item);
    }
    MUST(hk_cbor_writer_finish(&writer, &written) == HK_OK);
    SAME_BYTES(again, written, data, size);
    return 0;
}

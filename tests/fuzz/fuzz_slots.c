/* Both copies of a slot file. The input: how many records of 128 bytes (one byte, at most 8), then for each
 * copy the head's 64 bytes that matter and the records. */
#include "keyservice/slots.h"

#include <sodium.h>

#include "keyservice/file.h"
#include "tests/fuzz/fuzz.h"

#define HEAD 4096
#define HEAD_USED 64
#define RECORD 128
#define RECORDS_MAX 8

static size_t make_copy(uint8_t *file, const uint8_t **data, const uint8_t *end, size_t records)
{
    size_t left = (size_t)(end - *data), head = left < HEAD_USED ? left : HEAD_USED;
    memset(file, 0, HEAD + RECORDS_MAX * RECORD);
    memcpy(file, *data, head);
    *data += head;
    left -= head;
    size_t body = left < records * RECORD ? left : records * RECORD;
    memcpy(file + HEAD, *data, body);
    *data += body;
    /* A head that is nearly right gets a right checksum, or nothing behind it would ever be reached. */
    if (file[63] == 0) {
        crypto_hash_sha256(file + 32, file, 32);
    }
    return HEAD + body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hk_secret32 master = {{9}};
    static const uint8_t serial[16] = {5};
    static uint8_t file[HEAD + RECORDS_MAX * RECORD];
    char paths[2][128], reason[HK_REASON_MAX] = "";
    struct hk_slots *slots;
    struct hk_slots_header headers[2];
    struct hk_secret32 key;
    if (size == 0) {
        return 0;
    }
    const uint8_t *end = data + size;
    size_t records = data[0] % (RECORDS_MAX + 1);
    data++;
    fuzz_random();
    for (int copy = 0; copy < 2; copy++) {
        size_t length = make_copy(file, &data, end, records);
        snprintf(paths[copy], sizeof(paths[copy]), "%s", fuzz_file(copy == 0 ? "a" : "b", file, length));
    }
    if (hk_slots_open(&slots, paths[0], paths[1], &master, false, reason) != HK_OK) {
        MUST(reason[0] != '\0');
        return 0;
    }
    hk_slots_headers(slots, headers);
    if (hk_slots_merge(slots) == HK_OK) {
        for (uint64_t slot = 0; slot < hk_slots_count(slots); slot++) {
            bool live = hk_slots_is_live(slots, slot);
            enum hk_error error = hk_slots_key(slots, slot, serial, &key);
            MUST(live || error != HK_OK);
        }
        MUST(hk_slots_key(slots, hk_slots_count(slots), serial, &key) != HK_OK);
    }
    hk_slots_close(slots);
    return 0;
}

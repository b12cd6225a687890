/* An age file, binary or armored, for the key whose private half is 3, 0, 0, ... (whole here: the reader is
 * what is looked at, not the agreement). */
#include <sodium.h>

#include "device/age.h"
#include "device/age_armor.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t private_key[32] = {3};

static enum hk_error agree(void *context, size_t key, const uint8_t (*points)[32], size_t count, bool prove,
                           uint8_t (*shared)[32])
{
    (void)context;
    (void)prove;
    MUST(key == 0 && count >= 1 && count <= 256);
    for (size_t i = 0; i < count; i++) {
        if (crypto_scalarmult(shared[i], private_key, points[i]) != 0) {
            return HK_BAD_POINT;
        }
    }
    return HK_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hk_lines lines;
    struct fuzz_memory memory = {data, size, 0};
    struct hk_source source = {fuzz_read, &memory};
    struct hk_armor_reader armor;
    uint8_t recipient[1][32], block[100];
    size_t count = 0, got = 1;
    enum hk_error error = HK_OK;
    crypto_scalarmult_base(recipient[0], private_key);
    struct hk_age_keys keys = {1, (const uint8_t(*)[32])recipient, agree, NULL};
    struct hk_sink sink = {fuzz_count, &count};
    (void)!hk_age_decrypt(&source, &sink, &keys, &error);
    MUST(count <= size);
    memory.at = 0;
    hk_lines_init(&lines, source);
    hk_armor_reader_init(&armor, &lines);
    while (got != 0 && hk_armor_read(&armor, block, sizeof(block), &got) == HK_OK) {
        MUST(got <= sizeof(block));
    }
    return 0;
}

/* What recoveries are made of: packets, sets, requests, answers, and the text of a share. The first byte says
 * which. */
#include "device/holder.h"
#include "device/share_text.h"
#include "tests/fuzz/fuzz.h"

static uint8_t encoded[HK_RECOVERY_CONTRIBUTION_MAX + 4096];

static void packet(const uint8_t *data, size_t size)
{
    static struct hk_recovery_packet read;
    size_t length = 0;
    if (hk_recovery_packet_decode(&read, data, size) == HK_OK) {
        MUST(hk_recovery_packet_encode(&read, encoded, sizeof(encoded), &length) == HK_OK);
        SAME_BYTES(encoded, length, data, size);
    }
}

static void request(const uint8_t *data, size_t size)
{
    struct hk_recovery_request read;
    size_t length = 0;
    if (hk_recovery_request_decode(&read, data, size) == HK_OK) {
        MUST(hk_recovery_request_encode(&read, encoded, sizeof(encoded), &length) == HK_OK);
        SAME_BYTES(encoded, length, data, size);
        MUST(read.count >= 1 && read.count <= HK_RECOVERY_HOLDERS);
    }
}

static void contribution(const uint8_t *data, size_t size)
{
    static struct hk_recovery_contribution read;
    size_t length = 0;
    if (hk_recovery_contribution_decode(&read, data, size) == HK_OK && size <= sizeof(encoded)) {
        MUST(hk_recovery_contribution_encode(&read, encoded, sizeof(encoded), &length) == HK_OK);
        SAME_BYTES(encoded, length, data, size);
    }
}

static void set(const uint8_t *data, size_t size)
{
    struct hk_holder_set *read;
    uint8_t *copy = malloc(size + 1);
    MUST(copy != NULL);
    memcpy(copy, data, size);
    if (hk_holder_set_read(&read, copy, size) == HK_OK) {
        MUST(read->profile.recovery.count >= 2 && read->file.count >= 1);
        hk_holder_set_free(read);
    }
}

static void share(const uint8_t *data, size_t size)
{
    struct hk_share read;
    char text[HK_SHARE_TEXT_MAX], words[HK_CODE_TEXT_BYTES];
    unsigned wrong = 0;
    size = size < sizeof(text) ? size : sizeof(text) - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    if (hk_share_parse(&read, text, &wrong) == HK_OK) {
        struct hk_share again;
        hk_words_from_code(words, read.code);
        MUST(hk_share_parse(&again, words, &wrong) == HK_OK);
        SAME_BYTES(again.code, HK_CODE_BYTES, read.code, HK_CODE_BYTES);
        SAME_BYTES(again.public_key, 32, read.public_key, 32);
    } else {
        MUST(wrong <= HK_CODE_WORDS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(const uint8_t *data, size_t size) = {packet, request, contribution, set,
                                                                        share};
    if (size > 0) {
        targets[data[0] % 5](data + 1, size - 1);
    }
    return 0;
}

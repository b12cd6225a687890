#include "protocol/encoding.h"
#include "protocol/words.h"
#include "tests/fuzz/fuzz.h"

/* Words, and the other texts that people or files bring: base32, base64, bech32, hexadecimal. */
static void texts(const char *text, size_t size)
{
    static uint8_t data[4096];
    static char again[HK_HEX_SIZE(4096)];
    size_t length = 0;
    for (int variant = HK_BASE32_PADDED; variant <= HK_BASE32_LOWER; variant++) {
        if (hk_base32_decode(data, sizeof(data), &length, text, size, (enum hk_base32)variant) == HK_OK) {
            hk_base32_encode(again, data, length, (enum hk_base32)variant);
            SAME_BYTES(again, strlen(again), text, size);
        }
    }
    for (int variant = HK_BASE64_PADDED; variant <= HK_BASE64_RAW; variant++) {
        if (hk_base64_decode(data, sizeof(data), &length, text, size, (enum hk_base64)variant) == HK_OK) {
            hk_base64_encode(again, data, length, (enum hk_base64)variant);
            SAME_BYTES(again, strlen(again), text, size);
        }
    }
    if (hk_bech32_decode(data, sizeof(data), &length, "age", text, size) == HK_OK) {
        MUST(hk_bech32_encode(again, "age", data, length) == HK_OK);
        SAME_BYTES(again, strlen(again), text, size);
    }
    if (size / 2 <= sizeof(data) && hk_hex_decode(data, size / 2, text, size) == HK_OK) {
        MUST(size % 2 == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[4096];
    uint8_t code[HK_CODE_BYTES], back[HK_CODE_BYTES];
    char words[HK_CODE_TEXT_BYTES];
    unsigned wrong = 0;
    if (size >= sizeof(text)) {
        return 0;
    }
    texts((const char *)data, size);
    memcpy(text, data, size);
    text[size] = '\0';
    if (hk_words_to_code(code, text, &wrong) == HK_OK) {
        hk_words_from_code(words, code);
        MUST(hk_words_to_code(back, words, NULL) == HK_OK);
        SAME_BYTES(back, sizeof(back), code, sizeof(code));
    } else {
        MUST(wrong <= HK_CODE_WORDS + 1);
    }
    if (size >= 9) {
        (void)!hk_words_check(text, data, &wrong);
    }
    return 0;
}

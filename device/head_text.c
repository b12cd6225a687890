#include "device/head_text.h"

#include <string.h>

#define ACCOUNT 8

void hk_head_text(char out[HK_HEAD_TEXT_BYTES], const uint8_t account[HK_ACCOUNT_BYTES],
                  const struct hk_log_head *head)
{
    uint8_t whole[HK_HEAD_BYTES], bytes[ACCOUNT + 48];
    hk_head_encode(whole, head);
    memcpy(bytes, account, ACCOUNT);
    memcpy(bytes + ACCOUNT, whole, 48);
    (void)!hk_bech32_encode(out, HK_HEAD_TEXT_PREFIX, bytes, sizeof(bytes));
}

enum hk_error hk_head_from_text(struct hk_log_head *out, const uint8_t account[HK_ACCOUNT_BYTES],
                                const char *text)
{
    uint8_t bytes[ACCOUNT + HK_HEAD_BYTES] = {0};
    size_t size = 0, start = strspn(text, " \t\r\n"), length = strcspn(text + start, " \t\r\n");
    if (text[start + length + strspn(text + start + length, " \t\r\n")] != '\0') {
        return HK_BAD_ENCODING; /* more than one word */
    }
    enum hk_error error =
        hk_bech32_decode(bytes, ACCOUNT + 48, &size, HK_HEAD_TEXT_PREFIX, text + start, length);
    if (error != HK_OK || size != ACCOUNT + 48) {
        return HK_BAD_ENCODING;
    }
    if (memcmp(bytes, account, ACCOUNT) != 0) {
        return HK_CONFLICT;
    }
    hk_head_decode(out, bytes + ACCOUNT);
    return HK_OK;
}

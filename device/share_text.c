#include "device/share_text.h"

#include <qrencode.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/encoding.h"
#include "protocol/noise.h"
#include "protocol/udf.h"

/* Text that grows; once there is no room nothing more is written. */
struct text {
    char *out;
    size_t size;
    bool full;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text->out + text->size, HK_SHARE_TEXT_MAX - text->size, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= HK_SHARE_TEXT_MAX - text->size) {
        text->full = true;
        return;
    }
    text->size += (size_t)n;
}

/* Half blocks, dark on light, for print. */
static void add_qr(struct text *text, const char *content)
{
    QRcode *code = QRcode_encodeString8bit(content, 0, QR_ECLEVEL_M);
    if (code == NULL) {
        text->full = true;
        return;
    }
    for (int y = 0; y < code->width; y += 2) {
        add(text, "    ");
        for (int x = 0; x < code->width; x++) {
            bool top = code->data[y * code->width + x] & 1,
                 bottom = y + 1 < code->width && (code->data[(y + 1) * code->width + x] & 1);
            add(text, "%s", top ? (bottom ? "█" : "▀") : (bottom ? "▄" : " "));
        }
        add(text, "\n");
    }
    QRcode_free(code);
}

enum hk_error hk_share_write(char out[HK_SHARE_TEXT_MAX], size_t *size, const uint8_t code[HK_CODE_BYTES],
                             const struct hk_share_facts *facts)
{
    char words[HK_CODE_TEXT_BYTES], account[HK_HEX_SIZE(HK_ACCOUNT_BYTES)], content[512],
        name[HK_ACCOUNT_TEXT_BYTES];
    HK_WIPE_AT_EXIT(words);
    HK_WIPE_AT_EXIT(content);
    struct text text = {.out = out};
    hk_words_from_code(words, code);
    hk_hex_encode(account, facts->account, HK_ACCOUNT_BYTES);
    hk_account_text(name, facts->account);
    snprintf(content, sizeof(content), "words: %s\naccount: %s\n", words, account);
    add(&text,
        "halfkey recovery share %zu of %zu; any %zu of them bring the account back\n\n"
        "words: %s\naccount: %s\n\n"
        "The account %s, when this was made at\n    %s\n\n",
        facts->index, facts->count, facts->threshold, words, account, name, facts->service);
    add(&text,
        "Keep it where no other share is: who has %zu of them has every key of the account. Alone it is "
        "worth\n"
        "nothing. On a new device, with any service:\n\n"
        "    halfkey recover --service ADDRESS --device NAME --share THIS --share ANOTHER ...\n\n"
        "or, so that no two shares meet on one machine, on yours, when somebody asks with a file:\n\n"
        "    halfkey recovery give REQUEST --share THIS --set recovery.set -o ANSWER\n\n"
        "Words and account, to be read by a camera:\n\n",
        facts->threshold);
    add_qr(&text, content);
    *size = text.size;
    return text.full ? HK_TOO_LARGE : HK_OK;
}

/* What stands behind `label` on its line; false if there is no such line or it is too long. */
static bool line_of(const char *text, const char *label, char *out, size_t max)
{
    size_t length = strlen(label);
    for (const char *at = text; at != NULL && *at != '\0';) {
        if (strncmp(at, label, length) == 0) {
            size_t size = strcspn(at + length, "\r\n");
            if (size >= max) {
                return false;
            }
            memcpy(out, at + length, size);
            out[size] = '\0';
            return true;
        }
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    return false;
}

enum hk_error hk_share_parse(struct hk_share *out, const char *text, unsigned *wrong)
{
    char words[256], account[HK_HEX_SIZE(HK_ACCOUNT_BYTES) + 2];
    HK_WIPE_AT_EXIT(words);
    struct hk_share read = {.has_account = false};
    HK_WIPE_AT_EXIT(read);
    *wrong = 0;
    if (!line_of(text, "words: ", words, sizeof(words))) {
        if (strlen(text) >= sizeof(words)) {
            return HK_BAD_ENCODING;
        }
        strcpy(words, text);
        words[strcspn(words, "\r\n")] = '\0';
    }
    enum hk_error error = hk_words_to_code(read.code, words, wrong);
    if (error != HK_OK) {
        return error;
    }
    if (line_of(text, "account: ", account, sizeof(account))) {
        size_t size = strlen(account);
        while (size > 0 && account[size - 1] == ' ') {
            account[--size] = '\0';
        }
        read.has_account = size == 2 * HK_ACCOUNT_BYTES &&
                           hk_hex_decode(read.account, sizeof(read.account), account, size) == HK_OK;
        if (!read.has_account) {
            return HK_BAD_ENCODING;
        }
    }
    hk_recovery_holder_key(&read.key, read.public_key, read.code);
    *out = read;
    return HK_OK;
}

enum hk_error hk_share_agree(void *argument, struct hk_secret32 *shared, const uint8_t ephemeral[32])
{
    const struct hk_share *share = argument;
    return hk_noise_dh(shared, &share->key, ephemeral);
}

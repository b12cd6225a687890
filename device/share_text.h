/* share_text.h - a recovery share as people keep it: a text of twelve words, with a QR code of the same, and
 * whose it is.
 *
 * Of the file only two lines are read: "words: ..." and "account: ..." (128 hexadecimal digits). What is
 * typed in place of a file's name is taken for the words themselves. The code is secret: `out` lives in
 * memory that the caller wipes. */
#ifndef HALFKEY_DEVICE_SHARE_TEXT_H
#define HALFKEY_DEVICE_SHARE_TEXT_H

#include <stdbool.h>

#include "crypto/error.h"
#include "device/holder.h"
#include "protocol/words.h"

#define HK_SHARE_TEXT_MAX 16384

struct hk_share {
    uint8_t code[HK_CODE_BYTES];
    bool has_account;
    uint8_t account[HK_ACCOUNT_BYTES];
    struct hk_secret32 key; /* of the code */
    uint8_t public_key[32];
};

/* What the text says besides the code. */
struct hk_share_facts {
    size_t index, count, threshold;
    const uint8_t *account; /* 64 */
    const char *service;    /* address */
};

/* Writes the text; its length without the final zero. Secret. HK_TOO_LARGE, HK_NO_MEMORY. */
HK_CHECK enum hk_error hk_share_write(char out[HK_SHARE_TEXT_MAX], size_t *size,
                                      const uint8_t code[HK_CODE_BYTES], const struct hk_share_facts *facts);
/* Reads a share's text. HK_BAD_ENCODING: no words, or a word that is none (*wrong, from 1; 0: their number);
 * HK_AUTH: their checksum is wrong. */
HK_CHECK enum hk_error hk_share_parse(struct hk_share *out, const char *text, unsigned *wrong);

/* Opens what is sealed to a share. `argument` is the share. */
enum hk_error hk_share_agree(void *argument, struct hk_secret32 *shared, const uint8_t ephemeral[32]);

#endif

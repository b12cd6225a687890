/* head_text.h - a head of the log as one line that people can copy, read out or type.
 *
 * Bech32 (BIP 173), so a mistyped letter is noticed, with prefix "hklog": the account's first 8 bytes, u64be
 * generation, u64be size, root. The head's time is left out; two devices compare trees, not clocks. */
#ifndef HALFKEY_DEVICE_HEAD_TEXT_H
#define HALFKEY_DEVICE_HEAD_TEXT_H

#include "protocol/encoding.h"
#include "protocol/object.h"

#define HK_HEAD_TEXT_PREFIX "hklog"
#define HK_HEAD_TEXT_BYTES HK_BECH32_SIZE(5, 56) /* with the final zero */

void hk_head_text(char out[HK_HEAD_TEXT_BYTES], const uint8_t account[HK_ACCOUNT_BYTES],
                  const struct hk_log_head *head);
/* Reads such a line; spaces around it do not matter. HK_BAD_ENCODING; HK_CONFLICT if it is of another
 * account. */
HK_CHECK enum hk_error hk_head_from_text(struct hk_log_head *out, const uint8_t account[HK_ACCOUNT_BYTES],
                                         const char *text);

#endif

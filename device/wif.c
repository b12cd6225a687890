#include "device/wif.h"

#include <sodium.h>
#include <stdint.h>
#include <string.h>

#define MAIN_NETWORK 0x80
#define TEST_NETWORK 0xef
#define CHECKSUM 4
#define SHORT (1 + 32 + CHECKSUM)
#define LONG (1 + 32 + 1 + CHECKSUM)

static const char digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* Base 58 to exactly `size` bytes; false if it is another number of them. No byte is lost in front, since
 * versions are never zero. */
static bool from_base58(uint8_t *out, size_t size, const char *text, size_t length)
{
    memset(out, 0, size);
    for (size_t i = 0; i < length; i++) {
        const char *digit = memchr(digits, text[i], sizeof digits - 1);
        if (!digit)
            return false;
        unsigned carry = (unsigned)(digit - digits);
        for (size_t j = size; j > 0; j--) {
            carry += 58U * out[j - 1];
            out[j - 1] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry != 0)
            return false;
    }
    return out[0] != 0;
}

static bool checksum_holds(const uint8_t *bytes, size_t size)
{
    uint8_t once[32], twice[32];
    HK_WIPE_AT_EXIT(once);
    HK_WIPE_AT_EXIT(twice);
    crypto_hash_sha256(once, bytes, size - CHECKSUM);
    crypto_hash_sha256(twice, once, sizeof once);
    return hk_equal(twice, bytes + size - CHECKSUM, CHECKSUM);
}

enum hk_error hk_wif_decode(struct hk_secret32 *key, const char *text, size_t length)
{
    uint8_t bytes[LONG];
    HK_WIPE_AT_EXIT(bytes);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        length--;
    while (length > 0 && strchr(" \t\r\n", *text)) {
        text++;
        length--;
    }
    size_t size = LONG;
    bool fits = from_base58(bytes, LONG, text, length) && bytes[33] == 1;
    if (!fits) {
        size = SHORT;
        fits = from_base58(bytes, SHORT, text, length);
    }
    if (!fits || (bytes[0] != MAIN_NETWORK && bytes[0] != TEST_NETWORK))
        return HK_BAD_ENCODING;
    if (!checksum_holds(bytes, size))
        return HK_AUTH;
    memcpy(key->bytes, bytes + 1, sizeof key->bytes);
    return HK_OK;
}

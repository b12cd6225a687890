#include "protocol/cbor.h"

/* Decodes one character of at most `size` bytes into *code; its length, or 0 if it is not well formed. */
static size_t decode_one(const uint8_t *at, size_t size, uint32_t *code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (at[0] < 0x80) {
        *code = at[0];
        return 1;
    }
    size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || length > size) {
        return 0;
    }
    uint32_t value = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (at[i] & 0x3f);
    }
    if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
        return 0;
    }
    *code = value;
    return length;
}

bool hk_utf8_is_valid(const void *text, size_t size)
{
    const uint8_t *at = text;
    uint32_t code;
    for (size_t used; size != 0; at += used, size -= used) {
        used = decode_one(at, size, &code);
        if (used == 0) {
            return false;
        }
    }
    return true;
}

bool hk_text_is_printable(const void *text, size_t size)
{
    const uint8_t *at = text;
    uint32_t code;
    for (size_t used; size != 0; at += used, size -= used) {
        used = decode_one(at, size, &code);
        if (used == 0 || code < 0x20 || (code >= 0x7f && code <= 0x9f)) {
            return false;
        }
    }
    return true;
}

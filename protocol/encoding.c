#include "protocol/encoding.h"

#include <string.h>

#include "crypto/secret.h"

/* Comparisons of small numbers (below 2^30) without branches: all ones if true, else zero. */
static uint32_t less(uint32_t a, uint32_t b)
{
    return 0u - ((a - b) >> 31);
}

static uint32_t within(uint32_t c, char low, char high)
{
    return ~less(c, (uint32_t)(uint8_t)low) & ~less((uint32_t)(uint8_t)high, c);
}

static uint32_t letter(const char *text, size_t i)
{
    return (uint32_t)(uint8_t)text[i];
}

/* ---- hexadecimal ---- */

static char hex_digit(uint32_t value)
{
    return (char)('0' + value + (less(9, value) & ('a' - '0' - 10)));
}

void hk_hex_encode(char *out, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = hex_digit(bytes[i] >> 4);
        out[2 * i + 1] = hex_digit(bytes[i] & 15u);
    }
    out[2 * size] = '\0';
}

static uint32_t hex_value(uint32_t c, uint32_t *bad)
{
    uint32_t is_digit = within(c, '0', '9'), is_lower = within(c, 'a', 'f'), is_upper = within(c, 'A', 'F');
    *bad |= ~(is_digit | is_lower | is_upper);
    return (is_digit & (c - '0')) | (is_lower & (c - 'a' + 10)) | (is_upper & (c - 'A' + 10));
}

enum hk_error hk_hex_decode(uint8_t *out, size_t size, const char *text, size_t length)
{
    uint32_t bad = 0;
    if (length != 2 * size) {
        return HK_BAD_ENCODING;
    }
    for (size_t i = 0; i < size; i++) {
        uint32_t high = hex_value(letter(text, 2 * i), &bad);
        out[i] = (uint8_t)(high << 4 | hex_value(letter(text, 2 * i + 1), &bad));
    }
    HK_PUBLIC(bad);
    if (bad != 0) {
        hk_wipe(out, size);
        return HK_BAD_ENCODING;
    }
    return HK_OK;
}

/* ---- digits of five or six bits: base32, base64 and bech32 differ only in their alphabets ---- */

struct alphabet {
    unsigned bits; /* a digit */
    uint32_t (*digit)(uint32_t value);
    uint32_t (*value)(uint32_t digit, uint32_t *bad);
};

/* 26 letters from `a`, then 2 to 7. */
static uint32_t base32_digit(uint32_t value, uint32_t a)
{
    return (less(value, 26) & (a + value)) | (~less(value, 26) & ('2' + value - 26));
}

static uint32_t base32_value(uint32_t c, uint32_t a, uint32_t *bad)
{
    uint32_t is_letter = within(c, (char)a, (char)(a + 25)), is_digit = within(c, '2', '7');
    *bad |= ~(is_letter | is_digit);
    return (is_letter & (c - a)) | (is_digit & (c - '2' + 26));
}

static uint32_t upper_digit(uint32_t value)
{
    return base32_digit(value, 'A');
}

static uint32_t upper_value(uint32_t c, uint32_t *bad)
{
    return base32_value(c, 'A', bad);
}

static uint32_t lower_digit(uint32_t value)
{
    return base32_digit(value, 'a');
}

static uint32_t lower_value(uint32_t c, uint32_t *bad)
{
    return base32_value(c, 'a', bad);
}

static uint32_t base64_digit(uint32_t value)
{
    uint32_t digit = less(value, 26) & ('A' + value);
    digit |= ~less(value, 26) & less(value, 52) & ('a' + value - 26);
    digit |= ~less(value, 52) & less(value, 62) & ('0' + value - 52);
    digit |= ~less(value, 62) & less(value, 63) & '+';
    return digit | (~less(value, 63) & '/');
}

static uint32_t base64_value(uint32_t c, uint32_t *bad)
{
    uint32_t is_upper = within(c, 'A', 'Z'), is_lower = within(c, 'a', 'z'), is_digit = within(c, '0', '9');
    uint32_t is_plus = within(c, '+', '+'), is_slash = within(c, '/', '/');
    *bad |= ~(is_upper | is_lower | is_digit | is_plus | is_slash);
    return (is_upper & (c - 'A')) | (is_lower & (c - 'a' + 26)) | (is_digit & (c - '0' + 52)) |
           (is_plus & 62) | (is_slash & 63);
}

/* Bech32's alphabet has no order, so all of it is looked at. */
static const char bech32_letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static uint32_t bech32_digit(uint32_t value)
{
    uint32_t digit = 0;
    for (uint32_t i = 0; i < 32; i++) {
        digit |= ~less(i, value) & ~less(value, i) & letter(bech32_letters, i);
    }
    return digit;
}

static uint32_t bech32_value(uint32_t c, uint32_t *bad)
{
    uint32_t value = 0, found = 0;
    for (uint32_t i = 0; i < 32; i++) {
        uint32_t same = within(c, bech32_letters[i], bech32_letters[i]);
        found |= same;
        value |= same & i;
    }
    *bad |= ~found;
    return value;
}

static const struct alphabet base32_upper = {5, upper_digit, upper_value};
static const struct alphabet base32_lower = {5, lower_digit, lower_value};
static const struct alphabet base64 = {6, base64_digit, base64_value};
static const struct alphabet bech32 = {5, bech32_digit, bech32_value};

/* Writes the digits of `size` bytes, the last filled up with zero bits; returns how many. */
static size_t put_digits(char *out, const uint8_t *bytes, size_t size, const struct alphabet *alphabet)
{
    uint32_t held = 0, mask = (1u << alphabet->bits) - 1;
    unsigned bits = 0;
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        held = (held << 8 | bytes[i]) & 0xffff;
        for (bits += 8; bits >= alphabet->bits;) {
            bits -= alphabet->bits;
            out[count++] = (char)alphabet->digit(held >> bits & mask);
        }
    }
    if (bits != 0) {
        out[count++] = (char)alphabet->digit(held << (alphabet->bits - bits) & mask);
    }
    return count;
}

/* Reads `count` digits into whole bytes; *bad is not zero for a foreign digit or left-over bits. `count` must
 * be one that put_digits can give, and `out` have room. */
static void get_digits(uint8_t *out, const char *text, size_t count, const struct alphabet *alphabet,
                       uint32_t *bad)
{
    uint32_t held = 0;
    unsigned bits = 0;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        held = (held << alphabet->bits | alphabet->value(letter(text, i), bad)) & 0xffff;
        bits += alphabet->bits;
        if (bits >= 8) {
            bits -= 8;
            out[size++] = (uint8_t)(held >> bits);
        }
    }
    *bad |= held & ((1u << bits) - 1);
}

static enum hk_error decode(uint8_t *out, size_t max, size_t *size, const char *text, size_t length,
                            const struct alphabet *alphabet, size_t group)
{
    size_t digits = length;
    if (group != 0) { /* padded to whole groups, never with more than a group's end */
        if (length % group != 0) {
            return HK_BAD_ENCODING;
        }
        for (bool padding = true; padding && digits > 0 && length - digits < group; digits -= padding) {
            padding = text[digits - 1] == '=';
            HK_PUBLIC(padding); /* follows from the length */
        }
    }
    size_t bytes = digits * alphabet->bits / 8;
    size_t needed = (bytes * 8 + alphabet->bits - 1) / alphabet->bits;
    bool padding_is_right = group == 0 || (needed + group - 1) / group * group == length;
    if (needed != digits || !padding_is_right) {
        return HK_BAD_ENCODING;
    }
    if (bytes > max) {
        return HK_TOO_LARGE;
    }
    uint32_t bad = 0;
    get_digits(out, text, digits, alphabet, &bad);
    HK_PUBLIC(bad);
    if (bad != 0) {
        hk_wipe(out, bytes);
        return HK_BAD_ENCODING;
    }
    *size = bytes;
    return HK_OK;
}

static void encode(char *out, const void *data, size_t size, const struct alphabet *alphabet, size_t group)
{
    size_t count = put_digits(out, data, size, alphabet);
    while (group != 0 && count % group != 0) {
        out[count++] = '=';
    }
    out[count] = '\0';
}

void hk_base32_encode(char *out, const void *data, size_t size, enum hk_base32 variant)
{
    encode(out, data, size, variant == HK_BASE32_LOWER ? &base32_lower : &base32_upper,
           variant == HK_BASE32_PADDED ? 8 : 0);
}

enum hk_error hk_base32_decode(uint8_t *out, size_t max, size_t *size, const char *text, size_t length,
                               enum hk_base32 variant)
{
    return decode(out, max, size, text, length, variant == HK_BASE32_LOWER ? &base32_lower : &base32_upper,
                  variant == HK_BASE32_PADDED ? 8 : 0);
}

void hk_base64_encode(char *out, const void *data, size_t size, enum hk_base64 variant)
{
    encode(out, data, size, &base64, variant == HK_BASE64_PADDED ? 4 : 0);
}

enum hk_error hk_base64_decode(uint8_t *out, size_t max, size_t *size, const char *text, size_t length,
                               enum hk_base64 variant)
{
    return decode(out, max, size, text, length, &base64, variant == HK_BASE64_PADDED ? 4 : 0);
}

/* ---- bech32 ---- */

#define CHECKSUM_DIGITS 6

static uint32_t polymod(uint32_t state, uint32_t value)
{
    static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
    uint32_t top = state >> 25;
    state = (state & 0x1ffffff) << 5 ^ value;
    for (unsigned i = 0; i < 5; i++) {
        state ^= (0u - (top >> i & 1)) & generator[i];
    }
    return state;
}

static uint32_t fold_case(uint32_t c, bool upper)
{
    return c + ((upper ? within(c, 'A', 'Z') : 0) & ('a' - 'A'));
}

/* Starts the checksum with the prefix. False if the prefix is not one; *upper says which case it is in. */
static bool start_checksum(const char *prefix, uint32_t *state, bool *upper)
{
    size_t length = strlen(prefix);
    uint32_t lowers = 0, uppers = 0;
    for (size_t i = 0; i < length; i++) {
        uint32_t c = letter(prefix, i);
        if (c < 33 || c > 126) {
            return false;
        }
        lowers |= within(c, 'a', 'z');
        uppers |= within(c, 'A', 'Z');
    }
    *upper = uppers != 0;
    *state = 1;
    for (size_t i = 0; i < length; i++) {
        *state = polymod(*state, fold_case(letter(prefix, i), *upper) >> 5);
    }
    *state = polymod(*state, 0);
    for (size_t i = 0; i < length; i++) {
        *state = polymod(*state, fold_case(letter(prefix, i), *upper) & 31);
    }
    return length >= 1 && length <= 83 && (lowers == 0 || uppers == 0);
}

enum hk_error hk_bech32_encode(char *out, const char *prefix, const void *data, size_t size)
{
    uint32_t state, unused = 0;
    bool upper;
    if (!start_checksum(prefix, &state, &upper)) {
        return HK_BAD_ENCODING;
    }
    size_t at = strlen(prefix);
    memcpy(out, prefix, at);
    out[at++] = '1';
    size_t start = at;
    at += put_digits(out + at, data, size, &bech32);
    for (size_t i = start; i < at; i++) {
        state = polymod(state, bech32_value(letter(out, i), &unused));
    }
    for (unsigned i = 0; i < CHECKSUM_DIGITS; i++) {
        state = polymod(state, 0);
    }
    state ^= 1;
    for (unsigned i = 0; i < CHECKSUM_DIGITS; i++) {
        out[at++] = (char)bech32_digit(state >> 5 * (CHECKSUM_DIGITS - 1 - i) & 31);
    }
    for (size_t i = start; upper && i < at; i++) {
        out[i] = (char)(letter(out, i) - (within(letter(out, i), 'a', 'z') & ('a' - 'A')));
    }
    out[at] = '\0';
    return HK_OK;
}

enum hk_error hk_bech32_decode(uint8_t *out, size_t max, size_t *size, const char *prefix, const char *text,
                               size_t length)
{
    uint32_t state, bad = 0, held = 0;
    unsigned bits = 0;
    bool upper;
    size_t start = strlen(prefix) + 1, made = 0;
    if (!start_checksum(prefix, &state, &upper) || length < start + CHECKSUM_DIGITS ||
        memcmp(text, prefix, start - 1) != 0 || text[start - 1] != '1') {
        return HK_BAD_ENCODING;
    }
    size_t digits = length - start - CHECKSUM_DIGITS, bytes = digits * 5 / 8;
    if ((bytes * 8 + 4) / 5 != digits) {
        return HK_BAD_ENCODING;
    }
    if (bytes > max) {
        return HK_TOO_LARGE;
    }
    for (size_t i = 0; i < digits + CHECKSUM_DIGITS; i++) {
        uint32_t c = letter(text, start + i);
        bad |= upper ? within(c, 'a', 'z') : 0;
        uint32_t value = bech32_value(fold_case(c, upper), &bad);
        state = polymod(state, value);
        if (i >= digits) {
            continue;
        }
        held = (held << 5 | value) & 0xffff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            out[made++] = (uint8_t)(held >> bits);
        }
    }
    bad |= (held & ((1u << bits) - 1)) | (state ^ 1);
    HK_PUBLIC(bad);
    if (bad != 0) {
        hk_wipe(out, bytes);
        return HK_BAD_ENCODING;
    }
    *size = bytes;
    return HK_OK;
}

#include "protocol/words.h"

#include <ctype.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/secret.h"

/* A word is c1 v1 c2 v2 check. The check is the sum of the other four letters' numbers mod 16: changing one
 * of them changes it, so that two words never differ in one letter only. */
static const char first[] = "bdfghjklmnprstvz";
static const char vowel[] = "aiou";
static const char middle[] = "bdlmnrsv";
static const char last[] = "bdfgjklmnprstvxz";

void hk_word_spell(char out[HK_WORD_LETTERS], unsigned number)
{
    unsigned c1 = number >> 7 & 15, v1 = number >> 5 & 3, c2 = number >> 2 & 7, v2 = number & 3;
    out[0] = first[c1];
    out[1] = vowel[v1];
    out[2] = middle[c2];
    out[3] = vowel[v2];
    out[4] = last[(c1 + v1 + c2 + v2) & 15];
}

static int place(const char *letters, char c)
{
    const char *at = c == '\0' ? NULL : strchr(letters, tolower((unsigned char)c));
    return at == NULL ? -1 : (int)(at - letters);
}

int hk_word_number(const char *text, size_t length)
{
    if (length != HK_WORD_LETTERS) {
        return -1;
    }
    int c1 = place(first, text[0]), v1 = place(vowel, text[1]), c2 = place(middle, text[2]),
        v2 = place(vowel, text[3]), check = place(last, text[4]);
    if (c1 < 0 || v1 < 0 || c2 < 0 || v2 < 0 || check != ((c1 + v1 + c2 + v2) & 15)) {
        return -1;
    }
    return c1 << 7 | v1 << 5 | c2 << 2 | v2;
}

/* ---- texts of several words ---- */

static void spell_all(char *out, const unsigned *numbers, unsigned count)
{
    for (unsigned i = 0; i < count; i++, out += HK_WORD_LETTERS + 1) {
        hk_word_spell(out, numbers[i]);
        out[HK_WORD_LETTERS] = i + 1 < count ? ' ' : '\0';
    }
}

static bool is_separator(char c)
{
    return c != '\0' && strchr(" \t\r\n,;.-", c) != NULL;
}

/* Reads exactly `count` words; on failure *wrong as the header says. */
static enum hk_error read_all(unsigned *numbers, unsigned count, const char *text, unsigned *wrong)
{
    unsigned seen = 0;
    *wrong = 0;
    for (;;) {
        while (is_separator(*text)) {
            text++;
        }
        if (*text == '\0') {
            return *wrong == 0 && seen == count ? HK_OK : HK_BAD_ENCODING;
        }
        const char *start = text;
        while (*text != '\0' && !is_separator(*text)) {
            text++;
        }
        int number = hk_word_number(start, (size_t)(text - start));
        if (number < 0 && *wrong == 0) {
            *wrong = seen + 1;
        } else if (number >= 0 && seen < count) {
            numbers[seen] = (unsigned)number;
        }
        if (++seen > count) {
            return HK_BAD_ENCODING;
        }
    }
}

/* `count` times eleven bits, the highest first. */
static void split_bits(unsigned *numbers, unsigned count, const uint8_t *bytes)
{
    for (unsigned i = 0; i < count; i++) {
        numbers[i] = 0;
        for (unsigned bit = 11 * i; bit < 11 * (i + 1); bit++) {
            numbers[i] = numbers[i] << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1);
        }
    }
}

void hk_words_fingerprint(char out[HK_FINGERPRINT_TEXT_BYTES], const uint8_t *hash)
{
    unsigned numbers[HK_FINGERPRINT_WORDS];
    split_bits(numbers, HK_FINGERPRINT_WORDS, hash);
    spell_all(out, numbers, HK_FINGERPRINT_WORDS);
}

enum hk_error hk_words_check(const char *text, const uint8_t *hash, unsigned *wrong)
{
    unsigned numbers[HK_FINGERPRINT_WORDS], right[HK_FINGERPRINT_WORDS], unused;
    unsigned *which = wrong == NULL ? &unused : wrong;
    enum hk_error error = read_all(numbers, HK_FINGERPRINT_WORDS, text, which);
    if (error != HK_OK) {
        return error;
    }
    split_bits(right, HK_FINGERPRINT_WORDS, hash);
    for (unsigned i = 0; i < HK_FINGERPRINT_WORDS; i++) {
        if (numbers[i] != right[i]) {
            *which = i + 1;
            return HK_AUTH;
        }
    }
    return HK_OK;
}

static uint8_t checksum(const uint8_t code[HK_CODE_BYTES])
{
    uint8_t hash[HK_NAME_BYTES];
    hk_hash_name(hash, "words/check", 1, &HK_BYTES(code, HK_CODE_BYTES));
    return hash[0] & 0xf0;
}

void hk_words_from_code(char out[HK_CODE_TEXT_BYTES], const uint8_t code[HK_CODE_BYTES])
{
    uint8_t bytes[HK_CODE_BYTES + 1];
    unsigned numbers[HK_CODE_WORDS];
    HK_WIPE_AT_EXIT(bytes);
    HK_WIPE_AT_EXIT(numbers);
    memcpy(bytes, code, HK_CODE_BYTES);
    bytes[HK_CODE_BYTES] = checksum(code);
    split_bits(numbers, HK_CODE_WORDS, bytes);
    spell_all(out, numbers, HK_CODE_WORDS);
}

enum hk_error hk_words_to_code(uint8_t code[HK_CODE_BYTES], const char *text, unsigned *wrong)
{
    unsigned numbers[HK_CODE_WORDS] = {0}, unused;
    uint8_t bytes[HK_CODE_BYTES + 1] = {0};
    HK_WIPE_AT_EXIT(bytes);
    HK_WIPE_AT_EXIT(numbers);
    enum hk_error error = read_all(numbers, HK_CODE_WORDS, text, wrong == NULL ? &unused : wrong);
    if (error != HK_OK) {
        return error;
    }
    for (unsigned bit = 0; bit < 11 * HK_CODE_WORDS; bit++) {
        unsigned value = numbers[bit / 11] >> (10 - bit % 11) & 1;
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] | value << (7 - bit % 8));
    }
    if (bytes[HK_CODE_BYTES] != checksum(bytes)) {
        return HK_AUTH;
    }
    memcpy(code, bytes, HK_CODE_BYTES);
    return HK_OK;
}

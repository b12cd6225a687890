/* Words: what the list promises, fingerprints and codes, and the way people type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "protocol/words.h"

static void any_two_words_differ_in_at_least_two_letters(void **state)
{
    (void)state;
    static char words[HK_WORDS][HK_WORD_LETTERS];
    for (unsigned i = 0; i < HK_WORDS; i++) {
        hk_word_spell(words[i], i);
        for (unsigned other = 0; other < i; other++) {
            unsigned differ = 0;
            for (unsigned at = 0; at < HK_WORD_LETTERS; at++) {
                differ += words[i][at] != words[other][at];
            }
            assert_true(differ >= 2);
        }
    }
}

static void every_word_is_consonant_vowel_consonant_vowel_consonant(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HK_WORDS; i++) {
        char word[HK_WORD_LETTERS];
        hk_word_spell(word, i);
        for (unsigned at = 0; at < HK_WORD_LETTERS; at++) {
            bool is_vowel = memchr("aiou", word[at], 4) != NULL;
            assert_true(word[at] >= 'a' && word[at] <= 'z');
            assert_int_equal(is_vowel, at % 2 == 1);
        }
        assert_int_equal(hk_word_number(word, HK_WORD_LETTERS), (int)i);
    }
}

static void no_single_wrong_letter_makes_another_word(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HK_WORDS; i++) {
        char word[HK_WORD_LETTERS];
        hk_word_spell(word, i);
        for (unsigned at = 0; at < HK_WORD_LETTERS; at++) {
            char right = word[at];
            for (char c = 'a'; c <= 'z'; c++) {
                word[at] = c;
                assert_int_equal(hk_word_number(word, HK_WORD_LETTERS), c == right ? (int)i : -1);
            }
            word[at] = right;
        }
        assert_int_equal(hk_word_number(word, HK_WORD_LETTERS - 1), -1);
    }
}

static void codes_are_read_back(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t code[HK_CODE_BYTES], back[HK_CODE_BYTES];
        char text[HK_CODE_TEXT_BYTES];
        hk_random(code, sizeof(code));
        hk_words_from_code(text, code);
        assert_int_equal(strlen(text), HK_CODE_TEXT_BYTES - 1);
        assert_int_equal(hk_words_to_code(back, text, NULL), HK_OK);
        assert_memory_equal(back, code, sizeof(code));
    }
}

static void case_commas_hyphens_and_spaces_do_not_matter(void **state)
{
    (void)state;
    uint8_t code[HK_CODE_BYTES], back[HK_CODE_BYTES];
    char text[HK_CODE_TEXT_BYTES], typed[512] = "\n  ";
    static const char *const separators[] = {", ",  "   ", "\n", "-",    ",", "\t",
                                             " - ", ";",   ". ", "\r\n", " ", " ,, "};
    hk_random(code, sizeof(code));
    hk_words_from_code(text, code);
    for (unsigned i = 0; i < HK_CODE_WORDS; i++) {
        char word[HK_WORD_LETTERS + 1] = {0};
        memcpy(word, text + 6 * i, HK_WORD_LETTERS);
        for (unsigned at = 0; at < HK_WORD_LETTERS; at++) {
            word[at] = (char)((i + at) % 2 == 0 ? word[at] - 'a' + 'A' : word[at]);
        }
        strcat(typed, word);
        strcat(typed, separators[i]);
    }
    assert_int_equal(hk_words_to_code(back, typed, NULL), HK_OK);
    assert_memory_equal(back, code, sizeof(code));
}

static void the_wrong_word_is_named(void **state)
{
    (void)state;
    uint8_t code[HK_CODE_BYTES], back[HK_CODE_BYTES] = {9};
    char text[HK_CODE_TEXT_BYTES];
    unsigned wrong;
    hk_random(code, sizeof(code));
    hk_words_from_code(text, code);
    for (unsigned i = 0; i < HK_CODE_WORDS; i++) {
        for (unsigned at = 0; at < HK_WORD_LETTERS; at++) {
            char right = text[6 * i + at];
            text[6 * i + at] = right == 'b' ? 'd' : 'b';
            wrong = 99;
            assert_int_equal(hk_words_to_code(back, text, &wrong), HK_BAD_ENCODING);
            assert_int_equal(wrong, i + 1);
            text[6 * i + at] = right;
        }
    }
    assert_int_equal(hk_words_to_code(back, "", &wrong), HK_BAD_ENCODING);
    assert_int_equal(wrong, 0);
    text[6 * 11 - 1] = '\0'; /* eleven words */
    assert_int_equal(hk_words_to_code(back, text, &wrong), HK_BAD_ENCODING);
    assert_int_equal(wrong, 0);
    text[6 * 11 - 1] = ' ';
    char longer[2 * HK_CODE_TEXT_BYTES];
    snprintf(longer, sizeof(longer), "%s %.5s", text, text);
    assert_int_equal(hk_words_to_code(back, longer, &wrong), HK_BAD_ENCODING);
    assert_int_equal(wrong, 0);
    snprintf(longer, sizeof(longer), "%.11s%s", text, text + 12); /* two words run into one */
    assert_int_equal(hk_words_to_code(back, longer, &wrong), HK_BAD_ENCODING);
    assert_int_equal(wrong, 2);
    assert_int_equal(back[0], 9);
}

static void the_checksum_finds_most_other_words(void **state)
{
    (void)state;
    uint8_t code[HK_CODE_BYTES], back[HK_CODE_BYTES];
    unsigned found = 0, tries = 0;
    for (unsigned round = 0; round < 400; round++) {
        char text[HK_CODE_TEXT_BYTES], word[HK_WORD_LETTERS];
        uint8_t number[2];
        hk_random(code, sizeof(code));
        hk_random(number, sizeof(number));
        hk_words_from_code(text, code);
        hk_word_spell(word, number[0] * 8u);
        char *at = text + 6 * (number[1] % HK_CODE_WORDS);
        if (memcmp(at, word, HK_WORD_LETTERS) == 0) {
            continue;
        }
        memcpy(at, word, HK_WORD_LETTERS);
        tries++;
        found += hk_words_to_code(back, text, NULL) == HK_AUTH;
    }
    assert_true(found * 100 > tries * 85); /* 15 of 16 expected */
}

static void fingerprints_are_compared_word_by_word(void **state)
{
    (void)state;
    uint8_t hash[9], other[9];
    char text[HK_FINGERPRINT_TEXT_BYTES];
    unsigned wrong = 99;
    hk_random(hash, sizeof(hash));
    hk_words_fingerprint(text, hash);
    assert_int_equal(strlen(text), HK_FINGERPRINT_TEXT_BYTES - 1);
    assert_int_equal(hk_words_check(text, hash, &wrong), HK_OK);
    for (unsigned bit = 0; bit < 72; bit++) {
        memcpy(other, hash, sizeof(hash));
        other[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
        assert_int_equal(hk_words_check(text, other, &wrong), bit < 66 ? HK_AUTH : HK_OK);
        if (bit < 66) {
            assert_int_equal(wrong, bit / 11 + 1);
        }
    }
    text[1] = 'y';
    assert_int_equal(hk_words_check(text, hash, &wrong), HK_BAD_ENCODING);
    assert_int_equal(wrong, 1);
    text[29] = '\0';
    assert_int_equal(hk_words_check(text + 6, hash, NULL), HK_BAD_ENCODING);
}

static void known_codes_have_known_words(void **state)
{
    (void)state;
    uint8_t zero[HK_CODE_BYTES] = {0}, ones[9];
    char text[HK_CODE_TEXT_BYTES], six[HK_FINGERPRINT_TEXT_BYTES];
    memset(ones, 0xff, sizeof(ones));
    hk_words_from_code(text, zero);
    assert_memory_equal(text, "babab babab babab babab babab babab babab babab babab babab babab ", 66);
    hk_words_fingerprint(six, ones);
    assert_string_equal(six, "zuvut zuvut zuvut zuvut zuvut zuvut");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_two_words_differ_in_at_least_two_letters),
        cmocka_unit_test(every_word_is_consonant_vowel_consonant_vowel_consonant),
        cmocka_unit_test(no_single_wrong_letter_makes_another_word),
        cmocka_unit_test(codes_are_read_back),
        cmocka_unit_test(case_commas_hyphens_and_spaces_do_not_matter),
        cmocka_unit_test(the_wrong_word_is_named),
        cmocka_unit_test(the_checksum_finds_most_other_words),
        cmocka_unit_test(fingerprints_are_compared_word_by_word),
        cmocka_unit_test(known_codes_have_known_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* words.h - hashes and codes as words that people compare, read aloud and write on paper.
 *
 * 2,048 words of five letters, consonant-vowel-consonant-vowel-consonant, made by rule and not from a
 * dictionary: sixteen first consonants (4 bits), four vowels (2), eight middle consonants (3), four vowels
 * (2), and a last consonant that is a check on the other four. Any two words differ in at least two letters,
 * so no single misread letter makes another word. A fingerprint is six words (66 bits) of a hash; a code is
 * twelve (128 bits and a checksum of 4). Reading takes any case, commas, hyphens, line ends and extra spaces,
 * and says which word is wrong. Not constant time: what is shown as words is for eyes. */
#ifndef HALFKEY_PROTOCOL_WORDS_H
#define HALFKEY_PROTOCOL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"

#define HK_WORDS 2048
#define HK_WORD_LETTERS 5
#define HK_FINGERPRINT_WORDS 6
#define HK_FINGERPRINT_TEXT_BYTES 36 /* six words, spaces, final zero */
#define HK_CODE_BYTES 16
#define HK_CODE_WORDS 12
#define HK_CODE_TEXT_BYTES 72

/* The word with this number (0 to 2047): five letters, no final zero. */
void hk_word_spell(char out[HK_WORD_LETTERS], unsigned number);
/* The number of a word of `length` letters, any case; -1 if it is none. */
int hk_word_number(const char *text, size_t length) HK_CHECK;

/* Six words for the first 66 bits of a hash (at least 9 bytes). */
void hk_words_fingerprint(char out[HK_FINGERPRINT_TEXT_BYTES], const uint8_t *hash);

/* HK_OK if `text` is the six words of `hash`. HK_BAD_ENCODING if it is not six words of ours: *wrong is the
 * first that is none (from 1), or 0 if their number is wrong. HK_AUTH if they are six other words: *wrong is
 * the first that differs. `wrong` may be NULL. */
HK_CHECK enum hk_error hk_words_check(const char *text, const uint8_t *hash, unsigned *wrong);

/* Twelve words for a code. */
void hk_words_from_code(char out[HK_CODE_TEXT_BYTES], const uint8_t code[HK_CODE_BYTES]);

/* Reads twelve words. HK_BAD_ENCODING: *wrong is the first that is no word of ours (from 1), 0 if their
 * number is wrong; HK_AUTH: all are words, but the checksum says that one of them is another or that they are
 * in another order. `wrong` may be NULL. */
HK_CHECK enum hk_error hk_words_to_code(uint8_t code[HK_CODE_BYTES], const char *text, unsigned *wrong);

#endif

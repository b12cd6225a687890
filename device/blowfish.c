#include "device/blowfish.h"

#include <gmp.h>
#include <string.h>

#define WORDS (HK_BLOWFISH_ROUNDS + 2 + 4 * 256)
#define GUARD_BITS 64

/* ---- pi ---- */

/* 2^bits * arctan(1/x), less than a thousandth of the guard bits off. */
static void arctan(mpz_t sum, unsigned long x, unsigned long bits)
{
    mpz_t power, term;
    mpz_init(power);
    mpz_init(term);
    mpz_setbit(power, bits);
    mpz_fdiv_q_ui(power, power, x);
    mpz_set(sum, power);
    for (unsigned long n = 3; mpz_sgn(power) != 0; n += 2) {
        mpz_fdiv_q_ui(power, power, x * x);
        mpz_fdiv_q_ui(term, power, n);
        if (n % 4 == 3)
            mpz_sub(sum, sum, term);
        else
            mpz_add(sum, sum, term);
    }
    mpz_clear(power);
    mpz_clear(term);
}

/* Machin: pi = 16 arctan(1/5) - 4 arctan(1/239). */
void hk_blowfish_pi(struct hk_blowfish *out)
{
    const unsigned long bits = 32UL * WORDS;
    uint32_t words[WORDS] = {0};
    size_t count = 0;
    mpz_t pi, other;
    mpz_init(pi);
    mpz_init(other);
    arctan(pi, 5, bits + GUARD_BITS);
    arctan(other, 239, bits + GUARD_BITS);
    mpz_mul_ui(pi, pi, 16);
    mpz_submul_ui(pi, other, 4);
    mpz_fdiv_q_2exp(pi, pi, GUARD_BITS);
    mpz_fdiv_r_2exp(pi, pi, bits); /* without the 3 */
    mpz_export(words, &count, -1, sizeof *words, 0, 0,
               pi); /* the last word first: leading zeros do not matter */
    for (size_t i = 0; i < WORDS; i++) {
        uint32_t word = words[WORDS - 1 - i];
        if (i < HK_BLOWFISH_ROUNDS + 2)
            out->p[i] = word;
        else
            out->s[(i - HK_BLOWFISH_ROUNDS - 2) / 256][(i - HK_BLOWFISH_ROUNDS - 2) % 256] = word;
    }
    mpz_clear(pi);
    mpz_clear(other);
}

/* ---- the cipher ---- */

static uint32_t mix(const struct hk_blowfish *state, uint32_t x)
{
    return ((state->s[0][x >> 24] + state->s[1][x >> 16 & 0xff]) ^ state->s[2][x >> 8 & 0xff]) +
           state->s[3][x & 0xff];
}

void hk_blowfish_encrypt(const struct hk_blowfish *state, uint32_t block[2])
{
    uint32_t left = block[0], right = block[1];
    for (size_t i = 0; i < HK_BLOWFISH_ROUNDS; i += 2) {
        left ^= state->p[i];
        right ^= mix(state, left) ^ state->p[i + 1];
        left ^= mix(state, right);
    }
    block[0] = right ^ state->p[HK_BLOWFISH_ROUNDS + 1];
    block[1] = left ^ state->p[HK_BLOWFISH_ROUNDS];
}

/* The next word of bytes that begin again at their end; zero if there are none. */
static uint32_t next_word(const uint8_t *bytes, size_t size, size_t *at)
{
    uint32_t word = 0;
    for (int i = 0; i < 4 && size != 0; i++) {
        word = word << 8 | bytes[*at];
        *at = *at + 1 == size ? 0 : *at + 1;
    }
    return word;
}

void hk_blowfish_expand(struct hk_blowfish *state, const uint8_t *key, size_t key_size, const uint8_t *salt,
                        size_t salt_size)
{
    uint32_t block[2] = {0, 0};
    size_t at = 0;
    for (size_t i = 0; i < HK_BLOWFISH_ROUNDS + 2; i++)
        state->p[i] ^= next_word(key, key_size, &at);
    at = 0;
    for (size_t i = 0; i < WORDS; i += 2) {
        block[0] ^= next_word(salt, salt_size, &at);
        block[1] ^= next_word(salt, salt_size, &at);
        hk_blowfish_encrypt(state, block);
        uint32_t *to =
            i < HK_BLOWFISH_ROUNDS + 2
                ? &state->p[i]
                : &state->s[(i - HK_BLOWFISH_ROUNDS - 2) / 256][(i - HK_BLOWFISH_ROUNDS - 2) % 256];
        memcpy(to, block, sizeof block);
    }
}

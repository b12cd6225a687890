#include "crypto/prime.h"

#include <assert.h>
#include <string.h>

#include "crypto/random.h"

#define SIEVE_LIMIT 65536 /* small primes are below this; higher saves nothing measurable at these sizes */
#define SPAN 8192         /* candidates of one run */

/* x^((n-1)/2^k): Miller-Rabin over the one loop that every round needs. */
static bool passes(const hk_limb *n, const hk_limb *base, size_t limbs)
{
    hk_limb minus[HK_PRIME_LIMBS_MAX], odd[HK_PRIME_LIMBS_MAX], x[HK_PRIME_LIMBS_MAX],
        one[HK_PRIME_LIMBS_MAX] = {1};
    HK_WIPE_AT_EXIT(minus);
    HK_WIPE_AT_EXIT(odd);
    HK_WIPE_AT_EXIT(x);
    (void)mpn_sub_n(minus, n, one, (mp_size_t)limbs);
    size_t twos = (size_t)mpn_scan1(minus, 0);
    memset(odd, 0, sizeof(odd));
    size_t skip = twos / 64;
    if (twos % 64 != 0) {
        (void)mpn_rshift(odd, minus + skip, (mp_size_t)(limbs - skip), (unsigned)(twos % 64));
    } else {
        memcpy(odd, minus + skip, 8 * (limbs - skip));
    }
    hk_big_pow(x, base, odd, 64 * limbs, n, limbs);
    if (mpn_cmp(x, one, (mp_size_t)limbs) == 0) {
        return true;
    }
    for (size_t i = 0; i < twos; i++) {
        if (mpn_cmp(x, minus, (mp_size_t)limbs) == 0) {
            return true;
        }
        hk_big_mul_mod(x, x, x, n, limbs);
    }
    return false;
}

static bool passes_first(const hk_limb *n, size_t limbs)
{
    hk_limb two[HK_PRIME_LIMBS_MAX] = {2};
    return passes(n, two, limbs);
}

static bool passes_rounds(const hk_limb *n, size_t limbs)
{
    hk_limb base[HK_PRIME_LIMBS_MAX];
    HK_WIPE_AT_EXIT(base);
    for (int i = 0; i < HK_PRIME_ROUNDS; i++) {
        hk_random(base, 8 * limbs);
        hk_big_mod(base, base, limbs, n, limbs);
        if (!passes(n, base, limbs)) {
            return false;
        }
    }
    return true;
}

bool hk_prime_test(const hk_limb *number, size_t limbs)
{
    return passes_first(number, limbs) && passes_rounds(number, limbs);
}

static void strike(uint8_t sieve[SPAN], uint32_t start, uint32_t prime)
{
    for (uint32_t i = start; i < SPAN; i += prime) {
        sieve[i] = 1;
    }
}

/* The first i for which a + i * step is 0 mod prime, a given by its residue. */
static uint32_t first_hit(uint32_t residue, uint32_t step, uint32_t prime)
{
    /* step is 2 or 4: its inverse mod an odd prime is a halving or two. */
    uint64_t i = (prime - residue) % prime;
    for (uint32_t s = step; s > 1; s /= 2) {
        i = i % 2 == 0 ? i / 2 : (i + prime) / 2;
    }
    return (uint32_t)i;
}

/* Marks each i whose base + step * i, or for a safe prime half of that, has a small factor. */
static void fill_sieve(uint8_t sieve[SPAN], const hk_limb *base, size_t limbs, uint32_t step, bool safe)
{
    uint8_t composite[SIEVE_LIMIT / 2];
    memset(composite, 0, sizeof(composite));
    memset(sieve, 0, SPAN);
    for (uint32_t p = 3; p < SIEVE_LIMIT; p += 2) {
        if (composite[p / 2] != 0) {
            continue;
        }
        for (uint32_t q = p; (uint64_t)p * q < SIEVE_LIMIT; q += 2) {
            composite[p * q / 2] = 1;
        }
        uint32_t residue = (uint32_t)mpn_mod_1(base, (mp_size_t)limbs, p);
        strike(sieve, first_hit(residue, step, p), p);
        if (safe) { /* (c - 1) / 2 is 0 mod p where c is 1 */
            strike(sieve, first_hit((residue + p - 1) % p, step, p), p);
        }
    }
}

static bool is_good(const hk_limb *candidate, size_t limbs, bool safe)
{
    hk_limb half[HK_PRIME_LIMBS_MAX];
    HK_WIPE_AT_EXIT(half);
    if (!safe) {
        return passes_first(candidate, limbs) && passes_rounds(candidate, limbs);
    }
    (void)mpn_rshift(half, candidate, (mp_size_t)limbs, 1);
    return passes_first(half, limbs) && passes_first(candidate, limbs) && passes_rounds(half, limbs) &&
           passes_rounds(candidate, limbs);
}

static bool search_run(hk_limb *out, size_t limbs, bool safe)
{
    hk_limb base[HK_PRIME_LIMBS_MAX], candidate[HK_PRIME_LIMBS_MAX];
    uint8_t sieve[SPAN];
    HK_WIPE_AT_EXIT(base);
    HK_WIPE_AT_EXIT(candidate);
    HK_WIPE_AT_EXIT(sieve);
    uint32_t step = safe ? 4 : 2;
    hk_random(base, 8 * limbs);
    base[0] |= safe ? 3 : 1;
    base[limbs - 1] |= UINT64_C(3) << 62;
    fill_sieve(sieve, base, limbs, step, safe);
    for (uint32_t i = 0; i < SPAN; i++) {
        if (sieve[i] != 0) {
            continue;
        }
        if (mpn_add_1(candidate, base, (mp_size_t)limbs, (hk_limb)step * i) != 0) {
            return false;
        }
        if (is_good(candidate, limbs, safe)) {
            memcpy(out, candidate, 8 * limbs);
            return true;
        }
    }
    return false;
}

void hk_prime(hk_limb *out, size_t limbs)
{
    assert(limbs >= 4 && limbs <= HK_PRIME_LIMBS_MAX);
    while (!search_run(out, limbs, false)) {
    }
}

void hk_prime_safe(hk_limb *out, size_t limbs)
{
    assert(limbs >= 4 && limbs <= HK_PRIME_LIMBS_MAX);
    while (!search_run(out, limbs, true)) {
    }
}

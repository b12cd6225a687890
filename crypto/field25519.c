#include "crypto/field25519.h"

#include <string.h>

#include "crypto/secret.h"

__extension__ typedef unsigned __int128 wide;

#define MASK ((UINT64_C(1) << 51) - 1)

/* One pass of carries; from limbs below 2^63 to limbs below 2^51 + 2^17. */
static void carry(struct hk_fe *a)
{
    uint64_t *l = a->limb;
    for (int i = 0; i < 4; i++) {
        l[i + 1] += l[i] >> 51;
        l[i] &= MASK;
    }
    l[0] += 19 * (l[4] >> 51);
    l[4] &= MASK;
}

static uint64_t load64(const uint8_t *in)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | in[i];
    }
    return value;
}

void hk_fe_decode(struct hk_fe *out, const uint8_t in[HK_FE_BYTES])
{
    out->limb[0] = load64(in) & MASK;
    out->limb[1] = load64(in + 6) >> 3 & MASK;
    out->limb[2] = load64(in + 12) >> 6 & MASK;
    out->limb[3] = load64(in + 19) >> 1 & MASK;
    out->limb[4] = load64(in + 24) >> 12 & MASK;
}

void hk_fe_encode(uint8_t out[HK_FE_BYTES], const struct hk_fe *a)
{
    struct hk_fe t = *a;
    HK_WIPE_AT_EXIT(t);
    carry(&t);
    carry(&t);
    /* t is below 2^255 now, give or take a carry that the next lines handle: t >= p exactly if t + 19
     * overflows bit 255, and then t - p = t + 19 - 2^255. */
    uint64_t over = (t.limb[0] + 19) >> 51;
    for (int i = 1; i < 5; i++) {
        over = (t.limb[i] + over) >> 51;
    }
    t.limb[0] += 19 * over;
    for (int i = 0; i < 4; i++) {
        t.limb[i + 1] += t.limb[i] >> 51;
        t.limb[i] &= MASK;
    }
    t.limb[4] &= MASK;
    uint64_t words[4] = {t.limb[0] | t.limb[1] << 51, t.limb[1] >> 13 | t.limb[2] << 38,
                         t.limb[2] >> 26 | t.limb[3] << 25, t.limb[3] >> 39 | t.limb[4] << 12};
    HK_WIPE_AT_EXIT(words);
    for (int i = 0; i < HK_FE_BYTES; i++) {
        out[i] = (uint8_t)(words[i / 8] >> (8 * (i % 8)));
    }
}

void hk_fe_set(struct hk_fe *out, uint32_t value)
{
    *out = (struct hk_fe){{value, 0, 0, 0, 0}};
}

void hk_fe_add(struct hk_fe *out, const struct hk_fe *a, const struct hk_fe *b)
{
    for (int i = 0; i < 5; i++) {
        out->limb[i] = a->limb[i] + b->limb[i];
    }
    carry(out);
}

void hk_fe_sub(struct hk_fe *out, const struct hk_fe *a, const struct hk_fe *b)
{
    /* 4p in front keeps every limb positive. */
    for (int i = 0; i < 5; i++) {
        out->limb[i] = a->limb[i] + 4 * (i == 0 ? MASK - 18 : MASK) - b->limb[i];
    }
    carry(out);
}

static void carry_wide(struct hk_fe *out, wide r[5])
{
    for (int i = 0; i < 4; i++) {
        r[i + 1] += r[i] >> 51;
        out->limb[i] = (uint64_t)r[i] & MASK;
    }
    out->limb[4] = (uint64_t)r[4] & MASK;
    wide low = (r[4] >> 51) * 19 + out->limb[0];
    out->limb[0] = (uint64_t)low & MASK;
    out->limb[1] += (uint64_t)(low >> 51);
}

void hk_fe_mul(struct hk_fe *out, const struct hk_fe *a, const struct hk_fe *b)
{
    const uint64_t *x = a->limb, *y = b->limb;
    uint64_t y1 = 19 * y[1], y2 = 19 * y[2], y3 = 19 * y[3], y4 = 19 * y[4];
    wide r[5];
    r[0] = (wide)x[0] * y[0] + (wide)x[1] * y4 + (wide)x[2] * y3 + (wide)x[3] * y2 + (wide)x[4] * y1;
    r[1] = (wide)x[0] * y[1] + (wide)x[1] * y[0] + (wide)x[2] * y4 + (wide)x[3] * y3 + (wide)x[4] * y2;
    r[2] = (wide)x[0] * y[2] + (wide)x[1] * y[1] + (wide)x[2] * y[0] + (wide)x[3] * y4 + (wide)x[4] * y3;
    r[3] = (wide)x[0] * y[3] + (wide)x[1] * y[2] + (wide)x[2] * y[1] + (wide)x[3] * y[0] + (wide)x[4] * y4;
    r[4] = (wide)x[0] * y[4] + (wide)x[1] * y[3] + (wide)x[2] * y[2] + (wide)x[3] * y[1] + (wide)x[4] * y[0];
    carry_wide(out, r);
}

void hk_fe_square(struct hk_fe *out, const struct hk_fe *a)
{
    const uint64_t *x = a->limb;
    uint64_t d0 = 2 * x[0], d1 = 2 * x[1], n3 = 19 * x[3], n4 = 19 * x[4];
    wide r[5];
    r[0] = (wide)x[0] * x[0] + (wide)d1 * n4 + (wide)(2 * x[2]) * n3;
    r[1] = (wide)d0 * x[1] + (wide)(2 * x[2]) * n4 + (wide)x[3] * n3;
    r[2] = (wide)d0 * x[2] + (wide)x[1] * x[1] + (wide)(2 * x[3]) * n4;
    r[3] = (wide)d0 * x[3] + (wide)d1 * x[2] + (wide)x[4] * n4;
    r[4] = (wide)d0 * x[4] + (wide)d1 * x[3] + (wide)x[2] * x[2];
    carry_wide(out, r);
}

static void square_times(struct hk_fe *out, const struct hk_fe *a, int times)
{
    hk_fe_square(out, a);
    for (int i = 1; i < times; i++) {
        hk_fe_square(out, out);
    }
}

/* z^(2^250 - 1), on the way z^11: the trunk of both exponents below. */
static void power_trunk(struct hk_fe *out, struct hk_fe *z11, const struct hk_fe *z)
{
    struct hk_fe t, u, v;
    hk_fe_square(&t, z);     /* 2 */
    hk_fe_mul(&u, &t, z);    /* 3 */
    square_times(&v, &t, 2); /* 8 */
    hk_fe_mul(z11, &v, &u);  /* 11 */
    hk_fe_square(&u, z11);   /* 22 */
    hk_fe_mul(&v, &v, z);    /* 9 */
    hk_fe_mul(&u, &u, &v);   /* 31 = 2^5 - 1 */
    square_times(&t, &u, 5);
    hk_fe_mul(&u, &t, &u); /* 2^10 - 1 */
    square_times(&t, &u, 10);
    hk_fe_mul(&v, &t, &u); /* 2^20 - 1 */
    square_times(&t, &v, 20);
    hk_fe_mul(&t, &t, &v); /* 2^40 - 1 */
    square_times(&t, &t, 10);
    hk_fe_mul(&u, &t, &u); /* 2^50 - 1 */
    square_times(&t, &u, 50);
    hk_fe_mul(&v, &t, &u); /* 2^100 - 1 */
    square_times(&t, &v, 100);
    hk_fe_mul(&t, &t, &v); /* 2^200 - 1 */
    square_times(&t, &t, 50);
    hk_fe_mul(out, &t, &u); /* 2^250 - 1 */
    hk_wipe(&t, sizeof(t));
    hk_wipe(&u, sizeof(u));
    hk_wipe(&v, sizeof(v));
}

void hk_fe_invert(struct hk_fe *out, const struct hk_fe *a)
{
    struct hk_fe t, z11;
    HK_WIPE_AT_EXIT(t);
    HK_WIPE_AT_EXIT(z11);
    power_trunk(&t, &z11, a);
    square_times(&t, &t, 5);
    hk_fe_mul(out, &t, &z11); /* 2^255 - 21 = p - 2 */
}

bool hk_fe_is_zero(const struct hk_fe *a)
{
    uint8_t bytes[HK_FE_BYTES];
    HK_WIPE_AT_EXIT(bytes);
    hk_fe_encode(bytes, a);
    return hk_is_zero(bytes, sizeof(bytes));
}

bool hk_fe_invert_is_square(struct hk_fe *out, const struct hk_fe *a)
{
    struct hk_fe t, z11, symbol, difference;
    HK_WIPE_AT_EXIT(t);
    HK_WIPE_AT_EXIT(z11);
    HK_WIPE_AT_EXIT(symbol);
    HK_WIPE_AT_EXIT(difference);
    power_trunk(&t, &z11, a);
    square_times(&t, &t, 2);
    hk_fe_mul(&t, &t, a); /* 2^252 - 3 = (p - 5)/8 */
    square_times(&t, &t, 2);
    hk_fe_mul(&t, &t, a);      /* (p - 3)/2 */
    hk_fe_mul(&symbol, &t, a); /* (p - 1)/2: 1, 0 or -1 by Euler */
    hk_fe_mul(out, &t, &symbol);
    hk_fe_set(&difference, 1);
    hk_fe_sub(&difference, &symbol, &difference);
    return ((unsigned)hk_fe_is_zero(&difference) | (unsigned)hk_fe_is_zero(&symbol)) != 0;
}

void hk_fe_choose(struct hk_fe *out, const struct hk_fe *other, unsigned bit)
{
    uint64_t mask = UINT64_C(0) - (bit & 1);
    for (int i = 0; i < 5; i++) {
        out->limb[i] ^= mask & (out->limb[i] ^ other->limb[i]);
    }
}

/* RFC 8032, section 5.1.3: x = a b^3 (a b^7)^((p-5)/8) is a root of a/b or of -a/b; then sqrt(-1) x is. */
void hk_fe_root_of_ratio(struct hk_fe *out, const struct hk_fe *a, const struct hk_fe *b)
{
    static const struct hk_fe root_of_minus_one = {
        {0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d}};
    struct hk_fe b3, base, t, z11, x, other;
    uint8_t bytes[HK_FE_BYTES];
    hk_fe_square(&t, b);
    hk_fe_mul(&b3, &t, b);
    hk_fe_square(&t, &b3);
    hk_fe_mul(&t, &t, b);
    hk_fe_mul(&base, &t, a);
    power_trunk(&t, &z11, &base);
    square_times(&t, &t, 2);
    hk_fe_mul(&t, &t, &base);
    hk_fe_mul(&x, &b3, a);
    hk_fe_mul(&x, &x, &t);
    hk_fe_square(&t, &x);
    hk_fe_mul(&t, &t, b);
    hk_fe_sub(&t, &t, a);
    hk_fe_mul(&other, &x, &root_of_minus_one);
    hk_fe_choose(&x, &other, !hk_fe_is_zero(&t));
    hk_fe_encode(bytes, &x);
    hk_fe_set(&other, 0);
    hk_fe_sub(&other, &other, &x);
    hk_fe_choose(&x, &other, bytes[0] & 1);
    *out = x;
    struct hk_fe *used[] = {&b3, &base, &t, &z11, &x, &other};
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers */
    for (size_t i = 0; i < sizeof(used) / sizeof(*used); i++) {
        hk_wipe(used[i], sizeof(*used[i]));
    }
    hk_wipe(bytes, sizeof(bytes));
}

#include "crypto/edwards_sum.h"

#include "crypto/field25519.h"
#include "crypto/secret.h"

/* d = -121665/121666 and 2d, RFC 8032, section 5.1. */
static const struct hk_fe curve_d = {
    {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
static const struct hk_fe curve_2d = {
    {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};

/* x^2 = (y^2 - 1)/(d y^2 + 1); the sign is the encoding's top bit, turned for a term that is taken away. */
static void decode(struct hk_edwards_partial *out, const struct hk_edwards_term *term)
{
    struct hk_fe numerator, denominator, one, negative;
    HK_WIPE_AT_EXIT(numerator);
    HK_WIPE_AT_EXIT(denominator);
    HK_WIPE_AT_EXIT(negative);
    hk_fe_set(&one, 1);
    hk_fe_decode(&out->y, term->point);
    hk_fe_square(&denominator, &out->y);
    hk_fe_sub(&numerator, &denominator, &one);
    hk_fe_mul(&denominator, &denominator, &curve_d);
    hk_fe_add(&denominator, &denominator, &one);
    hk_fe_root_of_ratio(&out->x, &numerator, &denominator);
    hk_fe_set(&negative, 0);
    hk_fe_sub(&negative, &negative, &out->x);
    hk_fe_choose(&out->x, &negative, (unsigned)(term->point[HK_EDWARDS_BYTES - 1] >> 7) ^ term->minus);
    hk_fe_set(&out->z, 1);
    hk_fe_mul(&out->t, &out->x, &out->y);
}

static void add(struct hk_edwards_partial *sum, const struct hk_edwards_partial *other)
{
    struct hk_fe a, b, c, d, e, f, g, h;
    hk_fe_sub(&a, &sum->y, &sum->x);
    hk_fe_sub(&e, &other->y, &other->x);
    hk_fe_mul(&a, &a, &e);
    hk_fe_add(&b, &sum->y, &sum->x);
    hk_fe_add(&e, &other->y, &other->x);
    hk_fe_mul(&b, &b, &e);
    hk_fe_mul(&c, &sum->t, &other->t);
    hk_fe_mul(&c, &c, &curve_2d);
    hk_fe_mul(&d, &sum->z, &other->z);
    hk_fe_add(&d, &d, &d);
    hk_fe_sub(&e, &b, &a);
    hk_fe_sub(&f, &d, &c);
    hk_fe_add(&g, &d, &c);
    hk_fe_add(&h, &b, &a);
    hk_fe_mul(&sum->x, &e, &f);
    hk_fe_mul(&sum->y, &g, &h);
    hk_fe_mul(&sum->t, &e, &h);
    hk_fe_mul(&sum->z, &f, &g);
    struct hk_fe *used[] = {&a, &b, &c, &d, &e, &f, &g, &h};
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers */
    for (size_t i = 0; i < sizeof(used) / sizeof(*used); i++) {
        hk_wipe(used[i], sizeof(*used[i]));
    }
}

void hk_edwards_sum_begin(struct hk_edwards_partial *sum, const struct hk_edwards_term *terms, size_t count)
{
    struct hk_edwards_partial term;
    HK_WIPE_AT_EXIT(term);
    hk_fe_set(&sum->x, 0);
    hk_fe_set(&sum->y, 1);
    hk_fe_set(&sum->z, 1);
    hk_fe_set(&sum->t, 0);
    for (size_t i = 0; i < count; i++) {
        decode(&term, &terms[i]);
        add(sum, &term);
    }
}

void hk_edwards_sum_u(uint8_t u[HK_EDWARDS_BYTES], const struct hk_edwards_partial *sum,
                      const struct hk_edwards_term *last)
{
    struct hk_edwards_partial all = *sum, term;
    HK_WIPE_AT_EXIT(all);
    HK_WIPE_AT_EXIT(term);
    decode(&term, last);
    add(&all, &term);
    hk_fe_add(&term.x, &all.z, &all.y);
    hk_fe_sub(&term.z, &all.z, &all.y);
    hk_fe_invert(&term.z, &term.z);
    hk_fe_mul(&term.x, &term.x, &term.z);
    hk_fe_encode(u, &term.x);
}

#include "crypto/x25519.h"

#include <string.h>

#include "crypto/field25519.h"

#define MONTGOMERY_A 486662

/* Doubles X/Z on the Montgomery curve, RFC 7748 section 5 without the ladder: whatever curve or twist it is
 * on. */
static void double_u(struct hk_fe *x, struct hk_fe *z)
{
    struct hk_fe xx, zz, xz, t;
    hk_fe_square(&xx, x);
    hk_fe_square(&zz, z);
    hk_fe_mul(&xz, x, z);
    hk_fe_sub(x, &xx, &zz);
    hk_fe_square(x, x);
    hk_fe_set(&t, MONTGOMERY_A);
    hk_fe_mul(&t, &t, &xz);
    hk_fe_add(&t, &t, &xx);
    hk_fe_add(&t, &t, &zz);
    hk_fe_mul(z, &xz, &t);
    hk_fe_set(&t, 4);
    hk_fe_mul(z, z, &t);
}

/* u^3 + A*u^2 + u: a square exactly if there is a point with this u on the curve itself. */
static void curve_equation(struct hk_fe *out, const struct hk_fe *u)
{
    struct hk_fe t, one;
    hk_fe_set(&t, MONTGOMERY_A);
    hk_fe_set(&one, 1);
    hk_fe_add(&t, &t, u);
    hk_fe_mul(&t, &t, u);
    hk_fe_add(&t, &t, &one);
    hk_fe_mul(out, &t, u);
}

enum hk_error hk_x25519_to_point(struct hk_point *out, const uint8_t u[HK_X25519_BYTES])
{
    struct hk_fe x, z, w, numerator, denominator, t;
    hk_fe_decode(&x, u);
    curve_equation(&w, &x);
    /* Three doublings on u alone give [8]E without a square root, and never an exceptional case. */
    hk_fe_set(&z, 1);
    for (int i = 0; i < 3; i++) {
        double_u(&x, &z);
    }
    hk_fe_sub(&numerator, &x, &z);
    hk_fe_add(&denominator, &x, &z); /* zero only for u = -1, which has order 4: not after doubling */
    /* w * denominator^2 is a square exactly if w is, and its inverse gives that of the denominator. */
    hk_fe_mul(&w, &w, &denominator);
    hk_fe_mul(&t, &w, &denominator);
    bool on_curve = hk_fe_invert_is_square(&t, &t);
    if (!on_curve || hk_fe_is_zero(&z)) {
        return HK_BAD_POINT;
    }
    hk_fe_mul(&t, &t, &w);
    hk_fe_mul(&numerator, &numerator, &t);
    memset(out, 0, sizeof(*out));
    hk_fe_encode(out->bytes, &numerator);
    return HK_OK;
}

void hk_x25519_from_point(uint8_t u[HK_X25519_BYTES], const struct hk_point *point)
{
    struct hk_fe y, one, numerator, denominator;
    HK_WIPE_AT_EXIT(y);
    HK_WIPE_AT_EXIT(numerator);
    HK_WIPE_AT_EXIT(denominator);
    hk_fe_decode(&y, point->bytes);
    hk_fe_set(&one, 1);
    hk_fe_add(&numerator, &one, &y);
    hk_fe_sub(&denominator, &one, &y);
    hk_fe_invert(&denominator, &denominator);
    hk_fe_mul(&numerator, &numerator, &denominator);
    hk_fe_encode(u, &numerator);
}

void hk_x25519_scalar(struct hk_scalar *out, const uint8_t key[HK_X25519_BYTES])
{
    uint8_t wide[64] = {0};
    HK_WIPE_AT_EXIT(wide);
    memcpy(wide, key, HK_X25519_BYTES);
    wide[0] &= 0xf8;
    wide[31] = (uint8_t)((wide[31] & 0x7f) | 0x40);
    hk_edwards25519.scalar_reduce(out, wide);
}

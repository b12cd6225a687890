#include "tests/support/toy_group.h"

#include <assert.h>
#include <string.h>

#define N HK_TOY_ORDER
#define P HK_TOY_PRIME

static unsigned power(unsigned base, unsigned exponent)
{
    unsigned result = 1;
    while (exponent-- > 0) {
        result = result * base % P;
    }
    return result;
}

static void put(uint8_t *out, size_t size, unsigned value)
{
    memset(out, 0, size);
    out[0] = (uint8_t)value;
}

static void set(struct hk_scalar *out, unsigned value)
{
    put(out->bytes, sizeof(out->bytes), value % N);
}

static void scalar_reduce(struct hk_scalar *out, const uint8_t wide[64])
{
    unsigned value = 0;
    for (int i = 63; i >= 0; i--) {
        value = (value * 256 + wide[i]) % N;
    }
    set(out, value);
}

static enum hk_error scalar_decode(struct hk_scalar *out, const uint8_t *in)
{
    if (in[0] >= N) {
        return HK_BAD_SCALAR;
    }
    set(out, in[0]);
    return HK_OK;
}

static void scalar_set(struct hk_scalar *out, uint64_t value)
{
    set(out, (unsigned)(value % N));
}

static void scalar_add(struct hk_scalar *out, const struct hk_scalar *a, const struct hk_scalar *b)
{
    set(out, (unsigned)a->bytes[0] + b->bytes[0]);
}

static void scalar_sub(struct hk_scalar *out, const struct hk_scalar *a, const struct hk_scalar *b)
{
    set(out, (unsigned)a->bytes[0] + N - b->bytes[0]);
}

static void scalar_mul(struct hk_scalar *out, const struct hk_scalar *a, const struct hk_scalar *b)
{
    set(out, (unsigned)a->bytes[0] * b->bytes[0]);
}

static void scalar_invert(struct hk_scalar *out, const struct hk_scalar *a)
{
    unsigned value = a->bytes[0], inverse = 1;
    assert(value != 0);
    while (value * inverse % N != 1) {
        inverse++;
    }
    set(out, inverse);
}

static bool scalar_is_zero(const struct hk_scalar *a)
{
    return a->bytes[0] == 0;
}

static enum hk_error point_decode(struct hk_point *out, const uint8_t *in)
{
    if (in[0] <= 1 || in[0] >= P || power(in[0], N) != 1) {
        return HK_BAD_POINT;
    }
    put(out->bytes, sizeof(out->bytes), in[0]);
    return HK_OK;
}

static void point_identity(struct hk_point *out)
{
    put(out->bytes, sizeof(out->bytes), 1);
}

static bool point_is_identity(const struct hk_point *a)
{
    return a->bytes[0] == 1;
}

static void point_add(struct hk_point *out, const struct hk_point *a, const struct hk_point *b)
{
    put(out->bytes, sizeof(out->bytes), (unsigned)a->bytes[0] * b->bytes[0] % P);
}

static void point_sub(struct hk_point *out, const struct hk_point *a, const struct hk_point *b)
{
    put(out->bytes, sizeof(out->bytes), a->bytes[0] * power(b->bytes[0], P - 2) % P);
}

static void base_mul(struct hk_point *out, const struct hk_scalar *k)
{
    put(out->bytes, sizeof(out->bytes), power(HK_TOY_BASE, k->bytes[0]));
}

static void point_mul(struct hk_point *out, const struct hk_scalar *k, const struct hk_point *p)
{
    put(out->bytes, sizeof(out->bytes), power(p->bytes[0], k->bytes[0]));
}

const struct hk_group hk_toy_group = {
    .name = "toy13",
    .scalar_bytes = 1,
    .point_bytes = 1,
    .scalar_reduce = scalar_reduce,
    .scalar_decode = scalar_decode,
    .scalar_set = scalar_set,
    .scalar_add = scalar_add,
    .scalar_sub = scalar_sub,
    .scalar_mul = scalar_mul,
    .scalar_invert = scalar_invert,
    .scalar_is_zero = scalar_is_zero,
    .point_decode = point_decode,
    .point_identity = point_identity,
    .point_is_identity = point_is_identity,
    .point_add = point_add,
    .point_sub = point_sub,
    .base_mul = base_mul,
    .point_mul = point_mul,
};

struct hk_scalar hk_toy_scalar(unsigned value)
{
    struct hk_scalar scalar;
    set(&scalar, value);
    return scalar;
}

struct hk_point hk_toy_point(unsigned value)
{
    struct hk_scalar scalar = hk_toy_scalar(value);
    struct hk_point point;
    base_mul(&point, &scalar);
    return point;
}

unsigned hk_toy_value(const struct hk_scalar *scalar)
{
    return scalar->bytes[0];
}

unsigned hk_toy_log(const struct hk_point *point)
{
    unsigned value = 0;
    while (power(HK_TOY_BASE, value) != point->bytes[0]) {
        value++;
        assert(value < N);
    }
    return value;
}

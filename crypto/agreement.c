#include "crypto/agreement.h"

#include <string.h>

#include "crypto/edwards_sum.h"

#define MASK_MAGIC UINT64_C(0x686b2d6d61736b31)
#define OPEN_MAGIC UINT64_C(0x686b2d6f70656e31)

static const struct hk_group *const group = &hk_edwards25519;

/* 1/8 mod n */
static const struct hk_scalar one_eighth = {{0x79, 0x2f, 0xdc, 0xe2, 0x29, 0xe5, 0x06, 0x61, 0xd0, 0xda, 0x1c,
                                             0x7d, 0xb3, 0x9d, 0xd3, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                             0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06}};

void hk_agree_eighth(struct hk_scalar *out, const struct hk_scalar *half)
{
    group->scalar_mul(out, half, &one_eighth);
}

enum hk_error hk_agree_share(uint8_t *shares, const struct hk_scalar *eighth, const uint8_t *points,
                             size_t count)
{
    if (count == 0 || count > HK_AGREE_BATCH_MAX) {
        return HK_TOO_LARGE;
    }
    uint8_t results[HK_AGREE_BATCH_MAX][HK_AGREE_POINT_BYTES];
    for (size_t i = 0; i < count; i++) {
        struct hk_point result;
        enum hk_error error = hk_point_decode_mul(group, &result, eighth, points + i * HK_AGREE_POINT_BYTES);
        if (error != HK_OK) {
            return error;
        }
        memcpy(results[i], result.bytes, HK_AGREE_POINT_BYTES);
    }
    /* What was computed is public to the device that asked: nothing to wipe. */
    memcpy(shares, results, count * HK_AGREE_POINT_BYTES);
    return HK_OK;
}

/* A point of our own making, kept in its encoded form. */
static void load(struct hk_point *out, const uint8_t in[HK_AGREE_POINT_BYTES])
{
    memset(out, 0, sizeof(*out));
    memcpy(out->bytes, in, HK_AGREE_POINT_BYTES);
}

void hk_agree_mask_make(struct hk_agree_mask *mask, const struct hk_point *service_point)
{
    struct hk_scalar b;
    struct hk_point point;
    HK_WIPE_AT_EXIT(b);
    HK_WIPE_AT_EXIT(point);
    hk_scalar_random(group, &b);
    group->base_mul(&point, &b);
    memcpy(mask->blind, point.bytes, sizeof(mask->blind));
    hk_agree_eighth(&b, &b);
    group->point_mul(&point, &b, service_point);
    memcpy(mask->undo, point.bytes, sizeof(mask->undo));
    mask->magic = MASK_MAGIC;
}

enum hk_error hk_agree_begin(struct hk_agree_open *open, struct hk_agree_mask *mask,
                             const uint8_t u[HK_X25519_BYTES])
{
    struct hk_agree_mask own = {0};
    struct hk_agree_open begun = {.magic = OPEN_MAGIC};
    struct hk_point point, blind;
    HK_WIPE_AT_EXIT(own);
    HK_WIPE_AT_EXIT(begun);
    HK_WIPE_AT_EXIT(blind);
    if (mask != NULL) {
        own = *mask;
        hk_wipe(mask, sizeof(*mask));
        if (own.magic != MASK_MAGIC) {
            return HK_CONFLICT;
        }
    }
    enum hk_error error = hk_x25519_to_point(&point, u);
    if (error != HK_OK) {
        return error;
    }
    memcpy(begun.point, point.bytes, sizeof(begun.point));
    if (mask != NULL) {
        load(&blind, own.blind);
        group->point_add(&point, &point, &blind);
        if (group->point_is_identity(&point)) {
            return HK_BAD_POINT; /* b was -log P: once in 2^252 */
        }
        memcpy(begun.undo, own.undo, sizeof(begun.undo));
        begun.blinded = 1;
    }
    memcpy(begun.sent, point.bytes, sizeof(begun.sent));
    *open = begun;
    return HK_OK;
}

void hk_agree_prepare(struct hk_agree_open *open, const struct hk_scalar *eighth)
{
    struct hk_point own;
    HK_WIPE_AT_EXIT(own);
    if (open->magic == OPEN_MAGIC && !open->has_own) {
        load(&own, open->point);
        group->point_mul(&own, eighth, &own);
        memcpy(open->own, own.bytes, sizeof(open->own));
        open->has_own = 1;
    }
}

enum hk_error hk_agree_finish(uint8_t shared[HK_X25519_BYTES], const struct hk_agree_open *open,
                              const struct hk_scalar *eighth, const uint8_t answer[HK_AGREE_POINT_BYTES])
{
    struct hk_agree_open all = *open;
    struct hk_edwards_term terms[3] = {{.minus = false}, {.minus = false}, {.minus = true}};
    struct hk_point checked;
    uint8_t u[HK_X25519_BYTES];
    HK_WIPE_AT_EXIT(all);
    HK_WIPE_AT_EXIT(terms);
    HK_WIPE_AT_EXIT(u);
    if (open->magic != OPEN_MAGIC) {
        return HK_CONFLICT;
    }
    enum hk_error error = group->point_decode(&checked, answer);
    if (error != HK_OK) {
        return error;
    }
    hk_agree_prepare(&all, eighth);
    memcpy(terms[0].point, all.own, sizeof(terms[0].point));
    memcpy(terms[1].point, checked.bytes, sizeof(terms[1].point));
    memcpy(terms[2].point, all.undo, sizeof(terms[2].point));
    hk_edwards_sum_u(u, terms, all.blinded ? 3 : 2);
    if (hk_is_zero(u, sizeof(u))) {
        return HK_BAD_POINT;
    }
    memcpy(shared, u, sizeof(u));
    return HK_OK;
}

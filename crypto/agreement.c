#include "crypto/agreement.h"

#include <string.h>

#include "crypto/edwards_sum.h"
#include "crypto/group_secp256k1.h"

#define MASK_MAGIC UINT64_C(0x686b2d6d61736b31)
#define OPEN_MAGIC UINT64_C(0x686b2d6f70656e31)

/* 1/8 mod n */
static const struct hk_scalar one_eighth = {{0x79, 0x2f, 0xdc, 0xe2, 0x29, 0xe5, 0x06, 0x61, 0xd0, 0xda, 0x1c,
                                             0x7d, 0xb3, 0x9d, 0xd3, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                             0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06}};

static void begin_u(union hk_agree_sum *sum, const struct hk_point *own, const struct hk_point *undo)
{
    struct hk_edwards_term terms[2] = {{.minus = false}, {.minus = true}};
    HK_WIPE_AT_EXIT(terms);
    memcpy(terms[0].point, own->bytes, sizeof(terms[0].point));
    if (undo != NULL) {
        memcpy(terms[1].point, undo->bytes, sizeof(terms[1].point));
    }
    hk_edwards_sum_begin(&sum->partial, terms, undo != NULL ? 2 : 1);
}

static enum hk_error give_u(uint8_t *shared, const union hk_agree_sum *sum, const struct hk_point *answer)
{
    struct hk_edwards_term last = {.minus = false};
    uint8_t u[HK_X25519_BYTES];
    HK_WIPE_AT_EXIT(u);
    memcpy(last.point, answer->bytes, sizeof(last.point));
    hk_edwards_sum_u(u, &sum->partial, &last);
    if (hk_is_zero(u, sizeof(u))) {
        return HK_BAD_POINT;
    }
    memcpy(shared, u, sizeof(u));
    return HK_OK;
}

static enum hk_error take_compressed(struct hk_point *out, const uint8_t *input)
{
    return hk_secp256k1.point_decode(out, input);
}

static void begin_compressed(union hk_agree_sum *sum, const struct hk_point *own, const struct hk_point *undo)
{
    sum->point = *own;
    if (undo != NULL) {
        hk_secp256k1.point_sub(&sum->point, own, undo);
    }
}

static enum hk_error give_compressed(uint8_t *shared, const union hk_agree_sum *sum,
                                     const struct hk_point *answer)
{
    struct hk_point all;
    HK_WIPE_AT_EXIT(all);
    hk_secp256k1.point_add(&all, &sum->point, answer);
    if (hk_secp256k1.point_is_identity(&all)) {
        return HK_BAD_POINT;
    }
    memcpy(shared, all.bytes, HK_SECP256K1_POINT_BYTES);
    return HK_OK;
}

const struct hk_agreement hk_agree_x25519 = {.group = &hk_edwards25519,
                                             .cofactor = 8,
                                             .input_bytes = HK_X25519_BYTES,
                                             .take = hk_x25519_to_point,
                                             .begin = begin_u,
                                             .give = give_u};

const struct hk_agreement hk_agree_secp256k1 = {.group = &hk_secp256k1,
                                                .cofactor = 1,
                                                .input_bytes = HK_SECP256K1_POINT_BYTES,
                                                .take = take_compressed,
                                                .begin = begin_compressed,
                                                .give = give_compressed};

void hk_agree_part(const struct hk_agreement *agreement, struct hk_scalar *out, const struct hk_scalar *half)
{
    if (agreement->cofactor == 8) {
        agreement->group->scalar_mul(out, half, &one_eighth);
    } else {
        *out = *half;
    }
}

enum hk_error hk_agree_share(const struct hk_agreement *agreement, uint8_t *shares,
                             const struct hk_scalar *part, const uint8_t *points, size_t count)
{
    const struct hk_group *group = agreement->group;
    size_t size = group->point_bytes;
    if (count == 0 || count > HK_AGREE_BATCH_MAX) {
        return HK_TOO_LARGE;
    }
    uint8_t results[HK_AGREE_BATCH_MAX * HK_AGREE_POINT_BYTES_MAX];
    for (size_t i = 0; i < count; i++) {
        struct hk_point result;
        enum hk_error error = hk_point_decode_mul(group, &result, part, points + i * size);
        if (error != HK_OK) {
            return error;
        }
        memcpy(results + i * size, result.bytes, size);
    }
    /* What was computed is public to the device that asked: nothing to wipe. */
    memcpy(shares, results, count * size);
    return HK_OK;
}

void hk_agree_mask_make(const struct hk_agreement *agreement, struct hk_agree_mask *mask,
                        const struct hk_point *service_point)
{
    const struct hk_group *group = agreement->group;
    struct hk_scalar b;
    HK_WIPE_AT_EXIT(b);
    hk_scalar_random(group, &b);
    group->base_mul(&mask->blind, &b);
    hk_agree_part(agreement, &b, &b);
    group->point_mul(&mask->undo, &b, service_point);
    mask->agreement = agreement;
    mask->magic = MASK_MAGIC;
}

enum hk_error hk_agree_begin(const struct hk_agreement *agreement, struct hk_agree_open *open,
                             struct hk_agree_mask *mask, const uint8_t *input)
{
    const struct hk_group *group = agreement->group;
    struct hk_agree_mask own = {0};
    struct hk_agree_open begun = {.magic = OPEN_MAGIC, .agreement = agreement};
    struct hk_point sent;
    HK_WIPE_AT_EXIT(own);
    HK_WIPE_AT_EXIT(begun);
    if (mask != NULL) {
        own = *mask;
        hk_wipe(mask, sizeof(*mask));
        if (own.magic != MASK_MAGIC || own.agreement != agreement) {
            return HK_CONFLICT;
        }
    }
    enum hk_error error = agreement->take(&begun.point, input);
    if (error != HK_OK) {
        return error;
    }
    sent = begun.point;
    if (mask != NULL) {
        group->point_add(&sent, &sent, &own.blind);
        if (group->point_is_identity(&sent)) {
            return HK_BAD_POINT; /* b was -log P: once in 2^252 */
        }
        begun.undo = own.undo;
        begun.blinded = 1;
    }
    memcpy(begun.sent, sent.bytes, group->point_bytes);
    *open = begun;
    return HK_OK;
}

void hk_agree_prepare(struct hk_agree_open *open, const struct hk_scalar *part)
{
    struct hk_point own;
    HK_WIPE_AT_EXIT(own);
    if (open->magic == OPEN_MAGIC && !open->has_sum) {
        open->agreement->group->point_mul(&own, part, &open->point);
        open->agreement->begin(&open->sum, &own, open->blinded ? &open->undo : NULL);
        open->has_sum = 1;
    }
}

enum hk_error hk_agree_finish(uint8_t *shared, const struct hk_agree_open *open, const struct hk_scalar *part,
                              const uint8_t *answer)
{
    struct hk_agree_open all = *open;
    struct hk_point checked;
    HK_WIPE_AT_EXIT(all);
    if (open->magic != OPEN_MAGIC) {
        return HK_CONFLICT;
    }
    enum hk_error error = open->agreement->group->point_decode(&checked, answer);
    if (error != HK_OK) {
        return error;
    }
    hk_agree_prepare(&all, part);
    return open->agreement->give(shared, &all.sum, &checked);
}

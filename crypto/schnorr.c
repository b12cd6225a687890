#include "crypto/schnorr.h"

#include <string.h>

#include "crypto/random.h"

static void challenge(struct hk_scalar *out, const struct hk_group *group, const uint8_t *transcript,
                      enum hk_prover role, const struct hk_point *point, const uint8_t *commitment)
{
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES];
    hk_hash_init(&hash, "schnorr", 4);
    hk_hash_add(&hash, transcript, HK_NAME_BYTES);
    hk_hash_add_u64(&hash, role);
    hk_hash_add(&hash, point->bytes, group->point_bytes);
    hk_hash_add(&hash, commitment, group->point_bytes);
    hk_hash_final(&hash, digest);
    memset(out, 0, sizeof(*out));
    group->scalar_reduce(out, digest);
}

static void draw_nonce(struct hk_scalar *out, const struct hk_group *group, const uint8_t *transcript,
                       enum hk_prover role, const struct hk_point *point, const struct hk_scalar *secret)
{
    struct hk_hash hash;
    uint8_t random[32], digest[HK_HASH_BYTES];
    HK_WIPE_AT_EXIT(random);
    HK_WIPE_AT_EXIT(digest);
    hk_random(random, sizeof(random));
    memset(out, 0, sizeof(*out));
    uint64_t counter = 0;
    do {
        hk_hash_init(&hash, "nonce", 7);
        hk_hash_add(&hash, random, sizeof(random));
        hk_hash_add(&hash, secret->bytes, group->scalar_bytes);
        hk_hash_add(&hash, "schnorr", 7);
        hk_hash_add(&hash, transcript, HK_NAME_BYTES);
        hk_hash_add_u64(&hash, role);
        hk_hash_add(&hash, point->bytes, group->point_bytes);
        hk_hash_add_u64(&hash, counter++);
        hk_hash_final(&hash, digest);
        group->scalar_reduce(out, digest);
    } while (group->scalar_is_zero(out));
}

void hk_schnorr_prove(uint8_t *proof, const struct hk_group *group, const uint8_t transcript[HK_NAME_BYTES],
                      enum hk_prover role, const struct hk_point *point, const struct hk_scalar *secret)
{
    struct hk_scalar nonce, response;
    struct hk_point commitment;
    HK_WIPE_AT_EXIT(nonce);
    HK_WIPE_AT_EXIT(response);
    draw_nonce(&nonce, group, transcript, role, point, secret);
    group->base_mul(&commitment, &nonce);
    memcpy(proof, commitment.bytes, group->point_bytes);
    challenge(&response, group, transcript, role, point, proof);
    group->scalar_mul(&response, &response, secret);
    group->scalar_add(&response, &response, &nonce);
    memcpy(proof + group->point_bytes, response.bytes, group->scalar_bytes);
}

enum hk_error hk_schnorr_verify(const struct hk_group *group, const uint8_t transcript[HK_NAME_BYTES],
                                enum hk_prover role, const struct hk_point *point, const uint8_t *proof)
{
    struct hk_point commitment, left, right;
    struct hk_scalar response, c;
    if (group->point_is_identity(point)) {
        return HK_BAD_POINT;
    }
    if (group->scalar_decode(&response, proof + group->point_bytes) != HK_OK) {
        return group->point_decode(&commitment, proof) != HK_OK ? HK_BAD_POINT : HK_BAD_PROOF;
    }
    challenge(&c, group, transcript, role, point, proof);
    HK_PUBLIC(c); /* also where the transcript is of secrets (refresh): a hash gives nothing of them away */
    group->base_mul(&left, &response);
    group->point_mul(&right, &c, point);
    /* R must be [z]B - [c]P. If it is that point's encoding it is a strict one; decoding it, which costs half
     * a multiplication, is only left to tell two refusals apart. */
    group->point_sub(&commitment, &left, &right);
    if (!group->point_is_identity(&commitment) && memcmp(commitment.bytes, proof, group->point_bytes) == 0) {
        return HK_OK;
    }
    return group->point_decode(&commitment, proof) != HK_OK ? HK_BAD_POINT : HK_BAD_PROOF;
}

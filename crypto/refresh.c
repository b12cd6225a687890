#include "crypto/refresh.h"

#include <string.h>

enum hk_error hk_refresh_ref(uint8_t ref[HK_NAME_BYTES], const uint8_t *account, const uint8_t *serial,
                             uint64_t epoch, const uint8_t tag[HK_TAG_BYTES],
                             const struct hk_refresh_key *keys, size_t count)
{
    struct hk_hash hash;
    uint8_t digest[HK_HASH_BYTES];
    HK_WIPE_AT_EXIT(digest);
    for (size_t i = 1; i < count; i++) {
        if (memcmp(keys[i - 1].id, keys[i].id, sizeof(keys[i].id)) >= 0) {
            return HK_BAD_ENCODING;
        }
    }
    hk_hash_init(&hash, "refresh/ref", (uint32_t)(5 + 2 * count));
    hk_hash_add(&hash, account, 64);
    hk_hash_add(&hash, serial, 16);
    hk_hash_add_u64(&hash, epoch);
    hk_hash_add(&hash, tag, HK_TAG_BYTES);
    hk_hash_add_u64(&hash, count);
    for (size_t i = 0; i < count; i++) {
        hk_hash_add(&hash, keys[i].id, sizeof(keys[i].id));
        hk_hash_add_u64(&hash, keys[i].suite);
    }
    hk_hash_final(&hash, digest);
    memcpy(ref, digest, HK_NAME_BYTES);
    return HK_OK;
}

void hk_refresh_delta(struct hk_scalar *delta, const struct hk_group *group, const struct hk_refresh *refresh,
                      const uint8_t key_id[16])
{
    uint8_t digest[HK_HASH_BYTES];
    HK_WIPE_AT_EXIT(digest);
    hk_hash_list(digest, "refresh", 4,
                 (struct hk_bytes[]){HK_BYTES(refresh->ref, HK_NAME_BYTES),
                                     HK_BYTES(refresh->device_seed.bytes, 32),
                                     HK_BYTES(refresh->service_seed.bytes, 32), HK_BYTES(key_id, 16)});
    memset(delta, 0, sizeof(*delta));
    group->scalar_reduce(delta, digest);
}

static void transcript_of(uint8_t out[HK_NAME_BYTES], const struct hk_refresh *refresh)
{
    hk_hash_name(out, "refresh/2", 4,
                 (struct hk_bytes[]){
                     HK_BYTES(refresh->ref, HK_NAME_BYTES), HK_BYTES(refresh->device_seed.bytes, 32),
                     HK_BYTES(refresh->service_seed.bytes, 32), HK_BYTES(refresh->new_tag, HK_TAG_BYTES)});
}

static void prove(uint8_t *proof, const struct hk_group *group, const struct hk_refresh *refresh,
                  enum hk_prover role, const struct hk_scalar *half)
{
    uint8_t transcript[HK_NAME_BYTES];
    struct hk_point point;
    transcript_of(transcript, refresh);
    group->base_mul(&point, half);
    hk_schnorr_prove(proof, group, transcript, role, &point, half);
}

enum hk_error hk_refresh_service(struct hk_scalar *new_half, uint8_t *proof, const struct hk_group *group,
                                 const struct hk_refresh *refresh, const uint8_t key_id[16],
                                 const struct hk_scalar *half)
{
    struct hk_scalar delta, shifted;
    HK_WIPE_AT_EXIT(delta);
    HK_WIPE_AT_EXIT(shifted);
    hk_refresh_delta(&delta, group, refresh, key_id);
    group->scalar_sub(&shifted, half, &delta);
    if (group->scalar_is_zero(&shifted)) {
        return HK_AGAIN;
    }
    prove(proof, group, refresh, HK_PROVER_SERVICE, &shifted);
    *new_half = shifted;
    return HK_OK;
}

enum hk_error hk_refresh_device(struct hk_scalar *new_half, struct hk_point *new_point,
                                const struct hk_group *group, const struct hk_refresh *refresh,
                                const uint8_t key_id[16], const struct hk_scalar *half,
                                const struct hk_point *service_point, const uint8_t *proof)
{
    struct hk_scalar delta, shifted;
    struct hk_point point;
    uint8_t transcript[HK_NAME_BYTES];
    HK_WIPE_AT_EXIT(delta);
    HK_WIPE_AT_EXIT(shifted);
    hk_refresh_delta(&delta, group, refresh, key_id);
    group->base_mul(&point, &delta);
    group->point_sub(&point, service_point, &point);
    HK_PUBLIC(point); /* S' */
    transcript_of(transcript, refresh);
    enum hk_error error = hk_schnorr_verify(group, transcript, HK_PROVER_SERVICE, &point, proof);
    if (error != HK_OK) {
        return error;
    }
    group->scalar_add(&shifted, half, &delta);
    if (group->scalar_is_zero(&shifted)) {
        return HK_AGAIN;
    }
    *new_half = shifted;
    *new_point = point;
    return HK_OK;
}

void hk_refresh_confirm(uint8_t *proof, const struct hk_group *group, const struct hk_refresh *refresh,
                        const struct hk_scalar *new_half)
{
    prove(proof, group, refresh, HK_PROVER_DEVICE, new_half);
}

enum hk_error hk_refresh_check(const struct hk_group *group, const struct hk_refresh *refresh,
                               const struct hk_point *public_key, const struct hk_scalar *new_half,
                               const uint8_t *proof)
{
    struct hk_point point;
    uint8_t transcript[HK_NAME_BYTES];
    transcript_of(transcript, refresh);
    group->base_mul(&point, new_half);
    group->point_sub(&point, public_key, &point);
    HK_PUBLIC(point); /* D' */
    return hk_schnorr_verify(group, transcript, HK_PROVER_DEVICE, &point, proof);
}

#include "protocol/sid.h"

#include <string.h>

#include "protocol/noise.h"

enum hk_error hk_sid_pop(uint8_t out[HK_NAME_BYTES], const struct hk_secret32 *private_key,
                         const uint8_t *public_key, const uint8_t *handshake_hash)
{
    struct hk_secret32 shared;
    HK_WIPE_AT_EXIT(shared);
    enum hk_error error = hk_noise_dh(&shared, private_key, public_key);
    if (error == HK_OK) {
        hk_hash_name(
            out, "pop", 2,
            (struct hk_bytes[]){HK_BYTES(shared.bytes, 32), HK_BYTES(handshake_hash, HK_HASH_BYTES)});
    }
    return error;
}

static void finish(uint8_t out[HK_NAME_BYTES], struct hk_hash *hash)
{
    uint8_t wide[HK_HASH_BYTES];
    hk_hash_final(hash, wide);
    memcpy(out, wide, HK_NAME_BYTES);
}

void hk_sid_operation(uint8_t out[HK_NAME_BYTES], enum hk_op op, const uint8_t *handshake_hash,
                      const uint8_t *request_id, const uint8_t *account, const uint8_t *serial,
                      const uint8_t *key_id, uint64_t epoch)
{
    struct hk_hash hash;
    hk_hash_init(&hash, "op", 7);
    hk_hash_add_u64(&hash, (uint64_t)op);
    hk_hash_add(&hash, handshake_hash, HK_HASH_BYTES);
    hk_hash_add(&hash, request_id, HK_ID_BYTES);
    hk_hash_add(&hash, account, HK_ACCOUNT_BYTES);
    hk_hash_add(&hash, serial, HK_ID_BYTES);
    hk_hash_add(&hash, key_id, HK_ID_BYTES);
    hk_hash_add_u64(&hash, epoch);
    finish(out, &hash);
}

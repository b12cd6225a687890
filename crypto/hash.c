#include "crypto/hash.h"

#include <assert.h>
#include <string.h>

#include "crypto/secret.h"

#define PREFIX "halfkey/v1/"

static void put_u32(uint8_t out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

void hk_hash_init(struct hk_hash *hash, const char *label, uint32_t count)
{
    size_t prefix = sizeof(PREFIX) - 1, length = strlen(label);
    assert(length <= 200);
    uint8_t total = (uint8_t)(prefix + length), k[4];
    put_u32(k, count);
    crypto_hash_sha512_init(&hash->state);
    crypto_hash_sha512_update(&hash->state, &total, 1);
    crypto_hash_sha512_update(&hash->state, (const uint8_t *)PREFIX, prefix);
    crypto_hash_sha512_update(&hash->state, (const uint8_t *)label, length);
    crypto_hash_sha512_update(&hash->state, k, sizeof(k));
    hash->announced = count;
    hash->given = 0;
}

void hk_hash_add(struct hk_hash *hash, const void *data, size_t size)
{
    uint8_t length[4];
    assert(size <= UINT32_MAX);
    put_u32(length, (uint32_t)size);
    crypto_hash_sha512_update(&hash->state, length, sizeof(length));
    crypto_hash_sha512_update(&hash->state, data, size);
    hash->given++;
}

void hk_hash_add_u64(struct hk_hash *hash, uint64_t value)
{
    uint8_t bytes[8];
    put_u32(bytes, (uint32_t)(value >> 32));
    put_u32(bytes + 4, (uint32_t)value);
    hk_hash_add(hash, bytes, sizeof(bytes));
}

void hk_hash_final(struct hk_hash *hash, uint8_t out[HK_HASH_BYTES])
{
    assert(hash->given == hash->announced);
    crypto_hash_sha512_final(&hash->state, out);
    hk_wipe(hash, sizeof(*hash));
}

void hk_hash_list(uint8_t out[HK_HASH_BYTES], const char *label, uint32_t count, const struct hk_bytes *list)
{
    struct hk_hash hash;
    hk_hash_init(&hash, label, count);
    for (uint32_t i = 0; i < count; i++) {
        hk_hash_add(&hash, list[i].data, list[i].size);
    }
    hk_hash_final(&hash, out);
}

void hk_hash_name(uint8_t out[HK_NAME_BYTES], const char *label, uint32_t count, const struct hk_bytes *list)
{
    uint8_t full[HK_HASH_BYTES];
    HK_WIPE_AT_EXIT(full);
    hk_hash_list(full, label, count, list);
    memcpy(out, full, HK_NAME_BYTES);
}

#include "protocol/hkdf.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "crypto/secret.h"

static void blake2b(uint8_t *out, const struct hk_bytes *list, size_t count)
{
    crypto_generichash_blake2b_state state;
    HK_WIPE_AT_EXIT(state);
    crypto_generichash_blake2b_init(&state, NULL, 0, 64);
    for (size_t i = 0; i < count; i++) {
        crypto_generichash_blake2b_update(&state, list[i].data, list[i].size);
    }
    crypto_generichash_blake2b_final(&state, out, 64);
}

static void sha256(uint8_t *out, const struct hk_bytes *list, size_t count)
{
    crypto_hash_sha256_state state;
    HK_WIPE_AT_EXIT(state);
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < count; i++) {
        crypto_hash_sha256_update(&state, list[i].data, list[i].size);
    }
    crypto_hash_sha256_final(&state, out);
}

static void sha512(uint8_t *out, const struct hk_bytes *list, size_t count)
{
    crypto_hash_sha512_state state;
    HK_WIPE_AT_EXIT(state);
    crypto_hash_sha512_init(&state);
    for (size_t i = 0; i < count; i++) {
        crypto_hash_sha512_update(&state, list[i].data, list[i].size);
    }
    crypto_hash_sha512_final(&state, out);
}

const struct hk_digest hk_digest_blake2b = {"BLAKE2b", 64, 128, blake2b};
const struct hk_digest hk_digest_sha256 = {"SHA256", 32, 64, sha256};
const struct hk_digest hk_digest_sha512 = {"SHA512", 64, 128, sha512};

#define HMAC_SPANS 4

void hk_hmac(uint8_t *out, const struct hk_digest *digest, const void *key, size_t key_size,
             const struct hk_bytes *list, size_t count)
{
    uint8_t pad[HK_DIGEST_BLOCK_MAX] = {0}, inner[HK_DIGEST_BYTES_MAX];
    HK_WIPE_AT_EXIT(pad);
    HK_WIPE_AT_EXIT(inner);
    assert(count <= HMAC_SPANS);
    if (key_size > digest->block) {
        digest->hash(pad, &HK_BYTES(key, key_size), 1);
    } else if (key_size != 0) {
        memcpy(pad, key, key_size);
    }
    for (size_t i = 0; i < digest->block; i++) {
        pad[i] ^= 0x36;
    }
    struct hk_bytes spans[1 + HMAC_SPANS] = {HK_BYTES(pad, digest->block)};
    for (size_t i = 0; i < count; i++) {
        spans[1 + i] = list[i];
    }
    digest->hash(inner, spans, 1 + count);
    for (size_t i = 0; i < digest->block; i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }
    digest->hash(out, (struct hk_bytes[]){HK_BYTES(pad, digest->block), HK_BYTES(inner, digest->bytes)}, 2);
}

void hk_hkdf(uint8_t *out, size_t size, const struct hk_digest *digest, struct hk_bytes salt,
             struct hk_bytes secret, struct hk_bytes info)
{
    uint8_t key[HK_DIGEST_BYTES_MAX], block[HK_DIGEST_BYTES_MAX], number = 0;
    HK_WIPE_AT_EXIT(key);
    HK_WIPE_AT_EXIT(block);
    assert(size <= 255 * digest->bytes);
    hk_hmac(key, digest, salt.data, salt.size, &secret, 1);
    for (size_t done = 0; done < size; done += digest->bytes) {
        struct hk_bytes list[3] = {HK_BYTES(block, number == 0 ? 0 : digest->bytes), info,
                                   HK_BYTES(&number, 1)};
        number++;
        hk_hmac(block, digest, key, digest->bytes, list, 3);
        size_t piece = size - done < digest->bytes ? size - done : digest->bytes;
        memcpy(out + done, block, piece);
    }
}

#include "device/bcrypt_pbkdf.h"

#include <sodium.h>
#include <string.h>

#include "crypto/secret.h"

#define BLOCK 32
#define COST 64

/* 32 bytes of `work->password` and `work->salt`, 64 bytes each, into work->block. */
static void hash(struct hk_bcrypt_work *work)
{
    static const char text[] = "OxychromaticBlowfishSwatDynamite";
    uint32_t words[BLOCK / 4];
    HK_WIPE_AT_EXIT(words);
    work->state = work->pi;
    hk_blowfish_expand(&work->state, work->password, 64, work->salt, 64);
    for (int i = 0; i < COST; i++) {
        hk_blowfish_expand(&work->state, work->salt, 64, NULL, 0);
        hk_blowfish_expand(&work->state, work->password, 64, NULL, 0);
    }
    for (size_t i = 0; i < BLOCK / 4; i++)
        words[i] = (uint32_t)text[4 * i] << 24 | (uint32_t)text[4 * i + 1] << 16 |
                   (uint32_t)text[4 * i + 2] << 8 | (uint32_t)text[4 * i + 3];
    for (int i = 0; i < COST; i++)
        for (size_t k = 0; k < BLOCK / 4; k += 2)
            hk_blowfish_encrypt(&work->state, words + k);
    for (size_t i = 0; i < BLOCK; i++)
        work->block[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4)); /* each word's last byte first */
}

/* Block number `count`, from 1, into work->sum. */
static void derive_block(struct hk_bcrypt_work *work, size_t salt_size, uint32_t count, uint32_t rounds)
{
    for (size_t i = 0; i < 4; i++)
        work->counted[salt_size + i] = (uint8_t)(count >> (24 - 8 * i));
    crypto_hash_sha512(work->salt, work->counted, salt_size + 4);
    hash(work);
    memcpy(work->sum, work->block, BLOCK);
    for (uint32_t round = 1; round < rounds; round++) {
        crypto_hash_sha512(work->salt, work->block, BLOCK);
        hash(work);
        for (size_t i = 0; i < BLOCK; i++)
            work->sum[i] ^= work->block[i];
    }
}

enum hk_error hk_bcrypt_pbkdf(uint8_t *key, size_t key_size, struct hk_bcrypt_work *work,
                              const void *password, size_t password_size, const uint8_t *salt,
                              size_t salt_size, uint32_t rounds)
{
    if (key_size == 0 || key_size > HK_BCRYPT_KEY_MAX || salt_size == 0 || salt_size > HK_BCRYPT_SALT_MAX ||
        rounds == 0 || rounds > HK_BCRYPT_ROUNDS_MAX)
        return HK_BAD_ENCODING;
    size_t blocks = (key_size + BLOCK - 1) / BLOCK, each = (key_size + blocks - 1) / blocks;
    hk_blowfish_pi(&work->pi);
    crypto_hash_sha512(work->password, password, password_size);
    memcpy(work->counted, salt, salt_size);
    /* The blocks' bytes are dealt out in turn, so that no part of the key comes of one block alone. */
    for (size_t block = 0; block < blocks; block++) {
        derive_block(work, salt_size, (uint32_t)block + 1, rounds);
        for (size_t i = 0; i < each && i * blocks + block < key_size; i++)
            key[i * blocks + block] = work->sum[i];
    }
    return HK_OK;
}

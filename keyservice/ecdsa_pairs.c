#include "keyservice/ecdsa_pairs.h"

#include <string.h>

#include "crypto/suite.h"
#include "keyservice/pairs.h"

#define WRAPS 8

struct hk_ecdsa_place hk_ecdsa_place_of(const struct hk_job *job)
{
    return (struct hk_ecdsa_place){HK_BYTES(job->device.account, HK_ACCOUNT_BYTES), job->device.serial,
                                   job->key.id, job->device.epoch};
}

enum hk_error hk_ecdsa_load_half(struct hk_ecdsa_loaded *loaded, struct hk_job *job, struct hk_txn *txn)
{
    struct hk_scalar *half = &loaded->service.half;
    const struct hk_ring_secret *ring;
    enum hk_error error = hk_pair_load(job, txn, 1U << HK_PURPOSE_SIGN, half);
    if (error == HK_OK && job->key.suite != HK_SUITE_SECP256K1_ECDSA) {
        error = HK_WRONG_PURPOSE;
    }
    if (error == HK_OK) {
        error = hk_ecdsa_keys_ring(job->server->ecdsa_keys, txn, &ring);
    }
    if (error == HK_OK) {
        error = hk_secp256k1.point_decode(&loaded->pair.public_key, job->key.public_key);
    }
    if (error != HK_OK) {
        return error;
    }
    hk_secp256k1.base_mul(&loaded->pair.service_point, half);
    loaded->pair.ring = ring->ring;
    loaded->service.ring = ring;
    loaded->service.pair = &loaded->pair;
    loaded->service.paillier = &loaded->paillier;
    return HK_OK;
}

size_t hk_ecdsa_stored(uint8_t out[HK_STORE_ECDSA_MAX], const struct hk_ecdsa_loaded *loaded)
{
    const struct hk_paillier *key = &loaded->paillier.key;
    size_t n = hk_paillier_n_bytes(key);
    for (int i = 0; i < WRAPS; i++) {
        out[i] = (uint8_t)(loaded->service.wraps >> (56 - 8 * i));
    }
    hk_paillier_secret_encode(out + WRAPS, &loaded->paillier);
    hk_ecdsa_cipher_encode(out + WRAPS + 2 * n, key, loaded->pair.cipher);
    return WRAPS + 4 * n;
}

/* From the store's bytes: the service wrote and sealed them itself. */
static enum hk_error read_setup(struct hk_ecdsa_loaded *loaded, const uint8_t *in, size_t size)
{
    size_t n = (size - WRAPS) / 4;
    if (size < WRAPS || hk_paillier_secret_decode(&loaded->paillier, in + WRAPS, 2 * n) != HK_OK ||
        hk_ecdsa_cipher_decode(loaded->pair.cipher, &loaded->paillier.key, in + WRAPS + 2 * n) != HK_OK) {
        return HK_AUTH;
    }
    loaded->service.wraps = 0;
    for (int i = 0; i < WRAPS; i++) {
        loaded->service.wraps = loaded->service.wraps << 8 | in[i];
    }
    loaded->pair.paillier = loaded->paillier.key;
    return HK_OK;
}

enum hk_error hk_ecdsa_stored_fits(const uint8_t *stored, size_t size, const struct hk_scalar *half)
{
    hk_limb expected[HK_PAILLIER_N_LIMBS_MAX] = {0}, found[HK_PAILLIER_N_LIMBS_MAX] = {0};
    HK_WIPE_AT_EXIT(expected);
    HK_WIPE_AT_EXIT(found);
    struct hk_ecdsa_loaded *loaded = hk_secret_new(sizeof(*loaded));
    if (loaded == NULL) {
        return HK_NO_MEMORY;
    }
    enum hk_error error = read_setup(loaded, stored, size);
    if (error == HK_OK) {
        hk_ecdsa_plaintext(expected, &loaded->paillier.key, half, loaded->service.wraps);
        hk_paillier_decrypt(found, &loaded->paillier, loaded->pair.cipher);
        error = hk_equal(expected, found, sizeof(found)) ? HK_OK : HK_AUTH;
    }
    hk_secret_free(loaded);
    return error;
}

enum hk_error hk_ecdsa_load(struct hk_ecdsa_loaded *loaded, struct hk_job *job, struct hk_txn *txn)
{
    uint8_t stored[HK_STORE_ECDSA_MAX];
    HK_WIPE_AT_EXIT(stored);
    size_t size = 0;
    const struct hk_ring_secret *ring;
    enum hk_error error = hk_ecdsa_load_half(loaded, job, txn);
    if (error != HK_OK && hk_ecdsa_keys_ring(job->server->ecdsa_keys, txn, &ring) == error) {
        return HK_CONFLICT; /* no ring, so no set-up either: it was replaced */
    }
    if (error == HK_OK) {
        error = hk_store_get_ecdsa(txn, &job->device, job->key.id, stored, &size);
    }
    if (error == HK_OK) {
        error = read_setup(loaded, stored, size);
    }
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? HK_CONFLICT : error;
    }
    const struct hk_ecdsa_place place = hk_ecdsa_place_of(job);
    hk_ecdsa_pair_name(&loaded->pair, &place);
    bool same = memcmp(loaded->pair.name, hk_job_bytes(job, HK_F_TRANSCRIPT), HK_NAME_BYTES) == 0;
    return same ? HK_OK : HK_CONFLICT;
}

enum hk_error hk_ecdsa_shift(struct hk_job *job, struct hk_txn *txn, const struct hk_refresh *refresh,
                             const uint8_t key[HK_ID_BYTES], const struct hk_scalar *half)
{
    uint8_t stored[HK_STORE_ECDSA_MAX];
    struct hk_scalar delta;
    HK_WIPE_AT_EXIT(stored);
    HK_WIPE_AT_EXIT(delta);
    size_t size = 0;
    enum hk_error error = hk_store_get_ecdsa(txn, &job->device, key, stored, &size);
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? HK_OK : error;
    }
    struct hk_ecdsa_loaded *loaded = hk_secret_new(sizeof(*loaded));
    if (loaded == NULL) {
        return HK_BUSY;
    }
    hk_refresh_delta(&delta, &hk_secp256k1, refresh, key);
    error = read_setup(loaded, stored, size);
    if (error == HK_OK && hk_ecdsa_shift_wraps(&loaded->service.wraps, half, &delta) == HK_OK) {
        hk_ecdsa_shift_cipher(loaded->pair.cipher, &loaded->paillier.key, &delta);
        size = hk_ecdsa_stored(stored, loaded);
        error = hk_store_put_ecdsa(txn, &job->device, job->device.epoch + 1, key, stored, size);
    }
    hk_secret_free(loaded);
    return error;
}

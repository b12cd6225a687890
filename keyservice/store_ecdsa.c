/* What a pair for two-party ECDSA has besides its half. The rows hang on those of the halves, so whatever
 * erases a half (a revocation, an epoch's end, an account's) erases them in the same transaction. */
#include <string.h>

#include "keyservice/seal.h"
#include "keyservice/store_sql.h"

struct place {
    uint8_t epoch[8];
    struct hk_bytes list[4];
};

static void place_of(struct place *place, const struct hk_device *device, const uint8_t *key, uint64_t epoch)
{
    for (int i = 0; i < 8; i++) {
        place->epoch[i] = (uint8_t)(epoch >> (56 - 8 * i));
    }
    place->list[0] = HK_BYTES(device->account, HK_ACCOUNT_BYTES);
    place->list[1] = HK_BYTES(device->serial, HK_ID_BYTES);
    place->list[2] = HK_BYTES(key, HK_ID_BYTES);
    place->list[3] = HK_BYTES(place->epoch, sizeof place->epoch);
}

enum hk_error hk_store_put_ecdsa(struct hk_txn *txn, const struct hk_device *device, uint64_t epoch,
                                 const uint8_t *key, const void *plain, size_t size)
{
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    uint8_t sealed[HK_STORE_ECDSA_MAX + HK_SEAL_OVERHEAD];
    uint64_t number, half;
    if (size > HK_STORE_ECDSA_MAX) {
        return HK_INTERNAL;
    }
    enum hk_error error = hk_store_wrapping_key(txn, device, &wrapping);
    if (error == HK_OK) {
        error = hk_store_device_number(txn, device->serial, &number);
    }
    if (error == HK_OK) {
        error = hk_sql_number(txn, &half,
                              "SELECT h.key FROM halves h JOIN keys k ON k.number = h.key"
                              " WHERE h.device = ? AND h.epoch = ? AND k.id = ?",
                              HK_ARGS(HK_U(number), HK_U(epoch), HK_B(key, HK_ID_BYTES)));
        error = error == HK_NOT_FOUND ? HK_UNKNOWN_KEY : error;
    }
    if (error != HK_OK) {
        return error;
    }
    struct place place;
    place_of(&place, device, key, epoch);
    hk_seal(sealed, plain, size, &wrapping, "store/ecdsa", 4, place.list);
    txn->erased = true; /* a Paillier key may be replaced: it has to leave the journal too */
    return hk_sql_run(txn, "INSERT OR REPLACE INTO ecdsa (device, epoch, key, sealed) VALUES (?, ?, ?, ?)",
                      HK_ARGS(HK_U(number), HK_U(epoch), HK_U(half), HK_B(sealed, size + HK_SEAL_OVERHEAD)));
}

enum hk_error hk_store_get_ecdsa(struct hk_txn *txn, const struct hk_device *device, const uint8_t *key,
                                 uint8_t *plain, size_t *size)
{
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    uint8_t sealed[HK_STORE_ECDSA_MAX + HK_SEAL_OVERHEAD], opened[HK_STORE_ECDSA_MAX];
    HK_WIPE_AT_EXIT(opened);
    size_t found;
    enum hk_error error = hk_store_wrapping_key(txn, device, &wrapping);
    if (error == HK_OK) {
        error = hk_sql_blob(
            txn, sealed, sizeof sealed, &found,
            "SELECT e.sealed FROM ecdsa e JOIN devices d ON d.number = e.device"
            " JOIN keys k ON k.number = e.key"
            " WHERE d.serial = ? AND e.epoch = ? AND k.id = ?",
            HK_ARGS(HK_B(device->serial, HK_ID_BYTES), HK_U(device->epoch), HK_B(key, HK_ID_BYTES)));
    }
    if (error != HK_OK) {
        return error;
    }
    struct place place;
    place_of(&place, device, key, device->epoch);
    error = found > HK_SEAL_OVERHEAD
                ? hk_unseal(opened, sealed, found, &wrapping, "store/ecdsa", 4, place.list)
                : HK_AUTH;
    if (error == HK_OK) {
        *size = found - HK_SEAL_OVERHEAD;
        memcpy(plain, opened, *size);
    }
    return error;
}

enum hk_error hk_store_drop_ecdsa(struct hk_txn *txn, const uint8_t *account)
{
    txn->erased = true;
    return hk_sql_run(txn,
                      "DELETE FROM ecdsa WHERE device IN (SELECT d.number FROM devices d"
                      " JOIN accounts a ON a.number = d.account WHERE a.id = ?)",
                      HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES)));
}

enum hk_error hk_store_get_ring(struct hk_txn *txn, uint8_t *sealed, size_t sealed_max, size_t *sealed_size,
                                uint8_t *proof, size_t proof_max, size_t *proof_size)
{
    enum hk_error error =
        hk_sql_blob(txn, sealed, sealed_max, sealed_size, "SELECT sealed FROM ring", NULL, 0);
    return error == HK_OK ? hk_sql_blob(txn, proof, proof_max, proof_size, "SELECT proof FROM ring", NULL, 0)
                          : error;
}

enum hk_error hk_store_put_ring(struct hk_txn *txn, const void *sealed, size_t sealed_size, const void *proof,
                                size_t proof_size)
{
    return hk_sql_run(txn, "INSERT OR IGNORE INTO ring (number, sealed, proof) VALUES (1, ?, ?)",
                      HK_ARGS(HK_B(sealed, sealed_size), HK_B(proof, proof_size)));
}

enum hk_error hk_store_drop_ring(struct hk_txn *txn)
{
    txn->erased = true;
    enum hk_error error = hk_sql_run(txn, "DELETE FROM ecdsa", NULL, 0);
    return error == HK_OK ? hk_sql_run(txn, "DELETE FROM ring", NULL, 0) : error;
}

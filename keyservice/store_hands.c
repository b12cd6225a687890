/* Hand-overs that wait for their device: both parts of one, until it has come for them. The service's part is
 * sealed as its half is, under the device's wrapping key, and so dies with the device's slot. */
#include <string.h>

#include "crypto/suite.h"
#include "keyservice/seal.h"
#include "keyservice/store_sql.h"

struct place {
    struct hk_bytes list[3];
};

static void place_of(struct place *place, const struct hk_device *device, const uint8_t *transcript)
{
    place->list[0] = HK_BYTES(device->account, HK_ACCOUNT_BYTES);
    place->list[1] = HK_BYTES(device->serial, HK_ID_BYTES);
    place->list[2] = HK_BYTES(transcript, 32);
}

/* A blob of at most `max` bytes, or none; *size 0 then. */
static enum hk_error column(sqlite3_stmt *row, int number, uint8_t *out, size_t max, size_t *size)
{
    size_t found = (size_t)sqlite3_column_bytes(row, number);
    if (found > max) {
        return HK_INTERNAL;
    }
    if (found != 0) {
        memcpy(out, sqlite3_column_blob(row, number), found);
    }
    *size = found;
    return HK_OK;
}

enum hk_error hk_store_get_hand(struct hk_txn *txn, const uint8_t *serial, struct hk_hand *hand)
{
    struct hk_hand found = {.waits = false};
    size_t transcript = 0, done = 0;
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(txn, &row,
                                       "SELECT h.admin, h.deposit, h.transcript, h.done FROM hands h"
                                       " JOIN devices d ON d.number = h.device WHERE d.serial = ?",
                                       HK_ARGS(HK_B(serial, HK_ID_BYTES)));
    if (error != HK_OK) {
        return error;
    }
    error = hk_column_blob(row, 0, found.admin, HK_ID_BYTES);
    if (error == HK_OK) {
        error = column(row, 1, found.deposit, sizeof found.deposit, &found.deposit_size);
    }
    if (error == HK_OK) {
        error = column(row, 2, found.transcript, sizeof found.transcript, &transcript);
    }
    if (error == HK_OK) {
        error = column(row, 3, found.done, sizeof found.done, &done);
    }
    hk_sql_end(row);
    if (error == HK_OK) {
        found.waits = transcript != 0;
        found.has_done = done != 0;
        *hand = found;
    }
    return error;
}

enum hk_error hk_store_put_deposit(struct hk_txn *txn, const uint8_t *serial, const uint8_t *admin,
                                   const uint8_t *deposit, size_t size)
{
    uint64_t number;
    enum hk_error error = hk_store_device_number(txn, serial, &number);
    if (error != HK_OK) {
        return error;
    }
    txn->erased = true; /* what waited for the one before */
    return hk_sql_run(txn,
                      "INSERT INTO hands (device, admin, deposit) VALUES (?, ?, ?) ON CONFLICT (device) DO"
                      " UPDATE SET admin = excluded.admin, deposit = excluded.deposit, transcript = NULL,"
                      " sealed = NULL, bundle = NULL",
                      HK_ARGS(HK_U(number), HK_B(admin, HK_ID_BYTES), HK_B(deposit, size)));
}

enum hk_error hk_store_put_hand(struct hk_txn *txn, const struct hk_device *device, const uint8_t *transcript,
                                const void *plain, size_t size, const void *bundle, size_t bundle_size)
{
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    struct place place;
    uint64_t number;
    if (size > HK_STORE_HAND_MAX || bundle_size > HK_STORE_BUNDLE_MAX) {
        return HK_TOO_LARGE;
    }
    enum hk_error error = hk_store_wrapping_key(txn, device, &wrapping);
    if (error == HK_OK) {
        error = hk_store_device_number(txn, device->serial, &number);
    }
    uint8_t *sealed = error == HK_OK ? hk_secret_new(size + HK_SEAL_OVERHEAD) : NULL;
    if (sealed == NULL) {
        return error == HK_OK ? HK_BUSY : error;
    }
    place_of(&place, device, transcript);
    hk_seal(sealed, plain, size, &wrapping, "store/hand", 3, place.list);
    txn->erased = true;
    error = hk_sql_change(txn,
                          "UPDATE hands SET transcript = ?, sealed = ?, bundle = ? WHERE device = ?"
                          " AND deposit IS NOT NULL",
                          HK_ARGS(HK_B(transcript, 32), HK_B(sealed, size + HK_SEAL_OVERHEAD),
                                  HK_B(bundle, bundle_size), HK_U(number)));
    hk_secret_free(sealed);
    return error;
}

enum hk_error hk_store_read_hand(struct hk_txn *txn, const struct hk_device *device,
                                 const uint8_t *transcript, uint8_t *plain, size_t *size, uint8_t *bundle,
                                 size_t *bundle_size)
{
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    struct place place;
    size_t found = 0;
    sqlite3_stmt *row;
    enum hk_error error = hk_store_wrapping_key(txn, device, &wrapping);
    if (error == HK_OK) {
        error = hk_sql_first(txn, &row,
                             "SELECT h.sealed, h.bundle FROM hands h JOIN devices d ON d.number = h.device"
                             " WHERE d.serial = ? AND h.transcript = ?",
                             HK_ARGS(HK_B(device->serial, HK_ID_BYTES), HK_B(transcript, 32)));
    }
    uint8_t *sealed = error == HK_OK ? hk_secret_new(HK_STORE_HAND_MAX + HK_SEAL_OVERHEAD) : NULL;
    if (error != HK_OK) {
        return error;
    }
    error = sealed == NULL ? HK_BUSY : column(row, 0, sealed, HK_STORE_HAND_MAX + HK_SEAL_OVERHEAD, &found);
    if (error == HK_OK) {
        error = column(row, 1, bundle, HK_STORE_BUNDLE_MAX, bundle_size);
    }
    hk_sql_end(row);
    place_of(&place, device, transcript);
    if (error == HK_OK) {
        error = found > HK_SEAL_OVERHEAD
                    ? hk_unseal(plain, sealed, found, &wrapping, "store/hand", 3, place.list)
                    : HK_AUTH;
    }
    hk_secret_free(sealed);
    if (error == HK_OK) {
        *size = found - HK_SEAL_OVERHEAD;
    }
    return error;
}

enum hk_error hk_store_end_hand(struct hk_txn *txn, const struct hk_device *device,
                                const struct hk_half *halves, size_t count)
{
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    uint64_t number;
    if (device->pending_epoch != 0) {
        return HK_LOCKED;
    }
    enum hk_error error = hk_store_wrapping_key(txn, device, &wrapping);
    if (error == HK_OK) {
        error = hk_store_device_number(txn, device->serial, &number);
    }
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        error = hk_sql_run(txn,
                           "DELETE FROM halves WHERE device = ? AND key IN (SELECT k.number FROM keys k"
                           " JOIN devices d ON d.account = k.account WHERE d.number = ? AND k.id = ?)",
                           HK_ARGS(HK_U(number), HK_U(number), HK_B(halves[i].key, HK_ID_BYTES)));
        if (error == HK_OK) {
            error = hk_store_insert_half(txn, device, number, &wrapping, device->epoch, halves[i].key,
                                         &halves[i].half);
        }
    }
    txn->erased = true;
    return error == HK_OK
               ? hk_sql_change(txn,
                               "UPDATE hands SET done = transcript, deposit = NULL, transcript = NULL,"
                               " sealed = NULL, bundle = NULL WHERE device = ? AND transcript IS NOT NULL",
                               HK_ARGS(HK_U(number)))
               : error;
}

enum hk_error hk_store_drop_hand(struct hk_txn *txn, uint64_t number)
{
    txn->erased = true;
    return hk_sql_run(txn,
                      "UPDATE hands SET deposit = NULL, transcript = NULL, sealed = NULL, bundle = NULL"
                      " WHERE device = ?",
                      HK_ARGS(HK_U(number)));
}

enum hk_error hk_store_missing_keys(struct hk_txn *txn, const struct hk_device *device, uint64_t now,
                                    uint8_t (*ids)[HK_ID_BYTES], size_t *count)
{
    size_t found = 0;
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(
        txn, &row,
        "SELECT k.id FROM devices d JOIN keys k ON k.account = d.account"
        " WHERE d.serial = ? AND (k.purpose <> ? OR EXISTS (SELECT 1 FROM changes c WHERE c.account ="
        " d.account AND c.kind = ? AND c.subject = d.serial AND c.due <= ? AND c.due + ? > ?))"
        " AND NOT EXISTS (SELECT 1 FROM halves h WHERE"
        " h.device = d.number AND h.epoch = d.epoch AND h.key = k.number) ORDER BY k.id LIMIT ?",
        HK_ARGS(HK_B(device->serial, HK_ID_BYTES), HK_U(HK_PURPOSE_ACCOUNT), HK_U(HK_CHANGE_PROMOTE),
                HK_U(now), HK_U(HK_CHANGE_USABLE), HK_U(now), HK_U(HK_KEYS_MAX)));
    if (error == HK_OK) {
        do {
            error = hk_column_blob(row, 0, ids[found++], HK_ID_BYTES);
        } while (error == HK_OK && found < HK_KEYS_MAX && (error = hk_sql_next(row)) == HK_OK);
        hk_sql_end(row);
    }
    if (error != HK_OK && error != HK_NOT_FOUND) {
        return error;
    }
    *count = found;
    return HK_OK;
}

#include "keyservice/store_sql.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/suite.h"
#include "keyservice/seal.h"

/* NOLINTNEXTLINE(misc-redundant-expression): two constants of two headers that must stay equal */
_Static_assert(HK_SEALED_TAG == HK_TAG_BYTES + HK_SEAL_OVERHEAD, "a sealed tag");

/* -- sealing -- */

/* What a sealed half belongs to: it opens for this account, device, key, suite, purpose and epoch, and no
 * other. */
struct place {
    uint8_t numbers[3][8];
    struct hk_bytes list[6];
};

static void put_u64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static void place_of(struct place *place, const uint8_t *account, const uint8_t *serial, const uint8_t *key,
                     uint64_t suite, uint64_t purpose, uint64_t epoch)
{
    put_u64(place->numbers[0], suite);
    put_u64(place->numbers[1], purpose);
    put_u64(place->numbers[2], epoch);
    place->list[0] = HK_BYTES(account, HK_ACCOUNT_BYTES);
    place->list[1] = HK_BYTES(serial, HK_ID_BYTES);
    place->list[2] = HK_BYTES(key, HK_ID_BYTES);
    for (int i = 0; i < 3; i++) {
        place->list[3 + i] = HK_BYTES(place->numbers[i], 8);
    }
}

void hk_store_hash_tag(uint8_t hash[32], const uint8_t *tag)
{
    hk_hash_name(hash, "store/tag", 1, (struct hk_bytes[]){HK_BYTES(tag, HK_TAG_BYTES)});
}

bool hk_store_tag_is(const struct hk_device *device, const uint8_t *tag)
{
    uint8_t hash[32];
    hk_store_hash_tag(hash, tag);
    return hk_equal(hash, device->tag_hash, sizeof hash);
}

void hk_store_seal_tag(uint8_t sealed[HK_SEALED_TAG], const uint8_t *tag, const struct hk_device *device,
                       uint64_t epoch, const struct hk_secret32 *wrapping)
{
    struct place place;
    place_of(&place, device->account, device->serial, device->serial, 0, 0, epoch);
    hk_seal(sealed, tag, HK_TAG_BYTES, wrapping, "store/tag", 6, place.list);
}

enum hk_error hk_store_wrapping_key(struct hk_txn *txn, const struct hk_device *device,
                                    struct hk_secret32 *key)
{
    return device->slot < 0 ? HK_REVOKED
                            : hk_slots_key(txn->store->slots, (uint64_t)device->slot, device->serial, key);
}

enum hk_error hk_store_get_tag(struct hk_txn *txn, const struct hk_device *device, uint8_t *tag)
{
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    uint8_t sealed[HK_SEALED_TAG], found[HK_TAG_BYTES];
    HK_WIPE_AT_EXIT(found);
    size_t size;
    enum hk_error error = hk_store_wrapping_key(txn, device, &wrapping);
    if (error == HK_OK) {
        error =
            hk_sql_blob(txn, sealed, sizeof sealed, &size, "SELECT sealed_tag FROM devices WHERE serial = ?",
                        HK_ARGS(HK_B(device->serial, HK_ID_BYTES)));
    }
    if (error != HK_OK) {
        return error;
    }
    struct place place;
    place_of(&place, device->account, device->serial, device->serial, 0, 0, device->epoch);
    error = size == sizeof sealed ? hk_unseal(found, sealed, size, &wrapping, "store/tag", 6, place.list)
                                  : HK_AUTH;
    if (error == HK_OK) {
        memcpy(tag, found, sizeof found);
    }
    return error;
}

/* -- halves -- */

enum hk_error hk_store_insert_half(struct hk_txn *txn, const struct hk_device *device, uint64_t number,
                                   const struct hk_secret32 *wrapping, uint64_t epoch, const uint8_t *key_id,
                                   const struct hk_scalar *half)
{
    sqlite3_stmt *row;
    enum hk_error error =
        hk_sql_first(txn, &row,
                     "SELECT k.number, k.suite, k.purpose FROM keys k JOIN accounts a"
                     " ON a.number = k.account WHERE k.id = ? AND a.id = ?",
                     HK_ARGS(HK_B(key_id, HK_ID_BYTES), HK_B(device->account, HK_ACCOUNT_BYTES)));
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? HK_UNKNOWN_KEY : error;
    }
    uint64_t key = hk_column_number(row, 0), suite = hk_column_number(row, 1),
             purpose = hk_column_number(row, 2);
    hk_sql_end(row);
    size_t size = hk_suite_scalar_bytes(suite);
    if (size == 0) {
        return HK_UNSUPPORTED;
    }
    struct place place;
    place_of(&place, device->account, device->serial, key_id, suite, purpose, epoch);
    uint8_t sealed[HK_SCALAR_BYTES_MAX + HK_SEAL_OVERHEAD];
    hk_seal(sealed, half->bytes, size, wrapping, "store/half", 6, place.list);
    return hk_sql_run(txn, "INSERT INTO halves (device, epoch, key, sealed) VALUES (?, ?, ?, ?)",
                      HK_ARGS(HK_U(number), HK_U(epoch), HK_U(key), HK_B(sealed, size + HK_SEAL_OVERHEAD)));
}

/* Columns of `row`: sealed, key id, suite, purpose. */
static enum hk_error open_half(sqlite3_stmt *row, const struct hk_device *device, uint64_t epoch,
                               const struct hk_secret32 *wrapping, struct hk_half *out)
{
    const uint8_t *sealed = sqlite3_column_blob(row, 0);
    size_t size = (size_t)sqlite3_column_bytes(row, 0);
    uint64_t suite = hk_column_number(row, 2), purpose = hk_column_number(row, 3);
    enum hk_error error = hk_column_blob(row, 1, out->key, HK_ID_BYTES);
    if (error != HK_OK) {
        return error;
    }
    if (sealed == NULL || hk_suite_scalar_bytes(suite) == 0 ||
        size != hk_suite_scalar_bytes(suite) + HK_SEAL_OVERHEAD) {
        return HK_AUTH;
    }
    struct place place;
    place_of(&place, device->account, device->serial, out->key, suite, purpose, epoch);
    hk_wipe(&out->half, sizeof out->half);
    return hk_unseal(out->half.bytes, sealed, size, wrapping, "store/half", 6, place.list);
}

enum hk_error hk_store_get_half(struct hk_txn *txn, const struct hk_device *device, const struct hk_key *key,
                                struct hk_scalar *half)
{
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    struct hk_half found;
    HK_WIPE_AT_EXIT(found);
    enum hk_error error = hk_store_wrapping_key(txn, device, &wrapping);
    if (error != HK_OK) {
        return error;
    }
    sqlite3_stmt *row;
    error = hk_sql_first(
        txn, &row,
        "SELECT h.sealed, k.id, k.suite, k.purpose FROM devices d"
        " JOIN keys k ON k.account = d.account AND k.id = ?"
        " JOIN halves h ON h.device = d.number AND h.epoch = ? AND h.key = k.number"
        " WHERE d.serial = ?",
        HK_ARGS(HK_B(key->id, HK_ID_BYTES), HK_U(device->epoch), HK_B(device->serial, HK_ID_BYTES)));
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? HK_UNKNOWN_KEY : error;
    }
    error = open_half(row, device, device->epoch, &wrapping, &found);
    hk_sql_end(row);
    if (error == HK_OK) {
        *half = found.half;
    }
    return error;
}

enum hk_error hk_store_get_halves(struct hk_txn *txn, const struct hk_device *device, bool pending,
                                  struct hk_half *halves, size_t max, size_t *count)
{
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    enum hk_error error = hk_store_wrapping_key(txn, device, &wrapping);
    if (error != HK_OK) {
        return error;
    }
    uint64_t epoch = pending ? device->pending_epoch : device->epoch;
    size_t found = 0;
    sqlite3_stmt *row;
    error = hk_sql_first(txn, &row,
                         "SELECT h.sealed, k.id, k.suite, k.purpose FROM devices d"
                         " JOIN halves h ON h.device = d.number AND h.epoch = ?"
                         " JOIN keys k ON k.number = h.key WHERE d.serial = ? ORDER BY k.id LIMIT ?",
                         HK_ARGS(HK_U(epoch), HK_B(device->serial, HK_ID_BYTES), HK_U(max)));
    if (error == HK_OK) {
        do {
            error = open_half(row, device, epoch, &wrapping, &halves[found++]);
        } while (error == HK_OK && found < max && (error = hk_sql_next(row)) == HK_OK);
        hk_sql_end(row);
    }
    if (error != HK_OK && error != HK_NOT_FOUND) {
        hk_wipe(halves, max * sizeof *halves);
        return error;
    }
    *count = found;
    return HK_OK;
}

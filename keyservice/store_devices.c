#include "keyservice/store_sql.h"

#include <string.h>

#define DEVICE_COLUMNS                                                                                       \
    "SELECT d.serial, a.id, d.static_key, d.report_key, d.code_hash, d.enrolment, d.name, d.role, d.state, " \
    "d.created, d.epoch, d.tag_hash, d.pending_epoch, d.last_use, d.uses, d.stale_seen, d.must_refresh, "    \
    "d.slot FROM devices d JOIN accounts a ON a.number = d.account "

static enum hk_error read_device(sqlite3_stmt *row, struct hk_device *device)
{
    struct hk_device found = {.role = hk_column_number(row, 7) != 0 ? HK_ROLE_ADMIN : HK_ROLE_ORDINARY,
                              .state = (enum hk_device_status)hk_column_number(row, 8),
                              .created = hk_column_number(row, 9),
                              .epoch = hk_column_number(row, 10),
                              .pending_epoch = hk_column_number(row, 12),
                              .last_use = hk_column_number(row, 13),
                              .uses = hk_column_number(row, 14),
                              .stale_seen = hk_column_number(row, 15),
                              .must_refresh = hk_column_number(row, 16) != 0,
                              .slot = -1};
    if (sqlite3_column_type(row, 17) != SQLITE_NULL) {
        found.slot = sqlite3_column_int64(row, 17);
    }
    hk_column_text(row, 6, found.name, HK_NAME_MAX);
    const struct {
        int column;
        uint8_t *out;
        size_t size;
    } blobs[] = {
        {0, found.serial, sizeof found.serial},         {1, found.account, sizeof found.account},
        {2, found.static_key, sizeof found.static_key}, {3, found.report_key, sizeof found.report_key},
        {4, found.code_hash, sizeof found.code_hash},   {5, found.enrolment, sizeof found.enrolment},
        {11, found.tag_hash, sizeof found.tag_hash},
    };
    for (size_t i = 0; i < sizeof blobs / sizeof blobs[0]; i++) {
        enum hk_error error = hk_column_blob(row, blobs[i].column, blobs[i].out, blobs[i].size);
        if (error != HK_OK) {
            return error;
        }
    }
    *device = found;
    return HK_OK;
}

static enum hk_error one_device(struct hk_txn *txn, struct hk_device *device, const char *text,
                                const struct hk_arg *args, size_t count)
{
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(txn, &row, text, args, count);
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? HK_UNKNOWN_DEVICE : error;
    }
    error = read_device(row, device);
    hk_sql_end(row);
    return error;
}

enum hk_error hk_store_get_device(struct hk_txn *txn, const uint8_t *serial, struct hk_device *device)
{
    if (hk_store_uses_device(txn, serial, device)) {
        return HK_OK;
    }
    enum hk_error error =
        one_device(txn, device, DEVICE_COLUMNS "WHERE d.serial = ?", HK_ARGS(HK_B(serial, HK_ID_BYTES)));
    return error == HK_OK ? hk_store_uses_keep(txn, device) : error;
}

enum hk_error hk_store_get_device_by_key(struct hk_txn *txn, const uint8_t *static_key,
                                         struct hk_device *device)
{
    return one_device(txn, device, DEVICE_COLUMNS "WHERE d.static_key = ?", HK_ARGS(HK_B(static_key, 32)));
}

enum hk_error hk_store_get_device_by_code(struct hk_txn *txn, const uint8_t *code_hash,
                                          struct hk_device *device)
{
    return one_device(txn, device, DEVICE_COLUMNS "WHERE d.code_hash = ?", HK_ARGS(HK_B(code_hash, 32)));
}

enum hk_error hk_store_get_device_by_enrolment(struct hk_txn *txn, const uint8_t *account,
                                               const uint8_t *transcript, struct hk_device *device)
{
    return one_device(txn, device, DEVICE_COLUMNS "WHERE a.id = ? AND d.enrolment = ?",
                      HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES), HK_B(transcript, 32)));
}

enum hk_error hk_store_list_devices(struct hk_txn *txn, const uint8_t *account, struct hk_device *devices,
                                    size_t max, size_t *count)
{
    sqlite3_stmt *row;
    size_t found = 0;
    enum hk_error error = hk_sql_first(txn, &row, DEVICE_COLUMNS "WHERE a.id = ? ORDER BY d.number LIMIT ?",
                                       HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES), HK_U(max)));
    if (error == HK_OK) {
        do {
            error = read_device(row, &devices[found++]);
        } while (error == HK_OK && found < max && (error = hk_sql_next(row)) == HK_OK);
        hk_sql_end(row);
    }
    if (error != HK_OK && error != HK_NOT_FOUND) {
        return error;
    }
    *count = found;
    return HK_OK;
}

enum hk_error hk_store_device_number(struct hk_txn *txn, const uint8_t *serial, uint64_t *number)
{
    enum hk_error error = hk_sql_number(txn, number, "SELECT number FROM devices WHERE serial = ?",
                                        HK_ARGS(HK_B(serial, HK_ID_BYTES)));
    return error == HK_NOT_FOUND ? HK_UNKNOWN_DEVICE : error;
}

/* -- enrolling -- */

static struct hk_arg blob_or_null(const uint8_t *data, size_t size)
{
    return hk_is_zero(data, size) ? HK_N : HK_B(data, size);
}

static enum hk_error may_insert(struct hk_txn *txn, const struct hk_device *device, uint64_t account)
{
    bool revoked;
    enum hk_error error = hk_store_is_revoked(txn, device->serial, &revoked);
    if (error != HK_OK || revoked) {
        return error != HK_OK ? error : HK_REVOKED;
    }
    uint64_t live, all;
    error = hk_sql_number(txn, &live, "SELECT COUNT(*) FROM devices WHERE account = ? AND slot IS NOT NULL",
                          HK_ARGS(HK_U(account)));
    if (error == HK_OK) {
        error = hk_sql_number(txn, &all, "SELECT COUNT(*) FROM devices WHERE account = ?",
                              HK_ARGS(HK_U(account)));
    }
    if (error == HK_OK && (live >= HK_STORE_DEVICES_MAX || all >= HK_STORE_ROWS_MAX)) {
        error = HK_OVER_QUOTA;
    }
    return error;
}

enum hk_error hk_store_insert_device(struct hk_txn *txn, const struct hk_device *device, const uint8_t *tag,
                                     struct hk_secret32 *wrapping, uint64_t *number)
{
    uint64_t account, slot;
    enum hk_error error = hk_store_account_number(txn, device->account, &account);
    if (error == HK_OK) {
        error = may_insert(txn, device, account);
    }
    if (error == HK_OK) {
        error = hk_slots_allocate(txn->store->slots, device->serial, &slot, wrapping);
        error = error == HK_OK ? hk_slot_list_add(&txn->allocated, slot) : HK_INTERNAL;
    }
    if (error != HK_OK) {
        return error;
    }
    uint8_t sealed[HK_SEALED_TAG], hash[32];
    hk_store_seal_tag(sealed, tag, device, 1, wrapping);
    hk_store_hash_tag(hash, tag);
    error = hk_sql_run(txn,
                       "INSERT INTO devices (serial, account, static_key, report_key, code_hash, enrolment, "
                       "name, role, state,"
                       " created, epoch, tag_hash, sealed_tag, must_refresh, slot)"
                       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, 1, ?, ?, ?, ?)",
                       HK_ARGS(HK_B(device->serial, HK_ID_BYTES), HK_U(account), HK_B(device->static_key, 32),
                               HK_B(device->report_key, 32), blob_or_null(device->code_hash, 32),
                               blob_or_null(device->enrolment, 32), HK_T(device->name), HK_U(device->role),
                               HK_U(device->created), HK_B(hash, 32), HK_B(sealed, sizeof sealed),
                               HK_U(device->must_refresh), HK_U(slot)));
    if (error == HK_OK) {
        *number = (uint64_t)sqlite3_last_insert_rowid(txn->connection.db);
    }
    return error;
}

enum hk_error hk_store_add_device(struct hk_txn *txn, const struct hk_device *device, const uint8_t *tag,
                                  const struct hk_half *halves, size_t count)
{
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    uint64_t number;
    enum hk_error error = hk_store_insert_device(txn, device, tag, &wrapping, &number);
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        error = hk_store_insert_half(txn, device, number, &wrapping, 1, halves[i].key, &halves[i].half);
    }
    return error;
}

/* -- one thing each -- */

static enum hk_error change_device(struct hk_txn *txn, const char *text, const struct hk_arg *args,
                                   size_t count)
{
    enum hk_error error = hk_sql_change(txn, text, args, count);
    txn->changed_devices = true;
    return error == HK_NOT_FOUND ? HK_UNKNOWN_DEVICE : error;
}

enum hk_error hk_store_count_use(struct hk_txn *txn, const uint8_t *serial, uint64_t uses, uint64_t now)
{
    /* The one change that pairs in memory live through: nothing is decided by it. */
    if (hk_store_uses_count(txn, serial, uses, now)) {
        return HK_OK;
    }
    enum hk_error error =
        hk_sql_change(txn, "UPDATE devices SET uses = uses + ?, last_use = ? WHERE serial = ?",
                      HK_ARGS(HK_U(uses), HK_U(now), HK_B(serial, HK_ID_BYTES)));
    return error == HK_NOT_FOUND ? HK_UNKNOWN_DEVICE : error;
}

enum hk_error hk_store_set_must_refresh(struct hk_txn *txn, const uint8_t *serial, bool must)
{
    return change_device(txn, "UPDATE devices SET must_refresh = ? WHERE serial = ?",
                         HK_ARGS(HK_U(must), HK_B(serial, HK_ID_BYTES)));
}

enum hk_error hk_store_set_stale_seen(struct hk_txn *txn, const uint8_t *serial, uint64_t now)
{
    return change_device(txn, "UPDATE devices SET stale_seen = ? WHERE serial = ?",
                         HK_ARGS(HK_U(now), HK_B(serial, HK_ID_BYTES)));
}

enum hk_error hk_store_set_name(struct hk_txn *txn, const uint8_t *serial, const char *name)
{
    return change_device(txn, "UPDATE devices SET name = ? WHERE serial = ?",
                         HK_ARGS(HK_T(name), HK_B(serial, HK_ID_BYTES)));
}

enum hk_error hk_store_set_code_hash(struct hk_txn *txn, const uint8_t *serial, const uint8_t *hash)
{
    return change_device(txn, "UPDATE devices SET code_hash = ? WHERE serial = ?",
                         HK_ARGS(HK_B(hash, 32), HK_B(serial, HK_ID_BYTES)));
}

enum hk_error hk_store_set_suspended(struct hk_txn *txn, const uint8_t *serial, bool suspended)
{
    struct hk_device device;
    enum hk_error error = hk_store_get_device(txn, serial, &device);
    if (error == HK_OK && device.state == HK_STATUS_REVOKED) {
        error = HK_REVOKED;
    }
    return error != HK_OK ? error
                          : change_device(txn, "UPDATE devices SET state = ? WHERE serial = ?",
                                          HK_ARGS(HK_U(suspended ? HK_STATUS_SUSPENDED : HK_STATUS_ACTIVE),
                                                  HK_B(serial, HK_ID_BYTES)));
}

enum hk_error hk_store_set_role(struct hk_txn *txn, const uint8_t *serial, enum hk_role role)
{
    return change_device(txn, "UPDATE devices SET role = ? WHERE serial = ?",
                         HK_ARGS(HK_U(role), HK_B(serial, HK_ID_BYTES)));
}

/* -- revocation -- */

enum hk_error hk_store_erase_device(struct hk_txn *txn, uint64_t number, int64_t slot)
{
    enum hk_error error = hk_sql_run(txn, "DELETE FROM halves WHERE device = ?", HK_ARGS(HK_U(number)));
    if (error == HK_OK) {
        error = hk_sql_run(txn, "DELETE FROM pending WHERE device = ?", HK_ARGS(HK_U(number)));
    }
    if (error == HK_OK) {
        error = hk_sql_run(txn, "DELETE FROM hands WHERE device = ?", HK_ARGS(HK_U(number)));
    }
    if (error == HK_OK) {
        error = hk_sql_run(txn,
                           "UPDATE devices SET state = 3, slot = NULL, sealed_tag = NULL, tag_hash = NULL,"
                           " pending_epoch = 0, must_refresh = 0 WHERE number = ?",
                           HK_ARGS(HK_U(number)));
    }
    if (error == HK_OK && slot >= 0) {
        error = hk_slot_list_add(&txn->condemned, (uint64_t)slot);
    }
    txn->erased = true;
    return error;
}

enum hk_error hk_store_revoke_device(struct hk_txn *txn, const uint8_t *account, const uint8_t *serial,
                                     const void *certificate, size_t size, uint64_t now)
{
    struct hk_device device;
    enum hk_error error = hk_store_get_device(txn, serial, &device);
    if (error == HK_OK && memcmp(device.account, account, HK_ACCOUNT_BYTES) != 0) {
        return HK_UNKNOWN_DEVICE;
    }
    if (error == HK_OK && device.state != HK_STATUS_REVOKED) {
        uint64_t number;
        error = hk_store_device_number(txn, serial, &number);
        if (error == HK_OK) {
            error = hk_store_erase_device(txn, number, device.slot);
        }
        if (error == HK_OK) { /* full refresh of all that is left: docs/ecdsa.md */
            error = hk_store_drop_ecdsa(txn, account);
        }
        if (error == HK_OK) { /* what it handed over and nobody has come for */
            error = hk_sql_run(txn, "DELETE FROM hands WHERE admin = ?", HK_ARGS(HK_B(serial, HK_ID_BYTES)));
        }
    }
    if (error != HK_OK && error != HK_UNKNOWN_DEVICE) {
        return error;
    }
    error = hk_sql_run(txn, "DELETE FROM changes WHERE asker = ? OR subject = ?",
                       HK_ARGS(HK_B(serial, HK_ID_BYTES), HK_B(serial, HK_ID_BYTES)));
    if (error != HK_OK) {
        return error;
    }
    return hk_sql_run(
        txn, "INSERT OR IGNORE INTO revocations (serial, account, time, certificate) VALUES (?, ?, ?, ?)",
        HK_ARGS(HK_B(serial, HK_ID_BYTES), HK_B(account, HK_ACCOUNT_BYTES), HK_U(now),
                size == 0 ? HK_N : HK_B(certificate, size)));
}

enum hk_error hk_store_lose_device(struct hk_txn *txn, uint64_t slot, uint64_t now)
{
    struct hk_device device;
    enum hk_error error = one_device(txn, &device, DEVICE_COLUMNS "WHERE d.slot = ?", HK_ARGS(HK_U(slot)));
    return error != HK_OK ? error : hk_store_revoke_device(txn, device.account, device.serial, NULL, 0, now);
}

enum hk_error hk_store_is_revoked(struct hk_txn *txn, const uint8_t *serial, bool *revoked)
{
    uint64_t count;
    enum hk_error error = hk_sql_number(txn, &count, "SELECT COUNT(*) FROM revocations WHERE serial = ?",
                                        HK_ARGS(HK_B(serial, HK_ID_BYTES)));
    if (error == HK_OK) {
        *revoked = count != 0;
    }
    return error;
}

#include "keyservice/store_sql.h"

#include <string.h>

#include "crypto/suite.h"

/* -- accounts -- */

enum hk_error hk_store_account_number(struct hk_txn *txn, const uint8_t *id, uint64_t *number)
{
    return hk_sql_number(txn, number, "SELECT number FROM accounts WHERE id = ?",
                         HK_ARGS(HK_B(id, HK_ACCOUNT_BYTES)));
}

enum hk_error hk_store_get_account(struct hk_txn *txn, const uint8_t *id, struct hk_account *account)
{
    sqlite3_stmt *row;
    enum hk_error error =
        hk_sql_first(txn, &row, "SELECT created, profile_version, profile_hash FROM accounts WHERE id = ?",
                     HK_ARGS(HK_B(id, HK_ACCOUNT_BYTES)));
    if (error != HK_OK) {
        return error;
    }
    struct hk_account found = {.created = hk_column_number(row, 0),
                               .profile_version = hk_column_number(row, 1)};
    memcpy(found.id, id, HK_ACCOUNT_BYTES);
    error = hk_column_blob(row, 2, found.profile_hash, sizeof found.profile_hash);
    hk_sql_end(row);
    if (error == HK_OK) {
        *account = found;
    }
    return error;
}

static enum hk_error insert_account(struct hk_txn *txn, const struct hk_account *account)
{
    enum hk_error error = hk_sql_run(txn, "INSERT INTO accounts (id, created) VALUES (?, ?)",
                                     HK_ARGS(HK_B(account->id, HK_ACCOUNT_BYTES), HK_U(account->created)));
    if (error != HK_OK) {
        return error;
    }
    struct hk_log_row log = {.account = (uint64_t)sqlite3_last_insert_rowid(txn->connection.db)};
    error = hk_store_log_generation(txn, &log.generation);
    if (error != HK_OK) {
        return error;
    }
    hk_frontier_init(&log.frontier);
    return hk_store_log_put(txn, &log);
}

enum hk_error hk_store_put_account(struct hk_txn *txn, const struct hk_account *account,
                                   const struct hk_device *device, const uint8_t *tag,
                                   const struct hk_key *key, const struct hk_scalar *half)
{
    if (memcmp(device->account, account->id, HK_ACCOUNT_BYTES) != 0 ||
        memcmp(key->account, account->id, HK_ACCOUNT_BYTES) != 0) {
        return HK_INTERNAL;
    }
    enum hk_error error = insert_account(txn, account);
    if (error != HK_OK) {
        return error;
    }
    bool known;
    error = hk_store_insert_key(txn, key, &known);
    if (error != HK_OK) {
        return error;
    }
    struct hk_half first;
    HK_WIPE_AT_EXIT(first);
    memcpy(first.key, key->id, HK_ID_BYTES);
    first.half = *half;
    return hk_store_add_device(txn, device, tag, &first, 1);
}

enum hk_error hk_store_expired_accounts(struct hk_txn *txn, uint64_t before, uint8_t *ids, size_t max,
                                        size_t *count)
{
    sqlite3_stmt *row;
    size_t found = 0;
    enum hk_error error = hk_sql_first(
        txn, &row,
        "SELECT id FROM accounts WHERE profile_version = 0 AND created < ? ORDER BY created LIMIT ?",
        HK_ARGS(HK_U(before), HK_U(max)));
    if (error == HK_OK) {
        do {
            error = hk_column_blob(row, 0, ids + found++ * HK_ACCOUNT_BYTES, HK_ACCOUNT_BYTES);
        } while (error == HK_OK && found < max && (error = hk_sql_next(row)) == HK_OK);
        hk_sql_end(row);
    }
    if (error != HK_OK && error != HK_NOT_FOUND) {
        return error;
    }
    *count = found;
    return HK_OK;
}

enum hk_error hk_store_delete_account(struct hk_txn *txn, const uint8_t *id)
{
    uint64_t number;
    enum hk_error error = hk_store_account_number(txn, id, &number);
    if (error != HK_OK) {
        return error;
    }
    sqlite3_stmt *row;
    error = hk_sql_first(txn, &row, "SELECT slot FROM devices WHERE account = ? AND slot IS NOT NULL",
                         HK_ARGS(HK_U(number)));
    if (error == HK_OK) {
        do {
            error = hk_slot_list_add(&txn->condemned, hk_column_number(row, 0));
        } while (error == HK_OK && (error = hk_sql_next(row)) == HK_OK);
        hk_sql_end(row);
    }
    if (error != HK_OK && error != HK_NOT_FOUND) {
        return error;
    }
    txn->erased = true;
    return hk_sql_run(txn, "DELETE FROM accounts WHERE number = ?", HK_ARGS(HK_U(number)));
}

/* -- keys -- */

#define KEY_COLUMNS                                                                                          \
    "k.id, a.id, k.suite, k.purpose, k.public_key, k.transcript, k.name, k.created, k.imported "             \
    "FROM keys k JOIN accounts a ON a.number = k.account "

static enum hk_error read_key(sqlite3_stmt *row, struct hk_key *key)
{
    struct hk_key found = {.suite = hk_column_number(row, 2),
                           .purpose = hk_column_number(row, 3),
                           .created = hk_column_number(row, 7),
                           .imported = hk_column_number(row, 8) != 0};
    hk_column_text(row, 6, found.name, HK_NAME_MAX);
    enum hk_error error = hk_column_blob(row, 0, found.id, sizeof found.id);
    if (error == HK_OK) {
        error = hk_column_blob(row, 1, found.account, sizeof found.account);
    }
    if (error == HK_OK) {
        error = hk_column_blob(row, 4, found.public_key, hk_suite_point_bytes(found.suite));
    }
    if (error == HK_OK) {
        error = hk_column_blob(row, 5, found.transcript, sizeof found.transcript);
    }
    if (error == HK_OK) {
        *key = found;
    }
    return error;
}

static enum hk_error one_key(struct hk_txn *txn, struct hk_key *key, enum hk_error missing, const char *text,
                             const struct hk_arg *args, size_t count)
{
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(txn, &row, text, args, count);
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? missing : error;
    }
    error = read_key(row, key);
    hk_sql_end(row);
    return error;
}

enum hk_error hk_store_get_key(struct hk_txn *txn, const uint8_t *account, const uint8_t *id,
                               struct hk_key *key)
{
    return one_key(txn, key, HK_UNKNOWN_KEY, "SELECT " KEY_COLUMNS "WHERE k.id = ? AND a.id = ?",
                   HK_ARGS(HK_B(id, HK_ID_BYTES), HK_B(account, HK_ACCOUNT_BYTES)));
}

enum hk_error hk_store_find_key(struct hk_txn *txn, const uint8_t *id, const uint8_t *transcript,
                                struct hk_key *key)
{
    return one_key(txn, key, HK_UNKNOWN_RUN, "SELECT " KEY_COLUMNS "WHERE k.id = ? AND k.transcript = ?",
                   HK_ARGS(HK_B(id, HK_ID_BYTES), HK_B(transcript, 32)));
}

enum hk_error hk_store_list_keys(struct hk_txn *txn, const uint8_t *account, struct hk_key *keys, size_t max,
                                 size_t *count)
{
    sqlite3_stmt *row;
    size_t found = 0;
    enum hk_error error =
        hk_sql_first(txn, &row, "SELECT " KEY_COLUMNS "WHERE a.id = ? ORDER BY k.id LIMIT ?",
                     HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES), HK_U(max)));
    if (error == HK_OK) {
        do {
            error = read_key(row, &keys[found++]);
        } while (error == HK_OK && found < max && (error = hk_sql_next(row)) == HK_OK);
        hk_sql_end(row);
    }
    if (error != HK_OK && error != HK_NOT_FOUND) {
        return error;
    }
    *count = found;
    return HK_OK;
}

static bool same_key(const struct hk_key *a, const struct hk_key *b)
{
    return a->suite == b->suite && a->purpose == b->purpose && a->created == b->created &&
           a->imported == b->imported && memcmp(a->public_key, b->public_key, sizeof a->public_key) == 0 &&
           memcmp(a->transcript, b->transcript, sizeof a->transcript) == 0 && strcmp(a->name, b->name) == 0;
}

enum hk_error hk_store_insert_key(struct hk_txn *txn, const struct hk_key *key, bool *known)
{
    struct hk_key there;
    enum hk_error error = hk_store_get_key(txn, key->account, key->id, &there);
    if (error == HK_OK) {
        *known = true;
        return same_key(key, &there) ? HK_OK : HK_CONFLICT;
    }
    if (error != HK_UNKNOWN_KEY) {
        return error;
    }
    uint64_t account, number;
    error = hk_store_account_number(txn, key->account, &account);
    if (error != HK_OK) {
        return error;
    }
    error =
        hk_sql_number(txn, &number, "SELECT COUNT(*) FROM keys WHERE account = ?", HK_ARGS(HK_U(account)));
    if (error == HK_OK && number >= HK_KEYS_MAX) {
        error = HK_OVER_QUOTA;
    }
    if (error != HK_OK) {
        return error;
    }
    *known = false;
    error = hk_sql_run(
        txn,
        "INSERT INTO keys (account, id, suite, purpose, public_key, transcript, name, created, imported)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        HK_ARGS(HK_U(account), HK_B(key->id, HK_ID_BYTES), HK_U(key->suite), HK_U(key->purpose),
                HK_B(key->public_key, hk_suite_point_bytes(key->suite)), HK_B(key->transcript, 32),
                HK_T(key->name), HK_U(key->created), HK_U(key->imported)));
    return error == HK_CONFLICT ? HK_EXISTS : error; /* the id is free, so it is the name */
}

enum hk_error hk_store_put_key(struct hk_txn *txn, const struct hk_key *key, const uint8_t *serial,
                               const struct hk_scalar *half)
{
    struct hk_device device;
    enum hk_error error = hk_store_get_device(txn, serial, &device);
    if (error != HK_OK) {
        return error;
    }
    if (memcmp(device.account, key->account, HK_ACCOUNT_BYTES) != 0) {
        return HK_NOT_ALLOWED;
    }
    if (device.pending_epoch != 0) {
        return HK_LOCKED; /* its pending epoch covers the keys that there are */
    }
    struct hk_secret32 wrapping;
    HK_WIPE_AT_EXIT(wrapping);
    error = hk_store_wrapping_key(txn, &device, &wrapping);
    if (error != HK_OK) {
        return error;
    }
    bool known;
    error = hk_store_insert_key(txn, key, &known);
    if (error != HK_OK || known) {
        return error;
    }
    uint64_t number;
    error = hk_store_device_number(txn, serial, &number);
    return error != HK_OK
               ? error
               : hk_store_insert_half(txn, &device, number, &wrapping, device.epoch, key->id, half);
}

/* The halves of a pending epoch go with its row: a pending epoch covers all keys or none. */
enum hk_error hk_store_delete_key(struct hk_txn *txn, const uint8_t *account, const uint8_t *id)
{
    uint64_t number;
    enum hk_error error = hk_store_account_number(txn, account, &number);
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? HK_UNKNOWN_KEY : error;
    }
    txn->erased = true;
    static const char *const drop[] = {
        "DELETE FROM pending WHERE device IN (SELECT number FROM devices WHERE account = ?)",
        ("DELETE FROM halves WHERE (device, epoch) IN"
         " (SELECT number, pending_epoch FROM devices WHERE account = ? AND pending_epoch <> 0)"),
        "UPDATE devices SET pending_epoch = 0 WHERE account = ?",
        ("UPDATE hands SET transcript = NULL, sealed = NULL, bundle = NULL"
         " WHERE device IN (SELECT number FROM devices WHERE account = ?)"),
    };
    for (size_t i = 0; i < sizeof drop / sizeof *drop && error == HK_OK; i++) {
        error = hk_sql_run(txn, drop[i], HK_ARGS(HK_U(number)));
    }
    if (error == HK_OK) {
        error = hk_sql_change(txn, "DELETE FROM keys WHERE account = ? AND id = ?",
                              HK_ARGS(HK_U(number), HK_B(id, HK_ID_BYTES)));
    }
    return error == HK_NOT_FOUND ? HK_UNKNOWN_KEY : error;
}

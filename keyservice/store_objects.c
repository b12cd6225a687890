#include "keyservice/store_sql.h"

#include <string.h>

enum object_kind { OBJECT_CERTIFICATE = 1, OBJECT_RECORD = 2 };

/* -- profiles -- */

enum hk_error hk_store_put_profile(struct hk_txn *txn, const uint8_t *account, uint64_t version,
                                   const uint8_t *previous, const uint8_t *hash, const void *profile,
                                   size_t size)
{
    if (size == 0 || size > HK_STORE_PROFILE_MAX) {
        return HK_TOO_LARGE;
    }
    struct hk_account current;
    uint64_t number;
    enum hk_error error = hk_store_get_account(txn, account, &current);
    if (error == HK_OK) {
        error = hk_store_account_number(txn, account, &number);
    }
    if (error != HK_OK) {
        return error;
    }
    if (current.profile_version == version && version != 0 && memcmp(current.profile_hash, hash, 32) == 0) {
        return HK_OK;
    }
    bool follows =
        version == 1 ? previous == NULL : previous != NULL && memcmp(previous, current.profile_hash, 32) == 0;
    if (version != current.profile_version + 1 || !follows) {
        return HK_CONFLICT;
    }
    error = hk_sql_run(txn, "UPDATE accounts SET profile_version = ?, profile_hash = ? WHERE number = ?",
                       HK_ARGS(HK_U(version), HK_B(hash, 32), HK_U(number)));
    if (error == HK_OK) {
        error = hk_sql_run(txn, "INSERT OR REPLACE INTO profiles (account, body) VALUES (?, ?)",
                           HK_ARGS(HK_U(number), HK_B(profile, size)));
    }
    return error;
}

enum hk_error hk_store_get_profile(struct hk_txn *txn, const uint8_t *account, uint8_t *out, size_t max,
                                   size_t *size)
{
    return hk_sql_blob(txn, out, max, size,
                       "SELECT p.body FROM profiles p JOIN accounts a ON a.number = p.account WHERE a.id = ?",
                       HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES)));
}

/* -- records and certificates -- */

static enum hk_error put_object(struct hk_txn *txn, enum object_kind kind, const uint8_t *account,
                                const uint8_t *serial, const void *body, size_t size)
{
    if (size == 0 || size > HK_STORE_OBJECT_MAX) {
        return HK_TOO_LARGE;
    }
    uint64_t number;
    enum hk_error error = hk_store_account_number(txn, account, &number);
    if (error == HK_OK) {
        /* A serial that another account has is left alone. */
        error = hk_sql_change(txn,
                              "INSERT INTO objects (kind, serial, account, body) VALUES (?1, ?2, ?3, ?4)"
                              " ON CONFLICT (kind, serial) DO UPDATE SET body = ?4 WHERE account = ?3",
                              HK_ARGS(HK_U(kind), HK_B(serial, HK_ID_BYTES), HK_U(number), HK_B(body, size)));
        error = error == HK_NOT_FOUND ? HK_CONFLICT : error;
    }
    return error;
}

static enum hk_error get_object(struct hk_txn *txn, enum object_kind kind, const uint8_t *serial,
                                uint8_t *out, size_t max, size_t *size)
{
    return hk_sql_blob(txn, out, max, size, "SELECT body FROM objects WHERE kind = ? AND serial = ?",
                       HK_ARGS(HK_U(kind), HK_B(serial, HK_ID_BYTES)));
}

enum hk_error hk_store_put_certificate(struct hk_txn *txn, const uint8_t *account, const uint8_t *serial,
                                       const void *certificate, size_t size)
{
    return put_object(txn, OBJECT_CERTIFICATE, account, serial, certificate, size);
}

enum hk_error hk_store_get_certificate(struct hk_txn *txn, const uint8_t *serial, uint8_t *out, size_t max,
                                       size_t *size)
{
    return get_object(txn, OBJECT_CERTIFICATE, serial, out, max, size);
}

enum hk_error hk_store_put_record(struct hk_txn *txn, const uint8_t *account, const uint8_t *serial,
                                  const void *record, size_t size)
{
    return put_object(txn, OBJECT_RECORD, account, serial, record, size);
}

enum hk_error hk_store_get_record(struct hk_txn *txn, const uint8_t *serial, uint8_t *out, size_t max,
                                  size_t *size)
{
    return get_object(txn, OBJECT_RECORD, serial, out, max, size);
}

/* -- generations and the whole -- */

enum hk_error hk_store_generation(struct hk_txn *txn, uint64_t *generation)
{
    return hk_sql_number(txn, generation, "SELECT value FROM meta WHERE name = 'generation'", NULL, 0);
}

enum hk_error hk_store_set_generation(struct hk_txn *txn, uint64_t generation)
{
    return hk_sql_change(txn, "UPDATE meta SET value = ? WHERE name = 'generation'",
                         HK_ARGS(HK_U(generation)));
}

enum hk_error hk_store_log_generation(struct hk_txn *txn, uint64_t *generation)
{
    return hk_sql_number(txn, generation, "SELECT value FROM meta WHERE name = 'log_generation'", NULL, 0);
}

enum hk_error hk_store_set_log_generation(struct hk_txn *txn, uint64_t generation)
{
    return hk_sql_change(txn, "UPDATE meta SET value = ? WHERE name = 'log_generation'",
                         HK_ARGS(HK_U(generation)));
}

/* Read from the index of slots alone: a start with a million devices takes a moment. */
enum hk_error hk_store_each_slot(struct hk_txn *txn, void *context,
                                 enum hk_error (*each)(void *context, uint64_t slot))
{
    sqlite3_stmt *row;
    enum hk_error error =
        hk_sql_first(txn, &row, "SELECT slot FROM devices WHERE slot IS NOT NULL ORDER BY slot", NULL, 0);
    if (error == HK_OK) {
        do {
            error = each(context, hk_column_number(row, 0));
        } while (error == HK_OK && (error = hk_sql_next(row)) == HK_OK);
        hk_sql_end(row);
    }
    return error == HK_NOT_FOUND ? HK_OK : error;
}

enum hk_error hk_store_each_account(struct hk_txn *txn, void *context,
                                    enum hk_error (*each)(void *context, const uint8_t *id))
{
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(txn, &row, "SELECT id FROM accounts ORDER BY number", NULL, 0);
    if (error == HK_OK) {
        do {
            uint8_t id[HK_ACCOUNT_BYTES];
            error = hk_column_blob(row, 0, id, sizeof id);
            if (error == HK_OK) {
                error = each(context, id);
            }
        } while (error == HK_OK && (error = hk_sql_next(row)) == HK_OK);
        hk_sql_end(row);
    }
    return error == HK_NOT_FOUND ? HK_OK : error;
}

enum hk_error hk_store_integrity(struct hk_txn *txn, char reason[256])
{
    sqlite3_stmt *row;
    if (hk_sql_first(txn, &row, "PRAGMA integrity_check(1)", NULL, 0) != HK_OK) {
        strcpy(reason, "the database cannot be read");
        return HK_INTERNAL;
    }
    hk_column_text(row, 0, reason, 255);
    hk_sql_end(row);
    if (strcmp(reason, "ok") != 0) {
        return HK_INTERNAL;
    }
    enum hk_error error = hk_sql_first(txn, &row, "PRAGMA foreign_key_check", NULL, 0);
    if (error == HK_OK) {
        hk_sql_end(row);
        strcpy(reason, "the database has rows that belong to nothing");
        return HK_INTERNAL;
    }
    return error == HK_NOT_FOUND ? HK_OK : error;
}

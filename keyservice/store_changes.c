#include "keyservice/store_sql.h"

#define CHANGE_COLUMNS                                                                                       \
    "SELECT c.kind, c.subject, c.asker, c.asked, c.due FROM changes c JOIN accounts a ON a.number = "        \
    "c.account"                                                                                              \
    " WHERE a.id = ? AND c.due + ? > ? "

static enum hk_error read_change(sqlite3_stmt *row, struct hk_change *change)
{
    struct hk_change found = {.kind = (enum hk_change_kind)hk_column_number(row, 0),
                              .asked = hk_column_number(row, 3),
                              .due = hk_column_number(row, 4)};
    enum hk_error error = hk_column_blob(row, 1, found.subject, HK_ID_BYTES);
    if (error == HK_OK) {
        error = hk_column_blob(row, 2, found.asker, HK_ID_BYTES);
    }
    if (error == HK_OK) {
        *change = found;
    }
    return error;
}

enum hk_error hk_store_put_change(struct hk_txn *txn, const uint8_t *account, const struct hk_change *change)
{
    uint64_t number, count;
    enum hk_error error = hk_store_account_number(txn, account, &number);
    if (error == HK_OK) {
        error = hk_sql_number(txn, &count, "SELECT COUNT(*) FROM changes WHERE account = ?",
                              HK_ARGS(HK_U(number)));
    }
    if (error == HK_OK && count >= HK_CHANGES) {
        error = HK_OVER_QUOTA;
    }
    return error != HK_OK
               ? error
               : hk_sql_run(txn,
                            "INSERT OR REPLACE INTO changes (account, kind, subject, asker, asked, due)"
                            " VALUES (?, ?, ?, ?, ?, ?)",
                            HK_ARGS(HK_U(number), HK_U(change->kind), HK_B(change->subject, HK_ID_BYTES),
                                    HK_B(change->asker, HK_ID_BYTES), HK_U(change->asked),
                                    HK_U(change->due)));
}

enum hk_error hk_store_get_change(struct hk_txn *txn, const uint8_t *account, enum hk_change_kind kind,
                                  const uint8_t *subject, uint64_t now, struct hk_change *change)
{
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(txn, &row, CHANGE_COLUMNS "AND c.kind = ? AND c.subject = ?",
                                       HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES), HK_U(HK_CHANGE_USABLE),
                                               HK_U(now), HK_U(kind), HK_B(subject, HK_ID_BYTES)));
    if (error == HK_OK) {
        error = read_change(row, change);
        hk_sql_end(row);
    }
    return error;
}

enum hk_error hk_store_change_is_due(struct hk_txn *txn, const uint8_t *account, enum hk_change_kind kind,
                                     const uint8_t *subject, uint64_t now)
{
    struct hk_change change;
    enum hk_error error = hk_store_get_change(txn, account, kind, subject, now, &change);
    return error == HK_NOT_FOUND || (error == HK_OK && change.due > now) ? HK_NEEDS_APPROVAL : error;
}

enum hk_error hk_store_drop_change(struct hk_txn *txn, const uint8_t *account, enum hk_change_kind kind,
                                   const uint8_t *subject)
{
    return hk_sql_change(txn,
                         "DELETE FROM changes WHERE kind = ? AND subject = ? AND account ="
                         " (SELECT number FROM accounts WHERE id = ?)",
                         HK_ARGS(HK_U(kind), HK_B(subject, HK_ID_BYTES), HK_B(account, HK_ACCOUNT_BYTES)));
}

enum hk_error hk_store_list_changes(struct hk_txn *txn, const uint8_t *account, uint64_t now,
                                    struct hk_change *changes, size_t *count)
{
    sqlite3_stmt *row;
    size_t found = 0;
    enum hk_error error = hk_sql_first(
        txn, &row, CHANGE_COLUMNS "ORDER BY c.asked, c.kind LIMIT ?",
        HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES), HK_U(HK_CHANGE_USABLE), HK_U(now), HK_U(HK_CHANGES)));
    if (error == HK_OK) {
        do {
            error = read_change(row, &changes[found++]);
        } while (error == HK_OK && found < HK_CHANGES && (error = hk_sql_next(row)) == HK_OK);
        hk_sql_end(row);
    }
    if (error != HK_OK && error != HK_NOT_FOUND) {
        return error;
    }
    *count = found;
    return HK_OK;
}

#include "keyservice/store_sql.h"

#include <stdlib.h>
#include <string.h>

static enum hk_error error_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return HK_OK;
    case SQLITE_CONSTRAINT:
        return HK_CONFLICT;
    default:
        return HK_INTERNAL;
    }
}

static enum hk_error statement_for(struct hk_txn *txn, const char *text, sqlite3_stmt **statement)
{
    struct hk_connection *connection = &txn->connection;
    size_t place = ((uintptr_t)text >> 3) * 2654435761U % HK_STATEMENTS;
    while (connection->kept[place].text != NULL && connection->kept[place].text != text) {
        place = (place + 1) % HK_STATEMENTS;
    }
    if (connection->kept[place].text == NULL) {
        sqlite3_stmt *made;
        if (sqlite3_prepare_v3(connection->db, text, -1, SQLITE_PREPARE_PERSISTENT, &made, NULL) !=
            SQLITE_OK) {
            return HK_INTERNAL;
        }
        connection->kept[place].text = text;
        connection->kept[place].statement = made;
    }
    *statement = connection->kept[place].statement;
    return HK_OK;
}

static int bind_one(sqlite3_stmt *statement, int place, const struct hk_arg *arg)
{
    switch (arg->kind) {
    case HK_ARG_NUMBER:
        return sqlite3_bind_int64(statement, place, (sqlite3_int64)arg->number);
    case HK_ARG_BLOB:
        return sqlite3_bind_blob64(statement, place, arg->size == 0 ? "" : arg->data, arg->size,
                                   SQLITE_STATIC);
    case HK_ARG_TEXT:
        return sqlite3_bind_text64(statement, place, arg->data, arg->size, SQLITE_STATIC, SQLITE_UTF8);
    default:
        return sqlite3_bind_null(statement, place);
    }
}

void hk_sql_end(sqlite3_stmt *row)
{
    if (row != NULL) {
        sqlite3_reset(row);
        sqlite3_clear_bindings(row);
    }
}

enum hk_error hk_sql_first(struct hk_txn *txn, sqlite3_stmt **row, const char *text,
                           const struct hk_arg *args, size_t count)
{
    sqlite3_stmt *statement;
    enum hk_error error = statement_for(txn, text, &statement);
    if (error != HK_OK) {
        return error;
    }
    int result = SQLITE_OK;
    for (size_t i = 0; i < count && result == SQLITE_OK; i++) {
        result = bind_one(statement, (int)i + 1, &args[i]);
    }
    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
    }
    if (result == SQLITE_ROW) {
        *row = statement;
        return HK_OK;
    }
    hk_sql_end(statement);
    error = error_of(result);
    return error == HK_OK ? HK_NOT_FOUND : error;
}

enum hk_error hk_sql_next(sqlite3_stmt *row)
{
    int result = sqlite3_step(row);
    if (result == SQLITE_ROW) {
        return HK_OK;
    }
    return result == SQLITE_DONE ? HK_NOT_FOUND : error_of(result);
}

enum hk_error hk_sql_run(struct hk_txn *txn, const char *text, const struct hk_arg *args, size_t count)
{
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(txn, &row, text, args, count);
    if (error == HK_OK) {
        hk_sql_end(row);
    }
    return error == HK_NOT_FOUND ? HK_OK : error;
}

enum hk_error hk_sql_change(struct hk_txn *txn, const char *text, const struct hk_arg *args, size_t count)
{
    enum hk_error error = hk_sql_run(txn, text, args, count);
    if (error == HK_OK && sqlite3_changes(txn->connection.db) == 0) {
        return HK_NOT_FOUND;
    }
    return error;
}

enum hk_error hk_sql_number(struct hk_txn *txn, uint64_t *number, const char *text, const struct hk_arg *args,
                            size_t count)
{
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(txn, &row, text, args, count);
    if (error == HK_OK) {
        *number = hk_column_number(row, 0);
        hk_sql_end(row);
    }
    return error;
}

enum hk_error hk_column_blob(sqlite3_stmt *row, int column, void *out, size_t size)
{
    if (sqlite3_column_type(row, column) == SQLITE_NULL) {
        memset(out, 0, size);
        return HK_OK;
    }
    const void *data = sqlite3_column_blob(row, column);
    if (data == NULL || (size_t)sqlite3_column_bytes(row, column) != size) {
        return HK_INTERNAL;
    }
    memcpy(out, data, size);
    return HK_OK;
}

uint64_t hk_column_number(sqlite3_stmt *row, int column)
{
    return (uint64_t)sqlite3_column_int64(row, column);
}

void hk_column_text(sqlite3_stmt *row, int column, char *out, size_t max)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    size_t size = text == NULL ? 0 : strnlen((const char *)text, max);
    if (size != 0) {
        memcpy(out, text, size);
    }
    out[size] = '\0';
}

enum hk_error hk_sql_blob(struct hk_txn *txn, uint8_t *out, size_t max, size_t *size, const char *text,
                          const struct hk_arg *args, size_t count)
{
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(txn, &row, text, args, count);
    if (error != HK_OK) {
        return error;
    }
    const void *data = sqlite3_column_blob(row, 0);
    size_t found = (size_t)sqlite3_column_bytes(row, 0);
    if (data == NULL) {
        error = HK_NOT_FOUND;
    } else if (found > max) {
        error = HK_TOO_LARGE;
    } else {
        memcpy(out, data, found);
        *size = found;
    }
    hk_sql_end(row);
    return error;
}

enum hk_error hk_slot_list_add(struct hk_slot_list *list, uint64_t slot)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 16 : 2 * list->room;
        uint64_t *slots = realloc(list->slots, room * sizeof *slots);
        if (slots == NULL) {
            return HK_INTERNAL;
        }
        list->slots = slots;
        list->room = room;
    }
    list->slots[list->count++] = slot;
    return HK_OK;
}

#include "tests/support/store_view.h"

#include <setjmp.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static sqlite3 *look(const struct hk_test_service *service)
{
    char path[128];
    sqlite3 *db;
    (void)snprintf(path, sizeof(path), "%s/data/store.db", service->directory);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK); /* one moment of all tables */
    return db;
}

static void absorb(crypto_generichash_state *state, sqlite3_stmt *row, int column)
{
    int64_t head[2] = {sqlite3_column_type(row, column), 0};
    const void *data = sqlite3_column_blob(row, column); /* integers as their text */
    head[1] = sqlite3_column_bytes(row, column);
    crypto_generichash_update(state, (const uint8_t *)head, sizeof(head));
    if (head[1] > 0) {
        crypto_generichash_update(state, data, (unsigned long long)head[1]);
    }
}

static void absorb_table(crypto_generichash_state *state, sqlite3 *db, const char *table, bool without_stale)
{
    char sql[128];
    sqlite3_stmt *row;
    int status;
    (void)snprintf(sql, sizeof(sql), "SELECT * FROM \"%.60s\"", table);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    crypto_generichash_update(state, (const uint8_t *)table, strlen(table) + 1);
    while ((status = sqlite3_step(row)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(row); i++) {
            if (!without_stale || strcmp(sqlite3_column_name(row, i), "stale_seen") != 0) {
                absorb(state, row, i);
            }
        }
    }
    assert_int_equal(status, SQLITE_DONE);
    sqlite3_finalize(row);
}

void hk_view_digest(uint8_t out[32], const struct hk_test_service *service, bool without_stale)
{
    crypto_generichash_state state;
    sqlite3_stmt *table;
    int status, tables = 0;
    sqlite3 *db = look(service);
    assert_int_equal(crypto_generichash_init(&state, NULL, 0, 32), 0);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN "
                                        "('logs', 'leaves', 'nodes') ORDER BY name",
                                        -1, &table, NULL),
                     SQLITE_OK);
    for (; (status = sqlite3_step(table)) == SQLITE_ROW; tables++) {
        absorb_table(&state, db, (const char *)sqlite3_column_text(table, 0), without_stale);
    }
    assert_int_equal(status, SQLITE_DONE);
    assert_true(tables >= 8); /* those of accounts, devices, keys, halves, objects, ... */
    sqlite3_finalize(table);
    sqlite3_close(db);
    crypto_generichash_final(&state, out, 32);
}

static sqlite3_stmt *leaves_of(sqlite3 *db, const char *what, const uint8_t account[HK_ACCOUNT_BYTES])
{
    char sql[256];
    sqlite3_stmt *row;
    (void)snprintf(sql, sizeof(sql),
                   "SELECT %s FROM leaves JOIN accounts ON leaves.account = accounts.number WHERE "
                   "accounts.id = ?1 ORDER BY generation, n",
                   what);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(row, 1, account, HK_ACCOUNT_BYTES, SQLITE_STATIC), SQLITE_OK);
    return row;
}

uint64_t hk_view_leaves(const struct hk_test_service *service, const uint8_t account[HK_ACCOUNT_BYTES])
{
    sqlite3 *db = look(service);
    sqlite3_stmt *row = leaves_of(db, "count(*)", account);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    uint64_t count = (uint64_t)sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return count;
}

void hk_view_each_leaf(const struct hk_test_service *service, const uint8_t account[HK_ACCOUNT_BYTES],
                       void (*each)(void *argument, const struct hk_leaf *leaf), void *argument)
{
    sqlite3 *db = look(service);
    sqlite3_stmt *row = leaves_of(db, "leaf", account);
    while (sqlite3_step(row) == SQLITE_ROW) {
        struct hk_leaf leaf;
        assert_int_equal(
            hk_leaf_decode(&leaf, sqlite3_column_blob(row, 0), (size_t)sqlite3_column_bytes(row, 0)), HK_OK);
        each(argument, &leaf);
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
}

int64_t hk_view_number(const struct hk_test_service *service, const char *query)
{
    sqlite3_stmt *row;
    sqlite3 *db = look(service);
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return number;
}

void hk_view_let_time_pass(const struct hk_test_service *service)
{
    char path[128];
    sqlite3 *db;
    (void)snprintf(path, sizeof(path), "%s/data/store.db", service->directory);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE changes SET due = asked", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

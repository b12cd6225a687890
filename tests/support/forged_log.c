#include "tests/support/forged_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "protocol/merkle.h"

static sqlite3 *open_store(const struct hk_test_service *service, int64_t *account, int64_t *generation)
{
    char path[128];
    sqlite3 *store;
    sqlite3_stmt *row;
    (void)snprintf(path, sizeof(path), "%s/data/store.db", service->directory);
    assert_int_equal(sqlite3_open_v2(path, &store, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(store, "SELECT account, max(generation) FROM logs", -1, &row, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    *account = sqlite3_column_int64(row, 0);
    *generation = sqlite3_column_int64(row, 1);
    assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
    return store;
}

void hk_forged_read(struct hk_forged_log *log, const struct hk_test_service *service)
{
    int64_t account, generation;
    sqlite3_stmt *row;
    sqlite3 *store = open_store(service, &account, &generation);
    assert_int_equal(
        sqlite3_prepare_v2(store, "SELECT leaf FROM leaves WHERE account = ? AND generation = ? ORDER BY n",
                           -1, &row, NULL),
        SQLITE_OK);
    (void)sqlite3_bind_int64(row, 1, account);
    (void)sqlite3_bind_int64(row, 2, generation);
    log->count = 0;
    while (sqlite3_step(row) == SQLITE_ROW) {
        size_t size = (size_t)sqlite3_column_bytes(row, 0);
        assert_true(log->count < HK_FORGED_LEAVES && size <= HK_SMALL_OBJECT_MAX);
        log->leaf[log->count].size = size;
        memcpy(log->leaf[log->count++].bytes, sqlite3_column_blob(row, 0), size);
    }
    assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
    assert_int_equal(sqlite3_close(store), SQLITE_OK);
}

/* Runs a statement with what belongs to it: four numbers and a blob at most, in the order of its marks. */
static void run(sqlite3 *store, const char *text, const int64_t *numbers, int count, const void *blob,
                size_t size)
{
    sqlite3_stmt *row;
    assert_int_equal(sqlite3_prepare_v2(store, text, -1, &row, NULL), SQLITE_OK);
    for (int i = 0; i < count; i++) {
        (void)sqlite3_bind_int64(row, i + 1, numbers[i]);
    }
    if (blob != NULL) {
        (void)sqlite3_bind_blob(row, count + 1, blob, (int)size, SQLITE_TRANSIENT);
    }
    assert_int_equal(sqlite3_step(row), SQLITE_DONE);
    assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
}

struct target {
    sqlite3 *store;
    int64_t account, generation;
};

static enum hk_error write_node(void *context, unsigned level, uint64_t index,
                                const uint8_t node[HK_MERKLE_BYTES])
{
    struct target *target = context;
    const int64_t numbers[] = {target->account, target->generation, (int64_t)level, (int64_t)index};
    if (level != 0) {
        run(target->store, "INSERT INTO nodes (account, generation, level, n, hash) VALUES (?, ?, ?, ?, ?)",
            numbers, 4, node, HK_MERKLE_BYTES);
    }
    return HK_OK;
}

void hk_forged_write(const struct hk_forged_log *log, const struct hk_test_service *service)
{
    struct target target;
    struct hk_frontier frontier;
    uint8_t packed[HK_MERKLE_LEVELS * HK_MERKLE_BYTES];
    size_t used = 0;
    target.store = open_store(service, &target.account, &target.generation);
    const int64_t log_is[] = {target.account, target.generation};
    run(target.store, "BEGIN", NULL, 0, NULL, 0);
    run(target.store, "DELETE FROM leaves WHERE account = ? AND generation = ?", log_is, 2, NULL, 0);
    run(target.store, "DELETE FROM nodes WHERE account = ? AND generation = ?", log_is, 2, NULL, 0);
    hk_frontier_init(&frontier);
    for (size_t i = 0; i < log->count; i++) {
        uint8_t hash[HK_MERKLE_BYTES];
        const int64_t numbers[] = {target.account, target.generation, (int64_t)i};
        run(target.store, "INSERT INTO leaves (account, generation, n, leaf) VALUES (?, ?, ?, ?)", numbers, 3,
            log->leaf[i].bytes, log->leaf[i].size);
        hk_merkle_leaf(hash, log->leaf[i].bytes, log->leaf[i].size);
        assert_int_equal(hk_frontier_append(&frontier, hash, write_node, &target), HK_OK);
    }
    for (unsigned level = 0; level < HK_MERKLE_LEVELS; level++) {
        if ((frontier.size >> level & 1) != 0) {
            memcpy(packed + used, frontier.node[level], HK_MERKLE_BYTES);
            used += HK_MERKLE_BYTES;
        }
    }
    const int64_t numbers[] = {(int64_t)log->count, target.account, target.generation};
    run(target.store, "UPDATE logs SET size = ?1, frontier = ?4 WHERE account = ?2 AND generation = ?3",
        numbers, 3, packed, used);
    run(target.store, "COMMIT", NULL, 0, NULL, 0);
    assert_int_equal(sqlite3_close(target.store), SQLITE_OK);
}

void hk_forged_drop(struct hk_forged_log *log, size_t index)
{
    assert_true(index < log->count);
    log->count--;
    memmove(&log->leaf[index], &log->leaf[index + 1], (log->count - index) * sizeof(log->leaf[0]));
}

void hk_forged_swap(struct hk_forged_log *log, size_t one, size_t other)
{
    static struct hk_forged_log spare;
    spare.leaf[0] = log->leaf[one];
    log->leaf[one] = log->leaf[other];
    log->leaf[other] = spare.leaf[0];
}

void hk_forged_append(struct hk_forged_log *log, const struct hk_leaf *leaf)
{
    assert_true(log->count < HK_FORGED_LEAVES);
    assert_int_equal(
        hk_leaf_encode(leaf, log->leaf[log->count].bytes, HK_SMALL_OBJECT_MAX, &log->leaf[log->count].size),
        HK_OK);
    log->count++;
}

size_t hk_forged_find(const struct hk_forged_log *log, uint64_t op, struct hk_leaf *leaf)
{
    for (size_t i = log->count; i > 0; i--) {
        assert_int_equal(hk_leaf_decode(leaf, log->leaf[i - 1].bytes, log->leaf[i - 1].size), HK_OK);
        if (leaf->op == op) {
            return i - 1;
        }
    }
    fail_msg("no such leaf");
    return 0;
}

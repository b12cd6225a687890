#include "keyservice/store_sql.h"

#include <string.h>

/* A frontier is stored as its nodes that exist, lowest first: one for each set bit of the size. */
#define FRONTIER_MAX (HK_MERKLE_LEVELS * HK_MERKLE_BYTES)

static size_t frontier_pack(uint8_t out[FRONTIER_MAX], const struct hk_frontier *frontier)
{
    size_t used = 0;
    for (unsigned level = 0; level < HK_MERKLE_LEVELS; level++) {
        if ((frontier->size >> level & 1) != 0) {
            memcpy(out + used, frontier->node[level], HK_MERKLE_BYTES);
            used += HK_MERKLE_BYTES;
        }
    }
    return used;
}

static enum hk_error frontier_unpack(struct hk_frontier *frontier, uint64_t tree_size, const uint8_t *packed,
                                     size_t size)
{
    hk_frontier_init(frontier);
    frontier->size = tree_size;
    size_t used = 0;
    for (unsigned level = 0; level < HK_MERKLE_LEVELS; level++) {
        if ((tree_size >> level & 1) == 0) {
            continue;
        }
        if (size - used < HK_MERKLE_BYTES) {
            return HK_INTERNAL;
        }
        memcpy(frontier->node[level], packed + used, HK_MERKLE_BYTES);
        used += HK_MERKLE_BYTES;
    }
    return used == size ? HK_OK : HK_INTERNAL;
}

enum hk_error hk_store_log_get(struct hk_txn *txn, const uint8_t *account, struct hk_log_row *out)
{
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(txn, &row,
                                       "SELECT l.account, l.generation, l.size, l.frontier FROM logs l"
                                       " JOIN accounts a ON a.number = l.account WHERE a.id = ?"
                                       " ORDER BY l.generation DESC LIMIT 1",
                                       HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES)));
    if (error != HK_OK) {
        return error;
    }
    out->account = hk_column_number(row, 0);
    out->generation = hk_column_number(row, 1);
    out->size = hk_column_number(row, 2);
    const uint8_t *packed = sqlite3_column_blob(row, 3);
    error = frontier_unpack(&out->frontier, out->size, packed, (size_t)sqlite3_column_bytes(row, 3));
    hk_sql_end(row);
    return error;
}

enum hk_error hk_store_log_size(struct hk_txn *txn, const uint8_t *account, uint64_t generation,
                                uint64_t *number, uint64_t *size)
{
    sqlite3_stmt *row;
    enum hk_error error = hk_sql_first(txn, &row,
                                       "SELECT l.account, l.size FROM logs l JOIN accounts a"
                                       " ON a.number = l.account WHERE a.id = ? AND l.generation = ?",
                                       HK_ARGS(HK_B(account, HK_ACCOUNT_BYTES), HK_U(generation)));
    if (error == HK_OK) {
        *number = hk_column_number(row, 0);
        *size = hk_column_number(row, 1);
        hk_sql_end(row);
    }
    return error;
}

enum hk_error hk_store_log_put(struct hk_txn *txn, const struct hk_log_row *row)
{
    uint8_t packed[FRONTIER_MAX];
    size_t size = frontier_pack(packed, &row->frontier);
    return hk_sql_run(
        txn,
        "INSERT INTO logs (account, generation, size, frontier) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (account, generation) DO UPDATE SET size = ?3, frontier = ?4",
        HK_ARGS(HK_U(row->account), HK_U(row->generation), HK_U(row->frontier.size), HK_B(packed, size)));
}

enum hk_error hk_store_log_put_leaf(struct hk_txn *txn, uint64_t account, uint64_t generation, uint64_t index,
                                    const void *leaf, size_t size, const void *nodes, size_t nodes_size)
{
    return hk_sql_run(txn, "INSERT INTO leaves (account, generation, n, leaf, nodes) VALUES (?, ?, ?, ?, ?)",
                      HK_ARGS(HK_U(account), HK_U(generation), HK_U(index), HK_B(leaf, size),
                              nodes_size == 0 ? HK_N : HK_B(nodes, nodes_size)));
}

enum hk_error hk_store_log_get_leaf(struct hk_txn *txn, uint64_t account, uint64_t generation, uint64_t index,
                                    uint8_t *leaf, size_t max, size_t *size)
{
    return hk_sql_blob(txn, leaf, max, size,
                       "SELECT leaf FROM leaves WHERE account = ? AND generation = ? AND n = ?",
                       HK_ARGS(HK_U(account), HK_U(generation), HK_U(index)));
}

enum hk_error hk_store_log_get_node(struct hk_txn *txn, uint64_t account, uint64_t generation, unsigned level,
                                    uint64_t index, uint8_t *node)
{
    uint8_t nodes[HK_MERKLE_LEVELS * HK_MERKLE_BYTES];
    size_t size = 0;
    uint64_t leaf = ((index + 1) << level) - 1; /* the last below it */
    enum hk_error error =
        hk_sql_blob(txn, nodes, sizeof nodes, &size,
                    "SELECT nodes FROM leaves WHERE account = ? AND generation = ? AND n = ?",
                    HK_ARGS(HK_U(account), HK_U(generation), HK_U(leaf)));
    if (error == HK_OK && size >= level * HK_MERKLE_BYTES) {
        memcpy(node, nodes + (level - 1) * HK_MERKLE_BYTES, HK_MERKLE_BYTES);
        return HK_OK;
    }
    if (error != HK_NOT_FOUND) {
        return error != HK_OK ? error : HK_INTERNAL;
    }
    /* written by a version that kept them in a table of their own */
    error = hk_sql_blob(txn, node, HK_MERKLE_BYTES, &size,
                        "SELECT hash FROM nodes WHERE account = ? AND generation = ? AND level = ? AND n = ?",
                        HK_ARGS(HK_U(account), HK_U(generation), HK_U(level), HK_U(index)));
    return error == HK_OK && size != HK_MERKLE_BYTES ? HK_INTERNAL : error;
}

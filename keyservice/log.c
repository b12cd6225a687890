#include "keyservice/log.h"

#include <sodium.h>
#include <string.h>

#include "keyservice/store_open.h"

/* Which tree a callback of the Merkle module is about. */
struct tree {
    struct hk_txn *txn;
    uint64_t account, generation;
};

/* The nodes that a leaf completes, level 1 first: they are stored beside it. */
struct completed {
    size_t size;
    uint8_t nodes[HK_MERKLE_LEVELS * HK_MERKLE_BYTES];
};

/* Level 0 is not stored: a leaf's hash is made from the leaf when somebody asks. */
static enum hk_error take_node(void *context, unsigned level, uint64_t index,
                               const uint8_t node[HK_MERKLE_BYTES])
{
    struct completed *completed = context;
    (void)index;
    if (level != 0) {
        memcpy(completed->nodes + completed->size, node, HK_MERKLE_BYTES);
        completed->size += HK_MERKLE_BYTES;
    }
    return HK_OK;
}

static enum hk_error read_node(void *context, unsigned level, uint64_t index, uint8_t out[HK_MERKLE_BYTES])
{
    struct tree *tree = context;
    if (level != 0) {
        return hk_store_log_get_node(tree->txn, tree->account, tree->generation, level, index, out);
    }
    uint8_t leaf[HK_LOG_LEAF_MAX];
    size_t size;
    enum hk_error error =
        hk_store_log_get_leaf(tree->txn, tree->account, tree->generation, index, leaf, sizeof leaf, &size);
    if (error == HK_OK) {
        hk_merkle_leaf(out, leaf, size);
    }
    return error;
}

static enum hk_error append_to(struct hk_txn *txn, struct hk_log_row *row, const void *leaf, size_t size)
{
    if (size == 0 || size > HK_LOG_LEAF_MAX) {
        return HK_TOO_LARGE;
    }
    uint64_t index = row->frontier.size;
    uint8_t hash[HK_MERKLE_BYTES];
    struct completed completed = {.size = 0};
    hk_merkle_leaf(hash, leaf, size);
    enum hk_error error = hk_frontier_append(&row->frontier, hash, take_node, &completed);
    if (error == HK_OK) {
        error = hk_store_log_put_leaf(txn, row->account, row->generation, index, leaf, size, completed.nodes,
                                      completed.size);
    }
    return error == HK_CONFLICT ? HK_INTERNAL : error;
}

static enum hk_error append_and_put(struct hk_txn *txn, struct hk_log_row *row, const void *leaf, size_t size)
{
    enum hk_error error = append_to(txn, row, leaf, size);
    return error == HK_OK ? hk_store_log_put(txn, row) : error;
}

enum hk_error hk_log_append(struct hk_txn *txn, const uint8_t *account, const void *leaf, size_t size)
{
    struct hk_log_row row, *kept = hk_store_uses_log(txn, account);
    if (kept != NULL) {
        return append_to(txn, kept, leaf, size);
    }
    enum hk_error error = hk_store_log_get(txn, account, &row);
    return error != HK_OK ? error : append_and_put(txn, &row, leaf, size);
}

enum hk_error hk_log_append_leaf(struct hk_txn *txn, const uint8_t *account, const struct hk_leaf *leaf)
{
    uint8_t encoded[HK_LOG_LEAF_MAX];
    size_t size;
    enum hk_error error = hk_leaf_encode(leaf, encoded, sizeof encoded, &size);
    return error != HK_OK ? error : hk_log_append(txn, account, encoded, size);
}

static void head_of(struct hk_log_head *head, const struct hk_log_row *row)
{
    head->generation = row->generation;
    head->size = row->frontier.size;
    head->time = 0;
    hk_frontier_root(head->root, &row->frontier);
}

enum hk_error hk_log_read_head(struct hk_txn *txn, const uint8_t *account, struct hk_log_head *head)
{
    struct hk_log_row row;
    enum hk_error error = hk_store_log_get(txn, account, &row);
    if (error == HK_OK) {
        head_of(head, &row);
    }
    return error;
}

enum hk_error hk_log_begin_generation(struct hk_txn *txn, const uint8_t *account, uint64_t generation,
                                      uint64_t now)
{
    struct hk_log_row row;
    enum hk_error error = hk_store_log_get(txn, account, &row);
    if (error != HK_OK) {
        return error;
    }
    if (generation <= row.generation) {
        return HK_CONFLICT;
    }
    struct hk_log_head last;
    head_of(&last, &row);
    struct hk_leaf first = {.has_previous = true, .count = 1, .time = now};
    hk_head_encode(first.previous, &last);
    uint8_t encoded[HK_LOG_LEAF_MAX];
    size_t size;
    error = hk_leaf_encode(&first, encoded, sizeof encoded, &size);
    if (error != HK_OK) {
        return error;
    }
    row.generation = generation;
    row.size = 0;
    hk_frontier_init(&row.frontier);
    return append_and_put(txn, &row, encoded, size);
}

void hk_log_sign(struct hk_signed_head *out, const struct hk_log_head *head, const uint8_t *account,
                 const struct hk_service_keys *keys, uint64_t now)
{
    out->head = *head;
    out->head.time = now;
    uint8_t statement[HK_HASH_BYTES];
    hk_head_statement(statement, HK_HEAD_OF_SERVICE, account, &out->head);
    crypto_sign_detached(out->signature, NULL, statement, sizeof statement, keys->identity_secret.bytes);
}

/* -- reading -- */

enum hk_error hk_log_read_leaves(struct hk_txn *txn, const uint8_t *account, uint64_t generation,
                                 uint64_t start, uint64_t count, uint8_t *out, size_t max,
                                 struct hk_bytes *leaves, size_t *found)
{
    uint64_t number, size;
    enum hk_error error = hk_store_log_size(txn, account, generation, &number, &size);
    if (error != HK_OK) {
        return error;
    }
    size_t done = 0, used = 0;
    for (; done < count && start < size && done < size - start; done++) {
        size_t length;
        error = hk_store_log_get_leaf(txn, number, generation, start + done, out + used, max - used, &length);
        if (error == HK_TOO_LARGE && done != 0) {
            break;
        }
        if (error != HK_OK) {
            return error == HK_NOT_FOUND ? HK_INTERNAL : error;
        }
        leaves[done] = HK_BYTES(out + used, length);
        used += length;
    }
    *found = done;
    return HK_OK;
}

static enum hk_error tree_of(struct tree *tree, struct hk_txn *txn, const uint8_t *account,
                             uint64_t generation, uint64_t size)
{
    uint64_t stored;
    enum hk_error error = hk_store_log_size(txn, account, generation, &tree->account, &stored);
    if (error != HK_OK) {
        return error;
    }
    tree->txn = txn;
    tree->generation = generation;
    return size > stored ? HK_NOT_FOUND : HK_OK;
}

enum hk_error hk_log_inclusion(struct hk_txn *txn, const uint8_t *account, uint64_t generation,
                               uint64_t index, uint64_t size, uint8_t (*hashes)[32], size_t *count)
{
    struct tree tree;
    enum hk_error error = tree_of(&tree, txn, account, generation, size);
    return error != HK_OK ? error : hk_merkle_prove_inclusion(hashes, count, index, size, read_node, &tree);
}

enum hk_error hk_log_consistency(struct hk_txn *txn, const uint8_t *account, uint64_t generation,
                                 uint64_t start, uint64_t size, uint8_t (*hashes)[32], size_t *count)
{
    struct tree tree;
    enum hk_error error = tree_of(&tree, txn, account, generation, size);
    return error != HK_OK ? error : hk_merkle_prove_consistency(hashes, count, start, size, read_node, &tree);
}

enum hk_error hk_log_holds(struct hk_txn *txn, const uint8_t *account, const struct hk_log_head *head)
{
    uint8_t hashes[HK_MERKLE_PROOF_MAX][32];
    struct hk_bytes proof[HK_MERKLE_PROOF_MAX];
    struct hk_log_head own;
    size_t count = 0;
    enum hk_error error = hk_log_read_head(txn, account, &own);
    if (error != HK_OK || head->generation != own.generation) {
        return error != HK_OK || head->generation < own.generation ? error : HK_LOG_FORKED;
    }
    if (head->size > own.size) {
        return HK_LOG_FORKED;
    }
    error = hk_log_consistency(txn, account, own.generation, head->size, own.size, hashes, &count);
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        proof[i] = HK_BYTES(hashes[i], 32);
    }
    if (error == HK_OK) {
        error = hk_merkle_verify_consistency(head->size, head->root, own.size, own.root, proof, count);
        error = error == HK_BAD_PROOF ? HK_LOG_FORKED : error;
    }
    return error;
}

/* -- checking -- */

/* Compares what the leaves give with what is stored. */
static enum hk_error compare_node(void *context, unsigned level, uint64_t index,
                                  const uint8_t node[HK_MERKLE_BYTES])
{
    uint8_t stored[HK_MERKLE_BYTES];
    if (level == 0) {
        return HK_OK;
    }
    enum hk_error error = read_node(context, level, index, stored);
    return error == HK_OK && memcmp(stored, node, sizeof stored) != 0 ? HK_LOG_FORKED : error;
}

enum hk_error hk_log_verify(struct hk_txn *txn, const uint8_t *account)
{
    struct hk_log_row row;
    enum hk_error error = hk_store_log_get(txn, account, &row);
    if (error != HK_OK) {
        return error;
    }
    struct tree tree = {txn, row.account, row.generation};
    struct hk_frontier again;
    hk_frontier_init(&again);
    for (uint64_t index = 0; index < row.frontier.size && error == HK_OK; index++) {
        uint8_t hash[HK_MERKLE_BYTES];
        error = read_node(&tree, 0, index, hash);
        if (error == HK_OK) {
            error = hk_frontier_append(&again, hash, compare_node, &tree);
        }
    }
    if (error != HK_OK) {
        return error == HK_NOT_FOUND ? HK_LOG_FORKED : error;
    }
    uint8_t stored[HK_MERKLE_BYTES], computed[HK_MERKLE_BYTES];
    hk_frontier_root(stored, &row.frontier);
    hk_frontier_root(computed, &again);
    return memcmp(stored, computed, sizeof stored) == 0 ? HK_OK : HK_LOG_FORKED;
}

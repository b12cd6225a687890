/* store_open.h - the store from the side of those who keep it: opening, the writing transaction, generations.
 *
 * For the vault, the writer and the offline tools only; operations use keyservice/store.h. There is one
 * writing transaction at a time. Its commit does not erase slots: whoever commits asks which are condemned
 * and overwrites them (keyservice/generation.h). */
#ifndef HALFKEY_KEYSERVICE_STORE_OPEN_H
#define HALFKEY_KEYSERVICE_STORE_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "keyservice/slots.h"
#include "keyservice/store.h"
#include "protocol/merkle.h"

#define HK_STORE_READERS 16

/* Opens the database, making it with `create` (generation 1), and migrates it. `slots` is borrowed.
 * HK_NOT_FOUND; with a sentence in reason[256]: HK_IO, HK_UNSUPPORTED (made by a newer version). Freed by
 * hk_store_close. */
HK_CHECK enum hk_error hk_store_open(struct hk_store **store, const char *path, struct hk_slots *slots,
                                     bool create, char reason[256]);
void hk_store_close(struct hk_store *store); /* NULL is allowed */

/* -- the writing transaction -- */
HK_CHECK enum hk_error hk_store_write_begin(struct hk_store *store, struct hk_txn **txn);
/* Durable when it returns HK_OK. On failure everything is rolled back, and hk_store_allocated says which
 * slots are now without a row. */
HK_CHECK enum hk_error hk_store_write_commit(struct hk_txn *txn);
void hk_store_write_rollback(struct hk_txn *txn);
/* A savepoint: changes after it can be undone alone; what was condemned after it is not any more. HK_INTERNAL
 * if the database gave up the whole transaction. */
HK_CHECK enum hk_error hk_store_savepoint(struct hk_txn *txn);
HK_CHECK enum hk_error hk_store_savepoint_keep(struct hk_txn *txn);
HK_CHECK enum hk_error hk_store_savepoint_undo(struct hk_txn *txn);
/* Instead of a savepoint, for an entry that only reads its device's row, counts its uses and appends one
 * leaf: such rows are read once for all entries of this kind that follow one another, and written once. What
 * fails after the first write cannot be undone alone. */
void hk_store_uses_begin(struct hk_txn *txn);
/* Slots to overwrite after the commit; slots taken in this transaction. Valid until the next
 * hk_store_write_begin. */
const uint64_t *hk_store_condemned(const struct hk_txn *txn, size_t *count);
const uint64_t *hk_store_allocated(const struct hk_txn *txn, size_t *count);
/* True if something secret was deleted that only a checkpoint removes from the database's journal. */
bool hk_store_wants_checkpoint(const struct hk_txn *txn) HK_CHECK;

/* True if a device was changed in a way that makes pairs in memory wrong (store.h); then, after the commit
 * and before anybody hears of it, hk_store_pairs_forget wipes them all. */
bool hk_store_changed_devices(const struct hk_txn *txn) HK_CHECK;
void hk_store_pairs_forget(struct hk_store *store);

/* Empties the write-ahead log into the database. Outside of a transaction, on the writer's thread. HK_BUSY if
 * a reader held it back for two seconds. */
HK_CHECK enum hk_error hk_store_checkpoint(struct hk_store *store);

/* Makes the write-ahead log as long as it gets between two checkpoints, with zeros behind its end: a commit
 * that does not make a file longer costs half. On the writer's thread, outside of a transaction. HK_NOT_FOUND
 * before the first commit; a failure (a full disk) changes nothing but the time that commits take. */
HK_CHECK enum hk_error hk_store_lay_out_journal(struct hk_store *store);

/* -- generations -- */
HK_CHECK enum hk_error hk_store_generation(struct hk_txn *txn, uint64_t *generation);
HK_CHECK enum hk_error hk_store_set_generation(struct hk_txn *txn, uint64_t generation);
/* The log's generation for accounts to come. */
HK_CHECK enum hk_error hk_store_log_generation(struct hk_txn *txn, uint64_t *generation);
HK_CHECK enum hk_error hk_store_set_log_generation(struct hk_txn *txn, uint64_t generation);

/* Calls `each` with the slot of every device that has one, in order, until it returns an error, which is
 * returned. */
HK_CHECK enum hk_error hk_store_each_slot(struct hk_txn *txn, void *context,
                                          enum hk_error (*each)(void *context, uint64_t slot));
/* Calls `each` with every account's id. */
HK_CHECK enum hk_error hk_store_each_account(struct hk_txn *txn, void *context,
                                             enum hk_error (*each)(void *context, const uint8_t *id));
/* Marks the device of a slot revoked because the slot is erased. */
HK_CHECK enum hk_error hk_store_lose_device(struct hk_txn *txn, uint64_t slot, uint64_t now);
/* The database's own consistency: HK_INTERNAL and a sentence if it is damaged. */
HK_CHECK enum hk_error hk_store_integrity(struct hk_txn *txn, char reason[256]);

/* -- the log's rows, for keyservice/log.c -- */
struct hk_log_row {
    uint64_t account; /* number */
    uint64_t generation, size;
    struct hk_frontier frontier;
};
/* The newest generation of an account's log. HK_NOT_FOUND: no such account. */
HK_CHECK enum hk_error hk_store_log_get(struct hk_txn *txn, const uint8_t *account, struct hk_log_row *row);
/* The size of one generation, and the account's number. HK_NOT_FOUND. */
HK_CHECK enum hk_error hk_store_log_size(struct hk_txn *txn, const uint8_t *account, uint64_t generation,
                                         uint64_t *number, uint64_t *size);
/* The same, kept in memory until it is written with the commit; change it in place. NULL outside of
 * hk_store_uses_begin, and when it cannot be read. */
struct hk_log_row *hk_store_uses_log(struct hk_txn *txn, const uint8_t *account) HK_CHECK;
/* Stores the row, a new one for a generation that has none. */
HK_CHECK enum hk_error hk_store_log_put(struct hk_txn *txn, const struct hk_log_row *row);
/* With the nodes that the leaf completes, level 1 first. */
HK_CHECK enum hk_error hk_store_log_put_leaf(struct hk_txn *txn, uint64_t account, uint64_t generation,
                                             uint64_t index, const void *leaf, size_t size, const void *nodes,
                                             size_t nodes_size);
HK_CHECK enum hk_error hk_store_log_get_leaf(struct hk_txn *txn, uint64_t account, uint64_t generation,
                                             uint64_t index, uint8_t *leaf, size_t max, size_t *size);
/* A node above the leaves. HK_NOT_FOUND if there is none yet. */
HK_CHECK enum hk_error hk_store_log_get_node(struct hk_txn *txn, uint64_t account, uint64_t generation,
                                             unsigned level, uint64_t index, uint8_t *node);

#endif

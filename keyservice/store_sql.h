/* store_sql.h - what the parts of the store share: connections, kept statements, and transactions from
 * inside.
 *
 * Only keyservice/store*.c include it. A statement is prepared once a connection and found again by the
 * address of its text, so texts are literals. Values are bound from a list whose memory must last until the
 * call returns. */
#ifndef HALFKEY_KEYSERVICE_STORE_SQL_H
#define HALFKEY_KEYSERVICE_STORE_SQL_H

#include <sqlite3.h>

#include "keyservice/file.h"
#include "keyservice/slots.h"
#include "keyservice/store.h"
#include "keyservice/store_open.h"

#define HK_STATEMENTS 256 /* kept by a connection; a power of two well above the number of texts */

struct hk_connection {
    sqlite3 *db;
    struct {
        const char *text;
        sqlite3_stmt *statement;
    } kept[HK_STATEMENTS];
};

/* A list of slots, grown as needed. */
struct hk_slot_list {
    uint64_t *slots;
    size_t count, room;
};

struct hk_txn {
    struct hk_store *store;
    struct hk_connection connection;
    struct hk_txn *next_free; /* of the readers' pool */
    bool writes;
    bool erased;          /* something secret was deleted: checkpoint soon */
    bool changed_devices; /* pairs in memory may be wrong now */
    /* What this transaction did to slots: to be erased after the commit, or after a rollback. */
    struct hk_slot_list condemned, allocated;
    struct hk_uses *uses;                  /* of the writer; NULL for readers */
    size_t condemned_mark, allocated_mark; /* lengths at the savepoint */
};

struct hk_store {
    struct hk_slots *slots; /* borrowed */
    struct hk_txn *writer;
    struct hk_txn *readers; /* all, an array */
    struct hk_reader_pool *pool;
    struct hk_pair_cache *pairs;
    char journal[HK_PATH_MAX]; /* the write-ahead log's path */
};

/* store_pairs.c: room for pairs in memory. HK_NO_MEMORY; without locked memory there are simply none. */
HK_CHECK enum hk_error hk_store_pairs_open(struct hk_store *store);
void hk_store_pairs_close(struct hk_store *store);

enum hk_arg_kind { HK_ARG_NULL, HK_ARG_NUMBER, HK_ARG_BLOB, HK_ARG_TEXT };
struct hk_arg {
    enum hk_arg_kind kind;
    uint64_t number;
    const void *data;
    size_t size;
};
#define HK_U(value) ((struct hk_arg){HK_ARG_NUMBER, (uint64_t)(value), NULL, 0})
#define HK_B(pointer, length) ((struct hk_arg){HK_ARG_BLOB, 0, (pointer), (length)})
#define HK_T(string) ((struct hk_arg){HK_ARG_TEXT, 0, (string), strlen(string)})
#define HK_N ((struct hk_arg){HK_ARG_NULL, 0, NULL, 0})
#define HK_ARGS(...)                                                                                         \
    (struct hk_arg[]){__VA_ARGS__}, sizeof((struct hk_arg[]){__VA_ARGS__}) / sizeof(struct hk_arg)

/* Runs a statement without result. HK_CONFLICT for a constraint, HK_INTERNAL for the rest. */
HK_CHECK enum hk_error hk_sql_run(struct hk_txn *txn, const char *text, const struct hk_arg *args,
                                  size_t count);
/* The same, and HK_NOT_FOUND if no row was changed. */
HK_CHECK enum hk_error hk_sql_change(struct hk_txn *txn, const char *text, const struct hk_arg *args,
                                     size_t count);

/* Begins a query and steps to its first row: HK_NOT_FOUND if there is none. Only after HK_OK: read columns,
 * go on with hk_sql_next (HK_NOT_FOUND after the last), and end with hk_sql_end in any case. */
HK_CHECK enum hk_error hk_sql_first(struct hk_txn *txn, sqlite3_stmt **row, const char *text,
                                    const struct hk_arg *args, size_t count);
HK_CHECK enum hk_error hk_sql_next(sqlite3_stmt *row);
void hk_sql_end(sqlite3_stmt *row);

/* One number: the first column of the first row. */
HK_CHECK enum hk_error hk_sql_number(struct hk_txn *txn, uint64_t *number, const char *text,
                                     const struct hk_arg *args, size_t count);

/* Columns. A blob must have exactly `size` bytes (HK_INTERNAL otherwise); NULL gives zeros. Text is cut to
 * `max`. */
HK_CHECK enum hk_error hk_column_blob(sqlite3_stmt *row, int column, void *out, size_t size);
uint64_t hk_column_number(sqlite3_stmt *row, int column);
void hk_column_text(sqlite3_stmt *row, int column, char *out, size_t max);

/* The first column of the first row, a blob, copied: HK_TOO_LARGE if it has more than `max` bytes. */
HK_CHECK enum hk_error hk_sql_blob(struct hk_txn *txn, uint8_t *out, size_t max, size_t *size,
                                   const char *text, const struct hk_arg *args, size_t count);

/* Remembers a slot in one of a transaction's lists. */
HK_CHECK enum hk_error hk_slot_list_add(struct hk_slot_list *list, uint64_t slot);

/* -- what the parts of the store ask of one another -- */
/* The rowid of an account or a device: HK_NOT_FOUND, HK_UNKNOWN_DEVICE. */
HK_CHECK enum hk_error hk_store_account_number(struct hk_txn *txn, const uint8_t *id, uint64_t *number);
HK_CHECK enum hk_error hk_store_device_number(struct hk_txn *txn, const uint8_t *serial, uint64_t *number);
/* Allocates a slot and inserts the row of a device with its sealed tag; its number to *number, the wrapping
 * key to `wrapping`. */
HK_CHECK enum hk_error hk_store_insert_device(struct hk_txn *txn, const struct hk_device *device,
                                              const uint8_t *tag, struct hk_secret32 *wrapping,
                                              uint64_t *number);
/* Inserts a key's row: the checks are those of hk_store_put_key; *known if it was there. */
HK_CHECK enum hk_error hk_store_insert_key(struct hk_txn *txn, const struct hk_key *key, bool *known);
/* The wrapping key of a device. */
HK_CHECK enum hk_error hk_store_wrapping_key(struct hk_txn *txn, const struct hk_device *device,
                                             struct hk_secret32 *key);
/* Seals and inserts one half. */
HK_CHECK enum hk_error hk_store_insert_half(struct hk_txn *txn, const struct hk_device *device,
                                            uint64_t number, const struct hk_secret32 *wrapping,
                                            uint64_t epoch, const uint8_t *key, const struct hk_scalar *half);
/* Seals an epoch's tag; hashes it for comparison. */
#define HK_SEALED_TAG (HK_TAG_BYTES + 40)
void hk_store_seal_tag(uint8_t sealed[HK_SEALED_TAG], const uint8_t *tag, const struct hk_device *device,
                       uint64_t epoch, const struct hk_secret32 *wrapping);
void hk_store_hash_tag(uint8_t hash[32], const uint8_t *tag);
/* Drops a device's deposit and what waits for it (its epoch has ended). */
HK_CHECK enum hk_error hk_store_drop_hand(struct hk_txn *txn, uint64_t number);
/* Takes from a device all that is secret and condemns its slot. */
HK_CHECK enum hk_error hk_store_erase_device(struct hk_txn *txn, uint64_t number, int64_t slot);

/* store_uses.c: between hk_store_uses_begin and the next savepoint or commit, logs' rows and devices are read
 * once and what changes in them is written once. For uses alone: whatever else changes a device or a log
 * stands behind a savepoint, which writes and forgets first. All do nothing, or find nothing, in other
 * transactions. */
HK_CHECK enum hk_error hk_store_uses_new(struct hk_txn *txn);
void hk_store_uses_free(struct hk_txn *txn);
HK_CHECK enum hk_error hk_store_uses_write(struct hk_txn *txn);
void hk_store_uses_drop(struct hk_txn *txn);
bool hk_store_uses_device(const struct hk_txn *txn, const uint8_t *serial, struct hk_device *device) HK_CHECK;
HK_CHECK enum hk_error hk_store_uses_keep(struct hk_txn *txn, const struct hk_device *device);
bool hk_store_uses_count(struct hk_txn *txn, const uint8_t *serial, uint64_t count, uint64_t now) HK_CHECK;

/* Brings the tables to the newest version, or to `version` if that is not 0 (tests). HK_UNSUPPORTED if they
 * are newer than this program. */
HK_CHECK enum hk_error hk_store_migrate(sqlite3 *db, unsigned version);
unsigned hk_store_schema_version(void);

#endif

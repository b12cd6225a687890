#include "keyservice/store_sql.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyservice/file.h"
#include "protocol/seam.h"

struct hk_reader_pool {
    pthread_mutex_t mutex;
    pthread_cond_t returned;
    struct hk_txn *free;
};

/* -- opening -- */

/* temp_store in memory: nothing of the store is ever written outside its own two files. */
static const char writer_settings[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
    "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
    "PRAGMA wal_autocheckpoint = 2000; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -65536;";
static const char reader_settings[] =
    "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -512;";

static void connection_close(struct hk_connection *connection)
{
    for (size_t i = 0; i < HK_STATEMENTS; i++) {
        sqlite3_finalize(connection->kept[i].statement);
    }
    sqlite3_close(connection->db);
    memset(connection, 0, sizeof *connection);
}

static enum hk_error connection_open(struct hk_connection *connection, const char *path, const char *settings)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (sqlite3_open_v2(path, &connection->db, flags, NULL) != SQLITE_OK ||
        sqlite3_extended_result_codes(connection->db, 1) != SQLITE_OK ||
        sqlite3_busy_timeout(connection->db, 2000) != SQLITE_OK ||
        sqlite3_exec(connection->db, settings, NULL, NULL, NULL) != SQLITE_OK) {
        connection_close(connection);
        return HK_IO;
    }
    return HK_OK;
}

/* An empty database file of mode 0600 is made first: SQLite gives its other files the same mode. */
static enum hk_error create_file(const char *path)
{
    int fd;
    HK_SEAM("store.create.before");
    enum hk_error error = hk_file_create(&fd, path);
    if (error != HK_OK) {
        return HK_IO;
    }
    close(fd);
    error = hk_file_sync_dir(path);
    HK_SEAM("store.create.after");
    return error;
}

static enum hk_error open_readers(struct hk_store *store, const char *path)
{
    store->readers = calloc(HK_STORE_READERS, sizeof *store->readers);
    store->pool = calloc(1, sizeof *store->pool);
    if (store->readers == NULL || store->pool == NULL) {
        return HK_NO_MEMORY;
    }
    pthread_mutex_init(&store->pool->mutex, NULL);
    pthread_cond_init(&store->pool->returned, NULL);
    for (int i = 0; i < HK_STORE_READERS; i++) {
        struct hk_txn *txn = &store->readers[i];
        txn->store = store;
        enum hk_error error = connection_open(&txn->connection, path, reader_settings);
        if (error != HK_OK) {
            return error;
        }
        txn->next_free = store->pool->free;
        store->pool->free = txn;
    }
    return HK_OK;
}

static enum hk_error open_writer(struct hk_store *store, const char *path, char *reason)
{
    store->writer = calloc(1, sizeof *store->writer);
    if (store->writer == NULL) {
        return HK_NO_MEMORY;
    }
    store->writer->store = store;
    store->writer->writes = true;
    enum hk_error error = hk_store_uses_new(store->writer);
    if (error != HK_OK) {
        return error;
    }
    error = connection_open(&store->writer->connection, path, writer_settings);
    if (error != HK_OK) {
        hk_reason(reason, "cannot open the database %.150s", path);
        return error;
    }
    HK_SEAM("store.migrate.before");
    error = hk_store_migrate(store->writer->connection.db, 0);
    HK_SEAM("store.migrate.after");
    if (error == HK_UNSUPPORTED) {
        hk_reason(reason, "the database was made by a newer version of halfkeyd");
    } else if (error != HK_OK) {
        hk_reason(reason, "cannot bring the database %.120s to this version's form: %.80s", path,
                  sqlite3_errmsg(store->writer->connection.db));
        error = HK_IO;
    }
    return error;
}

enum hk_error hk_store_open(struct hk_store **out, const char *path, struct hk_slots *slots, bool create,
                            char reason[256])
{
    if (!hk_file_exists(path)) {
        hk_reason(reason, "there is no database %.180s", path);
        enum hk_error error = create ? create_file(path) : HK_NOT_FOUND;
        if (error != HK_OK) {
            return error;
        }
    }
    int fd;
    enum hk_error error = hk_file_open_private(&fd, path, true, reason);
    if (error != HK_OK) {
        return error;
    }
    close(fd);
    struct hk_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return HK_NO_MEMORY;
    }
    store->slots = slots;
    (void)snprintf(store->journal, sizeof store->journal, "%s-wal", path);
    error = open_writer(store, path, reason);
    if (error == HK_OK) {
        error = hk_store_pairs_open(store);
    }
    if (error == HK_OK) {
        error = open_readers(store, path);
        if (error != HK_OK) {
            hk_reason(reason, "cannot open the database %.150s for reading", path);
        }
    }
    if (error != HK_OK) {
        hk_store_close(store);
        return error;
    }
    *out = store;
    return HK_OK;
}

void hk_store_close(struct hk_store *store)
{
    if (store == NULL) {
        return;
    }
    hk_store_pairs_close(store);
    for (int i = 0; store->readers != NULL && i < HK_STORE_READERS; i++) {
        connection_close(&store->readers[i].connection);
    }
    free(store->readers);
    if (store->pool != NULL) {
        pthread_mutex_destroy(&store->pool->mutex);
        pthread_cond_destroy(&store->pool->returned);
        free(store->pool);
    }
    if (store->writer != NULL) {
        connection_close(&store->writer->connection);
        free(store->writer->condemned.slots);
        free(store->writer->allocated.slots);
        hk_store_uses_free(store->writer);
        free(store->writer);
    }
    free(store);
}

/* -- reading -- */

enum hk_error hk_store_read_begin(struct hk_store *store, struct hk_txn **txn)
{
    struct hk_reader_pool *pool = store->pool;
    pthread_mutex_lock(&pool->mutex);
    while (pool->free == NULL) {
        pthread_cond_wait(&pool->returned, &pool->mutex);
    }
    struct hk_txn *taken = pool->free;
    pool->free = taken->next_free;
    pthread_mutex_unlock(&pool->mutex);
    enum hk_error error = hk_sql_run(taken, "BEGIN", NULL, 0);
    if (error != HK_OK) {
        hk_store_read_end(taken);
        return HK_INTERNAL;
    }
    *txn = taken;
    return HK_OK;
}

void hk_store_read_end(struct hk_txn *txn)
{
    struct hk_reader_pool *pool = txn->store->pool;
    if (hk_sql_run(txn, "COMMIT", NULL, 0) != HK_OK) {
        sqlite3_exec(txn->connection.db, "ROLLBACK", NULL, NULL, NULL);
    }
    pthread_mutex_lock(&pool->mutex);
    txn->next_free = pool->free;
    pool->free = txn;
    pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->mutex);
}

/* -- writing -- */

enum hk_error hk_store_write_begin(struct hk_store *store, struct hk_txn **txn)
{
    struct hk_txn *writer = store->writer;
    writer->condemned.count = writer->allocated.count = 0;
    writer->erased = writer->changed_devices = false;
    hk_store_uses_drop(writer);
    if (hk_sql_run(writer, "BEGIN IMMEDIATE", NULL, 0) != HK_OK) {
        return HK_INTERNAL;
    }
    *txn = writer;
    return HK_OK;
}

enum hk_error hk_store_write_commit(struct hk_txn *txn)
{
    enum hk_error error = hk_store_uses_write(txn);
    HK_SEAM("store.commit.before");
    if (error == HK_OK) {
        error = hk_sql_run(txn, "COMMIT", NULL, 0);
    }
    HK_SEAM("store.commit.after");
    if (error != HK_OK) {
        hk_store_write_rollback(txn);
        return HK_INTERNAL;
    }
    return HK_OK;
}

void hk_store_write_rollback(struct hk_txn *txn)
{
    hk_store_uses_drop(txn);
    /* After some errors (a full disk) SQLite has rolled back already. */
    if (sqlite3_get_autocommit(txn->connection.db) == 0) {
        sqlite3_exec(txn->connection.db, "ROLLBACK", NULL, NULL, NULL);
    }
}

enum hk_error hk_store_savepoint(struct hk_txn *txn)
{
    txn->condemned_mark = txn->condemned.count;
    txn->allocated_mark = txn->allocated.count;
    enum hk_error error = hk_store_uses_write(txn);
    return error == HK_OK ? hk_sql_run(txn, "SAVEPOINT entry", NULL, 0) : error;
}

enum hk_error hk_store_savepoint_keep(struct hk_txn *txn)
{
    return hk_sql_run(txn, "RELEASE entry", NULL, 0);
}

/* Slots that the entry took are condemned: their rows are gone, so they are erased with the rest of the
 * batch. */
enum hk_error hk_store_savepoint_undo(struct hk_txn *txn)
{
    if (sqlite3_get_autocommit(txn->connection.db) != 0 ||
        hk_sql_run(txn, "ROLLBACK TO entry", NULL, 0) != HK_OK ||
        hk_sql_run(txn, "RELEASE entry", NULL, 0) != HK_OK) {
        return HK_INTERNAL;
    }
    txn->condemned.count = txn->condemned_mark;
    for (size_t i = txn->allocated_mark; i < txn->allocated.count; i++) {
        enum hk_error error = hk_slot_list_add(&txn->condemned, txn->allocated.slots[i]);
        if (error != HK_OK) {
            return error;
        }
    }
    return HK_OK;
}

const uint64_t *hk_store_condemned(const struct hk_txn *txn, size_t *count)
{
    *count = txn->condemned.count;
    return txn->condemned.slots;
}

const uint64_t *hk_store_allocated(const struct hk_txn *txn, size_t *count)
{
    *count = txn->allocated.count;
    return txn->allocated.slots;
}

bool hk_store_wants_checkpoint(const struct hk_txn *txn)
{
    return txn->erased;
}

enum hk_error hk_store_checkpoint(struct hk_store *store)
{
    HK_SEAM("store.checkpoint.before");
    int result =
        sqlite3_wal_checkpoint_v2(store->writer->connection.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    HK_SEAM("store.checkpoint.after");
    if (result == SQLITE_OK) {
        return HK_OK;
    }
    return (result & 0xff) == SQLITE_BUSY ? HK_BUSY : HK_INTERNAL;
}

/* A frame of the journal is a page and 24 bytes; a checkpoint begins it anew after 2,000. */
#define JOURNAL_BYTES (32 + 2000 * (4096 + 24))

/* SQLite reads its journal up to the first frame whose salt and checksum do not fit: zeros behind its end are
 * no frames. Only what is behind the end of the file is written, so nothing that is there can be touched. */
enum hk_error hk_store_lay_out_journal(struct hk_store *store)
{
    static const uint8_t zeros[65536];
    struct stat found;
    int fd = open(store->journal, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &found) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return HK_NOT_FOUND;
    }
    enum hk_error error = HK_OK;
    for (off_t at = found.st_size; at < JOURNAL_BYTES && error == HK_OK; at += (off_t)sizeof zeros) {
        error = hk_file_write_at(fd, zeros, sizeof zeros, (uint64_t)at);
    }
    if (error == HK_OK && found.st_size < JOURNAL_BYTES) {
        error = hk_file_sync(fd);
    }
    close(fd);
    return error;
}

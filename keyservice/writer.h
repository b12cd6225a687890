/* writer.h - the one thread that writes, and its group commit.
 *
 * Whoever wants something stored submits an entry. The writer takes all that has queued while the last commit
 * ran, applies the entries in order inside one transaction, commits it durably once, and then calls each
 * entry's done. So no thread ever waits for a commit, an entry sees what those before it did, in its own
 * batch too, and nothing is heard of before it is durable. Revocations overwrite their slots before any done
 * of their batch is called. */
#ifndef HALFKEY_KEYSERVICE_WRITER_H
#define HALFKEY_KEYSERVICE_WRITER_H

#include <stdbool.h>

#include "crypto/error.h"
#include "keyservice/store.h"
#include "keyservice/vault.h"

/* Embed it in what the functions need. The caller owns it; the writer has it from submit until done. All
 * three functions run on the writer's thread and never block on anything but the store. */
struct hk_entry {
    struct hk_entry *next; /* the writer's */
    /* Makes the changes. On an error all changes of this entry, and only those, are undone. */
    enum hk_error (*apply)(struct hk_entry *entry, struct hk_txn *txn);
    /* True: apply is a use (hk_store_uses_begin) that refuses before it changes anything, so it needs no
     * savepoint; HK_INTERNAL from it fails the whole batch. */
    bool is_use;
    /* May be NULL. Called after an apply that returned `error` and was undone; leaves a refusal leaf. */
    enum hk_error (*refused)(struct hk_entry *entry, struct hk_txn *txn, enum hk_error error);
    /* After the commit: HK_OK or what apply returned; HK_INTERNAL if the commit failed and nothing was
     * stored. The entry is the caller's again. */
    void (*done)(struct hk_entry *entry, enum hk_error outcome);
    enum hk_error outcome; /* the writer's */
};

struct hk_writer;

#define HK_WRITER_QUEUE 8192 /* entries */
#define HK_WRITER_BATCH 1024 /* entries of one commit, at most */

/* Starts the thread. The vault must outlive the writer. Every hour, and whenever a revocation asks for it,
 * the writer changes the generation. HK_NO_MEMORY, HK_INTERNAL. Freed by hk_writer_stop. */
HK_CHECK enum hk_error hk_writer_start(struct hk_writer **writer, struct hk_vault *vault);

/* Queues an entry; any thread, never blocks on a commit. HK_OK: done will be called, once. HK_BUSY (queue
 * full), HK_QUARANTINE, HK_INTERNAL (stopping): it will not. */
HK_CHECK enum hk_error hk_writer_submit(struct hk_writer *writer, struct hk_entry *entry);

/* Around work that may end in a submit: under load the writer waits for it, HK_WRITER_GATHER_US at most, so
 * that a commit serves more entries. Any thread, cheap; what is submitted in between need not be what was
 * expected. */
#define HK_WRITER_GATHER_US 1000
#define HK_WRITER_GATHER_FROM 4 /* entries that wait already: below, nobody waits for anybody */
#define HK_WRITER_GATHER_TO 64  /* entries that are enough */
void hk_writer_expect(struct hk_writer *writer);
void hk_writer_expect_no_more(struct hk_writer *writer);

/* Finishes what was accepted, ends the thread and frees the writer. NULL is allowed. */
void hk_writer_stop(struct hk_writer *writer);

/* For metrics: entries and commits so far. */
struct hk_writer_figures {
    uint64_t entries, commits, failures, queued;
};
void hk_writer_figures(struct hk_writer *writer, struct hk_writer_figures *figures);
/* True if the last commit failed. */
bool hk_writer_is_failing(struct hk_writer *writer) HK_CHECK;
/* Where the time of each commit goes; before anything is submitted. */
struct hk_histogram;
void hk_writer_measure(struct hk_writer *writer, struct hk_histogram *commits);

#endif

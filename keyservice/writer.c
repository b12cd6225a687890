#include "keyservice/writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "keyservice/generation.h"
#include "keyservice/metrics.h"
#include "keyservice/store_open.h"

#define HOUR 3600
/* A service that is used lays out its journal, in the first pause after so many commits, or without one. */
#define LAY_OUT_EARLIEST 64
#define LAY_OUT_LATEST 256

struct hk_writer {
    struct hk_vault *vault;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    struct hk_entry *first, *last; /* the queue */
    size_t queued;
    bool stopping;
    atomic_int coming;     /* work that may submit */
    atomic_bool gathering; /* the thread waits for it */
    pthread_cond_t gathered;
    struct hk_writer_figures figures;
    bool failing;
    struct hk_histogram *measured; /* NULL: nobody wants to know */
    /* the thread's own */
    int64_t next_change, next_checkpoint; /* monotonic seconds */
    bool wants_checkpoint;
    unsigned commits_here; /* since the journal was emptied; above LAY_OUT_LATEST: it is laid out */
};

static int64_t now_monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

enum hk_error hk_writer_submit(struct hk_writer *writer, struct hk_entry *entry)
{
    enum hk_error error = HK_OK;
    pthread_mutex_lock(&writer->mutex);
    if (hk_vault_is_quarantined(writer->vault)) {
        error = HK_QUARANTINE;
    } else if (writer->stopping) {
        error = HK_INTERNAL;
    } else if (writer->queued >= HK_WRITER_QUEUE) {
        error = HK_BUSY;
    } else {
        entry->next = NULL;
        if (writer->last == NULL) {
            writer->first = entry;
            pthread_cond_signal(&writer->woken);
        } else {
            writer->last->next = entry;
        }
        writer->last = entry;
        writer->queued++;
        if (writer->queued == HK_WRITER_GATHER_TO && atomic_load(&writer->gathering)) {
            pthread_cond_signal(&writer->gathered);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return error;
}

void hk_writer_expect(struct hk_writer *writer)
{
    (void)atomic_fetch_add(&writer->coming, 1);
}

/* The last one wakes the thread: either it is seen here that it gathers, or there that nothing comes. */
void hk_writer_expect_no_more(struct hk_writer *writer)
{
    if (atomic_fetch_sub(&writer->coming, 1) == 1 && atomic_load(&writer->gathering)) {
        pthread_mutex_lock(&writer->mutex);
        pthread_cond_signal(&writer->gathered);
        pthread_mutex_unlock(&writer->mutex);
    }
}

/* -- one batch -- */

/* One that changes nothing before its last refusal. */
static enum hk_error apply_use(struct hk_entry *entry, struct hk_txn *txn)
{
    hk_store_uses_begin(txn);
    entry->outcome = entry->apply(entry, txn);
    return entry->outcome == HK_INTERNAL ? HK_INTERNAL : HK_OK;
}

static enum hk_error apply_refusal(struct hk_entry *entry, struct hk_txn *txn)
{
    if (entry->refused == NULL) {
        return HK_OK;
    }
    enum hk_error error = hk_store_savepoint(txn);
    if (error == HK_OK) {
        error = entry->refused(entry, txn, entry->outcome) == HK_OK ? hk_store_savepoint_keep(txn)
                                                                    : hk_store_savepoint_undo(txn);
    }
    return error;
}

/* HK_INTERNAL: the database gave up, the whole batch fails. A refusal is no failure. */
static enum hk_error apply_one(struct hk_entry *entry, struct hk_txn *txn)
{
    if (entry->is_use) {
        enum hk_error error = apply_use(entry, txn);
        return error != HK_OK || entry->outcome == HK_OK ? error : apply_refusal(entry, txn);
    }
    enum hk_error error = hk_store_savepoint(txn);
    if (error != HK_OK) {
        return HK_INTERNAL;
    }
    entry->outcome = entry->apply(entry, txn);
    if (entry->outcome == HK_OK) {
        return hk_store_savepoint_keep(txn);
    }
    error = hk_store_savepoint_undo(txn);
    return error != HK_OK ? error : apply_refusal(entry, txn);
}

static enum hk_error run_batch(struct hk_writer *writer, struct hk_entry *batch, bool change)
{
    struct hk_txn *txn;
    enum hk_error error = hk_vault_settle(writer->vault);
    if (error == HK_OK) {
        error = hk_store_write_begin(hk_vault_store(writer->vault), &txn);
    }
    if (error != HK_OK) {
        return error;
    }
    for (struct hk_entry *entry = batch; entry != NULL && error == HK_OK; entry = entry->next) {
        error = apply_one(entry, txn);
    }
    if (error != HK_OK) {
        hk_vault_abandon(writer->vault, txn);
        return HK_INTERNAL;
    }
    writer->wants_checkpoint = writer->wants_checkpoint || hk_store_wants_checkpoint(txn);
    bool forget = hk_store_changed_devices(txn);
    uint64_t began = hk_metrics_clock();
    error = hk_vault_commit(writer->vault, txn, change);
    if (writer->measured != NULL) {
        hk_histogram_add(writer->measured, hk_metrics_clock() - began);
    }
    if (forget) { /* also after a failure, of which it is not known what the disk has */
        hk_store_pairs_forget(hk_vault_store(writer->vault));
    }
    return error;
}

static void finish_batch(struct hk_entry *batch, enum hk_error error)
{
    while (batch != NULL) {
        struct hk_entry *entry = batch;
        batch = entry->next; /* done may free it */
        entry->done(entry, error == HK_OK ? entry->outcome : HK_INTERNAL);
    }
}

/* -- the thread -- */

/* Several wait for this commit, and more are nearly ready: a commit costs the same for all of them. */
static void gather(struct hk_writer *writer)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += HK_WRITER_GATHER_US * 1000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    atomic_store(&writer->gathering, true);
    while (writer->queued < HK_WRITER_GATHER_TO && atomic_load(&writer->coming) != 0 && !writer->stopping &&
           pthread_cond_timedwait(&writer->gathered, &writer->mutex, &until) == 0) {
    }
    atomic_store(&writer->gathering, false);
}

/* Waits for work, for the hour, or for the end; takes a batch off the queue (mutex held). */
static struct hk_entry *take_batch(struct hk_writer *writer, uint64_t *count)
{
    struct timespec until = {.tv_sec = writer->next_change};
    if (writer->wants_checkpoint && writer->next_checkpoint < writer->next_change) {
        until.tv_sec = writer->next_checkpoint;
    }
    while (writer->first == NULL && !writer->stopping && now_monotonic() < until.tv_sec) {
        pthread_cond_timedwait(&writer->woken, &writer->mutex, &until);
    }
    if (writer->queued >= HK_WRITER_GATHER_FROM) {
        gather(writer);
    }
    struct hk_entry *batch = writer->first, *end = NULL;
    *count = 0;
    for (struct hk_entry *entry = batch; entry != NULL && *count < HK_WRITER_BATCH; entry = entry->next) {
        end = entry;
        ++*count;
    }
    if (end != NULL) {
        writer->first = end->next;
        writer->last = writer->first == NULL ? NULL : writer->last;
        writer->queued -= *count;
        end->next = NULL;
    }
    return batch;
}

/* After an epoch's end the old halves are still in the journal; nobody waits for their going. */
static void checkpoint_if_due(struct hk_writer *writer)
{
    if (writer->wants_checkpoint && now_monotonic() >= writer->next_checkpoint) {
        writer->next_checkpoint = now_monotonic() + 1;
        writer->wants_checkpoint = hk_store_checkpoint(hk_vault_store(writer->vault)) != HK_OK;
        writer->commits_here = 0; /* it emptied the journal */
    }
}

static void lay_out_journal(struct hk_writer *writer, bool idle)
{
    if (writer->commits_here > LAY_OUT_LATEST) {
        return;
    }
    writer->commits_here++;
    if (writer->commits_here == LAY_OUT_LATEST || (idle && writer->commits_here >= LAY_OUT_EARLIEST)) {
        (void)!hk_store_lay_out_journal(
            hk_vault_store(writer->vault)); /* without it commits are slower, no more */
        writer->commits_here = LAY_OUT_LATEST + 1;
    }
}

static void *writer_thread(void *context)
{
    struct hk_writer *writer = context;
    pthread_mutex_lock(&writer->mutex);
    for (;;) {
        uint64_t count;
        struct hk_entry *batch = take_batch(writer, &count);
        if (batch == NULL && writer->stopping) {
            break;
        }
        bool more_waits = writer->first != NULL;
        pthread_mutex_unlock(&writer->mutex);
        bool change = now_monotonic() >= writer->next_change;
        enum hk_error error = HK_OK;
        if (batch != NULL || change) {
            error = run_batch(writer, batch, change);
            if (change) {
                writer->next_change = now_monotonic() + (error == HK_OK ? HOUR : 1);
            }
            finish_batch(batch, error);
        }
        checkpoint_if_due(writer);
        if (batch != NULL && error == HK_OK) {
            lay_out_journal(writer, !more_waits);
        }
        pthread_mutex_lock(&writer->mutex);
        writer->figures.entries += count;
        writer->figures.commits += error == HK_OK && batch != NULL;
        writer->figures.failures += error != HK_OK;
        writer->failing = batch != NULL || change ? error != HK_OK : writer->failing;
    }
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

enum hk_error hk_writer_start(struct hk_writer **out, struct hk_vault *vault)
{
    struct hk_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        return HK_NO_MEMORY;
    }
    writer->vault = vault;
    /* In quarantine nothing is submitted and the generation is left alone. */
    writer->next_change = hk_vault_is_quarantined(vault) ? INT32_MAX : now_monotonic() + HOUR;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->woken, &attributes);
    pthread_cond_init(&writer->gathered, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&writer->mutex, NULL);
    if (pthread_create(&writer->thread, NULL, writer_thread, writer) != 0) {
        pthread_mutex_destroy(&writer->mutex);
        pthread_cond_destroy(&writer->woken);
        pthread_cond_destroy(&writer->gathered);
        free(writer);
        return HK_INTERNAL;
    }
    *out = writer;
    return HK_OK;
}

void hk_writer_stop(struct hk_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    pthread_mutex_lock(&writer->mutex);
    writer->stopping = true;
    pthread_cond_signal(&writer->woken);
    pthread_cond_signal(&writer->gathered);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
    pthread_mutex_destroy(&writer->mutex);
    pthread_cond_destroy(&writer->woken);
    pthread_cond_destroy(&writer->gathered);
    free(writer);
}

void hk_writer_figures(struct hk_writer *writer, struct hk_writer_figures *figures)
{
    pthread_mutex_lock(&writer->mutex);
    *figures = writer->figures;
    figures->queued = writer->queued;
    pthread_mutex_unlock(&writer->mutex);
}

bool hk_writer_is_failing(struct hk_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    bool failing = writer->failing;
    pthread_mutex_unlock(&writer->mutex);
    return failing;
}

void hk_writer_measure(struct hk_writer *writer, struct hk_histogram *commits)
{
    writer->measured = commits;
}

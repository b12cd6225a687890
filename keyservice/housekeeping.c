#include "keyservice/housekeeping.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keyservice/console.h"
#include "keyservice/dispatch.h"

#define SWEEP_SECONDS 5
#define CHORE_SECONDS 60
#define UNPROFILED_SECONDS 86400
#define ACCOUNTS_AT_ONCE 16

struct hk_housekeeping {
    struct hk_entry entry; /* first; one chore at a time */
    struct hk_server *server;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping, writing;
};

static uint64_t monotonic(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

static enum hk_error write_refusals(struct hk_server *server, struct hk_txn *txn, uint64_t now)
{
    enum hk_error error = HK_OK;
    uint8_t serial[HK_ID_BYTES];
    uint64_t count;
    while (error == HK_OK && hk_refusals_due(server->refusals, now, serial, &count)) {
        struct hk_device device;
        struct hk_leaf leaf = {
            .has_who = true, .count = count, .time = hk_now(), .outcome = (uint64_t)HK_OVER_QUOTA};
        memcpy(leaf.who, serial, HK_ID_BYTES);
        error = hk_store_get_device(txn, serial, &device);
        if (error == HK_OK) {
            error = hk_log_append_leaf(txn, device.account, &leaf);
        }
        error = error == HK_UNKNOWN_DEVICE || error == HK_NOT_FOUND ? HK_OK : error;
    }
    return error;
}

static enum hk_error erase_accounts(struct hk_txn *txn)
{
    uint8_t ids[ACCOUNTS_AT_ONCE][HK_ACCOUNT_BYTES];
    size_t count = 0;
    enum hk_error error =
        hk_store_expired_accounts(txn, hk_now() - UNPROFILED_SECONDS, ids[0], ACCOUNTS_AT_ONCE, &count);
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        error = hk_store_delete_account(txn, ids[i]);
    }
    return error;
}

static enum hk_error chore_apply(struct hk_entry *entry, struct hk_txn *txn)
{
    struct hk_housekeeping *housekeeping = (struct hk_housekeeping *)entry;
    struct hk_server *server = housekeeping->server;
    bool last = atomic_load(&server->stopping);
    enum hk_error error = write_refusals(server, txn, last ? UINT64_MAX : monotonic());
    return error == HK_OK && !last ? erase_accounts(txn) : error;
}

static void chore_done(struct hk_entry *entry, enum hk_error outcome)
{
    struct hk_housekeeping *housekeeping = (struct hk_housekeeping *)entry;
    if (outcome != HK_OK) {
        hk_console(HK_LEVEL_WARNING, "housekeeping-failed", " error=%s", hk_error_name(outcome));
    }
    (void)pthread_mutex_lock(&housekeeping->lock);
    housekeeping->writing = false;
    (void)pthread_cond_broadcast(&housekeeping->wake);
    (void)pthread_mutex_unlock(&housekeeping->lock);
}

/* With the lock held. */
static void begin_chore(struct hk_housekeeping *housekeeping)
{
    if (housekeeping->writing || housekeeping->server->writer == NULL) {
        return;
    }
    housekeeping->writing = true;
    housekeeping->entry = (struct hk_entry){.apply = chore_apply, .refused = NULL, .done = chore_done};
    if (hk_writer_submit(housekeeping->server->writer, &housekeeping->entry) != HK_OK) {
        housekeeping->writing = false;
    }
}

static void sweep(struct hk_server *server)
{
    uint64_t now = hk_now();
    hk_session_table_sweep(server->sessions);
    struct hk_listener *listener = atomic_load(&server->listener_ready) ? server->listener : NULL;
    if (listener != NULL) {
        hk_listener_sweep(listener);
    }
    hk_invitations_sweep(server->invitations, now);
    hk_enrolments_sweep(server->enrolments, now);
    hk_enrolments_sweep(server->hands, now);
    hk_recoveries_sweep(server->recoveries, now);
}

static void *run(void *argument)
{
    struct hk_housekeeping *housekeeping = argument;
    uint64_t chore = monotonic() + CHORE_SECONDS;
    (void)pthread_mutex_lock(&housekeeping->lock);
    while (!housekeeping->stopping) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += SWEEP_SECONDS;
        (void)pthread_cond_timedwait(&housekeeping->wake, &housekeeping->lock, &until);
        sweep(housekeeping->server);
        if (monotonic() >= chore) {
            chore = monotonic() + CHORE_SECONDS;
            hk_device_states_sweep(housekeeping->server->devices,
                                   hk_policy_quota(housekeeping->server->policy));
            begin_chore(housekeeping);
        }
    }
    while (housekeeping->writing) {
        (void)pthread_cond_wait(&housekeeping->wake, &housekeeping->lock);
    }
    begin_chore(housekeeping);
    while (housekeeping->writing) {
        (void)pthread_cond_wait(&housekeeping->wake, &housekeeping->lock);
    }
    (void)pthread_mutex_unlock(&housekeeping->lock);
    return NULL;
}

enum hk_error hk_housekeeping_start(struct hk_housekeeping **out, struct hk_server *server)
{
    struct hk_housekeeping *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return HK_NO_MEMORY;
    }
    made->server = server;
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->wake, NULL);
    if (pthread_create(&made->thread, NULL, run, made) != 0) {
        free(made);
        return HK_INTERNAL;
    }
    *out = made;
    return HK_OK;
}

void hk_housekeeping_stop(struct hk_housekeeping *housekeeping)
{
    if (housekeeping == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&housekeeping->lock);
    housekeeping->stopping = true;
    (void)pthread_cond_broadcast(&housekeeping->wake);
    (void)pthread_mutex_unlock(&housekeeping->lock);
    (void)pthread_join(housekeeping->thread, NULL);
    (void)pthread_cond_destroy(&housekeeping->wake);
    (void)pthread_mutex_destroy(&housekeeping->lock);
    free(housekeeping);
}

#include "keyservice/vault.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keyservice/vault_parts.h"

struct paths {
    char keys[HK_PATH_MAX], store[HK_PATH_MAX], a[HK_PATH_MAX], b[HK_PATH_MAX];
};

static enum hk_error path_or(char *out, const char *given, const char *data, const char *name)
{
    if (given == NULL) {
        return hk_path(out, data, name);
    }
    if (strlen(given) >= HK_PATH_MAX) {
        return HK_IO;
    }
    strcpy(out, given);
    return HK_OK;
}

static enum hk_error all_paths(struct paths *paths, const struct hk_vault_options *options, char *reason)
{
    if (hk_path(paths->keys, options->data, "service.keys") != HK_OK ||
        hk_path(paths->store, options->data, "store.db") != HK_OK ||
        path_or(paths->a, options->slots_a, options->data, "slots.a") != HK_OK ||
        path_or(paths->b, options->slots_b, options->data, "slots.b") != HK_OK) {
        hk_reason(reason, "a path is too long");
        return HK_IO;
    }
    return HK_OK;
}

/* Things are made in the order master key, service keys, slots, store, so what exists says how far a first
 * start came. Once the store is there, nothing else is ever made anew: a missing file is then a loss, and the
 * operator's to judge. */
static enum hk_error open_keys(struct hk_vault *vault, const struct paths *paths, bool make, char *reason)
{
    bool have_keys = hk_file_exists(paths->keys), have_store = hk_file_exists(paths->store);
    enum hk_error error =
        hk_master_key_load(&vault->master, vault->data, make && !have_keys && !have_store, reason);
    if (error == HK_OK) {
        error = hk_service_keys_load(&vault->keys, vault->data, vault->master, make && !have_store, reason);
    }
    return error;
}

static enum hk_error open_slots(struct hk_vault *vault, const struct paths *paths, enum hk_vault_use use,
                                char *reason)
{
    bool have_a = hk_file_exists(paths->a), have_b = hk_file_exists(paths->b);
    bool have_store = hk_file_exists(paths->store);
    bool make = (use == HK_VAULT_SERVE && !have_store) || (use == HK_VAULT_ADOPT && !have_a && !have_b);
    if (have_store && !have_a && !have_b && !make) {
        hk_reason(reason,
                  "both slot files are missing: without them the store opens nothing; put them back, or"
                  " run 'halfkeyd adopt-restore', which revokes every device");
        return HK_NOT_FOUND;
    }
    if (have_store && have_a != have_b) {
        hk_reason(reason, "the slot file %.150s is missing: copy the other one to its place",
                  have_a ? paths->b : paths->a);
        return HK_NOT_FOUND;
    }
    return hk_slots_open(&vault->slots, paths->a, paths->b, vault->master, make, reason);
}

static bool slots_are_new(const struct hk_slots *slots)
{
    struct hk_slots_header headers[2];
    hk_slots_headers(slots, headers);
    for (int copy = 0; copy < 2; copy++) {
        if (!headers[copy].valid || headers[copy].generation != 1 || headers[copy].next != 0) {
            return false;
        }
    }
    for (uint64_t slot = 0; slot < hk_slots_count(slots); slot++) {
        if (hk_slots_is_live(slots, slot)) {
            return false;
        }
    }
    return true;
}

static enum hk_error open_store(struct hk_vault *vault, const struct paths *paths, enum hk_vault_use use,
                                char *reason)
{
    bool make = use == HK_VAULT_SERVE && slots_are_new(vault->slots);
    if (!make && !hk_file_exists(paths->store)) {
        hk_reason(reason, "%.120s is missing, and the slot files are in use: put the database back",
                  paths->store);
        return HK_NOT_FOUND;
    }
    return hk_store_open(&vault->store, paths->store, vault->slots, make, reason);
}

enum hk_error hk_vault_open_parts(struct hk_vault **out, const struct hk_vault_options *options,
                                  enum hk_vault_use use, char reason[256])
{
    hk_reason(reason, "out of memory");
    if (sodium_init() < 0) {
        return HK_INTERNAL;
    }
    struct paths *paths = malloc(sizeof *paths);
    struct hk_vault *vault = calloc(1, sizeof *vault);
    if (vault == NULL || paths == NULL) {
        free(paths);
        free(vault);
        return HK_NO_MEMORY;
    }
    vault->lock = -1;
    enum hk_error error = all_paths(paths, options, reason);
    if (error == HK_OK) {
        error = path_or(vault->data, options->data, NULL, NULL);
    }
    if (error == HK_OK && use != HK_VAULT_SERVE && !hk_file_exists(options->data)) {
        hk_reason(reason, "there is no directory %.180s", options->data);
        error = HK_NOT_FOUND;
    }
    if (error == HK_OK) {
        error = hk_file_private_dir(options->data, reason);
    }
    if (error == HK_OK) {
        error = hk_file_lock_dir(&vault->lock, options->data, reason);
    }
    if (error == HK_OK) {
        error = open_keys(vault, paths, use == HK_VAULT_SERVE, reason);
    }
    if (error == HK_OK) {
        error = open_slots(vault, paths, use, reason);
    }
    if (error == HK_OK) {
        error = open_store(vault, paths, use, reason);
    }
    free(paths);
    if (error != HK_OK) {
        hk_vault_close(vault);
        return error;
    }
    *out = vault;
    return HK_OK;
}

void hk_vault_close(struct hk_vault *vault)
{
    if (vault == NULL) {
        return;
    }
    hk_store_close(vault->store);
    hk_slots_close(vault->slots);
    hk_secret_free(vault->keys);
    hk_secret_free(vault->master);
    free(vault->erase);
    if (vault->lock >= 0) {
        close(vault->lock);
    }
    free(vault);
}

/* REDO and CLEAR both end with a header of the store's generation and nothing announced; slots that the cut
 * change left behind have no row, so reconciling erases them. */
static enum hk_error start(struct hk_vault *vault, char *reason)
{
    enum hk_start decision;
    enum hk_error error = hk_vault_decide(vault, &decision);
    if (error == HK_OK && decision == HK_START_QUARANTINE) {
        vault->quarantined = true;
        hk_reason(reason,
                  "the database (generation %llu) and the slot files do not fit together: one of them was"
                  " put back from a backup. Nothing is served until 'halfkeyd adopt-restore'",
                  (unsigned long long)vault->generation);
        return HK_OK;
    }
    if (error == HK_OK && decision != HK_START_GO) {
        vault->unsettled = true;
        error = hk_vault_settle(vault);
    }
    if (error == HK_OK) {
        error = hk_vault_reconcile(vault, (uint64_t)time(NULL));
    }
    if (error != HK_OK) {
        hk_reason(reason, "cannot write to the slot files or the database");
    }
    return error;
}

enum hk_error hk_vault_open(struct hk_vault **out, const struct hk_vault_options *options, char reason[256])
{
    struct hk_vault *vault;
    enum hk_error error = hk_vault_open_parts(&vault, options, HK_VAULT_SERVE, reason);
    if (error != HK_OK) {
        return error;
    }
    error = start(vault, reason);
    if (error != HK_OK) {
        hk_vault_close(vault);
        return error;
    }
    *out = vault;
    return HK_OK;
}

enum hk_error hk_vault_adopt(const struct hk_vault_options *options, bool force, char reason[256])
{
    struct hk_vault *vault;
    enum hk_error error = hk_vault_open_parts(&vault, options, HK_VAULT_ADOPT, reason);
    if (error != HK_OK) {
        return error;
    }
    enum hk_start decision;
    error = hk_vault_decide(vault, &decision);
    if (error == HK_OK && decision != HK_START_QUARANTINE && !force) {
        hk_reason(
            reason,
            "database and slot files fit together; there is nothing to adopt. If a copy of the database was"
            " put back all the same, and devices say that their log is another: adopt-restore --force");
        error = HK_CONFLICT;
    } else if (error == HK_OK) {
        error = hk_vault_adopt_opened(vault, (uint64_t)time(NULL));
        if (error != HK_OK) {
            hk_reason(reason, "cannot write to the slot files or the database");
        }
    }
    hk_vault_close(vault);
    return error;
}

static enum hk_error drop_ring(struct hk_vault *vault)
{
    struct hk_txn *txn;
    enum hk_error error = hk_vault_settle(vault);
    if (error == HK_OK) {
        error = hk_store_write_begin(vault->store, &txn);
    }
    if (error != HK_OK) {
        return error;
    }
    error = hk_store_drop_ring(txn);
    if (error != HK_OK) {
        hk_store_write_rollback(txn);
        return error;
    }
    error = hk_vault_commit(vault, txn, false);
    return error == HK_OK ? hk_store_checkpoint(vault->store) : error;
}

enum hk_error hk_vault_replace_ring(const struct hk_vault_options *options, char reason[256])
{
    struct hk_vault *vault;
    enum hk_error error = hk_vault_open_parts(&vault, options, HK_VAULT_CHECK, reason);
    if (error != HK_OK) {
        return error;
    }
    enum hk_start decision;
    error = hk_vault_decide(vault, &decision);
    if (error == HK_OK && decision == HK_START_QUARANTINE) {
        hk_reason(reason,
                  "the database and the slot files do not fit together: 'halfkeyd adopt-restore' first");
        error = HK_CONFLICT;
    } else if (error == HK_OK) {
        vault->unsettled = decision != HK_START_GO;
        error = drop_ring(vault);
        if (error != HK_OK) {
            hk_reason(reason, "cannot write to the slot files or the database");
        }
    }
    hk_vault_close(vault);
    return error;
}

bool hk_vault_is_quarantined(const struct hk_vault *vault)
{
    return vault->quarantined;
}

struct hk_store *hk_vault_store(struct hk_vault *vault)
{
    return vault->store;
}

const struct hk_service_keys *hk_vault_keys(const struct hk_vault *vault)
{
    return vault->keys;
}

const char *hk_vault_data(const struct hk_vault *vault)
{
    return vault->data;
}

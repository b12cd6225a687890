#include "keyservice/generation.h"

#include <stdlib.h>
#include <string.h>

#include "keyservice/log.h"
#include "keyservice/vault_parts.h"
#include "protocol/seam.h"

/* -- deciding -- */

static enum hk_start decide_one(const struct hk_slots_header *header, uint64_t store)
{
    if (header->generation == store && header->next == 0) {
        return HK_START_GO;
    }
    if (header->generation == store && header->next == store + 1) {
        return HK_START_CLEAR;
    }
    if (header->generation + 1 == store && header->next == store) {
        return HK_START_REDO;
    }
    return HK_START_QUARANTINE;
}

/* The copies are written one after the other, so a crash can leave one a step behind: GO beside CLEAR is an
 * announcement half made, GO beside REDO an overwriting half done. CLEAR beside REDO cannot come from a
 * crash. */
enum hk_start hk_generation_decide(const struct hk_slots_header headers[2], uint64_t store)
{
    enum hk_start found[2];
    int valid = 0;
    for (int copy = 0; copy < 2; copy++) {
        if (headers[copy].valid) {
            found[valid++] = decide_one(&headers[copy], store);
        }
    }
    if (valid == 0) {
        return HK_START_QUARANTINE;
    }
    if (valid == 1 || found[0] == found[1] || found[1] == HK_START_GO) {
        return found[0];
    }
    return found[0] == HK_START_GO ? found[1] : HK_START_QUARANTINE;
}

enum hk_error hk_vault_decide(struct hk_vault *vault, enum hk_start *start)
{
    struct hk_txn *txn;
    enum hk_error error = hk_store_read_begin(vault->store, &txn);
    if (error != HK_OK) {
        return error;
    }
    error = hk_store_generation(txn, &vault->generation);
    hk_store_read_end(txn);
    struct hk_slots_header headers[2];
    hk_slots_headers(vault->slots, headers);
    *start = hk_generation_decide(headers, vault->generation);
    return error;
}

/* -- writing -- */

enum hk_error hk_vault_erase_later(struct hk_vault *vault, uint64_t slot)
{
    if (vault->erase_count == vault->erase_room) {
        size_t room = vault->erase_room == 0 ? 64 : 2 * vault->erase_room;
        uint64_t *grown = realloc(vault->erase, room * sizeof *grown);
        if (grown == NULL) {
            return HK_INTERNAL;
        }
        vault->erase = grown;
        vault->erase_room = room;
    }
    vault->erase[vault->erase_count++] = slot;
    return HK_OK;
}

static enum hk_error erase_all_later(struct hk_vault *vault, const uint64_t *slots, size_t count)
{
    enum hk_error error = HK_OK;
    for (size_t i = 0; i < count && error == HK_OK; i++) {
        error = hk_vault_erase_later(vault, slots[i]);
    }
    return error;
}

/* Everything is written again after a failure: after an fsync that failed, nobody knows what the disk has. */
enum hk_error hk_vault_settle(struct hk_vault *vault)
{
    if (vault->unsettled) {
        HK_SEAM("generation.iii.before");
        for (size_t i = 0; i < vault->erase_count; i++) {
            if (hk_slots_erase(vault->slots, vault->erase[i]) != HK_OK) {
                return HK_INTERNAL;
            }
        }
        if (hk_slots_set_header(vault->slots, vault->generation, 0) != HK_OK ||
            hk_slots_sync(vault->slots) != HK_OK) {
            return HK_INTERNAL;
        }
        HK_SEAM("generation.iii.after");
        vault->erase_count = 0;
        vault->unsettled = false;
    }
    if (vault->checkpoint_due) {
        if (hk_store_checkpoint(vault->store) != HK_OK) {
            return HK_INTERNAL;
        }
        vault->checkpoint_due = false;
    }
    return HK_OK;
}

static enum hk_error announce(struct hk_vault *vault, struct hk_txn *txn, bool change)
{
    enum hk_error error = HK_OK;
    if (change) {
        error = hk_slots_set_header(vault->slots, vault->generation, vault->generation + 1);
    }
    if (error == HK_OK) {
        error = hk_slots_sync(vault->slots); /* slots that were taken, too: before their rows */
    }
    if (error == HK_OK && change) {
        error = hk_store_set_generation(txn, vault->generation + 1);
    }
    return error;
}

static void take_back(struct hk_vault *vault, struct hk_txn *txn, bool announced)
{
    size_t count;
    const uint64_t *allocated = hk_store_allocated(txn, &count);
    /* If memory runs out here, the slots stay taken until the next start finds them without a row. */
    (void)!erase_all_later(vault, allocated, count);
    vault->unsettled = vault->unsettled || announced || count != 0;
    (void)!hk_vault_settle(vault);
}

void hk_vault_abandon(struct hk_vault *vault, struct hk_txn *txn)
{
    hk_store_write_rollback(txn);
    take_back(vault, txn, false);
}

enum hk_error hk_vault_commit(struct hk_vault *vault, struct hk_txn *txn, bool change)
{
    size_t condemned_count;
    const uint64_t *condemned = hk_store_condemned(txn, &condemned_count);
    change = change || condemned_count != 0;
    HK_SEAM("generation.i.before");
    enum hk_error error = announce(vault, txn, change);
    HK_SEAM("generation.i.after");
    if (error == HK_OK) {
        error = hk_store_write_commit(txn);
    } else {
        hk_store_write_rollback(txn);
    }
    if (error != HK_OK) {
        take_back(vault, txn, change);
        return HK_INTERNAL;
    }
    if (!change) {
        return HK_OK;
    }
    vault->generation++;
    vault->unsettled = true;
    vault->checkpoint_due = condemned_count != 0;
    error = erase_all_later(vault, condemned, condemned_count);
    return error != HK_OK ? error : hk_vault_settle(vault);
}

/* -- the start's last step, and adopting -- */

struct reconcile {
    struct hk_vault *vault;
    uint8_t *named; /* a byte a slot: a device's row names it */
    uint64_t *lost; /* slots that rows name and that are erased */
    size_t lost_count, lost_room;
};

static enum hk_error see_slot(void *context, uint64_t slot)
{
    struct reconcile *work = context;
    if (slot < hk_slots_count(work->vault->slots) && hk_slots_is_live(work->vault->slots, slot)) {
        work->named[slot] = 1;
        return HK_OK;
    }
    if (work->lost_count == work->lost_room) {
        size_t room = work->lost_room == 0 ? 64 : 2 * work->lost_room;
        uint64_t *grown = realloc(work->lost, room * sizeof *grown);
        if (grown == NULL) {
            return HK_NO_MEMORY;
        }
        work->lost = grown;
        work->lost_room = room;
    }
    work->lost[work->lost_count++] = slot;
    return HK_OK;
}

/* In the transaction: rows without a slot are revoked, slots without a row remembered for erasure. */
static enum hk_error reconcile_rows(struct hk_vault *vault, struct hk_txn *txn, uint64_t now)
{
    struct reconcile work = {.vault = vault};
    uint64_t count = hk_slots_count(vault->slots);
    work.named = calloc(1, count + 1);
    enum hk_error error = work.named == NULL ? HK_NO_MEMORY : hk_store_each_slot(txn, &work, see_slot);
    for (size_t i = 0; i < work.lost_count && error == HK_OK; i++) {
        error = hk_store_lose_device(txn, work.lost[i], now);
    }
    for (uint64_t slot = 0; slot < count && error == HK_OK; slot++) {
        if (hk_slots_is_live(vault->slots, slot) && work.named[slot] == 0) {
            error = hk_vault_erase_later(vault, slot);
        }
    }
    free(work.named);
    free(work.lost);
    return error;
}

enum hk_error hk_vault_reconcile(struct hk_vault *vault, uint64_t now)
{
    struct hk_txn *txn;
    enum hk_error error = hk_slots_merge(vault->slots);
    if (error == HK_OK) {
        error = hk_store_write_begin(vault->store, &txn);
    }
    if (error != HK_OK) {
        return HK_INTERNAL;
    }
    error = reconcile_rows(vault, txn, now);
    if (error != HK_OK) {
        hk_store_write_rollback(txn);
        return HK_INTERNAL;
    }
    return hk_vault_commit(vault, txn, true);
}

struct adoption {
    struct hk_txn *txn;
    uint64_t generation, now;
};

static enum hk_error adopt_log(void *context, const uint8_t *id)
{
    struct adoption *work = context;
    return hk_log_begin_generation(work->txn, id, work->generation, work->now);
}

static uint64_t highest_generation(const struct hk_vault *vault)
{
    uint64_t highest = vault->generation;
    struct hk_slots_header headers[2];
    hk_slots_headers(vault->slots, headers);
    for (int copy = 0; copy < 2; copy++) {
        if (headers[copy].valid && headers[copy].generation > highest) {
            highest = headers[copy].generation;
        }
        if (headers[copy].valid && headers[copy].next > highest) {
            highest = headers[copy].next;
        }
    }
    return highest;
}

/* Store first: a crash before the slot file follows leaves the quarantine, and adopting again is safe. The
 * number is above everything that either side has seen, so no generation of a log is ever used twice. */
enum hk_error hk_vault_adopt_opened(struct hk_vault *vault, uint64_t now)
{
    struct adoption work = {.now = now, .generation = highest_generation(vault) + 1};
    enum hk_error error = hk_slots_merge(vault->slots);
    if (error == HK_OK) {
        error = hk_store_write_begin(vault->store, &work.txn);
    }
    if (error != HK_OK) {
        return HK_INTERNAL;
    }
    error = reconcile_rows(vault, work.txn, now);
    if (error == HK_OK) {
        error = hk_store_each_account(work.txn, &work, adopt_log);
    }
    if (error == HK_OK) {
        error = hk_store_set_log_generation(work.txn, work.generation);
    }
    if (error == HK_OK) {
        error = hk_store_set_generation(work.txn, work.generation);
    }
    if (error != HK_OK) {
        hk_store_write_rollback(work.txn);
        return error;
    }
    HK_SEAM("adopt.commit.before");
    error = hk_store_write_commit(work.txn);
    HK_SEAM("adopt.commit.after");
    if (error != HK_OK) {
        return error;
    }
    vault->generation = work.generation;
    vault->unsettled = vault->checkpoint_due = true;
    return hk_vault_settle(vault);
}

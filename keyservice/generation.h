/* generation.h - the order of writes that makes a revocation survive a restored backup.
 *
 * Slot file and store each hold a generation. A change from g to g+1 is: (i) the header says next = g+1,
 * durably in both copies; (ii) one transaction makes the change and sets the store's generation; (iii) slots
 * are overwritten and the header says g+1, durably; only then is anybody told. Whatever a crash or a backup
 * leaves of that is recognised at the next start. */
#ifndef HALFKEY_KEYSERVICE_GENERATION_H
#define HALFKEY_KEYSERVICE_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/error.h"
#include "keyservice/slots.h"
#include "keyservice/store.h"
#include "keyservice/vault.h"

enum hk_start {
    HK_START_GO,    /* store and slots are of one generation */
    HK_START_CLEAR, /* a change was announced and never made: take the announcement back */
    HK_START_REDO,  /* a change was made and its slots perhaps not overwritten: do that again */
    HK_START_QUARANTINE
};

/* What to do at a start, from both copies' headers and the store's generation. A copy whose header is damaged
 * is passed over if the other one decides. */
enum hk_start hk_generation_decide(const struct hk_slots_header headers[2], uint64_t store) HK_CHECK;

/* Commits a writing transaction in this order, with a change of generation if `change` is set or slots are
 * condemned. HK_OK: everything is durable, condemned slots are overwritten, and the journal is emptied if
 * slots were. HK_INTERNAL: either nothing was stored, or it was and the slots could not be overwritten; the
 * latter is tried again before anything else is written, and nobody may be told that it is done. The
 * transaction is over in any case. */
HK_CHECK enum hk_error hk_vault_commit(struct hk_vault *vault, struct hk_txn *txn, bool change);

/* Rolls a writing transaction back and gives back the slots that it took. */
void hk_vault_abandon(struct hk_vault *vault, struct hk_txn *txn);

/* Finishes what an earlier failure left (see above). To be called before each writing transaction.
 * HK_INTERNAL: not yet, write nothing. */
HK_CHECK enum hk_error hk_vault_settle(struct hk_vault *vault);

/* Erases live slots that no device's row names, and marks devices revoked whose slot is erased, in a change
 * of generation. The start's last step. */
HK_CHECK enum hk_error hk_vault_reconcile(struct hk_vault *vault, uint64_t now);

/* `halfkeyd adopt-restore`, on an opened vault. */
HK_CHECK enum hk_error hk_vault_adopt_opened(struct hk_vault *vault, uint64_t now);

#endif

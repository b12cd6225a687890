/* vault.h - a service's data directory, opened: lock, master key, service keys, slot file and store together.
 *
 * hk_vault_open takes the one-instance lock, checks who may read the files, opens everything, finishes or
 * takes back a change of generation that a crash cut in two, changes the generation once more, and only then
 * says yes. If store and slot file do not fit together (one of them was put back from a backup) the vault is
 * in quarantine: it can be looked at, and nothing is written or served until hk_vault_adopt. */
#ifndef HALFKEY_KEYSERVICE_VAULT_H
#define HALFKEY_KEYSERVICE_VAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/error.h"
#include "keyservice/masterkey.h"
#include "keyservice/store.h"

struct hk_vault;
struct hk_vault_options {
    const char *data;              /* the directory; made, 0700, if it does not exist */
    const char *slots_a, *slots_b; /* NULL: DIR/slots.a, DIR/slots.b */
};

/* Opens, making what does not exist in an empty directory. Returns HK_OK also in quarantine. On failure, and
 * in quarantine, a sentence for the operator is in reason[256]. Freed by hk_vault_close, which also unlocks.
 */
HK_CHECK enum hk_error hk_vault_open(struct hk_vault **vault, const struct hk_vault_options *options,
                                     char reason[256]);
void hk_vault_close(struct hk_vault *vault); /* NULL is allowed; stop the writer first */

bool hk_vault_is_quarantined(const struct hk_vault *vault) HK_CHECK;

/* What is inside, borrowed. */
struct hk_store *hk_vault_store(struct hk_vault *vault) HK_CHECK;
const struct hk_service_keys *hk_vault_keys(const struct hk_vault *vault) HK_CHECK;
const char *hk_vault_data(const struct hk_vault *vault) HK_CHECK; /* the directory */

/* `halfkeyd adopt-restore [--force]`: takes what store and slot file have in common as the truth. Devices
 * whose slot is erased are revoked, slots without a device erased, and every account's log begins a new
 * generation whose first leaf is the last head that the store has. Without `force` HK_CONFLICT where store
 * and slot file fit together: then only devices can tell that the database was put back. Not while a service
 * runs. */
HK_CHECK enum hk_error hk_vault_adopt(const struct hk_vault_options *options, bool force, char reason[256]);

/* `halfkeyd replace-ring`: erases the ring-Pedersen modulus and all set-ups; the service makes a new one when
 * a device asks, and devices take it, signed and proved. HK_CONFLICT in quarantine. Not while a service runs.
 */
HK_CHECK enum hk_error hk_vault_replace_ring(const struct hk_vault_options *options, char reason[256]);

/* `halfkeyd check`: reads everything and changes nothing: service keys, headers, every slot, every sealed
 * half, the database's own consistency, every account's log from its first leaf. Calls `say` for each finding
 * (a remark, or a problem) and writes the number of problems. Not while a service runs. Returns an error only
 * if it could not look. */
HK_CHECK enum hk_error hk_check_data_dir(const struct hk_vault_options *options,
                                         void (*say)(void *context, bool problem, const char *sentence),
                                         void *context, uint64_t *problems, char reason[256]);

#endif

/* recovery_set.h - the account's recovery set, as a device deals it, keeps it and fetches it (op_recovery.c).
 */
#ifndef HALFKEY_DEVICE_RECOVERY_SET_H
#define HALFKEY_DEVICE_RECOVERY_SET_H

#include "device/agent_core.h"
#include "device/holder.h"
#include "protocol/recovery.h"

#define HK_RECOVERY_SET_NAME "recovery.set" /* in the state folder: public, and sealed to the holders */

/* Deals this device's half of a key among the holders of a set, has the service deal its own, and checks
 * that; `transcript` is what the profile has to say of it. Gate alone. */
HK_CHECK enum hk_error hk_recovery_deal_key(struct hk_core *core, const struct hk_recovery_set *set,
                                            const struct hk_state_key *key, uint8_t transcript[32]);

/* Fetches the packets of the set that the signed profile names, as a device or as a stranger, and writes
 * profile and packets to the state folder, atomically. *count: keys in it. HK_NOT_FOUND: the account has no
 * set. */
HK_CHECK enum hk_error hk_recovery_keep(struct hk_core *core, struct hk_link *link, const uint8_t *account,
                                        const void *profile, size_t profile_size, size_t *count);

/* The same for this device's own profile; an error is no reason to stop. */
void hk_recovery_keep_own(struct hk_core *core);

/* Reads the set in the state folder; hk_holder_set_read's errors, HK_IO. */
HK_CHECK enum hk_error hk_recovery_read_kept(struct hk_core *core, struct hk_holder_set **set);

/* For the operations of `recover`: opens the state file, if there is one (*exists), with the request's
 * passphrase. */
HK_CHECK enum hk_error hk_recover_reopen(struct hk_op_call *call, bool *exists);

#endif

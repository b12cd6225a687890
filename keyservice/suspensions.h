/* suspensions.h - a device that is stopped until an administrator says otherwise.
 *
 * A suspended device keeps its halves and its epoch; everything it asks is refused. Administrators suspend
 * and resume ordinary devices (op_suspend.c); the service itself suspends a device of which an old copy was
 * used, since which of the two is the right one nobody can know. */
#ifndef HALFKEY_KEYSERVICE_SUSPENSIONS_H
#define HALFKEY_KEYSERVICE_SUSPENSIONS_H

#include <stdint.h>

#include "keyservice/store.h"

/* In the writer's transaction: an old copy of this device has shown itself, with a request of this digest (32
 * bytes). Records it, and suspends the device, with a leaf of its own, if the account has another
 * administrator that is neither revoked nor suspended: else nobody could lift it, and it goes on with the
 * warning. */
HK_CHECK enum hk_error hk_suspension_of_copy(struct hk_txn *txn, const uint8_t serial[HK_ID_BYTES],
                                             const uint8_t digest[32]);

#endif

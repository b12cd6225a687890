/* device_state.h - what the service knows of each device only while it runs: how many of its operations are
 * under way, whether it is being ended, and how much it has used lately.
 *
 * An operation enters when it is admitted and leaves when its answer has been handed over or dropped. Closing
 * a device is final: from then on nothing enters, and the closer's continuation runs once nothing is inside
 * any more. No thread ever waits. Every function may be called from any thread. */
#ifndef HALFKEY_KEYSERVICE_DEVICE_STATE_H
#define HALFKEY_KEYSERVICE_DEVICE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/error.h"
#include "protocol/message.h"

struct hk_device_states;
struct hk_device_states *hk_device_states_new(void) HK_CHECK; /* NULL: no memory */
void hk_device_states_free(struct hk_device_states *states);  /* when nothing is inside */

#define HK_DEVICE_INSIDE_MAX 128 /* half of what the transport takes at once */
/* One operation more. HK_REVOKED if the device is closing, HK_BUSY without memory or with so many inside. */
HK_CHECK enum hk_error hk_device_enter(struct hk_device_states *states, const uint8_t serial[HK_ID_BYTES]);
/* One less, after hk_device_enter; the last one runs the continuations of those who close the device. */
void hk_device_leave(struct hk_device_states *states, const uint8_t serial[HK_ID_BYTES]);
bool hk_device_is_closing(struct hk_device_states *states, const uint8_t serial[HK_ID_BYTES]) HK_CHECK;

/* Who closes a device embeds one of these and keeps it until `then` is called. */
struct hk_device_closer {
    struct hk_device_closer *next; /* private */
    void (*then)(struct hk_device_closer *closer);
};
/* Closes a device; `then` runs exactly once, in this call or in the hk_device_leave of the last operation.
 * HK_BUSY without memory, and then it does not run. */
HK_CHECK enum hk_error hk_device_close(struct hk_device_states *states, const uint8_t serial[HK_ID_BYTES],
                                       struct hk_device_closer *closer);

/* Takes `units` share operations out of the device's allowance, which refills at `per_minute` (0: no limit)
 * and holds one minute's worth. HK_OVER_QUOTA if there is not enough left. */
HK_CHECK enum hk_error hk_device_spend(struct hk_device_states *states, const uint8_t serial[HK_ID_BYTES],
                                       uint64_t units, uint64_t per_minute);

/* Forgets devices that have nothing inside, are not closing, and have their whole allowance. Every minute. */
void hk_device_states_sweep(struct hk_device_states *states, uint64_t per_minute);

#endif

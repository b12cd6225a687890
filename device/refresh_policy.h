/* refresh_policy.h - when the agent makes new halves by itself: after so many uses, after so long, or because
 * it must.
 *
 * A look at each tick of the agent, and, when it is time, one thread that first makes sure that the service
 * is there, with commands going on beside it, and only then takes the gate for the refresh itself (some
 * milliseconds). It does not keep the agent from locking, never runs while devices come or go, and waits ten
 * minutes after a failure. What is unsettled is left to the next command, or, if none comes, seen to ten
 * seconds after the last one: so an agent that was only unlocked keeps the schedule, and gets and gives keys.
 */
#ifndef HALFKEY_DEVICE_REFRESH_POLICY_H
#define HALFKEY_DEVICE_REFRESH_POLICY_H

#include "device/agent_core.h"

/* Whether this device's halves are to be replaced now (seconds since 1970). Its age counts from the last
 * refresh, or from when the device was made. A clock that was set back makes nothing due. */
bool hk_refresh_is_due(const struct hk_state *state, const struct hk_refresh_policy *policy,
                       uint64_t now) HK_CHECK;

/* Begins a refresh in a thread of its own if it is time. Called often, by one thread, without the gate. */
void hk_refresh_tick(struct hk_core *core);

/* Counts one use of this device's halves, and when it was. Any thread under the gate. */
void hk_refresh_count_use(struct hk_state *state);

#endif

/* policy.h - what the operator allows: who may register, how much a device may use, how much an address may
 * ask as a stranger.
 *
 * The figures may be changed while the service runs (SIGHUP). Addresses are counted in a table of fixed size,
 * so that a flood of addresses costs no memory; addresses that share a place share an allowance. */
#ifndef HALFKEY_KEYSERVICE_POLICY_H
#define HALFKEY_KEYSERVICE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/error.h"
#include "keyservice/options.h"
#include "protocol/transport.h"

struct hk_policy;
struct hk_policy *hk_policy_new(void) HK_CHECK; /* NULL: no memory */
void hk_policy_free(struct hk_policy *policy);

/* Takes registration and quota from the options; registration that is not said counts as open (it can only be
 * left unsaid where nobody but this machine gets in). */
void hk_policy_set(struct hk_policy *policy, const struct hk_options *options);

bool hk_policy_registration_is_open(const struct hk_policy *policy) HK_CHECK;
uint64_t hk_policy_quota(
    const struct hk_policy *policy) HK_CHECK; /* share operations a minute; 0: no limit */

/* What a stranger's step costs of its address's allowance: 500 a second, 3,000 at once. All addresses
 * together have 1,000 a second and 4,000 at once; beyond that, one has 1 a second and 14 at once. */
enum hk_stranger_cost {
    HK_COST_HANDSHAKE = 1,
    HK_COST_HINT = 1,
    HK_COST_REQUEST = 1,
    HK_COST_CREATE = 10,
    HK_COST_REVOKE = 10
};
/* Whether a step of cost 1 would be allowed; spends nothing. */
bool hk_policy_has_left(struct hk_policy *policy, const struct hk_peer *peer) HK_CHECK;
/* Steps that were refused so far. */
uint64_t hk_policy_refused(const struct hk_policy *policy) HK_CHECK;
/* HK_OVER_QUOTA if the address has used up its allowance. Peers over ipc have none. */
HK_CHECK enum hk_error hk_policy_spend(struct hk_policy *policy, const struct hk_peer *peer,
                                       enum hk_stranger_cost cost);

#endif

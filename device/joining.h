/* joining.h - this device's side of its enrolment, between the files that do it: op_join.c runs the two
 * commands, join_take.c checks what the device is given, join_confirm.c ends it. */
#ifndef HALFKEY_DEVICE_JOINING_H
#define HALFKEY_DEVICE_JOINING_H

#include "crypto/enrolment.h"
#include "device/approval.h"

/* A join between its two commands. In memory from hk_secret_new. */
struct hk_joining {
    struct hk_invitation invitation;
    struct hk_invitation_keys keys;
    struct hk_join join;
    struct hk_link *link; /* the stranger's session that is bound to the invitation */
};

/* Everything that finishing needs: large and secret. */
struct hk_finishing {
    uint8_t sealed[HK_JOIN_RELAY_MAX], plain[HK_JOIN_RELAY_MAX];
    struct hk_join_bundle bundle;
    struct hk_profile profile;
    struct hk_device_record record;
    struct hk_enrol_key keys[HK_KEYS_MAX];
};

/* Checks the administrator's bundle against the invitation: signed by that account, about this device, at
 * this service; then account, record, profile, certificate and log head are the state's. HK_BAD_PEER,
 * HK_BAD_SIGNATURE, HK_BAD_ENCODING. */
HK_CHECK enum hk_error hk_joining_take_bundle(struct hk_core *core, struct hk_joining *joining,
                                              struct hk_finishing *finishing);

/* The i-th key of a hand-over's answer, as of an enrolment's: both dealings checked under X of the profile.
 *
 *   public  what the transcript is over
 *   half    d2, secret; service_point is S2
 *   listed  the key in the profile, or NULL, which is refused
 *
 * HK_BAD_PEER if the answer is not about `given`, or is of another suite; errors of hk_enrol_take. */
HK_CHECK enum hk_error hk_joining_take_key(struct hk_enrol_key *public, struct hk_scalar *half,
                                           struct hk_point *service_point, const struct hk_join_key *given,
                                           const struct hk_profile_key *listed,
                                           const struct hk_exchange *exchange, size_t i);

/* Fetches the service's part of every key over this device's own session and checks both dealings and the
 * transcript: pending halves are then in the state, in memory. HK_BAD_PEER, HK_BAD_PROOF, errors of the call.
 */
HK_CHECK enum hk_error hk_joining_fetch(struct hk_core *core, struct hk_joining *joining,
                                        struct hk_finishing *finishing);

#endif

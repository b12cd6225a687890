/* approval.h - an administrator's side of one enrolment, from the invitation to the new device's bundle.
 *
 * op_invite.c makes the invitation, op_approve.c waits for the device, op_approve_yes.c enrols it,
 * approval_conclude.c puts it into the profile; all work on what the core keeps in memory
 * as `approval`. A restart of the agent ends an invitation that nobody has been approved under. */
#ifndef HALFKEY_DEVICE_APPROVAL_H
#define HALFKEY_DEVICE_APPROVAL_H

#include "device/agent_core.h"
#include "device/invitation.h"
#include "device/join_channel.h"

#define HK_APPROVAL_POLL_MS 300

/* How far it is. */
enum hk_approval_stage {
    HK_APPROVAL_INVITED,  /* the service has the gate's hash */
    HK_APPROVAL_ANSWERED, /* message 2 is made, for the one device that came */
    HK_APPROVAL_GREETED,  /* the new device has said who it is; the user compares the words */
    HK_APPROVAL_DECIDED   /* yes or no was said */
};

/* In memory from hk_secret_new. */
struct hk_approval {
    enum hk_approval_stage stage;
    struct hk_invitation invitation;
    struct hk_invitation_keys keys;
    struct hk_join join;
    uint8_t message[HK_JOIN_HANDSHAKE_MAX]; /* message 2, to be sent again if need be */
    size_t message_size;
    struct hk_join_hello hello;
    uint8_t static_key[HK_NOISE_KEY_BYTES]; /* the new device's, as the handshake proved it */
};

/* One request to relay: writes a step (data not NULL) or reads one; what is read goes to `out`, its length to
 * *size, 0 if it is not there yet. */
HK_CHECK enum hk_error hk_approval_relay(struct hk_core *core, const uint8_t gate_hash[32],
                                         enum hk_join_step step, struct hk_bytes written, uint8_t *out,
                                         size_t max, size_t *size);

/* Puts the device of this record into the next profile, if it is not there yet, refreshes this device, and
 * closes the state's enrolment. Every step may be done again. */
HK_CHECK enum hk_error hk_approval_conclude(struct hk_core *core);

/* Ends the enrolment that the state has open, before another one begins: concludes it if the new device is
 * active, else revokes it. Its approval, if it is still waited for, is told so. */
HK_CHECK enum hk_error hk_approval_end_open(struct hk_core *core);

/* Answers the device that comes with this invitation, in a thread of its own, so that it can show its words
 * before the user turns to `device approve`. Ends with the invitation. The gate is held by the caller. */
HK_CHECK enum hk_error hk_approval_attend(struct hk_core *core, const uint8_t gate_hash[32]);

/* Forgets the approval that the core has. */
void hk_approval_drop(struct hk_core *core);

/* Sleeps between two polls with the gate open; errors of hk_core_wait_end. */
HK_CHECK enum hk_error hk_approval_pause(struct hk_core *core);

/* Waits until the device of the open enrolment is active. HK_NOT_FOUND, HK_REVOKED: it never will be. */
HK_CHECK enum hk_error hk_approval_wait(struct hk_core *core);

/* Closes the state's enrolment: nothing came of it, the device can never be active, and nobody lists it. */
HK_CHECK enum hk_error hk_approval_give_up(struct hk_core *core);

/* The clock of expiries, seconds since 1970. */
uint64_t hk_approval_now(void) HK_CHECK;

#endif

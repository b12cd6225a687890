/* invitations.h - one-time invitations and what is relayed under them, in memory only.
 *
 * An administrator's device leaves the hash of a gate; one stranger's session that shows the gate joins, and
 * from then on the two leave numbered messages for each other that the service cannot read. The new device
 * writes even steps, the administrator odd ones; each step is written once, and a second, different one kills
 * the invitation. An invitation ends after ten minutes, with a restart, with its administrator, and when the
 * device that came through it is enrolled. Five wrong gates close the door of an account for ten minutes,
 * whether there is such an account or not. Every function may be called from any thread; times are seconds
 * since 1970. */
#ifndef HALFKEY_KEYSERVICE_INVITATIONS_H
#define HALFKEY_KEYSERVICE_INVITATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"
#include "protocol/message.h"

#define HK_INVITATION_SECONDS 600
#define HK_INVITATION_STEPS 8
#define HK_INVITATION_GUESSES 5
#define HK_INVITATIONS_MAX 1024
#define HK_INVITATIONS_OF_ACCOUNT 8

struct hk_invitations;
struct hk_invitations *hk_invitations_new(void) HK_CHECK; /* NULL: no memory */
void hk_invitations_free(struct hk_invitations *invitations);

/* Opens one until `expires`, ten minutes from `now` at most. The same again changes nothing. HK_OVER_QUOTA if
 * there are too many, HK_CONFLICT for a gate that was used before. */
HK_CHECK enum hk_error hk_invitation_open(struct hk_invitations *invitations, const uint8_t *account,
                                          const uint8_t *admin, const uint8_t gate_hash[32], uint64_t expires,
                                          uint64_t now);

/* Who writes or reads a step. */
struct hk_invitation_step {
    const uint8_t *account;
    const uint8_t *admin;     /* the administrator's serial; NULL for the stranger who joins */
    const uint8_t *gate_hash; /* 32 bytes */
    const uint8_t *session;   /* the stranger's session id, 16 bytes */
    uint64_t step;
    struct hk_bytes written; /* data NULL: reads */
    uint64_t now;
};
/* Writes or reads. What is read is copied to `out` (60,000 bytes), its length to *size; 0 if it is not there
 * yet. HK_UNKNOWN_RUN if there is no such invitation, HK_OVER_QUOTA after too many wrong gates, HK_CONFLICT
 * for a second joiner or a second writing. */
HK_CHECK enum hk_error hk_invitation_relay(struct hk_invitations *invitations,
                                           const struct hk_invitation_step *step, uint8_t *out, size_t *size);

/* Whether the administrator may have a record (with its gate) or certificate (gate_hash NULL) signed for the
 * device `serial`: only for one that joined, and one serial for each invitation. HK_NOT_ALLOWED. */
HK_CHECK enum hk_error hk_invitation_admits(struct hk_invitations *invitations, const uint8_t *account,
                                            const uint8_t *admin, const uint8_t *gate_hash,
                                            const uint8_t *serial, uint64_t now);

/* Ends the invitation by its gate; those of an administrator; those that have expired. */
void hk_invitation_end(struct hk_invitations *invitations, const uint8_t *account,
                       const uint8_t gate_hash[32]);
void hk_invitations_end_of(struct hk_invitations *invitations, const uint8_t *admin);
void hk_invitations_sweep(struct hk_invitations *invitations, uint64_t now);

#endif

/* handover.h - keys for a device that was enrolled before they were made: what device, administrator and
 * service must agree on byte for byte.
 *
 * A device leaves a *deposit* with the service: message 1 of Noise_IK_25519_ChaChaPoly_BLAKE2b from its
 * static key to its administrator's, with an empty payload, made before there is anything to hand over. When
 * a key is made, the administrator deals its own half anew (crypto/enrolment.h) and answers the deposit with
 * message 2, whose payload is the new device's part; the service keeps both parts until the device comes for
 * them, and can read neither message. So nobody waits for anybody, and what is sealed for a device that has
 * since forgotten its ephemeral key cannot be opened by whoever gets its static key later.
 *
 * Behind message 1 comes, from a device that has a half of any key, a proof of that half: the service adds
 * one of its own, and together they show that who asks has halves of the present epoch, not a copy of the
 * device's file from before a refresh. Pure functions on byte strings. */
#ifndef HALFKEY_PROTOCOL_HANDOVER_H
#define HALFKEY_PROTOCOL_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/schnorr.h"
#include "protocol/message.h"

#define HK_HAND_PATTERN "Noise_IK_25519_ChaChaPoly_BLAKE2b"
#define HK_HAND_MESSAGE_1_BYTES 96 /* e, s and the tag of the empty payload */
#define HK_HAND_PROLOGUE_BYTES (15 + HK_ACCOUNT_BYTES + 2 * HK_ID_BYTES)
#define HK_HAND_DEPOSIT_MAX                                                                                  \
    (HK_HAND_MESSAGE_1_BYTES + HK_ID_BYTES + HK_POINT_BYTES_MAX + HK_SCHNORR_BYTES_MAX)

/* Who hands over to whom. Public. */
struct hk_hand_parties {
    const uint8_t *account;       /* 64 */
    const uint8_t *administrator; /* 16: serials */
    const uint8_t *device;        /* 16 */
};

/* A deposit, borrowed from its bytes: message 1 ‖ [key id ‖ D ‖ proof of d]. */
struct hk_hand_deposit {
    const uint8_t *message; /* HK_HAND_MESSAGE_1_BYTES */
    const uint8_t *key;     /* 16; NULL: the device has no key yet */
    const uint8_t *point;   /* D, then the proof: lengths of the key's suite, see hk_hand_deposit_fits */
    size_t rest;            /* bytes from `point` on */
};

/* HK_BAD_ENCODING for a length that no deposit has. */
HK_CHECK enum hk_error hk_hand_deposit_open(struct hk_hand_deposit *deposit, const uint8_t *bytes,
                                            size_t size);
/* Checks the deposit's own proof with a key's group: the length, D, and the proof of its logarithm. D is
 * decoded to `point`. HK_BAD_ENCODING, HK_BAD_POINT, HK_BAD_PROOF. The deposit has a key. */
HK_CHECK enum hk_error hk_hand_deposit_check(struct hk_point *point, const struct hk_hand_deposit *deposit,
                                             const struct hk_group *group,
                                             const struct hk_hand_parties *parties);
/* Writes a deposit's second part behind message 1: `out` has room for HK_HAND_DEPOSIT_MAX and begins with
 * message 1. Returns the whole length.
 *
 *   key, half  a key that the device has, and d: constant time in it */
size_t hk_hand_deposit_prove(uint8_t *out, const struct hk_group *group,
                             const struct hk_hand_parties *parties, const uint8_t key[HK_ID_BYTES],
                             const struct hk_scalar *half);

/* "halfkey/v1/hand" ‖ account ‖ administrator ‖ device: of both messages. */
void hk_hand_prologue(uint8_t out[HK_HAND_PROLOGUE_BYTES], const struct hk_hand_parties *parties);

/* What stands for the record and for the invitation in the transcript of crypto/enrolment.h:
 * H("hand/deposit", deposit), and H("hand/device", account, device, static key). */
void hk_hand_deposit_name(uint8_t out[HK_NAME_BYTES], const uint8_t *deposit, size_t size);
void hk_hand_device_name(uint8_t out[HK_NAME_BYTES], const struct hk_hand_parties *parties,
                         const uint8_t static_key[32]);

/* The transcript of the service's proof of its half of the deposit's key: H("hand/service", transcript of the
 * hand-over, key id). It is new for each hand-over, since the administrator's commitments are. */
void hk_hand_service_transcript(uint8_t out[HK_NAME_BYTES], const uint8_t transcript[HK_NAME_BYTES],
                                const uint8_t key[HK_ID_BYTES]);

#endif

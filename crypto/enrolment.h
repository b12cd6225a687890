/* enrolment.h - a further, independent pair for a new device: redistribution from administrator and service.
 *
 * d1 + s1 = x. The administrator deals d1 as a (to the new device, end to end) and d1 - a (to the service);
 * the service deals s1 as b (to the new device) and s1 - b (kept): d2 = a + b, s2 = (d1 - a) + (s1 - b).
 * Commitments A = [a]B, A' = [d1-a]B, Q = [b]B, Q' = [s1-b]B. Administrator and new device together learn
 * nothing of s1 or s2; the service learns nothing of d1 or d2.
 *
 *   administrator   hk_enrol_split   -- A, A', d1-a -->   service          hk_enrol_deal
 *   new device      hk_enrol_take    <- A, A', a, D1, and Q, Q', b         hk_enrol_prove
 *   service         hk_enrol_check   <- proof of d2 over the transcript of all keys
 *
 * d1 - a, b and s1 - b are for this one run: locked memory, never stored, logged or cached. */
#ifndef HALFKEY_CRYPTO_ENROLMENT_H
#define HALFKEY_CRYPTO_ENROLMENT_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/hash.h"
#include "crypto/redistribute.h"
#include "crypto/schnorr.h"
#include "crypto/suite.h"

/* What a dealer publishes about one key: A, A' or Q, Q', encoded (point_bytes). */
struct hk_enrol_commitments {
    uint8_t kept[HK_POINT_BYTES_MAX];   /* A or Q: to what goes to the new device */
    uint8_t passed[HK_POINT_BYTES_MAX]; /* A' or Q': to what goes to the service */
};

/* The enrolment as all three know it. Public. */
struct hk_enrolment {
    const uint8_t *account;       /* 64 */
    const uint8_t *administrator; /* 16: serials */
    const uint8_t *device;        /* 16: the new device's */
    const uint8_t *service_key;   /* 32: static channel key */
    const uint8_t *record;        /* 32: hash of the new device's record */
    const uint8_t *invitation;    /* 32: the gate's hash */
    uint64_t epoch;               /* of the administrator */
};

/* One key of it. */
struct hk_enrol_key {
    const uint8_t *id; /* 16 */
    const struct hk_suite *suite;
    const uint8_t *public_key; /* X from the signed profile, encoded */
    struct hk_enrol_commitments administrator, service;
};

/* Administrator: splits d1.
 *
 *   kept        a, for the new device alone; passed: d1 - a, for the service alone
 *   public_key  X, encoded; half: d1, not zero (HK_BAD_SCALAR), constant time */
HK_CHECK enum hk_error hk_enrol_split(struct hk_enrol_commitments *commitments, struct hk_scalar *kept,
                                      struct hk_scalar *passed, const struct hk_group *group,
                                      const uint8_t *public_key, const struct hk_scalar *half);

/* Service: checks the administrator's dealing and makes its own.
 *
 *   commitments    Q, Q'
 *   given          b, for the new device alone
 *   new_half       s2
 *   public_key     X; half: s1 at the administrator's current epoch, constant time
 *   administrator  A, A'; passed: d1 - a, scalar_bytes; untrusted
 *
 * HK_BAD_POINT, HK_BAD_SCALAR for encodings; HK_BAD_PROOF unless A + A' = X - S1 and [d1-a]B = A';
 * HK_BAD_POINT if one of the two is the identity. Draws again until s2 and D2 = A + Q are not zero. */
HK_CHECK enum hk_error hk_enrol_deal(struct hk_enrol_commitments *commitments, struct hk_scalar *given,
                                     struct hk_scalar *new_half, const struct hk_group *group,
                                     const uint8_t *public_key, const struct hk_scalar *half,
                                     const struct hk_enrol_commitments *administrator, const uint8_t *passed);

/* New device: checks both dealings and adds up.
 *
 *   new_half       d2
 *   service_point  S2 = X - D2, or NULL
 *   public_key     X, from the signed profile; device_point: D1, from the administrator, never from the
 * service; encoded, point_bytes kept           a, given: b, scalar_bytes; untrusted, as are the commitments
 *
 * HK_BAD_PROOF unless A + A' = D1, Q + Q' = X - D1, [a]B = A, [b]B = Q; HK_AGAIN if d2 or s2 is zero. */
HK_CHECK enum hk_error hk_enrol_take(struct hk_scalar *new_half, struct hk_point *service_point,
                                     const struct hk_group *group, const uint8_t *public_key,
                                     const uint8_t *device_point,
                                     const struct hk_enrol_commitments *administrator, const uint8_t *kept,
                                     const struct hk_enrol_commitments *service, const uint8_t *given);

/* The transcript that service, administrator and new device compare: H("enrol", account, administrator,
 * device, service key, record, invitation, epoch, count, then the redistribution transcript of each key,
 * whose context is H("enrol/key", key id, suite, purpose)). A device may be enrolled with no keys at all.
 *
 *   keys  sorted by id, strictly increasing (HK_BAD_ENCODING otherwise) */
HK_CHECK enum hk_error hk_enrol_transcript(uint8_t transcript[HK_NAME_BYTES],
                                           const struct hk_enrolment *enrolment,
                                           const struct hk_enrol_key *keys, size_t count);

/* New device, for each key: proof of d2 over H("enrol/proof", transcript, key id); point_bytes +
 * scalar_bytes. */
void hk_enrol_prove(uint8_t *proof, const struct hk_group *group, const uint8_t transcript[HK_NAME_BYTES],
                    const uint8_t key_id[16], const struct hk_scalar *new_half);

/* Service, for each key, before it activates: D2 = A + Q, D2 + [s2]B = X, and the proof holds for D2.
 * HK_BAD_PROOF, HK_BAD_POINT if not. */
HK_CHECK enum hk_error hk_enrol_check(const struct hk_enrol_key *key, const uint8_t transcript[HK_NAME_BYTES],
                                      const struct hk_scalar *new_half, const uint8_t *proof);

#endif

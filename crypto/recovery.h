/* recovery.h - the recovery set of a key, and a new pair from it: redistribution from (device, service) to n
 * holders, t of n, and from t of them to (new device, new service).
 *
 * Setting up: device and service deal d and s with polynomials of degree t - 1; holder j gets one sub-share
 * from either and adds them: x_j = f_d(j) + f_s(j), X_j = [x_j]B follows from the commitments, which the
 * signed profile fixes by their transcript.
 *
 *   device    hk_recovery_deal   -- commitments, sealed sub-shares -->   service   hk_recovery_check, _deal
 *   holder    hk_recovery_receive: opens both, checks, adds
 *
 * Recovering: each of t holders multiplies by its Lagrange coefficient and splits what comes out, w_j,
 * between the new device and the new service BEFORE anything leaves its program; each receiver checks against
 * W_j, which it takes from the commitments of the set, and adds up. x is nowhere.
 *
 *   holder         hk_recover_give
 *   new device, new service   hk_recover_take; hk_recover_prove, hk_recover_check
 *
 * Any t holders together are x. */
#ifndef HALFKEY_CRYPTO_RECOVERY_H
#define HALFKEY_CRYPTO_RECOVERY_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/hash.h"
#include "crypto/redistribute.h"
#include "crypto/schnorr.h"
#include "crypto/suite.h"

/* The dealers of a set, and the receivers of a recovery. */
enum hk_recovery_side { HK_OF_DEVICE = 0, HK_OF_SERVICE = 1 };

/* One key's sharing among a set, as all parties know it. Public. */
struct hk_recovery_key {
    const uint8_t *id; /* 16 */
    const struct hk_suite *suite;
    const uint8_t *public_key;  /* X, encoded */
    const uint8_t *set;         /* 16: names the set */
    const uint8_t *device;      /* 16: serial of the device that dealt */
    const uint8_t *service_key; /* 32: static key of the service that dealt */
    uint64_t epoch;             /* of that device */
    size_t threshold, count;
    const uint8_t (*holders)[32]; /* keys to which sub-shares are sealed; holder at place i has index i + 1 */
};

/* Device or service: splits its half among the holders. `subshares`: count scalars, the j-th for holder j
 * alone. HK_BAD_SCALAR if the half is zero; HK_BAD_ENCODING for a threshold above the number of holders,
 * holders that are the same, or too many. Constant time in the half. */
HK_CHECK enum hk_error hk_recovery_deal(struct hk_dealing *dealing, struct hk_scalar *subshares,
                                        const struct hk_recovery_key *key, const struct hk_scalar *half);

/* Checks one dealing against the point of the half that was dealt, which comes from another source than the
 * dealer: threshold commitments, strictly encoded, the first one equal to the point. HK_BAD_ENCODING,
 * HK_BAD_POINT, HK_BAD_PROOF. */
HK_CHECK enum hk_error hk_recovery_check(const struct hk_recovery_key *key, const struct hk_dealing *dealing,
                                         const struct hk_point *point);

/* What the profile fixes of the set for this key: the redistribution's transcript, whose context is
 * H("recovery/key", set, key id, suite). Dealings in the order of enum hk_recovery_side. */
HK_CHECK enum hk_error hk_recovery_transcript(uint8_t transcript[HK_NAME_BYTES],
                                              const struct hk_recovery_key *key,
                                              const struct hk_dealing dealings[2]);

/* Holder `place`: checks both sub-shares against their commitments, that the constant terms add up to X, and
 * adds. HK_BAD_PROOF, HK_BAD_SCALAR, HK_AGAIN as hk_redistribute_receive. */
HK_CHECK enum hk_error hk_recovery_receive(struct hk_scalar *share, const struct hk_recovery_key *key,
                                           size_t place, const struct hk_dealing dealings[2],
                                           const struct hk_scalar subshares[2]);

/* ---- recovering ---- */

/* Who takes part, as the request says. */
struct hk_recover_run {
    const uint8_t *request;     /* 32: hash of the whole request */
    const uint8_t *device;      /* 16: serial of the new device */
    const uint8_t *service_key; /* 32: of the service that is to have the other halves */
    size_t count;               /* t: exactly the set's threshold */
    uint64_t index[HK_HOLDERS_MAX];
};

/* Holder, the which-th of run->index: splits lambda * share. Sub-shares in the order of enum
 * hk_recovery_side. */
HK_CHECK enum hk_error hk_recover_give(struct hk_dealing *dealing, struct hk_scalar subshares[2],
                                       const struct hk_recovery_key *key, const struct hk_recover_run *run,
                                       size_t which, const struct hk_scalar *share);

/* New device or new service: checks every holder's dealing against W_j from the commitments of the set, and
 * its own sub-shares (run->count), and adds them up.
 *
 *   half    the new half; other: the point of the other side's
 *   guilty  on HK_BAD_*: the place in run->index of the first holder whose part is wrong; run->count if it is
 * none
 *
 * HK_AGAIN if a half is zero. */
HK_CHECK enum hk_error hk_recover_take(struct hk_scalar *half, struct hk_point *other,
                                       const struct hk_recovery_key *key, const struct hk_recover_run *run,
                                       enum hk_recovery_side side, const struct hk_dealing set_dealings[2],
                                       const struct hk_dealing *dealings, const struct hk_scalar *subshares,
                                       size_t *guilty);

/* One key's part of what the new device and the new service compare. */
HK_CHECK enum hk_error hk_recover_key_transcript(uint8_t transcript[HK_NAME_BYTES],
                                                 const struct hk_recovery_key *key,
                                                 const struct hk_recover_run *run,
                                                 const struct hk_dealing *dealings);

/* New device, for each key: proof of its half over H("recover/proof", transcript, key id); new service:
 * checks it. `transcript` is of the whole run. */
void hk_recover_prove(uint8_t *proof, const struct hk_group *group, const uint8_t transcript[HK_NAME_BYTES],
                      const uint8_t key_id[16], const struct hk_scalar *half);
HK_CHECK enum hk_error hk_recover_check(const struct hk_group *group, const uint8_t transcript[HK_NAME_BYTES],
                                        const uint8_t key_id[16], const struct hk_point *device_point,
                                        const uint8_t *proof);

#endif

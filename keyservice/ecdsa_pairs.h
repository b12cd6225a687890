/* ecdsa_pairs.h - a pair for two-party ECDSA as the service has it: half, Paillier key, C, and their names.
 */
#ifndef HALFKEY_KEYSERVICE_ECDSA_PAIRS_H
#define HALFKEY_KEYSERVICE_ECDSA_PAIRS_H

#include "crypto/ecdsa.h"
#include "crypto/refresh.h"
#include "keyservice/job.h"

/* In memory from hk_secret_new; points into itself: not to be copied. */
struct hk_ecdsa_loaded {
    struct hk_ecdsa_pair pair;
    struct hk_paillier_secret paillier;
    struct hk_ecdsa_service service;
};

/* Reads the request's key, which must be of the suite, its half and both points; not yet the set-up. The
 * ring must be there: HK_BUSY, HK_NOT_FOUND as hk_ecdsa_keys_ring. */
HK_CHECK enum hk_error hk_ecdsa_load_half(struct hk_ecdsa_loaded *loaded, struct hk_job *job,
                                          struct hk_txn *txn);
/* The set-up too, and the pair's name. HK_CONFLICT if the pair has none, or another one than the request's
 * `transcript` names: the device then asks for a new one. */
HK_CHECK enum hk_error hk_ecdsa_load(struct hk_ecdsa_loaded *loaded, struct hk_job *job, struct hk_txn *txn);

/* What the store keeps: wraps, the Paillier key's secret, C. Returns its length. */
size_t hk_ecdsa_stored(uint8_t out[HK_STORE_ECDSA_MAX], const struct hk_ecdsa_loaded *loaded);

/* Whether what the store keeps opens to `half` (wraps counted), for `halfkeyd check`: HK_AUTH if not. */
HK_CHECK enum hk_error hk_ecdsa_stored_fits(const uint8_t *stored, size_t size, const struct hk_scalar *half);

/* Where the pair of this job lives. */
struct hk_ecdsa_place hk_ecdsa_place_of(const struct hk_job *job) HK_CHECK;

/* In the writer's transaction, after the pending halves are stored: carries the set-up of a key over to the
 * pending epoch, shifted. Nothing to do is HK_OK; where no shift is possible any more the pair loses its
 * set-up with the old epoch, and the device asks for a new one. */
HK_CHECK enum hk_error hk_ecdsa_shift(struct hk_job *job, struct hk_txn *txn,
                                      const struct hk_refresh *refresh, const uint8_t key[HK_ID_BYTES],
                                      const struct hk_scalar *half);

#endif

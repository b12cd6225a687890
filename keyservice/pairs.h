/* pairs.h - a key and the service's half of it for one device, as operations look them up. */
#ifndef HALFKEY_KEYSERVICE_PAIRS_H
#define HALFKEY_KEYSERVICE_PAIRS_H

#include "crypto/suite.h"
#include "keyservice/job.h"

/* Reads the request's key into job->key and its half (secret). HK_UNKNOWN_KEY; HK_WRONG_PURPOSE unless the
 * key's purpose is one of `purposes` (bits 1 << enum hk_purpose). */
HK_CHECK enum hk_error hk_pair_load(struct hk_job *job, struct hk_txn *txn, unsigned purposes,
                                    struct hk_scalar *half);

/* The account's own key. HK_UNKNOWN_DEVICE if there is no such account. */
HK_CHECK enum hk_error hk_pair_account_key(struct hk_txn *txn, const uint8_t *account, struct hk_key *key);

/* All keys of an account, HK_KEYS_MAX at most, on the heap: free them. */
HK_CHECK enum hk_error hk_pair_list_keys(struct hk_txn *txn, const uint8_t *account, struct hk_key **keys,
                                         size_t *count);

#endif

/* pairs.h - a key and the service's half of it for one device, as operations look them up. */
#ifndef HALFKEY_KEYSERVICE_PAIRS_H
#define HALFKEY_KEYSERVICE_PAIRS_H

#include "crypto/suite.h"
#include "keyservice/job.h"

/* A share operation's pair from memory (hk_store_pair_find), if the request is one that needs nothing else of
 * the store: an agreement or a signature of no object, by the current epoch, that shows no revocations.
 * Secret: wipe `pair`. */
bool hk_pair_find(struct hk_job *job, struct hk_pair *pair) HK_CHECK;
/* Keeps what hk_pair_load read for the next request; once it is known that the account has a profile. */
void hk_pair_keep(struct hk_job *job, const struct hk_scalar *half);

/* Reads the request's key into job->key and its half (secret), or takes them from job->pair. HK_UNKNOWN_KEY;
 * HK_WRONG_PURPOSE unless the key's purpose is one of `purposes` (bits 1 << enum hk_purpose). */
HK_CHECK enum hk_error hk_pair_load(struct hk_job *job, struct hk_txn *txn, unsigned purposes,
                                    struct hk_scalar *half);

/* The account's own key. HK_UNKNOWN_DEVICE if there is no such account. */
HK_CHECK enum hk_error hk_pair_account_key(struct hk_txn *txn, const uint8_t *account, struct hk_key *key);

/* All keys of an account, HK_KEYS_MAX at most, on the heap: free them. */
HK_CHECK enum hk_error hk_pair_list_keys(struct hk_txn *txn, const uint8_t *account, struct hk_key **keys,
                                         size_t *count);

#endif

/* log.h - the log of every use: per account an append-only Merkle tree as in RFC 9162, with signed heads.
 *
 * Leaves are opaque here (protocol/object.h says what is in one). They are appended in the writer's
 * transaction, so a use is in the log, durably, before its answer leaves. Subtrees are stored, so appending,
 * a root and any proof take O(log n) reads. The log's generation is not the slot file's: it changes only with
 * adopt-restore, since every device stops at a new one. */
#ifndef HALFKEY_KEYSERVICE_LOG_H
#define HALFKEY_KEYSERVICE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"
#include "keyservice/masterkey.h"
#include "keyservice/store.h"
#include "protocol/merkle.h"
#include "protocol/object.h"

#define HK_LOG_LEAF_MAX 2048 /* bytes */

/* A head with the service's signature. */
struct hk_signed_head {
    struct hk_log_head head;
    uint8_t signature[64];
};

/* Appends a leaf (1 to HK_LOG_LEAF_MAX bytes) to the account's log. Writing transactions only. HK_NOT_FOUND
 * if there is no such account. */
HK_CHECK enum hk_error hk_log_append(struct hk_txn *txn, const uint8_t *account, const void *leaf,
                                     size_t size);

/* Encodes a leaf and appends it. */
HK_CHECK enum hk_error hk_log_append_leaf(struct hk_txn *txn, const uint8_t *account,
                                          const struct hk_leaf *leaf);

/* Whether a head that somebody has seen is one that this log had: HK_LOG_FORKED if it is larger, or of a
 * later generation, or its root is another. Of an earlier generation nothing is said: HK_OK. */
HK_CHECK enum hk_error hk_log_holds(struct hk_txn *txn, const uint8_t *account,
                                    const struct hk_log_head *head);

/* The current generation, its size and root as of this transaction; time is 0. HK_NOT_FOUND: no such account.
 */
HK_CHECK enum hk_error hk_log_read_head(struct hk_txn *txn, const uint8_t *account, struct hk_log_head *head);

/* A copy of `head` with time `now`, signed. */
void hk_log_sign(struct hk_signed_head *out, const struct hk_log_head *head, const uint8_t *account,
                 const struct hk_service_keys *keys, uint64_t now);

/* Begins a new generation of the account's log, above the current one (HK_CONFLICT otherwise); its first leaf
 * holds the last head of the old one. For adopt-restore. */
HK_CHECK enum hk_error hk_log_begin_generation(struct hk_txn *txn, const uint8_t *account,
                                               uint64_t generation, uint64_t now);

/* Makes the tree of the current generation anew from its leaves and compares every stored node: HK_LOG_FORKED
 * if something differs or is missing. */
HK_CHECK enum hk_error hk_log_verify(struct hk_txn *txn, const uint8_t *account);

/* Copies leaves [start, start + count) of a generation: at most `max` bytes to `out`, one after the other,
 * spans into it to `leaves`. Fewer come if `out` is full or the log ends: *found says how many. HK_NOT_FOUND
 * if there is no such generation. */
HK_CHECK enum hk_error hk_log_read_leaves(struct hk_txn *txn, const uint8_t *account, uint64_t generation,
                                          uint64_t start, uint64_t count, uint8_t *out, size_t max,
                                          struct hk_bytes *leaves, size_t *found);

/* The proof that leaf `index` is in the first `size` leaves; hashes of 32 bytes, at most HK_MERKLE_PROOF_MAX,
 * their number to *count. HK_NOT_FOUND unless index < size <= that generation's size. RFC 9162, 2.1.3. */
HK_CHECK enum hk_error hk_log_inclusion(struct hk_txn *txn, const uint8_t *account, uint64_t generation,
                                        uint64_t index, uint64_t size, uint8_t (*hashes)[32], size_t *count);

/* The proof that the first `size` leaves begin with the first `start`. HK_NOT_FOUND unless
 * start <= size <= that generation's size; no hashes if start is 0 or size. RFC 9162, 2.1.4. */
HK_CHECK enum hk_error hk_log_consistency(struct hk_txn *txn, const uint8_t *account, uint64_t generation,
                                          uint64_t start, uint64_t size, uint8_t (*hashes)[32],
                                          size_t *count);

/* -- refusals: at most HK_REFUSALS_A_MINUTE leaves a minute and device, the rest summed up -- */
#define HK_REFUSALS_A_MINUTE 6

struct hk_refusals;
struct hk_refusals *hk_refusals_new(void) HK_CHECK; /* NULL: no memory; freed by hk_refusals_free */
void hk_refusals_free(struct hk_refusals *refusals);

/* Counts one refusal of device `serial` at `now` (monotonic seconds). Returns 0: no leaf, it is summed up;
 * else write a leaf with this count, which includes what was summed up before. One thread at a time (the
 * writer's). */
uint64_t hk_refusals_count(struct hk_refusals *refusals, const uint8_t *serial, uint64_t now) HK_CHECK;

/* What is summed up and due: writes one serial and its count and forgets it; false if there is none. Call it
 * until it says so, once a minute, and with now = UINT64_MAX before shutting down. */
bool hk_refusals_due(struct hk_refusals *refusals, uint64_t now, uint8_t *serial, uint64_t *count) HK_CHECK;

#endif

/* merkle.h - the append-only tree of the log (RFC 9162 section 2.1, with SHA-256).
 *
 * The service keeps a frontier (the roots of the complete subtrees, about 2 KiB for any size) to append and
 * to make roots, and the hashes of complete nodes wherever it likes: this module asks for them by (level,
 * index), where (0, i) is leaf i and (l, i) covers leaves i*2^l to (i+1)*2^l - 1. Devices verify. Nothing
 * here allocates, stores or is secret. Sizes go up to 2^62. */
#ifndef HALFKEY_PROTOCOL_MERKLE_H
#define HALFKEY_PROTOCOL_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"

#define HK_MERKLE_BYTES 32
#define HK_MERKLE_LEVELS 63
#define HK_MERKLE_SIZE_MAX (UINT64_C(1) << 62)
#define HK_MERKLE_PROOF_MAX 128 /* hashes in a proof, at most */

/* SHA-256(0x00 ‖ leaf) and SHA-256(0x01 ‖ left ‖ right). */
void hk_merkle_leaf(uint8_t out[HK_MERKLE_BYTES], const void *leaf, size_t size);
void hk_merkle_node(uint8_t out[HK_MERKLE_BYTES], const uint8_t left[HK_MERKLE_BYTES],
                    const uint8_t right[HK_MERKLE_BYTES]);

/* A tree that can be appended to. node[l] is the root of a complete subtree of 2^l leaves if bit l of size is
 * set. */
struct hk_frontier {
    uint64_t size;
    uint8_t node[HK_MERKLE_LEVELS][HK_MERKLE_BYTES];
};

/* Where nodes are kept. A reader fills `out` or returns an error, which the function that asked returns. */
typedef enum hk_error (*hk_merkle_read)(void *context, unsigned level, uint64_t index,
                                        uint8_t out[HK_MERKLE_BYTES]);
typedef enum hk_error (*hk_merkle_write)(void *context, unsigned level, uint64_t index,
                                         const uint8_t node[HK_MERKLE_BYTES]);

/* The empty tree. */
void hk_frontier_init(struct hk_frontier *frontier);
/* Appends a leaf hash and gives every node that this completes, the leaf first, to `write` (may be NULL). An
 * error of `write` is returned and leaves the frontier as it was. HK_TOO_LARGE at HK_MERKLE_SIZE_MAX. */
HK_CHECK enum hk_error hk_frontier_append(struct hk_frontier *frontier, const uint8_t leaf[HK_MERKLE_BYTES],
                                          hk_merkle_write write, void *context);
/* The root; of the empty tree, SHA-256 of nothing. */
void hk_frontier_root(uint8_t out[HK_MERKLE_BYTES], const struct hk_frontier *frontier);
/* The frontier of the first `size` leaves, from stored nodes: after a start, or for an old root. */
HK_CHECK enum hk_error hk_frontier_load(struct hk_frontier *frontier, uint64_t size, hk_merkle_read read,
                                        void *context);

/* Proof that leaf `index` is in the tree of the first `size` leaves: `count` hashes one after the other to
 * `out`, which has room for HK_MERKLE_PROOF_MAX. HK_NOT_FOUND if index >= size. */
HK_CHECK enum hk_error hk_merkle_prove_inclusion(uint8_t (*out)[HK_MERKLE_BYTES], size_t *count,
                                                 uint64_t index, uint64_t size, hk_merkle_read read,
                                                 void *context);
/* HK_BAD_PROOF unless the proof (`count` spans of 32 bytes) leads from the leaf hash to the root, exactly. */
HK_CHECK enum hk_error hk_merkle_verify_inclusion(const uint8_t leaf[HK_MERKLE_BYTES], uint64_t index,
                                                  uint64_t size, const uint8_t root[HK_MERKLE_BYTES],
                                                  const struct hk_bytes *proof, size_t count);

/* Proof that the tree of `new_size` leaves extends that of `old_size`; empty if old_size is 0 or the same.
 * HK_NOT_FOUND if old_size > new_size. */
HK_CHECK enum hk_error hk_merkle_prove_consistency(uint8_t (*out)[HK_MERKLE_BYTES], size_t *count,
                                                   uint64_t old_size, uint64_t new_size, hk_merkle_read read,
                                                   void *context);
/* HK_BAD_PROOF unless the proof shows that the tree with the new root extends the one with the old root. The
 * root of size 0 is checked to be the empty tree's. */
HK_CHECK enum hk_error hk_merkle_verify_consistency(uint64_t old_size,
                                                    const uint8_t old_root[HK_MERKLE_BYTES],
                                                    uint64_t new_size,
                                                    const uint8_t new_root[HK_MERKLE_BYTES],
                                                    const struct hk_bytes *proof, size_t count);

#endif

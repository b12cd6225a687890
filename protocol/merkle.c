#include "protocol/merkle.h"

#include <sodium.h>
#include <string.h>

void hk_merkle_leaf(uint8_t out[HK_MERKLE_BYTES], const void *leaf, size_t size)
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t[]){0}, 1);
    if (size != 0) {
        crypto_hash_sha256_update(&state, leaf, size);
    }
    crypto_hash_sha256_final(&state, out);
}

void hk_merkle_node(uint8_t out[HK_MERKLE_BYTES], const uint8_t left[HK_MERKLE_BYTES],
                    const uint8_t right[HK_MERKLE_BYTES])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t[]){1}, 1);
    crypto_hash_sha256_update(&state, left, HK_MERKLE_BYTES);
    crypto_hash_sha256_update(&state, right, HK_MERKLE_BYTES);
    crypto_hash_sha256_final(&state, out);
}

/* ---- the frontier ---- */

void hk_frontier_init(struct hk_frontier *frontier)
{
    memset(frontier, 0, sizeof(*frontier));
}

enum hk_error hk_frontier_append(struct hk_frontier *frontier, const uint8_t leaf[HK_MERKLE_BYTES],
                                 hk_merkle_write write, void *context)
{
    if (frontier->size >= HK_MERKLE_SIZE_MAX) {
        return HK_TOO_LARGE;
    }
    uint8_t node[HK_MERKLE_BYTES];
    unsigned level = 0;
    memcpy(node, leaf, sizeof(node));
    for (;; level++) {
        enum hk_error error = write == NULL ? HK_OK : write(context, level, frontier->size >> level, node);
        if (error != HK_OK) {
            return error;
        }
        if ((frontier->size >> level & 1) == 0) {
            break;
        }
        hk_merkle_node(node, frontier->node[level], node);
    }
    memcpy(frontier->node[level], node, sizeof(node));
    frontier->size++;
    return HK_OK;
}

void hk_frontier_root(uint8_t out[HK_MERKLE_BYTES], const struct hk_frontier *frontier)
{
    bool have = false;
    uint8_t node[HK_MERKLE_BYTES];
    for (unsigned level = 0; level < HK_MERKLE_LEVELS; level++) {
        if ((frontier->size >> level & 1) == 0) {
            continue;
        }
        if (have) {
            hk_merkle_node(node, frontier->node[level], node);
        } else {
            memcpy(node, frontier->node[level], sizeof(node));
        }
        have = true;
    }
    if (!have) {
        crypto_hash_sha256(node, (const uint8_t *)"", 0);
    }
    memcpy(out, node, sizeof(node));
}

enum hk_error hk_frontier_load(struct hk_frontier *frontier, uint64_t size, hk_merkle_read read,
                               void *context)
{
    struct hk_frontier loaded;
    hk_frontier_init(&loaded);
    if (size > HK_MERKLE_SIZE_MAX) {
        return HK_TOO_LARGE;
    }
    for (unsigned level = 0; level < HK_MERKLE_LEVELS; level++) {
        if ((size >> level & 1) == 1) {
            enum hk_error error = read(context, level, (size >> level) - 1, loaded.node[level]);
            if (error != HK_OK) {
                return error;
            }
        }
    }
    loaded.size = size;
    *frontier = loaded;
    return HK_OK;
}

/* ---- proofs ---- */

/* The hash of the subtree over leaves [start, end) of a larger tree, start a multiple of the power of two
 * that the range fits in: complete nodes from the right, joined. */
static enum hk_error range_root(uint8_t out[HK_MERKLE_BYTES], uint64_t start, uint64_t end,
                                hk_merkle_read read, void *context)
{
    uint64_t size = end - start;
    uint8_t node[HK_MERKLE_BYTES], left[HK_MERKLE_BYTES];
    bool have = false;
    for (unsigned level = 0; level < HK_MERKLE_LEVELS; level++) {
        if ((size >> level & 1) == 0) {
            continue;
        }
        enum hk_error error = read(context, level, (start >> level) + (size >> level) - 1, left);
        if (error != HK_OK) {
            return error;
        }
        if (have) {
            hk_merkle_node(node, left, node);
        } else {
            memcpy(node, left, sizeof(node));
        }
        have = true;
    }
    memcpy(out, node, sizeof(node));
    return HK_OK;
}

/* The largest power of two that is smaller than size; size > 1. */
static uint64_t split(uint64_t size)
{
    return UINT64_C(1) << (63 - __builtin_clzll(size - 1));
}

static void reverse(uint8_t (*hashes)[HK_MERKLE_BYTES], size_t count)
{
    uint8_t kept[HK_MERKLE_BYTES];
    for (size_t i = 0; i + 1 < count - i; i++) {
        memcpy(kept, hashes[i], sizeof(kept));
        memcpy(hashes[i], hashes[count - 1 - i], sizeof(kept));
        memcpy(hashes[count - 1 - i], kept, sizeof(kept));
    }
}

/* Walks from the root of [0, size) towards `target` as PATH and SUBPROOF do, and collects the siblings, the
 * topmost first. `whole` ends the walk where it stands on a subtree that ends exactly at target
 * (consistency); otherwise it ends at the leaf `target`. */
static enum hk_error siblings(uint8_t (*out)[HK_MERKLE_BYTES], size_t *count, uint64_t *start, uint64_t *end,
                              uint64_t target, bool whole, hk_merkle_read read, void *context)
{
    while (whole ? *end != target : *end - *start > 1) {
        uint64_t middle = *start + split(*end - *start);
        bool goes_left = whole ? target <= middle : target < middle;
        enum hk_error error = goes_left ? range_root(out[*count], middle, *end, read, context)
                                        : range_root(out[*count], *start, middle, read, context);
        if (error != HK_OK) {
            return error;
        }
        ++*count;
        *(goes_left ? end : start) = middle;
    }
    return HK_OK;
}

enum hk_error hk_merkle_prove_inclusion(uint8_t (*out)[HK_MERKLE_BYTES], size_t *count, uint64_t index,
                                        uint64_t size, hk_merkle_read read, void *context)
{
    if (index >= size || size > HK_MERKLE_SIZE_MAX) {
        return HK_NOT_FOUND;
    }
    size_t made = 0;
    uint64_t start = 0, end = size;
    enum hk_error error = siblings(out, &made, &start, &end, index, false, read, context);
    if (error != HK_OK) {
        return error;
    }
    reverse(out, made);
    *count = made;
    return HK_OK;
}

enum hk_error hk_merkle_prove_consistency(uint8_t (*out)[HK_MERKLE_BYTES], size_t *count, uint64_t old_size,
                                          uint64_t new_size, hk_merkle_read read, void *context)
{
    if (old_size > new_size || new_size > HK_MERKLE_SIZE_MAX) {
        return HK_NOT_FOUND;
    }
    size_t made = 0;
    uint64_t start = 0, end = new_size;
    if (old_size == 0 || old_size == new_size) {
        *count = 0;
        return HK_OK;
    }
    enum hk_error error = siblings(out, &made, &start, &end, old_size, true, read, context);
    /* A subtree that begins at leaf 0 is the old tree itself, whose root the verifier has. */
    if (error == HK_OK && start != 0) {
        error = range_root(out[made++], start, end, read, context);
    }
    if (error != HK_OK) {
        return error;
    }
    reverse(out, made);
    *count = made;
    return HK_OK;
}

/* ---- verification: RFC 9162 sections 2.1.3.2 and 2.1.4.2 ---- */

static bool all_hashes(const struct hk_bytes *proof, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (proof[i].size != HK_MERKLE_BYTES) {
            return false;
        }
    }
    return count <= HK_MERKLE_PROOF_MAX;
}

static bool same(const uint8_t a[HK_MERKLE_BYTES], const uint8_t b[HK_MERKLE_BYTES])
{
    return memcmp(a, b, HK_MERKLE_BYTES) == 0;
}

enum hk_error hk_merkle_verify_inclusion(const uint8_t leaf[HK_MERKLE_BYTES], uint64_t index, uint64_t size,
                                         const uint8_t root[HK_MERKLE_BYTES], const struct hk_bytes *proof,
                                         size_t count)
{
    if (index >= size || !all_hashes(proof, count)) {
        return HK_BAD_PROOF;
    }
    uint8_t node[HK_MERKLE_BYTES];
    uint64_t fn = index, sn = size - 1;
    memcpy(node, leaf, sizeof(node));
    for (size_t i = 0; i < count; i++) {
        if (sn == 0) {
            return HK_BAD_PROOF;
        }
        if ((fn & 1) == 1 || fn == sn) {
            hk_merkle_node(node, proof[i].data, node);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            hk_merkle_node(node, node, proof[i].data);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && same(node, root) ? HK_OK : HK_BAD_PROOF;
}

static enum hk_error verify_extension(uint64_t old_size, const uint8_t *old_root, uint64_t new_size,
                                      const uint8_t *new_root, const struct hk_bytes *proof, size_t count)
{
    uint64_t fn = old_size - 1, sn = new_size - 1;
    uint8_t old_node[HK_MERKLE_BYTES], new_node[HK_MERKLE_BYTES];
    size_t at = 0;
    while ((fn & 1) == 1) {
        fn >>= 1;
        sn >>= 1;
    }
    /* An old tree of 2^k leaves is a node of the new one: its root opens the proof. */
    bool is_power = (old_size & (old_size - 1)) == 0;
    if (!is_power && count == 0) {
        return HK_BAD_PROOF;
    }
    memcpy(old_node, is_power ? old_root : proof[at++].data, sizeof(old_node));
    memcpy(new_node, old_node, sizeof(new_node));
    for (; at < count; at++) {
        if (sn == 0) {
            return HK_BAD_PROOF;
        }
        if ((fn & 1) == 1 || fn == sn) {
            hk_merkle_node(old_node, proof[at].data, old_node);
            hk_merkle_node(new_node, proof[at].data, new_node);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            hk_merkle_node(new_node, new_node, proof[at].data);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && same(old_node, old_root) && same(new_node, new_root) ? HK_OK : HK_BAD_PROOF;
}

enum hk_error hk_merkle_verify_consistency(uint64_t old_size, const uint8_t old_root[HK_MERKLE_BYTES],
                                           uint64_t new_size, const uint8_t new_root[HK_MERKLE_BYTES],
                                           const struct hk_bytes *proof, size_t count)
{
    if (old_size > new_size || !all_hashes(proof, count)) {
        return HK_BAD_PROOF;
    }
    if (old_size == new_size) {
        return count == 0 && same(old_root, new_root) ? HK_OK : HK_BAD_PROOF;
    }
    if (old_size == 0) {
        uint8_t empty[HK_MERKLE_BYTES];
        crypto_hash_sha256(empty, (const uint8_t *)"", 0);
        return count == 0 && same(old_root, empty) ? HK_OK : HK_BAD_PROOF;
    }
    return verify_extension(old_size, old_root, new_size, new_root, proof, count);
}

/* Proofs of a log: sizes and index (three u64), a leaf hash, two roots, then the proof's hashes. Whatever
 * verifies must be the one true statement, so a random proof of a random root never does. */
#include "protocol/merkle.h"
#include "protocol/object.h"
#include "tests/fuzz/fuzz.h"

static uint64_t number(const uint8_t *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hk_bytes proof[HK_MERKLE_PROOF_MAX + 2];
    struct hk_leaf leaf;
    size_t count = 0;
    if (hk_leaf_decode(&leaf, data, size) == HK_OK) {
        uint8_t again[2048];
        size_t written = 0;
        MUST(hk_leaf_encode(&leaf, again, sizeof(again), &written) == HK_OK);
        SAME_BYTES(again, written, data, size);
    }
    if (size < 24 + 96) {
        return 0;
    }
    const uint8_t *hash = data + 24, *old_root = hash + 32, *root = hash + 64;
    for (const uint8_t *at = data + 24 + 96; data + size - at >= 32 && count < HK_MERKLE_PROOF_MAX + 2;
         at += 32) {
        proof[count++] = (struct hk_bytes){at, 32};
    }
    uint64_t old_size = number(data), new_size = number(data + 8), index = number(data + 16);
    if (hk_merkle_verify_inclusion(hash, index, new_size, root, proof, count) == HK_OK) {
        MUST(index < new_size && count <= 62);
        MUST(count != 0 || (new_size == 1 && memcmp(hash, root, 32) == 0));
    }
    if (hk_merkle_verify_consistency(old_size, old_root, new_size, root, proof, count) == HK_OK) {
        MUST(old_size <= new_size);
        MUST(old_size != new_size || memcmp(old_root, root, 32) == 0);
    }
    return 0;
}

/* The log's tree: the known tree of Certificate Transparency, and every size up to 64 against a slow
 * reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/encoding.h"
#include "protocol/merkle.h"

#define LEAVES 64
#define LEVELS 8

/* Stored nodes, and how many have been. */
struct nodes {
    uint8_t hash[LEVELS][LEAVES][HK_MERKLE_BYTES];
    bool have[LEVELS][LEAVES];
    bool fails;
};

static enum hk_error write_node(void *context, unsigned level, uint64_t index,
                                const uint8_t node[HK_MERKLE_BYTES])
{
    struct nodes *nodes = context;
    if (nodes->fails) {
        return HK_IO;
    }
    assert_true(level < LEVELS && index < LEAVES);
    assert_false(nodes->have[level][index]);
    nodes->have[level][index] = true;
    memcpy(nodes->hash[level][index], node, HK_MERKLE_BYTES);
    return HK_OK;
}

static enum hk_error read_node(void *context, unsigned level, uint64_t index, uint8_t out[HK_MERKLE_BYTES])
{
    struct nodes *nodes = context;
    if (nodes->fails) {
        return HK_IO;
    }
    assert_true(level < LEVELS && index < LEAVES);
    assert_true(nodes->have[level][index]); /* only complete nodes are ever asked for */
    memcpy(out, nodes->hash[level][index], HK_MERKLE_BYTES);
    return HK_OK;
}

/* MTH of RFC 9162, as it is written there. */
static void slow_root(uint8_t out[HK_MERKLE_BYTES], uint8_t (*leaves)[HK_MERKLE_BYTES], size_t count)
{
    size_t k = 1;
    uint8_t left[HK_MERKLE_BYTES], right[HK_MERKLE_BYTES];
    if (count == 1) {
        memcpy(out, leaves[0], HK_MERKLE_BYTES);
        return;
    }
    while (2 * k < count) {
        k *= 2;
    }
    slow_root(left, leaves, k);
    slow_root(right, leaves + k, count - k);
    hk_merkle_node(out, left, right);
}

static size_t slow_path(uint8_t (*out)[HK_MERKLE_BYTES], size_t index, uint8_t (*leaves)[HK_MERKLE_BYTES],
                        size_t count)
{
    size_t k = 1, made;
    if (count == 1) {
        return 0;
    }
    while (2 * k < count) {
        k *= 2;
    }
    if (index < k) {
        made = slow_path(out, index, leaves, k);
        slow_root(out[made], leaves + k, count - k);
    } else {
        made = slow_path(out, index - k, leaves + k, count - k);
        slow_root(out[made], leaves, k);
    }
    return made + 1;
}

/* SUBPROOF of RFC 9162. */
static size_t slow_subproof(uint8_t (*out)[HK_MERKLE_BYTES], size_t m, uint8_t (*leaves)[HK_MERKLE_BYTES],
                            size_t n, bool b)
{
    size_t k = 1, made;
    if (m == n) {
        if (b) {
            return 0;
        }
        slow_root(out[0], leaves, n);
        return 1;
    }
    while (2 * k < n) {
        k *= 2;
    }
    if (m <= k) {
        made = slow_subproof(out, m, leaves, k, b);
        slow_root(out[made], leaves + k, n - k);
    } else {
        made = slow_subproof(out, m - k, leaves + k, n - k, false);
        slow_root(out[made], leaves, k);
    }
    return made + 1;
}

/* A tree of 64 leaves, its stored nodes, and the root of each size. */
static struct {
    struct nodes nodes;
    uint8_t leaves[LEAVES][HK_MERKLE_BYTES], roots[LEAVES + 1][HK_MERKLE_BYTES];
} tree;

static int make_tree(void **state)
{
    (void)state;
    struct hk_frontier frontier;
    hk_frontier_init(&frontier);
    hk_frontier_root(tree.roots[0], &frontier);
    for (uint8_t i = 0; i < LEAVES; i++) {
        hk_merkle_leaf(tree.leaves[i], &i, 1);
        assert_int_equal(hk_frontier_append(&frontier, tree.leaves[i], write_node, &tree.nodes), HK_OK);
        hk_frontier_root(tree.roots[i + 1], &frontier);
    }
    return 0;
}

static size_t spans(struct hk_bytes *out, uint8_t (*hashes)[HK_MERKLE_BYTES], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = HK_BYTES(hashes[i], HK_MERKLE_BYTES);
    }
    return count;
}

static void assert_hex(const uint8_t hash[HK_MERKLE_BYTES], const char *hex)
{
    char text[HK_HEX_SIZE(HK_MERKLE_BYTES)];
    hk_hex_encode(text, hash, HK_MERKLE_BYTES);
    assert_string_equal(text, hex);
}

static void roots_of_the_certificate_transparency_tree_are_right(void **state)
{
    (void)state;
    static const char *const leaves[] = {
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
    static const char *const roots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    struct hk_frontier frontier;
    uint8_t root[HK_MERKLE_BYTES];
    hk_frontier_init(&frontier);
    hk_frontier_root(root, &frontier);
    assert_hex(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < 8; i++) {
        uint8_t leaf[16], hash[HK_MERKLE_BYTES];
        size_t size = strlen(leaves[i]) / 2;
        assert_int_equal(hk_hex_decode(leaf, size, leaves[i], 2 * size), HK_OK);
        hk_merkle_leaf(hash, leaf, size);
        assert_int_equal(hk_frontier_append(&frontier, hash, NULL, NULL), HK_OK);
        hk_frontier_root(root, &frontier);
        assert_hex(root, roots[i]);
    }
}

static void every_root_and_every_loaded_frontier_is_that_of_the_slow_tree(void **state)
{
    (void)state;
    for (size_t size = 1; size <= LEAVES; size++) {
        uint8_t expected[HK_MERKLE_BYTES], root[HK_MERKLE_BYTES];
        struct hk_frontier frontier;
        slow_root(expected, tree.leaves, size);
        assert_memory_equal(tree.roots[size], expected, sizeof(expected));
        assert_int_equal(hk_frontier_load(&frontier, size, read_node, &tree.nodes), HK_OK);
        hk_frontier_root(root, &frontier);
        assert_memory_equal(root, expected, sizeof(expected));
    }
}

/* The proof with each hash changed, one hash fewer and one more. */
static void every_damage_is_refused_inclusion(size_t index, size_t size, uint8_t (*proof)[HK_MERKLE_BYTES],
                                              size_t count)
{
    struct hk_bytes list[HK_MERKLE_PROOF_MAX + 1];
    const uint8_t *leaf = tree.leaves[index], *root = tree.roots[size];
    spans(list, proof, count);
    for (size_t i = 0; i < count; i++) {
        proof[i][i % HK_MERKLE_BYTES] ^= 1;
        assert_int_equal(hk_merkle_verify_inclusion(leaf, index, size, root, list, count), HK_BAD_PROOF);
        proof[i][i % HK_MERKLE_BYTES] ^= 1;
        list[i].size = 31;
        assert_int_equal(hk_merkle_verify_inclusion(leaf, index, size, root, list, count), HK_BAD_PROOF);
        list[i].size = 32;
    }
    if (count > 0) {
        assert_int_equal(hk_merkle_verify_inclusion(leaf, index, size, root, list, count - 1), HK_BAD_PROOF);
        assert_int_equal(hk_merkle_verify_inclusion(leaf, index, size, root, list + 1, count - 1),
                         HK_BAD_PROOF);
    }
    list[count] = HK_BYTES(root, HK_MERKLE_BYTES);
    assert_int_equal(hk_merkle_verify_inclusion(leaf, index, size, root, list, count + 1), HK_BAD_PROOF);
    assert_int_equal(
        hk_merkle_verify_inclusion(tree.leaves[(index + 1) % LEAVES], index, size, root, list, count),
        HK_BAD_PROOF);
    assert_int_equal(hk_merkle_verify_inclusion(leaf, index, size, tree.roots[size - 1], list, count),
                     HK_BAD_PROOF);
}

static void every_inclusion_proof_is_that_of_the_rfc_and_nothing_else_passes(void **state)
{
    (void)state;
    for (size_t size = 1; size <= LEAVES; size++) {
        for (size_t index = 0; index < size; index++) {
            uint8_t proof[HK_MERKLE_PROOF_MAX][HK_MERKLE_BYTES], slow[HK_MERKLE_PROOF_MAX][HK_MERKLE_BYTES];
            struct hk_bytes list[HK_MERKLE_PROOF_MAX];
            size_t count;
            assert_int_equal(hk_merkle_prove_inclusion(proof, &count, index, size, read_node, &tree.nodes),
                             HK_OK);
            assert_int_equal(count, slow_path(slow, index, tree.leaves, size));
            assert_memory_equal(proof, slow, count * HK_MERKLE_BYTES);
            spans(list, proof, count);
            for (size_t claimed = 0; claimed < size; claimed++) {
                assert_int_equal(hk_merkle_verify_inclusion(tree.leaves[index], claimed, size,
                                                            tree.roots[size], list, count),
                                 claimed == index ? HK_OK : HK_BAD_PROOF);
            }
            every_damage_is_refused_inclusion(index, size, proof, count);
        }
    }
}

static void every_damage_is_refused_consistency(size_t old, size_t size, uint8_t (*proof)[HK_MERKLE_BYTES],
                                                size_t count)
{
    struct hk_bytes list[HK_MERKLE_PROOF_MAX + 1];
    spans(list, proof, count);
    for (size_t i = 0; i < count; i++) {
        proof[i][i % HK_MERKLE_BYTES] ^= 0x80;
        assert_int_equal(
            hk_merkle_verify_consistency(old, tree.roots[old], size, tree.roots[size], list, count),
            HK_BAD_PROOF);
        proof[i][i % HK_MERKLE_BYTES] ^= 0x80;
    }
    if (count > 0) {
        assert_int_equal(
            hk_merkle_verify_consistency(old, tree.roots[old], size, tree.roots[size], list, count - 1),
            HK_BAD_PROOF);
    }
    list[count] = HK_BYTES(tree.roots[1], HK_MERKLE_BYTES);
    assert_int_equal(
        hk_merkle_verify_consistency(old, tree.roots[old], size, tree.roots[size], list, count + 1),
        HK_BAD_PROOF);
    for (size_t other = 0; other <= LEAVES; other++) {
        if (other != old) {
            assert_int_equal(
                hk_merkle_verify_consistency(old, tree.roots[other], size, tree.roots[size], list, count),
                HK_BAD_PROOF);
        }
        if (other != size) {
            assert_int_equal(
                hk_merkle_verify_consistency(old, tree.roots[old], size, tree.roots[other], list, count),
                HK_BAD_PROOF);
        }
    }
}

static void every_consistency_proof_is_that_of_the_rfc_and_nothing_else_passes(void **state)
{
    (void)state;
    for (size_t size = 0; size <= LEAVES; size++) {
        for (size_t old = 0; old <= size; old++) {
            uint8_t proof[HK_MERKLE_PROOF_MAX][HK_MERKLE_BYTES], slow[HK_MERKLE_PROOF_MAX][HK_MERKLE_BYTES];
            struct hk_bytes list[HK_MERKLE_PROOF_MAX];
            size_t count, expected = old == 0 ? 0 : slow_subproof(slow, old, tree.leaves, size, true);
            assert_int_equal(hk_merkle_prove_consistency(proof, &count, old, size, read_node, &tree.nodes),
                             HK_OK);
            assert_int_equal(count, expected);
            assert_memory_equal(proof, slow, count * HK_MERKLE_BYTES);
            spans(list, proof, count);
            assert_int_equal(
                hk_merkle_verify_consistency(old, tree.roots[old], size, tree.roots[size], list, count),
                HK_OK);
            if (old != 0) { /* any tree extends the empty one */
                every_damage_is_refused_consistency(old, size, proof, count);
            }
        }
    }
}

static void a_history_with_one_leaf_changed_does_not_extend_the_old_one(void **state)
{
    (void)state;
    for (size_t changed = 0; changed < 40; changed++) {
        static struct nodes forked;
        struct hk_frontier frontier;
        uint8_t root[HK_MERKLE_BYTES], proof[HK_MERKLE_PROOF_MAX][HK_MERKLE_BYTES];
        struct hk_bytes list[HK_MERKLE_PROOF_MAX];
        size_t count;
        memset(&forked, 0, sizeof(forked));
        hk_frontier_init(&frontier);
        for (size_t i = 0; i < 60; i++) {
            const uint8_t *leaf = i == changed ? tree.leaves[63] : tree.leaves[i];
            assert_int_equal(hk_frontier_append(&frontier, leaf, write_node, &forked), HK_OK);
        }
        hk_frontier_root(root, &frontier);
        assert_int_equal(hk_merkle_prove_consistency(proof, &count, 40, 60, read_node, &forked), HK_OK);
        spans(list, proof, count);
        assert_int_equal(hk_merkle_verify_consistency(40, tree.roots[40], 60, root, list, count),
                         HK_BAD_PROOF);
    }
}

static void the_empty_tree_and_wrong_sizes_are_handled(void **state)
{
    (void)state;
    uint8_t proof[HK_MERKLE_PROOF_MAX][HK_MERKLE_BYTES];
    size_t count = 9;
    assert_int_equal(hk_merkle_prove_inclusion(proof, &count, 0, 0, read_node, &tree.nodes), HK_NOT_FOUND);
    assert_int_equal(hk_merkle_prove_inclusion(proof, &count, 5, 5, read_node, &tree.nodes), HK_NOT_FOUND);
    assert_int_equal(hk_merkle_prove_consistency(proof, &count, 6, 5, read_node, &tree.nodes), HK_NOT_FOUND);
    assert_int_equal(count, 9);
    assert_int_equal(hk_merkle_verify_inclusion(tree.leaves[0], 0, 0, tree.roots[0], NULL, 0), HK_BAD_PROOF);
    assert_int_equal(hk_merkle_verify_consistency(0, tree.roots[1], 5, tree.roots[5], NULL, 0), HK_BAD_PROOF);
    assert_int_equal(hk_merkle_verify_consistency(0, tree.roots[0], 5, tree.roots[5], NULL, 0), HK_OK);
    assert_int_equal(hk_merkle_verify_consistency(6, tree.roots[6], 5, tree.roots[5], NULL, 0), HK_BAD_PROOF);
    assert_int_equal(hk_merkle_verify_consistency(5, tree.roots[5], 5, tree.roots[5], NULL, 0), HK_OK);
    assert_int_equal(hk_merkle_verify_consistency(5, tree.roots[5], 5, tree.roots[6], NULL, 0), HK_BAD_PROOF);
}

static void errors_of_the_store_come_back_and_change_nothing(void **state)
{
    (void)state;
    struct nodes failing = {.fails = true};
    struct hk_frontier frontier, before;
    uint8_t proof[HK_MERKLE_PROOF_MAX][HK_MERKLE_BYTES];
    size_t count = 3;
    assert_int_equal(hk_frontier_load(&frontier, 37, read_node, &tree.nodes), HK_OK);
    before = frontier;
    assert_int_equal(hk_frontier_append(&frontier, tree.leaves[37], write_node, &failing), HK_IO);
    assert_int_equal(hk_frontier_load(&frontier, 21, read_node, &failing), HK_IO);
    assert_memory_equal(&frontier, &before, sizeof(frontier));
    assert_int_equal(hk_merkle_prove_inclusion(proof, &count, 3, 37, read_node, &failing), HK_IO);
    assert_int_equal(hk_merkle_prove_consistency(proof, &count, 3, 37, read_node, &failing), HK_IO);
    assert_int_equal(count, 3);
    frontier.size = HK_MERKLE_SIZE_MAX;
    assert_int_equal(hk_frontier_append(&frontier, tree.leaves[0], NULL, NULL), HK_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_of_the_certificate_transparency_tree_are_right),
        cmocka_unit_test(every_root_and_every_loaded_frontier_is_that_of_the_slow_tree),
        cmocka_unit_test(every_inclusion_proof_is_that_of_the_rfc_and_nothing_else_passes),
        cmocka_unit_test(every_consistency_proof_is_that_of_the_rfc_and_nothing_else_passes),
        cmocka_unit_test(a_history_with_one_leaf_changed_does_not_extend_the_old_one),
        cmocka_unit_test(the_empty_tree_and_wrong_sizes_are_handled),
        cmocka_unit_test(errors_of_the_store_come_back_and_change_nothing),
    };
    return cmocka_run_group_tests(tests, make_tree, NULL);
}

/* What is bounded in memory: the locked arena, a device's requests under way, a stranger's allowance. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "keyservice/arena.h"
#include "keyservice/device_state.h"
#include "keyservice/policy.h"

/* ---- the arena ---- */

static bool is_zero(const uint8_t *bytes, size_t size)
{
    size_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += bytes[i];
    }
    return sum == 0;
}

static void arena_gives_disjoint_blocks_and_wipes_what_comes_back(void **state)
{
    (void)state;
    static const size_t wanted[] = {1, 255, 256, 257, 1024, 5000, 16384, 65536, 66000};
    enum { COUNT = sizeof(wanted) / sizeof(*wanted) };
    struct hk_arena *arena;
    struct hk_arena_figures figures;
    uint8_t *block[COUNT];
    assert_int_equal(hk_arena_new(&arena, 1 << 20), HK_OK);
    for (size_t i = 0; i < COUNT; i++) {
        block[i] = hk_arena_take(arena, wanted[i]);
        assert_non_null(block[i]);
        assert_int_equal((uintptr_t)block[i] % 16, 0);
        memset(block[i], (int)i + 1, wanted[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < wanted[i]; j++) {
            assert_int_equal(block[i][j], i + 1);
        }
    }
    hk_arena_figures(arena, &figures);
    assert_int_equal(figures.out, COUNT);
    assert_int_equal(figures.overflows, 0);
    for (size_t i = 0; i < COUNT; i++) {
        hk_arena_give(arena, block[i], wanted[i]);
        assert_true(
            is_zero(block[i] + sizeof(void *), wanted[i] > 8 ? wanted[i] - 8 : 0)); /* but for a link */
    }
    uint8_t *again = hk_arena_take(arena, 200);
    assert_true(again == block[1] || again == block[0] || again == block[2]); /* used again, not cut anew */
    hk_arena_give(arena, again, 200);
    hk_arena_figures(arena, &figures);
    assert_int_equal(figures.out, 0);
    hk_arena_free(arena);
}

static void full_arena_takes_from_the_heap_and_counts_it(void **state)
{
    (void)state;
    struct hk_arena *arena;
    struct hk_arena_figures figures;
    void *block[8];
    assert_int_equal(hk_arena_new(&arena, 128 << 10), HK_OK);
    for (size_t i = 0; i < 8; i++) {
        block[i] = hk_arena_take(arena, 60000);
        assert_non_null(block[i]);
        memset(block[i], 1, 60000);
    }
    void *large = hk_arena_take(arena, 1 << 20);
    assert_non_null(large);
    hk_arena_figures(arena, &figures);
    assert_int_equal(figures.bytes, 128 << 10);
    assert_int_equal(figures.overflows, 8); /* one fits, and nothing as large as the last */
    hk_arena_give(arena, large, 1 << 20);
    for (size_t i = 0; i < 8; i++) {
        hk_arena_give(arena, block[i], 60000);
    }
    hk_arena_figures(arena, &figures);
    assert_int_equal(figures.out, 0);
    hk_arena_free(arena);
}

/* In a child, since a limit that was lowered stays: what may not be locked is warned about, and made smaller.
 */
static void arena_shrinks_to_what_may_be_locked_and_says_so(void **state)
{
    (void)state;
    int ends[2], status = -1;
    char said[512] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {800 << 10, 800 << 10}; /* half of it, and 512 KiB left */
        struct hk_arena *arena;
        struct hk_arena_figures figures;
        (void)dup2(ends[1], STDERR_FILENO);
        if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
            (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) ||
            hk_arena_new(&arena, 1 << 20) != HK_OK) {
            _exit(1);
        }
        hk_arena_figures(arena, &figures);
        _exit(figures.bytes == 256 << 10 && figures.locked == figures.bytes ? 0 : 2);
    }
    (void)close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
    (void)close(ends[0]);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_non_null(strstr(said, "event=locked-memory-short wanted=1048576 locked=262144"));
}

/* ---- a device ---- */

static void device_with_too_much_under_way_is_busy_until_something_ends(void **state)
{
    (void)state;
    static const uint8_t one[HK_ID_BYTES] = {1}, other[HK_ID_BYTES] = {2};
    struct hk_device_states *states = hk_device_states_new();
    assert_non_null(states);
    for (int i = 0; i < HK_DEVICE_INSIDE_MAX; i++) {
        assert_int_equal(hk_device_enter(states, one), HK_OK);
    }
    assert_int_equal(hk_device_enter(states, one), HK_BUSY);
    assert_int_equal(hk_device_enter(states, other), HK_OK);
    hk_device_leave(states, one);
    assert_int_equal(hk_device_enter(states, one), HK_OK);
    assert_int_equal(hk_device_enter(states, one), HK_BUSY);
    for (int i = 0; i < HK_DEVICE_INSIDE_MAX; i++) {
        hk_device_leave(states, one);
    }
    hk_device_leave(states, other);
    hk_device_states_free(states);
}

/* ---- strangers ---- */

static struct hk_peer peer_of(unsigned n)
{
    struct hk_peer peer = {
        .address = {[10] = 0xff, [11] = 0xff, 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
    return peer;
}

static size_t spend_all(struct hk_policy *policy, const struct hk_peer *peer, size_t most)
{
    size_t spent = 0;
    while (spent < most && hk_policy_spend(policy, peer, HK_COST_HANDSHAKE) == HK_OK) {
        spent++;
    }
    return spent;
}

static void allowance_of_an_address_ends_and_comes_back(void **state)
{
    (void)state;
    struct hk_policy *policy = hk_policy_new();
    struct hk_peer peer = peer_of(1), local = {.is_local = true};
    assert_non_null(policy);
    assert_in_range(spend_all(policy, &peer, 100000), 3000, 4000);
    assert_false(hk_policy_has_left(policy, &peer));
    assert_int_equal(hk_policy_spend(policy, &peer, HK_COST_CREATE), HK_OVER_QUOTA);
    assert_int_equal(spend_all(policy, &local, 100000), 100000);
    (void)nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
    assert_true(hk_policy_has_left(policy, &peer));
    assert_in_range(spend_all(policy, &peer, 100000), 500, 3000);
    assert_true(hk_policy_refused(policy) >= 3);
    hk_policy_free(policy);
}

static void all_addresses_together_have_an_allowance_and_a_new_one_is_still_heard(void **state)
{
    (void)state;
    struct hk_policy *policy = hk_policy_new();
    assert_non_null(policy);
    size_t spent = 0, heard = 0;
    for (unsigned n = 0; n < 400; n++) {
        struct hk_peer peer = peer_of(n);
        spent += spend_all(policy, &peer, 1000);
    }
    assert_in_range(spent, 4000 + 300 * 14, 50000); /* and what came back in the meantime */
    for (unsigned n = 1000; n < 1100; n++) {        /* some share a place with one of the 400 */
        struct hk_peer peer = peer_of(n);
        heard += hk_policy_spend(policy, &peer, HK_COST_HANDSHAKE) == HK_OK &&
                         hk_policy_spend(policy, &peer, HK_COST_REVOKE) == HK_OK
                     ? 1
                     : 0;
    }
    assert_true(heard >= 70);
    hk_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_disjoint_blocks_and_wipes_what_comes_back),
        cmocka_unit_test(full_arena_takes_from_the_heap_and_counts_it),
        cmocka_unit_test(arena_shrinks_to_what_may_be_locked_and_says_so),
        cmocka_unit_test(device_with_too_much_under_way_is_busy_until_something_ends),
        cmocka_unit_test(allowance_of_an_address_ends_and_comes_back),
        cmocka_unit_test(all_addresses_together_have_an_allowance_and_a_new_one_is_still_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

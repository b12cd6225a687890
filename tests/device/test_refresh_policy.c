/* When a device's halves are due for replacement, and what counts towards it. */
#include "device/refresh_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define NOW 1000000u
static const struct hk_refresh_policy policy = {.uses = 100, .seconds = 5000};
static struct hk_state *device;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(hk_state_new(&device), HK_OK);
    device->phase = HK_PHASE_ACTIVE;
    device->created = NOW - 9000;
    device->refreshed = NOW;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_state_free(device);
    return 0;
}

static void it_is_due_after_so_many_uses(void **state)
{
    (void)state;
    device->uses = 99;
    assert_false(hk_refresh_is_due(device, &policy, NOW));
    device->uses = 100;
    assert_true(hk_refresh_is_due(device, &policy, NOW));
    struct hk_refresh_policy never = {.uses = 0, .seconds = 5000};
    device->uses = UINT64_MAX;
    assert_false(hk_refresh_is_due(device, &never, NOW));
}

static void it_is_due_after_so_long(void **state)
{
    (void)state;
    assert_false(hk_refresh_is_due(device, &policy, NOW + 4999));
    assert_true(hk_refresh_is_due(device, &policy, NOW + 5000));
    struct hk_refresh_policy never = {.uses = 100, .seconds = 0};
    assert_false(hk_refresh_is_due(device, &never, UINT64_MAX));
}

static void a_device_that_never_refreshed_counts_from_when_it_was_made(void **state)
{
    (void)state;
    device->refreshed = 0;
    assert_false(hk_refresh_is_due(device, &policy, NOW - 9000 + 4999));
    assert_true(hk_refresh_is_due(device, &policy, NOW - 9000 + 5000));
}

static void a_clock_that_was_set_back_makes_nothing_due(void **state)
{
    (void)state;
    assert_false(hk_refresh_is_due(device, &policy, NOW - 1));
    assert_false(hk_refresh_is_due(device, &policy, 0));
}

static void what_must_be_is_due_at_once(void **state)
{
    (void)state;
    device->must_refresh = true;
    assert_true(hk_refresh_is_due(device, &policy, NOW));
    struct hk_refresh_policy never = {.uses = 0, .seconds = 0};
    assert_true(hk_refresh_is_due(device, &never, 0));
}

static void nothing_is_due_while_something_is_under_way(void **state)
{
    (void)state;
    device->must_refresh = true;
    const enum hk_state_phase phases[] = {HK_PHASE_CREATING, HK_PHASE_FOUNDING, HK_PHASE_JOINING};
    for (size_t i = 0; i < 3; i++) {
        device->phase = phases[i];
        assert_false(hk_refresh_is_due(device, &policy, NOW));
    }
    device->phase = HK_PHASE_ACTIVE;
    device->enrolment.open = true;
    assert_false(hk_refresh_is_due(device, &policy, NOW));
    device->enrolment.open = false;
    device->refresh.stage = HK_REFRESH_STORED;
    assert_false(hk_refresh_is_due(device, &policy, NOW));
    device->refresh.stage = HK_REFRESH_NONE;
    assert_true(hk_refresh_is_due(device, &policy, NOW));
}

static void uses_are_counted_with_their_time(void **state)
{
    (void)state;
    uint64_t before = (uint64_t)time(NULL);
    for (int i = 0; i < 100; i++) {
        assert_false(hk_refresh_is_due(device, &policy, NOW));
        hk_refresh_count_use(device);
    }
    assert_true(hk_refresh_is_due(device, &policy, NOW));
    assert_in_range(device->last_use, before, (uint64_t)time(NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_is_due_after_so_many_uses),
        TEST(it_is_due_after_so_long),
        TEST(a_device_that_never_refreshed_counts_from_when_it_was_made),
        TEST(a_clock_that_was_set_back_makes_nothing_due),
        TEST(what_must_be_is_due_at_once),
        TEST(nothing_is_due_while_something_is_under_way),
        TEST(uses_are_counted_with_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The refresh protocol as a model (tests/support/refresh_model.h): sound as it is, and found out when it is
 * broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/support/refresh_model.h"

static void assert_sound(bool with_copy, size_t net_max, size_t least)
{
    struct hk_space_result result = refresh_model_explore(REFRESH_SOUND, with_copy, net_max);
    if (result.violation != NULL) {
        fail_msg("%s after:\n%s", result.violation, result.trace);
    }
    assert_true(result.states >= least); /* a model that explores nothing proves nothing */
}

static void refresh_without_a_copy_never_strands_or_refuses_anybody(void **state)
{
    (void)state;
    assert_sound(false, 3, 100);
}

static void refresh_with_a_copy_of_the_device_loses_no_half(void **state)
{
    (void)state;
    assert_sound(true, 2, 1000);
}

static void assert_found(enum refresh_fault fault, const char *violation)
{
    struct hk_space_result result = refresh_model_explore(fault, false, 3);
    assert_non_null(result.violation);
    assert_string_equal(result.violation, violation);
}

static void erasing_the_old_half_too_early_is_found(void **state)
{
    (void)state;
    assert_found(REFRESH_ERASES_BEFORE_ANSWER, "the only half that fits is gone");
}

static void confirming_before_storing_is_found(void **state)
{
    (void)state;
    assert_found(REFRESH_CONFIRMS_BEFORE_STORED, "the only half that fits is gone");
}

static void answering_before_storing_is_found(void **state)
{
    (void)state;
    assert_found(REFRESH_ANSWERS_BEFORE_STORED, "the only half that fits is gone");
}

static void judging_late_frames_is_found(void **state)
{
    (void)state;
    assert_found(REFRESH_LATE_FRAMES_JUDGED, "an honest device is refused as stale");
}

static void refusing_a_repeated_confirm_is_found(void **state)
{
    (void)state;
    assert_found(REFRESH_NEVER_ALREADY, "an honest device is refused as stale");
}

static void dropping_the_wrong_half_is_found(void **state)
{
    (void)state;
    assert_found(REFRESH_DROPS_WRONG_HALF, "the only half that fits is gone");
}

static void staying_between_two_epochs_is_found(void **state)
{
    (void)state;
    assert_found(REFRESH_IGNORES_UNKNOWN_TAG, "no way back");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refresh_without_a_copy_never_strands_or_refuses_anybody),
        cmocka_unit_test(refresh_with_a_copy_of_the_device_loses_no_half),
        cmocka_unit_test(erasing_the_old_half_too_early_is_found),
        cmocka_unit_test(confirming_before_storing_is_found),
        cmocka_unit_test(answering_before_storing_is_found),
        cmocka_unit_test(judging_late_frames_is_found),
        cmocka_unit_test(refusing_a_repeated_confirm_is_found),
        cmocka_unit_test(dropping_the_wrong_half_is_found),
        cmocka_unit_test(staying_between_two_epochs_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

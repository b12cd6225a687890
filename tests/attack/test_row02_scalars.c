/* Row 2: zero, n, n+1, 2^256-1 and other scalars that are none, wherever one travels. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/attack_places.h"
#include "tests/support/bad_values.h"

static struct hk_attack attack;

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    return 0;
}

static int set_up_secp256k1(void **state)
{
    (void)state;
    attack = (struct hk_attack){.on_secp256k1 = true};
    hk_attack_begin(&attack, false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&attack);
    return 0;
}

static void row02_a_bad_scalar_is_refused_in_every_message_about_keys_and_epochs(void **state)
{
    (void)state;
    attack_places(&attack, attack_key_places, attack_key_place_count, false);
}

static void row02_a_bad_scalar_is_refused_in_every_message_of_an_enrolment(void **state)
{
    (void)state;
    attack_enrolment_begin(&attack);
    attack_places(&attack, attack_enrol_places, attack_enrol_place_count, false);
    attack_enrolment_end(&attack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define ALSO(name) cmocka_unit_test_setup_teardown(name, set_up_secp256k1, tear_down)
        TEST(row02_a_bad_scalar_is_refused_in_every_message_about_keys_and_epochs),
        ALSO(row02_a_bad_scalar_is_refused_in_every_message_about_keys_and_epochs),
        TEST(row02_a_bad_scalar_is_refused_in_every_message_of_an_enrolment),
        ALSO(row02_a_bad_scalar_is_refused_in_every_message_of_an_enrolment),
    };
    return HK_ATTACK_ROW(2, tests);
}

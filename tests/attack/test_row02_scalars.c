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

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&attack);
    return 0;
}

static void attack_all(const struct attack_place *places, size_t count)
{
    struct bad_value scalars[BAD_SCALARS_MAX];
    size_t scalar_count = bad_scalars(scalars);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < scalar_count && !places[i].is_point; j++) {
            attack_place(&attack, &places[i], scalars[j].name, scalars[j].bytes, scalars[j].size);
        }
    }
}

static void row02_a_bad_scalar_is_refused_in_every_message_about_keys_and_epochs(void **state)
{
    (void)state;
    attack_all(attack_key_places, attack_key_place_count);
}

static void row02_a_bad_scalar_is_refused_in_every_message_of_an_enrolment(void **state)
{
    (void)state;
    attack_enrolment_begin(&attack);
    attack_all(attack_enrol_places, attack_enrol_place_count);
    attack_enrolment_end(&attack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row02_a_bad_scalar_is_refused_in_every_message_about_keys_and_epochs),
        TEST(row02_a_bad_scalar_is_refused_in_every_message_of_an_enrolment),
    };
    return HK_ATTACK_ROW(2, tests);
}

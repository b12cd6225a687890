/* Row 2 in the other direction: a service whose answers carry scalars that are none. The
 * device is the real halfkey. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/answer_places.h"
#include "tests/support/attack.h"

static struct lying_service lying;

static void row02_a_device_refuses_bad_scalars_in_every_answer(void **state)
{
    (void)state;
    struct bad_value values[BAD_SCALARS_MAX];
    size_t count = bad_scalars(values, &hk_edwards25519);
    answer_places_begin(&lying);
    for (size_t i = 0; i < answer_place_count; i++) {
        const struct answer_place *place = &answer_places[i];
        for (size_t j = 0; j < count && !place->is_point && !place->is_slow; j++) {
            if (values[j].size >= 32) { /* no message can carry less */
                answer_place(&lying, place, &values[j]);
            }
        }
    }
    answer_places_end(&lying, false);
    for (size_t i = 0; i < answer_place_count; i++) {
        const struct answer_place *place = &answer_places[i];
        for (size_t j = i % 3; j < count && !place->is_point && place->is_slow; j += 4) {
            if (values[j].size >= 32) {
                answer_places_begin(&lying);
                answer_place(&lying, place, &values[j]);
                answer_places_end(&lying, true);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(row02_a_device_refuses_bad_scalars_in_every_answer)};
    return HK_ATTACK_ROW(2, tests);
}

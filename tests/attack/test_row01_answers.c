/* Row 1 in the other direction: a service whose answers carry points that are none. The
 * device is the real halfkey. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/answer_places.h"
#include "tests/support/attack.h"
#include "tests/support/scale.h"

static struct lying_service lying;

static void row01_a_device_refuses_bad_points_in_every_answer(void **state)
{
    (void)state;
    struct bad_value values[BAD_POINTS_MAX];
    size_t count = bad_points(values, &hk_edwards25519);
    size_t step = hk_scaled(100) >= 100 ? 1 : 3; /* each value in some place, or all in all */
    answer_places_begin(&lying);
    for (size_t i = 0; i < answer_place_count; i++) {
        const struct answer_place *place = &answer_places[i];
        for (size_t j = 0; j < count && place->is_point && !place->is_slow; j++) {
            if (values[j].size >= 32 && (i + j) % step == 0) { /* no message can carry less */
                answer_place(&lying, place, &values[j]);
            }
        }
    }
    answer_places_end(&lying, false);
    for (size_t i = 0; i < answer_place_count; i++) {
        const struct answer_place *place = &answer_places[i];
        for (size_t j = i % 3; j < count && place->is_point && place->is_slow; j += 12) {
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(row01_a_device_refuses_bad_points_in_every_answer)};
    return HK_ATTACK_ROW(1, tests);
}

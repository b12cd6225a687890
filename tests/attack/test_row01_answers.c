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
    size_t step = hk_scaled(100) >= 100 ? 1 : 3; /* each value in some place, or all in all */
    answer_places_all(&lying, true, step, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(row01_a_device_refuses_bad_points_in_every_answer)};
    return HK_ATTACK_ROW(1, tests);
}

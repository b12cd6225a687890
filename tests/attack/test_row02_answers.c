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
    answer_places_all(&lying, false, 1, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(row02_a_device_refuses_bad_scalars_in_every_answer)};
    return HK_ATTACK_ROW(2, tests);
}

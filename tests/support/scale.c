#include "tests/support/scale.h"

#include <stdlib.h>

uint64_t hk_scaled(uint64_t whole)
{
    const char *percent = getenv("HK_SCALE");
    uint64_t scale = percent != NULL ? strtoull(percent, NULL, 10) : 10;
    uint64_t part = whole * scale / 100;
    return part != 0 ? part : 1;
}

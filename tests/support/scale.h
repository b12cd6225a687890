/* scale.h - how much of a long count a run does: a tenth, or the whole of it.
 *
 * Where a row of the attack suite names a count, `make check` and `make attack` run a tenth of it and `make
 * soak` all of it. HK_SCALE in the environment is the percentage; this is the only place that reads it. */
#ifndef HALFKEY_TESTS_SCALE_H
#define HALFKEY_TESTS_SCALE_H

#include <stdint.h>

/* `whole` times HK_SCALE percent (10 if it is not set), at least 1. */
uint64_t hk_scaled(uint64_t whole);

#endif

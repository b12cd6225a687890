#include "tests/support/chosen_random.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "crypto/random.h"

static unsigned chosen[8];
static size_t chosen_count, chosen_used;
static unsigned char stuck_value;

static void from_chosen(void *out, size_t size)
{
    if (size != 64 || chosen_used == chosen_count) {
        randombytes_buf(out, size);
        return;
    }
    memset(out, 0, size);
    ((unsigned char *)out)[0] = (unsigned char)chosen[chosen_used++];
}

static void from_stuck(void *out, size_t size)
{
    memset(out, stuck_value, size);
}

void hk_random_choose(const unsigned *values, size_t count)
{
    assert(count <= sizeof(chosen) / sizeof(chosen[0]));
    memcpy(chosen, values, count * sizeof(values[0]));
    chosen_count = count;
    chosen_used = 0;
    hk_test_random_source(from_chosen);
}

void hk_random_stick(unsigned char value)
{
    stuck_value = value;
    hk_test_random_source(from_stuck);
}

void hk_random_restore(void)
{
    hk_test_random_source(NULL);
}

#include "crypto/random.h"

#include <sodium.h>

#ifdef HK_TEST_SEAMS
static void (*test_source)(void *out, size_t size);

void hk_test_random_source(void (*source)(void *out, size_t size))
{
    test_source = source;
}
#endif

void hk_random(void *out, size_t size)
{
#ifdef HK_TEST_SEAMS
    if (test_source != NULL) {
        test_source(out, size);
        return;
    }
#endif
    randombytes_buf(out, size);
}

#include "crypto/secret.h"

#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#ifdef HK_TEST_SEAMS
#include <valgrind/memcheck.h>

void hk_test_public(const void *memory, size_t size)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(memory, size);
}
#endif

void hk_wipe(void *memory, size_t size)
{
    if (size != 0) {
        sodium_memzero(memory, size);
    }
}

bool hk_equal(const void *a, const void *b, size_t size)
{
    bool equal = sodium_memcmp(a, b, size) == 0;
    HK_PUBLIC(equal);
    return equal;
}

bool hk_is_zero(const void *memory, size_t size)
{
    bool zero = sodium_is_zero(memory, size) == 1;
    HK_PUBLIC(zero);
    return zero;
}

/* sodium_malloc locks and guards its pages and leaves them out of dumps; it does not report a lock that the
 * limit refused, and knows nothing of forks, so both are added on the pages that hold the data. */
static void *pages_of(void *memory, size_t size, size_t *length)
{
    const uintptr_t page = 4096;
    uintptr_t start = (uintptr_t)memory & ~(page - 1);
    *length = (((uintptr_t)memory + size + page - 1) & ~(page - 1)) - start;
    return (void *)start;
}

void *hk_secret_new(size_t size)
{
    if (size == 0 || sodium_init() < 0) {
        return NULL;
    }
    void *memory = sodium_malloc(size);
    if (memory == NULL) {
        return NULL;
    }
    size_t length;
    void *pages = pages_of(memory, size, &length);
    if (mlock(pages, length) != 0 || madvise(pages, length, MADV_WIPEONFORK) != 0) {
        sodium_free(memory);
        return NULL;
    }
    memset(memory, 0, size);
    return memory;
}

size_t hk_secret_limit(void)
{
    struct rlimit limit;
    bool known = getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return known ? (size_t)limit.rlim_cur : SIZE_MAX;
}

void hk_secret_free(void *memory)
{
    sodium_free(memory);
}

void hk_wipe_span(struct hk_wipe_span *span)
{
    hk_wipe(span->memory, span->size);
}

#include "protocol/seam.h"

#ifdef HK_TEST_SEAMS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void hk_test_seam(const char *name)
{
    static atomic_long passages;
    const char *wanted = getenv("HK_CRASH");
    size_t length = strlen(name);
    if (wanted == NULL || strncmp(wanted, name, length) != 0) {
        return;
    }
    long passage = wanted[length] == ':' ? strtol(wanted + length + 1, NULL, 10) : 1;
    if ((wanted[length] == '\0' || wanted[length] == ':') && atomic_fetch_add(&passages, 1) + 1 == passage) {
        raise(SIGKILL);
    }
}
#else
typedef int hk_seam_is_empty; /* a translation unit must declare something */
#endif

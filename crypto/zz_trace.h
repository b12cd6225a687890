#ifndef ZZ_TRACE_H
#define ZZ_TRACE_H
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <stdlib.h>
#include <stdatomic.h>
static inline void zz_trace(const char *l)
{
    static FILE *f;
    if (!f) {
        char p[64];
        snprintf(p, 64, "/tmp/zz.%d.%p", getpid(), (void *)&f);
        f = fopen(p, "w");
        if (!f)
            return;
        setvbuf(f, malloc(1 << 20), _IOFBF, 1 << 20);
    }
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    fprintf(f, "%lld %s\n", (long long)t.tv_sec * 1000000000LL + t.tv_nsec, l);
    static atomic_int n;
    if (++n % 200 == 0)
        fflush(f);
}
#endif

/* The filter of system calls, of process.h. */

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "keyservice/console.h"
#include "keyservice/process.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define CALL(name) SCMP_SYS(name)

/* What serving needs, by what needs it. No socket, bind or connect: what listens was opened before. */
static const int allowed[] = {
    /* memory */
    CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(mlock), CALL(mlock2), CALL(munlock),
    CALL(munlockall),
    /* threads and signals of our own */
    CALL(futex), CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(rt_sigtimedwait),
    CALL(restart_syscall), CALL(sched_yield), CALL(set_robust_list), CALL(rseq), CALL(exit), CALL(exit_group),
    CALL(getpid), CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid),
    /* clocks and randomness */
    CALL(clock_gettime), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday), CALL(time),
    CALL(getrandom),
    /* connections */
    CALL(accept), CALL(accept4), CALL(close), CALL(shutdown), CALL(read), CALL(readv), CALL(write),
    CALL(writev), CALL(recvmsg), CALL(recvfrom), CALL(sendmsg), CALL(sendto), CALL(getsockname),
    CALL(getpeername), CALL(getsockopt), CALL(setsockopt), CALL(epoll_ctl), CALL(epoll_wait),
    CALL(epoll_pwait), CALL(eventfd2), CALL(poll), CALL(ppoll), CALL(fcntl),
    /* the store's files, the configuration */
    CALL(openat), CALL(open), CALL(newfstatat), CALL(fstat), CALL(stat), CALL(lstat), CALL(statx),
    CALL(access), CALL(faccessat), CALL(faccessat2), CALL(pread64), CALL(pwrite64), CALL(lseek), CALL(fsync),
    CALL(fdatasync), CALL(ftruncate), CALL(fallocate), CALL(flock), CALL(fchmod), CALL(fchown), CALL(rename),
    CALL(renameat), CALL(renameat2), CALL(unlink), CALL(unlinkat), CALL(getcwd), CALL(readlink),
    CALL(readlinkat)};

/* Calls of which one use alone is allowed: the argument `n` under `mask` must be `value`. */
static const struct narrow {
    int call;
    unsigned n;
    scmp_datum_t mask, value;
} narrows[] = {
    {CALL(mmap), 2, PROT_EXEC, 0}, /* memory never becomes executable */
    {CALL(mprotect), 2, PROT_EXEC, 0},
    {CALL(prctl), 0, UINT32_MAX, PR_SET_NAME}, /* a thread that was just made names itself */
    {CALL(ioctl), 1, UINT32_MAX, TCGETS},      /* standard output may be a terminal */
};

static int add_narrow(scmp_filter_ctx filter)
{
    /* The only process that may be sent a signal is this one. */
    int failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(tgkill), 1,
                                  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
    for (size_t i = 0; failed == 0 && i < sizeof(narrows) / sizeof(*narrows); i++) {
        const struct narrow *row = &narrows[i];
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, row->call, 1,
                                  SCMP_CMP(row->n, SCMP_CMP_MASKED_EQ, row->mask, row->value));
    }
    return failed;
}

static int add_all(scmp_filter_ctx filter)
{
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; failed == 0 && i < sizeof(allowed) / sizeof(*allowed); i++) {
        if (allowed[i] >= 0) { /* negative: a call that this architecture does not have */
            failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
        }
    }
    return failed != 0 ? failed : add_narrow(filter);
}

enum hk_error hk_process_confine(char reason[256])
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int failed = filter == NULL ? -1 : add_all(filter);
    if (failed == 0 && !SANITIZED) {
        failed = seccomp_load(filter);
    } else if (failed == 0) {
        hk_console(HK_LEVEL_WARNING, "not-confined", " reason=\"built with a sanitizer\"");
    }
    seccomp_release(filter);
    reason[0] = '\0';
    if (failed != 0) {
        (void)snprintf(reason, 256, "the filter of system calls cannot be set (%d)", failed);
        return HK_INTERNAL;
    }
    return HK_OK;
}

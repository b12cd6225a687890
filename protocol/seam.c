#include "protocol/seam.h"

#ifdef HK_TEST_SEAMS
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crypto/random.h"

/* HK_SYSCALL is "seam=number,a,b,c": the call is made, as it is, by the thread that passes the seam. */
static void make_call(const char *name)
{
    const char *wanted = getenv("HK_SYSCALL");
    size_t length = strlen(name);
    if (wanted == NULL || strncmp(wanted, name, length) != 0 || wanted[length] != '=') {
        return;
    }
    long number[4] = {0};
    char *at = (char *)wanted + length;
    for (size_t i = 0; i < 4 && *at != '\0'; i++) {
        number[i] = strtol(at + 1, &at, 10);
    }
    (void)syscall(number[0], number[1], number[2], number[3], 0, 0, 0);
}

/* By open: the filter of system calls lets that through. */
static bool is_armed(void)
{
    const char *path = getenv("HK_CRASH_ARMED");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        close(fd);
    }
    return path == NULL || fd >= 0;
}

/* One write a name, so that a process that is killed next has told where. */
static void tell_passage(const char *name)
{
    const char *path = getenv("HK_PASSED");
    char line[128];
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        int size = snprintf(line, sizeof(line), "%s\n", name);
        (void)!write(fd, line, (size_t)size);
        close(fd);
    }
}

void hk_test_seam(const char *name)
{
    static atomic_long passages;
    tell_passage(name);
    make_call(name);
    const char *wanted = getenv("HK_CRASH");
    size_t length = strlen(name);
    if (wanted == NULL || strncmp(wanted, name, length) != 0 || !is_armed()) {
        return;
    }
    long passage = wanted[length] == ':' ? strtol(wanted + length + 1, NULL, 10) : 1;
    if ((wanted[length] == '\0' || wanted[length] == ':') && atomic_fetch_add(&passages, 1) + 1 == passage) {
        tell_passage("KILLED");
        raise(SIGKILL);
    }
}

void hk_test_note(const char *name, uint64_t what, uint64_t outcome, const uint8_t id[16])
{
    const char *path = getenv("HK_NOTES");
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) { /* one write is one line, whatever other threads do */
        char line[128];
        int size =
            snprintf(line, sizeof(line), "%s %llu %llu %02x%02x%02x%02x\n", name, (unsigned long long)what,
                     (unsigned long long)outcome, id[0], id[1], id[2], id[3]);
        (void)!write(fd, line, (size_t)size);
        close(fd);
    }
}

int hk_test_timeout(int ms)
{
    const char *wanted = getenv("HK_TIMEOUT");
    return wanted != NULL ? atoi(wanted) : ms;
}

void hk_test_tell(const char *name, const void *secret, size_t size)
{
    const char *path = getenv("HK_TELL");
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        (void)!write(fd, name, 1);
        (void)!write(fd, secret, size);
        close(fd);
    }
}

/* One write: records of several threads do not mix. */
void hk_test_traffic(char kind, const void *bytes, size_t size)
{
    const char *path = getenv("HK_TRAFFIC");
    int fd = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    uint32_t length = (uint32_t)size;
    struct iovec parts[] = {{&kind, 1}, {&length, sizeof(length)}, {(void *)bytes, size}};
    if (fd >= 0) {
        (void)!writev(fd, parts, 3);
        close(fd);
    }
}

static void stuck_random(void *out, size_t size)
{
    const char *path = getenv("HK_STUCK");
    unsigned char value = 0;
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        randombytes_buf(out, size);
        return;
    }
    (void)!read(fd, &value, 1);
    close(fd);
    memset(out, value, size);
}

__attribute__((constructor)) static void stick(void)
{
    if (getenv("HK_STUCK") != NULL) {
        hk_test_random_source(stuck_random);
    }
}
#else
typedef int hk_seam_is_empty; /* a translation unit must declare something */
#endif

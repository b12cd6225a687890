#include "protocol/seam.h"

#ifdef HK_TEST_SEAMS
#include <signal.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
#else
typedef int hk_seam_is_empty; /* a translation unit must declare something */
#endif

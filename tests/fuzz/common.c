#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/random.h"

static uint8_t counter[32];

static void repeat(void *out, size_t size)
{
    randombytes_buf_deterministic(out, size, counter);
    sodium_increment(counter, sizeof(counter));
}

void fuzz_random(void)
{
    MUST(sodium_init() >= 0);
    memset(counter, 0, sizeof(counter));
    hk_test_random_source(repeat);
}

static char folder[64], path[128];

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    (void)!system(command); /* NOLINT(cert-env33-c): a name of our own */
}

const char *fuzz_folder(void)
{
    if (folder[0] == '\0') {
        snprintf(folder, sizeof(folder), "%s/halfkey-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        MUST(mkdtemp(folder) != NULL);
        atexit(remove_folder);
    }
    return folder;
}

const char *fuzz_file(const char *name, const void *data, size_t size)
{
    snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
    return path;
}

enum hk_error fuzz_read(void *context, uint8_t *out, size_t max, size_t *got)
{
    struct fuzz_memory *memory = context;
    size_t left = memory->size - memory->at;
    *got = left < max ? left : max;
    if (*got != 0) {
        memcpy(out, memory->data + memory->at, *got);
    }
    memory->at += *got;
    return HK_OK;
}

enum hk_error fuzz_count(void *context, const uint8_t *data, size_t size)
{
    size_t *count = context;
    *count += size + (size != 0 ? data[0] & 0 : 0);
    return HK_OK;
}

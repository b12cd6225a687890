/* The published age files, through the whole of halfkey: the identity that a file states is imported, that is
 * split between a device and a service that are started here, and `halfkey decrypt` opens the file. How it
 * ended and what was put out must be what the file says. */
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "protocol/encoding.h"
#include "tests/vectors/vectors.h"

#define PLAIN_MAX (64 << 20)

/* One service and one device for all files of a run. */
static struct {
    bool tried, works;
    char folder[64], programs[1024];
    size_t keys;
    char identities[16][128]; /* what key number k was imported from */
} bed;

/* Runs a shell command whose parts are all our own. */
static int __attribute__((format(printf, 1, 2))) shell(const char *format, ...)
{
    char command[8192];
    va_list list;
    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    return system(command);
}

static size_t read_all(const char *name, void *out, size_t max)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", bed.folder, name);
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(out, 1, max, f) : 0;
    if (f)
        fclose(f);
    return n;
}

static void take_down(void)
{
    shell("%s/halfkey agent --stop >/dev/null 2>&1; kill $(cat %s/pid) 2>/dev/null; rm -rf %s", bed.programs,
          bed.folder, bed.folder);
}

static bool start_service(void)
{
    char line[1024] = "";
    shell("%s/halfkeyd --data %s/service --listen tcp://127.0.0.1:0 >%s/ready 2>%s/log & echo $! >%s/pid",
          bed.programs, bed.folder, bed.folder, bed.folder, bed.folder);
    for (int i = 0; i < 200; i++) {
        line[read_all("ready", line, sizeof line - 1)] = 0;
        if (strchr(line, '\n'))
            break;
        usleep(20000);
    }
    char *address = strstr(line, "halfkey://");
    if (!address)
        return false;
    address[strcspn(address, "\n")] = 0;
    return shell("%s/halfkey init --service '%s' --device runner --no-passphrase >>%s/log 2>&1", bed.programs,
                 address, bed.folder) == 0 &&
           shell("%s/halfkey key create none --suite x25519 >>%s/log 2>&1", bed.programs, bed.folder) == 0;
}

/* Starts service and device at the first file; says why if that fails. */
static bool set_up(void)
{
    if (bed.tried)
        return bed.works;
    bed.tried = true;
    ssize_t n = readlink("/proc/self/exe", bed.programs, sizeof bed.programs - 1);
    strcpy(bed.folder, "/tmp/halfkey-age-XXXXXX");
    if (n <= 0 || !mkdtemp(bed.folder))
        return false;
    bed.programs[n] = 0;
    *strrchr(bed.programs, '/') = 0;
    char home[128];
    snprintf(home, sizeof home, "%s/home", bed.folder);
    setenv("HALFKEY_HOME", home, 1);
    unsetenv("XDG_RUNTIME_DIR");
    atexit(take_down);
    bed.works = start_service();
    if (!bed.works)
        shell("cat %s/log", bed.folder);
    return bed.works;
}

/* The name of the key that was imported from this identity; "none" for files that state none. */
static bool key_for(const char *identity, char name[16])
{
    strcpy(name, "none");
    if (!*identity)
        return true;
    size_t k = 0;
    while (k < bed.keys && strcmp(bed.identities[k], identity) != 0)
        k++;
    snprintf(name, 16, "key%zu", k);
    if (k < bed.keys)
        return true;
    if (k == sizeof bed.identities / sizeof *bed.identities)
        return false;
    snprintf(bed.identities[bed.keys++], sizeof bed.identities[0], "%s", identity);
    return shell("echo '%s' | %s/halfkey key import %s --format age-identity - >>%s/log 2>&1", identity,
                 bed.programs, name, bed.folder) == 0;
}

static bool member(const char *header, size_t size, const char *name, char out[128])
{
    size_t length = strlen(name);
    for (const char *at = header; at < header + size;) {
        const char *end = memchr(at, '\n', (size_t)(header + size - at));
        size_t line = end ? (size_t)(end - at) : (size_t)(header + size - at);
        if (line > length + 2 && memcmp(at, name, length) == 0 && memcmp(at + length, ": ", 2) == 0) {
            snprintf(out, 128, "%.*s", (int)(line - length - 2), at + length + 2);
            return true;
        }
        at += line + 1;
    }
    *out = 0;
    return false;
}

static size_t header_size(const struct vectors *file)
{
    const uint8_t *end = memmem(file->bytes, file->size < 4096 ? file->size : 4096, "\n\n", 2);
    return end ? (size_t)(end - file->bytes) : 0;
}

bool age_matches(const struct vectors *file)
{
    return !file->json && file->size > 8 && memcmp(file->bytes, "expect: ", 8) == 0 && header_size(file) > 0;
}

/* Puts the age file itself, unpacked, where the command finds it. */
static bool write_case(const struct vectors *file, bool compressed)
{
    char path[128];
    size_t start = header_size(file) + 2, size = file->size - start;
    const uint8_t *bytes = file->bytes + start;
    uint8_t *plain = NULL;
    if (compressed) {
        uLongf room = PLAIN_MAX;
        plain = malloc(room);
        if (!plain || uncompress(plain, &room, bytes, size) != Z_OK) {
            free(plain);
            return false;
        }
        bytes = plain;
        size = room;
    }
    snprintf(path, sizeof path, "%s/case", bed.folder);
    FILE *f = fopen(path, "wb");
    bool good = f && fwrite(bytes, 1, size, f) == size;
    if (f)
        good = fclose(f) == 0 && good;
    free(plain);
    return good;
}

static bool same_outcome(const char *expect)
{
    static char text[65536];
    size_t size = read_all("err", text, sizeof text);
    json_t *json = json_loadb(text, size, 0, NULL);
    bool good = json && strcmp(vectors_text(json, "outcome"), expect) == 0;
    if (!good)
        printf("%.*s\n", (int)size, text);
    json_decref(json);
    return good;
}

static bool same_payload(const char *expect)
{
    uint8_t digest[32], *plain = malloc(PLAIN_MAX);
    char text[HK_HEX_SIZE(32)];
    if (!plain)
        return false;
    size_t size = read_all("out", plain, PLAIN_MAX);
    crypto_hash_sha256(digest, plain, size);
    hk_hex_encode(text, digest, sizeof digest);
    free(plain);
    return *expect ? strcmp(text, expect) == 0 : size == 0;
}

void age_run(struct vectors *file)
{
    char expect[128], payload[128], identity[128], compressed[128], key[16];
    const char *header = (const char *)file->bytes;
    size_t size = header_size(file);
    member(header, size, "expect", expect);
    member(header, size, "payload", payload);
    member(header, size, "identity", identity);
    bool packed = member(header, size, "compressed", compressed);
    if (!vectors_check(file, set_up() && key_for(identity, key) && write_case(file, packed), "set-up", "age"))
        return;
    file->passed--;
    int status = shell("%s/halfkey decrypt --json --key %s %s/case >%s/out 2>%s/err", bed.programs, key,
                       bed.folder, bed.folder, bed.folder);
    bool success = strcmp(expect, "success") == 0;
    vectors_check(file, same_outcome(expect) && same_payload(payload) && (status == 0) == success, expect,
                  strrchr(file->path, '/') ? strrchr(file->path, '/') + 1 : file->path);
}

/* Row 27: with known halves, neither x nor the other side's half is in a process or a file. The programs with
 * the tests' seams tell their halves to this test, which adds them up and looks for them in the memory of
 * both processes and in every file that either has written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/attack.h"
#include "tests/support/service.h"

#define KEYS 3 /* account, x25519, ed25519 */

struct needle {
    const char *what;
    uint8_t bytes[32];
};

struct world {
    struct hk_test_service service;
    char home[128], told[128];
    struct needle whole[KEYS + 2], device[KEYS], in_service[KEYS];
    uint8_t imported[32];
};
static struct world world;

/* --- running the programs --- */

static void program_path(char path[512], const char *name)
{
    ssize_t length = readlink("/proc/self/exe", path, 400);
    assert_true(length > 0);
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    *strrchr(path, '/') = '\0'; /* BUILD/test/attack -> BUILD/test */
    strcat(path, "/");
    strcat(path, name);
}

static int run_halfkey(const char *input, size_t input_size, const char *const arguments[])
{
    char path[512];
    const char *argv[16] = {"halfkey"};
    int ends[2], status = -1;
    program_path(path, "halfkey");
    for (int i = 0; arguments[i] != NULL; i++) {
        argv[i + 1] = arguments[i];
    }
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(ends[0], 0);
        dup2(null, 1);
        close(ends[1]);
        execv(path, (char *const *)argv);
        _exit(127);
    }
    close(ends[0]);
    assert_int_equal(write(ends[1], input, input_size), (ssize_t)input_size);
    close(ends[1]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#define HALFKEY(...) assert_int_equal(run_halfkey("", 0, (const char *const[]){__VA_ARGS__, NULL}), 0)

/* --- looking --- */

static bool holds(const uint8_t *memory, size_t size, const uint8_t needle[32])
{
    return memmem(memory, size, needle, 32) != NULL;
}

static bool process_holds(pid_t pid, const uint8_t needle[32])
{
    char path[64], line[512];
    bool found = false;
    size_t looked = 0;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "r");
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    int memory = open(path, O_RDONLY);
    assert_non_null(maps);
    assert_true(memory >= 0);
    while (!found && fgets(line, sizeof(line), maps) != NULL) {
        char *at = line, *end;
        unsigned long from = strtoul(at, &at, 16), to = strtoul(at + (*at == '-'), &end, 16);
        if (end == at || end[0] != ' ' || end[1] != 'r' || to - from > (64UL << 20)) {
            continue;
        }
        uint8_t *copy = malloc(to - from);
        ssize_t got = pread(memory, copy, to - from, (off_t)from);
        if (got > 0) {
            looked += (size_t)got;
            found = holds(copy, (size_t)got, needle);
        }
        free(copy);
    }
    fclose(maps);
    close(memory);
    assert_true(looked > 100000);
    return found;
}

static const uint8_t *file_needle;
static int files_holding, files_seen;

static int look_into(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)ftw;
    if (flag != FTW_F || !S_ISREG(info->st_mode) || strcmp(path, world.told) == 0 || info->st_size == 0) {
        return 0;
    }
    uint8_t *copy = malloc((size_t)info->st_size);
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, copy, (size_t)info->st_size);
    close(fd);
    files_seen++;
    files_holding += got > 0 && holds(copy, (size_t)got, file_needle);
    free(copy);
    return 0;
}

static int files_with(const char *directory, const uint8_t needle[32])
{
    file_needle = needle;
    files_holding = files_seen = 0;
    nftw(directory, look_into, 16, FTW_PHYS);
    assert_true(files_seen > 0);
    return files_holding;
}

static pid_t agent_pid(void)
{
    char path[128], text[64] = "";
    pid_t found = 0;
    DIR *all = opendir("/proc");
    for (struct dirent *entry; found == 0 && (entry = readdir(all)) != NULL;) {
        static char environment[65536];
        snprintf(path, sizeof(path), "/proc/%.20s/cmdline", entry->d_name);
        int fd = open(path, O_RDONLY);
        ssize_t got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
        close(fd);
        if (got <= 0 || memmem(text, (size_t)got, "agent\0--daemon", 14) == NULL) {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/%.20s/environ", entry->d_name);
        fd = open(path, O_RDONLY);
        got = fd >= 0 ? read(fd, environment, sizeof(environment)) : 0;
        close(fd);
        if (got > 0 && memmem(environment, (size_t)got, world.home, strlen(world.home)) != NULL) {
            found = (pid_t)strtol(entry->d_name, NULL, 10);
        }
    }
    closedir(all);
    return found;
}

/* --- the run --- */

/* The told halves, in the order in which the keys were made; x = d + s of each. */
static void read_told(void)
{
    uint8_t record[33];
    int devices = 0, services = 0;
    FILE *told = fopen(world.told, "r");
    assert_non_null(told);
    while (fread(record, sizeof(record), 1, told) == 1) {
        if (record[0] == 'd' && devices < KEYS) {
            memcpy(world.device[devices++].bytes, record + 1, 32);
        } else if (record[0] == 's' && services < KEYS) {
            memcpy(world.in_service[services++].bytes, record + 1, 32);
        }
    }
    fclose(told);
    assert_int_equal(devices, KEYS);
    assert_int_equal(services, KEYS);
    for (int i = 0; i < KEYS; i++) {
        crypto_core_ed25519_scalar_add(world.whole[i].bytes, world.device[i].bytes,
                                       world.in_service[i].bytes);
    }
}

static int set_up(void **unused)
{
    char secret[65];
    (void)unused;
    hk_test_service_start(&world.service, false);
    hk_test_service_stop(&world.service);
    snprintf(world.home, sizeof(world.home), "%s/home", world.service.directory);
    snprintf(world.told, sizeof(world.told), "%s/told", world.service.directory);
    setenv("HALFKEY_HOME", world.home, 1);
    setenv("HK_TELL", world.told, 1);
    hk_test_service_restart(&world.service);
    HALFKEY("init", "--service", world.service.line, "--device", "laptop", "--no-passphrase");
    HALFKEY("key", "create", "files", "--suite", "x25519");
    HALFKEY("key", "create", "git", "--suite", "ed25519");
    read_told();
    randombytes_buf(world.imported, sizeof(world.imported));
    sodium_bin2hex(secret, sizeof(secret), world.imported, sizeof(world.imported));
    assert_int_equal(run_halfkey(secret, 64,
                                 (const char *const[]){"key", "import", "old", "--suite", "x25519",
                                                       "--format", "raw", "-", NULL}),
                     0);
    memcpy(world.whole[KEYS].bytes, world.imported, 32);
    uint8_t wide[64] = {0};
    memcpy(wide, world.imported, 32);
    wide[0] &= 248;
    wide[31] = (uint8_t)((wide[31] & 127) | 64);
    crypto_core_ed25519_scalar_reduce(world.whole[KEYS + 1].bytes, wide);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    (void)run_halfkey("", 0, (const char *const[]){"agent", "--stop", NULL});
    hk_test_service_end(&world.service);
    return 0;
}

static void look_everywhere(const char *when)
{
    pid_t agent = agent_pid();
    assert_true(agent > 0);
    for (int i = 0; i < KEYS + 2; i++) {
        assert_false(process_holds(agent, world.whole[i].bytes));
        assert_false(process_holds(world.service.pid, world.whole[i].bytes));
        assert_int_equal(files_with(world.service.directory, world.whole[i].bytes), 0);
        hk_tried("whole key %d %s", i, when);
    }
    for (int i = 0; i < KEYS; i++) {
        assert_false(process_holds(agent, world.in_service[i].bytes));
        assert_false(process_holds(world.service.pid, world.device[i].bytes));
        assert_int_equal(files_with(world.service.directory, world.device[i].bytes), 0);
        assert_int_equal(files_with(world.service.directory, world.in_service[i].bytes), 0);
        hk_tried("halves %d %s", i, when);
    }
}

static void row27_search_finds_what_is_there(void **unused)
{
    (void)unused;
    assert_true(process_holds(agent_pid(), world.device[1].bytes)); /* unlocked: the agent has its own half */
}

static void row27_no_whole_key_after_keys_are_made_and_imported(void **unused)
{
    (void)unused;
    look_everywhere("after they are made");
}

static void row27_no_whole_key_after_agreements_and_signatures(void **unused)
{
    static const char point[] = "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c";
    (void)unused;
    HALFKEY("agree", "--key", "files", point);
    HALFKEY("agree", "--key", "old", point);
    assert_int_equal(
        run_halfkey("text", 4, (const char *const[]){"sign", "--key", "git", "--format", "raw", "-", NULL}),
        0);
    look_everywhere("after they are used");
}

static void row27_no_whole_key_after_a_refresh_and_a_lock(void **unused)
{
    (void)unused;
    HALFKEY("refresh");
    look_everywhere("after a refresh");
    HALFKEY("lock");
    for (int i = 0; i < KEYS; i++) {
        assert_false(process_holds(agent_pid(), world.device[i].bytes));
        hk_tried("half %d after a lock", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row27_search_finds_what_is_there),
        cmocka_unit_test(row27_no_whole_key_after_keys_are_made_and_imported),
        cmocka_unit_test(row27_no_whole_key_after_agreements_and_signatures),
        cmocka_unit_test(row27_no_whole_key_after_a_refresh_and_a_lock),
    };
    return sodium_init() < 0 ? 1 : HK_ATTACK_ROW_IN(27, tests, set_up, tear_down);
}

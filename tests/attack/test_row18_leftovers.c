/* Row 18: what an enrolment, or a later hand-over, is made of, a, d1 - a, b and s1 - b, is nowhere once it is
 * over, and in no file at any time, kills included. The programs with the tests' seams tell these values to
 * the test, which looks for them in the memory of all three processes and in every file. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/home.h"

#define VALUES_MAX 64

static struct hk_test_service service;
static struct hk_test_home laptop, phone;
static char told[128], tell[160];
static size_t count;
static struct {
    char what;
    uint8_t bytes[32];
} value[VALUES_MAX];

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    (void)hk_test_service_stop(&service);
    (void)snprintf(told, sizeof(told), "%s/told", service.directory);
    (void)snprintf(tell, sizeof(tell), "HK_TELL=%s", told);
    service.set[0] = tell;
    hk_test_service_restart(&service);
    hk_test_home_init(&laptop, &service, "laptop");
    hk_test_home_init(&phone, &service, "phone");
    laptop.set[0] = phone.set[0] = tell;
    hk_test_home_account(&laptop, &service, "laptop");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "files", "--suite", "x25519");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "git", "--suite", "ed25519");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_home_end(&laptop);
    hk_test_home_end(&phone);
    hk_test_service_end(&service);
    return 0;
}

/* a, p = d1 - a and b as they were told; s1 - b is what is left of s2 without p, in the order of the keys. */
static void read_told(void)
{
    uint8_t record[33], passed[VALUES_MAX][32];
    size_t passed_count = 0, halves = 0;
    FILE *file = fopen(told, "r");
    assert_non_null(file);
    count = 0;
    while (fread(record, sizeof(record), 1, file) == 1) {
        if (record[0] == 'p') {
            memcpy(passed[passed_count++], record + 1, 32);
        }
        if (record[0] == 't') {
            assert_true(halves < passed_count);
            crypto_core_ed25519_scalar_sub(record + 1, record + 1, passed[halves++]);
            record[0] = 'r';
        }
        if (strchr("apbr", record[0]) != NULL) {
            value[count].what = (char)record[0];
            memcpy(value[count++].bytes, record + 1, 32);
        }
        assert_true(count < VALUES_MAX && passed_count < VALUES_MAX);
    }
    (void)fclose(file);
    assert_true(passed_count >= 2);
}

static size_t process_holds(pid_t pid, const uint8_t needle[32])
{
    char path[64], line[512];
    size_t found = 0, looked = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "r");
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    assert_non_null(maps);
    assert_true(memory >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long from, to;
        char access[8];
        if (sscanf(line, "%lx-%lx %7s", &from, &to, access) != 3 || access[1] != 'w' ||
            to - from > (64UL << 20)) {
            continue;
        }
        uint8_t *copy = malloc(to - from);
        assert_non_null(copy);
        ssize_t got = pread(memory, copy, to - from, (off_t)from);
        looked += got > 0 ? (size_t)got : 0;
        found += got > 0 && memmem(copy, (size_t)got, needle, 32) != NULL;
        free(copy);
    }
    (void)fclose(maps);
    (void)close(memory);
    assert_true(looked > 100000);
    return found;
}

static const uint8_t *file_needle;
static int files_holding, files_seen;
static int look_into(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)ftw;
    if (flag != FTW_F || !S_ISREG(info->st_mode) || strcmp(path, told) == 0 || info->st_size == 0) {
        return 0;
    }
    uint8_t *copy = malloc((size_t)info->st_size);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 && copy != NULL ? read(fd, copy, (size_t)info->st_size) : -1;
    (void)close(fd);
    files_seen++;
    files_holding += got > 0 && memmem(copy, (size_t)got, file_needle, 32) != NULL;
    free(copy);
    return 0;
}

static void look_in_files(const char *when)
{
    for (size_t i = 0; i < count; i++) {
        file_needle = value[i].bytes;
        files_holding = files_seen = 0;
        assert_int_equal(nftw(service.directory, look_into, 16, FTW_PHYS), 0);
        assert_true(files_seen > 3);
        if (files_holding != 0) {
            fail_msg("%s: '%c' is in %d files", when, value[i].what, files_holding);
        }
    }
}

static void look_in(pid_t pid, const char *who, const char *values)
{
    assert_true(pid > 0);
    for (size_t i = 0; i < count; i++) {
        if (strchr(values, value[i].what) != NULL && process_holds(pid, value[i].bytes) != 0) {
            fail_msg("'%c' is in the memory of the %s", value[i].what, who);
        }
    }
}

static bool holds_any(pid_t pid, char what)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += value[i].what == what ? process_holds(pid, value[i].bytes) : 0;
    }
    return found != 0;
}

static void row18_after_an_enrolment_its_parts_are_nowhere(void **state)
{
    (void)state;
    hk_test_home_pair(&laptop, &phone, "phone");
    read_told();
    look_in_files("after an enrolment");
    hk_tried("every file");
    look_in(service.pid, "service", "apbr");
    hk_tried("the service's memory");
    look_in(hk_test_agent(&laptop), "administrator", "apbr");
    hk_tried("the administrator's memory");
    look_in(hk_test_agent(&phone), "new device", "apbr");
    hk_tried("the new device's memory");
}

/* While it waits the service has b, sealed; nobody has the rest, and afterwards nobody anything. */
static void row18_after_a_hand_over_its_parts_are_nowhere(void **state)
{
    (void)state;
    hk_test_home_pair(&laptop, &phone, "phone");
    assert_int_equal(unlink(told), 0); /* from here on of the hand-over alone */
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "later", "--suite", "ed25519");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "still-later", "--suite", "x25519");
    read_told();
    look_in_files("while keys wait");
    look_in(service.pid, "service", "apbr");
    look_in(hk_test_agent(&laptop), "administrator", "apbr");
    hk_tried("keys that wait for their device");
    HK_EXPECT(&phone, 0, NULL, "sign", "--key", "later", "--format", "raw", "/dev/null");
    look_in_files("after a hand-over");
    look_in(service.pid, "service", "apbr");
    look_in(hk_test_agent(&laptop), "administrator", "apbr");
    look_in(hk_test_agent(&phone), "device", "apbr");
    hk_tried("keys that were handed over");
}

/* The pairing with one side killed on the way; its parts are in no file, and not in those that go on. */
static void pair_with_a_kill(struct hk_test_home *victim, const char *crash)
{
    static struct hk_test_output output;
    struct hk_test_running join, approve;
    char words[256], variable[96];
    assert_int_equal(HK_RUN(&laptop, &output, "device", "invite"), 0);
    *strchr(output.out, '\n') = '\0';
    (void)snprintf(variable, sizeof(variable), "HK_CRASH=%s", crash);
    if (victim == &phone) {
        phone.set[1] = variable;
    }
    hk_test_begin(
        &phone, &join,
        (const char *const[]){"device", "join", output.out, "--device", "phone", "--no-passphrase", NULL});
    hk_test_read_line(&join, "words: ", words, sizeof(words));
    hk_test_begin(&laptop, &approve, (const char *const[]){"device", "approve", "--words", words, NULL});
    (void)hk_test_finish(&join, &output);
    hk_test_agent_kill(&laptop); /* it would wait for the other until the code expires */
    (void)hk_test_finish(&approve, &output);
    phone.set[1] = NULL;
}

static void row18_after_a_kill_its_parts_are_in_no_file(void **state)
{
    (void)state;
    static const char *const seams[] = {"join.fetch/before", "join.fetch/after", "join.confirm/before",
                                        "join.confirm/after"};
    for (size_t i = 0; i < sizeof(seams) / sizeof(*seams); i++) {
        pair_with_a_kill(&phone, seams[i]);
        read_told();
        look_in_files(seams[i]);
        look_in(service.pid, "service", "apr");
        if (i <
            3) { /* b it keeps for the new device, ten minutes at most: so the search finds what is there */
            assert_true(holds_any(service.pid, 'b'));
        }
        hk_test_service_kill(&service);
        hk_test_service_restart(&service);
        look_in(service.pid, "service that was started again", "apbr");
        hk_tried("a kill at %s", seams[i]);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row18_after_an_enrolment_its_parts_are_nowhere),
        TEST(row18_after_a_hand_over_its_parts_are_nowhere),
        TEST(row18_after_a_kill_its_parts_are_in_no_file),
    };
    return sodium_init() < 0 ? 1 : HK_ATTACK_ROW(18, tests);
}

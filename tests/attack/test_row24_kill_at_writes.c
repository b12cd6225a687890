/* Row 24: kill -9 at every write of the service to its files, before it and in its middle, and at random
 * times under load. Nothing acknowledged is lost, nothing is half done, the log holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/support/disk.h"
#include "tests/support/scale.h"
#include "tests/support/store_view.h"

static struct hk_disk disk;

static int set_up(void **state)
{
    (void)state;
    hk_disk_begin(&disk);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_disk_end(&disk);
    return 0;
}

/* Every write at full scale; else every tenth, with another begin for each kind. */
static void kill_at_writes(const char *kind, unsigned begin)
{
    unsigned step = (unsigned)(100 / hk_scaled(100)), killed = 0;
    for (unsigned n = step == 1 ? 1 : begin;; n += step) {
        hk_disk_fault(&disk, kind, n, 1);
        enum hk_error error = hk_disk_play(&disk);
        if (!hk_disk_was_hit(&disk)) {
            assert_int_equal(error, HK_OK);
            hk_disk_repair(&disk);
            hk_disk_check(&disk);
            break;
        }
        assert_true(hk_test_service_died(&disk.attack.service));
        hk_disk_repair(&disk);
        hk_disk_check(&disk);
        hk_tried("%s at write %u", kind, n);
        killed++;
    }
    assert_in_range(killed, 5, 100000);
}

static void row24_killed_before_any_write_the_service_has_lost_nothing(void **state)
{
    (void)state;
    kill_at_writes("kill", 2);
}

static void row24_killed_in_the_middle_of_any_write_the_service_has_lost_nothing(void **state)
{
    (void)state;
    kill_at_writes("torn", 7);
}

/* ---- random times under load ---- */

struct caller {
    pthread_t thread;
    struct hk_test_device *device;
    atomic_ulong signatures; /* acknowledged */
    atomic_bool stop;
    atomic_int error; /* of the last try */
};

static void *sign_on(void *argument)
{
    struct caller *caller = argument;
    struct hk_test_key *key = hk_test_key_of(caller->device, HK_SUITE_ED25519);
    while (!atomic_load(&caller->stop)) {
        uint8_t signature[64];
        enum hk_error error = hk_test_sign(caller->device, key, HK_SIGN_RAW, "load", 4, signature);
        atomic_store(&caller->error, (int)error);
        if (error == HK_OK) {
            atomic_fetch_add(&caller->signatures, 1);
        } else {
            hk_test_hang_up(caller->device);
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        }
    }
    return NULL;
}

static uint64_t sum(const struct caller *callers)
{
    return callers[0].signatures + callers[1].signatures;
}

/* Waits until something was signed since, so that the load is there; then some milliseconds more. */
static void run_a_while(const struct caller *callers, uint64_t since, unsigned kill)
{
    for (int i = 0; i < 60000 && sum(callers) == since; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    if (sum(callers) == since) {
        fail_msg("a minute without a signature after kill %u: %s, %s", kill,
                 hk_strerror((enum hk_error)callers[0].error), hk_strerror((enum hk_error)callers[1].error));
    }
    nanosleep(&(struct timespec){.tv_nsec = (long)randombytes_uniform(20000000)}, NULL);
}

static void row24_killed_at_random_times_under_load_the_service_has_lost_nothing(void **state)
{
    (void)state;
    struct hk_attack *attack = &disk.attack;
    static struct caller callers[2]; /* its threads outlive a failure */
    callers[0].device = &attack->laptop;
    callers[1].device = &attack->phone;
    uint64_t kills = hk_scaled(1000), seen = 0;
    uint64_t base = hk_view_leaves(&attack->service, attack->laptop.account);
    for (size_t k = 0; k < 2; k++) {
        assert_int_equal(pthread_create(&callers[k].thread, NULL, sign_on, &callers[k]), 0);
    }
    for (uint64_t i = 0; i < kills; i++) {
        run_a_while(callers, seen, (unsigned)i);
        hk_test_service_kill(&attack->service);
        seen = sum(callers); /* every one of these was answered before it died */
        hk_test_service_restart(&attack->service);
        assert_true(hk_view_leaves(&attack->service, attack->laptop.account) >= base + seen);
    }
    for (size_t k = 0; k < 2; k++) {
        atomic_store(&callers[k].stop, true);
        pthread_join(callers[k].thread, NULL);
    }
    assert_int_equal(hk_disk_play(&disk), HK_OK);
    hk_disk_check(&disk);
    hk_tried("%u kills at random times", (unsigned)kills);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row24_killed_before_any_write_the_service_has_lost_nothing),
        cmocka_unit_test(row24_killed_in_the_middle_of_any_write_the_service_has_lost_nothing),
        cmocka_unit_test(row24_killed_at_random_times_under_load_the_service_has_lost_nothing),
    };
    return HK_ATTACK_ROW_IN(24, tests, set_up, tear_down);
}

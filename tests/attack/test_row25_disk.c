/* Row 25: a disk that is full, read-only or broken, writes that are cut short, an fsync that fails, from any
 * write on. The service answers nothing that is not durable, and goes on by itself when the disk is whole
 * again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/disk.h"
#include "tests/support/scale.h"

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

/* From write n on everything fails (or n alone does), until it is repaired: then the service must serve
 * again, first without, then with a restart. */
static void fail_from_each_write(const char *kind, unsigned begin, unsigned count)
{
    unsigned step = (unsigned)(100 / hk_scaled(100)), tried = 0;
    for (unsigned n = step == 1 ? 1 : begin;; n += step) {
        hk_disk_fault(&disk, kind, n, count);
        enum hk_error error = hk_disk_play(&disk);
        bool hit = hk_disk_was_hit(&disk);
        if (hit && count > 1) { /* a disk that stays broken is never answered from as if it were whole */
            assert_int_not_equal(error, HK_OK);
        } else if (!hit) {
            assert_int_equal(error, HK_OK);
        }
        hk_disk_repair(&disk);
        hk_test_hang_up(&disk.attack.bystander);
        hk_serves_others(&disk.attack);
        hk_test_service_kill(&disk.attack.service);
        hk_disk_check(&disk);
        if (!hit) {
            break;
        }
        hk_tried("%s at write %u, %s", kind, n, count > 1 ? "lasting" : "once");
        tried++;
    }
    assert_in_range(tried, 1, 100000);
}

#define FOR_EVER 1000000

static void row25_a_full_disk_is_told_and_survived(void **state)
{
    (void)state;
    fail_from_each_write("enospc", 1, FOR_EVER);
}

static void row25_a_disk_that_turned_read_only_is_told_and_survived(void **state)
{
    (void)state;
    fail_from_each_write("erofs", 5, FOR_EVER);
}

static void row25_a_broken_disk_is_told_and_survived(void **state)
{
    (void)state;
    fail_from_each_write("eio", 8, FOR_EVER);
    fail_from_each_write("eio", 3, 1);
}

static void row25_an_fsync_that_fails_is_believed(void **state)
{
    (void)state;
    fail_from_each_write("fsync", 1, FOR_EVER);
    fail_from_each_write("fsync", 4, 1);
}

static void row25_a_write_that_is_cut_short_is_finished(void **state)
{
    (void)state;
    hk_disk_fault(&disk, "short", 1, FOR_EVER);
    assert_int_equal(hk_disk_play(&disk), HK_OK);
    assert_true(hk_disk_was_hit(&disk));
    hk_disk_repair(&disk);
    hk_test_service_kill(&disk.attack.service);
    hk_disk_check(&disk);
    hk_tried("every write is cut short");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row25_a_full_disk_is_told_and_survived),
        cmocka_unit_test(row25_a_disk_that_turned_read_only_is_told_and_survived),
        cmocka_unit_test(row25_a_broken_disk_is_told_and_survived),
        cmocka_unit_test(row25_an_fsync_that_fails_is_believed),
        cmocka_unit_test(row25_a_write_that_is_cut_short_is_finished),
    };
    return HK_ATTACK_ROW_IN(25, tests, set_up, tear_down);
}

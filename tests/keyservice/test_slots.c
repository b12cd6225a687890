#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyservice/file.h"
#include "keyservice/slots.h"

#define HEADER 4096
#define RECORD 128

static char dir[64], path_a[128], path_b[128], reason[256];
static struct hk_secret32 master = {{1, 2, 3}};
static struct hk_slots *slots;
static const uint8_t serial[3][HK_ID_BYTES] = {{1}, {2}, {3}};
static uint64_t number[3];
static struct hk_secret32 key[3];

static void reopen(void)
{
    hk_slots_close(slots);
    assert_int_equal(hk_slots_open(&slots, path_a, path_b, &master, false, reason), HK_OK);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/halfkey-test-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(path_a, sizeof path_a, "%s/slots.a", dir);
    snprintf(path_b, sizeof path_b, "%s/slots.b", dir);
    assert_int_equal(hk_slots_open(&slots, path_a, path_b, &master, true, reason), HK_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hk_slots_allocate(slots, serial[i], &number[i], &key[i]), HK_OK);
    }
    assert_int_equal(hk_slots_sync(slots), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_slots_close(slots);
    slots = NULL;
    unlink(path_a);
    unlink(path_b);
    return rmdir(dir);
}

/* Changes `size` bytes of one copy, as a disk might. */
static void damage(const char *path, uint64_t offset, int byte, size_t size)
{
    uint8_t bytes[RECORD];
    memset(bytes, byte, sizeof bytes);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
    close(fd);
}

static void wrapping_key_comes_back_for_its_own_device_only(void **state)
{
    (void)state;
    struct hk_secret32 back;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            assert_int_equal(hk_slots_key(slots, number[i], serial[i], &back), HK_OK);
            assert_memory_equal(&back, &key[i], sizeof back);
            assert_int_equal(hk_slots_key(slots, number[i], serial[(i + 1) % 3], &back), HK_AUTH);
        }
        reopen();
    }
    hk_slots_close(slots);
    slots = NULL;
    struct hk_secret32 other = {{9}};
    assert_int_equal(hk_slots_open(&slots, path_a, path_b, &other, false, reason), HK_OK);
    assert_int_equal(hk_slots_key(slots, number[0], serial[0], &back), HK_AUTH);
}

static void erased_slot_is_zeros_in_both_files_and_is_used_again_with_another_key(void **state)
{
    (void)state;
    struct hk_secret32 again;
    uint64_t slot;
    assert_int_equal(hk_slots_erase(slots, number[1]), HK_OK);
    assert_int_equal(hk_slots_sync(slots), HK_OK);
    assert_int_equal(hk_slots_key(slots, number[1], serial[1], &again), HK_REVOKED);
    for (int copy = 0; copy < 2; copy++) {
        uint8_t record[RECORD];
        int fd = open(copy == 0 ? path_a : path_b, O_RDONLY);
        assert_int_equal(pread(fd, record, RECORD, (off_t)(HEADER + number[1] * RECORD)), RECORD);
        close(fd);
        assert_true(hk_is_zero(record, RECORD));
    }
    assert_int_equal(hk_slots_allocate(slots, serial[1], &slot, &again), HK_OK);
    assert_int_equal(slot, number[1]);
    assert_memory_not_equal(&again, &key[1], sizeof again);
}

static void where_the_copies_differ_erased_wins_and_of_two_records_the_whole_one(void **state)
{
    (void)state;
    struct hk_secret32 back;
    damage(path_b, HEADER + number[0] * RECORD, 0, RECORD);  /* erased in one copy */
    damage(path_a, HEADER + number[1] * RECORD + 40, 7, 20); /* damaged in one copy */
    damage(path_a, HEADER + number[2] * RECORD + 40, 7, 20); /* damaged in both, differently */
    damage(path_b, HEADER + number[2] * RECORD + 40, 8, 20);
    reopen();
    assert_int_equal(hk_slots_merge(slots), HK_OK);
    assert_int_equal(hk_slots_sync(slots), HK_OK);
    for (int round = 0; round < 2; round++) {
        assert_false(hk_slots_is_live(slots, number[0]));
        assert_true(hk_slots_is_live(slots, number[1]));
        assert_false(hk_slots_is_live(slots, number[2]));
        assert_int_equal(hk_slots_key(slots, number[0], serial[0], &back), HK_REVOKED);
        assert_int_equal(hk_slots_key(slots, number[1], serial[1], &back), HK_OK);
        assert_memory_equal(&back, &key[1], sizeof back);
        reopen();
    }
}

static void header_says_what_was_written_and_a_damaged_one_says_nothing(void **state)
{
    (void)state;
    struct hk_slots_header headers[2];
    assert_int_equal(hk_slots_set_header(slots, 41, 42), HK_OK);
    assert_int_equal(hk_slots_sync(slots), HK_OK);
    damage(path_b, 20, 1, 1);
    reopen();
    hk_slots_headers(slots, headers);
    assert_true(headers[0].valid && headers[0].generation == 41 && headers[0].next == 42);
    assert_false(headers[1].valid);
}

static void many_slots_are_found_again_and_freed_ones_reused_lowest_first(void **state)
{
    (void)state;
    struct hk_secret32 unused;
    uint64_t slot;
    for (uint64_t i = 3; i < 1500; i++) {
        assert_int_equal(hk_slots_allocate(slots, serial[0], &slot, &unused), HK_OK);
        assert_int_equal(slot, i);
    }
    assert_int_equal(hk_slots_erase(slots, 700), HK_OK);
    assert_int_equal(hk_slots_erase(slots, 20), HK_OK);
    reopen();
    assert_int_equal(hk_slots_allocate(slots, serial[0], &slot, &unused), HK_OK);
    assert_int_equal(slot, 20);
    assert_int_equal(hk_slots_allocate(slots, serial[0], &slot, &unused), HK_OK);
    assert_int_equal(slot, 700);
    assert_int_equal(hk_slots_allocate(slots, serial[0], &slot, &unused), HK_OK);
    assert_int_equal(slot, 1500);
}

static void slot_files_that_others_can_read_or_that_are_one_file_are_refused(void **state)
{
    (void)state;
    struct hk_slots *other;
    assert_int_equal(hk_slots_open(&other, path_a, path_a, &master, false, reason), HK_USAGE);
    assert_int_equal(chmod(path_b, 0640), 0);
    assert_int_equal(hk_slots_open(&other, path_a, path_b, &master, false, reason), HK_IO);
    assert_non_null(strstr(reason, "slots.b"));
}

static void failing_write_or_sync_is_reported(void **state)
{
    (void)state;
    for (long nth = 1; nth <= 4; nth++) {
        hk_test_fail_write(nth, 1);
        assert_true(hk_slots_erase(slots, number[0]) != HK_OK || hk_slots_sync(slots) != HK_OK);
        hk_test_fail_write(0, 0);
        assert_int_equal(hk_slots_erase(slots, number[0]), HK_OK);
        assert_int_equal(hk_slots_sync(slots), HK_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(wrapping_key_comes_back_for_its_own_device_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(erased_slot_is_zeros_in_both_files_and_is_used_again_with_another_key,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_the_copies_differ_erased_wins_and_of_two_records_the_whole_one,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(header_says_what_was_written_and_a_damaged_one_says_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_slots_are_found_again_and_freed_ones_reused_lowest_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(slot_files_that_others_can_read_or_that_are_one_file_are_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(failing_write_or_sync_is_reported, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

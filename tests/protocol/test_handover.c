#include "protocol/handover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "tests/support/groups.h"

static uint8_t account[HK_ACCOUNT_BYTES], admin[HK_ID_BYTES], device[HK_ID_BYTES], key[HK_ID_BYTES];
static uint8_t deposit[HK_HAND_DEPOSIT_MAX];
static const struct hk_hand_parties parties = {.account = account, .administrator = admin, .device = device};

static size_t make(const struct hk_group *group, struct hk_scalar *half)
{
    hk_random(account, sizeof(account));
    hk_random(admin, sizeof(admin));
    hk_random(device, sizeof(device));
    hk_random(key, sizeof(key));
    hk_random(deposit, HK_HAND_MESSAGE_1_BYTES);
    hk_scalar_random(group, half);
    return hk_hand_deposit_prove(deposit, group, &parties, key, half);
}

static enum hk_error check(const struct hk_group *group, size_t size, struct hk_point *point)
{
    struct hk_hand_deposit opened;
    enum hk_error error = hk_hand_deposit_open(&opened, deposit, size);
    return error == HK_OK ? hk_hand_deposit_check(point, &opened, group, &parties) : error;
}

static void a_deposit_proves_the_half_that_it_was_made_with(void **state)
{
    (void)state;
    for (size_t i = 0; i < HK_GROUP_COUNT; i++) {
        const struct hk_group *group = hk_groups[i];
        struct hk_scalar half;
        struct hk_point expected, found;
        size_t size = make(group, &half);
        assert_int_equal(size, HK_HAND_MESSAGE_1_BYTES + HK_ID_BYTES + 2 * group->point_bytes +
                                   group->scalar_bytes);
        assert_int_equal(check(group, size, &found), HK_OK);
        group->base_mul(&expected, &half);
        assert_true(hk_point_equal(group, &expected, &found));
        struct hk_hand_deposit opened;
        assert_int_equal(hk_hand_deposit_open(&opened, deposit, size), HK_OK);
        assert_memory_equal(opened.key, key, sizeof(key));
    }
}

static void a_deposit_with_any_byte_changed_proves_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < HK_GROUP_COUNT; i++) {
        struct hk_scalar half;
        struct hk_point found;
        size_t size = make(hk_groups[i], &half);
        for (size_t at = 0; at < size; at++) {
            deposit[at] ^= 1;
            assert_int_not_equal(check(hk_groups[i], size, &found), HK_OK);
            deposit[at] ^= 1;
        }
        assert_int_equal(check(hk_groups[i], size, &found), HK_OK);
    }
}

static void a_deposit_is_of_one_account_administrator_and_device(void **state)
{
    (void)state;
    struct hk_scalar half;
    struct hk_point found;
    const struct hk_group *group = hk_groups[0];
    size_t size = make(group, &half);
    uint8_t *names[] = {account, admin, device};
    for (size_t i = 0; i < 3; i++) {
        names[i][3] ^= 1;
        assert_int_equal(check(group, size, &found), HK_BAD_PROOF);
        names[i][3] ^= 1;
    }
}

static void a_deposit_of_another_length_is_none(void **state)
{
    (void)state;
    struct hk_scalar half;
    struct hk_point found;
    struct hk_hand_deposit opened;
    size_t whole = make(hk_groups[0], &half);
    for (size_t size = 0; size <= HK_HAND_DEPOSIT_MAX + 1; size++) {
        bool bare = size == HK_HAND_MESSAGE_1_BYTES;
        bool open = hk_hand_deposit_open(&opened, deposit, size) == HK_OK;
        bool expected = bare || (size > HK_HAND_MESSAGE_1_BYTES + HK_ID_BYTES && size <= HK_HAND_DEPOSIT_MAX);
        assert_int_equal(open, expected);
        assert_int_equal(open && check(hk_groups[0], size, &found) == HK_OK, size == whole);
        assert_true(!bare || opened.key == NULL);
    }
}

static void names_differ_with_everything_that_is_in_them(void **state)
{
    (void)state;
    uint8_t one[HK_NAME_BYTES], other[HK_NAME_BYTES], static_key[32] = {1};
    uint8_t prologue[2][HK_HAND_PROLOGUE_BYTES];
    struct hk_scalar half;
    size_t size = make(hk_groups[0], &half);
    hk_hand_deposit_name(one, deposit, size);
    hk_hand_deposit_name(other, deposit, size - 1);
    assert_memory_not_equal(one, other, sizeof(one));
    hk_hand_device_name(one, &parties, static_key);
    static_key[31] = 1;
    hk_hand_device_name(other, &parties, static_key);
    assert_memory_not_equal(one, other, sizeof(one));
    hk_hand_service_transcript(one, one, key);
    hk_hand_service_transcript(other, one, admin);
    assert_memory_not_equal(one, other, sizeof(one));
    hk_hand_prologue(prologue[0], &parties);
    assert_memory_equal(prologue[0], "halfkey/v1/hand", 15);
    device[0] ^= 1; /* the last thing in it */
    hk_hand_prologue(prologue[1], &parties);
    assert_memory_not_equal(prologue[0], prologue[1], sizeof(prologue[0]));
    assert_memory_equal(prologue[1] + HK_HAND_PROLOGUE_BYTES - HK_ID_BYTES, device, HK_ID_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_deposit_proves_the_half_that_it_was_made_with),
                                       cmocka_unit_test(a_deposit_with_any_byte_changed_proves_nothing),
                                       cmocka_unit_test(a_deposit_is_of_one_account_administrator_and_device),
                                       cmocka_unit_test(a_deposit_of_another_length_is_none),
                                       cmocka_unit_test(names_differ_with_everything_that_is_in_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

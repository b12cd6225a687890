/* The log of uses and refusals, and crashes in the middle of a refresh. Who may ask what, and repeats, are
 * rows 13 and 14 of the attack suite. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "protocol/merkle.h"
#include "tests/support/client.h"

static struct hk_test_service service;
static struct hk_test_device laptop;
static uint8_t signature[64];

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, true);
    hk_test_device_init(&laptop, &service);
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_device_end(&laptop);
    hk_test_service_end(&service);
    return 0;
}

static struct hk_test_key *git_key(struct hk_test_device *device)
{
    for (size_t i = 0; i < device->key_count; i++) {
        if (device->key[i].suite->id == HK_SUITE_ED25519) {
            return &device->key[i];
        }
    }
    fail();
    return NULL;
}

static void read_head(struct hk_log_head *head)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_LOG_HEAD, &laptop);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    head->generation = answer.value[HK_F_GENERATION].number;
    head->size = answer.value[HK_F_SIZE].number;
    head->time = answer.value[HK_F_TIME].number;
    memcpy(head->root, answer.value[HK_F_ROOT].data, 32);
    assert_int_equal(hk_head_verify(HK_HEAD_OF_SERVICE, laptop.account, head,
                                    answer.value[HK_F_SIGNATURE].data, laptop.identity),
                     HK_OK);
}

static void each_use_and_each_refusal_is_a_leaf_that_extends_the_log(void **state)
{
    (void)state;
    struct hk_log_head before, after;
    struct hk_message request, answer;
    struct hk_leaf leaf;
    read_head(&before);
    assert_int_equal(hk_test_sign(&laptop, git_key(&laptop), HK_SIGN_RAW, "x", 1, signature), HK_OK);
    assert_int_equal(hk_test_sign(&laptop, git_key(&laptop), HK_SIGN_OPENPGP, "x", 1, signature),
                     HK_BAD_ENCODING);
    read_head(&after);
    assert_int_equal(after.size, before.size + 2);
    hk_test_request(&request, HK_OP_LOG_CONSISTENCY, &laptop);
    hk_message_set_u64(&request, HK_F_GENERATION, after.generation);
    hk_message_set_u64(&request, HK_F_START, before.size);
    hk_message_set_u64(&request, HK_F_SIZE, after.size);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    assert_int_equal(hk_merkle_verify_consistency(before.size, before.root, after.size, after.root,
                                                  answer.value[HK_F_HASHES].items,
                                                  answer.value[HK_F_HASHES].count),
                     HK_OK);
    hk_test_request(&request, HK_OP_LOG_LEAVES, &laptop);
    hk_message_set_u64(&request, HK_F_GENERATION, after.generation);
    hk_message_set_u64(&request, HK_F_START, before.size);
    hk_message_set_u64(&request, HK_F_COUNT, 10);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    assert_int_equal(answer.value[HK_F_LEAVES].count, 2);
    const struct hk_bytes *leaves = answer.value[HK_F_LEAVES].items;
    assert_int_equal(hk_leaf_decode(&leaf, leaves[0].data, leaves[0].size), HK_OK);
    assert_int_equal(leaf.op, HK_OP_SIGN);
    assert_int_equal(leaf.outcome, HK_OK);
    assert_memory_equal(leaf.who, laptop.serial, HK_ID_BYTES);
    assert_int_equal(hk_leaf_decode(&leaf, leaves[1].data, leaves[1].size), HK_OK);
    assert_int_equal(leaf.outcome, HK_BAD_ENCODING);
}

static void a_service_killed_at_any_point_of_a_refresh_leaves_a_pair_that_works(void **state)
{
    (void)state;
    static const char *const seams[] = {"service/request", "service/before-commit", "service/after-commit",
                                        "service/before-send", "service/after-send"};
    for (size_t i = 0; i < 2 * sizeof(seams) / sizeof(*seams); i++) {
        struct hk_test_epoch next;
        bool at_confirm = i % 2 == 1;
        hk_random(next.seed, sizeof(next.seed));
        if (at_confirm) {
            assert_int_equal(hk_test_refresh(&laptop, &next), HK_OK);
        }
        hk_test_hang_up(&laptop);
        assert_int_equal(hk_test_service_stop(&service), 0);
        service.crash = seams[i / 2];
        hk_test_service_restart(&service);
        enum hk_error error = at_confirm ? hk_test_confirm(&laptop, &next) : hk_test_refresh(&laptop, &next);
        assert_true(hk_test_service_died(&service));
        (void)error; /* the answer may or may not have left */
        service.crash = NULL;
        hk_test_service_restart(&service);
        hk_test_hang_up(&laptop);
        if (!at_confirm) {
            assert_int_equal(hk_test_refresh(&laptop, &next), HK_OK);
        }
        assert_int_equal(hk_test_confirm(&laptop, &next), HK_OK);
        hk_test_adopt(&laptop, &next);
        assert_int_equal(hk_test_sign(&laptop, git_key(&laptop), HK_SIGN_RAW, "x", 1, signature), HK_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(each_use_and_each_refusal_is_a_leaf_that_extends_the_log),
        TEST(a_service_killed_at_any_point_of_a_refresh_leaves_a_pair_that_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

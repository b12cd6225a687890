/* Who may ask what: every operation by every caller, sessions and repeats, the log, crashes. */

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
static struct hk_test_device laptop, phone, other;
static struct hk_test_enrolment enrolment;
static uint8_t signature[64];

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, true);
    hk_test_device_init(&laptop, &service);
    hk_test_device_init(&phone, &service);
    hk_test_device_init(&other, &service);
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 0), HK_OK);
    assert_int_equal(hk_test_init(&other), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_device_end(&laptop);
    hk_test_device_end(&phone);
    hk_test_device_end(&other);
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

/* A request that has every field its row wants, with nothing in it that could succeed. */
static void fill(struct hk_message *request, const struct hk_op_row *row, const struct hk_test_device *of)
{
    static const uint8_t zeros[128];
    hk_test_request(request, row->op, NULL);
#define FILL_HK_U64(id, min) hk_message_set_u64(request, id, 1);
#define FILL_HK_BSTR(id, min) hk_message_set_bytes(request, id, zeros, min);
#define FILL_HK_TSTR(id, min) hk_message_set_text(request, id, "x");
#define FILL_HK_LIST(id, min) hk_message_set_array(request, id, zeros, min, 1);
#define FILL(id, number, name, type, min, max)                                                               \
    if ((row->request & HK_BIT(id)) != 0 && !hk_message_has(request, id)) {                                  \
        FILL_##type(id, min)                                                                                 \
    }
    HK_FIELDS(FILL)
    if (hk_message_has(request, HK_F_ACCOUNT) || (row->request_optional & HK_BIT(HK_F_ACCOUNT)) != 0) {
        hk_message_set_bytes(request, HK_F_ACCOUNT, of->account, HK_ACCOUNT_BYTES);
    }
    if (((row->request | row->request_optional) & HK_BIT(HK_F_TAG)) != 0) {
        hk_message_set_u64(request, HK_F_EPOCH, of->epoch);
        hk_message_set_bytes(request, HK_F_TAG, of->tag, HK_TAG_BYTES);
    }
}

#define FOR_EACH_OP(row)                                                                                     \
    for (uint64_t op_ = 1; op_ < 64; op_++)                                                                  \
        for (const struct hk_op_row *row = hk_op_row(op_); row != NULL; row = NULL)

static void a_stranger_may_ask_only_what_strangers_may(void **state)
{
    (void)state;
    FOR_EACH_OP(row)
    {
        struct hk_message request, answer;
        fill(&request, row, &laptop);
        if ((row->callers & HK_STRANGER) == 0) {
            assert_int_equal(hk_test_call_stranger(&phone, &request, &answer), HK_NOT_ALLOWED);
        }
    }
    assert_int_equal(hk_test_sign(&laptop, git_key(&laptop), HK_SIGN_RAW, "x", 1, signature), HK_OK);
}

static void an_ordinary_device_may_not_ask_what_administrators_may(void **state)
{
    (void)state;
    /* until its first use it may still repeat its own enrolment's last question */
    assert_int_equal(hk_test_sign(&phone, git_key(&phone), HK_SIGN_RAW, "x", 1, signature), HK_OK);
    FOR_EACH_OP(row)
    {
        struct hk_message request, answer;
        fill(&request, row, &phone);
        if ((row->callers & HK_DEVICE) == 0) {
            assert_int_equal(hk_test_call(&phone, &request, &answer), HK_NOT_ALLOWED);
        }
    }
    assert_int_equal(hk_test_sign(&phone, git_key(&phone), HK_SIGN_RAW, "x", 1, signature), HK_OK);
}

/* Another account's administrator names the victim's account, key, epoch and tag: all refused, one way. */
static void another_accounts_device_gets_nothing_with_the_victims_names(void **state)
{
    (void)state;
    FOR_EACH_OP(row)
    {
        struct hk_message request, answer;
        fill(&request, row, &laptop);
        if ((row->callers & HK_ADMIN) != 0) {
            if (hk_message_has(&request, HK_F_KEY)) {
                hk_message_set_bytes(&request, HK_F_KEY, git_key(&laptop)->id, HK_ID_BYTES);
            }
            assert_int_equal(hk_test_call(&other, &request, &answer), HK_UNKNOWN_DEVICE);
        }
    }
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_SIGN, &other); /* its own account, the victim's key */
    hk_message_set_bytes(&request, HK_F_KEY, git_key(&laptop)->id, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_KIND, HK_SIGN_RAW);
    hk_message_set_bytes(&request, HK_F_MESSAGE, "x", 1);
    uint8_t nonces[64] = {0};
    hk_message_set_bytes(&request, HK_F_NONCES, nonces, 64);
    assert_int_equal(hk_test_call(&other, &request, &answer), HK_UNKNOWN_KEY);
}

static void a_stranger_cannot_tell_an_account_from_none(void **state)
{
    (void)state;
    static const enum hk_op ops[] = {HK_OP_JOIN, HK_OP_ENROL_STATUS, HK_OP_CREATE_STATUS};
    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
        struct hk_message request, answer;
        struct hk_test_device nobody = {.epoch = 1};
        hk_random(nobody.account, sizeof(nobody.account));
        fill(&request, hk_op_row((uint64_t)ops[i]), &laptop);
        enum hk_error known = hk_test_call_stranger(&phone, &request, &answer);
        fill(&request, hk_op_row((uint64_t)ops[i]), &nobody);
        enum hk_error unknown = hk_test_call_stranger(&phone, &request, &answer);
        assert_true(known != HK_OK);
        assert_int_equal(known, unknown);
    }
}

static void an_unknown_key_is_no_session(void **state)
{
    (void)state;
    static struct hk_test_device nobody;
    struct hk_message request, answer;
    hk_test_device_init(&nobody, &service);
    fill(&request, hk_op_row(HK_OP_STATUS), &laptop);
    assert_int_equal(hk_test_call(&nobody, &request, &answer), HK_UNKNOWN_DEVICE);
    hk_test_device_end(&nobody);
}

static void a_repeated_frame_gets_the_same_bytes_and_is_not_executed_again(void **state)
{
    (void)state;
    struct hk_message request, answer;
    uint8_t plain[512], frame[1024], first[HK_FRAME_MAX], second[HK_FRAME_MAX];
    size_t size, frame_size, first_size, second_size;
    uint64_t counter;
    hk_test_request(&request, HK_OP_LOG_HEAD, &laptop);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    hk_test_request(&request, HK_OP_STATUS, &laptop);
    assert_int_equal(hk_message_encode(&request, plain, sizeof(plain), &size), HK_OK);
    assert_int_equal(hk_session_seal_request(hk_channel_session(laptop.channel), plain, size, frame,
                                             sizeof(frame), &frame_size, &counter),
                     HK_OK);
    assert_int_equal(
        hk_endpoint_call(laptop.endpoint, frame, frame_size, first, sizeof(first), &first_size, 5000), HK_OK);
    /* a repeat that crosses the answer gets nothing, since that may not be kept yet: then again */
    enum hk_error repeat = HK_TIMEOUT;
    for (int i = 0; i < 20 && repeat == HK_TIMEOUT; i++) {
        repeat =
            hk_endpoint_call(laptop.endpoint, frame, frame_size, second, sizeof(second), &second_size, 500);
    }
    assert_int_equal(repeat, HK_OK);
    assert_int_equal(first_size, second_size);
    assert_memory_equal(first, second, first_size);
    hk_test_service_kill(&service);
    hk_test_service_restart(&service);
    assert_int_equal(
        hk_endpoint_call(laptop.endpoint, frame, frame_size, second, sizeof(second), &second_size, 5000),
        HK_OK);
    assert_int_equal(second[1], HK_FRAME_HINT); /* after a restart there is no such session */
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
        TEST(a_stranger_may_ask_only_what_strangers_may),
        TEST(an_ordinary_device_may_not_ask_what_administrators_may),
        TEST(another_accounts_device_gets_nothing_with_the_victims_names),
        TEST(a_stranger_cannot_tell_an_account_from_none),
        TEST(an_unknown_key_is_no_session),
        TEST(a_repeated_frame_gets_the_same_bytes_and_is_not_executed_again),
        TEST(each_use_and_each_refusal_is_a_leaf_that_extends_the_log),
        TEST(a_service_killed_at_any_point_of_a_refresh_leaves_a_pair_that_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

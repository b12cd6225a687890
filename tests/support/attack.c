#include "tests/support/attack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "keyservice/log.h"
#include "tests/support/store_view.h"

#define VARIANTS_MAX 8192
#define NAME_MAX_BYTES 128

/* ---- variants ---- */

static char *variants[VARIANTS_MAX];
static size_t variant_count;

static void count_variant(const char *name)
{
    for (size_t i = 0; i < variant_count; i++) {
        if (strcmp(variants[i], name) == 0) {
            return;
        }
    }
    assert_true(variant_count < VARIANTS_MAX);
    variants[variant_count] = strdup(name);
    assert_non_null(variants[variant_count]);
    variant_count++;
    if (getenv("HK_VERBOSE") != NULL) {
        (void)printf("tried %s\n", name);
    }
}

void hk_tried(const char *format, ...)
{
    char name[NAME_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    count_variant(name);
}

/* The number in test_rowNN_*. */
static int row_of_program(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length <= 0) {
        return -1;
    }
    path[length] = '\0';
    const char *name = strstr(path, "/test_row");
    return name != NULL ? atoi(name + strlen("/test_row")) : -1;
}

int hk_attack_run(int row, const struct CMUnitTest *tests, size_t count, int (*set_up)(void **state),
                  int (*tear_down)(void **state))
{
    int failures = _cmocka_run_group_tests("attack", tests, count, set_up, tear_down);
    (void)printf("attack-row %d %zu\n", row, variant_count);
    if (row != row_of_program()) {
        (void)printf("this program is not of row %d\n", row);
        failures++;
    }
    if (variant_count == 0) {
        (void)printf("no variant was tried\n");
        failures++;
    }
    for (size_t i = 0; i < variant_count; i++) {
        free(variants[i]);
    }
    variant_count = 0;
    return failures;
}

/* ---- the world ---- */

struct hk_test_key *hk_test_key_of(struct hk_test_device *device, enum hk_suite_id suite)
{
    for (size_t i = 0; i < device->key_count; i++) {
        if (device->key[i].suite->id == suite) {
            return &device->key[i];
        }
    }
    fail_msg("this device has no key of suite %d", (int)suite);
    return NULL;
}

const struct hk_suite *hk_attack_signs(const struct hk_attack *attack)
{
    return hk_suite_by_id((uint64_t)(attack->on_secp256k1 ? HK_SUITE_SECP256K1_SCHNORR : HK_SUITE_ED25519));
}

const struct hk_suite *hk_attack_agrees(const struct hk_attack *attack)
{
    return hk_suite_by_id((uint64_t)(attack->on_secp256k1 ? HK_SUITE_SECP256K1_ECDH : HK_SUITE_X25519));
}

const struct hk_group *hk_attack_group(const struct hk_attack *attack)
{
    return hk_attack_signs(attack)->group;
}

static void make_account(struct hk_test_device *device, enum hk_suite_id signs, enum hk_suite_id agrees)
{
    assert_int_equal(hk_test_init(device), HK_OK);
    assert_int_equal(hk_test_keygen(device, signs, "git"), HK_OK);
    assert_int_equal(hk_test_keygen(device, agrees, "mail"), HK_OK);
}

void hk_attack_begin(struct hk_attack *attack, bool over_tcp)
{
    hk_test_change_requests(NULL, NULL); /* of a test before that failed */
    hk_test_lie_in_keygen(NULL, NULL, NULL);
    hk_test_service_start(&attack->service, over_tcp);
    hk_test_device_init(&attack->laptop, &attack->service);
    hk_test_device_init(&attack->phone, &attack->service);
    hk_test_device_init(&attack->bystander, &attack->service);
    make_account(&attack->laptop, hk_attack_signs(attack)->id, hk_attack_agrees(attack)->id);
    make_account(&attack->bystander, HK_SUITE_ED25519, HK_SUITE_X25519);
    assert_int_equal(hk_test_enrol(&attack->laptop, &attack->phone, &attack->enrolment, 0), HK_OK);
    assert_int_equal(hk_test_put_profile(&attack->laptop, &attack->phone), HK_OK);
}

bool hk_serves_in_the_same_session(struct hk_test_device *device)
{
    struct hk_message request, answer;
    const struct hk_channel *channel = device->channel;
    hk_test_request(&request, HK_OP_STATUS, device);
    return hk_test_call(device, &request, &answer) == HK_OK && device->channel == channel;
}

void hk_serves_others(struct hk_attack *attack)
{
    uint8_t signature[64];
    struct hk_test_key *key = hk_test_key_of(&attack->bystander, HK_SUITE_ED25519);
    if (key == NULL) {
        fail_msg("the bystander has no key to sign with");
        return;
    }
    hk_test_pause_changes(true);
    assert_int_equal(hk_test_sign(&attack->bystander, key, HK_SIGN_RAW, "still", 5, signature), HK_OK);
    hk_test_pause_changes(false);
    assert_int_equal(crypto_sign_verify_detached(signature, (const uint8_t *)"still", 5, key->public_key), 0);
}

/* ---- the log ---- */

struct refusals {
    const uint8_t *serial;
    uint64_t leaves, counted, recent; /* leaves, what they stand for, leaves of the last minute */
    uint64_t now;
    struct hk_leaf last;
};

static void see_leaf(void *argument, const struct hk_leaf *leaf)
{
    struct refusals *refusals = argument;
    if (leaf->outcome == HK_OK || !leaf->has_who || memcmp(leaf->who, refusals->serial, HK_ID_BYTES) != 0) {
        return;
    }
    refusals->leaves++;
    refusals->counted += leaf->count;
    refusals->recent += leaf->time + 61 >= refusals->now;
    refusals->last = *leaf;
}

static struct refusals refusals_of(struct hk_attack *attack, const struct hk_test_device *device)
{
    struct refusals refusals = {.serial = device->serial, .now = (uint64_t)time(NULL)};
    hk_view_each_leaf(&attack->service, device->account, see_leaf, &refusals);
    return refusals;
}

static void check_summed(struct hk_attack *attack, const struct hk_test_device *device)
{
    struct refusals refusals = refusals_of(attack, device);
    assert_int_equal(refusals.counted, device->refused);
}

void hk_attack_end(struct hk_attack *attack)
{
    char command[512];
    hk_test_device_end(&attack->laptop);
    hk_test_device_end(&attack->phone);
    hk_test_device_end(&attack->bystander);
    assert_int_equal(hk_test_service_stop(&attack->service), 0);
    hk_test_service_program(command, sizeof(command) - 128);
    (void)snprintf(command + strlen(command), 128, " check --data %s/data >%s/check 2>&1",
                   attack->service.directory, attack->service.directory);
    assert_int_equal(system(command), 0);
    check_summed(attack, &attack->laptop);
    check_summed(attack, &attack->phone);
    check_summed(attack, &attack->bystander);
    for (size_t i = 0; i < HK_ATTACK_ALSO && attack->also[i] != NULL; i++) {
        check_summed(attack, attack->also[i]);
    }
    hk_test_service_end(&attack->service);
}

/* ---- refused ---- */

void hk_attack_also(struct hk_attack *attack, const struct hk_test_device *device)
{
    size_t i = 0;
    while (i < HK_ATTACK_ALSO && attack->also[i] != NULL) {
        i++;
    }
    assert_true(i < HK_ATTACK_ALSO);
    attack->also[i] = device;
}

/* The n-th account that is watched; NULL at the end. */
static const uint8_t *watched(const struct hk_attack *attack, size_t n)
{
    if (n < 2) {
        return n == 0 ? attack->laptop.account : attack->bystander.account;
    }
    return n < 2 + HK_ATTACK_ALSO && attack->also[n - 2] != NULL ? attack->also[n - 2]->account : NULL;
}

void hk_watch(struct hk_attack *attack)
{
    const uint8_t *account;
    hk_view_digest(attack->digest[0], &attack->service, false);
    hk_view_digest(attack->digest[1], &attack->service, true);
    for (size_t i = 0; (account = watched(attack, i)) != NULL; i++) {
        attack->leaves[i] = hk_view_leaves(&attack->service, account);
    }
}

static void check_leaf(struct hk_attack *attack, const struct hk_test_device *by, enum hk_op op,
                       enum hk_error expected)
{
    const uint8_t *account;
    uint64_t before = UINT64_MAX;
    for (size_t i = 0; (account = watched(attack, i)) != NULL; i++) {
        bool own = memcmp(by->account, account, HK_ACCOUNT_BYTES) == 0;
        before = own ? attack->leaves[i] : before;
        if (!own) { /* a refusal is seen in its own account's log alone */
            assert_int_equal(hk_view_leaves(&attack->service, account), attack->leaves[i]);
        }
    }
    uint64_t after = hk_view_leaves(&attack->service, by->account);
    struct refusals refusals = refusals_of(attack, by);
    if (after == before) { /* only over the limit: then it is summed */
        assert_true(refusals.recent >= HK_REFUSALS_A_MINUTE);
        assert_true(refusals.counted < by->refused);
        return;
    }
    assert_int_equal(after, before + 1);
    assert_int_equal(refusals.counted, by->refused);
    assert_int_equal(refusals.last.outcome, expected);
    assert_int_equal(refusals.last.op, op);
}

void hk_refused(struct hk_attack *attack, const struct hk_test_device *by, enum hk_op op, enum hk_error got,
                enum hk_error expected, const char *format, ...)
{
    char name[NAME_MAX_BYTES];
    uint8_t digest[32];
    va_list arguments;
    bool stale = expected == HK_STALE_EPOCH;
    va_start(arguments, format);
    (void)vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    if (got != expected) {
        fail_msg("%s: %s in place of %s", name, hk_error_name(got), hk_error_name(expected));
    }
    hk_view_digest(digest, &attack->service, stale);
    if (memcmp(digest, attack->digest[stale], 32) != 0) {
        fail_msg("%s: was refused and changed the store", name);
    }
    if (by != NULL) {
        check_leaf(attack, by, op, expected);
    } else {
        assert_int_equal(hk_view_leaves(&attack->service, attack->laptop.account), attack->leaves[0]);
    }
    hk_serves_others(attack);
    count_variant(name);
}

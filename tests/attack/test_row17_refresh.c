/* Row 17: who cannot confirm an epoch, requests that are under way during a refresh, and a kill at every step
 * of it on either side. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "crypto/refresh.h"
#include "tests/support/attack.h"
#include "tests/support/home.h"
#include "tests/support/scale.h"

static struct hk_test_service service;
static struct hk_test_device laptop, phone;
static struct hk_test_home home;
static struct hk_test_output output;
static char shared[sizeof(output.out)]; /* what `agree` prints, whatever happened before */

#define AGREE "agree", "--key", "files", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"

static int set_up_devices(void **state)
{
    (void)state;
    struct hk_test_enrolment enrolment;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, true);
    hk_test_two_devices(&laptop, &phone, &service, &enrolment);
    return 0;
}

static int tear_down_devices(void **state)
{
    (void)state;
    hk_test_device_end(&laptop);
    hk_test_device_end(&phone);
    hk_test_service_end(&service);
    return 0;
}

/* Active, and no old copy was seen: the administrator is told both. */
static void assert_phone_is_honest(void)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_STATUS, &laptop);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    for (size_t i = 0; i < answer.value[HK_F_ROWS].count; i++) {
        struct hk_device_row row;
        const struct hk_bytes *item = &answer.value[HK_F_ROWS].items[i];
        assert_int_equal(hk_row_decode(&row, item->data, item->size), HK_OK);
        if (memcmp(row.serial, phone.serial, HK_ID_BYTES) == 0) {
            assert_int_equal(row.status, HK_STATUS_ACTIVE);
            assert_int_equal(row.stale_copy_seen, 0);
            return;
        }
    }
    fail();
}

/* ---- who confirms ---- */

static void row17_a_copy_confirms_neither_with_old_halves_nor_with_a_label(void **state)
{
    (void)state;
    struct hk_test_epoch next, forged;
    static struct hk_test_device copy;
    hk_random(next.seed, sizeof(next.seed));
    copy = phone;
    copy.channel = copy.stranger = NULL;
    assert_int_equal(hk_test_refresh(&phone, &next), HK_OK);
    forged = next;
    hk_random(forged.tag, sizeof(forged.tag)); /* it does not know the new tag */
    assert_int_equal(hk_test_confirm(&copy, &forged), HK_UNKNOWN_TAG);
    hk_tried("a tag that was made up");
    memcpy(forged.tag, copy.tag, sizeof(forged.tag));
    assert_int_equal(hk_test_confirm(&copy, &forged), HK_UNKNOWN_TAG);
    hk_tried("the tag of the epoch before");
    forged = next; /* it stole the tag too, and proves what it has: its old halves */
    for (size_t i = 0; i < copy.key_count; i++) {
        struct hk_refresh refresh;
        memset(&refresh, 1, sizeof(refresh));
        memcpy(refresh.new_tag, next.tag, HK_TAG_BYTES);
        hk_refresh_confirm(forged.proofs[i], &hk_edwards25519, &refresh, &copy.key[i].half);
    }
    assert_int_equal(hk_test_confirm(&copy, &forged), HK_BAD_PROOF);
    hk_tried("proofs of the old halves");
    memset(forged.proofs, 0, sizeof(forged.proofs));
    assert_true(hk_test_confirm(&copy, &forged) != HK_OK); /* R is no point, z no scalar */
    hk_tried("no proof at all");
    hk_test_hang_up(&copy);
    hk_test_hang_up(&phone); /* the copy's tries have closed its session */
    assert_int_equal(hk_test_confirm(&phone, &next), HK_OK);
    hk_test_adopt(&phone, &next);
    assert_int_equal(hk_test_sign_git(&phone), HK_OK);
    assert_phone_is_honest();
}

/* ---- 64 requests over 4 sessions ---- */

#define SESSIONS 4
#define IN_FLIGHT 16 /* of each */

static struct hk_test_device session[SESSIONS];
static atomic_bool go, stop;
static atomic_uint served, judged;

static void *use(void *argument)
{
    struct hk_test_device *mine = argument; /* shared by its threads: they only use its channel */
    while (!atomic_load(&go)) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    while (!atomic_load(&stop)) {
        enum hk_error error = hk_test_sign_git(mine);
        if (error == HK_OK) {
            (void)atomic_fetch_add(&served, 1);
            continue;
        }
        if (error == HK_STALE_EPOCH || error == HK_SUSPENDED || error == HK_REVOKED) {
            (void)atomic_fetch_add(&judged, 1);
        }
        break; /* its session was closed, or the epoch has moved while it was queued */
    }
    return NULL;
}

static void refresh_under_load(void)
{
    pthread_t thread[SESSIONS * IN_FLIGHT];
    struct hk_test_epoch next;
    atomic_store(&go, false);
    atomic_store(&stop, false);
    atomic_store(&served, 0);
    hk_test_hang_up(&phone);
    for (size_t i = 0; i < SESSIONS; i++) {
        session[i] = phone;
        assert_int_equal(hk_test_sign_git(&session[i]), HK_OK); /* opens it */
    }
    for (size_t i = 0; i < SESSIONS * IN_FLIGHT; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, use, &session[i % SESSIONS]), 0);
    }
    atomic_store(&go, true);
    while (atomic_load(&served) < 50) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&phone, &next), HK_OK);
    hk_test_hang_up(&phone);
    assert_int_equal(hk_test_confirm(&phone, &next), HK_OK);
    atomic_store(&stop, true);
    hk_test_adopt(&phone, &next);
    for (size_t i = 0; i < SESSIONS * IN_FLIGHT; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    }
    for (size_t i = 0; i < SESSIONS; i++) {
        hk_test_hang_up(&session[i]);
    }
}

static void row17_requests_under_way_during_a_refresh_suspend_nobody(void **state)
{
    (void)state;
    uint64_t rounds = hk_scaled(100);
    atomic_store(&judged, 0);
    for (uint64_t i = 0; i < rounds; i++) {
        refresh_under_load();
        assert_int_equal(atomic_load(&judged), 0);
        assert_int_equal(hk_test_sign_git(&phone), HK_OK);
        assert_phone_is_honest();
    }
    hk_tried("64 requests over 4 sessions while the device refreshes");
}

/* ---- kills ---- */

static int set_up_home(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_home_init(&home, &service, "home");
    hk_test_home_account(&home, &service, "laptop");
    HK_EXPECT(&home, 0, NULL, "key", "create", "files", "--suite", "x25519");
    assert_int_equal(HK_RUN(&home, &output, AGREE), 0);
    memcpy(shared, output.out, sizeof(shared));
    return 0;
}

static int tear_down_home(void **state)
{
    (void)state;
    hk_test_home_end(&home);
    hk_test_service_end(&service);
    return 0;
}

/* The pair works, can be refreshed, and nothing looks like a second copy. */
static void assert_pair_works(const char *where)
{
    if (HK_RUN(&home, &output, AGREE) != 0 || strcmp(output.out, shared) != 0) { /* the same x */
        fail_msg("after %s: %s%s", where, output.out, output.err);
    }
    if (HK_RUN(&home, &output, "refresh") != 0) {
        fail_msg("after %s: %s", where, output.err);
    }
    if (HK_RUN(&home, &output, AGREE) != 0 || strcmp(output.out, shared) != 0) {
        fail_msg("after %s and a refresh: %s%s", where, output.out, output.err);
    }
    assert_int_equal(HK_RUN(&home, &output, "--json", NULL), 0);
    assert_non_null(strstr(output.out, "\"stale_copy_seen\": null"));
}

/* Kills the agent at the n-th passage of a seam, for every n that a refresh has; `make check` takes only
 * every step-th. */
static void kill_agent_at(const char *seam, int step)
{
    static char crash[128];
    for (int n = 1; n < 40; n += hk_scaled(100) == 100 ? 1 : step) {
        (void)snprintf(crash, sizeof(crash), "HK_CRASH=%s:%d", seam, n);
        hk_test_agent_kill(&home);
        home.set[0] = crash;
        int status = HK_RUN(&home, &output, "refresh");
        home.set[0] = NULL;
        bool survived = hk_test_agent(&home) != 0;
        assert_int_equal(status == 0, survived);
        hk_test_agent_kill(&home);
        assert_pair_works(crash);
        if (survived) {
            assert_true(n > 1); /* the seam is there at all */
            return;
        }
        hk_tried("device killed at %s", crash + strlen("HK_CRASH="));
    }
    fail();
}

struct seam {
    const char *name;
    int step;
};

static void row17_a_device_killed_at_any_step_goes_on(void **state)
{
    (void)state;
    static const struct seam seams[] = {{"refresh.seed/before", 1}, {"refresh.seed/after", 1},
                                        {"client/before-send", 3},  {"client/after-answer", 3},
                                        {"refresh.next/before", 1}, {"refresh.next/after", 1},
                                        {"refresh.done/before", 1}, {"refresh.done/after", 1}};
    for (size_t i = 0; i < sizeof(seams) / sizeof(*seams); i++) {
        kill_agent_at(seams[i].name, seams[i].step);
    }
}

static void kill_service_at(const char *seam, int step)
{
    static char crash[128];
    for (int n = 1; n < 40; n += hk_scaled(100) == 100 ? 1 : step) {
        (void)snprintf(crash, sizeof(crash), "%s:%d", seam, n);
        hk_test_agent_kill(&home);
        (void)hk_test_service_stop(&service);
        service.crash = crash;
        hk_test_service_restart(&service);
        service.crash = NULL;
        int status = HK_RUN(&home, &output, "refresh");
        bool survived = status == 0;
        if (survived) {
            (void)hk_test_service_stop(&service);
        } else {
            assert_true(hk_test_service_died(&service));
        }
        hk_test_service_restart(&service);
        assert_pair_works(crash);
        if (survived) {
            assert_true(n > 1);
            return;
        }
        hk_tried("service killed at %s", crash);
    }
    fail();
}

static void row17_a_service_killed_at_any_step_goes_on(void **state)
{
    (void)state;
    static const struct seam seams[] = {{"service/request", 3},
                                        {"service/before-commit", 1},
                                        {"service/after-commit", 1},
                                        {"service/before-send", 4},
                                        {"service/after-send", 4}};
    for (size_t i = 0; i < sizeof(seams) / sizeof(*seams); i++) {
        kill_service_at(seams[i].name, seams[i].step);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define DEVICES(name) cmocka_unit_test_setup_teardown(name, set_up_devices, tear_down_devices)
#define HOME(name) cmocka_unit_test_setup_teardown(name, set_up_home, tear_down_home)
        DEVICES(row17_a_copy_confirms_neither_with_old_halves_nor_with_a_label),
        DEVICES(row17_requests_under_way_during_a_refresh_suspend_nobody),
        HOME(row17_a_device_killed_at_any_step_goes_on),
        HOME(row17_a_service_killed_at_any_step_goes_on),
    };
    return HK_ATTACK_ROW(17, tests);
}

/* Row 20: somebody else in the service's place. With another static key it is told nothing at all; with the
 * service's own keys it may say what it likes, and the device ends each command in time, with a sentence, and
 * works on with the real one as if nothing had been. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/home.h"
#include "tests/support/impostor.h"

static struct hk_test_service service;
static struct hk_test_home home;
static struct hk_test_output output;
static struct hk_impostor impostor;
static char shared[sizeof(output.out)];

#define AGREE "agree", "--key", "files", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    memset(&impostor, 0, sizeof(impostor));
    hk_test_service_start(&service, false);
    hk_test_home_init(&home, &service, "home");
    home.set[0] = "HK_TIMEOUT=1500";
    hk_test_home_account(&home, &service, "laptop");
    HK_EXPECT(&home, 0, NULL, "key", "create", "files", "--suite", "x25519");
    HK_EXPECT(&home, 0, NULL, "key", "create", "git", "--suite", "ed25519");
    assert_int_equal(HK_RUN(&home, &output, AGREE), 0);
    memcpy(shared, output.out, sizeof(shared));
    hk_impostor_learn(&impostor, &service, &home);
    (void)hk_test_service_stop(&service);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_home_end(&home);
    hk_test_service_end(&service);
    return 0;
}

/* The real service is back, and the device as it was: same x, same log, nothing half done. */
static void assert_intact(void)
{
    hk_test_service_restart(&service);
    if (HK_RUN(&home, &output, AGREE) != 0 || strcmp(output.out, shared) != 0) {
        fail_msg("afterwards: %s%s", output.out, output.err);
    }
    HK_EXPECT(&home, 0, "verified", "log", "--verify");
    HK_EXPECT(&home, 0, NULL, "key", "list");
    assert_int_equal(HK_RUN(&home, &output, "--json", NULL), 0);
    assert_non_null(strstr(output.out, "\"unlocked\""));
}

/* ---- with another key ---- */

static enum hk_lie honest(struct hk_impostor *it, const struct hk_message *request, struct hk_message *answer)
{
    (void)hk_impostor_head(it, request, answer);
    return HK_LIE_ANSWER;
}

static void row20_a_service_with_another_key_is_told_nothing(void **state)
{
    (void)state;
    static const char *const commands[][6] = {{AGREE},
                                              {"sign", "--key", "git", "--format", "raw", "/etc/hostname"},
                                              {"refresh"},
                                              {"device", "list"},
                                              {"device", "invite"},
                                              {"key", "create", "more", "--suite", "ed25519"},
                                              {"log", "--verify"}};
    impostor.answer = honest;
    hk_impostor_start(&impostor, &service, true);
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        const char *arguments[7] = {NULL};
        memcpy(arguments, commands[i], sizeof(commands[i]));
        int status = hk_test_run(&home, &output, arguments);
        assert_true(status == 1 || status == 3);
        assert_true(strlen(output.err) > 20);
        assert_int_equal(impostor.frames, 0); /* nothing behind the handshake, not even sealed */
        hk_tried("another static key: %s", commands[i][0]);
    }
    assert_true(impostor.handshakes > 0);
    hk_impostor_stop(&impostor);
    assert_intact();
}

static void row20_an_account_is_not_made_at_a_service_with_another_key(void **state)
{
    (void)state;
    static struct hk_test_home fresh;
    hk_test_home_init(&fresh, &service, "fresh");
    impostor.answer = honest;
    hk_impostor_start(&impostor, &service, true);
    int status =
        HK_RUN(&fresh, &output, "init", "--service", service.line, "--device", "x", "--no-passphrase");
    assert_true(status == 1 || status == 3);
    assert_int_equal(impostor.frames, 0);
    hk_impostor_stop(&impostor);
    hk_test_agent_kill(&fresh);
    hk_test_service_restart(&service);
    HK_EXPECT(&fresh, 0, "Account", "init", "--service", service.line, "--device", "x", "--no-passphrase");
    hk_test_home_end(&fresh);
    hk_tried("another static key: init");
}

/* ---- with the service's own keys ---- */

static enum hk_lie lie;
static enum hk_op lie_about;
static bool shape_is_right; /* fields are there, with nonsense in them */

static void fill_with_nonsense(const struct hk_message *request, struct hk_message *answer)
{
    static uint8_t nonsense[HK_HASH_BYTES * 4];
    const struct hk_op_row *row = hk_op_row(request->value[HK_F_OP].number);
    hk_random(nonsense, sizeof(nonsense));
    memset(nonsense, 0xff, 32); /* no point: against one that is, only a proof helps (row 12) */
    static const struct {
        size_t size;
    } sizes[HK_FIELD_COUNT] = {
        [HK_F_POINT] = {32},  [HK_F_PROOF] = {64},    [HK_F_TRANSCRIPT] = {32}, [HK_F_PUBLIC] = {32},
        [HK_F_NONCES] = {64}, [HK_F_SHARE] = {32},    [HK_F_SEED] = {32},       [HK_F_NEW_TAG] = {16},
        [HK_F_ROOT] = {32},   [HK_F_SIGNATURE] = {64}};
    for (int field = 0; field < HK_FIELD_COUNT; field++) {
        if ((row->answer & HK_BIT(field)) != 0 && sizes[field].size != 0) {
            hk_message_set_bytes(answer, (enum hk_field)field, nonsense, sizes[field].size);
        }
    }
    if ((row->answer & HK_BIT(HK_F_POINTS)) != 0) {
        hk_message_set_array(answer, HK_F_POINTS, nonsense, 32, request->value[HK_F_POINTS].count);
    }
    if ((row->answer & HK_BIT(HK_F_PROOFS)) != 0) {
        hk_message_set_array(answer, HK_F_PROOFS, nonsense, 64, 3);
    }
}

static enum hk_lie tell(struct hk_impostor *it, const struct hk_message *request, struct hk_message *answer)
{
    bool about = request->value[HK_F_OP].number == (uint64_t)lie_about;
    if (about && shape_is_right) {
        fill_with_nonsense(request, answer);
        return HK_LIE_ANSWER;
    }
    if (!hk_impostor_head(it, request, answer) && !about) {
        hk_message_set_u64(answer, HK_F_ERROR, HK_BUSY); /* what else was asked does not matter here */
    }
    return about ? lie : HK_LIE_ANSWER;
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One lie about one operation: the command fails in time and says something. */
static void lie_to(const char *name, const char *const arguments[])
{
    hk_test_agent_kill(&home);
    impostor.answer = tell;
    impostor.late_ms = 2500; /* the device waits 1.5 seconds */
    hk_impostor_start(&impostor, &service, false);
    double before = seconds();
    int status = hk_test_run(&home, &output, arguments);
    assert_true(seconds() - before < 30);     /* a few tries of 1.5 seconds on a loaded machine */
    bool timely = status == 1 || status == 3; /* not 4: a hint that says revoked is not believed */
    if (!timely || strlen(output.err) < 20) {
        fail_msg("%s to %s: exit %d, %s%s", name, arguments[0], status, output.out, output.err);
    }
    assert_int_equal(strncmp(output.err, "halfkey: ", 9), 0);
    hk_test_agent_kill(&home);
    hk_impostor_stop(&impostor);
    hk_tried("%s to %s", name, arguments[0]);
}

static const struct {
    const char *name;
    enum hk_lie lie;
    bool shape;
} lies[] = {{"garbage, sealed", HK_LIE_GARBAGE, false},
            {"garbage in place of a frame", HK_LIE_UNSEALED, false},
            {"the previous answer again", HK_LIE_PREVIOUS, false},
            {"an answer to another request", HK_LIE_SWAPPED, false},
            {"nothing", HK_LIE_SILENCE, false},
            {"an answer too late", HK_LIE_LATE, false},
            {"a hint outside the session", HK_LIE_HINT, false},
            {"nonsense in the right shape", HK_LIE_ANSWER, true}};

static void lie_about_everything(enum hk_op op, const char *const arguments[])
{
    for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
        lie = lies[i].lie;
        shape_is_right = lies[i].shape;
        lie_about = op;
        impostor.hint = HK_REVOKED; /* must not be believed */
        lie_to(lies[i].name, arguments);
    }
    assert_intact();
}

static void row20_lies_about_an_agreement_end_in_time_and_change_nothing(void **state)
{
    (void)state;
    lie_about_everything(HK_OP_AGREE, (const char *const[]){AGREE, NULL});
}

static void row20_lies_about_a_signature_end_in_time_and_change_nothing(void **state)
{
    (void)state;
    lie_about_everything(
        HK_OP_SIGN, (const char *const[]){"sign", "--key", "git", "--format", "raw", "/etc/hostname", NULL});
    HK_EXPECT(&home, 0, NULL, "sign", "--key", "git", "--format", "raw", "/etc/hostname", "-o", "/dev/null");
}

static void row20_lies_about_the_log_end_in_time_and_change_nothing(void **state)
{
    (void)state;
    lie_about_everything(HK_OP_LOG_HEAD, (const char *const[]){AGREE, NULL});
}

/* Row 17 has this too: a refresh that somebody else has answered. */
static void row20_lies_about_a_refresh_leave_the_device_at_its_epoch(void **state)
{
    (void)state;
    lie_about_everything(HK_OP_REFRESH, (const char *const[]){"refresh", NULL});
    HK_EXPECT(&home, 0, "epoch", "refresh");
    assert_int_equal(HK_RUN(&home, &output, AGREE), 0);
    assert_string_equal(output.out, shared);
}

/* ---- hints: what anybody on the way can say ---- */

static enum hk_lie hint_at_confirm(struct hk_impostor *it, const struct hk_message *request,
                                   struct hk_message *answer)
{
    (void)hk_impostor_head(it, request, answer);
    return request->value[HK_F_OP].number == HK_OP_REFRESH_CONFIRM ? HK_LIE_HINT : HK_LIE_ANSWER;
}

static void row20_no_hint_makes_a_device_drop_an_epoch(void **state)
{
    (void)state;
    static const enum hk_error hints[] = {HK_UNKNOWN_TAG, HK_STALE_EPOCH, HK_REVOKED, HK_ROLLED_BACK, HK_OK};
    for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
        hk_test_service_restart(&service);
        home.set[1] = "HK_CRASH=refresh.done/before"; /* confirmed at the service, not yet here */
        assert_int_not_equal(HK_RUN(&home, &output, "refresh"), 0);
        home.set[1] = NULL;
        (void)hk_test_service_stop(&service);
        impostor.answer = hint_at_confirm;
        impostor.hint = hints[i];
        hk_impostor_start(&impostor, &service, false);
        int status = HK_RUN(&home, &output, AGREE);
        assert_true(status == 1 || status == 3); /* not 4: nothing that it says is believed */
        assert_true(impostor.ops[HK_OP_REFRESH_CONFIRM] > 0);
        hk_test_agent_kill(&home);
        hk_impostor_stop(&impostor);
        assert_intact();
        hk_test_agent_kill(&home);
        (void)hk_test_service_stop(&service);
        hk_tried("the hint %s to a confirm", hk_error_name(hints[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row20_a_service_with_another_key_is_told_nothing),
        TEST(row20_an_account_is_not_made_at_a_service_with_another_key),
        TEST(row20_lies_about_an_agreement_end_in_time_and_change_nothing),
        TEST(row20_lies_about_a_signature_end_in_time_and_change_nothing),
        TEST(row20_lies_about_the_log_end_in_time_and_change_nothing),
        TEST(row20_lies_about_a_refresh_leave_the_device_at_its_epoch),
        TEST(row20_no_hint_makes_a_device_drop_an_epoch),
    };
    return HK_ATTACK_ROW(20, tests);
}

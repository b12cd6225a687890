/* Row 21: a service that lies about the log, with the real programs. What it rewrites, the device next served
 * says; what it keeps apart, two devices find when they compare, and one misses the other's reports. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/forged_log.h"
#include "tests/support/home.h"

static struct hk_test_service service;
static struct hk_test_home laptop, phone;
static struct hk_test_output output;
static struct hk_forged_log forged;

#define AGREE "agree", "--key", "files", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"
#define FORKED "does not extend what this device has seen"

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_home_init(&laptop, &service, "laptop");
    hk_test_home_init(&phone, &service, "phone");
    hk_test_home_account(&laptop, &service, "laptop");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "files", "--suite", "x25519");
    hk_test_home_pair(&laptop, &phone, "phone");
    for (int i = 0; i < 3; i++) {
        HK_EXPECT(&laptop, 0, NULL, AGREE);
        HK_EXPECT(&phone, 0, NULL, AGREE);
    }
    HK_EXPECT(&phone, 0, "verified", "log", "--verify");
    HK_EXPECT(&laptop, 0, "verified", "log", "--verify");
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

/* ---- rewritten histories ---- */

static void serve_forged(void)
{
    hk_forged_write(&forged, &service);
    hk_test_service_restart(&service);
}

static void expect_forked(const struct hk_test_home *home, const char *what)
{
    HK_EXPECT(home, 1, FORKED, AGREE); /* nothing goes on over such a log */
    HK_EXPECT(home, 1, FORKED, "log", "--verify");
    HK_EXPECT(home, 1, FORKED, "log");
    hk_tried("%s", what);
}

/* The truth is put back, and found to be that: what was said was about the lie. */
static void serve_truth(const struct hk_forged_log *truth)
{
    (void)hk_test_service_stop(&service);
    hk_forged_write(truth, &service);
    hk_test_service_restart(&service);
    HK_EXPECT(&laptop, 0, "verified", "log", "--verify");
    HK_EXPECT(&phone, 0, "verified", "log", "--verify");
    (void)hk_test_service_stop(&service);
}

static void row21_a_rewritten_log_is_said_by_the_device_next_served(void **state)
{
    (void)state;
    static struct hk_forged_log truth;
    static const char *const names[] = {"the last leaf dropped, an older head signed",
                                        "a leaf in the middle dropped",
                                        "a leaf in the middle dropped, two made up at the end",
                                        "a leaf changed in place",
                                        "two leaves in another order",
                                        "the last leaf replaced",
                                        "every leaf dropped"};
    (void)hk_test_service_stop(&service);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct hk_leaf leaf;
        hk_forged_read(&truth, &service); /* with the reports that came since */
        forged = truth;
        size_t at = forged.count / 2;
        (void)hk_forged_find(&forged, HK_OP_AGREE, &leaf);
        if (i == 0) {
            forged.count--;
        } else if (i == 1 || i == 2) {
            hk_forged_drop(&forged, at);
        }
        for (int j = 0; i == 2 && j < 2; j++) {
            hk_forged_append(&forged, &leaf);
        }
        if (i == 3) {
            forged.leaf[at].bytes[forged.leaf[at].size - 1] ^= 1;
        } else if (i == 4) {
            hk_forged_swap(&forged, at, at - 1);
        } else if (i == 5) {
            hk_forged_swap(&forged, 0, forged.count - 1);
            forged.leaf[forged.count - 1] = forged.leaf[1];
        } else if (i == 6) {
            forged.count = 0;
        }
        serve_forged();
        expect_forked(&laptop, names[i]);
        if (i != 0) { /* the last leaf came after the phone's last look */
            expect_forked(&phone, names[i]);
        }
        serve_truth(&truth);
    }
    hk_test_service_restart(&service);
}

static void row21_a_use_that_was_answered_and_left_out_is_missed(void **state)
{
    (void)state;
    static struct hk_forged_log truth;
    static char text[160];
    static const struct {
        uint64_t op;
        const char *arguments[8];
    } uses[] = {{HK_OP_AGREE, {AGREE}},
                {HK_OP_SIGN, {"sign", "--key", "work", "--format", "raw", text}},
                {HK_OP_ECDSA_SIGN, {"sign", "--key", "coin", "--format", "raw", text}}};
    (void)snprintf(text, sizeof(text), "%s/text", service.directory);
    FILE *file = fopen(text, "w");
    assert_non_null(file);
    assert_true(fputs("text", file) >= 0 && fclose(file) == 0);
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "work", "--suite", "ed25519");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "coin", "--suite", "secp256k1-ecdsa");
    for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++) {
        struct hk_leaf leaf;
        hk_test_expect(&laptop, 0, NULL,
                       uses[i].arguments); /* its leaf is behind the head that was verified */
        (void)hk_test_service_stop(&service);
        hk_forged_read(&truth, &service);
        forged = truth;
        hk_forged_drop(&forged, hk_forged_find(&forged, uses[i].op, &leaf));
        serve_forged();
        HK_EXPECT(&laptop, 1, FORKED, "log", "--verify");
        hk_tried("an own use left out of the log: %s", hk_op_row((enum hk_op)uses[i].op)->name);
        serve_truth(&truth);
        hk_test_service_restart(&service);
    }
}

static void row21_an_invented_report_is_said(void **state)
{
    (void)state;
    struct hk_leaf leaf;
    struct hk_log_head head = {.generation = 1, .size = 1, .time = 1700000000};
    (void)hk_test_service_stop(&service);
    hk_forged_read(&forged, &service);
    for (size_t i = forged.count; i > 0; i--) { /* the phone's last use, with a report that it never made */
        struct hk_leaf first;
        assert_int_equal(hk_leaf_decode(&leaf, forged.leaf[i - 1].bytes, forged.leaf[i - 1].size), HK_OK);
        assert_int_equal(hk_leaf_decode(&first, forged.leaf[1].bytes, forged.leaf[1].size), HK_OK);
        if (leaf.op == HK_OP_AGREE && leaf.has_who && memcmp(leaf.who, first.who, HK_ID_BYTES) != 0) {
            break;
        }
    }
    leaf.has_report = true;
    hk_head_encode(leaf.report, &head);
    hk_random(leaf.report + HK_HEAD_BYTES, 64);
    hk_forged_append(&forged, &leaf);
    serve_forged();
    HK_EXPECT(&laptop, 1, FORKED, "log", "--verify");
    hk_tried("a report that its device never signed");
}

/* ---- two histories ---- */

/* From here on there are two stores of one past; `serve` says which one is at the address. */
static char current;
static void split(void)
{
    char command[512];
    (void)hk_test_service_stop(&service);
    (void)snprintf(command, sizeof(command), "cp -a '%s/data' '%s/data.b'", service.directory,
                   service.directory);
    assert_int_equal(system(command), 0);
    current = 'a';
}

static void serve(char which)
{
    char command[512];
    const char *dir = service.directory;
    if (service.pid != 0) {
        (void)hk_test_service_stop(&service);
    }
    if (which != current) {
        (void)snprintf(command, sizeof(command), "mv '%s/data' '%s/data.%c' && mv '%s/data.%c' '%s/data'",
                       dir, dir, current, dir, which, dir);
        assert_int_equal(system(command), 0);
        current = which;
    }
    hk_test_service_restart(&service);
}

static void read_head(const struct hk_test_home *home, char line[256])
{
    assert_int_equal(HK_RUN(home, &output, "log", "--head"), 0);
    assert_memory_equal(output.out, "hklog1", 6);
    (void)snprintf(line, 256, "%.255s", output.out);
    line[strcspn(line, "\n")] = '\0';
}

/* Each device uses its own history, long enough to report on it. */
static void live_apart(void)
{
    for (int i = 0; i < 2; i++) {
        serve(i == 0 ? 'a' : 'b');
        for (int j = 0; j < 2; j++) {
            HK_EXPECT(i == 0 ? &laptop : &phone, 0, NULL, AGREE);
            HK_EXPECT(i == 0 ? &laptop : &phone, 0, "verified", "log", "--verify");
        }
        HK_EXPECT(i == 0 ? &laptop : &phone, 0, NULL, AGREE); /* carries the report */
    }
}

static void row21_a_fork_kept_apart_is_found_by_comparing(void **state)
{
    (void)state;
    char head[256], file[192];
    split();
    live_apart();
    serve('b');
    read_head(&phone, head);
    serve('a');
    HK_EXPECT(&laptop, 0, "verified", "log", "--verify"); /* alone it sees nothing wrong */
    HK_EXPECT(&laptop, 1, "FORK", "log", "--against", head);
    hk_tried("a fork, by the line");
    (void)snprintf(file, sizeof(file), "%s/head", service.directory);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    (void)fprintf(out, "%s\n", head);
    (void)fclose(out);
    HK_EXPECT(&laptop, 1, "FORK", "log", "--against", file);
    hk_tried("a fork, by a file");
    read_head(&laptop, head);
    serve('b');
    HK_EXPECT(&phone, 1, "FORK", "log", "--against", head);
    hk_tried("a fork, from the other side");
}

/* When the laptop last heard of the phone's view of the log. */
static void phone_reported(char text[64])
{
    assert_int_equal(HK_RUN(&laptop, &output, "device", "list", "--json"), 0);
    const char *row = strstr(output.out, "\"name\": \"phone\"");
    assert_non_null(row);
    const char *report = strstr(row, "\"log_report\": ");
    assert_non_null(report);
    (void)snprintf(text, 64, "%.40s", report);
}

static void row21_a_fork_kept_apart_shows_as_a_silent_device(void **state)
{
    (void)state;
    char before[64], after[64];
    phone_reported(before);
    (void)sleep(1); /* what is reported has a time in seconds */
    HK_EXPECT(&phone, 0, "verified", "log", "--verify");
    HK_EXPECT(&phone, 0, NULL, AGREE);
    HK_EXPECT(&laptop, 0, "verified", "log", "--verify");
    phone_reported(after);
    assert_string_not_equal(before, after); /* without a fork the phone's report is heard of */
    phone_reported(before);
    split();
    live_apart();
    serve('a');
    HK_EXPECT(&laptop, 0, "verified", "log", "--verify");
    phone_reported(after);
    assert_string_equal(before, after); /* the phone has reported, but not here */
    assert_int_equal(HK_RUN(&laptop, &output, "device", "list"), 0);
    assert_non_null(strstr(output.out, "saw the log"));
    hk_tried("the other device is silent");
}

static void row21_two_histories_are_never_joined_again(void **state)
{
    (void)state;
    static struct hk_forged_log b;
    split();
    hk_forged_read(&forged, &service);
    size_t past = forged.count;
    live_apart();
    (void)hk_test_service_stop(&service);
    hk_forged_read(&b, &service); /* the phone's, with its report */
    serve('a');
    HK_EXPECT(&phone, 1, FORKED, AGREE);
    hk_tried("the one shown the other's history");
    (void)hk_test_service_stop(&service);
    hk_forged_read(&forged, &service);
    for (size_t i = past; i < b.count; i++) { /* the laptop's history, and behind it the phone's */
        struct hk_leaf leaf;
        assert_int_equal(hk_leaf_decode(&leaf, b.leaf[i].bytes, b.leaf[i].size), HK_OK);
        hk_forged_append(&forged, &leaf);
    }
    serve_forged();
    HK_EXPECT(&laptop, 1, FORKED, "log", "--verify"); /* the phone's report is on another line */
    HK_EXPECT(&phone, 1, FORKED, "log", "--verify");
    hk_tried("one history behind the other");
}

static void row21_comparing_says_one_history_where_there_is_one(void **state)
{
    (void)state;
    char head[256], typo[256];
    read_head(&phone, head);
    HK_EXPECT(&laptop, 0, NULL, AGREE); /* so that one of the two is longer */
    HK_EXPECT(&laptop, 0, "one history", "log", "--against", head);
    HK_EXPECT(&laptop, 0, NULL, AGREE);
    HK_EXPECT(&laptop, 0, "this device's", "log", "--against", head);
    read_head(&laptop, head);
    HK_EXPECT(&laptop, 0, "the same", "log", "--against", head);
    HK_EXPECT(&phone, 0, "history", "log", "--against", head);
    hk_tried("an honest service");
    (void)snprintf(typo, sizeof(typo), "%s", head);
    typo[20] = typo[20] == 'q' ? 'p' : 'q';
    HK_EXPECT(&phone, 1, "not a head", "log", "--against", typo);
    HK_EXPECT(&phone, 1, "No such file", "log", "--against", "/nonexistent/head");
    hk_tried("a head with a letter mistyped");
    static struct hk_test_home other;
    hk_test_home_init(&other, &service, "other");
    hk_test_home_account(&other, &service, "other");
    HK_EXPECT(&other, 1, "another account", "log", "--against", head);
    hk_test_home_end(&other);
    hk_tried("a head of another account");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row21_a_rewritten_log_is_said_by_the_device_next_served),
        TEST(row21_a_use_that_was_answered_and_left_out_is_missed),
        TEST(row21_an_invented_report_is_said),
        TEST(row21_a_fork_kept_apart_is_found_by_comparing),
        TEST(row21_a_fork_kept_apart_shows_as_a_silent_device),
        TEST(row21_two_histories_are_never_joined_again),
        TEST(row21_comparing_says_one_history_where_there_is_one),
    };
    return HK_ATTACK_ROW(21, tests);
}

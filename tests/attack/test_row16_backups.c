/* Row 16: a database from before. Put back after a revocation it does not bring the device back; put back
 * after a refresh it cannot serve the device, which keeps its halves and says its confirm again. With the
 * real programs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/home.h"

static struct hk_test_service service;
static struct hk_test_home laptop, phone;
static struct hk_test_output output;
static char shared[sizeof(output.out)];

#define AGREE "agree", "--key", "files", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"

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
    assert_int_equal(HK_RUN(&phone, &output, AGREE), 0);
    memcpy(shared, output.out, sizeof(shared));
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

__attribute__((format(printf, 1, 2))) static void shell(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    assert_int_equal(system(command), 0);
}

/* As an operator's backup does it: SQLite's own copy of a database that is in use. */
static void back_up(const char *name)
{
    shell("sqlite3 '%s/data/store.db' \".backup '%s/%s'\"", service.directory, service.directory, name);
}

static void put_back(const char *name)
{
    shell("rm -f '%s'/data/store.db* && install -m 600 '%s/%s' '%s/data/store.db'", service.directory,
          service.directory, name, service.directory);
}

/* Slots and store take a new one at every start; an hour would do as well. */
static void next_generation(void)
{
    (void)hk_test_service_stop(&service);
    hk_test_service_restart(&service);
}

static void adopt_with(const char *option)
{
    char path[512];
    hk_test_service_program(path, sizeof(path));
    shell("'%s' adopt-restore %s --data '%s/data' >'%s/adopted' 2>&1", path, option, service.directory,
          service.directory);
}

static void adopt(void)
{
    adopt_with("");
}

static void expect_same_x(const struct hk_test_home *home)
{
    if (HK_RUN(home, &output, AGREE) != 0 || strcmp(output.out, shared) != 0) {
        fail_msg("%s%s", output.out, output.err);
    }
}

/* ---- a database from before a revocation ---- */

static void row16_a_database_from_before_a_revocation_does_not_bring_the_device_back(void **state)
{
    (void)state;
    back_up("before");
    HK_EXPECT(&laptop, 0, "is revoked", "device", "revoke", "phone");
    HK_EXPECT(&phone, 4, "revoked", AGREE);
    hk_test_service_kill(&service);
    put_back("before");
    hk_test_service_restart(&service);
    HK_EXPECT(&phone, 1, "adopt-restore", AGREE);
    HK_EXPECT(&laptop, 1, "adopt-restore", AGREE);
    hk_tried("the service starts in quarantine");
    hk_test_service_kill(&service);
    hk_test_service_restart(&service); /* not by starting it again either */
    HK_EXPECT(&phone, 1, "adopt-restore", AGREE);
    (void)hk_test_service_stop(&service);
    adopt();
    hk_test_service_restart(&service);
    HK_EXPECT(&phone, 4, "revoked", AGREE);
    HK_EXPECT(&phone, 4, "revoked", "refresh");
    hk_tried("the restore adopted, the device is dead");
    HK_EXPECT(&laptop, 5, NULL, AGREE); /* a new generation of the log waits for a yes */
    HK_EXPECT(&laptop, 0, NULL, "log", "accept", "--yes");
    expect_same_x(&laptop);
    HK_EXPECT(&laptop, 0, "verified", "log", "--verify");
    HK_EXPECT(&laptop, 0, "revoked", "device", "list");
    hk_tried("after an honest restore the other device goes on, with its user's yes");
}

static void row16_a_database_put_back_twice_or_an_older_one_is_no_way_round(void **state)
{
    (void)state;
    static struct hk_test_home tablet;
    hk_test_home_init(&tablet, &service, "tablet");
    back_up("first");
    hk_test_home_pair(&laptop, &tablet, "tablet");
    back_up("second");
    HK_EXPECT(&laptop, 0, "is revoked", "device", "revoke", "phone");
    HK_EXPECT(&laptop, 0, "is revoked", "device", "revoke", "tablet");
    (void)hk_test_service_stop(&service);
    for (int i = 0; i < 2; i++) {
        put_back(i == 0 ? "second" : "first");
        adopt();
        hk_test_service_restart(&service);
        assert_true(HK_RUN(&phone, &output, AGREE) != 0);
        assert_true(HK_RUN(&tablet, &output, AGREE) != 0);
        (void)hk_test_service_stop(&service);
        hk_tried("an older database after another (%d)", i);
    }
    hk_test_service_restart(&service);
    hk_test_home_end(&tablet);
}

/* ---- a database of the same generation ---- */

/* Nothing but the devices' heads tells that it is an older one: no start, no revocation and no hour is
 * between. */
static void row16_a_database_of_the_same_generation_is_seen_by_devices_and_adopted_by_force(void **state)
{
    (void)state;
    back_up("before");
    expect_same_x(&laptop);
    HK_EXPECT(&laptop, 0, "verified", "log", "--verify");
    (void)hk_test_service_stop(&service);
    put_back("before");
    hk_test_service_restart(&service);
    shell("! grep -q event=log-not-what-a-device-saw '%s/log'", service.directory);
    HK_EXPECT(&laptop, 1, "put back from a backup; ask its operator", AGREE);
    shell("grep -q 'event=log-not-what-a-device-saw.*adopt-restore --force' '%s/log'", service.directory);
    hk_tried("a device sees it, and the operator hears of it");
    HK_EXPECT(&phone, 1, "ask its operator", AGREE); /* by the laptop's word, which is a leaf now */
    hk_tried("another device, which has seen nothing of what is lost, finds the first one's word in the log");
    (void)hk_test_service_stop(&service);
    char path[512];
    hk_test_service_program(path, sizeof(path));
    shell("! '%s' adopt-restore --data '%s/data' 2>'%s/refused' && grep -q -- --force '%s/refused'", path,
          service.directory, service.directory, service.directory);
    adopt_with("--force");
    hk_test_service_restart(&service);
    HK_EXPECT(&laptop, 5, NULL, AGREE);
    HK_EXPECT(&phone, 5, NULL, AGREE);
    HK_EXPECT(&phone, 1, "administrator", "log", "accept", "--yes");
    HK_EXPECT(&phone, 5, NULL, AGREE);
    hk_tried("an ordinary device waits for an administrator's");
    HK_EXPECT(&laptop, 0, NULL, "log", "accept", "--yes");
    expect_same_x(&laptop);
    expect_same_x(&phone);
    HK_EXPECT(&laptop, 0, "verified", "log", "--verify");
    hk_tried("adopted by force: both go on with their users' yes");
}

/* ---- a revocation that a device keeps ---- */

static void row16_a_kept_revocation_is_applied_before_the_account_is_served(void **state)
{
    (void)state;
    (void)hk_test_service_stop(&service); /* everything copied, slots too: what no operator should do */
    shell("cp -a '%s/data' '%s/whole'", service.directory, service.directory);
    hk_test_service_restart(&service);
    HK_EXPECT(&laptop, 0, "is revoked", "device", "revoke", "phone");
    HK_EXPECT(&phone, 4, "revoked", AGREE);
    (void)hk_test_service_stop(&service);
    shell("rm -rf '%s/data' && mv '%s/whole' '%s/data'", service.directory, service.directory,
          service.directory);
    hk_test_service_restart(&service);
    HK_EXPECT(&laptop, 1, "log",
              AGREE); /* it sees that the log is an older one; and has shown the revocation */
    HK_EXPECT(&phone, 4, "revoked", AGREE);
    hk_tried("store and slots from before: the laptop's next contact ends the phone");
}

static void row16_a_revocation_that_found_no_service_is_applied_at_the_next_contact(void **state)
{
    (void)state;
    hk_test_service_kill(&service);
    HK_EXPECT(&laptop, 3, "at every contact", "device", "revoke", "phone");
    hk_test_service_restart(&service);
    expect_same_x(&phone); /* nobody has told the service yet */
    expect_same_x(&laptop);
    HK_EXPECT(&phone, 4, "revoked", AGREE);
    hk_tried("the service was away: any later command of the laptop tells it");
}

static void row16_it_is_applied_by_another_agent_too(void **state)
{
    (void)state;
    hk_test_service_kill(&service);
    HK_EXPECT(&laptop, 3, "at every contact", "device", "revoke", "phone");
    hk_test_agent_kill(&laptop);
    hk_test_service_restart(&service);
    HK_EXPECT(&laptop, 0, NULL, "log");
    HK_EXPECT(&phone, 4, "revoked", AGREE);
    hk_tried("and after the laptop has been restarted");
}

/* ---- a database from before a refresh ---- */

static void row16_a_database_from_before_a_refresh_is_rolled_back_and_the_device_keeps_its_half(void **state)
{
    (void)state;
    back_up("before");
    next_generation();
    HK_EXPECT(&phone, 0, "epoch 2", "refresh");
    (void)hk_test_service_stop(&service);
    back_up("after");
    put_back("before");
    adopt();
    hk_test_service_restart(&service);
    for (int i = 0; i < 2; i++) {
        HK_EXPECT(&phone, 1, "older than this device's last refresh", AGREE);
        HK_EXPECT(&phone, 1, "older than this device's last refresh", "refresh");
        hk_test_agent_kill(&phone);
    }
    hk_tried("the device is told rolled-back");
    (void)hk_test_service_stop(&service);
    put_back("after");
    adopt();
    hk_test_service_restart(&service);
    HK_EXPECT(&phone, 5, NULL, AGREE);
    HK_EXPECT(&laptop, 0, NULL, "log", "accept", "--yes");
    expect_same_x(&phone);
    hk_tried("the newer database is found: its half is still there");
}

/* The backup is from between the service's answer to a refresh and the device's confirm. */
static void make_backup_between(void)
{
    hk_test_agent_kill(&laptop);
    laptop.set[0] = "HK_CRASH=refresh.next/after";
    assert_int_not_equal(HK_RUN(&laptop, &output, "refresh"), 0);
    laptop.set[0] = NULL;
    back_up("between");
    next_generation();
    expect_same_x(&laptop); /* goes on with the refresh first */
}

static void row16_a_database_from_the_middle_of_a_refresh_catches_up_with_the_device(void **state)
{
    (void)state;
    make_backup_between();
    (void)hk_test_service_stop(&service);
    put_back("between");
    adopt();
    hk_test_service_restart(&service);
    HK_EXPECT(&laptop, 5, NULL, AGREE); /* the confirm was said again; now the log waits for a yes */
    HK_EXPECT(&laptop, 0, NULL, "log", "accept", "--yes");
    expect_same_x(&laptop);
    HK_EXPECT(&laptop, 0, "epoch", "refresh");
    expect_same_x(&laptop);
    hk_tried("the device repeats its confirm");
}

static void row16_so_it_does_after_it_was_restarted(void **state)
{
    (void)state;
    make_backup_between();
    hk_test_agent_kill(&laptop);
    (void)hk_test_service_stop(&service);
    put_back("between");
    adopt();
    hk_test_service_restart(&service);
    HK_EXPECT(&laptop, 0, NULL, "log", "accept", "--yes");
    expect_same_x(&laptop);
    hk_tried("the device repeats its confirm out of its file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row16_a_database_from_before_a_revocation_does_not_bring_the_device_back),
        TEST(row16_a_database_put_back_twice_or_an_older_one_is_no_way_round),
        TEST(row16_a_database_of_the_same_generation_is_seen_by_devices_and_adopted_by_force),
        TEST(row16_a_kept_revocation_is_applied_before_the_account_is_served),
        TEST(row16_a_revocation_that_found_no_service_is_applied_at_the_next_contact),
        TEST(row16_it_is_applied_by_another_agent_too),
        TEST(row16_a_database_from_before_a_refresh_is_rolled_back_and_the_device_keeps_its_half),
        TEST(row16_a_database_from_the_middle_of_a_refresh_catches_up_with_the_device),
        TEST(row16_so_it_does_after_it_was_restarted),
    };
    return HK_ATTACK_ROW(16, tests);
}

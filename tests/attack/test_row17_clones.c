/* Row 17: copies of a device's file, with the real command line: the copy and the original are both used
 * after a refresh. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/home.h"

static struct hk_test_service service;
static struct hk_test_home laptop, phone, copy;
static struct hk_test_output output;

#define AGREE "agree", "--key", "files", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_home_init(&laptop, &service, "laptop");
    hk_test_home_init(&phone, &service, "phone");
    hk_test_home_init(&copy, &service, "copy");
    hk_test_home_account(&laptop, &service, "laptop");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "files", "--suite", "x25519");
    hk_test_home_pair(&laptop, &phone, "phone");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_home_end(&laptop);
    hk_test_home_end(&phone);
    hk_test_home_end(&copy);
    hk_test_service_end(&service);
    return 0;
}

static void row17_a_copied_phone_is_refused_and_the_phone_suspended_until_its_administrator_says(void **state)
{
    (void)state;
    hk_test_agent_kill(&phone);
    hk_test_home_copy(&phone, &copy);
    HK_EXPECT(&phone, 0, "epoch 2", "refresh");
    HK_EXPECT(&copy, 1, "old copy", AGREE);
    hk_tried("a copy asks for a share after the refresh");
    HK_EXPECT(&phone, 4, "halfkey device resume", AGREE);
    hk_tried("the phone itself is suspended and says what to do");
    assert_int_equal(HK_RUN(&phone, &output, NULL), 4); /* the state is shown, and why it is not served */
    assert_non_null(strstr(output.out, "Epoch     2"));
    assert_non_null(strstr(output.err, "suspended"));
    HK_EXPECT(&copy, 4, "suspended", "refresh");
    hk_tried("the copy asks for a refresh");
    assert_int_equal(HK_RUN(&laptop, &output, NULL), 0);
    assert_non_null(strstr(output.out, "SUSPENDED: 'phone'"));
    HK_EXPECT(&laptop, 0, "suspended", "device", "list");
    HK_EXPECT(&laptop, 0, "AN OLD COPY WAS USED", "device", "list");
    hk_tried("the administrator is shown it");
    HK_EXPECT(&laptop, 0, NULL, AGREE);
    HK_EXPECT(&phone, 4, "suspended", "device", "list");
    HK_EXPECT(&laptop, 0, "goes on", "device", "resume", "phone");
    HK_EXPECT(&phone, 0, NULL, AGREE);
    HK_EXPECT(&phone, 0, "WARNING: an old copy", NULL);
    hk_tried("resumed, the phone goes on with the warning");
    HK_EXPECT(&copy, 1, "copy", "refresh");
    HK_EXPECT(&phone, 4, "suspended", AGREE);
    HK_EXPECT(&laptop, 0, "is revoked", "device", "revoke", "phone");
    HK_EXPECT(&phone, 4, "revoked", AGREE);
    HK_EXPECT(&copy, 4, "revoked", AGREE);
    hk_tried("revoked, both are dead");
}

static void row17_a_copied_last_administrator_is_refused_and_the_original_goes_on_warned(void **state)
{
    (void)state;
    hk_test_agent_kill(&laptop);
    hk_test_home_copy(&laptop, &copy);
    HK_EXPECT(&laptop, 0, "epoch", "refresh");
    HK_EXPECT(&copy, 1, "old copy", AGREE);
    HK_EXPECT(&copy, 1, "old copy", "device", "invite");
    HK_EXPECT(&copy, 1, "old copy", "device", "suspend", "phone");
    HK_EXPECT(&copy, 1, "old copy", "device", "revoke", "phone");
    HK_EXPECT(&laptop, 0, NULL, AGREE);
    HK_EXPECT(&laptop, 0, "WARNING: an old copy", NULL);
    HK_EXPECT(&phone, 0, NULL, AGREE);
    hk_tried("a copy of the last administrator's file");
}

static void row17_the_copy_that_refreshes_first_stops_the_other(void **state)
{
    (void)state;
    hk_test_agent_kill(&phone);
    hk_test_home_copy(&phone, &copy);
    HK_EXPECT(&copy, 0, "epoch 2", "refresh"); /* a thief may be the first: nobody can know */
    HK_EXPECT(&phone, 1, "old copy", AGREE);
    HK_EXPECT(&copy, 4, "suspended", AGREE);
    HK_EXPECT(&laptop, 0, "AN OLD COPY WAS USED", "device", "list");
    hk_tried("the thief refreshes first, and is suspended when the owner comes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row17_a_copied_phone_is_refused_and_the_phone_suspended_until_its_administrator_says),
        TEST(row17_a_copied_last_administrator_is_refused_and_the_original_goes_on_warned),
        TEST(row17_the_copy_that_refreshes_first_stops_the_other),
    };
    return HK_ATTACK_ROW(17, tests);
}

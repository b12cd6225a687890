/* Which profile a device takes over: the account's own, for its service, newer than the one it has, and
 * without a device that it knows to be revoked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "device/state.h"
#include "protocol/cose.h"
#include "protocol/udf.h"

#define ROOM (HK_PAYLOAD_MAX + HK_COSE_OVERHEAD_MAX)

static struct hk_state *device;
static struct hk_profile profile, taken;
static uint8_t account_secret[64], signed_profile[ROOM];
static size_t signed_size;

/* Signs `profile` as the account does. */
static void sign(void)
{
    static uint8_t payload[HK_PAYLOAD_MAX], statement[ROOM];
    uint8_t signature[64];
    size_t size, length;
    assert_int_equal(hk_profile_encode(&profile, payload, sizeof(payload), &size), HK_OK);
    assert_int_equal(hk_cose_to_be_signed(statement, sizeof(statement), &length, HK_TYPE_PROFILE,
                                          profile.account, HK_BYTES(payload, size)),
                     HK_OK);
    crypto_sign_detached(signature, NULL, statement, length, account_secret);
    assert_int_equal(hk_cose_assemble(signed_profile, sizeof(signed_profile), &signed_size, HK_TYPE_PROFILE,
                                      profile.account, HK_BYTES(payload, size), signature),
                     HK_OK);
}

static enum hk_error take(void)
{
    return hk_state_take_profile(device, signed_profile, signed_size, &taken);
}

/* The next version after the one that was signed last. */
static void next(void)
{
    hk_object_hash(profile.previous, signed_profile, signed_size);
    profile.version++;
}

static int set_up(void **unused)
{
    (void)unused;
    memset(&profile, 0, sizeof(profile));
    crypto_sign_keypair(profile.account_key, account_secret);
    hk_account_name(profile.account, profile.account_key);
    profile.version = 1;
    strcpy(profile.address, "halfkey://service@127.0.0.1:7700");
    profile.device_count = 2;
    for (size_t i = 0; i < 2; i++) {
        memset(profile.devices[i].serial, (int)(i + 1), HK_ID_BYTES);
        profile.devices[i].role = i == 0 ? HK_ROLE_ADMIN : HK_ROLE_ORDINARY;
        strcpy(profile.devices[i].name, i == 0 ? "laptop" : "phone");
    }
    if (hk_state_new(&device) != HK_OK)
        return -1;
    memcpy(device->account, profile.account, HK_ACCOUNT_BYTES);
    memset(device->serial, 2, HK_ID_BYTES);
    sign();
    return take() == HK_OK ? 0 : -1;
}

static int tear_down(void **unused)
{
    (void)unused;
    hk_state_free(device);
    return 0;
}

/* That the one of version `version` is still there, and works. */
static void stays(uint64_t version)
{
    assert_int_equal(hk_state_profile(device, &taken), HK_OK);
    assert_int_equal(taken.version, version);
    assert_int_equal(device->profile_version, version);
    assert_string_equal(device->name, "phone");
}

static void the_next_one_is_taken_and_the_device_goes_by_its_new_name(void **unused)
{
    (void)unused;
    next();
    strcpy(profile.devices[1].name, "pocket");
    sign();
    assert_int_equal(take(), HK_OK);
    assert_int_equal(taken.version, 2);
    assert_string_equal(device->name, "pocket");
    assert_int_equal(take(), HK_OK); /* the same again is no contradiction */
}

static void one_after_several_that_were_missed_is_taken(void **unused)
{
    (void)unused;
    profile.version = 5;
    memset(profile.previous, 7, sizeof(profile.previous));
    sign();
    assert_int_equal(take(), HK_OK);
    stays(5);
}

static void refused(const char *why)
{
    assert_int_equal(take(), HK_CONFLICT);
    assert_non_null(device->profile_refused);
    if (strstr(device->profile_refused, why) == NULL) {
        fail_msg("refused because %s", device->profile_refused);
    }
}

static void an_older_one_is_not_taken_back(void **unused)
{
    (void)unused;
    static uint8_t old[ROOM];
    size_t old_size = signed_size;
    memcpy(old, signed_profile, old_size);
    next();
    sign();
    assert_int_equal(take(), HK_OK);
    assert_int_equal(hk_state_take_profile(device, old, old_size, NULL), HK_CONFLICT);
    assert_non_null(strstr(device->profile_refused, "older"));
    stays(2);
}

static void another_one_of_the_same_version_is_not_taken(void **unused)
{
    (void)unused;
    profile.time = 77;
    sign();
    refused("another one of the same");
    stays(1);
}

static void a_next_one_that_names_another_before_it_is_not_taken(void **unused)
{
    (void)unused;
    next();
    profile.previous[0] ^= 1;
    sign();
    refused("does not follow");
    stays(1);
}

static void one_for_another_service_is_not_taken(void **unused)
{
    (void)unused;
    next();
    profile.service_key[0] ^= 1;
    sign();
    refused("another service");
    profile.service_key[0] ^= 1;
    profile.identity_key[0] ^= 1;
    sign();
    refused("another service");
    stays(1);
}

static void one_with_a_device_that_is_revoked_is_not_taken(void **unused)
{
    (void)unused;
    next();
    sign();
    assert_int_equal(take(), HK_OK);
    assert_int_equal(hk_state_keep_certificate(device, profile.devices[0].serial, "certificate", 11, NULL),
                     HK_OK);
    hk_state_certificate(device, profile.devices[0].serial)->revoked = true;
    next();
    sign();
    refused("revoked");
    stays(2);
}

/* It ends an administrator's device without anybody's approval: nobody but that device keeps it. */
static void the_certificate_of_another_administrator_is_forgotten(void **unused)
{
    (void)unused;
    uint8_t serial[HK_ID_BYTES];
    memcpy(serial, profile.devices[0].serial, HK_ID_BYTES);
    profile.devices[0].role = HK_ROLE_ORDINARY;
    next();
    sign();
    assert_int_equal(hk_state_keep_certificate(device, serial, "certificate", 11, NULL), HK_OK);
    assert_int_equal(take(), HK_OK);
    assert_non_null(hk_state_certificate(device, serial));
    profile.devices[0].role = HK_ROLE_ADMIN;
    next();
    sign();
    assert_int_equal(take(), HK_OK);
    assert_null(hk_state_certificate(device, serial));
}

static void one_that_the_account_did_not_sign_is_not_taken(void **unused)
{
    (void)unused;
    next();
    sign();
    signed_profile[signed_size - 1] ^= 1;
    assert_int_equal(take(), HK_BAD_SIGNATURE);
    uint8_t account_key[32];
    memcpy(account_key, profile.account_key, 32);
    crypto_sign_keypair(profile.account_key, account_secret); /* signed well, but by whom? */
    sign();
    assert_int_equal(take(), HK_BAD_SIGNATURE);
    memcpy(profile.account_key, account_key, 32);
    sign();
    assert_int_equal(take(), HK_BAD_SIGNATURE);
    stays(1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_next_one_is_taken_and_the_device_goes_by_its_new_name),
        TEST(one_after_several_that_were_missed_is_taken),
        TEST(an_older_one_is_not_taken_back),
        TEST(another_one_of_the_same_version_is_not_taken),
        TEST(a_next_one_that_names_another_before_it_is_not_taken),
        TEST(one_for_another_service_is_not_taken),
        TEST(one_with_a_device_that_is_revoked_is_not_taken),
        TEST(the_certificate_of_another_administrator_is_forgotten),
        TEST(one_that_the_account_did_not_sign_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

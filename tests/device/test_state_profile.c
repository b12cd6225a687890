/* Which profiles a device takes over, and which state files and folders it refuses to use. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "device/state.h"
#include "protocol/cose.h"
#include "protocol/udf.h"

static uint8_t account_key[32], account_secret[64], account[HK_ACCOUNT_BYTES];
static struct hk_profile profile;
static uint8_t signed_profile[HK_PAYLOAD_MAX + 512];
static size_t signed_size;

static void sign_profile(const uint8_t secret[64])
{
    static uint8_t payload[HK_PAYLOAD_MAX], to_be_signed[HK_PAYLOAD_MAX + 512];
    uint8_t signature[64];
    size_t size, length;
    assert_int_equal(hk_profile_encode(&profile, payload, sizeof(payload), &size), HK_OK);
    assert_int_equal(hk_cose_to_be_signed(to_be_signed, sizeof(to_be_signed), &length, HK_TYPE_PROFILE,
                                          account, HK_BYTES(payload, size)),
                     HK_OK);
    crypto_sign_detached(signature, NULL, to_be_signed, length, secret);
    assert_int_equal(hk_cose_assemble(signed_profile, sizeof(signed_profile), &signed_size, HK_TYPE_PROFILE,
                                      account, HK_BYTES(payload, size), signature),
                     HK_OK);
}

static enum hk_error take(struct hk_state *state)
{
    sign_profile(account_secret);
    return hk_state_take_profile(state, signed_profile, signed_size, NULL);
}

/* The next one of an honest administrator: names the one that the device has. */
static void next_version(const struct hk_state *state)
{
    profile.version++;
    hk_object_hash(profile.previous, state->profile, state->profile_size);
}

static struct hk_state *fresh_state(void)
{
    struct hk_state *state;
    crypto_sign_keypair(account_key, account_secret);
    hk_account_name(account, account_key);
    memset(&profile, 0, sizeof(profile));
    assert_int_equal(hk_state_new(&state), HK_OK);
    hk_state_make_device(state, "laptop", HK_ROLE_ADMIN);
    state->phase = HK_PHASE_ACTIVE;
    memcpy(state->account, account, sizeof(account));
    hk_random(state->service_key, 32);
    hk_random(state->identity_key, 32);
    snprintf(state->address, sizeof(state->address), "tcp://127.0.0.1:7700");
    memcpy(profile.account, account, sizeof(account));
    memcpy(profile.account_key, account_key, 32);
    memcpy(profile.service_key, state->service_key, 32);
    memcpy(profile.identity_key, state->identity_key, 32);
    snprintf(profile.address, sizeof(profile.address), "tcp://127.0.0.1:7700");
    profile.version = 1;
    profile.time = 1700000000;
    profile.device_count = 2;
    memset(profile.devices[0].serial, 1, HK_ID_BYTES);
    memset(profile.devices[1].serial, 2, HK_ID_BYTES);
    for (size_t i = 0; i < 2; i++) {
        hk_random(profile.devices[i].static_key, 32);
        hk_random(profile.devices[i].report_key, 32);
        snprintf(profile.devices[i].name, sizeof(profile.devices[i].name), "device %zu", i);
    }
    memcpy(state->serial, profile.devices[0].serial, HK_ID_BYTES);
    assert_int_equal(take(state), HK_OK);
    assert_int_equal(state->profile_version, 1);
    return state;
}

static void the_next_profile_is_taken_and_an_older_one_refused(void **unused)
{
    (void)unused;
    struct hk_state *state = fresh_state();
    struct hk_profile first = profile;
    next_version(state);
    assert_int_equal(take(state), HK_OK);
    assert_int_equal(state->profile_version, 2);
    assert_int_equal(take(state), HK_OK); /* the same again */
    profile = first;
    assert_int_equal(take(state), HK_CONFLICT);
    assert_int_equal(state->profile_version, 2);
    hk_state_free(state);
}

static void another_profile_of_the_same_version_or_line_is_refused(void **unused)
{
    (void)unused;
    struct hk_state *state = fresh_state();
    profile.time++;
    assert_int_equal(take(state), HK_CONFLICT);
    next_version(state);
    profile.previous[0] ^= 1;
    assert_int_equal(take(state), HK_CONFLICT);
    assert_int_equal(state->profile_version, 1);
    hk_state_free(state);
}

static void a_profile_that_lists_a_revoked_device_is_refused(void **unused)
{
    (void)unused;
    struct hk_state *state = fresh_state();
    assert_int_equal(hk_state_keep_certificate(state, profile.devices[1].serial, "certificate", 11, NULL),
                     HK_OK);
    next_version(state);
    assert_int_equal(take(state), HK_OK);
    hk_state_certificate(state, profile.devices[1].serial)->revoked = true;
    next_version(state);
    assert_int_equal(take(state), HK_CONFLICT);
    profile.device_count = 1;
    assert_int_equal(take(state), HK_OK);
    hk_state_free(state);
}

static void a_profile_of_another_service_or_signer_is_refused(void **unused)
{
    (void)unused;
    struct hk_state *state = fresh_state();
    uint8_t other_key[32], other_secret[64];
    next_version(state);
    struct hk_profile good = profile;
    profile.service_key[0] ^= 1;
    assert_int_equal(take(state), HK_CONFLICT);
    profile = good;
    profile.identity_key[0] ^= 1;
    assert_int_equal(take(state), HK_CONFLICT);
    profile = good;
    crypto_sign_keypair(other_key, other_secret);
    sign_profile(other_secret);
    assert_int_equal(hk_state_take_profile(state, signed_profile, signed_size, NULL), HK_BAD_SIGNATURE);
    assert_int_equal(state->profile_version, 1);
    assert_int_equal(take(state), HK_OK);
    hk_state_free(state);
}

static void a_state_file_or_folder_that_others_can_read_is_refused(void **unused)
{
    (void)unused;
    char folder[] = "/tmp/halfkey-state.XXXXXX", path[128], reason[256] = "", command[128];
    struct hk_home home = {0}, found;
    struct hk_state_seal seal;
    bool has_passphrase;
    struct hk_state *state = fresh_state();
    assert_non_null(mkdtemp(folder));
    memset(state->account, 0, sizeof(state->account));
    snprintf(home.path, sizeof(home.path), "%s", folder);
    assert_int_equal(hk_state_seal_make(&seal, NULL, 0), HK_OK);
    assert_int_equal(hk_state_write(state, &seal, &home, "test"), HK_OK);
    assert_int_equal(hk_state_look(&home, &has_passphrase, reason), HK_OK);
    snprintf(path, sizeof(path), "%s/0000000000000000.share", folder);
    for (mode_t other = 1; other <= 040; other <<= 1) {
        assert_int_equal(chmod(path, 0600 | other), 0);
        assert_int_equal(hk_state_look(&home, &has_passphrase, reason), HK_IO);
        assert_non_null(strstr(reason, "chmod 600"));
    }
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(hk_state_look(&home, &has_passphrase, reason), HK_OK);
    setenv("HALFKEY_HOME", folder, 1);
    assert_int_equal(hk_home_find(&found, false, reason), HK_OK);
    assert_int_equal(chmod(folder, 0750), 0);
    assert_int_equal(hk_home_find(&found, false, reason), HK_IO);
    assert_non_null(strstr(reason, "chmod 700"));
    hk_state_free(state);
    unlink(path);
    snprintf(command, sizeof(command), "%s", folder);
    rmdir(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_profile_is_taken_and_an_older_one_refused),
        cmocka_unit_test(another_profile_of_the_same_version_or_line_is_refused),
        cmocka_unit_test(a_profile_that_lists_a_revoked_device_is_refused),
        cmocka_unit_test(a_profile_of_another_service_or_signer_is_refused),
        cmocka_unit_test(a_state_file_or_folder_that_others_can_read_is_refused),
    };
    assert_true(sodium_init() >= 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A service that may lock only little memory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/ecdsa_service.h"
#include "tests/support/process_view.h"

static struct hk_test_service service;
static struct hk_test_device laptop;

static void a_key_of_each_kind_signs_and_is_refreshed(void)
{
    static struct hk_test_ecdsa pair;
    uint8_t signature[64];
    hk_test_device_init(&laptop, &service);
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "work"), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_SECP256K1_ECDSA, "coins"), HK_OK);
    assert_int_equal(hk_test_put_profile(&laptop, NULL), HK_OK);
    for (size_t i = 0; i < laptop.key_count; i++) {
        if (laptop.key[i].suite->id == HK_SUITE_ED25519) {
            assert_int_equal(hk_test_sign(&laptop, &laptop.key[i], HK_SIGN_RAW, "x", 1, signature), HK_OK);
        }
    }
    assert_int_equal(hk_test_ecdsa_ring(&laptop, &pair), HK_OK);
    assert_int_equal(hk_test_ecdsa_setup(&laptop, hk_ecdsa_key_of(&laptop), &pair), HK_OK);
    hk_ecdsa_assert_signs(&laptop, &pair);
    hk_ecdsa_service_refresh(&laptop, &pair);
    hk_ecdsa_assert_signs(&laptop, &pair);
    hk_test_device_end(&laptop);
}

/* Alone in its program: a limit that was lowered cannot be raised again. With a little it serves as always,
 * from smaller pieces; with next to nothing it says in a sentence what to set. */
static void low_limit_of_locked_memory_is_warned_about(void **state)
{
    (void)state;
    if (SANITIZED) {
        skip();
    }
    static const rlim_t limits[] = {4 << 20, 1 << 20, 512 << 10};
    if (geteuid() != 0 || getpwnam("nobody") == NULL) {
        skip();
    }
    hk_process_prepare(&service);
    service.options[0] = "--user";
    service.options[1] = "nobody";
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct rlimit small = {limits[i], limits[i]};
        assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &small), 0);
        hk_test_service_restart(&service);
        assert_non_null(strstr(hk_process_log(&service), "event=memory-not-locked"));
        assert_non_null(strstr(hk_process_log(&service), "event=locked-memory-short"));
        unsigned long locked = strtoul(hk_process_line(&service, "status", "VmLck:"), NULL, 10);
        assert_true(locked >= 4 && locked <= limits[i] >> 10); /* the secrets' own pages are */
        a_key_of_each_kind_signs_and_is_refreshed();
        assert_int_equal(hk_test_service_stop(&service), 0);
    }
    struct rlimit next_to_nothing = {8 << 10, 8 << 10};
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &next_to_nothing), 0);
    assert_int_equal(hk_process_refused(&service, (const char *const[]){"--user", "nobody", NULL}, 0), 1);
    assert_non_null(strstr(hk_process_log(&service), "ulimit -l 512"));
    hk_test_service_end(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(low_limit_of_locked_memory_is_warned_about)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Memory for secrets: wiped on every way out, not inherited by a fork, locked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "crypto/secret.h"

static void comparison_looks_at_every_byte(void **state)
{
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    assert_true(hk_equal(a, b, sizeof(a)));
    assert_true(hk_is_zero(a, sizeof(a)));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] = 1;
        assert_false(hk_equal(a, b, sizeof(a)));
        assert_false(hk_is_zero(b, sizeof(b)));
        b[i] = 0;
    }
}

static void span_is_wiped_on_every_exit(void **state)
{
    (void)state;
    uint8_t secret[32];
    for (int i = 0; i < 2; i++) {
        memset(secret, 7, sizeof(secret));
        HK_WIPE_AT_EXIT(secret);
        if (i == 0) {
            continue;
        }
        assert_int_equal(secret[0], 7);
    }
    assert_true(hk_is_zero(secret, sizeof(secret)));
    hk_wipe(NULL, 0);
}

static void long_lived_secret_is_zeroed_and_writable(void **state)
{
    (void)state;
    uint8_t *secret = hk_secret_new(10000);
    assert_non_null(secret);
    assert_true(hk_is_zero(secret, 10000));
    memset(secret, 7, 10000);
    hk_secret_free(secret);
    hk_secret_free(NULL);
    assert_null(hk_secret_new(0));
}

static void forked_child_finds_zeros(void **state)
{
    (void)state;
    uint8_t *secret = hk_secret_new(64);
    assert_non_null(secret);
    memset(secret, 7, 64);
    pid_t child = fork();
    if (child == 0) {
        _exit(hk_is_zero(secret, 64) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(secret[0], 7);
    hk_secret_free(secret);
}

static void more_than_may_be_locked_gives_null(void **state)
{
    (void)state;
    assert_null(hk_secret_new((size_t)1 << 60));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparison_looks_at_every_byte), cmocka_unit_test(span_is_wiped_on_every_exit),
        cmocka_unit_test(long_lived_secret_is_zeroed_and_writable),
        cmocka_unit_test(forked_child_finds_zeros), cmocka_unit_test(more_than_may_be_locked_gives_null)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

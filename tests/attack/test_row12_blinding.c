/* Row 12: what a service can tell from the points of agreements that it sees: nothing. The device is the real
 * halfkey, which masks every point. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/lying_service.h"
#include "tests/support/scale.h"

static struct lying_service lying;
static const struct hk_group *const group = &hk_edwards25519;
static struct halfkey_run run;
static char plain[128], sealed[128];
static uint8_t private[32]; /* of the key "old", which was whole before */
static const char u_text[] = "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c";

static int set_up(void **state)
{
    (void)state;
    char text[65];
    lying_start(&lying);
    HALFKEY_EXPECT(0, &lying.service, "init", "--service", lying.service.line, "--device", "laptop",
                   "--no-passphrase");
    HALFKEY_EXPECT(0, &lying.service, "key", "create", "mail", "--suite", "x25519");
    hk_random(private, 32);
    private[0] &= 248;
    private[31] = (uint8_t)((private[31] & 127) | 64);
    sodium_bin2hex(text, sizeof(text), private, 32);
    HALFKEY_RUN(&run, &lying.service, text, "key", "import", "old", "--suite", "x25519", "--format", "raw",
                "-");
    assert_int_equal(run.status, 0);
    (void)snprintf(plain, sizeof(plain), "%s/plain", lying.service.directory);
    (void)snprintf(sealed, sizeof(sealed), "%s/sealed", lying.service.directory);
    FILE *file = fopen(plain, "w");
    assert_non_null(file);
    assert_true(fputs("for your eyes\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    HALFKEY_EXPECT(0, &lying.service, "encrypt", "--key", "mail", plain, "-o", sealed);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lying_tell(NULL, NULL);
    HALFKEY_EXPECT(0, &lying.service, "agent", "--stop");
    lying_stop(&lying);
    return 0;
}

static void decrypt(void)
{
    HALFKEY_RUN(&run, &lying.service, NULL, "decrypt", "--key", "mail", sealed);
    assert_int_equal(run.status, 0);
    assert_string_equal(run.out, "for your eyes\n");
}

static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t (*seen)[32];
static size_t seen_count, seen_max;

static void watch(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    (void)argument, (void)outcome;
    if (job->row == NULL || job->row->op != HK_OP_AGREE) {
        return;
    }
    (void)pthread_mutex_lock(&seen_lock);
    const struct hk_value *points = &job->message.value[HK_F_POINTS];
    for (size_t i = 0; i < points->count && seen_count < seen_max; i++) {
        memcpy(seen[seen_count++], points->items[i].data, 32);
    }
    (void)pthread_mutex_unlock(&seen_lock);
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static void row12_the_service_sees_no_point_twice_for_one_ciphertext(void **state)
{
    (void)state;
    const char *arguments[262] = {"agree", "--key", "mail"};
    size_t wanted = hk_scaled(10000), batch = 200;
    seen_max = wanted + 1024;
    seen = calloc(seen_max, 32);
    assert_non_null(seen);
    lying_tell(watch, NULL);
    for (size_t i = 0; i < batch; i++) {
        arguments[3 + i] = u_text;
    }
    for (int i = 0; i < 10; i++) { /* one request each */
        decrypt();
        HALFKEY_EXPECT(0, &lying.service, "agree", "--key", "mail", u_text);
    }
    assert_int_equal(seen_count, 20);
    while (seen_count < wanted) {
        size_t before = seen_count;
        halfkey_run(&run, lying.service.directory, NULL, arguments);
        assert_int_equal(run.status, 0);
        assert_int_equal(seen_count, before + batch);
    }
    lying_tell(NULL, NULL);
    qsort(seen, seen_count, 32, compare);
    for (size_t i = 1; i < seen_count; i++) {
        assert_memory_not_equal(seen[i - 1], seen[i], 32);
    }
    hk_tried("%zu points for two ciphertexts", seen_count);
    free(seen);
}

/* With a key that was whole before there is something to compare with: X25519 itself, and the same key asked
 * for without a mask. */
static void row12_blinded_and_unblinded_agreements_are_the_same(void **state)
{
    (void)state;
    static struct hk_test_device device;
    struct hk_scalar x;
    uint8_t wide[64] = {0}, u[32], expected[32], unblinded[32];
    char text[65], expected_text[65];
    memcpy(wide, private, 32);
    group->scalar_reduce(&x, wide);
    hk_test_device_init(&device, &lying.service);
    assert_int_equal(hk_test_init(&device), HK_OK);
    assert_int_equal(hk_test_import(&device, HK_SUITE_X25519, "old", x.bytes), HK_OK);
    seen = calloc(2, 32);
    assert_non_null(seen);
    for (int i = 0; i < 20; i++) {
        struct hk_secret32 secret;
        hk_noise_keypair(&secret, u);
        seen_count = 0;
        seen_max = 2;
        lying_tell(watch, NULL);
        sodium_bin2hex(text, sizeof(text), u, 32);
        HALFKEY_RUN(&run, &lying.service, NULL, "agree", "--key", "old", text);
        assert_int_equal(run.status, 0);
        assert_int_equal(hk_test_agree(&device, hk_test_key_of(&device, HK_SUITE_X25519), u, unblinded),
                         HK_OK);
        lying_tell(NULL, NULL);
        assert_int_equal(crypto_scalarmult_curve25519(expected, private, u), 0);
        sodium_bin2hex(expected_text, sizeof(expected_text), expected, 32);
        assert_memory_equal(unblinded, expected, 32);
        assert_memory_equal(run.out, expected_text, 64);
        assert_int_equal(seen_count, 2);
        assert_memory_not_equal(seen[0], seen[1], 32); /* the one was masked, the other was not */
        hk_tried("blinded and not: %d", i);
    }
    free(seen);
    hk_test_device_end(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row12_the_service_sees_no_point_twice_for_one_ciphertext),
        cmocka_unit_test(row12_blinded_and_unblinded_agreements_are_the_same),
    };
    return HK_ATTACK_ROW_IN(12, tests, set_up, tear_down);
}

/* Row 6: a device that is killed between its commitments and its share draws new nonces for the next call,
 * and a forked process has none. The device is the real halfkey; its service looks at what comes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/cosign.h"
#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/lying_service.h"

static struct lying_service lying;

static int set_up(void **state)
{
    (void)state;
    lying_start(&lying);
    HALFKEY_EXPECT(0, &lying.service, "init", "--service", lying.service.line, "--device", "laptop",
                   "--no-passphrase");
    HALFKEY_EXPECT(0, &lying.service, "key", "create", "git", "--suite", "ed25519");
    HALFKEY_EXPECT(0, &lying.service, "agent", "--stop");
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

/* ---- every commitment that a device has shown ---- */

#define SEEN_MAX 256
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t seen[SEEN_MAX][32];
static size_t seen_count;

static void watch(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    (void)argument, (void)outcome;
    const uint8_t *nonces = hk_job_bytes(job, HK_F_NONCES);
    if (nonces == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&seen_lock);
    for (size_t i = 0; i < 2 && seen_count < SEEN_MAX; i++) {
        memcpy(seen[seen_count++], nonces + 32 * i, 32);
    }
    (void)pthread_mutex_unlock(&seen_lock);
}

/* Signs one message; `crash` is where the agent dies, or NULL. */
static int sign(const char *crash)
{
    static struct halfkey_run run;
    if (crash != NULL) {
        assert_int_equal(setenv("HK_CRASH", crash, 1), 0);
    }
    HALFKEY_RUN(&run, &lying.service, "message", "sign", "--key", "git", "--format", "raw", "-");
    assert_int_equal(unsetenv("HK_CRASH"), 0);
    return run.status;
}

static void row06_a_killed_device_draws_new_nonces(void **state)
{
    (void)state;
    static const char *const seams[] = {"sign/before", "sign/after", "client/before-send",
                                        "client/after-answer"};
    lying_tell(watch, NULL);
    for (size_t i = 0; i < sizeof(seams) / sizeof(*seams); i++) {
        for (int times = 1; times <= 3; times++) { /* also while it opens its session */
            char crash[64];
            (void)snprintf(crash, sizeof(crash), "%s:%d", seams[i], times);
            size_t before = seen_count;
            bool died = sign(crash) != 0;
            if (!died) { /* not so many passages */
                HALFKEY_EXPECT(0, &lying.service, "agent", "--stop");
                continue;
            }
            assert_int_equal(sign(NULL), 0);
            assert_int_equal(sign(NULL), 0);
            assert_true(seen_count >= before + 4);
            HALFKEY_EXPECT(0, &lying.service, "agent", "--stop");
            hk_tried("killed at %s", crash);
        }
    }
    lying_tell(NULL, NULL);
    assert_true(seen_count < SEEN_MAX);
    for (size_t i = 0; i < seen_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(seen[i], seen[j], 32);
        }
    }
    hk_tried("%zu commitments for one message", seen_count);
}

/* ---- fork ---- */

static void row06_a_forked_process_has_no_nonces(void **state)
{
    (void)state;
    struct hk_frost_nonces *nonces = hk_secret_new(sizeof(*nonces));
    struct hk_scalar d, s;
    struct hk_point public_key, service;
    uint8_t own[64], theirs[64], share[32], signature[64] = {0}, id[16] = {1};
    static const char *const who[] = {"the child", "the parent"};
    assert_non_null(nonces);
    hk_scalar_random(&hk_edwards25519, &d);
    hk_scalar_random(&hk_edwards25519, &s);
    hk_edwards25519.base_mul(&public_key, &d);
    hk_edwards25519.base_mul(&service, &s);
    hk_edwards25519.point_add(&public_key, &public_key, &service);
    struct hk_cosign run = {.suite = &hk_frost_ed25519,
                            .group_key = public_key.bytes,
                            .key_id = id,
                            .epoch = 1,
                            .request_id = id,
                            .message = "message",
                            .size = 7};
    assert_int_equal(hk_cosign_begin(nonces, own, &run, &d), HK_OK);
    assert_int_equal(hk_cosign_answer(theirs, share, &run, &s, own), HK_OK);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* wiped by the kernel: no second share under them */
        bool none = hk_is_zero(nonces, sizeof(*nonces)) &&
                    hk_cosign_finish(signature, nonces, &run, &d, &service, theirs, share) == HK_CONFLICT;
        _exit(none && hk_is_zero(signature, sizeof(signature)) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    hk_tried("a fork: %s", who[0]);
    assert_int_equal(hk_cosign_finish(signature, nonces, &run, &d, &service, theirs, share), HK_OK);
    assert_int_equal(hk_cosign_finish(signature, nonces, &run, &d, &service, theirs, share), HK_CONFLICT);
    hk_tried("a fork: %s, once", who[1]);
    hk_secret_free(nonces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row06_a_killed_device_draws_new_nonces),
        cmocka_unit_test(row06_a_forked_process_has_no_nonces),
    };
    return HK_ATTACK_ROW_IN(6, tests, set_up, tear_down);
}

/* Row 16: killed at any write of a revocation, the service starts again without quarantine, and the
 * revocation is done or can be asked for again. `make check` takes every second passage of a seam. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/scale.h"

static struct hk_test_service service;
static struct hk_test_device admin, victim;
static struct hk_test_enrolment enrolment;

static enum hk_error sign(struct hk_test_device *device)
{
    uint8_t signature[64];
    for (size_t i = 0; i < device->key_count; i++) {
        if (device->key[i].suite->id == HK_SUITE_ED25519) {
            return hk_test_sign(device, &device->key[i], HK_SIGN_RAW, "message", 7, signature);
        }
    }
    fail();
    return HK_INTERNAL;
}

static enum hk_error end_victim(void)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_REVOKE, &admin);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, enrolment.certificate, enrolment.certificate_size);
    return hk_test_call(&admin, &request, &answer);
}

static void enrol_victim(void)
{
    hk_test_device_end(&victim);
    hk_test_device_init(&victim, &service);
    assert_int_equal(hk_test_enrol(&admin, &victim, &enrolment, 0), HK_OK);
    assert_int_equal(sign(&victim), HK_OK);
}

/* Not in quarantine, the others served, and the revocation, asked again, done. */
static void assert_goes_on(const char *where)
{
    hk_test_hang_up(&admin);
    hk_test_hang_up(&victim);
    enum hk_error error = sign(&admin);
    if (error != HK_OK) {
        fail_msg("after a kill at %s: %s", where, hk_error_name(error));
    }
    error = sign(&victim);
    assert_true(error == HK_OK || error == HK_REVOKED); /* one or the other */
    assert_int_equal(end_victim(), HK_OK);
    hk_test_hang_up(&victim);
    assert_int_equal(sign(&victim), HK_REVOKED);
}

static void kill_at(const char *seam)
{
    static char crash[128];
    for (int n = 1; n < 40; n += hk_scaled(100) == 100 ? 1 : 2) {
        enrol_victim();
        (void)snprintf(crash, sizeof(crash), "%s:%d", seam, n);
        (void)hk_test_service_stop(&service);
        service.crash = crash;
        service.armed_later = true;
        hk_test_service_restart(&service);
        hk_test_hang_up(&admin);
        assert_int_equal(sign(&admin), HK_OK); /* connected, and nothing else is under way */
        hk_test_service_arm(&service);
        bool survived = end_victim() == HK_OK;
        service.crash = NULL;
        if (survived) {
            (void)hk_test_service_stop(&service);
        } else {
            assert_true(hk_test_service_died(&service));
        }
        hk_test_service_restart(&service);
        assert_goes_on(crash);
        if (survived) {
            assert_true(n > 1); /* the seam is passed at all */
            return;
        }
        hk_tried("killed during a revocation at %s", crash);
    }
    fail();
}

static void row16_a_kill_at_any_write_of_a_revocation_is_no_quarantine(void **state)
{
    (void)state;
    static const char *const seams[] = {
        "service/before-commit", "generation.i.before",   "generation.i.after",   "store.commit.before",
        "store.commit.after",    "generation.iii.before", "generation.iii.after", "slots.erase.before",
        "slots.erase.after",     "slots.header.before",   "slots.header.after",   "slots.sync.before",
        "slots.sync.after",      "service/after-commit",  "service/revoked"};
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_device_init(&admin, &service);
    hk_test_device_init(&victim, &service);
    assert_int_equal(hk_test_init(&admin), HK_OK);
    assert_int_equal(hk_test_keygen(&admin, HK_SUITE_ED25519, "git"), HK_OK);
    assert_int_equal(hk_test_put_profile(&admin, NULL), HK_OK);
    for (size_t i = 0; i < sizeof(seams) / sizeof(*seams); i++) {
        kill_at(seams[i]);
    }
    hk_test_device_end(&admin);
    hk_test_device_end(&victim);
    hk_test_service_end(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row16_a_kill_at_any_write_of_a_revocation_is_no_quarantine),
    };
    return HK_ATTACK_ROW(16, tests);
}

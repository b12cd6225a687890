/* A revocation while the device's requests are under way from many threads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/client.h"

#define THREADS 8

static struct hk_test_service service;
static struct hk_test_device laptop, phone;
static atomic_uint served;
static atomic_bool revoked;

/* Signs until it is refused; says whether it was served by a request that began after the revocation. */
static void *sign_on(void *late)
{
    struct hk_test_device mine = phone;
    uint8_t signature[64];
    mine.channel = mine.stranger = NULL;
    enum hk_error error = HK_OK;
    while (error == HK_OK) {
        bool after = atomic_load(&revoked);
        error = hk_test_sign(&mine, &mine.key[0], HK_SIGN_RAW, "message", 7, signature);
        if (error == HK_OK) {
            (void)atomic_fetch_add(&served, 1);
            *(bool *)late = *(bool *)late || after;
        } else if (error == HK_NOT_FOUND && !atomic_load(&revoked)) {
            hk_test_hang_up(&mine); /* more threads than a device has sessions: the oldest was closed */
            error = HK_OK;
        }
    }
    hk_test_hang_up(&mine);
    return NULL;
}

static uint64_t uses_of_phone(void)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_STATUS, &laptop);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    struct hk_device_row row;
    for (size_t i = 0; i < answer.value[HK_F_ROWS].count; i++) {
        const struct hk_bytes *item = &answer.value[HK_F_ROWS].items[i];
        assert_int_equal(hk_row_decode(&row, item->data, item->size), HK_OK);
        if (memcmp(row.serial, phone.serial, HK_ID_BYTES) == 0) {
            assert_int_equal(row.status, HK_STATUS_REVOKED);
            return row.uses;
        }
    }
    fail();
    return 0;
}

static void nothing_is_served_once_a_revocation_has_returned(void **state)
{
    (void)state;
    struct hk_test_enrolment enrolment;
    struct hk_message request, answer;
    pthread_t thread[THREADS];
    bool late[THREADS] = {false};
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, true);
    hk_test_device_init(&laptop, &service);
    hk_test_device_init(&phone, &service);
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 0), HK_OK);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, sign_on, &late[i]), 0);
    }
    while (atomic_load(&served) < 200) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    hk_test_request(&request, HK_OP_REVOKE, &laptop);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, enrolment.certificate, enrolment.certificate_size);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    atomic_store(&revoked, true);
    uint64_t uses = uses_of_phone();
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_false(late[i]);
    }
    assert_int_equal(uses_of_phone(), uses); /* none committed after it */
    assert_true(uses >= atomic_load(&served));
    hk_test_device_end(&laptop);
    hk_test_device_end(&phone);
    hk_test_service_end(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_served_once_a_revocation_has_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/support/ecdsa_service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"

void hk_ecdsa_service_start(struct hk_test_ecdsa_service *world, const char *const *options)
{
    memset(world, 0, sizeof(*world));
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        world->service.options[i] = options[i];
    }
    hk_test_service_start(&world->service, false);
    hk_test_device_init(&world->laptop, &world->service);
    hk_test_device_init(&world->phone, &world->service);
}

void hk_ecdsa_service_end(struct hk_test_ecdsa_service *world)
{
    hk_test_device_end(&world->laptop);
    hk_test_device_end(&world->phone);
    hk_test_service_end(&world->service);
}

struct hk_test_key *hk_ecdsa_key_of(struct hk_test_device *device)
{
    for (size_t i = 0; i < device->key_count; i++) {
        if (device->key[i].suite->id == HK_SUITE_SECP256K1_ECDSA) {
            return &device->key[i];
        }
    }
    fail();
    return NULL;
}

struct hk_test_key *hk_ecdsa_service_begin(struct hk_test_ecdsa_service *world)
{
    struct hk_test_device *laptop = &world->laptop;
    assert_int_equal(hk_test_init(laptop), HK_OK);
    assert_int_equal(hk_test_keygen(laptop, HK_SUITE_SECP256K1_ECDSA, "coins"), HK_OK);
    assert_int_equal(hk_test_put_profile(laptop, NULL), HK_OK);
    struct hk_test_key *key = hk_ecdsa_key_of(laptop);
    assert_int_equal(hk_test_ecdsa_ring(laptop, &world->run), HK_OK);
    assert_int_equal(hk_test_ecdsa_setup(laptop, key, &world->run), HK_OK);
    return key;
}

void hk_ecdsa_service_enrol(struct hk_test_ecdsa_service *world)
{
    struct hk_test_device *phone = &world->phone;
    assert_int_equal(hk_test_enrol(&world->laptop, phone, &world->enrolment, 0), HK_OK);
    assert_int_equal(hk_test_put_profile(&world->laptop, phone), HK_OK);
    assert_int_equal(hk_test_ecdsa_ring(phone, &world->other), HK_OK);
    assert_int_equal(hk_test_ecdsa_setup(phone, hk_ecdsa_key_of(phone), &world->other), HK_OK);
}

enum hk_error hk_ecdsa_service_revoke(struct hk_test_ecdsa_service *world)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_REVOKE, &world->laptop);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, world->enrolment.certificate,
                         world->enrolment.certificate_size);
    return hk_test_call(&world->laptop, &request, &answer);
}

void hk_ecdsa_service_refresh(struct hk_test_device *device, struct hk_test_ecdsa *with)
{
    static struct hk_test_epoch next;
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(device, &next), HK_OK);
    hk_test_ecdsa_shift(device, hk_ecdsa_key_of(device), &next, with);
    hk_test_hang_up(device);
    assert_int_equal(hk_test_confirm(device, &next), HK_OK);
    hk_test_adopt(device, &next);
    hk_test_ecdsa_name(device, hk_ecdsa_key_of(device), with);
}

void hk_ecdsa_assert_signs(struct hk_test_device *device, struct hk_test_ecdsa *with)
{
    assert_int_equal(hk_test_ecdsa_sign(device, hk_ecdsa_key_of(device), with), HK_OK);
    assert_int_equal(hk_ecdsa_verify(&with->pair.public_key, with->digest, with->result.signature, true),
                     HK_OK);
}

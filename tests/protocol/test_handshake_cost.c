/* What a handshake costs the service: the multiplications are counted where the library is called. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dlfcn.h>
#include <sodium.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/session.h"

static size_t multiplications;

/* In the library's place; it does the work. */
int crypto_scalarmult_curve25519(unsigned char *q, const unsigned char *n, const unsigned char *p)
{
    int (*real)(unsigned char *, const unsigned char *, const unsigned char *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "crypto_scalarmult_curve25519");
    multiplications++;
    return real(q, n, p);
}

int crypto_scalarmult_curve25519_base(unsigned char *q, const unsigned char *n)
{
    int (*real)(unsigned char *, const unsigned char *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "crypto_scalarmult_curve25519_base");
    multiplications++;
    return real(q, n);
}

static struct hk_secret32 service_key, device_key;
static uint8_t service_public[32], device_public[32];
static bool known;

static enum hk_error admit(void *argument, const uint8_t static_key[HK_NOISE_KEY_BYTES], unsigned *caller)
{
    (void)argument;
    *caller = HK_DEVICE;
    return known && memcmp(static_key, device_public, 32) == 0 ? HK_OK : HK_UNKNOWN_DEVICE;
}

/* How many multiplications the service makes of this first frame. */
static size_t cost(const uint8_t *bytes, size_t size, enum hk_error expected)
{
    struct hk_session session;
    struct hk_session_keys *keys = hk_secret_new(sizeof(*keys));
    struct hk_session_service service = {.static_key = &service_key, .admit = admit};
    struct hk_frame frame;
    uint8_t out[HK_HANDSHAKE_BYTES_MAX];
    assert_non_null(keys);
    memcpy(service.static_public, service_public, 32);
    assert_int_equal(hk_frame_parse(&frame, bytes, size), HK_OK);
    multiplications = 0;
    enum hk_error error = hk_session_accept(&session, keys, &service, &frame, out, &size);
    size_t count = multiplications;
    assert_int_equal(error, expected);
    if (error == HK_OK) {
        (void)hk_session_close(&session);
        hk_session_wipe(&session);
    }
    hk_secret_free(keys);
    return count;
}

static size_t first_frame(uint8_t out[HK_HANDSHAKE_BYTES_MAX], bool is_device)
{
    struct hk_noise noise;
    size_t size;
    assert_int_equal(hk_session_begin(&noise, is_device ? &device_key : NULL,
                                      is_device ? device_public : NULL, service_public, out, &size),
                     HK_OK);
    hk_noise_wipe(&noise);
    return size;
}

static int set_up(void **state)
{
    (void)state;
    hk_noise_keypair(&service_key, service_public);
    hk_noise_keypair(&device_key, device_public);
    return multiplications >= 2 ? 0 : 1; /* the counter counts */
}

static void unknown_key_costs_one_multiplication(void **state)
{
    (void)state;
    uint8_t frame[HK_HANDSHAKE_BYTES_MAX];
    size_t size = first_frame(frame, true);
    known = false;
    assert_int_equal(cost(frame, size, HK_UNKNOWN_DEVICE), 1);
}

static void forged_or_damaged_handshake_costs_one_multiplication(void **state)
{
    (void)state;
    uint8_t frame[HK_HANDSHAKE_BYTES_MAX];
    known = true;
    for (int is_device = 0; is_device < 2; is_device++) {
        size_t size = first_frame(frame, is_device != 0);
        for (size_t at = HK_FRAME_HEADER_BYTES; at < size; at += 7) {
            bool in_payload = is_device != 0 && at >= size - 16; /* behind the device's key: es and ss */
            frame[at] ^= 1;
            assert_true(cost(frame, size, HK_AUTH) <= (in_payload ? 2 : 1));
            frame[at] ^= 1;
        }
    }
}

static void stranger_costs_three_and_a_known_device_five(void **state)
{
    (void)state;
    uint8_t frame[HK_HANDSHAKE_BYTES_MAX];
    known = true;
    size_t size = first_frame(frame, false);
    assert_int_equal(cost(frame, size, HK_OK), 3); /* es, a key of its own, ee */
    size = first_frame(frame, true);
    assert_int_equal(cost(frame, size, HK_OK), 5); /* es, ss, a key of its own, ee, se */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_key_costs_one_multiplication),
        cmocka_unit_test(forged_or_damaged_handshake_costs_one_multiplication),
        cmocka_unit_test(stranger_costs_three_and_a_known_device_five),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

/* Both ciphers, on both sides of the length at which the library changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "protocol/aead.h"

#define SIZE_MAX_TESTED 70000

static void both_libraries_give_the_same_bytes(void **state)
{
    static const size_t sizes[] = {
        0, 1, 16, 63, 64, 65, 1000, 1023, 1024, 1025, 4096, 65536, SIZE_MAX_TESTED};
    uint8_t *text = malloc(SIZE_MAX_TESTED + 16), *out = malloc(SIZE_MAX_TESTED + 16),
            *other = malloc(SIZE_MAX_TESTED + 16), ad[26], nonce[12];
    struct hk_secret32 key;
    (void)state;
    hk_random(ad, sizeof(ad));
    hk_random(&key, sizeof(key));
    hk_random(text, SIZE_MAX_TESTED);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t ad_size = 0; ad_size <= sizeof(ad); ad_size += sizeof(ad)) {
            size_t size = sizes[i];
            hk_aead_counter_nonce(nonce, UINT64_C(0x0102030405060708) + i);
            hk_aead_seal(out, &key, nonce, ad, ad_size, text, size);
            crypto_aead_chacha20poly1305_ietf_encrypt(other, NULL, text, size, ad, ad_size, NULL, nonce,
                                                      key.bytes);
            assert_memory_equal(out, other, size + 16);
            memcpy(other, text, size);
            hk_aead_seal(other, &key, nonce, ad, ad_size, other, size); /* in place */
            assert_memory_equal(out, other, size + 16);
            assert_int_equal(hk_aead_open(other, &key, nonce, ad, ad_size, out, size + 16), HK_OK);
            assert_memory_equal(other, text, size);
            assert_int_equal(hk_aead_open(out, &key, nonce, ad, ad_size, out, size + 16), HK_OK);
            assert_memory_equal(out, text, size);
        }
    }
    free(text);
    free(out);
    free(other);
}

static void whatever_is_changed_nothing_comes_out(void **state)
{
    static const size_t sizes[] = {5, 3000};
    struct hk_secret32 key;
    uint8_t nonce[24] = {0}, ad[3] = {1, 2, 3}, text[3000], sealed[3016], out[3016];
    (void)state;
    hk_random(&key, sizeof(key));
    memset(text, 7, sizeof(text));
    for (size_t i = 0; i < 2; i++) {
        size_t size = sizes[i];
        hk_aead_seal(sealed, &key, nonce, ad, 3, text, size);
        for (size_t at = 0; at < size + 16; at += i == 0 ? 1 : 37) {
            sealed[at] ^= 0x80;
            memset(out, 0xff, sizeof(out));
            assert_int_equal(hk_aead_open(out, &key, nonce, ad, 3, sealed, size + 16), HK_AUTH);
            assert_true(hk_is_zero(out, size));
            sealed[at] ^= 0x80;
        }
        assert_int_equal(hk_aead_open(out, &key, nonce, ad, 2, sealed, size + 16), HK_AUTH);
        assert_int_equal(hk_aead_open(out, &key, nonce, ad, 3, sealed, size + 15), HK_AUTH);
        assert_int_equal(hk_aead_open(out, &key, nonce, ad, 3, sealed, 15), HK_AUTH);
        hk_aead_x_seal(sealed, &key, nonce, ad, 3, text, size);
        assert_int_equal(hk_aead_x_open(out, &key, nonce, ad, 3, sealed, size + 16), HK_OK);
        assert_memory_equal(out, text, size);
        sealed[0] ^= 1;
        assert_int_equal(hk_aead_x_open(out, &key, nonce, ad, 3, sealed, size + 16), HK_AUTH);
        assert_true(hk_is_zero(out, size));
        assert_int_equal(hk_aead_x_open(out, &key, nonce, ad, 3, sealed, 15), HK_AUTH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_libraries_give_the_same_bytes),
        cmocka_unit_test(whatever_is_changed_nothing_comes_out),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

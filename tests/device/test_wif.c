/* Wallet Import Format: the example of its description in both forms, and every slip of the pen. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "device/wif.h"

static const char plain[] = "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ";
static const char compressed[] = "KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617";
static const char private_key[] = "0c28fca386c7a227600b2fe50b7cae11ec86d3bf1fbe471be89827e19d72aa1d";

static void both_forms_give_the_private_key(void **state)
{
    (void)state;
    uint8_t expected[32];
    struct hk_secret32 key;
    char text[80];
    assert_int_equal(sodium_hex2bin(expected, 32, private_key, 64, NULL, NULL, NULL), 0);
    assert_int_equal(hk_wif_decode(&key, plain, strlen(plain)), HK_OK);
    assert_memory_equal(key.bytes, expected, 32);
    memset(&key, 0, sizeof key);
    assert_int_equal(hk_wif_decode(&key, compressed, strlen(compressed)), HK_OK);
    assert_memory_equal(key.bytes, expected, 32);
    memset(&key, 0, sizeof key);
    snprintf(text, sizeof text, " %s\r\n", plain);
    assert_int_equal(hk_wif_decode(&key, text, strlen(text)), HK_OK);
    assert_memory_equal(key.bytes, expected, 32);
}

static void every_changed_character_is_found(void **state)
{
    (void)state;
    static const char *const texts[] = {plain, compressed};
    for (size_t t = 0; t < 2; t++) {
        size_t length = strlen(texts[t]);
        for (size_t i = 0; i < length; i++) {
            struct hk_secret32 key = {{0}};
            char text[64];
            memcpy(text, texts[t], length);
            text[i] = text[i] == 'z' ? '2' : 'z';
            assert_int_not_equal(hk_wif_decode(&key, text, length), HK_OK);
            text[i] = '0'; /* no digit of base 58 */
            assert_int_equal(hk_wif_decode(&key, text, length), HK_BAD_ENCODING);
            assert_true(hk_is_zero(&key, sizeof key));
        }
        for (size_t cut = 0; cut < length; cut++) {
            struct hk_secret32 key;
            assert_int_not_equal(hk_wif_decode(&key, texts[t], cut), HK_OK);
        }
    }
}

static void a_wrong_checksum_is_told_from_another_text(void **state)
{
    (void)state;
    struct hk_secret32 key;
    char text[64];
    memcpy(text, plain, sizeof plain);
    text[50] = 'K'; /* the last digit */
    assert_int_equal(hk_wif_decode(&key, text, 51), HK_AUTH);
    static const char address[] = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";
    assert_int_equal(hk_wif_decode(&key, address, strlen(address)), HK_BAD_ENCODING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_forms_give_the_private_key),
                                       cmocka_unit_test(every_changed_character_is_found),
                                       cmocka_unit_test(a_wrong_checksum_is_told_from_another_text)};
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

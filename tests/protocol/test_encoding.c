/* Bytes as text: the vectors of RFC 4648 and BIP 173, round trips, and everything that has to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "protocol/encoding.h"

static void vectors_of_rfc_4648_hold(void **state)
{
    (void)state;
    static const char *const rows[][3] = {{"", "", ""},
                                          {"f", "MY======", "Zg=="},
                                          {"fo", "MZXQ====", "Zm8="},
                                          {"foo", "MZXW6===", "Zm9v"},
                                          {"foob", "MZXW6YQ=", "Zm9vYg=="},
                                          {"fooba", "MZXW6YTB", "Zm9vYmE="},
                                          {"foobar", "MZXW6YTBOI======", "Zm9vYmFy"}};
    for (size_t i = 0; i < 7; i++) {
        char text[32];
        uint8_t data[16];
        size_t size = 99, length = strlen(rows[i][0]);
        hk_base32_encode(text, rows[i][0], length, HK_BASE32_PADDED);
        assert_string_equal(text, rows[i][1]);
        assert_int_equal(hk_base32_decode(data, 16, &size, text, strlen(text), HK_BASE32_PADDED), HK_OK);
        assert_int_equal(size, length);
        assert_memory_equal(data, rows[i][0], length);
        hk_base64_encode(text, rows[i][0], length, HK_BASE64_PADDED);
        assert_string_equal(text, rows[i][2]);
        assert_int_equal(hk_base64_decode(data, 16, &size, text, strlen(text), HK_BASE64_PADDED), HK_OK);
        assert_int_equal(size, length);
        assert_memory_equal(data, rows[i][0], length);
    }
}

static void every_value_of_every_digit_is_read_back(void **state)
{
    (void)state;
    uint8_t data[96], back[96];
    char text[HK_HEX_SIZE(96)];
    size_t size;
    for (unsigned round = 0; round < 200; round++) {
        for (size_t length = 0; length < sizeof(data); length++) {
            hk_random(data, length);
            hk_hex_encode(text, data, length);
            assert_int_equal(hk_hex_decode(back, length, text, 2 * length), HK_OK);
            assert_memory_equal(back, data, length);
            for (int variant = HK_BASE32_PADDED; variant <= HK_BASE32_LOWER; variant++) {
                hk_base32_encode(text, data, length, (enum hk_base32)variant);
                assert_int_equal(
                    hk_base32_decode(back, length, &size, text, strlen(text), (enum hk_base32)variant),
                    HK_OK);
                assert_int_equal(size, length);
                assert_memory_equal(back, data, length);
            }
            for (int variant = HK_BASE64_PADDED; variant <= HK_BASE64_RAW; variant++) {
                hk_base64_encode(text, data, length, (enum hk_base64)variant);
                assert_int_equal(
                    hk_base64_decode(back, length, &size, text, strlen(text), (enum hk_base64)variant),
                    HK_OK);
                assert_int_equal(size, length);
                assert_memory_equal(back, data, length);
            }
        }
    }
}

/* Decodes any text in one of the variants; if that works, encoding must give the same text. */
static bool is_canonical(unsigned kind, const char *text, size_t length)
{
    uint8_t data[64];
    char again[HK_BASE32_SIZE(64)];
    size_t size = 0;
    switch (kind) {
    case 0:
    case 1:
    case 2:
        if (hk_base32_decode(data, sizeof(data), &size, text, length, (enum hk_base32)kind) != HK_OK) {
            return true;
        }
        hk_base32_encode(again, data, size, (enum hk_base32)kind);
        break;
    case 3:
    case 4:
        if (hk_base64_decode(data, sizeof(data), &size, text, length, (enum hk_base64)(kind - 3)) != HK_OK) {
            return true;
        }
        hk_base64_encode(again, data, size, (enum hk_base64)(kind - 3));
        break;
    default:
        if (hk_bech32_decode(data, sizeof(data), &size, "age", text, length) != HK_OK) {
            return true;
        }
        assert_int_equal(hk_bech32_encode(again, "age", data, size), HK_OK);
    }
    return strlen(again) == length && memcmp(again, text, length) == 0;
}

static void no_value_has_two_texts(void **state)
{
    (void)state;
    static const char letters[] = "ABCDWXYZabcdwxyz0123456789+/==-_ 1";
    for (unsigned round = 0; round < 300000; round++) {
        uint8_t random[12];
        char text[12];
        hk_random(random, sizeof(random));
        size_t length = random[0] % sizeof(text);
        for (size_t i = 0; i < length; i++) {
            text[i] = letters[random[i + 1 < 12 ? i + 1 : 0] % (sizeof(letters) - 1)];
        }
        for (unsigned kind = 0; kind < 6; kind++) {
            assert_true(is_canonical(kind, text, length));
        }
    }
}

static void wrong_texts_are_refused_and_leave_nothing_behind(void **state)
{
    (void)state;
    static const char *const base64_padded[] = {
        "Z", "Zg",       "Zg=",    "Zg===", "Zh==", "Zm9=", "Zm9v=",  "====",
        "=", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm9-", "Zm9_", "Zm9\xc3"};
    static const char *const base64_raw[] = {"Z", "Zg==", "Zh", "Zm9", "Zm9vY", "Zm9\n"};
    static const char *const base32_padded[] = {"MY",       "MY=====",  "MZ======",
                                                "MZXR====", "my======", "M1======",
                                                "MZXW6Y==", "========", "MZXW6YTBMZXW6YTB========"};
    static const char *const base32_lower[] = {"m", "mzx", "mzxw6y", "MY", "mz", "m1", "my======"};
    uint8_t data[32];
    size_t size = 77;
    for (size_t i = 0; i < sizeof(base64_padded) / sizeof(char *); i++) {
        assert_int_equal(
            hk_base64_decode(data, 32, &size, base64_padded[i], strlen(base64_padded[i]), HK_BASE64_PADDED),
            HK_BAD_ENCODING);
    }
    for (size_t i = 0; i < sizeof(base64_raw) / sizeof(char *); i++) {
        assert_int_equal(
            hk_base64_decode(data, 32, &size, base64_raw[i], strlen(base64_raw[i]), HK_BASE64_RAW),
            HK_BAD_ENCODING);
    }
    for (size_t i = 0; i < sizeof(base32_padded) / sizeof(char *); i++) {
        assert_int_equal(
            hk_base32_decode(data, 32, &size, base32_padded[i], strlen(base32_padded[i]), HK_BASE32_PADDED),
            HK_BAD_ENCODING);
    }
    for (size_t i = 0; i < sizeof(base32_lower) / sizeof(char *); i++) {
        assert_int_equal(
            hk_base32_decode(data, 32, &size, base32_lower[i], strlen(base32_lower[i]), HK_BASE32_LOWER),
            HK_BAD_ENCODING);
    }
    memset(data, 0x55, sizeof(data));
    assert_int_equal(hk_base64_decode(data, 5, &size, "Zm9vYmFy", 8, HK_BASE64_PADDED), HK_TOO_LARGE);
    assert_int_equal(hk_base32_decode(data, 5, &size, "mzxw6ytboi", 10, HK_BASE32_LOWER), HK_TOO_LARGE);
    assert_int_equal(data[0], 0x55);
    assert_int_equal(hk_base64_decode(data, 32, &size, "Zm9vYmF*", 8, HK_BASE64_PADDED), HK_BAD_ENCODING);
    assert_int_equal(data[0] | data[1] | data[2], 0);
    assert_int_equal(size, 77);
}

static void hexadecimal_is_of_exact_length_and_either_case(void **state)
{
    (void)state;
    uint8_t data[4];
    assert_int_equal(hk_hex_decode(data, 4, "00fFaB09", 8), HK_OK);
    assert_memory_equal(data, "\x00\xff\xab\x09", 4);
    assert_int_equal(hk_hex_decode(data, 4, "00ffab0", 7), HK_BAD_ENCODING);
    assert_int_equal(hk_hex_decode(data, 4, "00ffab091", 9), HK_BAD_ENCODING);
    for (int c = 1; c < 256; c++) {
        char text[2] = {'0', (char)c};
        bool is_digit = strchr("0123456789abcdefABCDEF", c) != NULL;
        assert_int_equal(hk_hex_decode(data, 1, text, 2), is_digit ? HK_OK : HK_BAD_ENCODING);
    }
}

static void known_age_texts_are_read_and_written(void **state)
{
    (void)state;
    static const char identity[] =
        "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
    static const char recipient[] = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    uint8_t data[32];
    char text[128];
    size_t size;
    assert_int_equal(hk_bech32_decode(data, 32, &size, "AGE-SECRET-KEY-", identity, strlen(identity)), HK_OK);
    assert_int_equal(size, 32);
    assert_int_equal(hk_bech32_encode(text, "AGE-SECRET-KEY-", data, size), HK_OK);
    assert_string_equal(text, identity);
    assert_int_equal(hk_bech32_decode(data, 32, &size, "age", recipient, strlen(recipient)), HK_OK);
    assert_int_equal(size, 32);
    assert_int_equal(hk_bech32_encode(text, "age", data, size), HK_OK);
    assert_string_equal(text, recipient);
}

static void checksums_of_bip_173_hold(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *text;
    } valid[] = {
        {"A", "A12UEL5L"},
        {"a", "a12uel5l"},
        {"?", "?1ezyfcl"},
        {"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
         "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs"}};
    uint8_t data[64];
    size_t size = 9;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            hk_bech32_decode(data, 64, &size, valid[i].prefix, valid[i].text, strlen(valid[i].text)), HK_OK);
        assert_int_equal(size, 0);
    }
}

static void bech32_refuses_every_single_error_and_every_truncation(void **state)
{
    (void)state;
    static const char letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7lQPZ1bio ";
    uint8_t data[32], back[32];
    char text[128], wrong[128];
    size_t size = 7;
    hk_random(data, sizeof(data));
    assert_int_equal(hk_bech32_encode(text, "age", data, sizeof(data)), HK_OK);
    size_t length = strlen(text);
    for (size_t at = 0; at < length; at++) {
        for (const char *c = letters; *c != '\0'; c++) {
            memcpy(wrong, text, length);
            wrong[at] = *c;
            if (*c != text[at]) {
                assert_int_equal(hk_bech32_decode(back, 32, &size, "age", wrong, length), HK_BAD_ENCODING);
            }
        }
        char *exact = malloc(at + 1);
        memcpy(exact, text, at);
        assert_int_equal(hk_bech32_decode(back, 32, &size, "age", exact, at), HK_BAD_ENCODING);
        free(exact);
    }
    assert_int_equal(hk_bech32_decode(back, 31, &size, "age", text, length), HK_TOO_LARGE);
    assert_int_equal(hk_bech32_decode(back, 32, &size, "AGE", text, length), HK_BAD_ENCODING);
    assert_int_equal(hk_bech32_decode(back, 32, &size, "ag", text, length), HK_BAD_ENCODING);
    assert_int_equal(hk_bech32_encode(text, "", data, 32), HK_BAD_ENCODING);
    assert_int_equal(hk_bech32_encode(text, "Age", data, 32), HK_BAD_ENCODING);
    assert_int_equal(hk_bech32_encode(text, "a e", data, 32), HK_BAD_ENCODING);
    assert_int_equal(size, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_rfc_4648_hold),
        cmocka_unit_test(every_value_of_every_digit_is_read_back),
        cmocka_unit_test(no_value_has_two_texts),
        cmocka_unit_test(wrong_texts_are_refused_and_leave_nothing_behind),
        cmocka_unit_test(hexadecimal_is_of_exact_length_and_either_case),
        cmocka_unit_test(known_age_texts_are_read_and_written),
        cmocka_unit_test(checksums_of_bip_173_hold),
        cmocka_unit_test(bech32_refuses_every_single_error_and_every_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

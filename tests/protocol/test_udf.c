/* Fingerprints: the examples of draft-hallambaker-mesh-udf-13, and the account's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/random.h"
#include "protocol/udf.h"

static const struct {
    const char *data;
    enum hk_udf_algorithm algorithm;
    uint8_t type;
    const char *text; /* 260 bits */
} examples[] = {
    {"UDF Data Value", HK_UDF_SHA2_512, 96,
     "MDDK-7N6A-727A-JZNO-STRX-XKS7-DJAF-XI6O-ZSLU-2VOA-TZQ6-JMHP-TSXP"},
    {"UDF Data Value", HK_UDF_SHA3_512, 80,
     "KCFI-NCQG-DRKG-47R7-OVPT-TCHZ-7UXY-5SCF-SMNY-BKBP-FELH-XI56-EEPY"},
    {"UDF Compressed Document 4187123", HK_UDF_SHA2_512, 97,
     "MGHB-JWIZ-J3LA-EEWD-GCT3-WX6H-C5W2-5GSW-PSUC-UIY7-SZ26-2UYQ-5TUP"},
    {"UDF Compressed Document 774665", HK_UDF_SHA3_512, 81,
     "KEJI-Y225-BDUG-XX22-MXKE-5ITF-YVYM-VQTG-KCHT-YDBR-QIB6-AHGR-AKIH"},
};

static void examples_of_the_draft_hold_at_every_precision(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct hk_udf udf;
        char text[HK_UDF_TEXT_MAX];
        assert_int_equal(hk_udf_digest(&udf, examples[i].algorithm, "text/plain", examples[i].data,
                                       strlen(examples[i].data)),
                         HK_OK);
        assert_int_equal(udf.type, examples[i].type);
        for (unsigned groups = 1; groups <= 13; groups++) {
            hk_udf_text(text, &udf, groups * 20);
            assert_int_equal(strlen(text), groups * 5 - 1);
            assert_memory_equal(text, examples[i].text, strlen(text));
        }
        hk_udf_text(text, &udf, 9999);
        assert_int_equal(strlen(text), HK_UDF_TEXT_MAX - 1);
        assert_true(hk_udf_matches(&udf, text));
    }
}

static void zero_bits_at_the_end_choose_the_type(void **state)
{
    (void)state;
    static const struct {
        unsigned zeros, step;
    } rows[] = {{0, 0},  {19, 0}, {20, 1}, {29, 1}, {30, 2}, {39, 2},
                {40, 3}, {49, 3}, {50, 4}, {70, 4}, {512, 4}};
    static const char third[] = {'A', 'E', 'I', 'M', 'Q'}; /* the type's last bits are in the second digit */
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t account[HK_ACCOUNT_BYTES];
        char text[HK_ACCOUNT_TEXT_BYTES];
        memset(account, 0xff, sizeof(account));
        for (unsigned bit = 0; bit < rows[i].zeros; bit++) {
            account[63 - bit / 8] &= (uint8_t) ~(1u << bit % 8);
        }
        hk_account_text(text, account);
        assert_int_equal(text[0], 'M');
        assert_int_equal(text[1], third[rows[i].step] + (rows[i].zeros == 512 ? 0 : 3));
    }
}

static void texts_are_compared_as_prefixes_of_at_least_a_hundred_bits(void **state)
{
    (void)state;
    struct hk_udf udf;
    assert_int_equal(hk_udf_digest(&udf, HK_UDF_SHA2_512, "text/plain", "UDF Data Value", 14), HK_OK);
    assert_true(hk_udf_matches(&udf, "MDDK-7N6A-727A-JZNO-STRX"));
    assert_true(hk_udf_matches(&udf, "mddk7n6a727ajznostrx"));
    assert_true(hk_udf_matches(&udf, "MDDK-7N6A-727A-JZNO-STRX-XKS7-DJAF"));
    assert_false(hk_udf_matches(&udf, "MDDK-7N6A-727A-JZNO-STR"));
    assert_false(hk_udf_matches(&udf, "MDDK-7N6A-727A-JZNO-STRA"));
    assert_false(hk_udf_matches(&udf, "MDDK 7N6A 727A JZNO STRX"));
    assert_false(hk_udf_matches(&udf, ""));
}

static void the_key_info_is_what_libcrypto_writes(void **state)
{
    (void)state;
    uint8_t public_key[32], ours[HK_SPKI_BYTES], *theirs = NULL;
    hk_random(public_key, sizeof(public_key));
    hk_ed25519_spki(ours, public_key);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, sizeof(public_key));
    assert_non_null(key);
    assert_int_equal(i2d_PUBKEY(key, &theirs), HK_SPKI_BYTES);
    assert_memory_equal(ours, theirs, HK_SPKI_BYTES);
    OPENSSL_free(theirs);
    EVP_PKEY_free(key);
}

static void an_account_is_named_by_its_key(void **state)
{
    (void)state;
    uint8_t public_key[32], spki[HK_SPKI_BYTES], account[HK_ACCOUNT_BYTES];
    char text[HK_ACCOUNT_TEXT_BYTES];
    struct hk_udf udf;
    hk_random(public_key, sizeof(public_key));
    hk_ed25519_spki(spki, public_key);
    hk_account_name(account, public_key);
    assert_int_equal(hk_udf_digest(&udf, HK_UDF_SHA2_512, HK_UDF_KEY_CONTENT_TYPE, spki, sizeof(spki)),
                     HK_OK);
    assert_memory_equal(account, udf.digest, sizeof(account));
    hk_account_text(text, account);
    assert_int_equal(strlen(text), 34);
    assert_true(hk_udf_matches(&udf, text));
    public_key[0] ^= 1;
    hk_account_name(account, public_key);
    hk_account_text(text, account);
    assert_false(hk_udf_matches(&udf, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_draft_hold_at_every_precision),
        cmocka_unit_test(zero_bits_at_the_end_choose_the_type),
        cmocka_unit_test(texts_are_compared_as_prefixes_of_at_least_a_hundred_bits),
        cmocka_unit_test(the_key_info_is_what_libcrypto_writes),
        cmocka_unit_test(an_account_is_named_by_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

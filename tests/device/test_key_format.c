/* Keys as text: what is taken, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "crypto/suite.h"
#include "device/key_format.h"

/* The pair of the published age files. */
#define IDENTITY "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"
#define RECIPIENT "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef"

static enum hk_error identity(struct hk_secret32 *key, const char *text)
{
    return hk_age_identity_decode(key, text, strlen(text));
}

static void an_identity_of_age_and_its_recipient_belong_together(void **state)
{
    (void)state;
    struct hk_secret32 key;
    uint8_t public[32], decoded[32];
    char text[HK_KEY_TEXT_MAX];
    assert_int_equal(identity(&key, "# created: today\n# public key: age1...\n\n" IDENTITY "\n"), HK_OK);
    crypto_scalarmult_base(public, key.bytes);
    hk_age_recipient_encode(text, public);
    assert_int_equal(hk_age_recipient_decode(decoded, text, strlen(text)), HK_OK);
    assert_memory_equal(decoded, public, 32);
    assert_string_equal(text, RECIPIENT);
}

static void other_identities_are_refused(void **state)
{
    (void)state;
    struct hk_secret32 key;
    assert_int_equal(identity(&key, ""), HK_BAD_ENCODING);
    assert_int_equal(identity(&key, "# nothing\n"), HK_BAD_ENCODING);
    assert_int_equal(identity(&key, IDENTITY "\n" IDENTITY "\n"), HK_BAD_ENCODING);
    assert_int_equal(identity(&key, RECIPIENT "\n"), HK_BAD_ENCODING);
    assert_int_equal(identity(&key, "x" IDENTITY "\n"), HK_BAD_ENCODING);
    char text[] = IDENTITY;
    text[30] = text[30] == 'Q' ? 'P' : 'Q';
    assert_int_equal(identity(&key, text), HK_BAD_ENCODING);
}

static void a_raw_key_is_bytes_or_digits(void **state)
{
    (void)state;
    struct hk_secret32 key, again;
    uint8_t bytes[33];
    char text[80];
    randombytes_buf(bytes, sizeof bytes);
    assert_int_equal(hk_raw_key_decode(&key, bytes, 32), HK_OK);
    assert_memory_equal(key.bytes, bytes, 32);
    hk_hex_encode(text, bytes, 32);
    strcat(text, "\r\n");
    assert_int_equal(hk_raw_key_decode(&again, (const uint8_t *)text, strlen(text)), HK_OK);
    assert_memory_equal(again.bytes, bytes, 32);
    assert_int_equal(hk_raw_key_decode(&key, bytes, 33), HK_BAD_ENCODING);
    assert_int_equal(hk_raw_key_decode(&key, bytes, 31), HK_BAD_ENCODING);
    assert_int_equal(hk_raw_key_decode(&key, (const uint8_t *)text, 62), HK_BAD_ENCODING);
    assert_int_equal(hk_raw_key_decode(&key, bytes, 0), HK_BAD_ENCODING);
}

static void plugin_identities_come_back(void **state)
{
    (void)state;
    struct hk_plugin_identity one = {.all = false}, two;
    char text[HK_KEY_TEXT_MAX];
    randombytes_buf(one.account, sizeof one.account);
    randombytes_buf(one.key, sizeof one.key);
    hk_plugin_identity_encode(text, &one);
    assert_memory_equal(text, "AGE-PLUGIN-HALFKEY-1", 20);
    assert_int_equal(hk_plugin_identity_decode(&two, text, strlen(text)), HK_OK);
    assert_false(two.all);
    assert_memory_equal(two.account, one.account, sizeof one.account);
    assert_memory_equal(two.key, one.key, sizeof one.key);
    one.all = true;
    hk_plugin_identity_encode(text, &one);
    assert_int_equal(hk_plugin_identity_decode(&two, text, strlen(text)), HK_OK);
    assert_true(two.all);
    assert_int_equal(hk_plugin_identity_decode(&two, IDENTITY, strlen(IDENTITY)), HK_BAD_ENCODING);
}

static void ssh_public_keys_come_back(void **state)
{
    (void)state;
    uint8_t key[32], decoded[32];
    char text[HK_KEY_TEXT_MAX], line[HK_KEY_TEXT_MAX + 64];
    randombytes_buf(key, sizeof key);
    hk_ssh_public_encode(text, key, "halfkey:work");
    assert_int_equal(hk_ssh_public_decode(decoded, text, strlen(text)), HK_OK);
    assert_memory_equal(decoded, key, 32);
    snprintf(line, sizeof line, "alice@example.org namespaces=\"git\" %s\n", text);
    assert_int_equal(hk_ssh_public_decode(decoded, line, strlen(line)), HK_OK);
    assert_int_equal(hk_ssh_public_decode(decoded, text + 1, strlen(text) - 1), HK_BAD_ENCODING);
    assert_int_equal(hk_ssh_public_decode(decoded, text, 60), HK_BAD_ENCODING);
    text[30] = text[30] == 'A' ? 'B' : 'A';
    assert_int_equal(hk_ssh_public_decode(decoded, text, strlen(text)), HK_BAD_ENCODING);
}

/* What OpenSSL reads out of a key's PEM is the key. */
static void openssl_reads_the_pem_of_every_suite(void **state)
{
    (void)state;
    static const struct {
        enum hk_suite_id suite;
        int type;
    } suites[] = {{HK_SUITE_X25519, EVP_PKEY_X25519},
                  {HK_SUITE_ED25519, EVP_PKEY_ED25519},
                  {HK_SUITE_SECP256K1_SCHNORR, EVP_PKEY_EC},
                  {HK_SUITE_SECP256K1_ECDH, EVP_PKEY_EC}};
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        const struct hk_suite *suite = hk_suite_by_id((uint64_t)suites[i].suite);
        struct hk_scalar k;
        struct hk_point point;
        uint8_t form[HK_FORM_BYTES_MAX], read[HK_FORM_BYTES_MAX] = {0};
        size_t size = sizeof read;
        char text[HK_KEY_TEXT_MAX];
        hk_scalar_random(suite->group, &k);
        suite->group->base_mul(&point, &k);
        suite->form(form, point.bytes);
        assert_int_equal(hk_pem_public_encode(text, (uint64_t)suite->id, form), HK_OK);
        BIO *bio = BIO_new_mem_buf(text, -1);
        EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
        assert_non_null(key);
        assert_int_equal(EVP_PKEY_get_base_id(key), suites[i].type);
        if (suites[i].type == EVP_PKEY_EC) { /* x, whichever form OpenSSL gives a point in */
            uint8_t whole[65];
            assert_int_equal(
                EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, whole, sizeof whole, &size), 1);
            assert_memory_equal(whole + 1, form + 1, 32);
        } else {
            assert_int_equal(EVP_PKEY_get_raw_public_key(key, read, &size), 1);
            assert_memory_equal(read, form, 32);
        }
        EVP_PKEY_free(key);
        BIO_free(bio);
    }
    char text[HK_KEY_TEXT_MAX];
    uint8_t none[33] = {2};
    assert_int_equal(hk_pem_public_encode(text, 99, none), HK_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_reads_the_pem_of_every_suite),
        cmocka_unit_test(an_identity_of_age_and_its_recipient_belong_together),
        cmocka_unit_test(other_identities_are_refused),
        cmocka_unit_test(a_raw_key_is_bytes_or_digits),
        cmocka_unit_test(plugin_identities_come_back),
        cmocka_unit_test(ssh_public_keys_come_back),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

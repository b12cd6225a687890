/* Private keys as ssh-keygen writes them, and the derivation that seals them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/openssh_key.h"
#include "protocol/encoding.h"

static char folder[64];
static struct hk_openssh_work *work;

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/halfkey-openssh-XXXXXX");
    work = hk_secret_new(sizeof *work);
    return work && mkdtemp(folder) && sodium_init() >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    hk_secret_free(work);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* ---- Blowfish and bcrypt_pbkdf ---- */

static void the_tables_are_the_digits_of_pi(void **state)
{
    (void)state;
    static struct hk_blowfish pi;
    hk_blowfish_pi(&pi);
    assert_int_equal(pi.p[0], 0x243f6a88);
    assert_int_equal(pi.p[17], 0x8979fb1b);
    assert_int_equal(pi.s[0][0], 0xd1310ba6);
    assert_int_equal(pi.s[3][255], 0x3ac372e6);
}

/* Vectors of Eric Young, as Schneier publishes them. */
static void blowfish_encrypts_as_published(void **state)
{
    (void)state;
    static const struct {
        uint8_t key[8];
        uint32_t plain[2], cipher[2];
    } vectors[] = {
        {{0}, {0, 0}, {0x4ef99745, 0x6198dd78}},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
         {0xffffffff, 0xffffffff},
         {0x51866fd5, 0xb85ecb8a}},
        {{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef},
         {0x11111111, 0x11111111},
         {0x61f9c380, 0x2281b096}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        static struct hk_blowfish cipher;
        uint32_t block[2] = {vectors[i].plain[0], vectors[i].plain[1]};
        hk_blowfish_pi(&cipher);
        hk_blowfish_expand(&cipher, vectors[i].key, 8, NULL, 0);
        hk_blowfish_encrypt(&cipher, block);
        assert_int_equal(block[0], vectors[i].cipher[0]);
        assert_int_equal(block[1], vectors[i].cipher[1]);
    }
}

/* OpenBSD's regression tests of bcrypt_pbkdf. */
static void bcrypt_pbkdf_derives_as_published(void **state)
{
    (void)state;
    static const struct {
        const char *password;
        size_t password_size;
        const char *salt;
        size_t salt_size;
        const char *key;
    } vectors[] = {
        {"password", 8, "salt", 4, "5bbf0cc293587f1c3635555c27796598d47e579071bf427e9d8fbe842aba34d9"},
        {"password", 8, "\0", 1, "c12b566235eee04c212598970a579a67"},
        {"\0", 1, "salt", 4, "6051be18c2f4f82cbf0efee5471b4bb9"},
        {"password\0", 9, "salt\0", 5, "7410e44cf4fa07bfaac8a928b1727fac001375e7bf7384370f48efd121743050"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t key[32];
        char text[HK_HEX_SIZE(32)];
        size_t size = strlen(vectors[i].key) / 2;
        assert_int_equal(hk_bcrypt_pbkdf(key, size, &work->bcrypt, vectors[i].password,
                                         vectors[i].password_size, (const uint8_t *)vectors[i].salt,
                                         vectors[i].salt_size, 4),
                         HK_OK);
        hk_hex_encode(text, key, size);
        assert_string_equal(text, vectors[i].key);
    }
}

static void sizes_and_rounds_beyond_the_limits_are_refused(void **state)
{
    (void)state;
    uint8_t key[HK_BCRYPT_KEY_MAX + 1] = {0}, salt[HK_BCRYPT_SALT_MAX + 1] = {0};
    struct hk_bcrypt_work *in = &work->bcrypt;
    assert_int_equal(hk_bcrypt_pbkdf(key, 0, in, "p", 1, salt, 16, 1), HK_BAD_ENCODING);
    assert_int_equal(hk_bcrypt_pbkdf(key, sizeof key, in, "p", 1, salt, 16, 1), HK_BAD_ENCODING);
    assert_int_equal(hk_bcrypt_pbkdf(key, 32, in, "p", 1, salt, 0, 1), HK_BAD_ENCODING);
    assert_int_equal(hk_bcrypt_pbkdf(key, 32, in, "p", 1, salt, sizeof salt, 1), HK_BAD_ENCODING);
    assert_int_equal(hk_bcrypt_pbkdf(key, 32, in, "p", 1, salt, 16, 0), HK_BAD_ENCODING);
    assert_int_equal(hk_bcrypt_pbkdf(key, 32, in, "p", 1, salt, 16, HK_BCRYPT_ROUNDS_MAX + 1),
                     HK_BAD_ENCODING);
}

/* ---- files of the real ssh-keygen ---- */

static char text[HK_KEY_FILE_MAX];

/* Makes a key, and reads its file. `more` are further arguments. */
static size_t make_key(const char *type, const char *passphrase, const char *more)
{
    char command[512], path[96];
    snprintf(path, sizeof path, "%s/key", folder);
    snprintf(command, sizeof command, "rm -f %s %s.pub; ssh-keygen -q -t %s -a 2 -N '%s' -C comment %s -f %s",
             path, path, type, passphrase, more, path);
    assert_int_equal(system(command), 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    return size;
}

/* The seed's public key is the one in the .pub file. */
static void assert_is_the_key(const struct hk_secret32 *seed)
{
    char path[96], line[512];
    uint8_t public_key[32], secret[64], wanted[32];
    snprintf(path, sizeof path, "%s/key.pub", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(hk_ssh_public_decode(wanted, line, strlen(line)), HK_OK);
    crypto_sign_seed_keypair(public_key, secret, seed->bytes);
    assert_memory_equal(public_key, wanted, 32);
}

static void a_plain_key_is_read(void **state)
{
    (void)state;
    struct hk_secret32 seed;
    size_t size = make_key("ed25519", "", "");
    assert_int_equal(hk_openssh_key_decode(&seed, work, text, size, NULL), HK_OK);
    assert_is_the_key(&seed);
    assert_true(hk_is_zero(work, sizeof *work)); /* nothing is left of it */
    assert_int_equal(hk_openssh_key_decode(&seed, work, text, size, "needless"), HK_OK);
}

static void a_sealed_key_opens_with_its_passphrase_alone(void **state)
{
    (void)state;
    static const char *const with[] = {"", "-Z aes256-cbc", "-Z aes128-ctr", "-Z aes192-cbc"};
    for (size_t i = 0; i < sizeof with / sizeof *with; i++) {
        struct hk_secret32 seed, untouched = {{1}};
        size_t size = make_key("ed25519", "correct horse", with[i]);
        seed = untouched;
        assert_int_equal(hk_openssh_key_decode(&seed, work, text, size, NULL), HK_AGENT_LOCKED);
        assert_int_equal(hk_openssh_key_decode(&seed, work, text, size, "correct horsf"), HK_BAD_PASSPHRASE);
        assert_int_equal(hk_openssh_key_decode(&seed, work, text, size, ""), HK_BAD_PASSPHRASE);
        assert_memory_equal(&seed, &untouched, sizeof seed);
        assert_true(hk_is_zero(work, sizeof *work));
        assert_int_equal(hk_openssh_key_decode(&seed, work, text, size, "correct horse"), HK_OK);
        assert_is_the_key(&seed);
    }
}

static void other_kinds_of_keys_and_ciphers_are_told_from_damage(void **state)
{
    (void)state;
    struct hk_secret32 seed;
    size_t size = make_key("ecdsa", "", "");
    assert_int_equal(hk_openssh_key_decode(&seed, work, text, size, NULL), HK_UNSUPPORTED);
    size = make_key("ed25519", "correct horse", "-Z aes256-gcm@openssh.com");
    assert_int_equal(hk_openssh_key_decode(&seed, work, text, size, "correct horse"), HK_UNSUPPORTED);
    assert_int_equal(hk_openssh_key_decode(&seed, work, "nothing", 7, NULL), HK_BAD_ENCODING);
    assert_int_equal(hk_openssh_key_decode(&seed, work, "", 0, NULL), HK_BAD_ENCODING);
}

/* One byte of the decoded file changed: never a key that is not the one of its public part. The comment alone
 * may be anything, and so may the two numbers that only have to be the same. */
static void a_changed_file_gives_no_key(void **state)
{
    (void)state;
    struct hk_secret32 seed, first;
    uint8_t blob[1024];
    char base64[HK_BASE64_SIZE(sizeof blob)], changed[2048];
    size_t size = make_key("ed25519", "", ""), length = 0, accepted = 0;
    assert_int_equal(hk_openssh_key_decode(&first, work, text, size, NULL), HK_OK);
    size_t n = 0;
    for (const char *at = strchr(text, '\n') + 1; *at != '-'; at++)
        if (*at != '\n')
            base64[n++] = *at;
    assert_int_equal(hk_base64_decode(blob, sizeof blob, &length, base64, n, HK_BASE64_PADDED), HK_OK);
    for (size_t i = 0; i < length; i++) {
        blob[i] ^= 0x01;
        hk_base64_encode(base64, blob, length, HK_BASE64_PADDED);
        snprintf(changed, sizeof changed,
                 "-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n-----END OPENSSH PRIVATE KEY-----\n", base64);
        if (hk_openssh_key_decode(&seed, work, changed, strlen(changed), NULL) == HK_OK) {
            assert_memory_equal(&seed, &first, sizeof seed);
            accepted++;
        }
        blob[i] ^= 0x01;
    }
    assert_int_equal(accepted, strlen("comment"));
}

static void a_file_that_is_cut_short_gives_no_key(void **state)
{
    (void)state;
    struct hk_secret32 seed;
    size_t size = make_key("ed25519", "", "");
    const char *end = strstr(text, "-----END");
    for (size_t cut = 0; cut + 1 < (size_t)(end - text); cut++) {
        char shorter[2048];
        snprintf(shorter, sizeof shorter, "%.*s\n%s", (int)cut, text, end);
        assert_int_not_equal(hk_openssh_key_decode(&seed, work, shorter, strlen(shorter), NULL), HK_OK);
    }
    assert_int_equal(hk_openssh_key_decode(&seed, work, text, (size_t)(end - text), NULL), HK_BAD_ENCODING);
    assert_int_equal(hk_openssh_key_decode(&seed, work, text, size, NULL), HK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_the_digits_of_pi),
        cmocka_unit_test(blowfish_encrypts_as_published),
        cmocka_unit_test(bcrypt_pbkdf_derives_as_published),
        cmocka_unit_test(sizes_and_rounds_beyond_the_limits_are_refused),
        cmocka_unit_test(a_plain_key_is_read),
        cmocka_unit_test(a_sealed_key_opens_with_its_passphrase_alone),
        cmocka_unit_test(other_kinds_of_keys_and_ciphers_are_told_from_damage),
        cmocka_unit_test(a_changed_file_gives_no_key),
        cmocka_unit_test(a_file_that_is_cut_short_gives_no_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Secret keys as stock gpg exports them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include "device/gpg_secret.h"
#include "protocol/encoding.h"
#include "tests/support/gpg_export.h"

/* gpg 2.2.40: --export-secret-keys of an ed25519 key with a cv25519 subkey, without a passphrase; and of
 * another one with the passphrase "open sesame" (agent option s2k-count 1024). */
static const char plain_hex[] =
    "9458046b0a29c916092b06010401da470f0101074068788b05e7660bd7382cdeaa85de6d00c8f64f"
    "9d4ccd42820add9d48ccfa4d760000fa03dc2b9f4f1beeca74e2096ecee9c9dfb10836e02c48bc66"
    "d56a6d099625200f0ff5b41154203c74406578616d706c652e6f72673e8890041316080038162104"
    "a33ca8dcc43bf930e4af6df91b8229bd1075605705026b0a29c9021b03050b0908070206150a0908"
    "0b020416020301021e01021780000a09101b8229bd10756057989900fe29f997f85a7ef8f0343fc9"
    "aee9dd3a5899b9f8aff8bf40ee8bd97b3cb27b873800ff5a60028978d9b648f0fc8da4daed4e8ccb"
    "019d7e0a198e70a2b8e5bc7dd1cd0e9c5d046b0a29c9120a2b06010401975501050101074052e788"
    "a2bc1829dbcacacd5e23521e0b7e05cddc7ab50471491d3ecf1796d078030108070000ff746498e5"
    "9cfd5b6a5a74ee3300e95732b183d545e7979b343322967cb97ebb20112788780418160800201621"
    "04a33ca8dcc43bf930e4af6df91b8229bd1075605705026b0a29c9021b0c000a09101b8229bd1075"
    "6057b5b800fe32229352244aaaef20ffcb4b5b0e3c4052a10b1c3aa3954e2f39c58173db122d0100"
    "b98f36ab878c8207bbf15638db51b924745bc4c7addaa048a8fe65165ff8bc00";
static const char sealed_hex[] =
    "9486046b0a32de16092b06010401da470f01010740d6b98aadcc7fcb63769414d5c4ffb47f5ca965"
    "8c0efad484e2c1b39523d1a853fe070302cbf09b6da59c174f6006b0e80bf909ad09a8e95050d700"
    "85cf4428889bd14de7eaf40b03ae8f8c9918c8635ccd558e1b41a37684b66e8c294b4dc265b316b0"
    "794f4c6fdc19bfd83c185e1baf2ff06cb41154203c74406578616d706c652e6f72673e8890041316"
    "08003816210442d55a34cc90eda8332b9256dd296a4ffc20a0d105026b0a32de021b03050b090807"
    "0206150a09080b020416020301021e01021780000a0910dd296a4ffc20a0d186a60100d2070f2d35"
    "16aeaee6a7949c74f2597106b5f4d2990039d0803fd912edad74b500ff6ee5cc524908dcd2bcbaae"
    "bf137193829a612c54a733d3b141e368d22e3ef70e9c8b046b0a32de120a2b060104019755010501"
    "0107406f26fcf2f8840a21566c81405d3c9dd465d1c64a8e1926f65c809ceb1a59d77503010807fe"
    "070302b741da382d52c78160dcb35fa8d24ce36220fc7ebfe57822b01e437be9f4d4e6bedf55b1f7"
    "9379dd7b435808870656c97a6c8f3e1970dfa0cebb2a1d8457c2ed4917b59b4771d3da1acf8e7ae0"
    "c31b887804181608002016210442d55a34cc90eda8332b9256dd296a4ffc20a0d105026b0a32de02"
    "1b0c000a0910dd296a4ffc20a0d16bd50100f7ff92bdcb4ca18a083546a5eb04a73ee8f02aa5e810"
    "36703e01654d98c30c03010097141a60609e3c8ea029612ee53589da5c5374a2fdeda785e42b7f46"
    "4ee10b0d";
static const char plain_fingerprint[] = "A33CA8DCC43BF930E4AF6DF91B8229BD10756057";
static const char sealed_fingerprint[] = "42D55A34CC90EDA8332B9256DD296A4FFC20A0D1";
static struct hk_gpg_export *export;

static int set_up(void **state)
{
    (void)state;
    export = hk_secret_new(sizeof *export);
    return export ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hk_secret_free(export);
    return 0;
}

static size_t decode(uint8_t *out, const char *hex, size_t digits)
{
    assert_int_equal(hk_hex_decode(out, digits / 2, hex, digits), HK_OK);
    return digits / 2;
}

static enum hk_error read(const uint8_t *data, size_t size, const char *passphrase)
{
    return hk_gpg_export_read(export, data, size, passphrase);
}

/* Both keys, and a certificate with the fingerprint that gpg printed. */
static void assert_is_whole(const char *fingerprint)
{
    char text[HK_FINGERPRINT_TEXT];
    struct hk_certificate certificate;
    uint8_t public[32], secret[64];
    assert_int_equal(export->count, 2);
    crypto_sign_seed_keypair(public, secret, export->keys[0].secret.bytes);
    assert_memory_equal(public, export->keys[0].key.point, 32);
    crypto_scalarmult_base(public, export->keys[1].secret.bytes);
    assert_memory_equal(public, export->keys[1].key.point, 32);
    assert_int_equal(
        hk_certificate_read(&certificate, HK_BYTES(export->certificate, export->certificate_size)), HK_OK);
    hk_fingerprint_text(text, certificate.fingerprint);
    assert_string_equal(text, fingerprint);
    assert_string_equal(certificate.user_id, "T <t@example.org>");
    assert_int_equal(certificate.subkey_count, 1);
}

static void a_plain_export_gives_its_keys_and_its_certificate(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t size = decode(bytes, plain_hex, sizeof plain_hex - 1);
    assert_int_equal(read(bytes, size, NULL), HK_OK);
    assert_is_whole(plain_fingerprint);
    assert_int_equal(export->left, 0);
}

static void a_sealed_export_needs_its_passphrase(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t size = decode(bytes, sealed_hex, sizeof sealed_hex - 1);
    assert_int_equal(read(bytes, size, NULL), HK_AGENT_LOCKED);
    assert_int_equal(read(bytes, size, "open barley"), HK_BAD_PASSPHRASE);
    assert_int_equal(read(bytes, size, ""), HK_BAD_PASSPHRASE);
    assert_true(hk_is_zero(export, sizeof *export)); /* nothing is left of a failure */
    assert_int_equal(read(bytes, size, "open sesame"), HK_OK);
    assert_is_whole(sealed_fingerprint);
}

static void armor_is_taken_off_and_its_checksum_counts(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    char text[2048];
    size_t size = decode(bytes, plain_hex, sizeof plain_hex - 1);
    hk_certificate_armor(text, HK_BYTES(bytes, size));
    assert_int_equal(read((const uint8_t *)text, strlen(text), NULL), HK_OK);
    assert_is_whole(plain_fingerprint);
    char *sum = strstr(text, "\n=") + 2;
    *sum = *sum == 'A' ? 'B' : 'A';
    assert_int_equal(read((const uint8_t *)text, strlen(text), NULL), HK_BAD_ENCODING);
    assert_int_equal(read((const uint8_t *)"hello", 5, NULL), HK_BAD_ENCODING);
    assert_int_equal(read((const uint8_t *)"", 0, NULL), HK_BAD_ENCODING);
}

static void no_byte_of_a_secret_part_can_be_changed(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t size = decode(bytes, plain_hex, sizeof plain_hex - 1), kept = 0;
    for (size_t at = 0; at < 2 + 88; at++) { /* the primary key's packet */
        bytes[at] ^= 4;
        kept += read(bytes, size, NULL) == HK_OK;
        bytes[at] ^= 4;
    }
    assert_int_equal(kept, 0);
    for (size_t cut = 0; cut < size;
         cut++) { /* a file that was cut never gives a subkey without its signature */
        enum hk_error error = read(bytes, cut, NULL);
        assert_true(error != HK_OK || export->count == 1);
    }
    /* a secret with its sum, of another key */
    memset(bytes + 2 + 54, 1, 8);
    unsigned sum = 0;
    size_t number = 2 + 51 + 1, end = 2 + 88 - 2;
    for (size_t i = number; i < end; i++)
        sum += bytes[i];
    bytes[end] = (uint8_t)(sum >> 8);
    bytes[end + 1] = (uint8_t)sum;
    assert_int_equal(read(bytes, size, NULL), HK_BAD_ENCODING);
}

/* ---- exports of our own, for what gpg's usual ones do not have ---- */

/* `cipher` and `hash` are OpenPGP's numbers; the count is the smallest. */
static void put_sealed(struct hk_test_export *parts, unsigned cipher, unsigned hash,
                       const EVP_CIPHER *algorithm, const EVP_MD *md, const char *passphrase)
{
    uint8_t body[256], plain[64], key[128], iv[16], salt[8], round[3];
    struct hk_openpgp_writer writer = {body, sizeof body, 0, false};
    size_t public = hk_openpgp_key_encode(body, &parts->key), need = (size_t)EVP_CIPHER_key_length(algorithm),
           have = 0;
    randombytes_buf(iv, 16);
    randombytes_buf(salt, 8);
    const uint8_t head[4] = {254, (uint8_t)cipher, 3, (uint8_t)hash};
    writer.size = public;
    hk_openpgp_put(&writer, head, 4);
    hk_openpgp_put(&writer, salt, 8);
    hk_openpgp_put(&writer, "", 1); /* 1024 bytes */
    hk_openpgp_put(&writer, iv, 16);
    for (size_t r = 0; have < need; r++) { /* zeros, then salt and passphrase until 1024 bytes are in */
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        uint8_t unit[64];
        size_t length = 8 + strlen(passphrase), left = 1024;
        unsigned bytes = 0;
        memset(round, 0, sizeof round);
        memcpy(unit, salt, 8);
        memcpy(unit + 8, passphrase, length - 8);
        EVP_DigestInit_ex(context, md, NULL);
        EVP_DigestUpdate(context, round, r);
        for (; left > 0; left -= left < length ? left : length)
            EVP_DigestUpdate(context, unit, left < length ? left : length);
        EVP_DigestFinal_ex(context, key + have, &bytes);
        EVP_MD_CTX_free(context);
        have += bytes;
    }
    struct hk_openpgp_writer number = {plain, sizeof plain, 0, false};
    hk_openpgp_put_mpi(&number, parts->seed, 32);
    EVP_Digest(plain, number.size, plain + number.size, NULL, EVP_sha1(), NULL);
    int length = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(context, algorithm, NULL, key, iv);
    EVP_EncryptUpdate(context, body + writer.size, &length, plain, (int)number.size + 20);
    EVP_CIPHER_CTX_free(context);
    hk_openpgp_put_packet(&parts->writer, HK_OPENPGP_SECRET_KEY, body, writer.size + (size_t)length);
}

static void every_cipher_and_hash_that_gpg_seals_with_is_opened(void **state)
{
    (void)state;
    const struct {
        unsigned cipher, hash;
        const EVP_CIPHER *algorithm;
        const EVP_MD *md;
        enum hk_error wanted;
    } rows[] = {{7, 2, EVP_aes_128_cfb128(), EVP_sha1(), HK_OK},
                {8, 2, EVP_aes_192_cfb128(), EVP_sha1(), HK_OK}, /* a key of two rounds */
                {9, 2, EVP_aes_256_cfb128(), EVP_sha1(), HK_OK},
                {9, 8, EVP_aes_256_cfb128(), EVP_sha256(), HK_OK},
                {9, 10, EVP_aes_256_cfb128(), EVP_sha512(), HK_OK},
                {7, 11, EVP_aes_128_cfb128(), EVP_sha224(), HK_OK},
                {9, 9, EVP_aes_256_cfb128(), EVP_sha384(), HK_OK},
                {3, 2, EVP_aes_128_cfb128(), EVP_sha1(), HK_UNSUPPORTED}, /* CAST5 */
                {9, 1, EVP_aes_256_cfb128(), EVP_md5(), HK_UNSUPPORTED}};
    struct hk_test_export parts;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hk_test_export_begin(&parts);
        put_sealed(&parts, rows[i].cipher, rows[i].hash, rows[i].algorithm, rows[i].md, "open sesame");
        hk_test_export_user_id(&parts, "Ann", 1700000001);
        assert_int_equal(read(parts.bytes, parts.writer.size, "open sesame"), rows[i].wanted);
        if (rows[i].wanted == HK_OK)
            assert_memory_equal(export->keys[0].secret.bytes, parts.seed, 32);
    }
}

static void what_is_revoked_or_of_others_stays_behind(void **state)
{
    (void)state;
    struct hk_test_export parts, other;
    struct hk_certificate certificate;
    hk_test_export_begin(&other);
    hk_test_export_begin(&parts);
    hk_test_export_plain(&parts);
    hk_test_export_user_id(&parts, "Revoked", 1700000001);
    hk_test_export_bare(&parts, 0x30);
    hk_test_export_user_id(&parts, "Ann", 1700000001);
    size_t before = parts.writer.size;
    hk_test_export_user_id(&other, "Ann",
                           1700000009); /* another key's signature of the same user id, without that */
    hk_openpgp_put(&parts.writer, other.bytes + 5, other.writer.size - 5);
    assert_int_equal(read(parts.bytes, parts.writer.size, NULL), HK_OK);
    assert_int_equal(
        hk_certificate_read(&certificate, HK_BYTES(export->certificate, export->certificate_size)), HK_OK);
    assert_string_equal(certificate.user_id, "Ann");
    assert_int_equal(export->left, 3);
    parts.writer.size = before;
    hk_test_export_plain(&parts); /* another one begins */
    assert_int_equal(read(parts.bytes, parts.writer.size, NULL), HK_UNSUPPORTED);
    hk_test_export_begin(&parts); /* the whole key is revoked */
    hk_test_export_plain(&parts);
    hk_test_export_bare(&parts, 0x20);
    hk_test_export_user_id(&parts, "Ann", 1700000001);
    assert_int_equal(read(parts.bytes, parts.writer.size, NULL), HK_UNSUPPORTED);
    hk_test_export_begin(&parts); /* no user id of its own */
    hk_test_export_plain(&parts);
    hk_openpgp_put(&parts.writer, other.bytes, other.writer.size);
    assert_int_equal(read(parts.bytes, parts.writer.size, NULL), HK_NOT_FOUND);
}

static void the_newest_signature_counts_and_many_user_ids_leave_room(void **state)
{
    (void)state;
    struct hk_test_export parts;
    struct hk_certificate certificate;
    hk_test_export_begin(&parts);
    hk_test_export_plain(&parts);
    hk_test_export_user_id(&parts, "Ann", 1700000005);
    size_t at = parts.writer.size;
    hk_test_export_user_id(&parts, "Ann", 1700000003); /* an older one of the same */
    memmove(parts.bytes + at, parts.bytes + at + 5, parts.writer.size - at - 5);
    parts.writer.size -= 5;
    for (int i = 0; i < 12; i++)
        hk_test_export_user_id(&parts, "Somebody else <of@a.long.example.org>", 1700000001);
    assert_int_equal(read(parts.bytes, parts.writer.size, NULL), HK_OK);
    assert_true(export->certificate_size < sizeof export->certificate - 400);
    assert_true(export->left >= 10);
    assert_int_equal(
        hk_certificate_read(&certificate, HK_BYTES(export->certificate, export->certificate_size)), HK_OK);
    struct hk_bytes rest = HK_BYTES(export->certificate, export->certificate_size), body = {0};
    struct hk_openpgp_signature signature;
    unsigned tag;
    for (int i = 0; i < 3; i++)
        assert_int_equal(hk_openpgp_next(&rest, &tag, &body), HK_OK);
    assert_int_equal(hk_openpgp_signature_decode(&signature, body), HK_OK);
    assert_int_equal(signature.created, 1700000005);
}

static void a_certificate_is_verified_when_it_is_read(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    struct hk_certificate certificate;
    size_t size = decode(bytes, plain_hex, sizeof plain_hex - 1);
    assert_int_equal(read(bytes, size, NULL), HK_OK);
    struct hk_bytes whole = HK_BYTES(export->certificate, export->certificate_size);
    assert_int_equal(hk_certificate_read(&certificate, whole), HK_OK);
    export->certificate[whole.size - 1] ^= 1; /* the subkey's binding */
    assert_int_equal(hk_certificate_read(&certificate, whole), HK_BAD_SIGNATURE);
    export->certificate[whole.size - 1] ^= 1;
    export->certificate[2 + 51 + 3] ^= 1; /* the user id */
    assert_int_equal(hk_certificate_read(&certificate, whole), HK_BAD_SIGNATURE);
    export->certificate[2 + 51 + 3] ^= 1;
    for (size_t cut = 0; cut < whole.size; cut++) { /* a subkey less is a certificate too, with what it has */
        enum hk_error error = hk_certificate_read(&certificate, HK_BYTES(whole.data, cut));
        assert_true(error != HK_OK || certificate.subkey_count == 0);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_export_gives_its_keys_and_its_certificate),
        TEST(a_sealed_export_needs_its_passphrase),
        TEST(armor_is_taken_off_and_its_checksum_counts),
        TEST(no_byte_of_a_secret_part_can_be_changed),
        TEST(every_cipher_and_hash_that_gpg_seals_with_is_opened),
        TEST(what_is_revoked_or_of_others_stays_behind),
        TEST(a_certificate_is_verified_when_it_is_read),
        TEST(the_newest_signature_counts_and_many_user_ids_leave_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

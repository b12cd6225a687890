/* OpenPGP packets: a certificate that stock gpg made, our own, and what the service agrees to sign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/encoding.h"
#include "protocol/openpgp_signature.h"

/* gpg 2.2.40: --quick-gen-key "T <t@example.org>" ed25519, --quick-add-key cv25519; fingerprint and keygrips
 * as it prints them with --with-keygrip. */
static const char stock[] = "9833046b0a29c916092b06010401da470f0101074068788b05e7660bd7382cdeaa85de6d00c8f64f"
                            "9d4ccd42820add9d48ccfa4d76b41154203c74406578616d706c652e6f72673e8890041316080038"
                            "162104a33ca8dcc43bf930e4af6df91b8229bd1075605705026b0a29c9021b03050b090807020615"
                            "0a09080b020416020301021e01021780000a09101b8229bd10756057989900fe29f997f85a7ef8f0"
                            "343fc9aee9dd3a5899b9f8aff8bf40ee8bd97b3cb27b873800ff5a60028978d9b648f0fc8da4daed"
                            "4e8ccb019d7e0a198e70a2b8e5bc7dd1cd0eb838046b0a29c9120a2b060104019755010501010740"
                            "52e788a2bc1829dbcacacd5e23521e0b7e05cddc7ab50471491d3ecf1796d0780301080788780418"
                            "16080020162104a33ca8dcc43bf930e4af6df91b8229bd1075605705026b0a29c9021b0c000a0910"
                            "1b8229bd10756057b5b800fe32229352244aaaef20ffcb4b5b0e3c4052a10b1c3aa3954e2f39c581"
                            "73db122d0100b98f36ab878c8207bbf15638db51b924745bc4c7addaa048a8fe65165ff8bc00";
static const char stock_fingerprint[] = "a33ca8dcc43bf930e4af6df91b8229bd10756057";
static const char stock_grip[2][41] = {"da767e741198f51c28ae85998c719e79967343ee",
                                       "d8e33e17ac2f5898a6c5d584505f36ce4d38f51e"};
#define STOCK_BYTES (sizeof(stock) / 2)

/* A certificate taken apart. */
struct certificate {
    struct hk_openpgp_key key[2];
    struct hk_bytes user_id;
    struct hk_openpgp_signature signature[2];
};

static void read_certificate(struct certificate *out, struct hk_bytes bytes)
{
    static const unsigned tags[] = {HK_OPENPGP_PUBLIC_KEY, HK_OPENPGP_USER_ID, HK_OPENPGP_SIGNATURE,
                                    HK_OPENPGP_PUBLIC_SUBKEY, HK_OPENPGP_SIGNATURE};
    struct hk_bytes body[5], rest = bytes;
    size_t used;
    unsigned tag;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(hk_openpgp_next(&rest, &tag, &body[i]), HK_OK);
        assert_int_equal(tag, tags[i]);
    }
    assert_int_equal(hk_openpgp_next(&rest, &tag, &body[0]), HK_NOT_FOUND);
    assert_int_equal(hk_openpgp_key_decode(&out->key[0], &used, body[0]), HK_OK);
    assert_int_equal(used, body[0].size);
    assert_int_equal(hk_openpgp_key_decode(&out->key[1], &used, body[3]), HK_OK);
    out->user_id = body[1];
    assert_int_equal(hk_openpgp_signature_decode(&out->signature[0], body[2]), HK_OK);
    assert_int_equal(hk_openpgp_signature_decode(&out->signature[1], body[4]), HK_OK);
}

static void assert_hex(const uint8_t *bytes, size_t size, const char *wanted)
{
    char text[HK_HEX_SIZE(64)];
    hk_hex_encode(text, bytes, size);
    assert_string_equal(text, wanted);
}

static void a_certificate_of_stock_gpg_has_its_fingerprint_keygrips_and_signatures(void **state)
{
    (void)state;
    uint8_t bytes[STOCK_BYTES], out[HK_OPENPGP_KEY_MAX];
    struct certificate it;
    assert_int_equal(hk_hex_decode(bytes, sizeof(bytes), stock, sizeof(stock) - 1), HK_OK);
    read_certificate(&it, HK_BYTES(bytes, sizeof(bytes)));
    hk_openpgp_fingerprint(out, &it.key[0]);
    assert_hex(out, HK_OPENPGP_FINGERPRINT_BYTES, stock_fingerprint);
    for (int i = 0; i < 2; i++) {
        hk_openpgp_keygrip(out, it.key[i].algorithm, it.key[i].point);
        assert_hex(out, HK_OPENPGP_KEYGRIP_BYTES, stock_grip[i]);
    }
    assert_int_equal(hk_openpgp_key_encode(out, &it.key[1]), 56);
    assert_memory_equal(out, bytes + 220, 56); /* as it stood there */
    assert_int_equal(it.signature[0].created, it.key[0].created);
    assert_int_equal(hk_openpgp_signature_verify(&it.signature[0], &it.key[0], &it.user_id, NULL), HK_OK);
    assert_int_equal(hk_openpgp_signature_verify(&it.signature[1], &it.key[0], NULL, &it.key[1]), HK_OK);
    /* of one for the other, of another user, by another key */
    struct hk_bytes other = HK_TEXT("U <t@example.org>");
    assert_int_equal(hk_openpgp_signature_verify(&it.signature[1], &it.key[0], &it.user_id, NULL),
                     HK_BAD_SIGNATURE);
    assert_int_equal(hk_openpgp_signature_verify(&it.signature[0], &it.key[0], &other, NULL),
                     HK_BAD_SIGNATURE);
    it.key[0].created++;
    assert_int_equal(hk_openpgp_signature_verify(&it.signature[0], &it.key[0], &it.user_id, NULL),
                     HK_BAD_SIGNATURE);
}

/* ---- our own ---- */

struct pair {
    uint8_t secret[64];
    struct hk_openpgp_key key, subkey;
};

static void make_pair(struct pair *pair)
{
    uint8_t point[32];
    crypto_sign_keypair(point, pair->secret);
    hk_openpgp_key_init(&pair->key, HK_OPENPGP_EDDSA, point, 1700000000);
    randombytes_buf(point, sizeof(point));
    hk_openpgp_key_init(&pair->subkey, HK_OPENPGP_ECDH, point, 1700000001);
}

static enum hk_error to_sign(uint8_t out[64], size_t *size, const char *namespace, struct hk_bytes message,
                             const struct pair *pair)
{
    return hk_openpgp_to_sign(out, size, HK_TEXT(namespace), message, pair->key.point, pair->key.created);
}

/* What device and service would sign together. */
static void sign_self(struct hk_openpgp_writer *writer, const struct hk_openpgp_self *self,
                      const struct pair *pair)
{
    uint8_t digest[64], signature[64];
    size_t size = 0;
    assert_int_equal(
        to_sign(digest, &size, self->namespace, HK_BYTES(self->signed_data, self->signed_size), pair), HK_OK);
    assert_int_equal(size, 64);
    crypto_sign_detached(signature, NULL, digest, size, pair->secret);
    hk_openpgp_self_finish(writer, self, signature);
}

static void our_certificate_is_read_and_verified(void **state)
{
    (void)state;
    uint8_t bytes[1024], body[HK_OPENPGP_KEY_MAX];
    struct hk_openpgp_writer writer = {bytes, sizeof(bytes), 0, false};
    struct hk_openpgp_self self;
    struct certificate it;
    struct pair pair;
    make_pair(&pair);
    hk_openpgp_put_packet(&writer, HK_OPENPGP_PUBLIC_KEY, body, hk_openpgp_key_encode(body, &pair.key));
    hk_openpgp_put_packet(&writer, HK_OPENPGP_USER_ID, "Ann <ann@example.org>", 21);
    hk_openpgp_self_user_id(&self, &pair.key, "Ann <ann@example.org>", 1700000002);
    sign_self(&writer, &self, &pair);
    hk_openpgp_put_packet(&writer, HK_OPENPGP_PUBLIC_SUBKEY, body, hk_openpgp_key_encode(body, &pair.subkey));
    hk_openpgp_self_subkey(&self, &pair.key, &pair.subkey, 1700000003);
    sign_self(&writer, &self, &pair);
    assert_false(writer.full);
    read_certificate(&it, HK_BYTES(bytes, writer.size));
    assert_int_equal(it.signature[0].type, HK_OPENPGP_SELF_CERTIFICATION);
    assert_int_equal(it.signature[0].created, 1700000002);
    assert_int_equal(hk_openpgp_signature_verify(&it.signature[0], &pair.key, &it.user_id, NULL), HK_OK);
    assert_int_equal(hk_openpgp_signature_verify(&it.signature[1], &pair.key, NULL, &pair.subkey), HK_OK);
    for (size_t at = 0; at < writer.size; at++) { /* nothing in it can be changed unseen, whatever it is */
        struct hk_bytes rest = HK_BYTES(bytes, writer.size), packet[5];
        unsigned tag;
        bool good = true;
        bytes[at] ^= 1;
        for (size_t i = 0; i < 5 && good; i++) {
            good = hk_openpgp_next(&rest, &tag, &packet[i]) == HK_OK;
        }
        size_t used;
        struct certificate changed;
        good =
            good && rest.size == 0 && hk_openpgp_key_decode(&changed.key[0], &used, packet[0]) == HK_OK &&
            used == packet[0].size && hk_openpgp_key_decode(&changed.key[1], &used, packet[3]) == HK_OK &&
            hk_openpgp_signature_decode(&changed.signature[0], packet[2]) == HK_OK &&
            hk_openpgp_signature_decode(&changed.signature[1], packet[4]) == HK_OK &&
            hk_openpgp_signature_verify(&changed.signature[0], &changed.key[0], &packet[1], NULL) == HK_OK &&
            hk_openpgp_signature_verify(&changed.signature[1], &changed.key[0], NULL, &changed.key[1]) ==
                HK_OK;
        bytes[at] ^= 1;
        const uint8_t *unhashed[2] = {
            (const uint8_t *)it.signature[0].hashed.data + it.signature[0].hashed.size,
            (const uint8_t *)it.signature[1].hashed.data + it.signature[1].hashed.size};
        bool free_to_change = false; /* the issuer's key id, and the packets' tags, which are not signed */
        for (int i = 0; i < 2; i++) {
            free_to_change =
                free_to_change || (bytes + at >= unhashed[i] + 2 && bytes + at < unhashed[i] + 12);
        }
        assert_true(!good || free_to_change);
    }
}

static void what_is_signed_must_be_what_it_is_called(void **state)
{
    (void)state;
    uint8_t out[64], digest[64] = {1}, bytes[HK_OPENPGP_SIGNED_MAX];
    size_t size = 99;
    struct hk_openpgp_self self;
    struct pair pair, other;
    make_pair(&pair);
    make_pair(&other);
    static const struct {
        const char *namespace;
        size_t size;
        enum hk_error wanted;
    } rows[] = {
        {"sha256", 32, HK_OK},           {"sha384", 48, HK_OK},           {"sha512", 64, HK_OK},
        {"sha224", 28, HK_OK},           {"sha256", 64, HK_BAD_ENCODING}, {"sha512", 32, HK_BAD_ENCODING},
        {"sha512", 0, HK_BAD_ENCODING},  {"sha1", 20, HK_BAD_ENCODING},   {"md5", 16, HK_BAD_ENCODING},
        {"rmd160", 20, HK_BAD_ENCODING}, {"", 64, HK_BAD_ENCODING},       {"none", 64, HK_BAD_ENCODING}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(to_sign(out, &size, rows[i].namespace, HK_BYTES(digest, rows[i].size), &pair),
                         rows[i].wanted);
    }
    hk_openpgp_self_user_id(&self, &pair.key, "Ann", 1700000002);
    struct hk_bytes message = HK_BYTES(self.signed_data, self.signed_size);
    assert_int_equal(to_sign(out, &size, "self-certification", message, &pair), HK_OK);
    assert_memory_equal(out, self.digest, 64);
    assert_int_equal(to_sign(out, &size, "subkey-binding", message, &pair), HK_BAD_ENCODING);
    assert_int_equal(to_sign(out, &size, "self-certification", message, &other), HK_BAD_ENCODING);
    pair.key.created++;
    assert_int_equal(to_sign(out, &size, "self-certification", message, &pair), HK_BAD_ENCODING);
    pair.key.created--;
    /* shorter, longer */
    for (size_t cut = 0; cut < message.size; cut++) {
        assert_int_equal(to_sign(out, &size, "self-certification", HK_BYTES(message.data, cut), &pair),
                         HK_BAD_ENCODING);
    }
    memcpy(bytes, message.data, message.size);
    bytes[message.size] = 0;
    assert_int_equal(to_sign(out, &size, "self-certification", HK_BYTES(bytes, message.size + 1), &pair),
                     HK_BAD_ENCODING);
    /* every other byte of it: another key, type, algorithm, hash, length, trailer; or another text, signed as
     * such */
    size_t text = 3 + 51 + 5;
    for (size_t at = 0; at < message.size; at++) {
        memcpy(bytes, message.data, message.size);
        bytes[at] ^= 0x10;
        size_t inside = self.signed_size - 6 - self.hashed_size;
        bool is_text = (at >= text && at < text + 3) || (at >= inside + 6 && at < inside + self.hashed_size);
        assert_int_equal(to_sign(out, &size, "self-certification", HK_BYTES(bytes, message.size), &pair),
                         is_text ? HK_OK : HK_BAD_ENCODING);
    }
}

static void lengths_that_lie_and_foreign_packets_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum hk_error wanted;
    } rows[] = {{"", HK_NOT_FOUND},
                {"b400", HK_OK},
                {"cd00", HK_OK},
                {"cdc000", HK_BAD_ENCODING}, /* 192 bytes that are not there */
                {"cdff00000000", HK_OK},
                {"cdffffffffff", HK_BAD_ENCODING},
                {"b5ffff", HK_BAD_ENCODING},
                {"b6ffffffff", HK_BAD_ENCODING},
                {"b700", HK_BAD_ENCODING},   /* indeterminate */
                {"cde000", HK_BAD_ENCODING}, /* partial */
                {"3400", HK_BAD_ENCODING},   /* no packet at all */
                {"b4", HK_BAD_ENCODING},
                {"b5", HK_BAD_ENCODING}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t bytes[16];
        size_t size = strlen(rows[i].hex) / 2;
        unsigned tag;
        struct hk_bytes body, rest = HK_BYTES(bytes, size);
        assert_int_equal(hk_hex_decode(bytes, size, rows[i].hex, 2 * size), HK_OK);
        assert_int_equal(hk_openpgp_next(&rest, &tag, &body), rows[i].wanted);
    }
    uint8_t body[HK_OPENPGP_KEY_MAX];
    struct pair pair;
    struct hk_openpgp_key key;
    size_t used;
    make_pair(&pair);
    size_t size = hk_openpgp_key_encode(body, &pair.key);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_not_equal(hk_openpgp_key_decode(&key, &used, HK_BYTES(body, cut)), HK_OK);
    }
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{0, 3}, {0, 5}, {5, 1}, {5, 18}, {5, 25}, {6, 10}, {7, 0x2a}, {17, 8}, {18, 0x41}};
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        uint8_t before = body[changes[i].at];
        body[changes[i].at] = changes[i].value;
        assert_int_not_equal(hk_openpgp_key_decode(&key, &used, HK_BYTES(body, size)), HK_OK);
        body[changes[i].at] = before;
    }
    assert_int_equal(hk_openpgp_key_decode(&key, &used, HK_BYTES(body, size)), HK_OK);
}

static void numbers_have_one_form(void **state)
{
    (void)state;
    uint8_t out[32], bytes[80];
    static const uint8_t zero[32], one[32] = {[31] = 1}, high[32] = {0x80};
    const uint8_t *values[] = {zero, one, high};
    static const size_t lengths[] = {2, 3, 34};
    for (size_t i = 0; i < 3; i++) {
        struct hk_openpgp_writer writer = {bytes, sizeof(bytes), 0, false};
        hk_openpgp_put_mpi(&writer, values[i], 32);
        assert_int_equal(writer.size, lengths[i]);
        struct hk_bytes rest = HK_BYTES(bytes, writer.size);
        assert_int_equal(hk_openpgp_take_mpi(&rest, out, 32), HK_OK);
        assert_int_equal(rest.size, 0);
        assert_memory_equal(out, values[i], 32);
    }
    static const uint8_t wrong[][4] = {
        {0, 2, 1, 0}, {0, 16, 0, 1}, {0, 8, 0x7f, 0}, {1, 1, 1, 0}, {0, 9, 1, 0}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct hk_bytes rest = HK_BYTES(wrong[i], i == 4 ? 3 : 4);
        assert_int_equal(hk_openpgp_take_mpi(&rest, out, 32), HK_BAD_ENCODING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_of_stock_gpg_has_its_fingerprint_keygrips_and_signatures),
        cmocka_unit_test(our_certificate_is_read_and_verified),
        cmocka_unit_test(what_is_signed_must_be_what_it_is_called),
        cmocka_unit_test(lengths_that_lie_and_foreign_packets_are_refused),
        cmocka_unit_test(numbers_have_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

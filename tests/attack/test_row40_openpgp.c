/* Row 40: a signature for OpenPGP under another name. The attacker has a device of the account whole, speaks
 * to the real service, and wants something signed that the log would not tell: a digest of a weak hash, a
 * self-signature of a key of its own, one of another type or with another creation time, or one that is cut
 * or longer than it says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "crypto/random.h"
#include "protocol/openpgp_signature.h"
#include "tests/support/attack.h"

static struct hk_attack attack;

static uint32_t earliest, latest; /* of when the account's key was made */

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    earliest = (uint32_t)time(NULL);
    hk_attack_begin(&attack, false);
    latest = (uint32_t)time(NULL);
    assert_int_equal(hk_test_keygen(&attack.laptop, HK_SUITE_SECP256K1_SCHNORR, "coins"), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&attack);
    return 0;
}

static struct hk_test_key *mail(void)
{
    return hk_test_key_of(&attack.laptop, HK_SUITE_ED25519);
}

static enum hk_error sign_with(struct hk_test_key *key, const char *namespace, const void *message,
                               size_t size)
{
    uint8_t signature[64];
    hk_watch(&attack);
    return hk_test_sign_openpgp(&attack.laptop, key, namespace, message, size, signature);
}

#define REFUSED(got, expected, ...)                                                                          \
    hk_refused(&attack, &attack.laptop, HK_OP_SIGN, got, expected, __VA_ARGS__)

static void row40_a_digest_is_of_the_hash_that_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *namespace;
        size_t bytes;
    } named[] = {{"sha224", 28}, {"sha256", 32}, {"sha384", 48}, {"sha512", 64}};
    static const size_t sizes[] = {0, 1, 16, 20, 28, 31, 32, 33, 48, 63, 64, 65, 128, 4096};
    static const char *const refused[] = {"sha1",    "md5",     "rmd160",   "none", "SHA512",
                                          "sha512 ", "sha-512", "sha3-256", "git",  "file"};
    uint8_t message[4096], signature[64];
    hk_random(message, sizeof(message));
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
        for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
            if (sizes[k] == named[i].bytes) { /* what is honest is signed */
                assert_int_equal(hk_test_sign_openpgp(&attack.laptop, mail(), named[i].namespace, message,
                                                      sizes[k], signature),
                                 HK_OK);
                assert_int_equal(
                    crypto_sign_verify_detached(signature, message, sizes[k], mail()->public_key), 0);
                hk_tried("%s of %zu bytes is signed", named[i].namespace, sizes[k]);
                continue;
            }
            REFUSED(sign_with(mail(), named[i].namespace, message, sizes[k]), HK_BAD_ENCODING,
                    "%s of %zu bytes", named[i].namespace, sizes[k]);
        }
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        REFUSED(sign_with(mail(), refused[i], message, 20), HK_BAD_ENCODING, "'%s', 20 bytes", refused[i]);
        REFUSED(sign_with(mail(), refused[i], message, 32), HK_BAD_ENCODING, "'%s', 32 bytes", refused[i]);
    }
    REFUSED(sign_with(mail(), NULL, message, 32), HK_BAD_ENCODING, "no name at all");
    /* What ssh-keygen would take for a signature in the namespace `file`: 64 bytes, as a digest by SHA-512.
     */
    static const char disguised[] = "SSHSIG\0\0\0\4file\0\0\0\0\0\0\0\6sha256\0\0\0\40"
                                    "0123456789abcdef0123456789abcdef";
    assert_int_equal(sizeof(disguised) - 1, 64);
    REFUSED(sign_with(mail(), "sha512", disguised, 64), HK_BAD_ENCODING, "an SSHSIG for a digest");
}

/* What a self-signature of this key would be over, were it the attacker's. */
static void forge(struct hk_openpgp_self *self, const uint8_t point[32], uint32_t created, bool subkey)
{
    struct hk_openpgp_key key, bound;
    uint8_t other[32];
    hk_random(other, sizeof(other));
    hk_openpgp_key_init(&key, HK_OPENPGP_EDDSA, point, created);
    hk_openpgp_key_init(&bound, HK_OPENPGP_ECDH, other, created);
    if (subkey) {
        hk_openpgp_self_subkey(self, &key, &bound, created + 1);
    } else {
        hk_openpgp_self_user_id(self, &key, "Ann <ann@example.org>", created + 1);
    }
}

static void row40_a_self_signature_is_of_the_key_that_signs(void **state)
{
    (void)state;
    uint8_t theirs[32];
    struct hk_openpgp_self self;
    hk_random(theirs, sizeof(theirs));
    for (int subkey = 0; subkey < 2; subkey++) {
        forge(&self, theirs, 1700000000, subkey != 0);
        REFUSED(sign_with(mail(), self.namespace, self.signed_data, self.signed_size), HK_BAD_ENCODING,
                "%s of another key", self.namespace);
        for (int off = -1; off <= 1; off += 2) { /* another fingerprint for the same key: centuries away */
            forge(&self, mail()->public_key, 4000000000U + (uint32_t)off, subkey != 0);
            REFUSED(sign_with(mail(), self.namespace, self.signed_data, self.signed_size), HK_BAD_ENCODING,
                    "%s with another creation time, %d", self.namespace, off);
        }
        REFUSED(sign_with(mail(), subkey != 0 ? "self-certification" : "subkey-binding", self.signed_data,
                          self.signed_size),
                HK_BAD_ENCODING, "%s as the other type", self.namespace);
        REFUSED(sign_with(mail(), "sha512", self.signed_data, self.signed_size), HK_BAD_ENCODING,
                "%s as a digest", self.namespace);
    }
}

/* The honest one of the account's key: signed for exactly one creation time, which the service knows. */
static void own_self(struct hk_openpgp_self *self)
{
    uint8_t signature[64];
    size_t count = 0;
    struct hk_openpgp_self one;
    memset(self, 0, sizeof(*self));
    for (uint32_t created = earliest; created <= latest; created++) {
        forge(&one, mail()->public_key, created, false);
        enum hk_error got = hk_test_sign_openpgp(&attack.laptop, mail(), one.namespace, one.signed_data,
                                                 one.signed_size, signature);
        /* The service has signed the digest; the client, which signs the whole, cannot put the halves
         * together. */
        if (got != HK_BAD_ENCODING) {
            *self = one;
            count++;
        }
    }
    assert_int_equal(count, 1);
    hk_tried("the right creation time, alone");
}

static void row40_what_a_self_signature_is_over_is_read_to_its_end(void **state)
{
    (void)state;
    uint8_t message[HK_OPENPGP_SIGNED_MAX];
    struct hk_openpgp_self self;
    own_self(&self);
    static const struct {
        const char *what;
        size_t at;
        uint8_t value;
    } changes[] = {{"no key in front", 0, 0x98},
                   {"a key that is longer", 2, 0xff},
                   {"a key of version 3", 3, 3},
                   {"a key of version 6", 3, 6},
                   {"an RSA key", 8, 1},
                   {"another curve", 10, 0x2c},
                   {"a photo for a user id", 54, 0xd1}};
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        memcpy(message, self.signed_data, self.signed_size);
        message[changes[i].at] = changes[i].value;
        REFUSED(sign_with(mail(), "self-certification", message, self.signed_size), HK_BAD_ENCODING, "%s",
                changes[i].what);
    }
    for (size_t size = 0; size < self.signed_size; size += 13) {
        REFUSED(sign_with(mail(), "self-certification", self.signed_data, size), HK_BAD_ENCODING,
                "cut at %zu", size);
    }
    memcpy(message, self.signed_data, self.signed_size);
    message[self.signed_size] = 0;
    REFUSED(sign_with(mail(), "self-certification", message, self.signed_size + 1), HK_BAD_ENCODING,
            "longer");
}

static void row40_no_other_key_signs_for_openpgp(void **state)
{
    (void)state;
    static const uint8_t digest[32] = {7};
    static const enum hk_suite_id suites[] = {HK_SUITE_X25519, HK_SUITE_SECP256K1_SCHNORR, HK_SUITE_ACCOUNT};
    for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
        struct hk_test_key *key = hk_test_key_of(&attack.laptop, suites[i]);
        REFUSED(sign_with(key, "sha256", digest, 32), HK_WRONG_PURPOSE, "with a key of suite %s",
                key->suite->name);
    }
    uint8_t signature[64];
    struct hk_test_key *elsewhere = mail();
    hk_watch(&attack); /* a stranger to the account asks by the key's id */
    enum hk_error got = hk_test_sign_openpgp(&attack.bystander, elsewhere, "sha256", digest, 32, signature);
    hk_refused(&attack, &attack.bystander, HK_OP_SIGN, got, HK_UNKNOWN_KEY, "another account's device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row40_a_digest_is_of_the_hash_that_is_named),
        cmocka_unit_test(row40_a_self_signature_is_of_the_key_that_signs),
        cmocka_unit_test(row40_what_a_self_signature_is_over_is_read_to_its_end),
        cmocka_unit_test(row40_no_other_key_signs_for_openpgp),
    };
    return HK_ATTACK_ROW_IN(40, tests, set_up, tear_down);
}

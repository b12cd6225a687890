/* COSE_Sign1 as accounts use it: one form, verified over the received bytes, every other one refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/cbor.h"
#include "protocol/cose.h"
#include "protocol/encoding.h"

#define TYPE "halfkey-device"

static uint8_t public_key[32], secret_key[64], account[HK_ACCOUNT_BYTES];
static uint8_t signed_object[512];
static size_t signed_size;
static const struct hk_bytes payload = {"\xa1\x01\x02", 3};

static int sign_one(void **state)
{
    (void)state;
    uint8_t seed[32], to_be_signed[512], signature[64];
    size_t size;
    memset(seed, 7, sizeof(seed));
    memset(account, 0x5a, sizeof(account));
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    if (hk_cose_to_be_signed(to_be_signed, sizeof(to_be_signed), &size, TYPE, account, payload) != HK_OK) {
        return -1;
    }
    crypto_sign_detached(signature, NULL, to_be_signed, size, secret_key);
    return hk_cose_assemble(signed_object, sizeof(signed_object), &signed_size, TYPE, account, payload,
                            signature) == HK_OK
               ? 0
               : -1;
}

static void the_bytes_are_those_of_rfc_9052(void **state)
{
    (void)state;
    uint8_t out[512];
    char hex[1024], expected[1024] = "846a5369676e617475726531" /* ["Signature1", */
                                     "5856a3013204"
                                     "5840";
    size_t size;
    for (unsigned i = 0; i < HK_ACCOUNT_BYTES; i++) {
        strcat(expected, "5a");
    }
    strcat(expected, "106e68616c666b65792d646576696365"                       /* 16: typ */
                     "581968616c666b65792f76312f68616c666b65792d646576696365" /* external_aad */
                     "43a10102");
    assert_int_equal(hk_cose_to_be_signed(out, sizeof(out), &size, TYPE, account, payload), HK_OK);
    hk_hex_encode(hex, out, size);
    assert_string_equal(hex, expected);
    hk_hex_encode(hex, signed_object, signed_size);
    assert_memory_equal(hex, "d2845856a30132045840", 20); /* 18([<<{1: -19, 4: ... */
}

static void a_signed_object_verifies_and_gives_its_parts(void **state)
{
    (void)state;
    struct hk_cose cose;
    assert_int_equal(hk_cose_verify(&cose, signed_object, signed_size, TYPE, public_key), HK_OK);
    assert_memory_equal(cose.account, account, sizeof(account));
    assert_int_equal(cose.type.size, strlen(TYPE));
    assert_memory_equal(cose.type.data, TYPE, strlen(TYPE));
    assert_int_equal(cose.payload.size, payload.size);
    assert_memory_equal(cose.payload.data, payload.data, payload.size);
    assert_int_equal(hk_cose_parse(&cose, signed_object, signed_size), HK_OK);
    assert_non_null(cose.signature);
}

static void another_type_or_another_key_does_not_verify(void **state)
{
    (void)state;
    struct hk_cose cose;
    uint8_t other[32], ignored[64];
    crypto_sign_keypair(other, ignored);
    assert_int_equal(hk_cose_verify(&cose, signed_object, signed_size, "halfkey-profile", public_key),
                     HK_BAD_SIGNATURE);
    assert_int_equal(hk_cose_verify(&cose, signed_object, signed_size, "halfkey-devic", public_key),
                     HK_BAD_SIGNATURE);
    assert_int_equal(hk_cose_verify(&cose, signed_object, signed_size, TYPE, other), HK_BAD_SIGNATURE);
    memset(other, 0, sizeof(other));
    other[0] = 1; /* the identity */
    assert_int_equal(hk_cose_verify(&cose, signed_object, signed_size, TYPE, other), HK_BAD_SIGNATURE);
}

static void every_changed_bit_and_every_truncation_is_refused(void **state)
{
    (void)state;
    struct hk_cose cose;
    uint8_t changed[513];
    for (size_t at = 0; at < signed_size; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(changed, signed_object, signed_size);
            changed[at] ^= (uint8_t)(1u << bit);
            enum hk_error error = hk_cose_verify(&cose, changed, signed_size, TYPE, public_key);
            assert_true(error == HK_BAD_SIGNATURE || error == HK_BAD_ENCODING || error == HK_UNSUPPORTED);
        }
        uint8_t *exact = malloc(at + 1);
        memcpy(exact, signed_object, at);
        enum hk_error error = hk_cose_verify(&cose, exact, at, TYPE, public_key);
        assert_int_equal(error, HK_BAD_ENCODING);
        free(exact);
    }
    memcpy(changed, signed_object, signed_size);
    changed[signed_size] = 0;
    assert_int_equal(hk_cose_verify(&cose, changed, signed_size + 1, TYPE, public_key), HK_BAD_ENCODING);
}

/* A COSE_Sign1 with this protected header and a signature of zeros. */
static enum hk_error parse_with_header(const char *hex)
{
    uint8_t header[256], object[512];
    static const uint8_t zeros[64];
    struct hk_cbor_writer writer;
    struct hk_cose cose;
    size_t size, length = strlen(hex) / 2;
    assert_int_equal(hk_hex_decode(header, length, hex, 2 * length), HK_OK);
    hk_cbor_writer_init(&writer, object, sizeof(object));
    hk_cbor_put_tag(&writer, 18);
    hk_cbor_put_array(&writer, 4);
    hk_cbor_put_bytes(&writer, header, length);
    hk_cbor_put_map(&writer, 0);
    hk_cbor_put_bytes(&writer, "x", 1);
    hk_cbor_put_bytes(&writer, zeros, 64);
    assert_int_equal(hk_cbor_writer_finish(&writer, &size), HK_OK);
    return hk_cose_parse(&cose, object, size);
}

#define KID                                                                                                  \
    "045840"                                                                                                 \
    "0000000000000000000000000000000000000000000000000000000000000000"                                       \
    "0000000000000000000000000000000000000000000000000000000000000000"

static void other_algorithms_are_refused_first(void **state)
{
    (void)state;
    assert_int_equal(parse_with_header("a30132" KID "106161"), HK_OK);
    assert_int_equal(parse_with_header("a30127" KID "106161"), HK_UNSUPPORTED);   /* EdDSA, polymorphic */
    assert_int_equal(parse_with_header("a30126" KID "106161"), HK_UNSUPPORTED);   /* ES256 */
    assert_int_equal(parse_with_header("a3013834" KID "106161"), HK_UNSUPPORTED); /* Ed448 */
    assert_int_equal(parse_with_header("a30105" KID "106161"), HK_UNSUPPORTED);   /* HMAC */
    assert_int_equal(parse_with_header("a10126"), HK_UNSUPPORTED);                /* and nothing else there */
    assert_int_equal(parse_with_header("a20127048101"), HK_UNSUPPORTED);          /* nor of the right type */
}

static void other_headers_are_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_with_header("a10132"), HK_BAD_ENCODING);
    assert_int_equal(parse_with_header("a20132" KID), HK_BAD_ENCODING);
    assert_int_equal(parse_with_header("a20132106161"), HK_BAD_ENCODING);
    assert_int_equal(parse_with_header("a2" KID "106161"), HK_BAD_ENCODING);
    assert_int_equal(parse_with_header("a40132028101" KID "106161"), HK_BAD_ENCODING); /* crit */
    assert_int_equal(parse_with_header("a30132" KID "104161"), HK_BAD_ENCODING);       /* typ as bytes */
    assert_int_equal(parse_with_header("a30132" KID "1000"), HK_BAD_ENCODING);
    assert_int_equal(parse_with_header("a3013200" KID), HK_BAD_ENCODING);
    assert_int_equal(parse_with_header("a30132" KID "10616100"), HK_BAD_ENCODING); /* trailing */
    assert_int_equal(parse_with_header("a3" KID "0132106161"), HK_BAD_ENCODING);   /* order */
    assert_int_equal(parse_with_header("a30132044100106161"), HK_BAD_ENCODING);    /* short kid */
    assert_int_equal(parse_with_header("a1613101"), HK_BAD_ENCODING);
}

static void unprotected_headers_and_other_tags_are_refused(void **state)
{
    (void)state;
    struct hk_cose cose;
    uint8_t changed[520];
    size_t unprotected = 1 + 1 + 2 + 0x56;
    assert_int_equal(signed_object[unprotected], 0xa0);
    memcpy(changed, signed_object, unprotected);
    memcpy(changed + unprotected, "\xa1\x03\x00", 3);
    memcpy(changed + unprotected + 3, signed_object + unprotected + 1, signed_size - unprotected - 1);
    assert_int_equal(hk_cose_parse(&cose, changed, signed_size + 2), HK_BAD_ENCODING);
    assert_int_equal(hk_cose_parse(&cose, signed_object + 1, signed_size - 1), HK_BAD_ENCODING); /* no tag */
    memcpy(changed, signed_object, signed_size);
    changed[0] = 0xd1; /* COSE_Mac0 */
    assert_int_equal(hk_cose_parse(&cose, changed, signed_size), HK_BAD_ENCODING);
}

static void what_is_to_be_signed_is_parsed_as_strictly(void **state)
{
    (void)state;
    uint8_t out[512], changed[513];
    struct hk_cose cose;
    size_t size;
    assert_int_equal(hk_cose_to_be_signed(out, sizeof(out), &size, TYPE, account, payload), HK_OK);
    assert_int_equal(hk_cose_parse_to_be_signed(&cose, out, size), HK_OK);
    assert_memory_equal(cose.account, account, sizeof(account));
    assert_int_equal(cose.type.size, strlen(TYPE));
    assert_int_equal(cose.payload.size, 3);
    assert_null(cose.signature);
    for (size_t at = 0; at < size; at++) {
        uint8_t *exact = malloc(at + 1);
        memcpy(exact, out, at);
        assert_int_equal(hk_cose_parse_to_be_signed(&cose, exact, at), HK_BAD_ENCODING);
        free(exact);
        memcpy(changed, out, size);
        changed[at] ^= 1;
        /* Only the kid and the payload's content may differ: another type fits no more to the external_aad.
         */
        bool is_free = (at >= 20 && at < 20 + HK_ACCOUNT_BYTES) || at >= size - 3;
        enum hk_error error = hk_cose_parse_to_be_signed(&cose, changed, size);
        assert_int_equal(error == HK_OK, is_free);
    }
    memcpy(changed, out, size);
    changed[size] = 0;
    assert_int_equal(hk_cose_parse_to_be_signed(&cose, changed, size + 1), HK_BAD_ENCODING);
    assert_int_equal(hk_cose_parse_to_be_signed(&cose, signed_object, signed_size), HK_BAD_ENCODING);
}

static void what_does_not_fit_is_too_large(void **state)
{
    (void)state;
    uint8_t out[512];
    size_t size, full, unused = 3;
    static const uint8_t signature[64];
    assert_int_equal(hk_cose_to_be_signed(out, sizeof(out), &full, TYPE, account, payload), HK_OK);
    assert_true(full <= payload.size + HK_COSE_OVERHEAD_MAX);
    for (size = 0; size < full; size++) {
        assert_int_equal(hk_cose_to_be_signed(out, size, &unused, TYPE, account, payload), HK_TOO_LARGE);
    }
    for (size = 0; size < signed_size; size++) {
        assert_int_equal(hk_cose_assemble(out, size, &unused, TYPE, account, payload, signature),
                         HK_TOO_LARGE);
    }
    assert_int_equal(hk_cose_to_be_signed(out, sizeof(out), &unused,
                                          "a-type-of-more-than-forty-bytes-is-too-long", account, payload),
                     HK_TOO_LARGE);
    assert_int_equal(unused, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_rfc_9052),
        cmocka_unit_test(a_signed_object_verifies_and_gives_its_parts),
        cmocka_unit_test(another_type_or_another_key_does_not_verify),
        cmocka_unit_test(every_changed_bit_and_every_truncation_is_refused),
        cmocka_unit_test(other_algorithms_are_refused_first),
        cmocka_unit_test(other_headers_are_refused),
        cmocka_unit_test(unprotected_headers_and_other_tags_are_refused),
        cmocka_unit_test(what_is_to_be_signed_is_parsed_as_strictly),
        cmocka_unit_test(what_does_not_fit_is_too_large),
    };
    return cmocka_run_group_tests(tests, sign_one, NULL);
}

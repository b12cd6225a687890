/* Taproot keys: the figures of BIP-341's wallet test vectors, and signs in every combination. */
#include <setjmp.h>
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/bip340.h"
#include "crypto/group_secp256k1.h"
#include "crypto/random.h"

#define GROUP (&hk_secp256k1)

static void unhex(uint8_t *out, size_t size, const char *hex)
{
    assert_int_equal(sodium_hex2bin(out, size, hex, strlen(hex), NULL, NULL, NULL), 0);
}

/* Internal key, Merkle root, tweak, output key. */
static const char *const outputs[][4] = {
    {"d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d", "",
     "b86e7be8f39bab32a6f2c0443abbc210f0edac0e2c53d501b36b64437d9c6c70",
     "53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343"},
    {"187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27",
     "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
     "cbd8679ba636c1110ea247542cfbd964131a6be84f873f7f3b62a777528ed001",
     "147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3"},
};

static void gives_the_output_keys_of_bip_341(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(outputs) / sizeof(*outputs); i++) {
        struct hk_frost_key key;
        uint8_t internal[33] = {2}, root[32], tweak[32], output[32], negated[32];
        unhex(internal + 1, 32, outputs[i][0]);
        unhex(root, 32, outputs[i][1]);
        unhex(tweak, 32, outputs[i][2]);
        unhex(output, 32, outputs[i][3]);
        struct hk_bytes merkle = HK_BYTES(root, strlen(outputs[i][1]) / 2);
        assert_int_equal(hk_bip340_signing_key(&key, internal, &merkle), HK_OK);
        assert_memory_equal(key.group_key + 1, output, 32);
        struct hk_scalar t;
        hk_secp256k1_negate_if(&t, &key.tweak, key.negated); /* the internal key is even: g is t's sign */
        memcpy(negated, t.bytes, 32);
        assert_memory_equal(negated, tweak, 32);
    }
}

/* g * x + t is the logarithm of the key that is signed under, whatever is odd; the library's own tweak
 * agrees. */
static void private_key_behind_a_signature_is_as_the_header_says(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (int i = 0; i < 200; i++) {
        struct hk_scalar x, y;
        struct hk_point public, even, point;
        struct hk_frost_key plain, key;
        uint8_t root[32], digest[32], output[32];
        secp256k1_xonly_pubkey internal, xonly;
        secp256k1_pubkey tweaked;
        hk_scalar_random(GROUP, &x);
        hk_random(root, sizeof(root));
        GROUP->base_mul(&public, &x);
        assert_int_equal(hk_bip340_signing_key(&plain, public.bytes, NULL), HK_OK);
        assert_int_equal(plain.negated, hk_secp256k1_has_odd_y(&public));
        assert_int_equal(hk_bip340_signing_key(&key, public.bytes, &HK_BYTES(root, 32)), HK_OK);
        hk_secp256k1_negate_if(&y, &x, key.negated);
        GROUP->scalar_add(&y, &y, &key.tweak);
        GROUP->base_mul(&point, &y);
        assert_memory_equal(point.bytes, key.group_key, 33);
        assert_int_equal(key.group_key[0], 2);
        even = public;
        (void)hk_frost_make_even(&even, &hk_frost_bip340);
        hk_bip340_hash(digest, "TapTweak",
                       (struct hk_bytes[]){HK_BYTES(even.bytes + 1, 32), HK_BYTES(root, 32)}, 2);
        assert_int_equal(secp256k1_xonly_pubkey_parse(secp256k1_context_static, &internal, even.bytes + 1),
                         1);
        assert_int_equal(
            secp256k1_xonly_pubkey_tweak_add(secp256k1_context_static, &tweaked, &internal, digest), 1);
        assert_int_equal(secp256k1_xonly_pubkey_from_pubkey(secp256k1_context_static, &xonly, NULL, &tweaked),
                         1);
        assert_int_equal(secp256k1_xonly_pubkey_serialize(secp256k1_context_static, output, &xonly), 1);
        assert_memory_equal(output, key.group_key + 1, 32);
        seen |= 1U << (2 * plain.negated + key.negated);
    }
    assert_int_equal(seen, 15); /* both signs of both */
}

static void roots_of_other_lengths_and_keys_that_are_none_are_refused(void **state)
{
    (void)state;
    struct hk_frost_key key, before;
    struct hk_scalar x;
    struct hk_point public;
    uint8_t root[64] = {0}, bad[33] = {2};
    hk_scalar_random(GROUP, &x);
    GROUP->base_mul(&public, &x);
    memset(&key, 7, sizeof(key));
    before = key;
    for (size_t size = 0; size <= 64; size++) {
        if (size != 0 && size != 32) {
            assert_int_equal(hk_bip340_signing_key(&key, public.bytes, &HK_BYTES(root, size)),
                             HK_BAD_ENCODING);
        }
    }
    assert_int_equal(hk_bip340_signing_key(&key, bad, NULL), HK_BAD_POINT);
    assert_memory_equal(&key, &before, sizeof(key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_output_keys_of_bip_341),
        cmocka_unit_test(private_key_behind_a_signature_is_as_the_header_says),
        cmocka_unit_test(roots_of_other_lengths_and_keys_that_are_none_are_refused)};
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

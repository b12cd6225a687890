/* H: the bytes that go in are the documented ones, and different lists never give the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/hash.h"
#include "crypto/random.h"

static void hash_is_sha512_of_the_documented_bytes(void **state)
{
    (void)state;
    static const uint8_t written[] = "\x14halfkey/v1/join/gate\0\0\0\x02\0\0\0\x03"
                                     "abc\0\0\0\x08\0\0\0\0\0\0\x01\x02";
    uint8_t expected[HK_HASH_BYTES], got[HK_HASH_BYTES], at_once[HK_HASH_BYTES], name[HK_NAME_BYTES];
    struct hk_hash hash;
    crypto_hash_sha512(expected, written, sizeof(written) - 1);
    hk_hash_init(&hash, "join/gate", 2);
    hk_hash_add(&hash, "abc", 3);
    hk_hash_add_u64(&hash, 0x102);
    hk_hash_final(&hash, got);
    assert_memory_equal(got, expected, HK_HASH_BYTES);
    struct hk_bytes list[] = {HK_TEXT("abc"), HK_BYTES("\0\0\0\0\0\0\x01\x02", 8)};
    hk_hash_list(at_once, "join/gate", 2, list);
    assert_memory_equal(at_once, expected, HK_HASH_BYTES);
    hk_hash_name(name, "join/gate", 2, list);
    assert_memory_equal(name, expected, HK_NAME_BYTES);
}

/* Repeated and shifted inputs that hash alike under a plain concatenation (TSSHOCK) do not here. */
static void lists_that_concatenate_alike_hash_apart(void **state)
{
    (void)state;
    struct hk_bytes lists[][3] = {{HK_TEXT("ab"), HK_TEXT("c"), HK_TEXT("")},
                                  {HK_TEXT("a"), HK_TEXT("bc"), HK_TEXT("")},
                                  {HK_TEXT("abc"), HK_TEXT(""), HK_TEXT("")},
                                  {HK_TEXT(""), HK_TEXT("abc"), HK_TEXT("")}};
    uint8_t digests[9][HK_HASH_BYTES];
    size_t count = 0;
    for (size_t i = 0; i < 4; i++) {
        hk_hash_list(digests[count++], "x", 3, lists[i]);
        hk_hash_list(digests[count++], "x", 2, lists[i]);
    }
    hk_hash_list(digests[count++], "xa", 3, lists[1]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(digests[i], digests[j], HK_HASH_BYTES);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hash_is_sha512_of_the_documented_bytes),
                                       cmocka_unit_test(lists_that_concatenate_alike_hash_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

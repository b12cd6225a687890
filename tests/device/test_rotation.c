/* The link between an old key and the one in its place: the text, the attachment, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "device/rotation.h"

static struct hk_rotation a_link(enum hk_suite_id suite)
{
    struct hk_rotation link = {.old_suite = hk_suite_by_id((uint64_t)suite), .old_id = {7}};
    link.is_signed = hk_rotation_can_sign(link.old_suite);
    memset(link.old_public, 0xab, link.old_suite->form_bytes);
    memset(link.signature, link.is_signed ? 0xcd : 0, sizeof(link.signature));
    return link;
}

static void the_statement_is_five_lines_of_ascii(void **state)
{
    (void)state;
    struct hk_rotation link = a_link(HK_SUITE_ED25519);
    struct hk_profile_key key = {.suite = HK_SUITE_ED25519, .created = 1700000000};
    char text[HK_ROTATION_TEXT_MAX], expected[HK_ROTATION_TEXT_MAX], digits[129], point[65];
    uint8_t account[HK_ACCOUNT_BYTES];
    memset(account, 0x11, sizeof(account));
    memset(digits, '1', 128);
    digits[128] = '\0';
    memset(point, '0', 64);
    point[64] = '\0';
    memcpy(point, "01", 2);
    key.public_key[0] = 1;
    for (size_t i = 0; i < 64; i += 2) {
        memcpy(expected + i, "ab", 2);
    }
    char old[65];
    memcpy(old, expected, 64);
    old[64] = '\0';
    (void)snprintf(expected, sizeof(expected),
                   "halfkey rotation v1\naccount %s\nold ed25519 %s\nnew ed25519 %s\ntime 1700000000\n",
                   digits, old, point);
    assert_int_equal(hk_rotation_text(text, &link, account, &key), strlen(expected));
    assert_string_equal(text, expected);
}

static void every_suite_is_read_back_as_it_was_written(void **state)
{
    (void)state;
    size_t tried = 0;
    for (size_t i = 0; hk_suite_at(i) != NULL; i++) {
        uint8_t encoded[HK_ROTATION_ENCODED_MAX];
        size_t size;
        if (hk_suite_at(i)->purpose == HK_PURPOSE_ACCOUNT) {
            continue;
        }
        struct hk_rotation link = a_link(hk_suite_at(i)->id), read;
        assert_int_equal(hk_rotation_encode(&link, encoded, &size), HK_OK);
        assert_int_equal(hk_rotation_decode(&read, HK_BYTES(encoded, size)), HK_OK);
        assert_memory_equal(&read, &link, sizeof(link));
        tried++;
    }
    assert_true(tried >= 5);
}

static void a_link_is_found_among_the_attachments_of_a_key(void **state)
{
    (void)state;
    struct hk_rotation link = a_link(HK_SUITE_ED25519), read;
    uint8_t encoded[HK_ROTATION_ENCODED_MAX], map[512];
    size_t size;
    struct hk_profile_key key = {.suite = HK_SUITE_ED25519};
    assert_int_equal(hk_rotation_of(&read, &key), HK_NOT_FOUND);
    assert_int_equal(hk_rotation_encode(&link, encoded, &size), HK_OK);
    struct hk_attachment list[] = {
        {HK_BYTES((const uint8_t *)"note", 4), HK_BYTES((const uint8_t *)"x", 1)},
        {HK_BYTES((const uint8_t *)HK_ROTATION_ATTACHMENT, strlen(HK_ROTATION_ATTACHMENT)),
         HK_BYTES(encoded, size)},
    };
    size_t length;
    assert_int_equal(hk_attachments_encode(list, 1, map, sizeof(map), &length), HK_OK);
    key.attachments = HK_BYTES(map, length);
    assert_int_equal(hk_rotation_of(&read, &key), HK_NOT_FOUND);
    assert_int_equal(hk_attachments_encode(list, 2, map, sizeof(map), &length), HK_OK);
    key.attachments = HK_BYTES(map, length);
    assert_int_equal(hk_rotation_of(&read, &key), HK_OK);
    assert_memory_equal(&read, &link, sizeof(link));
}

static void what_is_no_link_is_refused(void **state)
{
    (void)state;
    uint8_t encoded[HK_ROTATION_ENCODED_MAX];
    size_t size;
    struct hk_rotation link = a_link(HK_SUITE_ED25519), read;
    link.is_signed = false; /* a key that can sign has to */
    assert_int_equal(hk_rotation_encode(&link, encoded, &size), HK_OK);
    assert_int_equal(hk_rotation_decode(&read, HK_BYTES(encoded, size)), HK_BAD_ENCODING);
    link = a_link(HK_SUITE_X25519);
    link.is_signed = true; /* and one that cannot, cannot */
    assert_int_equal(hk_rotation_encode(&link, encoded, &size), HK_OK);
    assert_int_equal(hk_rotation_decode(&read, HK_BYTES(encoded, size)), HK_BAD_ENCODING);
    link = a_link(HK_SUITE_SECP256K1_SCHNORR);
    assert_int_equal(hk_rotation_encode(&link, encoded, &size), HK_OK);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(hk_rotation_decode(&read, HK_BYTES(encoded, cut)), HK_BAD_ENCODING);
    }
    encoded[size] = 0;
    assert_int_equal(hk_rotation_decode(&read, HK_BYTES(encoded, size + 1)), HK_BAD_ENCODING);
    link.old_suite = hk_suite_by_id(HK_SUITE_ACCOUNT);
    assert_int_equal(hk_rotation_encode(&link, encoded, &size), HK_OK);
    assert_int_equal(hk_rotation_decode(&read, HK_BYTES(encoded, size)), HK_BAD_ENCODING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_statement_is_five_lines_of_ascii),
        cmocka_unit_test(every_suite_is_read_back_as_it_was_written),
        cmocka_unit_test(a_link_is_found_among_the_attachments_of_a_key),
        cmocka_unit_test(what_is_no_link_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

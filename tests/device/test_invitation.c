/* Invitations' codes: round trips, every character changed, and what is made of the secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "device/invitation.h"
#include "protocol/address.h"

static struct hk_invitation made;
static char code[HK_INVITATION_TEXT_MAX];

static int set_up(void **state)
{
    (void)state;
    uint8_t account[HK_ACCOUNT_BYTES], administrator[32], service[32];
    char address[HK_ADDRESS_MAX + 1];
    hk_random(account, sizeof(account));
    hk_random(administrator, sizeof(administrator));
    hk_random(service, sizeof(service));
    if (hk_address_print(address, "tcp://keys.example.org:7700", service) != HK_OK ||
        hk_invitation_make(&made, address, account, administrator, 1790000000) != HK_OK) {
        return -1;
    }
    return hk_invitation_print(code, &made) == HK_OK ? 0 : -1;
}

static void a_code_reads_back_as_what_it_was_made_of(void **state)
{
    (void)state;
    struct hk_invitation read;
    memset(&read, 0, sizeof(read));
    assert_int_equal(hk_invitation_parse(&read, code, NULL), HK_OK);
    assert_memory_equal(&read, &made, sizeof(made));
    assert_int_equal(strncmp(code, "halfkey-join:", 13), 0);
    assert_null(strpbrk(code, " \n\t"));
}

static void space_around_a_code_does_not_matter(void **state)
{
    (void)state;
    char padded[HK_INVITATION_TEXT_MAX + 8];
    snprintf(padded, sizeof(padded), "  %s\r\n", code);
    struct hk_invitation read;
    assert_int_equal(hk_invitation_parse(&read, padded, NULL), HK_OK);
}

static void any_changed_missing_or_added_character_is_refused(void **state)
{
    (void)state;
    char wrong[HK_INVITATION_TEXT_MAX];
    size_t length = strlen(code);
    struct hk_invitation read, before;
    hk_random(&read, sizeof(read));
    before = read;
    for (size_t i = 0; i < length; i++) {
        memcpy(wrong, code, length + 1);
        wrong[i] = wrong[i] == 'b' ? 'c' : 'b';
        assert_int_equal(hk_invitation_parse(&read, wrong, NULL), HK_BAD_ENCODING);
        memcpy(wrong, code, length + 1);
        memmove(wrong + i, wrong + i + 1, length - i);
        assert_int_equal(hk_invitation_parse(&read, wrong, NULL), HK_BAD_ENCODING);
        memcpy(wrong, code, i);
        wrong[i] = '\0';
        assert_int_equal(hk_invitation_parse(&read, wrong, NULL), HK_BAD_ENCODING);
    }
    snprintf(wrong, sizeof(wrong), "%sa", code);
    assert_int_equal(hk_invitation_parse(&read, wrong, NULL), HK_BAD_ENCODING);
    assert_memory_equal(&read, &before, sizeof(read));
}

static void a_refusal_comes_with_a_sentence(void **state)
{
    (void)state;
    struct hk_invitation read;
    const char *reason = NULL;
    assert_int_equal(hk_invitation_parse(&read, "halfkey://not-a-code", &reason), HK_BAD_ENCODING);
    assert_non_null(strstr(reason, "halfkey-join:"));
    static char endless[4 * HK_INVITATION_TEXT_MAX];
    memset(endless, 'a', sizeof(endless) - 1);
    memcpy(endless, HK_INVITATION_PREFIX, strlen(HK_INVITATION_PREFIX));
    assert_int_equal(hk_invitation_parse(&read, endless, &reason), HK_BAD_ENCODING);
    assert_int_equal(hk_invitation_parse(&read, "", &reason), HK_BAD_ENCODING);
}

static void an_address_too_long_for_a_code_is_refused(void **state)
{
    (void)state;
    struct hk_invitation large = made;
    memset(large.address, 'a', HK_ADDRESS_MAX);
    large.address[HK_ADDRESS_MAX] = '\0';
    char text[HK_INVITATION_TEXT_MAX];
    assert_int_equal(hk_invitation_print(text, &large), HK_TOO_LARGE);
}

static void gate_and_key_are_different_and_depend_on_the_secret(void **state)
{
    (void)state;
    struct hk_invitation_keys keys, others;
    struct hk_invitation other = made;
    other.secret[15] ^= 1;
    hk_invitation_derive(&keys, &made);
    hk_invitation_derive(&others, &other);
    assert_memory_not_equal(keys.gate, keys.psk.bytes, 32);
    assert_memory_not_equal(keys.gate, keys.gate_hash, 32);
    assert_memory_not_equal(keys.gate, others.gate, 32);
    assert_memory_not_equal(keys.psk.bytes, others.psk.bytes, 32);
    uint8_t hash[32];
    hk_gate_hash(hash, keys.gate);
    assert_memory_equal(hash, keys.gate_hash, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_reads_back_as_what_it_was_made_of),
        cmocka_unit_test(space_around_a_code_does_not_matter),
        cmocka_unit_test(any_changed_missing_or_added_character_is_refused),
        cmocka_unit_test(a_refusal_comes_with_a_sentence),
        cmocka_unit_test(an_address_too_long_for_a_code_is_refused),
        cmocka_unit_test(gate_and_key_are_different_and_depend_on_the_secret),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

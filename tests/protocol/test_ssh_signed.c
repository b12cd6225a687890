/* What an SSH key signs, read back: logins as OpenSSH 9.2 asks for them, SSHSIG, and what only looks alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "protocol/ssh_signed.h"

static const uint8_t own_key[32] = {7, 7, 7}, host_key[32] = {9, 9};
static uint8_t message[2048], blob[64], host[64];
static size_t blob_size, host_size;

/* What a login is made of; NULL and zeros: as it should be. */
struct login {
    const char *user, *service, *method, *algorithm;
    uint8_t type, has_signature;
    bool bound, more;
};

static size_t put_key(uint8_t out[64], const uint8_t key[32])
{
    struct hk_ssh_writer writer = {out, 0, 64, false};
    hk_ssh_put_string(&writer, "ssh-ed25519", 11);
    hk_ssh_put_string(&writer, key, 32);
    assert_false(writer.full);
    return writer.size;
}

static void put_text(struct hk_ssh_writer *writer, const char *given, const char *usual)
{
    const char *text = given ? given : usual;
    hk_ssh_put_string(writer, text, strlen(text));
}

static size_t make(const struct login *login)
{
    struct hk_ssh_writer writer = {message, 0, sizeof message, false};
    blob_size = put_key(blob, own_key);
    host_size = put_key(host, host_key);
    hk_ssh_put_string(&writer, "0123456789abcdef0123456789abcdef", 32);
    hk_ssh_put_byte(&writer, login->type ? login->type : 50);
    put_text(&writer, login->user, "alice");
    put_text(&writer, login->service, "ssh-connection");
    put_text(&writer, login->method, login->bound ? "publickey-hostbound-v00@openssh.com" : "publickey");
    hk_ssh_put_byte(&writer, login->has_signature == 99 ? 0 : 1);
    put_text(&writer, login->algorithm, "ssh-ed25519");
    hk_ssh_put_string(&writer, blob, blob_size);
    if (login->bound)
        hk_ssh_put_string(&writer, host, host_size);
    if (login->more)
        hk_ssh_put_byte(&writer, 0);
    assert_false(writer.full);
    return writer.size;
}

static enum hk_sign_kind kind_of(const struct login *login)
{
    struct hk_ssh_signed read;
    hk_ssh_signed_read(&read, message, make(login));
    return read.kind;
}

static void a_host_bound_login_tells_user_service_and_host(void **state)
{
    (void)state;
    struct hk_ssh_signed read;
    char text[HK_SSH_LOGIN_TEXT_MAX], want[HK_SSH_LOGIN_TEXT_MAX], fingerprint[HK_SSH_FINGERPRINT_MAX];
    hk_ssh_signed_read(&read, message, make(&(struct login){.bound = true}));
    assert_int_equal(read.kind, HK_SIGN_SSH_LOGIN);
    assert_true(hk_ssh_is(read.user, "alice") && hk_ssh_is(read.service, "ssh-connection"));
    assert_int_equal(read.session.size, 32);
    assert_true(hk_ssh_same(read.host, HK_BYTES(host, host_size)));
    assert_int_equal(hk_ssh_login_check(&read, own_key), HK_OK);
    hk_ssh_fingerprint(fingerprint, read.host);
    assert_int_equal(strlen(fingerprint), 50);
    snprintf(want, sizeof want, "ssh-connection %s alice", fingerprint);
    hk_ssh_login_text(text, &read);
    assert_string_equal(text, want);
}

static void a_login_that_is_not_host_bound_names_no_host(void **state)
{
    (void)state;
    struct hk_ssh_signed read;
    char text[HK_SSH_LOGIN_TEXT_MAX];
    hk_ssh_signed_read(&read, message, make(&(struct login){0}));
    assert_int_equal(hk_ssh_login_check(&read, own_key), HK_OK);
    hk_ssh_login_text(text, &read);
    assert_string_equal(text, "ssh-connection - alice");
}

static void what_is_not_exactly_a_login_is_none(void **state)
{
    (void)state;
    static const struct login others[] = {{.type = 51},
                                          {.method = "password"},
                                          {.has_signature = 99},
                                          {.more = true},
                                          {.bound = true, .more = true}};
    assert_int_equal(kind_of(&(struct login){0}), HK_SIGN_SSH_LOGIN);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(kind_of(&others[i]), HK_SIGN_RAW);
    for (size_t cut = 0, size = make(&(struct login){.bound = true}); cut < size; cut++) {
        struct hk_ssh_signed read;
        hk_ssh_signed_read(&read, message, cut);
        assert_int_equal(read.kind, HK_SIGN_RAW);
    }
}

static void a_login_by_another_key_or_with_names_that_cannot_be_shown_is_refused(void **state)
{
    (void)state;
    static const uint8_t other[32] = {8};
    static const struct login bad[] = {
        {.user = ""},       {.user = "a\nb"}, {.user = "\x1b[31m"},    {.user = "\xff"},
        {.service = "a b"}, {.service = ""},  {.algorithm = "ssh-rsa"}};
    struct hk_ssh_signed read;
    char user[HK_SSH_USER_MAX + 2] = {0};
    hk_ssh_signed_read(&read, message, make(&(struct login){0}));
    assert_int_equal(hk_ssh_login_check(&read, other), HK_BAD_ENCODING);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hk_ssh_signed_read(&read, message, make(&bad[i]));
        assert_int_equal(read.kind, HK_SIGN_SSH_LOGIN);
        assert_int_equal(hk_ssh_login_check(&read, own_key), HK_BAD_ENCODING);
    }
    memset(user, 'u', HK_SSH_USER_MAX);
    hk_ssh_signed_read(&read, message, make(&(struct login){.user = user}));
    assert_int_equal(hk_ssh_login_check(&read, own_key), HK_OK);
    user[HK_SSH_USER_MAX] = 'u';
    hk_ssh_signed_read(&read, message, make(&(struct login){.user = user}));
    assert_int_equal(hk_ssh_login_check(&read, own_key), HK_BAD_ENCODING);
}

static void a_certificate_of_the_key_logs_in_and_one_of_another_key_does_not(void **state)
{
    (void)state;
    static const char name[] = "ssh-ed25519-cert-v01@openssh.com";
    static const uint8_t other[32] = {8};
    struct hk_ssh_signed read;
    uint8_t certificate[256];
    struct hk_ssh_writer writer = {certificate, 0, sizeof certificate, false};
    hk_ssh_put_string(&writer, name, strlen(name));
    hk_ssh_put_string(&writer, "a nonce", 7);
    hk_ssh_put_string(&writer, own_key, 32);
    hk_ssh_put(&writer, "what else it says", 17);
    hk_ssh_signed_read(&read, message, make(&(struct login){0}));
    read.key = HK_BYTES(certificate, writer.size);
    assert_int_equal(hk_ssh_login_check(&read, own_key), HK_BAD_ENCODING); /* said to be by the key */
    read.algorithm = HK_BYTES(name, strlen(name));
    assert_int_equal(hk_ssh_login_check(&read, own_key), HK_OK);
    assert_int_equal(hk_ssh_login_check(&read, other), HK_BAD_ENCODING);
    read.key = HK_BYTES(certificate, writer.size - 18);
    assert_int_equal(hk_ssh_login_check(&read, own_key), HK_BAD_ENCODING);
}

static void a_file_signature_tells_its_namespace(void **state)
{
    (void)state;
    static const char text[] = "SSHSIG\0\0\0\3git\0\0\0\0\0\0\0\6sha256\0\0\0\40"
                               "0123456789abcdef0123456789abcdef";
    struct hk_ssh_signed read;
    hk_ssh_signed_read(&read, text, sizeof text - 1);
    assert_int_equal(read.kind, HK_SIGN_SSHSIG);
    assert_true(hk_ssh_is(read.namespace, "git"));
    assert_int_equal(hk_ssh_login_check(&read, own_key), HK_BAD_ENCODING);
    for (size_t cut = 0; cut < sizeof text - 1; cut++) {
        hk_ssh_signed_read(&read, text, cut);
        assert_int_equal(read.kind, HK_SIGN_RAW);
        assert_null(read.namespace.data);
    }
}

static void a_full_writer_says_so_and_writes_nothing_more(void **state)
{
    (void)state;
    uint8_t out[8] = {0};
    struct hk_ssh_writer writer = {out, 0, 7, false};
    hk_ssh_put_string(&writer, "abcd", 4);
    assert_true(writer.full);
    hk_ssh_put_byte(&writer, 1);
    assert_int_equal(writer.size, 4);
    assert_int_equal(out[7], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_bound_login_tells_user_service_and_host),
        cmocka_unit_test(a_login_that_is_not_host_bound_names_no_host),
        cmocka_unit_test(what_is_not_exactly_a_login_is_none),
        cmocka_unit_test(a_login_by_another_key_or_with_names_that_cannot_be_shown_is_refused),
        cmocka_unit_test(a_certificate_of_the_key_logs_in_and_one_of_another_key_does_not),
        cmocka_unit_test(a_file_signature_tells_its_namespace),
        cmocka_unit_test(a_full_writer_says_so_and_writes_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SSHSIG against the real ssh-keygen, with a whole key that exists only here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/key_format.h"
#include "device/sshsig.h"

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/halfkey-sshsig-XXXXXX");
    return mkdtemp(folder) && sodium_init() >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static size_t read_file(const char *name, char *out, size_t max)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(out, 1, max, f);
    fclose(f);
    return n;
}

static int verify_file(const struct hk_sshsig *signature, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    struct hk_source source = {hk_fd_read, &fd};
    enum hk_error error = hk_sshsig_verify(signature, &source);
    close(fd);
    return (int)error;
}

static void sign_file(struct hk_sshsig *out, const char *name, const uint8_t secret[64],
                      const char *namespace)
{
    char path[128];
    uint8_t digest[64], preimage[HK_SSHSIG_PREIMAGE_MAX];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY);
    struct hk_source source = {hk_fd_read, &fd};
    assert_int_equal(hk_sshsig_digest(digest, HK_SSHSIG_SHA512, &source), HK_OK);
    close(fd);
    assert_int_equal(hk_sshsig_preimage(preimage, &size, namespace, HK_SSHSIG_SHA512, digest), HK_OK);
    *out = (struct hk_sshsig){.hash = HK_SSHSIG_SHA512};
    strcpy(out->namespace, namespace);
    memcpy(out->public_key, secret + 32, 32);
    crypto_sign_detached(out->signature, NULL, preimage, size, secret);
}

static int run(const char *format)
{
    char command[512];
    snprintf(command, sizeof command, format, folder);
    return system(command);
}

static void ssh_keygen_accepts_our_signature(void **state)
{
    (void)state;
    uint8_t public[32], secret[64];
    char line[HK_KEY_TEXT_MAX], allowed[HK_KEY_TEXT_MAX + 32], text[HK_SSHSIG_TEXT_MAX];
    struct hk_sshsig signature;
    crypto_sign_keypair(public, secret);
    hk_ssh_public_encode(line, public, "halfkey:work");
    snprintf(allowed, sizeof allowed, "alice@example.org %s\n", line);
    write_file("allowed", allowed);
    write_file("text", "a contract\n");
    sign_file(&signature, "text", secret, "file");
    hk_sshsig_encode(text, &signature);
    write_file("text.sig", text);
    assert_int_equal(run("cd %s && ssh-keygen -Y verify -f allowed -I alice@example.org -n file -s text.sig "
                         "< text >/dev/null 2>&1"),
                     0);
    assert_int_not_equal(
        run("cd %s && ssh-keygen -Y verify -f allowed -I alice@example.org -n git -s text.sig "
            "< text >/dev/null 2>&1"),
        0);
    struct hk_sshsig again;
    assert_int_equal(hk_sshsig_decode(&again, text, strlen(text)), HK_OK);
    assert_int_equal(verify_file(&again, "text"), HK_OK);
    write_file("text", "another contract\n");
    assert_int_equal(verify_file(&again, "text"), HK_BAD_SIGNATURE);
}

static void we_accept_what_ssh_keygen_signs(void **state)
{
    (void)state;
    char text[HK_SSHSIG_TEXT_MAX], line[HK_KEY_TEXT_MAX];
    uint8_t public[32];
    struct hk_sshsig signature;
    write_file("mail", "hello\n");
    assert_int_equal(run("cd %s && rm -f id id.pub && ssh-keygen -q -t ed25519 -N '' -f id"), 0);
    size_t size = read_file("id.pub", line, sizeof line);
    assert_int_equal(hk_ssh_public_decode(public, line, size), HK_OK);
    static const char *const hashes[] = {"sha512", "sha256"};
    for (int i = 0; i < 2; i++) {
        char command[256];
        snprintf(
            command, sizeof command,
            "cd %%s && rm -f mail.sig && ssh-keygen -q -Y sign -O hashalg=%s -f id -n mail mail 2>/dev/null",
            hashes[i]);
        assert_int_equal(run(command), 0);
        size = read_file("mail.sig", text, sizeof text);
        assert_int_equal(hk_sshsig_decode(&signature, text, size), HK_OK);
        assert_string_equal(signature.namespace, "mail");
        assert_memory_equal(signature.public_key, public, 32);
        assert_int_equal(verify_file(&signature, "mail"), HK_OK);
    }
}

static void damaged_signatures_are_refused(void **state)
{
    (void)state;
    uint8_t public[32], secret[64];
    char text[HK_SSHSIG_TEXT_MAX];
    struct hk_sshsig signature, again;
    crypto_sign_keypair(public, secret);
    write_file("text", "a contract\n");
    sign_file(&signature, "text", secret, "file");
    hk_sshsig_encode(text, &signature);
    size_t length = strlen(text);
    for (size_t cut = 0; cut + 2 < length; cut++)
        assert_int_not_equal(hk_sshsig_decode(&again, text, cut), HK_OK);
    for (size_t i = 30; i < length - 30; i++) {
        char old = text[i];
        text[i] = old == 'A' ? 'B' : 'A';
        bool bad = hk_sshsig_decode(&again, text, length) || verify_file(&again, "text");
        assert_true(bad);
        text[i] = old;
    }
}

static void a_namespace_is_needed_and_bounded(void **state)
{
    (void)state;
    uint8_t digest[64] = {0}, preimage[HK_SSHSIG_PREIMAGE_MAX];
    size_t size = 0;
    char namespace[HK_SSHSIG_NAMESPACE_MAX + 2];
    memset(namespace, 'n', sizeof namespace);
    namespace[sizeof namespace - 1] = 0;
    assert_int_equal(hk_sshsig_preimage(preimage, &size, "", HK_SSHSIG_SHA512, digest), HK_USAGE);
    assert_int_equal(hk_sshsig_preimage(preimage, &size, namespace, HK_SSHSIG_SHA512, digest), HK_USAGE);
    namespace[sizeof namespace - 2] = 0;
    assert_int_equal(hk_sshsig_preimage(preimage, &size, namespace, HK_SSHSIG_SHA512, digest), HK_OK);
    assert_int_equal(size, HK_SSHSIG_PREIMAGE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ssh_keygen_accepts_our_signature),
        cmocka_unit_test(we_accept_what_ssh_keygen_signs),
        cmocka_unit_test(damaged_signatures_are_refused),
        cmocka_unit_test(a_namespace_is_needed_and_bounded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Row 34: private keys that somebody else has prepared, given to `key import`: another key's public part,
 * lengths and rounds without end, a passphrase's check that lies. Nothing is imported, and at once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/encoding.h"
#include "protocol/ssh_wire.h"
#include "tests/support/attack.h"
#include "tests/support/home.h"

static struct hk_test_service service;
static struct hk_test_home laptop;
static uint8_t public_key[32], secret[64], other_public[32], other_secret[64];

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_home_init(&laptop, &service, "laptop");
    hk_test_home_account(&laptop, &service, "laptop");
    crypto_sign_keypair(public_key, secret);
    crypto_sign_keypair(other_public, other_secret);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_home_end(&laptop);
    hk_test_service_end(&service);
    return 0;
}

/* What a file says; NULL and 0: as it should be. */
struct file {
    const char *name, *cipher, *derivation, *kind, *inner_kind;
    bool sealed;                       /* with options of a derivation */
    uint32_t rounds, salt_size, count; /* count of keys, less one */
    const uint8_t *outer, *inner, *behind,
        *seed;        /* public parts outside, inside, behind the seed; the seed */
    uint32_t check;   /* between the two numbers */
    uint8_t padding;  /* what its first byte is instead */
    size_t length_at; /* the length there is made as large as can be */
};

static void put_text(struct hk_ssh_writer *writer, const char *given, const char *usual)
{
    const char *text = given != NULL ? given : usual;
    hk_ssh_put_string(writer, text, strlen(text));
}

static size_t make_plain(uint8_t out[512], const struct file *file)
{
    struct hk_ssh_writer writer = {out, 0, 512, false};
    uint8_t pair[64];
    memcpy(pair, file->seed != NULL ? file->seed : secret, 32);
    memcpy(pair + 32, file->behind != NULL ? file->behind : public_key, 32);
    hk_ssh_put_u32(&writer, 7);
    hk_ssh_put_u32(&writer, 7 + file->check);
    put_text(&writer, file->inner_kind, "ssh-ed25519");
    hk_ssh_put_string(&writer, file->inner != NULL ? file->inner : public_key, 32);
    hk_ssh_put_string(&writer, pair, 64);
    put_text(&writer, NULL, "comment");
    for (uint8_t i = 1; writer.size % 16 != 0; i++) {
        hk_ssh_put_byte(&writer, i == 1 && file->padding != 0 ? file->padding : i);
    }
    return writer.size;
}

static void write_file(const char *path, const struct file *file)
{
    uint8_t blob[2048], plain[512], options[256], public_blob[64], salt[128] = {1};
    char text[HK_BASE64_SIZE(sizeof(blob))];
    struct hk_ssh_writer writer = {blob, 0, sizeof(blob), false},
                         inner = {options, 0, sizeof(options), false},
                         key = {public_blob, 0, sizeof(public_blob), false};
    size_t plain_size = make_plain(plain, file);
    if (file->sealed) {
        hk_ssh_put_string(&inner, salt, file->salt_size);
        hk_ssh_put_u32(&inner, file->rounds);
    }
    put_text(&key, file->kind, "ssh-ed25519");
    hk_ssh_put_string(&key, file->outer != NULL ? file->outer : public_key, 32);
    hk_ssh_put(&writer, "openssh-key-v1", 15);
    put_text(&writer, file->cipher, file->sealed ? "aes256-ctr" : "none");
    put_text(&writer, file->derivation, file->sealed ? "bcrypt" : "none");
    hk_ssh_put_string(&writer, options, inner.size);
    hk_ssh_put_u32(&writer, 1 + file->count);
    hk_ssh_put_string(&writer, public_blob, key.size);
    hk_ssh_put_string(&writer, plain, plain_size);
    if (file->length_at != 0) {
        memset(blob + file->length_at, 0xff, 4);
    }
    assert_false(writer.full || inner.full || key.full);
    hk_base64_encode(text, blob, writer.size, HK_BASE64_PADDED);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n-----END OPENSSH PRIVATE KEY-----\n", text);
    assert_int_equal(fclose(out), 0);
}

static int import_file(const char *name, const struct file *file)
{
    struct hk_test_output output;
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/key", service.directory);
    write_file(path, file);
    return HK_RUN(&laptop, &output, "key", "import", name, "--format", "ssh", path);
}

static void row34_a_prepared_key_file_is_not_imported(void **state)
{
    (void)state;
    const struct file files[] = {
        {.name = "another's public part outside", .outer = other_public},
        {.name = "another's public part inside", .inner = other_public},
        {.name = "another's public part behind the seed", .behind = other_public},
        {.name = "another's seed", .seed = other_secret},
        {.name = "another's public parts, all of them",
         .outer = other_public,
         .inner = other_public,
         .behind = other_public},
        {.name = "two check numbers", .check = 1},
        {.name = "two keys", .count = 1},
        {.name = "no key", .count = UINT32_MAX},
        {.name = "another kind outside", .kind = "ssh-rsa"},
        {.name = "another kind inside", .inner_kind = "ssh-rsa"},
        {.name = "a cipher that is none", .cipher = "aes256"},
        {.name = "a cipher without a derivation", .cipher = "aes256-ctr"},
        {.name = "a derivation without a cipher", .derivation = "bcrypt"},
        {.name = "another derivation", .sealed = true, .derivation = "scrypt", .rounds = 16, .salt_size = 16},
        {.name = "options of a derivation that is none",
         .sealed = true,
         .cipher = "none",
         .derivation = "none",
         .rounds = 1,
         .salt_size = 16},
        {.name = "padding of another kind", .padding = 9},
        {.name = "the cipher's length", .length_at = 15},
        {.name = "the derivation's length", .length_at = 23},
        {.name = "the options' length", .length_at = 31},
        {.name = "the public part's length", .length_at = 39},
        {.name = "the private part's length", .length_at = 94},
    };
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        assert_int_equal(import_file("key", &files[i]), 1);
        hk_tried("%s", files[i].name);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - start.tv_sec < 20);
    HK_EXPECT(&laptop, 0, "No keys yet", "key", "list");
    assert_int_equal(import_file("key", &(struct file){.name = "as it should be"}), 0);
    HK_EXPECT(&laptop, 0, "was whole before", "key", "list");
}

static int passphrase;

static void give(const struct hk_test_home *home)
{
    (void)home;
    (void)dup2(passphrase, 9);
}

/* A number of rounds is four bytes: at the largest a wait of years. */
static void row34_rounds_and_salts_without_end_are_refused_at_once(void **state)
{
    (void)state;
    const struct file files[] = {
        {.name = "rounds without end", .sealed = true, .rounds = UINT32_MAX, .salt_size = 16},
        {.name = "one round too many", .sealed = true, .rounds = 1025, .salt_size = 16},
        {.name = "no round", .sealed = true, .rounds = 0, .salt_size = 16},
        {.name = "no salt", .sealed = true, .rounds = 16, .salt_size = 0},
        {.name = "too much salt", .sealed = true, .rounds = 16, .salt_size = 65},
    };
    struct hk_test_output output;
    char path[256], line[256];
    (void)snprintf(path, sizeof(path), "%s/key", service.directory);
    (void)snprintf(line, sizeof(line), "%s/line", service.directory);
    FILE *out = fopen(line, "w");
    assert_non_null(out);
    fputs("a passphrase\n", out);
    assert_int_equal(fclose(out), 0);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        struct timespec start, end;
        write_file(path, &files[i]);
        FILE *in = fopen(line, "r");
        assert_non_null(in);
        passphrase = fileno(in);
        laptop.in_child = give;
        clock_gettime(CLOCK_MONOTONIC, &start);
        int status = HK_RUN(&laptop, &output, "key", "import", "sealed", "--format", "ssh", "--passphrase-fd",
                            "9", path);
        clock_gettime(CLOCK_MONOTONIC, &end);
        laptop.in_child = NULL;
        fclose(in);
        assert_int_equal(status, 1);
        assert_non_null(strstr(output.err, "as ssh-keygen writes it"));
        assert_true(end.tv_sec - start.tv_sec < 5);
        hk_tried("%s", files[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row34_a_prepared_key_file_is_not_imported),
        cmocka_unit_test(row34_rounds_and_salts_without_end_are_refused_at_once),
    };
    return HK_ATTACK_ROW_IN(34, tests, set_up, tear_down);
}

/* Row 42: files that call themselves gpg's exports. The attacker gets a user to import one: cut, changed,
 * with a secret that is not that of the public key, with a certificate of somebody else, revoked, or with
 * more than one key. No key may come of it, at the device or at the service, and what is refused says so. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/support/attack.h"
#include "tests/support/gpg_export.h"
#include "tests/support/halfkey.h"

static struct hk_test_service service;
static struct halfkey_run run;
static char path[128];
static struct hk_test_export export;

static int start(void **state)
{
    (void)state;
    hk_test_service_start(&service, false);
    (void)snprintf(path, sizeof(path), "%s/export", service.directory);
    HALFKEY_EXPECT(0, &service, "init", "--service", service.line, "--device", "laptop", "--no-passphrase");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    HALFKEY_EXPECT(0, &service, "agent", "--stop");
    hk_test_service_end(&service);
    return 0;
}

static void write_file(const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Neither the device nor the log knows of a key. */
static void is_refused(const void *data, size_t size, const char *word, const char *what)
{
    write_file(data, size);
    HALFKEY_RUN(&run, &service, NULL, "gpg", "import", "ann", path);
    assert_int_equal(run.status, 1);
    if (strstr(run.err, word) == NULL) {
        fail_msg("%s: '%s' does not say '%s'", what, run.err, word);
    }
    HALFKEY_RUN(&run, &service, NULL, "log");
    assert_int_equal(run.status, 0);
    assert_null(strstr(run.out, "key-import"));
    HALFKEY_RUN(&run, &service, NULL, "key", "list");
    assert_non_null(strstr(run.out, "No keys yet"));
    hk_tried("%s", what);
}

static void begin(void)
{
    hk_test_export_begin(&export);
    hk_test_export_plain(&export);
}

static void row42_an_export_that_was_cut_or_changed_makes_no_key(void **state)
{
    (void)state;
    begin();
    size_t key = export.writer.size;
    hk_test_export_user_id(&export, "Ann <ann@example.org>", 1700000001);
    size_t whole = export.writer.size;
    char what[64];
    for (size_t size = 0; size < whole; size += 1 + whole / 12) {
        (void)snprintf(what, sizeof(what), "cut at %zu", size);
        is_refused(export.bytes, size, "halfkey: ", what);
    }
    static const size_t places[] = {3, 8, 9, 25, 50, 54, 60, 85, 88, 89}; /* in the key's packet */
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        assert_true(places[i] < key);
        export.bytes[places[i]] ^= 0x40;
        (void)snprintf(what, sizeof(what), "byte %zu changed", places[i]);
        is_refused(export.bytes, whole, "halfkey: ", what);
        export.bytes[places[i]] ^= 0x40;
    }
    export.bytes[whole - 1] ^= 1; /* its signature of the user id */
    is_refused(export.bytes, whole, "no user id", "a signature changed");
}

static void row42_another_ones_key_or_name_is_not_taken(void **state)
{
    (void)state;
    static struct hk_test_export other;
    hk_test_export_begin(&other);
    hk_test_export_user_id(&other, "Ann <ann@example.org>", 1700000001);
    begin(); /* somebody else's certificate behind one's own key */
    hk_openpgp_put(&export.writer, other.bytes, other.writer.size);
    is_refused(export.bytes, export.writer.size, "no user id", "a user id that another key signed");

    hk_test_export_begin(
        &export); /* the public key of somebody else before one's own secret: sums are right */
    memcpy(export.seed, other.seed, sizeof(export.seed));
    hk_test_export_plain(&export);
    hk_test_export_user_id(&export, "Ann <ann@example.org>", 1700000001);
    is_refused(export.bytes, export.writer.size, "not what", "a secret of another public key");

    begin();
    hk_test_export_user_id(&export, "Ann <ann@example.org>", 1700000001);
    hk_test_export_begin(&other);
    hk_test_export_plain(&other);
    hk_openpgp_put(&export.writer, other.bytes, other.writer.size);
    is_refused(export.bytes, export.writer.size, "one key a file", "two keys");

    begin();
    hk_test_export_bare(&export, 0x20);
    hk_test_export_user_id(&export, "Ann <ann@example.org>", 1700000001);
    is_refused(export.bytes, export.writer.size, "not revoked", "a revoked key");

    begin();
    is_refused(export.bytes, export.writer.size, "no user id", "no user id");

    uint8_t body[HK_OPENPGP_KEY_MAX];
    hk_test_export_begin(&export);
    hk_openpgp_put_packet(&export.writer, HK_OPENPGP_PUBLIC_KEY, body,
                          hk_openpgp_key_encode(body, &export.key));
    hk_test_export_user_id(&export, "Ann <ann@example.org>", 1700000001);
    is_refused(export.bytes, export.writer.size, "its secret primary key", "a certificate alone");
}

static void row42_what_is_honest_is_taken(void **state)
{
    (void)state;
    begin();
    hk_test_export_user_id(&export, "Ann <ann@example.org>", 1700000001);
    write_file(export.bytes, export.writer.size);
    HALFKEY_EXPECT(0, &service, "gpg", "import", "ann", path);
    HALFKEY_RUN(&run, &service, NULL, "log");
    assert_non_null(strstr(run.out, "key-import"));
    hk_tried("an honest one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row42_an_export_that_was_cut_or_changed_makes_no_key),
        cmocka_unit_test(row42_another_ones_key_or_name_is_not_taken),
        cmocka_unit_test(row42_what_is_honest_is_taken),
    };
    return HK_ATTACK_ROW_IN(42, tests, start, finish);
}

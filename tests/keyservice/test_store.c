#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "crypto/suite.h"
#include "keyservice/store_sql.h"
#include "tests/support/vault_fixture.h"

static struct vault_fixture fixture;
static struct sample alice;

static int set_up(void **state)
{
    (void)state;
    vault_fixture_make(&fixture);
    vault_fixture_open(&fixture);
    sample_make(&alice, 1);
    return vault_do(&fixture, sample_put, &alice) == HK_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    vault_fixture_remove(&fixture);
    return 0;
}

static struct hk_txn *reading(void)
{
    struct hk_txn *txn;
    assert_int_equal(hk_store_read_begin(hk_vault_store(fixture.vault), &txn), HK_OK);
    return txn;
}

static struct hk_device device_now(const uint8_t *serial)
{
    struct hk_txn *txn = reading();
    struct hk_device device;
    assert_int_equal(hk_store_get_device(txn, serial, &device), HK_OK);
    hk_store_read_end(txn);
    return device;
}

static void account_comes_back_as_it_was_stored_also_after_a_restart(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct hk_txn *txn = reading();
        struct hk_account account;
        struct hk_device device;
        struct hk_key key;
        uint8_t tag[HK_TAG_BYTES];
        assert_int_equal(hk_store_get_account(txn, alice.account.id, &account), HK_OK);
        assert_int_equal(account.profile_version, 0);
        assert_int_equal(hk_store_get_device_by_key(txn, alice.device.static_key, &device), HK_OK);
        assert_memory_equal(device.serial, alice.device.serial, HK_ID_BYTES);
        assert_string_equal(device.name, alice.device.name);
        assert_int_equal(device.role, HK_ROLE_ADMIN);
        assert_int_equal(device.epoch, 1);
        assert_true(hk_store_tag_is(&device, alice.tag));
        assert_int_equal(hk_store_get_tag(txn, &device, tag), HK_OK);
        assert_memory_equal(tag, alice.tag, sizeof tag);
        assert_int_equal(hk_store_find_key(txn, alice.key.id, alice.key.transcript, &key), HK_OK);
        assert_memory_equal(key.public_key, alice.key.public_key, 32);
        assert_memory_equal(key.account, alice.account.id, HK_ACCOUNT_BYTES);
        assert_int_equal(hk_store_find_key(txn, alice.key.id, alice.tag, &key), HK_UNKNOWN_RUN);
        assert_int_equal(hk_store_get_device_by_code(txn, alice.device.code_hash, &device), HK_OK);
        hk_store_read_end(txn);
        assert_int_equal(sample_half_is_there(&fixture, &alice), HK_OK);
        vault_fixture_close(&fixture);
        vault_fixture_open(&fixture);
    }
}

static void account_device_or_static_key_that_is_known_is_refused_without_trace(void **state)
{
    (void)state;
    struct sample bob;
    sample_make(&bob, 2);
    memcpy(bob.device.static_key, alice.device.static_key, 32);
    assert_int_equal(vault_do(&fixture, sample_put, &alice), HK_CONFLICT);
    assert_int_equal(vault_do(&fixture, sample_put, &bob), HK_CONFLICT);
    struct hk_txn *txn = reading();
    struct hk_account account;
    assert_int_equal(hk_store_get_account(txn, bob.account.id, &account), HK_NOT_FOUND);
    hk_store_read_end(txn);
}

static enum hk_error put_key(void *context, struct hk_txn *txn)
{
    return hk_store_put_key(txn, context, alice.device.serial, &alice.half);
}

static void key_names_and_ids_are_unique_in_an_account_and_the_same_key_again_changes_nothing(void **state)
{
    (void)state;
    struct hk_key key = alice.key, list[4];
    key.id[0] ^= 1;
    key.suite = HK_SUITE_X25519;
    key.purpose = HK_PURPOSE_AGREE;
    assert_int_equal(vault_do(&fixture, put_key, &key), HK_EXISTS);
    strcpy(key.name, "mail");
    assert_int_equal(vault_do(&fixture, put_key, &key), HK_OK);
    assert_int_equal(vault_do(&fixture, put_key, &key), HK_OK);
    key.public_key[0] ^= 1;
    assert_int_equal(vault_do(&fixture, put_key, &key), HK_CONFLICT);
    struct hk_txn *txn = reading();
    size_t count;
    assert_int_equal(hk_store_list_keys(txn, alice.account.id, list, 4, &count), HK_OK);
    assert_int_equal(count, 2);
    assert_true(memcmp(list[0].id, list[1].id, HK_ID_BYTES) < 0);
    hk_store_read_end(txn);
}

struct refresh {
    struct hk_pending pending;
    struct hk_half halves[2];
    size_t count;
};

static enum hk_error put_pending(void *context, struct hk_txn *txn)
{
    struct refresh *refresh = context;
    return hk_store_put_pending(txn, alice.device.serial, &refresh->pending, refresh->halves, refresh->count);
}

static enum hk_error activate(void *context, struct hk_txn *txn)
{
    (void)context;
    return hk_store_activate_pending(txn, alice.device.serial);
}

static enum hk_error drop(void *context, struct hk_txn *txn)
{
    (void)context;
    return hk_store_drop_pending(txn, alice.device.serial);
}

static void fill_refresh(struct refresh *refresh, uint8_t byte)
{
    memset(refresh, byte, sizeof *refresh);
    refresh->pending.epoch = 2;
    refresh->pending.created = 1700000000;
    refresh->pending.proofs_size = 64;
    refresh->count = 1;
    memcpy(refresh->halves[0].key, alice.key.id, HK_ID_BYTES);
    memset(&refresh->halves[0].half, 0, sizeof refresh->halves[0].half);
    refresh->halves[0].half.bytes[0] = byte;
}

static void pending_epoch_lives_beside_the_current_one_until_it_replaces_it(void **state)
{
    (void)state;
    struct refresh refresh;
    struct hk_pending back;
    struct hk_half halves[2];
    size_t count;
    fill_refresh(&refresh, 7);
    assert_int_equal(vault_do(&fixture, put_pending, &refresh), HK_OK);
    fill_refresh(&refresh, 9); /* another seed replaces it */
    assert_int_equal(vault_do(&fixture, put_pending, &refresh), HK_OK);
    assert_int_equal(sample_half_is_there(&fixture, &alice), HK_OK);
    struct hk_device device = device_now(alice.device.serial);
    assert_int_equal(device.pending_epoch, 2);
    struct hk_txn *txn = reading();
    assert_int_equal(hk_store_get_pending(txn, &device, &back), HK_OK);
    assert_memory_equal(back.seed_service.bytes, refresh.pending.seed_service.bytes, 32);
    assert_int_equal(back.proofs_size, 64);
    assert_memory_equal(back.proofs, refresh.pending.proofs, 64);
    assert_int_equal(hk_store_get_halves(txn, &device, true, halves, 2, &count), HK_OK);
    assert_int_equal(count, 1);
    assert_int_equal(halves[0].half.bytes[0], 9);
    hk_store_read_end(txn);
    assert_int_equal(vault_do(&fixture, activate, NULL), HK_OK);
    device = device_now(alice.device.serial);
    assert_int_equal(device.epoch, 2);
    assert_int_equal(device.pending_epoch, 0);
    assert_true(hk_store_tag_is(&device, refresh.pending.tag));
    assert_false(hk_store_tag_is(&device, alice.tag));
    assert_int_equal(vault_do(&fixture, activate, NULL), HK_NOT_FOUND);
    assert_int_equal(sample_half_is_there(&fixture, &alice), HK_AUTH); /* another half now */
}

static void pending_epoch_that_leaves_out_a_key_or_skips_an_epoch_is_refused(void **state)
{
    (void)state;
    struct refresh refresh;
    fill_refresh(&refresh, 7);
    refresh.count = 0;
    assert_int_equal(vault_do(&fixture, put_pending, &refresh), HK_CONFLICT);
    refresh.count = 1;
    refresh.pending.epoch = 3;
    assert_int_equal(vault_do(&fixture, put_pending, &refresh), HK_CONFLICT);
    refresh.pending.epoch = 2;
    assert_int_equal(vault_do(&fixture, put_pending, &refresh), HK_OK);
    assert_int_equal(vault_do(&fixture, drop, NULL), HK_OK);
    assert_int_equal(vault_do(&fixture, drop, NULL), HK_OK);
    assert_int_equal(device_now(alice.device.serial).pending_epoch, 0);
    assert_int_equal(sample_half_is_there(&fixture, &alice), HK_OK);
}

static void revoked_device_has_nothing_left_and_its_serial_cannot_come_back(void **state)
{
    (void)state;
    struct sample phone;
    sample_second_device(&phone, &alice, 5);
    assert_int_equal(vault_do(&fixture, sample_add_device, &phone), HK_OK);
    assert_int_equal(vault_do(&fixture, sample_revoke, &phone), HK_OK);
    assert_int_equal(vault_do(&fixture, sample_revoke, &phone), HK_OK);
    assert_int_equal(device_now(phone.device.serial).state, HK_STATUS_REVOKED);
    assert_int_equal(sample_half_is_there(&fixture, &phone), HK_REVOKED);
    assert_int_equal(sample_half_is_there(&fixture, &alice), HK_OK);
    phone.device.static_key[0] ^= 1;
    assert_int_equal(vault_do(&fixture, sample_add_device, &phone), HK_REVOKED);
    struct sample unknown; /* revoked before the service knew it: a device's signed revocation came first */
    sample_second_device(&unknown, &alice, 6);
    assert_int_equal(vault_do(&fixture, sample_revoke, &unknown), HK_OK);
    assert_int_equal(vault_do(&fixture, sample_add_device, &unknown), HK_REVOKED);
}

struct profile_step {
    uint64_t version;
    const uint8_t *previous, *hash;
};
static enum hk_error put_profile(void *context, struct hk_txn *txn)
{
    struct profile_step *step = context;
    return hk_store_put_profile(txn, alice.account.id, step->version, step->previous, step->hash, "profile",
                                7);
}

static void profile_follows_the_one_before_or_is_refused(void **state)
{
    (void)state;
    uint8_t one[32] = {1}, two[32] = {2}, other[32] = {3};
    struct {
        struct profile_step step;
        enum hk_error expected;
    } steps[] = {{{2, one, two}, HK_CONFLICT},  {{1, NULL, one}, HK_OK},        {{1, NULL, one}, HK_OK},
                 {{1, NULL, two}, HK_CONFLICT}, {{2, other, two}, HK_CONFLICT}, {{3, one, two}, HK_CONFLICT},
                 {{2, one, two}, HK_OK},        {{1, NULL, one}, HK_CONFLICT}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(vault_do(&fixture, put_profile, &steps[i].step), steps[i].expected);
    }
    uint8_t profile[16];
    size_t size;
    struct hk_txn *txn = reading();
    assert_int_equal(hk_store_get_profile(txn, alice.account.id, profile, sizeof profile, &size), HK_OK);
    assert_int_equal(size, 7);
    hk_store_read_end(txn);
}

static enum hk_error delete_account(void *context, struct hk_txn *txn)
{
    (void)context;
    uint8_t ids[2 * HK_ACCOUNT_BYTES];
    size_t count;
    enum hk_error error = hk_store_expired_accounts(txn, 1700000001, ids, 2, &count);
    return error != HK_OK ? error : count != 1 ? HK_INTERNAL : hk_store_delete_account(txn, ids);
}

static void account_without_a_profile_is_erased_with_all_it_has(void **state)
{
    (void)state;
    assert_int_equal(vault_do(&fixture, delete_account, NULL), HK_OK);
    struct hk_txn *txn = reading();
    uint64_t rows;
    static const char *const tables[] = {"SELECT COUNT(*) FROM devices", "SELECT COUNT(*) FROM keys",
                                         "SELECT COUNT(*) FROM halves", "SELECT COUNT(*) FROM logs"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(hk_sql_number(txn, &rows, tables[i], NULL, 0), HK_OK);
        assert_int_equal(rows, 0);
    }
    hk_store_read_end(txn);
    assert_int_equal(vault_do(&fixture, sample_put, &alice), HK_OK);
}

static void sealed_half_moved_to_another_row_does_not_open(void **state)
{
    (void)state;
    struct sample phone;
    sample_second_device(&phone, &alice, 5);
    assert_int_equal(vault_do(&fixture, sample_add_device, &phone), HK_OK);
    vault_fixture_close(&fixture);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(vault_fixture_path(&fixture, "store.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE halves SET sealed = (SELECT sealed FROM halves WHERE device = 2)"
                                  " WHERE device = 1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    vault_fixture_open(&fixture);
    assert_int_equal(sample_half_is_there(&fixture, &alice), HK_AUTH);
    assert_int_equal(sample_half_is_there(&fixture, &phone), HK_OK);
}

static bool file_contains(const char *path, const uint8_t *what, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    static uint8_t content[1 << 22];
    size_t got = fread(content, 1, sizeof content, file);
    fclose(file);
    return memmem(content, got, what, size) != NULL;
}

static void no_file_shows_a_half_or_a_tag_and_none_can_be_read_by_others(void **state)
{
    (void)state;
    struct refresh refresh;
    fill_refresh(&refresh, 7);
    assert_int_equal(vault_do(&fixture, put_pending, &refresh), HK_OK);
    static const char *const files[] = {"store.db", "store.db-wal", "slots.a",
                                        "slots.b",  "service.keys", "master.key"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = vault_fixture_path(&fixture, files[i]);
        struct stat found;
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 077, 0);
        assert_false(file_contains(path, alice.half.bytes, 32));
        assert_false(file_contains(path, alice.tag, HK_TAG_BYTES));
        assert_false(file_contains(path, refresh.pending.seed_service.bytes, 32));
        assert_false(file_contains(path, hk_vault_keys(fixture.vault)->static_secret.bytes, 32));
    }
}

static void tables_of_every_earlier_version_are_brought_forward_and_newer_ones_refused(void **state)
{
    (void)state;
    for (unsigned version = 1; version <= hk_store_schema_version(); version++) {
        sqlite3 *db;
        assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
        assert_int_equal(hk_store_migrate(db, version), HK_OK);
        assert_int_equal(
            sqlite3_exec(db, "INSERT INTO accounts (id, created) VALUES (x'00', 5)", NULL, NULL, NULL),
            SQLITE_OK);
        assert_int_equal(hk_store_migrate(db, 0), HK_OK);
        assert_int_equal(
            sqlite3_exec(db, "INSERT INTO logs SELECT number, 1, 0, x'' FROM accounts WHERE created = 5",
                         NULL, NULL, NULL),
            SQLITE_OK);
        assert_int_equal(sqlite3_changes(db), 1);
        assert_int_equal(hk_store_migrate(db, 0), HK_OK);
        assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1000", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(hk_store_migrate(db, 0), HK_UNSUPPORTED);
        sqlite3_close(db);
    }
}

/* -- pairs in memory -- */

static bool pair_is_there(void)
{
    struct hk_pair pair;
    bool found =
        hk_store_pair_find(hk_vault_store(fixture.vault), alice.device.static_key, alice.key.id, &pair);
    if (found) {
        assert_memory_equal(&pair.half, &alice.half, sizeof pair.half);
    }
    return found;
}

static void keep_pair(uint64_t mark)
{
    struct hk_pair pair = {.device = device_now(alice.device.serial), .key = alice.key, .half = alice.half};
    hk_store_pair_keep(hk_vault_store(fixture.vault), mark, &pair);
}

static uint64_t mark_now(void)
{
    return hk_store_pair_mark(hk_vault_store(fixture.vault));
}

static enum hk_error use_alice(void *context, struct hk_txn *txn)
{
    (void)context;
    return hk_store_count_use(txn, alice.device.serial, 1, 1700000200);
}

static enum hk_error suspend_alice(void *context, struct hk_txn *txn)
{
    (void)context;
    return hk_store_set_suspended(txn, alice.device.serial, true);
}

static enum hk_error drop_account(void *context, struct hk_txn *txn)
{
    (void)context;
    return hk_store_delete_account(txn, alice.account.id);
}

static void pair_in_memory_is_the_one_that_was_kept_and_outlives_its_uses(void **state)
{
    struct hk_pair pair;
    uint8_t other[32] = {0};
    (void)state;
    assert_false(pair_is_there());
    keep_pair(mark_now());
    assert_true(pair_is_there());
    assert_int_equal(vault_do(&fixture, use_alice, NULL), HK_OK);
    assert_true(pair_is_there());
    assert_false(hk_store_pair_find(hk_vault_store(fixture.vault), other, alice.key.id, &pair));
    assert_false(hk_store_pair_find(hk_vault_store(fixture.vault), alice.device.static_key, other, &pair));
    vault_fixture_close(&fixture);
    vault_fixture_open(&fixture);
    assert_false(pair_is_there());
}

static void revocation_suspension_and_deletion_empty_the_memory_before_they_return(void **state)
{
    enum hk_error (*const changes[])(void *, struct hk_txn *) = {suspend_alice, sample_revoke, drop_account};
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        keep_pair(mark_now());
        assert_true(pair_is_there());
        assert_int_equal(vault_do(&fixture, changes[i], &alice), HK_OK);
        assert_false(pair_is_there());
    }
}

static void pair_read_before_a_revocation_is_not_kept_after_it(void **state)
{
    (void)state;
    uint64_t before = mark_now();
    struct hk_pair pair = {.device = device_now(alice.device.serial), .key = alice.key, .half = alice.half};
    assert_int_equal(vault_do(&fixture, sample_revoke, &alice), HK_OK);
    hk_store_pair_keep(hk_vault_store(fixture.vault), before, &pair);
    assert_false(pair_is_there());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pair_in_memory_is_the_one_that_was_kept_and_outlives_its_uses, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            revocation_suspension_and_deletion_empty_the_memory_before_they_return, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pair_read_before_a_revocation_is_not_kept_after_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(account_comes_back_as_it_was_stored_also_after_a_restart, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(account_device_or_static_key_that_is_known_is_refused_without_trace,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            key_names_and_ids_are_unique_in_an_account_and_the_same_key_again_changes_nothing, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(pending_epoch_lives_beside_the_current_one_until_it_replaces_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(pending_epoch_that_leaves_out_a_key_or_skips_an_epoch_is_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(revoked_device_has_nothing_left_and_its_serial_cannot_come_back,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(profile_follows_the_one_before_or_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(account_without_a_profile_is_erased_with_all_it_has, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sealed_half_moved_to_another_row_does_not_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_file_shows_a_half_or_a_tag_and_none_can_be_read_by_others, set_up,
                                        tear_down),
        cmocka_unit_test(tables_of_every_earlier_version_are_brought_forward_and_newer_ones_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

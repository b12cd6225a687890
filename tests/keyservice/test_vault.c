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
#include <sys/wait.h>
#include <unistd.h>

#include "keyservice/file.h"
#include "keyservice/log.h"
#include "tests/support/vault_fixture.h"

static struct vault_fixture fixture;

static int set_up(void **state)
{
    (void)state;
    vault_fixture_make(&fixture);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vault_fixture_remove(&fixture);
    unsetenv("CREDENTIALS_DIRECTORY");
    return 0;
}

static void service_keys_are_the_same_after_a_restart(void **state)
{
    (void)state;
    vault_fixture_open(&fixture);
    struct hk_service_keys keys = *hk_vault_keys(fixture.vault);
    vault_fixture_close(&fixture);
    vault_fixture_open(&fixture);
    assert_memory_equal(&keys, hk_vault_keys(fixture.vault), sizeof keys);
}

static void second_instance_is_refused_and_told_which_process_runs(void **state)
{
    (void)state;
    vault_fixture_open(&fixture);
    struct vault_fixture second = fixture;
    assert_int_equal(vault_fixture_try(&second), HK_BUSY);
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(second.reason, pid));
}

static void lock_of_a_killed_service_is_gone_with_it(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        vault_fixture_open(&fixture);
        _exit(0); /* without closing */
    }
    waitpid(child, NULL, 0);
    vault_fixture_open(&fixture);
}

static void files_that_others_can_read_are_refused(void **state)
{
    (void)state;
    vault_fixture_open(&fixture);
    vault_fixture_close(&fixture);
    static const char *const files[] = {"master.key", "service.keys", "slots.a", "slots.b", "store.db", "."};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = vault_fixture_path(&fixture, files[i]);
        struct stat before;
        assert_int_equal(stat(path, &before), 0);
        assert_int_equal(chmod(path, (before.st_mode & 0777) | 040), 0);
        assert_int_equal(vault_fixture_try(&fixture), HK_IO);
        assert_non_null(strstr(fixture.reason, "run: chmod go= "));
        assert_int_equal(chmod(path, before.st_mode & 0777), 0);
    }
    assert_int_equal(
        rename(vault_fixture_path(&fixture, "master.key"), vault_fixture_path(&fixture, "elsewhere")), 0);
    assert_int_equal(symlink("elsewhere", vault_fixture_path(&fixture, "master.key")), 0);
    assert_int_equal(vault_fixture_try(&fixture), HK_IO);
}

static void umask_of_zero_still_makes_private_files(void **state)
{
    (void)state;
    mode_t before = umask(0);
    vault_fixture_open(&fixture);
    umask(before);
    static const char *const files[] = {"master.key", "service.keys", "slots.a", "slots.b",
                                        "store.db",   "store.db-wal", "lock",    "."};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct stat found;
        assert_int_equal(stat(vault_fixture_path(&fixture, files[i]), &found), 0);
        assert_int_equal(found.st_mode & 077, 0);
    }
}

static void lost_or_wrong_master_key_is_refused_and_no_new_one_made(void **state)
{
    (void)state;
    vault_fixture_open(&fixture);
    vault_fixture_close(&fixture);
    const char *path = vault_fixture_path(&fixture, "master.key");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(vault_fixture_try(&fixture), HK_NOT_FOUND);
    assert_false(hk_file_exists(path));
    uint8_t wrong[32] = {1};
    assert_int_equal(hk_file_replace(path, wrong, sizeof wrong), HK_OK);
    assert_int_equal(vault_fixture_try(&fixture), HK_AUTH);
    assert_int_equal(hk_file_replace(path, wrong, 31), HK_OK);
    assert_int_equal(vault_fixture_try(&fixture), HK_IO);
}

static void credential_takes_the_place_of_the_master_key_file(void **state)
{
    (void)state;
    char path[512];
    uint8_t key[32] = {42};
    snprintf(path, sizeof path, "%s/halfkey-master", fixture.dir);
    assert_int_equal(hk_file_replace(path, key, sizeof key), HK_OK);
    setenv("CREDENTIALS_DIRECTORY", fixture.dir, 1);
    vault_fixture_open(&fixture);
    assert_false(hk_file_exists(vault_fixture_path(&fixture, "master.key")));
    vault_fixture_close(&fixture);
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(vault_fixture_try(&fixture), HK_NOT_FOUND);
}

static void replaced_file_holds_old_or_new_bytes_when_a_write_fails(void **state)
{
    (void)state;
    char path[512], content[4];
    snprintf(path, sizeof path, "%s/file", fixture.dir);
    assert_int_equal(hk_file_replace(path, "old", 4), HK_OK);
    for (long nth = 1; nth <= 4; nth++) {
        hk_test_fail_write(nth, 1);
        assert_int_equal(hk_file_replace(path, "new", 4), HK_IO);
        hk_test_fail_write(0, 0);
        assert_int_equal(hk_file_read_private(path, content, 4, fixture.reason), HK_OK);
        assert_string_equal(content, nth < 4 ? "old" : "new");
        assert_int_equal(hk_file_replace(path, "old", 4), HK_OK);
    }
}

/* -- check -- */

static void keep_problem(void *context, bool problem, const char *sentence)
{
    if (problem) {
        snprintf(context, 256, "%s", sentence);
    }
}

static enum hk_error append(void *context, struct hk_txn *txn)
{
    return hk_log_append(txn, ((struct sample *)context)->account.id, "leaf", 4);
}

static void check_finds_each_kind_of_damage_and_changes_nothing(void **state)
{
    (void)state;
    struct sample alice, phone;
    sample_make(&alice, 1);
    sample_second_device(&phone, &alice, 2);
    vault_fixture_open(&fixture);
    assert_int_equal(vault_do(&fixture, sample_put, &alice), HK_OK);
    assert_int_equal(vault_do(&fixture, sample_add_device, &phone), HK_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(vault_do(&fixture, append, &alice), HK_OK);
    }
    vault_fixture_close(&fixture);
    vault_fixture_copy(&fixture, "store.db", "good.db");
    static const struct {
        const char *damage, *said;
    } rows[] = {
        {"SELECT 1", ""},
        {"UPDATE halves SET sealed = zeroblob(72) WHERE device = 2", "half does not open"},
        {"UPDATE halves SET sealed = CAST(substr(sealed, 1, 40) || CASE WHEN substr(sealed, 41, 1) = x'00' "
         "THEN"
         " x'01' ELSE x'00' END || substr(sealed, 42) AS BLOB) WHERE device = 1",
         "half does not open"}, /* one byte */
        {"UPDATE devices SET sealed_tag = zeroblob(56) WHERE number = 1", "tag of its epoch"},
        {"UPDATE devices SET slot = NULL WHERE number = 2", "no live slot"},
        {"UPDATE devices SET serial = x'00112233445566778899aabbccddeeff' WHERE number = 2", "its slot 1"},
        {"UPDATE leaves SET leaf = x'00' WHERE n = 2", "log of account"},
        {"DELETE FROM leaves WHERE n = 4", "log of account"},
        {"UPDATE leaves SET nodes = zeroblob(64) WHERE n = 3", "log of account"},
        {"UPDATE leaves SET nodes = NULL WHERE n = 3", "log of account"},
        {"UPDATE logs SET frontier = zeroblob(64)", "log of account"},
        {"UPDATE logs SET size = size - 1", "log of account"},
        {"UPDATE meta SET value = value - 1 WHERE name = 'generation'", "quarantine"},
        {"PRAGMA foreign_keys = OFF; DELETE FROM keys", "belong to nothing"},
    };
    struct hk_vault_options options = {.data = fixture.data};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        vault_fixture_copy(&fixture, "good.db", "store.db");
        sqlite3 *db;
        assert_int_equal(sqlite3_open(vault_fixture_path(&fixture, "store.db"), &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, rows[i].damage, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        for (int round = 0; round < 2; round++) { /* the second finds the same */
            uint64_t problems;
            char said[256] = "";
            assert_int_equal(hk_check_data_dir(&options, keep_problem, said, &problems, fixture.reason),
                             HK_OK);
            assert_int_equal(problems == 0, i == 0);
            assert_true(rows[i].said[0] == 'q' || strstr(said, rows[i].said) != NULL || problems > 1);
        }
    }
}

struct finding {
    const char *wanted;
    bool found;
};

static void keep_finding(void *context, bool problem, const char *sentence)
{
    (void)problem;
    struct finding *finding = context;
    finding->found = finding->found || strstr(sentence, finding->wanted) != NULL;
}

/* What is wrong with the slot files; each is damaged at one place. */
static void check_finds_each_kind_of_damage_to_the_slots(void **state)
{
    (void)state;
    struct sample alice, phone;
    sample_make(&alice, 1);
    sample_second_device(&phone, &alice, 2);
    vault_fixture_open(&fixture);
    assert_int_equal(vault_do(&fixture, sample_put, &alice), HK_OK);
    assert_int_equal(vault_do(&fixture, sample_add_device, &phone), HK_OK);
    vault_fixture_close(&fixture);
    /* A record of 128 bytes: mark, number, serial, sealed key; records begin at 4096. */
    static const struct {
        const char *damage, *said;
        bool problem;
    } rows[] = {
        {"true", "", false},
        {"printf X | dd of=slots.a bs=1 seek=4140 conv=notrunc", "slot 0 differs", true},
        {"printf X | dd of=slots.b bs=1 seek=4268 conv=notrunc", "slot 1 differs", true},
        {"for f in a b; do printf X | dd of=slots.$f bs=1 seek=4140 conv=notrunc; done",
         "slot 0 does not open", true},
        {"dd if=/dev/zero of=slots.a bs=128 count=1 seek=33 conv=notrunc", "slot 1 differs", true},
        {"for f in a b; do dd if=/dev/zero of=slots.$f bs=128 count=1 seek=33 conv=notrunc; done",
         "has no live slot", true},
        {"printf X | dd of=slots.b bs=1 seek=20 conv=notrunc", "headers of the two copies", true},
        {"sqlite3 store.db 'PRAGMA foreign_keys = OFF; DELETE FROM halves WHERE device = 2; DELETE FROM "
         "devices"
         " WHERE number = 2'",
         "slot 1 belongs to no device", false},
    };
    struct hk_vault_options options = {.data = fixture.data};
    char command[1024];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct finding finding = {.wanted = rows[i].said};
        uint64_t problems;
        snprintf(command, sizeof command,
                 "rm -rf '%s.good' && cp -a '%s' '%s.good' && cd '%s' && { %s; } 2>&1", fixture.data,
                 fixture.data, fixture.data, fixture.data, rows[i].damage);
        FILE *output = popen(command, "r");
        assert_non_null(output);
        while (fgets(command, sizeof command, output) != NULL) {
        }
        assert_int_equal(pclose(output), 0);
        assert_int_equal(hk_check_data_dir(&options, keep_finding, &finding, &problems, fixture.reason),
                         HK_OK);
        if (!finding.found) {
            print_error("%s: nobody says '%s'\n", rows[i].damage, rows[i].said);
        }
        assert_true(finding.found);
        assert_int_equal(problems != 0, rows[i].problem);
        snprintf(command, sizeof command, "rm -rf '%s' && mv '%s.good' '%s'", fixture.data, fixture.data,
                 fixture.data);
        assert_int_equal(system(command), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(service_keys_are_the_same_after_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(second_instance_is_refused_and_told_which_process_runs, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(lock_of_a_killed_service_is_gone_with_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_that_others_can_read_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(umask_of_zero_still_makes_private_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_or_wrong_master_key_is_refused_and_no_new_one_made, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(credential_takes_the_place_of_the_master_key_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replaced_file_holds_old_or_new_bytes_when_a_write_fails, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(check_finds_each_kind_of_damage_and_changes_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(check_finds_each_kind_of_damage_to_the_slots, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

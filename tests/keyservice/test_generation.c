#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keyservice/file.h"
#include "keyservice/generation.h"
#include "keyservice/log.h"
#include "keyservice/store_open.h"
#include "tests/support/vault_fixture.h"

static struct vault_fixture fixture;
static struct sample alice, phone;

/* An account with two devices, closed. */
static int set_up(void **state)
{
    (void)state;
    vault_fixture_make(&fixture);
    vault_fixture_open(&fixture);
    sample_make(&alice, 1);
    sample_second_device(&phone, &alice, 2);
    int failed = vault_do(&fixture, sample_put, &alice) != HK_OK ||
                 vault_do(&fixture, sample_add_device, &phone) != HK_OK;
    vault_fixture_close(&fixture);
    return failed ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_fail_write(0, 0);
    vault_fixture_remove(&fixture);
    return 0;
}

/* -- the decision -- */

static void every_state_that_a_crash_can_leave_is_decided_as_the_order_of_writes_demands(void **state)
{
    (void)state;
    const struct hk_slots_header before = {true, 7, 0}, announced = {true, 7, 8}, after = {true, 8, 0};
    const struct hk_slots_header older = {true, 6, 0}, older_announced = {true, 6, 7},
                                 damaged = {false, 0, 0};
    const struct {
        struct hk_slots_header a, b;
        uint64_t store;
        enum hk_start expected;
    } rows[] = {
        {before, before, 7, HK_START_GO},
        {announced, before, 7, HK_START_CLEAR},
        {announced, announced, 7, HK_START_CLEAR},
        {announced, announced, 8, HK_START_REDO},
        {after, announced, 8, HK_START_REDO},
        {after, after, 8, HK_START_GO},
        /* a backup of the store, older or newer */
        {after, after, 7, HK_START_QUARANTINE},
        {after, announced, 7, HK_START_QUARANTINE},
        {before, before, 8, HK_START_QUARANTINE},
        {before, before, 6, HK_START_QUARANTINE},
        {announced, announced, 9, HK_START_QUARANTINE},
        {announced, announced, 6, HK_START_QUARANTINE},
        /* a backup of one copy */
        {after, before, 8, HK_START_QUARANTINE},
        {before, older, 7, HK_START_QUARANTINE},
        {announced, older_announced, 7, HK_START_QUARANTINE},
        /* one damaged header: the other one decides */
        {damaged, before, 7, HK_START_GO},
        {damaged, announced, 8, HK_START_REDO},
        {damaged, announced, 7, HK_START_CLEAR},
        {damaged, after, 7, HK_START_QUARANTINE},
        {damaged, damaged, 7, HK_START_QUARANTINE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(
            hk_generation_decide((struct hk_slots_header[]){rows[i].a, rows[i].b}, rows[i].store),
            rows[i].expected);
        assert_int_equal(
            hk_generation_decide((struct hk_slots_header[]){rows[i].b, rows[i].a}, rows[i].store),
            rows[i].expected);
    }
}

/* -- crashes -- */

static const char *const seams[] = {
    "generation.i.before",     "slots.header.before",    "slots.header.after",  "slots.sync.before",
    "slots.sync.after",        "generation.i.after",     "store.commit.before", "store.commit.after",
    "generation.iii.before",   "slots.erase.before",     "slots.erase.after",   "generation.iii.after",
    "store.checkpoint.before", "store.checkpoint.after", "slots.alloc.before",  "slots.alloc.after",
};

/* Opens the vault in a child and does one thing that dies at the passage of the seam; true if it died there,
 * false if it came to its end and was told HK_OK. */
static bool dies_at(const char *seam, int passage, enum hk_error (*apply)(void *, struct hk_txn *),
                    struct sample *sample)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        vault_fixture_open(&fixture);
        char crash[64];
        snprintf(crash, sizeof crash, "%s:%d", seam, passage);
        setenv("HK_CRASH", crash, 1);
        enum hk_error error = vault_do(&fixture, apply, sample);
        unsetenv("HK_CRASH");
        _exit(error == HK_OK ? 0 : 9);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
                (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return WIFSIGNALED(status);
}

static void nothing_said(void *context, bool problem, const char *sentence)
{
    (void)context;
    if (problem) {
        print_message("problem: %s\n", sentence);
    }
}

static void assert_whole(void)
{
    struct hk_vault_options options = {.data = fixture.data};
    uint64_t problems;
    char reason[256];
    assert_int_equal(hk_check_data_dir(&options, nothing_said, NULL, &problems, reason), HK_OK);
    assert_int_equal(problems, 0);
}

static void crash_at_any_write_of_a_revocation_leaves_the_half_whole_or_gone_and_never_a_quarantine(
    void **state)
{
    (void)state;
    unsigned deaths = 0;
    for (size_t i = 0; i < sizeof seams / sizeof seams[0]; i++) {
        for (int passage = 1; passage <= 4; passage++) {
            vault_fixture_open(&fixture); /* a device for this round, enrolled anew */
            struct sample victim;
            sample_second_device(&victim, &alice, 1000 + 10 * (unsigned)i + (unsigned)passage);
            assert_int_equal(vault_do(&fixture, sample_add_device, &victim), HK_OK);
            vault_fixture_close(&fixture);
            bool died = dies_at(seams[i], passage, sample_revoke, &victim);
            deaths += died;
            vault_fixture_open(&fixture);
            assert_false(hk_vault_is_quarantined(fixture.vault));
            enum hk_error left = sample_half_is_there(&fixture, &victim);
            assert_true(left == HK_REVOKED || (died && left == HK_OK));
            assert_int_equal(sample_half_is_there(&fixture, &alice), HK_OK);
            assert_int_equal(vault_do(&fixture, sample_revoke, &victim), HK_OK);
            vault_fixture_close(&fixture);
            assert_whole();
        }
    }
    assert_true(deaths >= 20);
}

static void crash_at_any_write_of_an_enrolment_leaves_the_device_whole_or_unknown(void **state)
{
    (void)state;
    unsigned deaths = 0;
    for (size_t i = 0; i < sizeof seams / sizeof seams[0]; i++) {
        struct sample tablet;
        sample_second_device(&tablet, &alice, 100 + (unsigned)i);
        bool died = dies_at(seams[i], 1, sample_add_device, &tablet);
        deaths += died;
        vault_fixture_open(&fixture);
        assert_false(hk_vault_is_quarantined(fixture.vault));
        enum hk_error left = sample_half_is_there(&fixture, &tablet);
        assert_true(left == HK_OK || (died && left == HK_UNKNOWN_DEVICE));
        assert_int_equal(sample_half_is_there(&fixture, &phone), HK_OK);
        vault_fixture_close(&fixture);
        assert_whole();
    }
    assert_true(deaths >= 6);
}

static void crash_during_a_start_or_a_first_start_is_finished_by_the_next(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "master.create.before", "master.create.after",        "file.replace.written",
        "file.replace.renamed", "service-keys.create.before", "service-keys.create.after",
        "slots.create.before",  "slots.create.after",         "slots.create.after:2",
        "store.create.before",  "store.create.after",         "store.migrate.before",
        "store.migrate.after",  "generation.i.before",        "generation.i.after",
        "store.commit.before",  "store.commit.after",         "generation.iii.before",
        "generation.iii.after"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct vault_fixture fresh;
        vault_fixture_make(&fresh);
        for (int round = 0; round < 2; round++) { /* a first start, then a later one */
            pid_t child = fork();
            if (child == 0) {
                setenv("HK_CRASH", starts[i], 1);
                _exit(vault_fixture_try(&fresh) == HK_OK ? 0 : 9);
            }
            int status;
            waitpid(child, &status, 0);
            assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
            assert_true(round == 1 || WIFSIGNALED(status));
            vault_fixture_open(&fresh);
            assert_false(hk_vault_is_quarantined(fresh.vault));
            struct sample someone;
            sample_make(&someone, 50 + (unsigned)round);
            assert_int_equal(vault_do(&fresh, sample_put, &someone), HK_OK);
            vault_fixture_close(&fresh);
        }
        vault_fixture_remove(&fresh);
    }
}

/* -- backups -- */

static void database_from_before_a_revocation_is_quarantined_and_its_half_never_opens(void **state)
{
    (void)state;
    vault_fixture_copy(&fixture, "store.db", "backup.db");
    vault_fixture_open(&fixture);
    vault_fixture_copy(&fixture, "store.db", "running.db"); /* with its journal, while the service runs */
    struct hk_log_head before;
    struct hk_txn *txn;
    assert_int_equal(hk_store_read_begin(hk_vault_store(fixture.vault), &txn), HK_OK);
    assert_int_equal(hk_log_read_head(txn, alice.account.id, &before), HK_OK);
    hk_store_read_end(txn);
    assert_int_equal(vault_do(&fixture, sample_revoke, &phone), HK_OK);
    vault_fixture_close(&fixture);
    static const char *const backups[] = {"backup.db", "running.db"};
    for (size_t i = 0; i < 2; i++) {
        vault_fixture_copy(&fixture, backups[i], "store.db");
        vault_fixture_open(&fixture);
        assert_true(hk_vault_is_quarantined(fixture.vault));
        assert_int_equal(vault_do(&fixture, sample_revoke, &phone), HK_QUARANTINE);
        assert_int_equal(sample_half_is_there(&fixture, &phone), HK_REVOKED);
        vault_fixture_close(&fixture);
    }
    struct hk_vault_options options = {.data = fixture.data};
    assert_int_equal(hk_vault_adopt(&options, false, fixture.reason), HK_OK);
    assert_int_equal(hk_vault_adopt(&options, false, fixture.reason), HK_CONFLICT);
    assert_non_null(strstr(fixture.reason, "--force"));
    vault_fixture_open(&fixture);
    assert_false(hk_vault_is_quarantined(fixture.vault));
    assert_int_equal(sample_half_is_there(&fixture, &phone), HK_REVOKED);
    assert_int_equal(sample_half_is_there(&fixture, &alice), HK_OK);
    struct hk_log_head head;
    struct hk_bytes leaf;
    struct hk_leaf first;
    uint8_t room[HK_LOG_LEAF_MAX], last[HK_HEAD_BYTES];
    size_t found;
    assert_int_equal(hk_store_read_begin(hk_vault_store(fixture.vault), &txn), HK_OK);
    assert_int_equal(hk_log_read_head(txn, alice.account.id, &head), HK_OK);
    assert_true(head.generation > before.generation);
    assert_int_equal(head.size, 1);
    assert_int_equal(
        hk_log_read_leaves(txn, alice.account.id, head.generation, 0, 8, room, sizeof room, &leaf, &found),
        HK_OK);
    assert_int_equal(found, 1);
    hk_store_read_end(txn);
    assert_int_equal(hk_leaf_decode(&first, leaf.data, leaf.size), HK_OK);
    hk_head_encode(last, &before);
    assert_memory_equal(first.previous, last, sizeof last);
    vault_fixture_close(&fixture);
    assert_whole();
}

static void crash_at_any_write_of_an_adoption_can_be_adopted_again(void **state)
{
    (void)state;
    static const char *const places[] = {"adopt.commit.before",   "adopt.commit.after",
                                         "generation.iii.before", "slots.header.after",
                                         "generation.iii.after",  "store.checkpoint.before"};
    struct hk_vault_options options = {.data = fixture.data};
    vault_fixture_copy(&fixture, "store.db", "backup.db");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        vault_fixture_open(&fixture); /* moves the generation on */
        vault_fixture_close(&fixture);
        vault_fixture_copy(&fixture, "backup.db", "store.db");
        pid_t child = fork();
        if (child == 0) {
            setenv("HK_CRASH", places[i], 1);
            _exit(hk_vault_adopt(&options, false, fixture.reason) == HK_OK ? 0 : 9);
        }
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        enum hk_error again = hk_vault_adopt(&options, false, fixture.reason);
        assert_true(again == HK_OK || again == HK_CONFLICT);
        vault_fixture_open(&fixture);
        assert_false(hk_vault_is_quarantined(fixture.vault));
        assert_int_equal(sample_half_is_there(&fixture, &phone), HK_OK);
        vault_fixture_close(&fixture);
        assert_whole();
    }
}

static void store_without_its_slot_files_opens_nothing_and_adopting_revokes_every_device(void **state)
{
    (void)state;
    struct hk_vault_options options = {.data = fixture.data};
    unlink(vault_fixture_path(&fixture, "slots.b"));
    assert_int_equal(vault_fixture_try(&fixture), HK_NOT_FOUND);
    assert_int_equal(hk_vault_adopt(&options, false, fixture.reason),
                     HK_NOT_FOUND); /* the other copy is there */
    unlink(vault_fixture_path(&fixture, "slots.a"));
    assert_int_equal(vault_fixture_try(&fixture), HK_NOT_FOUND);
    assert_int_equal(hk_vault_adopt(&options, false, fixture.reason), HK_OK);
    vault_fixture_open(&fixture);
    assert_int_equal(sample_half_is_there(&fixture, &alice), HK_REVOKED);
    assert_int_equal(sample_half_is_there(&fixture, &phone), HK_REVOKED);
}

static void lost_database_is_not_begun_anew_beside_slots_in_use(void **state)
{
    (void)state;
    unlink(vault_fixture_path(&fixture, "store.db"));
    assert_int_equal(vault_fixture_try(&fixture), HK_NOT_FOUND);
}

/* -- disks that fail -- */

static void revocation_with_a_failing_disk_is_never_acknowledged_before_it_is_final(void **state)
{
    (void)state;
    bool survived = false;
    for (long nth = 1; nth < 40 && !survived; nth++) {
        struct sample victim;
        sample_second_device(&victim, &alice, 200 + (unsigned)nth);
        vault_fixture_open(&fixture);
        assert_int_equal(vault_do(&fixture, sample_add_device, &victim), HK_OK);
        hk_test_fail_write(nth, 1000);
        enum hk_error told = vault_do(&fixture, sample_revoke, &victim);
        enum hk_error left = sample_half_is_there(&fixture, &victim);
        survived = told == HK_OK;
        assert_true(told == HK_INTERNAL || left == HK_REVOKED);
        if (!survived) { /* the disk stays broken: nothing else is acknowledged either */
            assert_int_equal(vault_do(&fixture, sample_revoke, &victim), HK_INTERNAL);
        }
        hk_test_fail_write(0, 0);
        assert_int_equal(vault_do(&fixture, sample_revoke, &victim), HK_OK); /* and it recovers by itself */
        assert_int_equal(sample_half_is_there(&fixture, &victim), HK_REVOKED);
        vault_fixture_close(&fixture);
        assert_whole();
        vault_fixture_open(&fixture);
        assert_false(hk_vault_is_quarantined(fixture.vault));
        assert_int_equal(sample_half_is_there(&fixture, &victim), HK_REVOKED);
        vault_fixture_close(&fixture);
    }
    assert_true(survived); /* the last round had no write left to fail */
}

static void enrolment_with_a_failing_disk_takes_no_slot_and_can_be_repeated(void **state)
{
    (void)state;
    vault_fixture_open(&fixture);
    for (long nth = 1; nth <= 4; nth++) {
        struct sample tablet;
        sample_second_device(&tablet, &alice, 300 + (unsigned)nth);
        hk_test_fail_write(nth, 1);
        assert_int_equal(vault_do(&fixture, sample_add_device, &tablet), HK_INTERNAL);
        assert_int_equal(sample_half_is_there(&fixture, &tablet), HK_UNKNOWN_DEVICE);
        assert_int_equal(vault_do(&fixture, sample_add_device, &tablet), HK_OK);
        assert_int_equal(sample_half_is_there(&fixture, &tablet), HK_OK);
    }
    vault_fixture_close(&fixture);
    assert_whole();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_that_a_crash_can_leave_is_decided_as_the_order_of_writes_demands),
        cmocka_unit_test_setup_teardown(
            crash_at_any_write_of_a_revocation_leaves_the_half_whole_or_gone_and_never_a_quarantine, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(crash_at_any_write_of_an_enrolment_leaves_the_device_whole_or_unknown,
                                        set_up, tear_down),
        cmocka_unit_test(crash_during_a_start_or_a_first_start_is_finished_by_the_next),
        cmocka_unit_test_setup_teardown(
            database_from_before_a_revocation_is_quarantined_and_its_half_never_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(crash_at_any_write_of_an_adoption_can_be_adopted_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            store_without_its_slot_files_opens_nothing_and_adopting_revokes_every_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_database_is_not_begun_anew_beside_slots_in_use, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            revocation_with_a_failing_disk_is_never_acknowledged_before_it_is_final, set_up, tear_down),
        cmocka_unit_test_setup_teardown(enrolment_with_a_failing_disk_takes_no_slot_and_can_be_repeated,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "keyservice/log.h"
#include "tests/support/vault_fixture.h"

static struct vault_fixture fixture;
static struct sample alice, phone;

static int set_up(void **state)
{
    (void)state;
    vault_fixture_make(&fixture);
    vault_fixture_open(&fixture);
    sample_make(&alice, 1);
    sample_second_device(&phone, &alice, 2);
    return vault_do(&fixture, sample_put, &alice) == HK_OK &&
                   vault_do(&fixture, sample_add_device, &phone) == HK_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    vault_fixture_remove(&fixture);
    return 0;
}

static struct hk_log_head head_now(void)
{
    struct hk_txn *txn;
    struct hk_log_head head;
    assert_int_equal(hk_store_read_begin(hk_vault_store(fixture.vault), &txn), HK_OK);
    assert_int_equal(hk_log_read_head(txn, alice.account.id, &head), HK_OK);
    hk_store_read_end(txn);
    return head;
}

/* -- a use of a device: what an operation's entry does -- */

struct use {
    struct hk_entry entry;
    const struct sample *sample;
    enum hk_error outcome;
    unsigned order; /* in which done came */
};

static atomic_uint finished;
static pthread_mutex_t gate_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opened = PTHREAD_COND_INITIALIZER;
static bool gate_closed;
static atomic_bool gate_reached;

static enum hk_error use_apply(struct hk_entry *entry, struct hk_txn *txn)
{
    struct use *use = (struct use *)entry;
    struct hk_device device;
    enum hk_error error = hk_store_get_device(txn, use->sample->device.serial, &device);
    if (error == HK_OK) {
        error = hk_log_append(txn, use->sample->account.id, "released", 8);
    }
    if (error == HK_OK) {
        error = hk_store_count_use(txn, use->sample->device.serial, 1, 1700000000);
    }
    return error != HK_OK ? error : device.state == HK_STATUS_REVOKED ? HK_REVOKED : HK_OK;
}

static enum hk_error use_refused(struct hk_entry *entry, struct hk_txn *txn, enum hk_error error)
{
    return hk_log_append(txn, ((struct use *)entry)->sample->account.id, hk_error_name(error),
                         strlen(hk_error_name(error)));
}

static void use_done(struct hk_entry *entry, enum hk_error outcome)
{
    struct use *use = (struct use *)entry;
    use->outcome = outcome;
    use->order = atomic_load(&finished); /* the writer's thread alone counts */
    (void)atomic_fetch_add(&finished, 1);
}

static enum hk_error revoke_apply(struct hk_entry *entry, struct hk_txn *txn)
{
    return sample_revoke((void *)(uintptr_t)((struct use *)entry)->sample, txn);
}

/* Holds the writer in a batch of its own, so that everything submitted meanwhile is the next batch. */
static enum hk_error gate_apply(struct hk_entry *entry, struct hk_txn *txn)
{
    (void)entry;
    (void)txn;
    atomic_store(&gate_reached, true);
    pthread_mutex_lock(&gate_mutex);
    while (gate_closed) {
        pthread_cond_wait(&gate_opened, &gate_mutex);
    }
    pthread_mutex_unlock(&gate_mutex);
    return HK_OK;
}

static void gate_open(void)
{
    pthread_mutex_lock(&gate_mutex);
    gate_closed = false;
    pthread_cond_signal(&gate_opened);
    pthread_mutex_unlock(&gate_mutex);
}

static void submit(struct use *use, const struct sample *sample,
                   enum hk_error (*apply)(struct hk_entry *, struct hk_txn *))
{
    *use =
        (struct use){.entry = {.apply = apply, .refused = use_refused, .done = use_done}, .sample = sample};
    assert_int_equal(hk_writer_submit(fixture.writer, &use->entry), HK_OK);
}

static void gate_close(struct use *gate)
{
    gate_closed = true;
    atomic_store(&gate_reached, false);
    submit(gate, &alice, gate_apply);
    while (!atomic_load(&gate_reached)) {
        usleep(200);
    }
}

static void wait_for(unsigned count)
{
    while (atomic_load(&finished) < count) {
        usleep(200);
    }
}

static void entries_behind_a_revocation_in_its_batch_are_refused_and_those_before_released(void **state)
{
    (void)state;
    static struct use gate, uses[21];
    atomic_store(&finished, 0);
    uint64_t leaves = head_now().size;
    gate_close(&gate);
    for (int i = 0; i < 21; i++) {
        submit(&uses[i], i % 5 == 4 ? &alice : &phone, i == 10 ? revoke_apply : use_apply);
    }
    struct hk_writer_figures before, after;
    hk_writer_figures(fixture.writer, &before);
    gate_open();
    wait_for(22);
    hk_writer_figures(fixture.writer, &after);
    for (int i = 0; i < 21; i++) {
        bool refused = i > 10 && i % 5 != 4;
        assert_int_equal(uses[i].outcome, refused ? HK_REVOKED : HK_OK);
        assert_int_equal(uses[i].order, i + 1);
    }
    assert_int_equal(head_now().size, leaves + 20); /* a leaf each, none for the bare revocation */
    struct hk_device device;
    struct hk_txn *txn;
    assert_int_equal(hk_store_read_begin(hk_vault_store(fixture.vault), &txn), HK_OK);
    assert_int_equal(hk_store_get_device(txn, phone.device.serial, &device), HK_OK);
    hk_store_read_end(txn);
    assert_int_equal(device.uses, 8); /* what refused entries counted was undone, their leaf was not */
}

/* As an operation's plain use: it refuses before it writes. */
static enum hk_error plain_apply(struct hk_entry *entry, struct hk_txn *txn)
{
    struct use *use = (struct use *)entry;
    struct hk_device device;
    enum hk_error error = hk_store_get_device(txn, use->sample->device.serial, &device);
    if (error == HK_OK && device.state == HK_STATUS_REVOKED) {
        return HK_REVOKED;
    }
    if (error == HK_OK) {
        error = hk_store_count_use(txn, use->sample->device.serial, 2, 1700000001);
    }
    return error == HK_OK ? hk_log_append(txn, use->sample->account.id, "plain", 5) : error;
}

static void submit_plain(struct use *use, const struct sample *sample)
{
    *use = (struct use){
        .entry = {.apply = plain_apply, .refused = use_refused, .done = use_done, .is_use = true},
        .sample = sample};
    assert_int_equal(hk_writer_submit(fixture.writer, &use->entry), HK_OK);
}

/* Plain uses keep rows in memory, the others read and write the store: none may miss what another did. */
static void plain_uses_between_other_entries_count_and_log_as_those_do(void **state)
{
    (void)state;
    static struct use gate, uses[40];
    struct hk_device device;
    struct hk_txn *txn;
    atomic_store(&finished, 0);
    uint64_t leaves = head_now().size;
    gate_close(&gate);
    for (int i = 0; i < 40; i++) {
        if (i == 30) {
            submit(&uses[i], &phone, revoke_apply);
        } else if (i % 7 == 3) {
            submit(&uses[i], &phone, use_apply);
        } else {
            submit_plain(&uses[i], i % 2 == 0 ? &phone : &alice);
        }
    }
    gate_open();
    wait_for(41);
    uint64_t counted = 0;
    for (int i = 0; i < 40; i++) {
        bool of_phone = i % 7 == 3 || i % 2 == 0;
        bool refused = i > 30 && of_phone;
        assert_int_equal(uses[i].outcome, refused ? HK_REVOKED : HK_OK);
        assert_int_equal(uses[i].order, i + 1);
        counted += i != 30 && of_phone && !refused ? (i % 7 == 3 ? 1 : 2) : 0;
    }
    assert_int_equal(head_now().size, leaves + 39);
    assert_int_equal(hk_store_read_begin(hk_vault_store(fixture.vault), &txn), HK_OK);
    assert_int_equal(hk_store_get_device(txn, phone.device.serial, &device), HK_OK);
    assert_int_equal(device.uses, counted);
    assert_int_equal(hk_log_verify(txn, alice.account.id), HK_OK);
    hk_store_read_end(txn);
}

static void what_is_expected_and_never_comes_holds_nobody_up(void **state)
{
    (void)state;
    static struct use gate, uses[2 * HK_WRITER_GATHER_FROM];
    atomic_store(&finished, 0);
    hk_writer_expect(fixture.writer);
    gate_close(&gate);
    for (int i = 0; i < 2 * HK_WRITER_GATHER_FROM; i++) {
        submit_plain(&uses[i], &alice);
    }
    gate_open();
    wait_for(1 + 2 * HK_WRITER_GATHER_FROM);
    hk_writer_expect_no_more(fixture.writer);
}

static enum hk_error look_at_slot(struct hk_entry *entry, struct hk_txn *txn)
{
    (void)entry;
    (void)txn;
    return HK_OK;
}

static void done_of_a_revocation_comes_after_its_slot_is_overwritten(void **state)
{
    (void)state;
    static struct use revocation, other;
    atomic_store(&finished, 0);
    submit(&revocation, &phone, revoke_apply);
    submit(&other, &alice, look_at_slot);
    wait_for(2);
    assert_int_equal(revocation.outcome, HK_OK);
    FILE *file = fopen(vault_fixture_path(&fixture, "slots.b"), "rb");
    uint8_t record[128];
    assert_int_equal(fseek(file, 4096 + 128, SEEK_SET), 0);
    assert_int_equal(fread(record, 1, sizeof record, file), sizeof record);
    fclose(file);
    assert_true(hk_is_zero(record, sizeof record));
    file = fopen(vault_fixture_path(&fixture, "store.db-wal"), "rb");
    if (file != NULL) { /* and the journal that held the half is empty */
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        assert_int_equal(ftell(file), 0);
        fclose(file);
    }
}

static void batch_whose_commit_fails_is_told_so_and_leaves_nothing(void **state)
{
    (void)state;
    static struct use gate, uses[8];
    struct hk_log_head before = head_now();
    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    atomic_store(&finished, 0);
    gate_close(&gate);
    for (int i = 0; i < 8; i++) {
        submit(&uses[i], &phone, use_apply);
    }
    small = limit;
    small.rlim_cur = 4096; /* a full disk */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    gate_open();
    wait_for(9);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(uses[i].outcome, HK_INTERNAL);
    }
    struct hk_log_head after = head_now();
    assert_int_equal(after.size, before.size);
    submit(&uses[0], &phone, use_apply); /* room again */
    wait_for(10);
    assert_int_equal(uses[0].outcome, HK_OK);
    assert_int_equal(head_now().size, before.size + 1);
}

static void full_queue_is_busy_and_what_was_accepted_is_finished_before_the_end(void **state)
{
    (void)state;
    static struct use gate, uses[HK_WRITER_QUEUE + 1];
    atomic_store(&finished, 0);
    gate_close(&gate);
    unsigned accepted = 0;
    enum hk_error error = HK_OK;
    while (error == HK_OK && accepted <= HK_WRITER_QUEUE) {
        uses[accepted] = (struct use){.entry = {.apply = use_apply, .done = use_done}, .sample = &alice};
        error = hk_writer_submit(fixture.writer, &uses[accepted].entry);
        accepted += error == HK_OK;
    }
    assert_int_equal(error, HK_BUSY);
    assert_int_equal(accepted, HK_WRITER_QUEUE);
    gate_open();
    hk_writer_stop(fixture.writer);
    fixture.writer = NULL;
    assert_int_equal(atomic_load(&finished), accepted + 1);
    for (unsigned i = 0; i < accepted; i++) {
        assert_int_equal(uses[i].outcome, HK_OK);
    }
    assert_int_equal(head_now().size, accepted);
}

/* -- a revocation raced from many threads -- */

#define THREADS 8
#define RACES 400
static atomic_bool revoked_returned;
static atomic_uint released_after;

static void raced_done(struct hk_entry *entry, enum hk_error outcome)
{
    if (outcome == HK_OK && atomic_load(&revoked_returned)) {
        atomic_fetch_add(&released_after, 1);
    }
    use_done(entry, outcome);
}

static void *racer(void *context)
{
    struct use *uses = context;
    for (int i = 0; i < RACES; i++) {
        uses[i] = (struct use){.entry = {.apply = use_apply, .refused = use_refused, .done = raced_done},
                               .sample = &phone};
        while (hk_writer_submit(fixture.writer, &uses[i].entry) != HK_OK) {
            usleep(100);
        }
        if (i % 16 == 0) {
            usleep(100);
        }
    }
    return NULL;
}

static void revocation_raced_by_thousands_of_uses_releases_none_after_it(void **state)
{
    (void)state;
    static struct use uses[THREADS][RACES];
    pthread_t threads[THREADS];
    atomic_store(&finished, 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, racer, uses[i]), 0);
    }
    usleep(5000);
    assert_int_equal(vault_do(&fixture, sample_revoke, &phone), HK_OK);
    atomic_store(&revoked_returned, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    wait_for(THREADS * RACES);
    assert_int_equal(atomic_load(&released_after), 0);
    assert_int_equal(head_now().size, THREADS * RACES);
    assert_int_equal(sample_half_is_there(&fixture, &phone), HK_REVOKED);
}

/* -- figures: printed, held only against gross mistakes -- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static enum hk_error one_use(void *context, struct hk_txn *txn)
{
    struct use use = {.sample = context};
    return use_apply(&use.entry, txn);
}

static void many_entries_share_few_commits(void **state)
{
    (void)state;
    static struct use uses[8000];
    double start = seconds();
    for (int i = 0; i < 200; i++) {
        assert_int_equal(vault_do(&fixture, one_use, &alice), HK_OK);
    }
    double alone = (seconds() - start) / 200;
    struct hk_writer_figures before, after;
    hk_writer_figures(fixture.writer, &before);
    atomic_store(&finished, 0);
    start = seconds();
    for (int i = 0; i < 8000; i++) {
        submit(&uses[i], &alice, use_apply);
    }
    wait_for(8000);
    double together = (seconds() - start) / 8000;
    hk_writer_figures(fixture.writer, &after);
    print_message("one durable use alone: %.0f us; in groups: %.1f us each, %.0f uses a commit\n",
                  1e6 * alone, 1e6 * together, 8000.0 / (double)(after.commits - before.commits));
    start = seconds();
    assert_int_equal(vault_do(&fixture, sample_revoke, &phone), HK_OK);
    print_message("a revocation: %.0f us\n", 1e6 * (seconds() - start));
    assert_true(after.commits - before.commits < 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            entries_behind_a_revocation_in_its_batch_are_refused_and_those_before_released, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(plain_uses_between_other_entries_count_and_log_as_those_do, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_expected_and_never_comes_holds_nobody_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(done_of_a_revocation_comes_after_its_slot_is_overwritten, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(batch_whose_commit_fails_is_told_so_and_leaves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(full_queue_is_busy_and_what_was_accepted_is_finished_before_the_end,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(revocation_raced_by_thousands_of_uses_releases_none_after_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_entries_share_few_commits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

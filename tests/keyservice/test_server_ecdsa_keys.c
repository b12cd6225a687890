/* What two-party ECDSA has besides halves: lengths of Paillier keys, the ring and its replacement, offers
 * that are switched off, the full refresh that a revocation forces, and what `halfkeyd check` sees of all
 * that. */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "keyservice/vault.h"
#include "tests/support/ecdsa_service.h"

static struct hk_test_ecdsa_service world;

static int set_up(void **state)
{
    (void)state;
    hk_ecdsa_service_start(&world, NULL);
    return 0;
}

static int set_up_longer(void **state)
{
    (void)state;
    hk_ecdsa_service_start(&world, (const char *const[]){"--paillier", "3072", NULL});
    return 0;
}

static int set_up_unprepared(void **state)
{
    (void)state;
    hk_ecdsa_service_start(&world, (const char *const[]){"--prepared", "off", NULL});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_ecdsa_service_end(&world);
    return 0;
}

static void stop(void)
{
    hk_test_hang_up(&world.laptop);
    hk_test_hang_up(&world.phone);
    assert_int_equal(hk_test_service_stop(&world.service), 0);
}

static void paillier_keys_have_the_length_that_the_operator_says(void **state)
{
    (void)state;
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    assert_int_equal(world.run.bits, 3072);
    assert_int_equal(hk_paillier_n_bytes(&world.run.pair.paillier), 384);
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
    hk_ecdsa_service_refresh(&world.laptop, &world.run);
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
    stop();
    world.service.options[1] = "2048";
    hk_test_service_restart(&world.service);
    hk_ecdsa_assert_signs(&world.laptop, &world.run); /* what is there goes on as it is */
    assert_int_equal(hk_test_ecdsa_ring(&world.laptop, &world.run), HK_OK);
    assert_int_equal(world.run.bits, 2048);
    assert_int_equal(hk_test_ecdsa_setup(&world.laptop, key, &world.run), HK_OK);
    assert_int_equal(hk_paillier_n_bytes(&world.run.pair.paillier), 256);
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
}

static void nothing_is_prepared_where_that_is_switched_off(void **state)
{
    (void)state;
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    assert_int_equal(hk_test_ecdsa_commit(&world.laptop, key, &world.run, true), HK_PREPARED_OFF);
    world.run.next = true;
    hk_ecdsa_assert_signs(&world.laptop, &world.run); /* the signature comes all the same */
    assert_false(world.run.has_next_offer);
    stop();
    world.service.options[1] = "on";
    hk_test_service_restart(&world.service);
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
    assert_true(world.run.has_next_offer);
}

static void a_revocation_forces_a_full_refresh_of_all_other_devices(void **state)
{
    (void)state;
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    hk_ecdsa_service_enrol(&world);
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
    assert_int_equal(hk_test_ecdsa_commit(&world.laptop, key, &world.run, true), HK_OK);
    assert_int_equal(hk_test_ecdsa_request(key, &world.run), HK_OK);
    struct hk_test_ecdsa *open = &world.other; /* the phone needs its own no more */
    *open = world.run;
    assert_int_equal(hk_ecdsa_service_revoke(&world), HK_OK);
    assert_int_equal(hk_test_ecdsa_send(&world.laptop, key, open), HK_CONFLICT); /* a slot of before */
    assert_int_equal(hk_test_ecdsa_sign(&world.laptop, key, &world.run), HK_CONFLICT);
    *open = world.run;
    assert_int_equal(hk_test_ecdsa_setup(&world.laptop, key, &world.run), HK_OK);
    assert_memory_not_equal(world.run.pair.paillier.n, open->pair.paillier.n, 256);
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
    assert_int_equal(hk_ecdsa_service_revoke(&world), HK_OK); /* again: nothing has changed */
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
}

static void a_revocation_reaches_the_set_up_of_a_pending_epoch(void **state)
{
    (void)state;
    static struct hk_test_epoch next;
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    hk_ecdsa_service_enrol(&world);
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&world.laptop, &next), HK_OK);
    hk_test_ecdsa_shift(&world.laptop, key, &next, &world.run);
    hk_test_hang_up(&world.laptop);
    assert_int_equal(hk_ecdsa_service_revoke(&world), HK_OK);
    hk_test_hang_up(&world.laptop);
    assert_int_equal(hk_test_confirm(&world.laptop, &next), HK_OK);
    hk_test_adopt(&world.laptop, &next);
    hk_test_ecdsa_name(&world.laptop, key, &world.run);
    assert_int_equal(hk_test_ecdsa_sign(&world.laptop, key, &world.run), HK_CONFLICT);
    assert_int_equal(hk_test_ecdsa_setup(&world.laptop, key, &world.run), HK_OK);
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
}

static void a_replaced_ring_is_another_signed_and_proved_and_old_set_ups_are_gone(void **state)
{
    (void)state;
    char data[128], reason[256];
    const struct hk_vault_options options = {.data = data};
    struct hk_test_key *key = hk_ecdsa_service_begin(&world);
    struct hk_ring before = world.run.pair.ring;
    (void)snprintf(data, sizeof(data), "%s/data", world.service.directory);
    assert_int_not_equal(hk_vault_replace_ring(&options, reason), HK_OK); /* the service runs */
    stop();
    assert_int_equal(hk_vault_replace_ring(&options, reason), HK_OK);
    hk_test_service_restart(&world.service);
    assert_int_equal(hk_test_ecdsa_sign(&world.laptop, key, &world.run), HK_CONFLICT);
    assert_int_equal(hk_test_ecdsa_ring(&world.laptop, &world.run), HK_OK);
    assert_memory_not_equal(&before, &world.run.pair.ring, sizeof(before));
    assert_int_equal(hk_test_ecdsa_sign(&world.laptop, key, &world.run), HK_CONFLICT);
    assert_int_equal(hk_test_ecdsa_setup(&world.laptop, key, &world.run), HK_OK);
    hk_ecdsa_assert_signs(&world.laptop, &world.run);
}

/* -- halfkeyd check -- */

static char data[128];

static void change(const char *sql)
{
    char path[160];
    sqlite3 *db;
    (void)snprintf(path, sizeof(path), "%s/store.db", data);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db) > 0, 1);
    sqlite3_close(db);
}

static void keep(void *context, bool problem, const char *sentence)
{
    char *said = context;
    if (problem || strstr(sentence, "set-ups") != NULL) {
        size_t used = strlen(said);
        (void)snprintf(said + used, 2048 - used, "%s\n", sentence);
    }
}

static uint64_t check(char said[2048])
{
    char reason[256];
    uint64_t problems;
    said[0] = '\0';
    assert_int_equal(
        hk_check_data_dir(&(struct hk_vault_options){.data = data}, keep, said, &problems, reason), HK_OK);
    return problems;
}

static void check_opens_the_set_ups_and_the_ring(void **state)
{
    (void)state;
    static const struct {
        const char *change, *said;
    } rows[] = {
        {"UPDATE ecdsa SET sealed = zeroblob(length(sealed)) WHERE device = 1",
         "a set-up for ECDSA does not"},
        {"UPDATE ecdsa SET sealed = (SELECT o.sealed FROM ecdsa o WHERE o.device = 1)", "a set-up for ECDSA"},
        {"UPDATE ring SET sealed = zeroblob(length(sealed))", "modulus does not open"},
        {"DELETE FROM ring", "modulus is missing"},
    };
    char said[2048], command[512];
    hk_ecdsa_service_begin(&world);
    hk_ecdsa_service_enrol(&world);
    stop();
    (void)snprintf(data, sizeof(data), "%s/data", world.service.directory);
    assert_int_equal(check(said), 0);
    assert_non_null(strstr(said, " 2 set-ups for ECDSA"));
    (void)snprintf(command, sizeof(command), "cp -a '%s' '%s.good'", data, data);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        change(rows[i].change);
        assert_int_equal(check(said), 1);
        assert_non_null(strstr(said, rows[i].said));
        (void)snprintf(command, sizeof(command), "rm -rf '%s' && cp -a '%s.good' '%s'", data, data, data);
        assert_int_equal(system(command), 0);
    }
    hk_test_service_restart(&world.service);
    hk_ecdsa_assert_signs(&world.phone, &world.other);
}

int main(void)
{
#define TEST(name, how) cmocka_unit_test_setup_teardown(name, how, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(paillier_keys_have_the_length_that_the_operator_says, set_up_longer),
        TEST(nothing_is_prepared_where_that_is_switched_off, set_up_unprepared),
        TEST(a_revocation_forces_a_full_refresh_of_all_other_devices, set_up),
        TEST(a_revocation_reaches_the_set_up_of_a_pending_epoch, set_up),
        TEST(a_replaced_ring_is_another_signed_and_proved_and_old_set_ups_are_gone, set_up),
        TEST(check_opens_the_set_ups_and_the_ring, set_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

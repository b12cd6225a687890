/* The state file: what is written is read; what is torn, changed, open to others or of another version is
 * refused; and a write that fails leaves the old file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/state.h"

#define FILE_NAME "0000000000000000.share"

static struct hk_home home;
static struct hk_state *state;
static struct hk_state_seal seal;
static char path[HK_HOME_PATH_MAX + 40], reason[256];

static int set_up(void **unused)
{
    (void)unused;
    (void)snprintf(home.path, sizeof(home.path), "/tmp/halfkey-state-XXXXXX");
    assert_non_null(mkdtemp(home.path));
    (void)snprintf(path, sizeof(path), "%s/" FILE_NAME, home.path);
    assert_int_equal(hk_state_new(&state), HK_OK);
    hk_state_make_device(state, "laptop", HK_ROLE_ADMIN);
    (void)snprintf(state->address, sizeof(state->address), "tcp://127.0.0.1:1");
    state->phase = HK_PHASE_CREATING;
    state->epoch = 7;
    state->refreshed = 1000;
    state->uses = 12;
    assert_int_equal(hk_state_seal_make(&seal, NULL, 0), HK_OK);
    assert_int_equal(hk_state_write(state, &seal, &home, "test"), HK_OK);
    return 0;
}

static int tear_down(void **unused)
{
    char command[HK_HOME_PATH_MAX + 16];
    (void)unused;
    hk_state_free(state);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", home.path);
    return system(command);
}

static enum hk_error read_with(const char *passphrase, uint64_t *epoch)
{
    struct hk_state *read = NULL;
    struct hk_state_seal other;
    enum hk_error error =
        hk_state_read(&read, &other, &home, passphrase, passphrase != NULL ? strlen(passphrase) : 0, reason);
    if (error == HK_OK) {
        *epoch = read->epoch;
        assert_memory_equal(read->serial, state->serial, HK_ID_BYTES);
        assert_memory_equal(read->static_key.bytes, state->static_key.bytes, 32);
        assert_string_equal(read->name, "laptop");
        assert_int_equal(read->refreshed, 1000);
        assert_int_equal(read->uses, 12);
        hk_state_free(read);
    } else {
        assert_null(read);
    }
    return error;
}

static size_t load(uint8_t *bytes, size_t max)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t size = fread(bytes, 1, max, file);
    assert_int_equal(fclose(file), 0);
    return size;
}

static void store(const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void what_is_written_is_read(void **unused)
{
    (void)unused;
    uint64_t epoch = 0;
    assert_int_equal(read_with(NULL, &epoch), HK_OK);
    assert_int_equal(epoch, 7);
}

static void a_file_that_was_cut_or_changed_anywhere_is_refused(void **unused)
{
    (void)unused;
    static uint8_t bytes[HK_STATE_FILE_MAX];
    uint64_t epoch;
    size_t size = load(bytes, sizeof(bytes));
    for (size_t cut = 0; cut < size; cut += 1 + size / 97) {
        store(bytes, cut);
        assert_int_not_equal(read_with(NULL, &epoch), HK_OK);
    }
    for (size_t at = 0; at < size; at += 1 + size / 97) {
        bytes[at] ^= 1;
        store(bytes, size);
        assert_int_not_equal(read_with(NULL, &epoch), HK_OK);
        bytes[at] ^= 1;
    }
    store(bytes, size);
    assert_int_equal(read_with(NULL, &epoch), HK_OK);
}

static void a_passphrase_opens_what_it_has_sealed_and_no_other_does(void **unused)
{
    (void)unused;
    bool has_passphrase = false;
    uint64_t epoch;
    assert_int_equal(hk_state_seal_make(&seal, "horse", 5), HK_OK);
    assert_int_equal(hk_state_write(state, &seal, &home, "test"), HK_OK);
    assert_int_equal(hk_state_look(&home, &has_passphrase, reason), HK_OK);
    assert_true(has_passphrase);
    assert_int_equal(read_with("horse", &epoch), HK_OK);
    assert_int_equal(read_with("house", &epoch), HK_BAD_PASSPHRASE);
    assert_int_equal(read_with(NULL, &epoch), HK_AGENT_LOCKED);
}

static void a_file_that_others_can_read_or_that_is_a_link_is_refused(void **unused)
{
    (void)unused;
    char other[HK_HOME_PATH_MAX + 48];
    uint64_t epoch;
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(read_with(NULL, &epoch), HK_IO);
    assert_non_null(strstr(reason, FILE_NAME));
    assert_int_equal(chmod(path, 0600), 0);
    (void)snprintf(other, sizeof(other), "%s/elsewhere", home.path);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(read_with(NULL, &epoch), HK_IO);
}

static void two_accounts_in_one_folder_are_refused(void **unused)
{
    (void)unused;
    char other[HK_HOME_PATH_MAX + 48];
    uint64_t epoch;
    for (int i = 1; i <= 2; i++) {
        (void)snprintf(other, sizeof(other), "%s/%016x.share", home.path, (unsigned)i);
        assert_int_equal(link(path, other), 0);
    }
    assert_int_equal(read_with(NULL, &epoch), HK_CONFLICT);
}

/* Each write, fsync and rename fails in its turn: the file is the old one or the new one, and told so. */
static void a_write_that_fails_leaves_the_old_file_or_the_new(void **unused)
{
    (void)unused;
    char fault[HK_HOME_PATH_MAX + 48];
    unsigned failed = 0;
    uint64_t on_disk = state->epoch;
    (void)snprintf(fault, sizeof(fault), "%s/fault", home.path);
    assert_int_equal(setenv("HK_FAULT", fault, 1), 0);
    for (unsigned n = 1; n <= 6; n++) {
        uint64_t epoch = 0;
        state->epoch++;
        FILE *file = fopen(fault, "we");
        assert_non_null(file);
        assert_true(fprintf(file, "enospc %u 1 %u\n", n, n) > 0);
        assert_int_equal(fclose(file), 0);
        enum hk_error error = hk_state_write(state, &seal, &home, "test");
        assert_int_equal(unlink(fault), 0);
        assert_int_equal(read_with(NULL, &epoch), HK_OK);
        assert_true(epoch == state->epoch || (error != HK_OK && epoch == on_disk));
        on_disk = epoch;
        failed += error != HK_OK;
    }
    assert_int_equal(unsetenv("HK_FAULT"), 0);
    assert_in_range(failed, 3, 5);
}

static uint8_t encoded[HK_STATE_FILE_MAX];

static void hand(enum hk_hand_stage stage, size_t count)
{
    static const uint64_t suites[] = {HK_SUITE_ED25519, HK_SUITE_SECP256K1_ECDSA};
    state->hand.stage = stage;
    memset(state->hand.administrator, 1, HK_ID_BYTES);
    memset(state->hand.ephemeral.bytes, 2, 32);
    memset(state->hand.deposit, 3, state->hand.deposit_size = 208);
    memset(state->hand.transcript, 4, HK_NAME_BYTES);
    state->hand.count = count;
    for (size_t i = 0; i < count; i++) {
        struct hk_state_handed *key = &state->hand.key[i];
        key->id[0] = (uint8_t)i;
        key->suite = suites[i % 2];
        hk_suite_by_id(key->suite)->group->scalar_set(&key->half, i + 5);
        memset(key->service_point, 6, hk_suite_point_bytes(key->suite));
    }
}

static enum hk_error encode_and_decode(struct hk_state *again)
{
    size_t size;
    assert_int_equal(hk_state_encode(state, encoded, sizeof(encoded), &size), HK_OK);
    return hk_state_decode(again, encoded, size);
}

static void what_was_handed_over_is_kept(void **unused)
{
    (void)unused;
    const struct {
        enum hk_hand_stage stage;
        size_t count;
    } cases[] = {{HK_HAND_OPEN, 0}, {HK_HAND_STORED, 1}, {HK_HAND_STORED, HK_KEYS_MAX}};
    struct hk_state *again;
    uint8_t serial[HK_ID_BYTES] = {9};
    assert_int_equal(hk_state_new(&again), HK_OK);
    for (size_t i = 0; i < 3; i++) {
        hand(cases[i].stage, cases[i].count);
        assert_int_equal(encode_and_decode(again), HK_OK);
        assert_memory_equal(&again->hand, &state->hand, sizeof(state->hand));
    }
    hand(HK_HAND_OPEN, 2); /* halves belong to a later stage */
    assert_int_equal(encode_and_decode(again), HK_BAD_ENCODING);
    hand(HK_HAND_STORED, 0);
    assert_int_equal(encode_and_decode(again), HK_BAD_ENCODING);
    hand(HK_HAND_STORED, 2);
    memset(&state->hand.key[1].half, 0, sizeof(state->hand.key[1].half));
    assert_int_equal(encode_and_decode(again), HK_BAD_ENCODING);
    hand(HK_HAND_STORED, 2);
    state->hand.key[1].id[0] = 0; /* twice the same */
    assert_int_equal(encode_and_decode(again), HK_BAD_ENCODING);
    memset(&state->hand, 0, sizeof(state->hand));
    assert_false(hk_state_is_holder(state, serial));
    hk_state_add_holder(state, serial);
    assert_int_equal(encode_and_decode(again), HK_OK);
    assert_true(hk_state_is_holder(again, serial));
    assert_int_equal(again->hand.stage, HK_HAND_NONE);
    hk_state_free(again);
}

static void the_list_of_holders_forgets_the_oldest(void **unused)
{
    (void)unused;
    uint8_t serial[HK_ID_BYTES] = {0};
    for (unsigned i = 0; i <= HK_DEVICES; i++) {
        serial[0] = (uint8_t)i;
        hk_state_add_holder(state, serial);
        hk_state_add_holder(state, serial); /* once is enough */
    }
    assert_int_equal(state->holder_count, HK_DEVICES);
    for (unsigned i = 0; i <= HK_DEVICES; i++) {
        serial[0] = (uint8_t)i;
        assert_int_equal(hk_state_is_holder(state, serial), i > 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(a_file_that_was_cut_or_changed_anywhere_is_refused),
        TEST(a_passphrase_opens_what_it_has_sealed_and_no_other_does),
        TEST(a_file_that_others_can_read_or_that_is_a_link_is_refused),
        TEST(two_accounts_in_one_folder_are_refused),
        TEST(a_write_that_fails_leaves_the_old_file_or_the_new),
        TEST(what_was_handed_over_is_kept),
        TEST(the_list_of_holders_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

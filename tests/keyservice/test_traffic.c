/* Real traffic against protocol/halfkey.cddl: the life of an account, played by the real halfkey on several
 * devices against the real halfkeyd, which keeps every request and answer as it was inside its session. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "protocol/cose.h"
#include "tests/support/cddl.h"
#include "tests/support/client.h"
#include "tests/support/halfkey_join.h"
#include "tests/support/store_view.h"

static struct hk_test_service service;
static char laptop[96], phone[96], tablet[96], traffic[96], path[4][128];
static struct cddl *cddl;
static struct halfkey_run run;

static void make_directory(char *out, size_t size, const char *name)
{
    (void)snprintf(out, size, "%s/%s", service.directory, name);
    assert_int_equal(mkdir(out, 0700), 0);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(traffic, sizeof(traffic), "/tmp/halfkey-traffic-%d", (int)getpid());
    (void)unlink(traffic);
    assert_int_equal(setenv("HK_TRAFFIC", traffic, 1), 0);
    hk_test_service_start(&service, true);
    assert_int_equal(unsetenv("HK_TRAFFIC"), 0);
    make_directory(laptop, sizeof(laptop), "laptop");
    make_directory(phone, sizeof(phone), "phone");
    make_directory(tablet, sizeof(tablet), "tablet");
    static const char *const names[] = {"plain", "sealed", "signature", "certificate"};
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path[i], sizeof(path[i]), "%s/%s", service.directory, names[i]);
    }
    FILE *file = fopen(path[0], "w");
    assert_non_null(file);
    assert_true(fputs("text\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    cddl = cddl_load("protocol/halfkey.cddl");
    assert_non_null(cddl);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    const char *devices[] = {laptop, phone, tablet};
    for (size_t i = 0; i < 3; i++) {
        halfkey_run(&run, devices[i], NULL, (const char *const[]){"agent", "--stop", NULL});
    }
    cddl_free(cddl);
    hk_test_service_end(&service);
    (void)unlink(traffic);
    return 0;
}

/* ---- the life ---- */

static void join(const char *device, const char *name)
{
    halfkey_join(&run, laptop, device, name);
    if (run.status != 0) {
        fail_msg("join: %s", run.err);
    }
}

static void use(const char *device)
{
    HALFKEY_AT(0, device, "decrypt", "--key", "mail", path[1], "-o", "/dev/null");
    HALFKEY_AT(0, device, "agree", "--prove", "--key", "mail",
               "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    HALFKEY_AT(0, device, "sign", "--key", "git", "--format", "raw", path[0], "-o", "/dev/null");
    HALFKEY_AT(0, device, "sign", "--key", "git", "--format", "ssh", "--namespace", "file", path[0], "-o",
               "/dev/null");
}

static void play(void)
{
    char secret[65];
    memset(secret, '4', 64);
    secret[64] = '\0';
    HALFKEY_AT(0, laptop, "init", "--service", service.line, "--device", "laptop", "--no-passphrase");
    HALFKEY_AT(0, laptop, "key", "create", "mail", "--suite", "x25519");
    HALFKEY_AT(0, laptop, "key", "create", "git", "--suite", "ed25519");
    HALFKEY_AT(0, laptop, "key", "create", "coin", "--suite", "secp256k1-ecdsa");
    HALFKEY_AT(0, laptop, "sign", "--key", "coin", "--format", "raw", path[0], "-o", "/dev/null");
    halfkey_run(
        &run, laptop, secret,
        (const char *const[]){"key", "import", "old", "--suite", "x25519", "--format", "raw", "-", NULL});
    assert_int_equal(run.status, 0);
    HALFKEY_AT(0, laptop, "encrypt", "--key", "mail", path[0], "-o", path[1]);
    use(laptop);
    char shares[3][192], newcomer[160], folder[160];
    snprintf(folder, sizeof(folder), "%s/shares", service.directory);
    snprintf(newcomer, sizeof(newcomer), "%s/newcomer", service.directory);
    for (int i = 0; i < 3; i++) {
        snprintf(shares[i], sizeof(shares[i]), "%s/share-%d.txt", folder, i + 1);
    }
    assert_int_equal(mkdir(newcomer, 0700), 0);
    HALFKEY_AT(0, laptop, "recovery", "create", "--threshold", "2", "--shares", "3", "--out", folder);
    HALFKEY_AT(0, laptop, "refresh");
    join(phone, "phone");
    join(tablet, "tablet");
    use(phone);
    HALFKEY_AT(0, phone, "refresh");
    HALFKEY_AT(0, laptop, "device", "suspend", "phone");
    halfkey_run(&run, phone, NULL, (const char *const[]){"refresh", NULL});
    assert_int_equal(run.status, 4);
    HALFKEY_AT(0, laptop, "device", "resume", "phone");
    use(phone);
    HALFKEY_AT(0, laptop, "key", "create", "late", "--suite", "ed25519");
    HALFKEY_AT(0, phone, "sign", "--key", "late", "--format", "raw", path[0], "-o", "/dev/null");
    HALFKEY_AT(0, laptop, "log", "--verify");
    HALFKEY_AT(0, phone, "log");
    HALFKEY_AT(0, laptop, "device", "list");
    HALFKEY_AT(5, laptop, "device", "promote", "tablet");
    hk_view_let_time_pass(&service);
    HALFKEY_AT(0, laptop, "device", "promote", "tablet");
    HALFKEY_AT(0, tablet, "refresh");
    HALFKEY_AT(5, tablet, "device", "promote", "phone");
    HALFKEY_AT(0, laptop, "changes");
    HALFKEY_AT(0, laptop, "changes", "approve", "promote", "phone");
    HALFKEY_AT(0, laptop, "changes", "cancel", "promote", "phone");
    HALFKEY_AT(0, laptop, "device", "revoke", "phone");
    halfkey_run(&run, phone, NULL, (const char *const[]){"refresh", NULL});
    assert_int_equal(run.status, 4);
    use(tablet);
    use(laptop);
    HALFKEY_AT(0, laptop, "key", "rotate", "git");
    HALFKEY_AT(0, laptop, "key", "delete", "old", "--yes");
    HALFKEY_AT(0, newcomer, "recover", "--service", service.line, "--device", "desk", "--no-passphrase",
               "--share", shares[0], "--share", shares[2]);
    use(newcomer);
    HALFKEY_AT(0, newcomer, "agent", "--stop");
    halfkey_run(&run, laptop, NULL, (const char *const[]){"refresh", NULL});
    assert_int_equal(run.status, 4);
}

/* What a device asks only when something broke, or what another machine asks: by the tests' own client. */
static void play_the_rest(void)
{
    static struct hk_test_device device, guest;
    static struct hk_test_enrolment enrolment;
    struct hk_message request, answer;
    hk_test_device_init(&device, &service);
    hk_test_device_init(&guest, &service);
    assert_int_equal(hk_test_create_account(&device), HK_OK);
    hk_test_request(&request, HK_OP_CREATE_STATUS, NULL);
    hk_message_set_bytes(&request, HK_F_KEY, device.key[0].id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, device.key[0].transcript, 32);
    assert_int_equal(hk_test_call_stranger(&device, &request, &answer), HK_OK);
    hk_test_device_end(&device);
    hk_test_device_init(&device, &service);
    assert_int_equal(hk_test_init(&device), HK_OK);
    assert_int_equal(hk_test_keygen(&device, HK_SUITE_ED25519, "git"), HK_OK);
    struct hk_test_key *key = device.key[0].suite->id == HK_SUITE_ED25519 ? &device.key[0] : &device.key[1];
    hk_test_request(&request, HK_OP_KEYGEN_STATUS, &device);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, key->transcript, 32);
    assert_int_equal(hk_test_call(&device, &request, &answer), HK_OK);
    assert_int_equal(hk_test_enrol(&device, &guest, &enrolment, 0), HK_OK);
    hk_test_request(&request, HK_OP_ENROL_STATUS, NULL);
    hk_message_set_bytes(&request, HK_F_ACCOUNT, device.account, HK_ACCOUNT_BYTES);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, enrolment.transcript, 32);
    assert_int_equal(hk_test_call_stranger(&guest, &request, &answer), HK_OK);
    assert_int_equal(hk_test_call(&guest, &request, &answer), HK_OK);
    hk_test_request(&request, HK_OP_FETCH_PROFILE, NULL);
    hk_message_set_bytes(&request, HK_F_ACCOUNT, device.account, HK_ACCOUNT_BYTES);
    assert_int_equal(hk_test_call_stranger(&guest, &request, &answer), HK_OK);
    static const enum hk_op proofs[] = {HK_OP_LOG_INCLUSION, HK_OP_LOG_CONSISTENCY};
    hk_test_request(&request, HK_OP_LOG_HEAD, &device);
    assert_int_equal(hk_test_call(&device, &request, &answer), HK_OK);
    uint64_t generation = answer.value[HK_F_GENERATION].number, size = answer.value[HK_F_SIZE].number;
    for (size_t i = 0; i < 2; i++) {
        hk_test_request(&request, proofs[i], &device);
        hk_message_set_u64(&request, HK_F_GENERATION, generation);
        hk_message_set_u64(&request, HK_F_START, 1);
        hk_message_set_u64(&request, HK_F_SIZE, size);
        assert_int_equal(hk_test_call(&device, &request, &answer), HK_OK);
    }
    hk_test_request(&request, HK_OP_REVOKE_BY_CERTIFICATE, NULL);
    hk_message_set_bytes(&request, HK_F_CODE, guest.code, sizeof(guest.code));
    assert_int_equal(hk_test_call_stranger(&device, &request, &answer), HK_OK);
    hk_test_device_end(&device);
    hk_test_device_end(&guest);
}

/* ---- what was seen, held against the description ---- */

struct seen {
    unsigned requests[64], answers[64], refusals, records, certificates, profiles, rows, leaves, changes,
        packets;
    struct {
        uint8_t id[HK_ID_BYTES];
        uint64_t op;
    } open[4096];
    size_t open_count;
};

static void check(const char *rule, const void *data, size_t size)
{
    if (cddl_body(cddl, rule) == NULL) {
        fail_msg("there is no rule %s", rule);
    }
    if (!cddl_matches(cddl, rule, data, size)) {
        fail_msg("a real %s does not fit its rule", rule);
    }
}

static void check_signed(const char *rule, const struct hk_value *object, unsigned *count)
{
    struct hk_cose cose;
    assert_int_equal(hk_cose_parse(&cose, object->data, object->size), HK_OK);
    check(rule, cose.payload.data, cose.payload.size);
    ++*count;
}

static void check_list(const char *rule, const struct hk_value *list, unsigned *count)
{
    for (size_t i = 0; i < list->count; i++) {
        check(rule, list->items[i].data, list->items[i].size);
        ++*count;
    }
}

/* What is inside of fields. */
static void check_objects(struct seen *seen, const struct hk_message *message)
{
    if (hk_message_has(message, HK_F_RECORD)) {
        check_signed("device-record", &message->value[HK_F_RECORD], &seen->records);
    }
    if (hk_message_has(message, HK_F_CERTIFICATE)) {
        check_signed("revocation", &message->value[HK_F_CERTIFICATE], &seen->certificates);
    }
    if (hk_message_has(message, HK_F_PROFILE)) {
        check_signed("account-profile", &message->value[HK_F_PROFILE], &seen->profiles);
    }
    bool is_status = hk_message_has(message, HK_F_KEYS); /* else it answers `changes` */
    check_list(is_status ? "device-row" : "change-row", &message->value[HK_F_ROWS],
               is_status ? &seen->rows : &seen->changes);
    check_list("recovery-packet", &message->value[HK_F_PACKETS], &seen->packets);
    check_list("log-leaf", &message->value[HK_F_LEAVES], &seen->leaves);
}

static void on_request(struct seen *seen, const struct hk_message *message, const uint8_t *data, size_t size)
{
    char rule[80];
    const struct hk_op_row *row = hk_op_row(message->value[HK_F_OP].number);
    assert_non_null(row);
    (void)snprintf(rule, sizeof(rule), "%s-request", row->name);
    check(rule, data, size);
    seen->requests[row->op]++;
    assert_true(seen->open_count < 4096);
    memcpy(seen->open[seen->open_count].id, message->value[HK_F_REQUEST].data, HK_ID_BYTES);
    seen->open[seen->open_count++].op = row->op;
}

static void on_answer(struct seen *seen, const struct hk_message *message, const uint8_t *data, size_t size)
{
    char rule[80];
    uint64_t op = 0;
    for (size_t i = 0; i < seen->open_count; i++) {
        bool same = memcmp(seen->open[i].id, message->value[HK_F_REQUEST].data, HK_ID_BYTES) == 0;
        op = same ? seen->open[i].op : op;
    }
    const struct hk_op_row *row = hk_op_row(op);
    assert_non_null(row); /* an answer to something that was asked */
    if (message->value[HK_F_ERROR].number != 0) {
        check("refusal", data, size);
        seen->refusals++;
        return;
    }
    (void)snprintf(rule, sizeof(rule), "%s-answer", row->name);
    check(rule, data, size);
    seen->answers[row->op]++;
}

static void read_traffic(struct seen *seen)
{
    static struct hk_message message;
    static uint8_t bytes[HK_PLAINTEXT_MAX];
    FILE *file = fopen(traffic, "r");
    assert_non_null(file);
    int kind;
    while ((kind = fgetc(file)) != EOF) {
        uint32_t size;
        assert_int_equal(fread(&size, sizeof(size), 1, file), 1);
        assert_true(size <= sizeof(bytes));
        assert_int_equal(fread(bytes, 1, size, file), size);
        assert_int_equal(hk_message_decode(&message, bytes, size), HK_OK);
        (kind == 'q' ? on_request : on_answer)(seen, &message, bytes, size);
        check_objects(seen, &message);
    }
    (void)fclose(file);
}

static void every_request_and_answer_of_a_life_is_as_described(void **state)
{
    (void)state;
    static struct seen seen;
    play();
    play_the_rest();
    assert_int_equal(hk_test_service_stop(&service), 0);
    read_traffic(&seen);
    for (uint64_t op = 1; op < 64; op++) {
        const struct hk_op_row *row = hk_op_row(op);
        if (row != NULL && (seen.requests[op] == 0 || seen.answers[op] == 0)) {
            fail_msg("no %s was seen (%u requests, %u answers)", row->name, seen.requests[op],
                     seen.answers[op]);
        }
    }
    assert_true(seen.refusals > 0 && seen.records > 0 && seen.certificates > 0 && seen.profiles > 0 &&
                seen.rows > 0 && seen.changes > 0 && seen.packets > 0 && seen.leaves > 0);
}

/* That the comparison can fail: under another rule, cut short, with a field more. */
static void what_is_not_as_described_is_found(void **state)
{
    (void)state;
    struct hk_message request;
    uint8_t bytes[512];
    hk_test_request(&request, HK_OP_ENROL_FETCH, NULL);
    size_t size = hk_test_encode(&request, bytes, sizeof(bytes));
    assert_true(cddl_matches(cddl, "enrol-fetch-request", bytes, size));
    assert_false(cddl_matches(cddl, "status-request", bytes, size));
    assert_false(cddl_matches(cddl, "enrol-fetch-request", bytes, size - 1));
    hk_message_set_u64(&request, HK_F_TIME, 1);
    size = hk_test_encode(&request, bytes, sizeof(bytes));
    assert_false(cddl_matches(cddl, "enrol-fetch-request", bytes, size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_as_described_is_found),
        cmocka_unit_test(every_request_and_answer_of_a_life_is_as_described),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

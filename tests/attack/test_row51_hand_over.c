/* Row 51: keys on their way to a device that was enrolled before them. The service changes, swaps, repeats
 * and keeps back what it holds for the device, and what it shows to the administrator; deposits are old, of
 * another device, or the service's own; devices are revoked before they come. The device gets the key that
 * was made, or none, and the next honest run mends it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>
#include <sqlite3.h>

#include "crypto/random.h"
#include "device/hand_channel.h"
#include "tests/support/attack.h"
#include "tests/support/home.h"
#include "tests/support/lying_service.h"
#include "tests/support/store_view.h"

static struct lying_service lying;
static struct hk_test_home laptop, phone, tablet;
static struct hk_test_output output;
static char key[16]; /* the name of the last key */

/* ---- lies ---- */

struct trick {
    const char *name;
    enum hk_op op; /* in whose answer */
    void (*play)(struct hk_job *job);
};
static const struct trick *trick; /* NULL: honest */
static atomic_uint played;

/* What the service keeps of earlier answers. */
struct kept {
    size_t size;
    uint8_t bytes[HK_STORE_BUNDLE_MAX];
};
static struct kept first_bundle, tablet_bundle, first_deposit, tablet_deposit;
static uint8_t tablet_serial[HK_ID_BYTES], phone_serial[HK_ID_BYTES];

static void keep(struct kept *kept, const struct hk_value *value)
{
    kept->size = value->size;
    memcpy(kept->bytes, value->data, value->size);
}

/* Before any lie: bundles and deposits are kept, by whose they are. */
static void remember(struct hk_job *job)
{
    const struct hk_value *relay = &job->answer.value[HK_F_RELAY];
    if (!hk_message_has(&job->answer, HK_F_RELAY)) {
        return;
    }
    bool of_tablet = job->row->op == HK_OP_HAND_FETCH
                         ? memcmp(job->device.serial, tablet_serial, HK_ID_BYTES) == 0
                         : hk_job_bytes(job, HK_F_DEVICE) != NULL &&
                               memcmp(hk_job_bytes(job, HK_F_DEVICE), tablet_serial, HK_ID_BYTES) == 0;
    if (job->row->op == HK_OP_HAND_FETCH) {
        keep(of_tablet ? &tablet_bundle : &first_bundle, relay);
    } else if (job->row->op == HK_OP_HAND_ASK) {
        keep(of_tablet ? &tablet_deposit : &first_deposit, relay);
    }
}

static bool is_about_phone(struct hk_job *job)
{
    const uint8_t *device = hk_job_bytes(job, HK_F_DEVICE);
    return memcmp(device != NULL ? device : job->device.serial, phone_serial, HK_ID_BYTES) == 0;
}

static void lie(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    (void)argument;
    if (*outcome != HK_OK || job->row == NULL) {
        return;
    }
    if (trick == NULL) {
        remember(job);
    } else if (job->row->op == trick->op && is_about_phone(job) &&
               (hk_message_has(&job->answer, HK_F_RELAY) || hk_message_has(&job->answer, HK_F_KEPT))) {
        trick->play(job);
        (void)atomic_fetch_add(&played, 1);
    }
}

static void set_relay(struct hk_job *job, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = hk_job_memory(job, size);
    memcpy(copy, bytes, size);
    hk_message_set_bytes(&job->answer, HK_F_RELAY, copy, size);
}

/* Another bit in the field, or in its first element. */
static void change(struct hk_job *job, enum hk_field field)
{
    struct hk_value *value = &job->answer.value[field];
    if (value->count == 0) {
        uint8_t *copy = hk_job_memory(job, value->size);
        memcpy(copy, value->data, value->size);
        copy[value->size / 2] ^= 1;
        value->data = copy;
        return;
    }
    struct hk_bytes *items = hk_job_memory(job, value->count * sizeof(*items));
    uint8_t *copy = hk_job_memory(job, value->items[0].size);
    memcpy(items, value->items, value->count * sizeof(*items));
    memcpy(copy, items[0].data, items[0].size);
    copy[1] ^= 1;
    items[0].data = copy;
    value->items = items;
}

static void change_bundle(struct hk_job *job)
{
    change(job, HK_F_RELAY);
}
static void change_share(struct hk_job *job)
{
    change(job, HK_F_SUBSHARES);
}
static void change_kept(struct hk_job *job)
{
    change(job, HK_F_KEPT);
}
static void change_passed(struct hk_job *job)
{
    change(job, HK_F_PASSED);
}
static void change_id(struct hk_job *job)
{
    change(job, HK_F_KEYS);
}
static void change_proof(struct hk_job *job)
{
    change(job, HK_F_PROOF);
}
static void change_deposit(struct hk_job *job)
{
    change(job, HK_F_RELAY);
}
static void drop_proof(struct hk_job *job)
{
    job->answer.present &= ~HK_BIT(HK_F_PROOF);
}
static void cut_bundle(struct hk_job *job)
{
    job->answer.value[HK_F_RELAY].size = 40;
}
static void old_bundle(struct hk_job *job)
{
    set_relay(job, first_bundle.bytes, first_bundle.size);
}
static void other_bundle(struct hk_job *job)
{
    set_relay(job, tablet_bundle.bytes, tablet_bundle.size);
}
static void old_deposit(struct hk_job *job)
{
    set_relay(job, first_deposit.bytes, first_deposit.size);
}
static void other_deposit(struct hk_job *job)
{
    set_relay(job, tablet_deposit.bytes, tablet_deposit.size);
}
static void bare_deposit(struct hk_job *job)
{
    job->answer.value[HK_F_RELAY].size = HK_HAND_MESSAGE_1_BYTES;
}

/* As if the phone lacked the account's own key. */
static void account_key(struct hk_job *job)
{
    static struct hk_key account;
    struct hk_txn *txn;
    struct hk_bytes *items = hk_job_memory(job, sizeof(*items));
    assert_int_equal(hk_store_read_begin(job->server->store, &txn), HK_OK);
    struct hk_key keys[HK_KEYS_MAX];
    size_t count;
    assert_int_equal(hk_store_list_keys(txn, job->device.account, keys, HK_KEYS_MAX, &count), HK_OK);
    for (size_t i = 0; i < count; i++) {
        account = keys[i].purpose == HK_PURPOSE_ACCOUNT ? keys[i] : account;
    }
    hk_store_read_end(txn);
    items[0] = HK_BYTES(account.id, HK_ID_BYTES);
    hk_message_set_list(&job->answer, HK_F_KEYS, items, 1);
}

/* A deposit of its own, in the phone's name: whoever answers it would tell the service the device's half. */
static void own_deposit(struct hk_job *job)
{
    struct hk_device admin;
    struct hk_secret32 own, ephemeral;
    uint8_t public[32], message[HK_HAND_MESSAGE_1_BYTES];
    struct hk_txn *txn;
    struct hk_hand_parties parties = {
        .account = job->device.account, .administrator = job->device.serial, .device = phone_serial};
    assert_int_equal(hk_store_read_begin(job->server->store, &txn), HK_OK);
    assert_int_equal(hk_store_get_device(txn, job->device.serial, &admin), HK_OK);
    hk_store_read_end(txn);
    hk_noise_keypair(&own, public);
    hk_noise_keypair(&ephemeral, public);
    assert_int_equal(hk_hand_make(message, &parties, &own, admin.static_key, &ephemeral), HK_OK);
    set_relay(job, message, sizeof(message));
}

static const struct trick at_the_phone[] = {
    {"the bundle changed", HK_OP_HAND_FETCH, change_bundle},
    {"the bundle cut short", HK_OP_HAND_FETCH, cut_bundle},
    {"the bundle of an earlier hand-over", HK_OP_HAND_FETCH, old_bundle},
    {"the bundle of another device", HK_OP_HAND_FETCH, other_bundle},
    {"b changed", HK_OP_HAND_FETCH, change_share},
    {"Q changed", HK_OP_HAND_FETCH, change_kept},
    {"Q' changed", HK_OP_HAND_FETCH, change_passed},
    {"another key's id", HK_OP_HAND_FETCH, change_id}};
static const struct trick at_the_laptop[] = {
    {"the deposit changed", HK_OP_HAND_ASK, change_deposit},
    {"the deposit of another device", HK_OP_HAND_ASK, other_deposit},
    {"a deposit of the service's own", HK_OP_HAND_ASK, own_deposit},
    {"the deposit without its proof", HK_OP_HAND_ASK, bare_deposit},
    {"the account's own key called missing", HK_OP_HAND_ASK, account_key},
    {"the service's proof changed", HK_OP_HAND_OFFER, change_proof},
    {"the service's proof left out", HK_OP_HAND_OFFER, drop_proof},
    {"Q changed on its way to the administrator", HK_OP_HAND_OFFER, change_kept},
    {"Q' changed on its way to the administrator", HK_OP_HAND_OFFER, change_passed}};

/* ---- the world ---- */

static void make_key(void)
{
    static int number;
    (void)snprintf(key, sizeof(key), "key%d", number++);
    HK_EXPECT(&laptop, 0, NULL, "key", "create", key, "--suite", "ed25519");
}

static int sign(struct hk_test_home *home)
{
    return HK_RUN(home, &output, "sign", "--key", key, "--format", "raw", "/dev/null");
}

static void serial_of(const char *quoted, uint8_t serial[HK_ID_BYTES])
{
    assert_int_equal(HK_RUN(&laptop, &output, "device", "list", "--json"), 0);
    const char *at = strstr(output.out, quoted);
    assert_non_null(at);
    at = strstr(at, "\"serial\":");
    assert_non_null(at);
    at = strchr(at + strlen("\"serial\":"), '"');
    assert_non_null(at);
    assert_int_equal(sodium_hex2bin(serial, HK_ID_BYTES, at + 1, 32, NULL, NULL, NULL), 0);
}

/* Where `init` has put the revocation certificate. */
static const char *certificate_of(const struct hk_test_home *home, const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/revoke-%s.cert", home->path, name);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    trick = NULL;
    lying_start(&lying);
    lying_tell(lie, NULL);
    hk_test_home_init(&laptop, &lying.service, "laptop");
    hk_test_home_init(&phone, &lying.service, "phone");
    hk_test_home_init(&tablet, &lying.service, "tablet");
    hk_test_home_account(&laptop, &lying.service, "laptop");
    hk_test_home_pair(&laptop, &phone, "phone");
    hk_test_home_pair(&laptop, &tablet, "tablet");
    serial_of("\"phone\"", phone_serial);
    serial_of("\"tablet\"", tablet_serial);
    make_key();
    assert_int_equal(sign(&phone), 0);
    assert_int_equal(sign(&tablet), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_home_end(&laptop);
    hk_test_home_end(&phone);
    hk_test_home_end(&tablet);
    lying_stop(&lying);
    return 0;
}

/* The service has this deposit of the phone's in its store, and is consistent about it in all that it says.
 */
static void put_deposit(const uint8_t *bytes, size_t size)
{
    char path[300];
    sqlite3 *db;
    sqlite3_stmt *statement;
    (void)snprintf(path, sizeof(path), "%s/data/store.db", lying.service.directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "UPDATE hands SET deposit = ?, transcript = NULL, sealed = NULL,"
                                        " bundle = NULL WHERE device = (SELECT number FROM devices WHERE"
                                        " name = 'phone' AND state = 1)",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(statement, 1, bytes, (int)size, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

/* An honest run mends what the lie has broken: the device leaves another deposit, and is dealt to anew. */
static void assert_mended(void)
{
    trick = NULL;
    if (HK_RUN(&laptop, &output, "device", "update", "phone") != 0 || sign(&phone) != 0) {
        fail_msg("afterwards: %s", output.err);
    }
}

static void row51_a_device_takes_what_its_administrator_dealt_or_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(at_the_phone) / sizeof(*at_the_phone); i++) {
        make_key();
        assert_int_equal(sign(&tablet), 0); /* so there is a bundle of the tablet's for the same key */
        atomic_store(&played, 0);
        trick = &at_the_phone[i];
        assert_int_equal(sign(&phone), 1);
        assert_non_null(strstr(output.err, "no half"));
        assert_true(atomic_load(&played) > 0);
        assert_mended();
        hk_tried("to the device: %s", at_the_phone[i].name);
    }
}

static void row51_an_administrator_answers_the_device_of_today_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(at_the_laptop) / sizeof(*at_the_laptop); i++) {
        atomic_store(&played, 0);
        trick = &at_the_laptop[i];
        make_key(); /* the key is there in any case */
        assert_true(atomic_load(&played) > 0);
        assert_int_equal(HK_RUN(&laptop, &output, "device", "update", "phone"), 1);
        assert_true(output.err[0] != '\0');
        assert_int_equal(sign(&phone), 1);
        assert_mended();
        hk_tried("to the administrator: %s", at_the_laptop[i].name);
    }
}

/* A copy of the phone's file has the secret of the deposit and the proof that was good then; and whoever has
 * the static key can make a deposit without a proof. The service helps. */
static void row51_a_copy_of_a_device_and_the_service_are_dealt_nothing(void **state)
{
    (void)state;
    trick = NULL;
    make_key(); /* an honest hand-over, whose deposit the service keeps */
    struct kept copy = first_deposit;
    assert_int_equal(sign(&phone), 0);
    HK_EXPECT(&phone, 0, NULL, "refresh");
    put_deposit(copy.bytes, copy.size);
    make_key();
    HK_EXPECT(&laptop, 1, "halves of today", "device", "update", "phone");
    assert_int_equal(sign(&phone), 1);
    assert_mended();
    hk_tried("a deposit of the epoch before, in the store");
    make_key();
    put_deposit(copy.bytes, HK_HAND_MESSAGE_1_BYTES);
    HK_EXPECT(&laptop, 1, "halves of today", "device", "update", "phone");
    assert_int_equal(sign(&phone), 1);
    assert_mended();
    hk_tried("a deposit without a proof, in the store");
}

/* D = X - [s]B for an s of the service's choice: it can prove its part, and nobody the other. */
static struct hk_scalar chosen;

static void prove_chosen(struct hk_job *job)
{
    const struct hk_open_enrolment *hand = job->state;
    struct hk_hand_deposit deposit;
    struct hk_point point;
    uint8_t transcript[32], *proof = hk_job_memory(job, HK_SCHNORR_ED25519_BYTES);
    assert_int_equal(hk_hand_deposit_open(&deposit, first_deposit.bytes, first_deposit.size), HK_OK);
    hk_edwards25519.base_mul(&point, &chosen);
    hk_hand_service_transcript(transcript, hand->transcript, deposit.key);
    hk_schnorr_prove(proof, &hk_edwards25519, transcript, HK_PROVER_SERVICE, &point, &chosen);
    hk_message_set_bytes(&job->answer, HK_F_PROOF, proof, HK_SCHNORR_ED25519_BYTES);
}

static void row51_a_point_that_nobody_knows_the_half_of_proves_nothing(void **state)
{
    (void)state;
    static const struct trick rogue = {"", HK_OP_HAND_OFFER, prove_chosen};
    struct hk_hand_deposit deposit;
    struct hk_key public;
    struct hk_txn *txn;
    struct hk_point whole, point;
    struct hk_device device;
    trick = NULL;
    make_key();
    assert_int_equal(sign(&phone), 0);
    make_key(); /* so that the deposit that is kept is the one that the phone has the secret of */
    assert_int_equal(hk_hand_deposit_open(&deposit, first_deposit.bytes, first_deposit.size), HK_OK);
    assert_int_equal(hk_store_read_begin(lying.server->store, &txn), HK_OK);
    assert_int_equal(hk_store_get_device(txn, phone_serial, &device), HK_OK);
    assert_int_equal(hk_store_get_key(txn, device.account, deposit.key, &public), HK_OK);
    hk_store_read_end(txn);
    hk_scalar_random(&hk_edwards25519, &chosen);
    assert_int_equal(hk_edwards25519.point_decode(&whole, public.public_key), HK_OK);
    hk_edwards25519.base_mul(&point, &chosen);
    hk_edwards25519.point_sub(&point, &whole, &point);
    memcpy(first_deposit.bytes + HK_HAND_MESSAGE_1_BYTES + HK_ID_BYTES, point.bytes, 32);
    put_deposit(first_deposit.bytes, first_deposit.size);
    trick = &rogue;
    atomic_store(&played, 0);
    HK_EXPECT(&laptop, 1, "halves of today", "device", "update", "phone");
    assert_true(atomic_load(&played) > 0);
    assert_int_equal(sign(&phone), 1);
    assert_mended();
    hk_tried("a deposit with a point that fits the service's");
}

/* Within the epoch the proof holds, but the phone has wiped the secret: nobody can open the answer. */
static void row51_a_used_deposit_is_answered_to_nobody(void **state)
{
    (void)state;
    static const struct trick replay = {"", HK_OP_HAND_ASK, old_deposit};
    make_key();
    struct kept copy = first_deposit;
    assert_int_equal(sign(&phone), 0);
    first_deposit = copy;
    trick = &replay;
    make_key();
    assert_int_equal(sign(&phone), 1);
    assert_mended();
    hk_tried("a deposit that was used, shown again");
}

static void assert_all_is_well(void)
{
    struct hk_test_home *homes[] = {&laptop, &phone, &tablet};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(HK_RUN(homes[i], &output, "log", "--verify"), 0);
        assert_int_equal(sign(homes[i]), 0);
    }
}

static void row51_what_waits_dies_with_its_device_and_its_giver(void **state)
{
    (void)state;
    const char *waiting = "SELECT count(*) FROM hands WHERE bundle IS NOT NULL OR sealed IS NOT NULL";
    trick = NULL;
    assert_all_is_well(); /* after all that was tried */
    make_key();
    assert_int_equal(sign(&tablet), 0);
    assert_int_equal(hk_view_number(&lying.service, waiting), 1);
    HK_EXPECT(&laptop, 0, NULL, "device", "revoke", "phone");
    assert_int_equal(hk_view_number(&lying.service, waiting), 0);
    HK_EXPECT(&phone, 4, "revoked", "sign", "--key", key, "--format", "raw", "/dev/null");
    HK_EXPECT(&laptop, 1, "no device 'phone'", "device", "update", "phone");
    hk_tried("a revoked device comes for its keys");
    make_key();
    assert_int_equal(hk_view_number(&lying.service, waiting), 1);
    assert_int_equal(HK_RUN(&laptop, &output, "revoke", "--service", lying.service.line, "--certificate",
                            certificate_of(&laptop, "laptop")),
                     0);
    assert_int_equal(hk_view_number(&lying.service, waiting), 0);
    assert_int_not_equal(sign(&tablet), 0);
    hk_tried("a device comes for keys of an administrator that was revoked meanwhile");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row51_a_device_takes_what_its_administrator_dealt_or_nothing),
        cmocka_unit_test(row51_an_administrator_answers_the_device_of_today_alone),
        cmocka_unit_test(row51_a_copy_of_a_device_and_the_service_are_dealt_nothing),
        cmocka_unit_test(row51_a_point_that_nobody_knows_the_half_of_proves_nothing),
        cmocka_unit_test(row51_a_used_deposit_is_answered_to_nobody),
        cmocka_unit_test(row51_what_waits_dies_with_its_device_and_its_giver)};
    return HK_ATTACK_ROW_IN(51, tests, set_up, tear_down);
}

/* Row 13: every operation with every name that the victim has, asked by whom it is not for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "tests/support/attack.h"
#include "tests/support/store_view.h"

static struct hk_attack attack;
static struct hk_test_device mallory;    /* an administrator of another account */
static struct hk_test_device accomplice; /* and its ordinary device */
static struct hk_test_enrolment enrolment, invitation;
static struct hk_test_device guest; /* the victim's, not yet enrolled */

struct victim {
    uint8_t account[HK_ACCOUNT_BYTES], device[HK_ID_BYTES], key[HK_ID_BYTES], tag[HK_TAG_BYTES];
    uint8_t gate_hash[32], transcript[32];
    uint64_t epoch;
};
static struct victim nobodys; /* the same in all of a test: guesses at gates are counted by account */

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    hk_test_device_init(&mallory, &attack.service);
    hk_test_device_init(&accomplice, &attack.service);
    hk_test_device_init(&guest, &attack.service);
    assert_int_equal(hk_test_init(&mallory), HK_OK);
    assert_int_equal(hk_test_keygen(&mallory, HK_SUITE_ED25519, "git"), HK_OK);
    assert_int_equal(hk_test_enrol(&mallory, &accomplice, &enrolment, 0), HK_OK);
    assert_int_equal(hk_test_enrol(&attack.laptop, &guest, &invitation, 2), HK_OK); /* joined, and no more */
    hk_random(&nobodys, sizeof(nobodys));
    nobodys.epoch = attack.laptop.epoch;
    hk_attack_also(&attack, &mallory);
    hk_attack_also(&attack, &accomplice);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_device_end(&mallory);
    hk_test_device_end(&accomplice);
    hk_test_device_end(&guest);
    hk_attack_end(&attack);
    return 0;
}

/* ---- names ---- */

static const enum hk_field names[] = {HK_F_ACCOUNT, HK_F_DEVICE,    HK_F_KEY,
                                      HK_F_TAG,     HK_F_GATE_HASH, HK_F_TRANSCRIPT};
#define NAMES (sizeof(names) / sizeof(*names))

static void of_victim(struct victim *out)
{
    const struct hk_test_key *key = hk_test_key_of(&attack.laptop, HK_SUITE_ED25519);
    memcpy(out->account, attack.laptop.account, HK_ACCOUNT_BYTES);
    memcpy(out->device, attack.phone.serial, HK_ID_BYTES);
    memcpy(out->key, key->id, HK_ID_BYTES);
    memcpy(out->tag, attack.laptop.tag, HK_TAG_BYTES);
    memcpy(out->gate_hash, invitation.gate_hash, 32);
    memcpy(out->transcript, key->transcript, 32);
    out->epoch = attack.laptop.epoch;
}

static const uint8_t *name_of(const struct victim *victim, enum hk_field field)
{
    switch (field) {
    case HK_F_ACCOUNT:
        return victim->account;
    case HK_F_DEVICE:
        return victim->device;
    case HK_F_KEY:
        return victim->key;
    case HK_F_TAG:
        return victim->tag;
    case HK_F_GATE_HASH:
        return victim->gate_hash;
    default:
        return victim->transcript;
    }
}

/* A request that has every field its row wants, with nothing in it that could succeed; names of `own` where
 * a device has some. */
static void fill(struct hk_message *request, const struct hk_op_row *row, const struct hk_test_device *own)
{
    static const uint8_t zeros[128];
    hk_test_request(request, row->op, NULL);
#define FILL_HK_U64(id, min) hk_message_set_u64(request, id, 1);
#define FILL_HK_BSTR(id, min) hk_message_set_bytes(request, id, zeros, min);
#define FILL_HK_TSTR(id, min) hk_message_set_text(request, id, "x");
#define FILL_HK_LIST(id, min) hk_message_set_array(request, id, zeros, min, 1);
#define FILL(id, number, name, type, min, max)                                                               \
    if ((row->request & HK_BIT(id)) != 0 && !hk_message_has(request, id)) {                                  \
        FILL_##type(id, min)                                                                                 \
    }
    HK_FIELDS(FILL)
    if (own != NULL && ((row->request | row->request_optional) & HK_BIT(HK_F_TAG)) != 0) {
        hk_message_set_bytes(request, HK_F_ACCOUNT, own->account, HK_ACCOUNT_BYTES);
        hk_message_set_u64(request, HK_F_EPOCH, own->epoch);
        hk_message_set_bytes(request, HK_F_TAG, own->tag, HK_TAG_BYTES);
    }
}

/* Puts the names of a set (a bit each) into the request; false if it has no place for any of them. */
static bool put_names(struct hk_message *request, const struct victim *victim, unsigned set)
{
    bool any = false;
    for (size_t i = 0; i < NAMES; i++) {
        if ((set >> i & 1) != 0 && hk_message_has(request, names[i])) {
            hk_message_set_bytes(request, names[i], name_of(victim, names[i]), request->value[names[i]].size);
            any = true;
            if (names[i] == HK_F_TAG) {
                hk_message_set_u64(request, HK_F_EPOCH, victim->epoch);
            }
        }
    }
    return any;
}

#define FOR_EACH_OP(row)                                                                                     \
    for (uint64_t op_ = 1; op_ < 64; op_++)                                                                  \
        for (const struct hk_op_row *row = hk_op_row(op_); row != NULL; row = NULL)

typedef enum hk_error asks(struct hk_test_device *device, const struct hk_message *request,
                           struct hk_message *answer);

/* Asks with the victim's names and with nobody's: both are refused, and the answers are the same bytes. */
static void ask_both(const char *who, asks *ask, struct hk_test_device *device,
                     const struct hk_test_device *by, const struct hk_op_row *row, unsigned set)
{
    static struct hk_message request, answer;
    static uint8_t known[HK_PLAINTEXT_MAX], unknown[HK_PLAINTEXT_MAX];
    struct victim victim;
    of_victim(&victim);
    fill(&request, row, by);
    if (!put_names(&request, &victim, set)) {
        return;
    }
    hk_watch(&attack);
    enum hk_error got = ask(device, &request, &answer);
    size_t known_size = hk_test_last_answer(known);
    if (got == HK_OK) { /* nothing of the victim's is in it, or it could not be the same as nobody's */
        fill(&request, row, by);
        assert_true(put_names(&request, &nobodys, set));
        /* a key of the same id, or the end of a change that nobody asked for, in its own account */
        assert_true(row->op == HK_OP_KEYGEN_START || row->op == HK_OP_CHANGE_CANCEL);
        assert_int_equal(ask(device, &request, &answer), HK_OK);
        if (row->op == HK_OP_CHANGE_CANCEL) {
            uint8_t after[32];
            hk_view_digest(after, &attack.service, false);
            assert_memory_equal(after, attack.digest[0], sizeof(after));
        }
        hk_test_hang_up(device); /* the run dies with its session */
        return;
    }
    hk_refused(&attack, by, row->op, got, got, "%s: %s with names %x of the victim", who, row->name, set);
    fill(&request, row, by);
    assert_true(put_names(&request, &nobodys, set));
    assert_int_equal(ask(device, &request, &answer), got);
    size_t unknown_size = hk_test_last_answer(unknown);
    assert_int_equal(known_size, unknown_size);
    assert_memory_equal(known, unknown, known_size);
}

static void ask_everything(const char *who, asks *ask, struct hk_test_device *device,
                           const struct hk_test_device *by)
{
    /* an ordinary device that shows another tag has a stale copy somewhere, and is suspended: row 17 */
    unsigned tag = by == &accomplice ? 1U << 3 : 0;
    assert_int_equal(names[3], HK_F_TAG);
    FOR_EACH_OP(row)
    {
        if (ask == hk_test_call_stranger && row->op == HK_OP_FETCH_PROFILE) {
            continue; /* the one thing that is for whoever knows an account's name */
        }
        for (size_t i = 0; i < NAMES; i++) {
            ask_both(who, ask, device, by, row, 1U << i & ~tag);
            for (size_t j = 0; j < i; j++) {
                ask_both(who, ask, device, by, row, (1U << i | 1U << j) & ~tag);
            }
        }
        ask_both(who, ask, device, by, row, ((1U << NAMES) - 1) & ~tag);
    }
}

/* ---- who asks ---- */

static void row13_a_stranger_gets_nothing_and_cannot_tell_an_account_from_none(void **state)
{
    (void)state;
    ask_everything("stranger", hk_test_call_stranger, &mallory, NULL);
}

static void row13_a_stranger_may_ask_only_what_strangers_may(void **state)
{
    (void)state;
    struct hk_message request, answer;
    FOR_EACH_OP(row)
    {
        if ((row->callers & HK_STRANGER) == 0) {
            fill(&request, row, &attack.laptop);
            hk_watch(&attack);
            enum hk_error got = hk_test_call_stranger(&attack.phone, &request, &answer);
            hk_refused(&attack, NULL, row->op, got, HK_NOT_ALLOWED, "stranger: %s", row->name);
        }
    }
}

static void row13_another_accounts_administrator_gets_nothing(void **state)
{
    (void)state;
    ask_everything("administrator", hk_test_call, &mallory, &mallory);
}

static void row13_another_accounts_device_gets_nothing(void **state)
{
    (void)state;
    uint8_t signature[64]; /* until its first use it may still repeat its own enrolment's last question */
    assert_int_equal(hk_test_sign(&accomplice, hk_test_key_of(&accomplice, HK_SUITE_ED25519), HK_SIGN_RAW,
                                  "x", 1, signature),
                     HK_OK);
    ask_everything("device", hk_test_call, &accomplice, &accomplice);
}

static void row13_an_ordinary_device_may_not_ask_what_administrators_may(void **state)
{
    (void)state;
    struct hk_message request, answer;
    uint8_t signature[64];
    struct hk_test_device *phone = &attack.phone;
    assert_int_equal(
        hk_test_sign(phone, hk_test_key_of(phone, HK_SUITE_ED25519), HK_SIGN_RAW, "x", 1, signature), HK_OK);
    FOR_EACH_OP(row)
    {
        if ((row->callers & HK_DEVICE) == 0) {
            fill(&request, row, phone);
            hk_watch(&attack);
            enum hk_error got = hk_test_call(phone, &request, &answer);
            hk_refused(&attack, phone, row->op, got, HK_NOT_ALLOWED, "ordinary device: %s", row->name);
        }
    }
}

/* A device that another account is enrolling. */
static void row13_a_device_that_is_being_enrolled_elsewhere_gets_nothing(void **state)
{
    (void)state;
    static struct hk_test_device newcomer;
    static struct hk_test_enrolment unfinished;
    hk_test_device_init(&newcomer, &attack.service);
    assert_int_equal(hk_test_enrol(&mallory, &newcomer, &unfinished, 5), HK_OK);
    ask_everything("newcomer", hk_test_call, &newcomer, NULL);
    hk_test_device_end(&newcomer);
}

static void row13_a_revoked_device_is_told_so_and_gets_nothing(void **state)
{
    (void)state;
    struct hk_message request, answer;
    struct hk_test_device *phone = &attack.phone;
    hk_test_request(&request, HK_OP_REVOKE, &attack.laptop);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, attack.enrolment.certificate,
                         attack.enrolment.certificate_size);
    assert_int_equal(hk_test_call(&attack.laptop, &request, &answer), HK_OK);
    hk_test_hang_up(phone);
    FOR_EACH_OP(row)
    {
        for (int i = 0; i < 2; i++) { /* with its own names, and with those of the administrator */
            fill(&request, row, i == 0 ? phone : &attack.laptop);
            hk_watch(&attack);
            enum hk_error got = hk_test_call(phone, &request, &answer);
            hk_refused(&attack, phone, row->op, got, HK_REVOKED, "revoked: %s %d", row->name, i);
        }
    }
}

/* A machine whose key nobody knows does not even get a session, whatever it would ask. */
static void row13_an_unknown_device_gets_no_session(void **state)
{
    (void)state;
    static struct hk_test_device nobody;
    static struct hk_message request, answer;
    FOR_EACH_OP(row)
    {
        hk_test_device_init(&nobody, &attack.service);
        fill(&request, row, &attack.laptop);
        hk_watch(&attack);
        enum hk_error got = hk_test_call(&nobody, &request, &answer);
        hk_refused(&attack, NULL, row->op, got, HK_UNKNOWN_DEVICE, "unknown device: %s", row->name);
        hk_test_device_end(&nobody);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row13_a_stranger_gets_nothing_and_cannot_tell_an_account_from_none),
        TEST(row13_a_stranger_may_ask_only_what_strangers_may),
        TEST(row13_another_accounts_administrator_gets_nothing),
        TEST(row13_another_accounts_device_gets_nothing),
        TEST(row13_an_ordinary_device_may_not_ask_what_administrators_may),
        TEST(row13_a_device_that_is_being_enrolled_elsewhere_gets_nothing),
        TEST(row13_a_revoked_device_is_told_so_and_gets_nothing),
        TEST(row13_an_unknown_device_gets_no_session),
    };
    return HK_ATTACK_ROW(13, tests);
}

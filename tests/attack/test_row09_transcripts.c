/* Row 9: proofs bound to another session, to none, or to a list that reads the same when it is strung
 * together (the fault of TSSHOCK). Every kind of proof that travels, in both directions. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "crypto/agreement.h"
#include "crypto/dleq.h"
#include "crypto/enrolment.h"
#include "crypto/random.h"
#include "protocol/sid.h"
#include "tests/support/attack.h"

static struct hk_attack attack;
static const struct hk_group *const group = &hk_edwards25519;

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&attack);
    return 0;
}

/* ---- transcripts that are not the right one ---- */

#define ARGUMENTS_MAX 16
struct list {
    const char *label;
    size_t count;
    struct hk_bytes argument[ARGUMENTS_MAX];
};

static const char *const ways[] = {"no names at all",
                                   "all zeros",
                                   "strung together",
                                   "a boundary one byte later",
                                   "the last boundary one byte earlier",
                                   "two arguments as one",
                                   "an empty argument more",
                                   "the first argument missing",
                                   "the first argument empty",
                                   "another label",
                                   "the first two changed for one another"};
#define WAYS (sizeof(ways) / sizeof(*ways))

/* The list as a way that does not tell lists apart would read it, hashed as ours. */
static void wrong_transcript(uint8_t out[32], const struct list *right, size_t way)
{
    static uint8_t whole[2048];
    struct list list = *right;
    size_t size = 0;
    for (size_t i = 0; i < list.count; i++) {
        memcpy(whole + size, list.argument[i].data, list.argument[i].size);
        size += list.argument[i].size;
    }
    struct hk_bytes *argument = list.argument, *last = &list.argument[list.count - 1];
    switch (way) {
    case 0:
        list.count = 0;
        break;
    case 1:
        memset(out, 0, 32);
        return;
    case 2:
        argument[0] = HK_BYTES(whole, size);
        list.count = 1;
        break;
    case 3:
        argument[0] = HK_BYTES(whole, argument[0].size + 1);
        argument[1] = HK_BYTES((const uint8_t *)argument[1].data + 1, argument[1].size - 1);
        break;
    case 4:
        last[-1].size--;
        *last = HK_BYTES(whole + size - last->size - 1, last->size + 1);
        break;
    case 5:
        argument[0] = HK_BYTES(whole, argument[0].size + argument[1].size);
        memmove(argument + 1, argument + 2, (list.count - 2) * sizeof(*argument));
        list.count--;
        break;
    case 6:
        list.argument[list.count++] = HK_BYTES(whole, 0);
        break;
    case 7:
        memmove(argument, argument + 1, (list.count - 1) * sizeof(*argument));
        list.count--;
        break;
    case 8:
        argument[0].size = 0;
        break;
    case 9:
        list.label = "other";
        break;
    default: {
        struct hk_bytes first = argument[0];
        argument[0] = argument[1];
        argument[1] = first;
    }
    }
    hk_hash_name(out, list.label, (uint32_t)list.count, list.argument);
}

/* ---- key generation and import: proofs over sid ---- */

static uint8_t u64s[2][8];

static void sid_list(struct list *list, const struct hk_keygen_names *names)
{
    memset(u64s, 0, sizeof(u64s));
    u64s[0][7] = (uint8_t)names->suite->id;
    u64s[1][7] = (uint8_t)names->suite->purpose;
    *list = (struct list){"sid",
                          8,
                          {names->handshake, HK_BYTES(names->request_id, 16), names->account,
                           HK_BYTES(u64s[0], 8), HK_BYTES(u64s[1], 8), HK_BYTES(names->key_id, 16),
                           HK_BYTES(names->device_key, 32), HK_BYTES(names->service_key, 32)}};
}

static size_t way;
static bool other_session;

static void prove_wrongly(struct hk_keygen_device *run, void *argument)
{
    struct list list;
    struct hk_point point;
    uint8_t sid[32], right[32], handshake[64];
    struct hk_keygen_names names = *hk_test_keygen_names();
    (void)argument;
    sid_list(&list, &names);
    hk_hash_name(right, list.label, (uint32_t)list.count, list.argument);
    assert_memory_equal(right, run->sid, 32); /* so that only what is changed is wrong */
    if (other_session) {                      /* one that is open beside it */
        memcpy(handshake, hk_channel_session(attack.bystander.channel)->handshake_hash, 64);
        names.handshake = HK_BYTES(handshake, 64);
        hk_keygen_sid(sid, &names);
    } else {
        wrong_transcript(sid, &list, way);
    }
    assert_memory_not_equal(sid, right, 32);
    assert_int_equal(group->point_decode(&point, run->point), HK_OK);
    hk_schnorr_prove(run->proof, group, sid, HK_PROVER_DEVICE, &point, &run->half);
}

static void watch_op(struct hk_message *request, void *argument)
{
    if (request->value[HK_F_OP].number == (uint64_t) * (const enum hk_op *)argument) {
        hk_watch(&attack);
    }
}

static void generate_wrongly(const char *name)
{
    static enum hk_op finish = HK_OP_KEYGEN_FINISH, create = HK_OP_CREATE_FINISH;
    static struct hk_test_device stranger;
    hk_test_lie_in_keygen(prove_wrongly, NULL, NULL);
    hk_test_change_requests(watch_op, &finish);
    enum hk_error got = hk_test_keygen(&attack.laptop, HK_SUITE_X25519, "wrong");
    hk_refused(&attack, &attack.laptop, finish, got, HK_BAD_PROOF, "keygen-finish: %s", name);
    hk_test_change_requests(watch_op, &create);
    hk_test_device_init(&stranger, &attack.service);
    got = hk_test_create_account(&stranger);
    hk_test_device_end(&stranger);
    hk_test_change_requests(NULL, NULL);
    hk_test_lie_in_keygen(NULL, NULL, NULL);
    hk_refused(&attack, NULL, create, got, HK_BAD_PROOF, "create-finish: %s", name);
}

static void row09_a_key_generations_proof_is_bound_to_its_session_and_names(void **state)
{
    (void)state;
    for (way = 0; way < WAYS; way++) {
        generate_wrongly(ways[way]);
    }
    other_session = true;
    generate_wrongly("the session of another device");
    other_session = false;
}

/* An import's proof, made for what is sent in a session that is not this one. */
static void prove_import_wrongly(struct hk_message *request, void *argument)
{
    static uint8_t proof[64];
    struct list list;
    uint8_t sid[32];
    struct hk_scalar half = *(const struct hk_scalar *)argument, service;
    struct hk_point point;
    if (request->value[HK_F_OP].number != HK_OP_KEY_IMPORT) {
        return;
    }
    assert_int_equal(group->scalar_decode(&service, request->value[HK_F_SCALAR].data), HK_OK);
    group->scalar_sub(&half, &half, &service); /* d = x - s */
    struct hk_keygen_names names = {
        .handshake = HK_BYTES(hk_channel_session(attack.laptop.channel)->handshake_hash, HK_HASH_BYTES),
        .request_id = request->value[HK_F_REQUEST].data,
        .account = HK_BYTES(attack.laptop.account, HK_ACCOUNT_BYTES),
        .suite = hk_suite_by_id(HK_SUITE_ED25519),
        .key_id = request->value[HK_F_KEY].data,
        .device_key = attack.laptop.static_public,
        .service_key = attack.service.address.service_key};
    sid_list(&list, &names);
    wrong_transcript(sid, &list, way);
    group->base_mul(&point, &half);
    assert_memory_equal(point.bytes, request->value[HK_F_POINT].data, 32);
    hk_schnorr_prove(proof, group, sid, HK_PROVER_DEVICE, &point, &half);
    hk_message_set_bytes(request, HK_F_PROOF, proof, 64);
    hk_watch(&attack);
}

static void row09_an_imports_proof_is_bound_to_its_session_and_names(void **state)
{
    (void)state;
    struct hk_scalar x;
    hk_scalar_random(group, &x);
    hk_test_change_requests(prove_import_wrongly, &x);
    for (way = 0; way < WAYS; way++) {
        enum hk_error got = hk_test_import(&attack.laptop, HK_SUITE_ED25519, "wrong", x.bytes);
        hk_refused(&attack, &attack.laptop, HK_OP_KEY_IMPORT, got, HK_BAD_PROOF, "key-import: %s", ways[way]);
    }
    hk_test_change_requests(NULL, NULL);
    assert_int_equal(hk_test_import(&attack.laptop, HK_SUITE_ED25519, "right", x.bytes), HK_OK);
}

/* ---- refresh ---- */

static void prove_epoch(struct hk_test_epoch *next, const uint8_t transcript[32])
{
    for (size_t i = 0; i < attack.phone.key_count; i++) {
        struct hk_point point;
        group->base_mul(&point, &next->half[i]);
        hk_schnorr_prove(next->proofs[i], group, transcript, HK_PROVER_DEVICE, &point, &next->half[i]);
    }
}

static void row09_a_confirms_proofs_are_bound_to_their_refresh(void **state)
{
    (void)state;
    struct hk_test_epoch next, earlier, wrong;
    struct hk_refresh names;
    uint8_t transcript[32];
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&attack.phone, &next), HK_OK);
    earlier = next;
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(&attack.phone, &next), HK_OK); /* replaces it */
    hk_test_refresh_names(&attack.phone, &next, &names);
    struct list list = {"refresh/2",
                        4,
                        {HK_BYTES(names.ref, 32), HK_BYTES(names.device_seed.bytes, 32),
                         HK_BYTES(names.service_seed.bytes, 32), HK_BYTES(names.new_tag, 16)}};
#define CONFIRM(name)                                                                                        \
    do {                                                                                                     \
        hk_watch(&attack);                                                                                   \
        enum hk_error got = hk_test_confirm(&attack.phone, &wrong);                                          \
        hk_refused(&attack, &attack.phone, HK_OP_REFRESH_CONFIRM, got, HK_BAD_PROOF, "refresh-confirm: %s",  \
                   name);                                                                                    \
    } while (0)
    for (way = 0; way < WAYS; way++) {
        wrong = next;
        wrong_transcript(transcript, &list, way);
        prove_epoch(&wrong, transcript);
        CONFIRM(ways[way]);
    }
    wrong = next;
    hk_test_refresh_names(&attack.phone, &earlier, &names);
    for (size_t i = 0; i < attack.phone.key_count; i++) {
        hk_refresh_confirm(wrong.proofs[i], group, &names, &next.half[i]);
    }
    CONFIRM("the names of an earlier refresh");
    memcpy(wrong.proofs, earlier.proofs, sizeof(wrong.proofs));
    CONFIRM("the proofs of an earlier refresh");
    memcpy(wrong.proofs[0], next.proofs[1], 64);
    memcpy(wrong.proofs[1], next.proofs[0], 64);
    CONFIRM("proofs of the keys changed for one another");
    assert_int_equal(hk_test_confirm(&attack.phone, &next), HK_OK);
    hk_test_adopt(&attack.phone, &next);
}

/* ---- enrolment ---- */

static void row09_a_new_devices_proofs_are_bound_to_its_enrolment(void **state)
{
    (void)state;
    static struct hk_test_device guest;
    static struct hk_test_enrolment enrolment;
    uint8_t good[HK_TEST_KEYS][64], transcript[32];
    hk_test_device_init(&guest, &attack.service);
    assert_int_equal(hk_test_enrol(&attack.laptop, &guest, &enrolment, 5), HK_OK);
    memcpy(good, enrolment.proofs, sizeof(good));
    for (way = 0; way < WAYS; way++) {
        for (size_t i = 0; i < enrolment.count; i++) {
            struct list list = {
                "enrol/proof", 2, {HK_BYTES(enrolment.transcript, 32), HK_BYTES(guest.key[i].id, 16)}};
            struct hk_point point;
            wrong_transcript(transcript, &list, way);
            group->base_mul(&point, &guest.key[i].half);
            hk_schnorr_prove(enrolment.proofs[i], group, transcript, HK_PROVER_DEVICE, &point,
                             &guest.key[i].half);
        }
        hk_watch(&attack);
        enum hk_error got = hk_test_enrol_on(&attack.laptop, &guest, &enrolment, 5, 0);
        hk_refused(&attack, NULL, HK_OP_ENROL_CONFIRM, got, HK_BAD_PROOF, "enrol-confirm: %s", ways[way]);
    }
    memcpy(enrolment.proofs, good, sizeof(good));
    assert_int_equal(hk_test_enrol_on(&attack.laptop, &guest, &enrolment, 5, 0), HK_OK);
    hk_test_device_end(&guest);
}

/* ---- proof of possession: bound to the handshake ---- */

static void change_pop(struct hk_message *request, void *argument)
{
    static uint8_t pop[32];
    const struct hk_test_device *stranger = argument;
    uint8_t handshake[64] = {0};
    struct hk_secret32 shared;
    if (request->value[HK_F_OP].number != HK_OP_CREATE_ACCOUNT) {
        return;
    }
    const uint8_t *own = hk_channel_session(stranger->stranger)->handshake_hash;
    memcpy(handshake, way == WAYS ? hk_channel_session(attack.bystander.channel)->handshake_hash : own, 64);
    assert_int_equal(hk_noise_dh(&shared, &stranger->static_key, attack.service.address.service_key), HK_OK);
    struct list list = {"pop", 2, {HK_BYTES(shared.bytes, 32), HK_BYTES(handshake, 64)}};
    if (way == WAYS) {
        hk_hash_name(pop, list.label, 2, list.argument);
    } else {
        wrong_transcript(pop, &list, way);
    }
    hk_message_set_bytes(request, HK_F_POP, pop, 32);
    hk_watch(&attack);
}

static void row09_a_proof_of_possession_is_bound_to_its_session(void **state)
{
    (void)state;
    static struct hk_test_device stranger;
    for (way = 0; way <= WAYS; way++) {
        hk_test_device_init(&stranger, &attack.service);
        hk_test_change_requests(change_pop, &stranger);
        enum hk_error got = hk_test_create_account(&stranger);
        hk_test_change_requests(NULL, NULL);
        hk_refused(&attack, NULL, HK_OP_CREATE_ACCOUNT, got, HK_BAD_PROOF, "pop: %s",
                   way == WAYS ? "the session of another device" : ways[way]);
        hk_test_device_end(&stranger);
    }
}

/* ---- the service's proofs, as the device checks them ---- */

static void row09_a_services_proof_of_an_agreement_holds_for_that_request_alone(void **state)
{
    (void)state;
    struct hk_message request, answer;
    struct hk_agree_open open;
    uint8_t sid[32], other_sid[32], proof[96], share[32], random[64];
    static const uint8_t u[32] = {9};
    struct hk_test_key *key = hk_test_key_of(&attack.phone, HK_SUITE_X25519);
    assert_int_equal(hk_agree_begin(&hk_agree_x25519, &open, NULL, u), HK_OK);
    hk_test_request(&request, HK_OP_AGREE, &attack.phone);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_array(&request, HK_F_POINTS, open.sent, 32, 1);
    hk_message_set_u64(&request, HK_F_PROVE, 1);
    assert_int_equal(hk_test_call(&attack.phone, &request, &answer), HK_OK);
    memcpy(share, answer.value[HK_F_POINTS].items[0].data, 32);
    memcpy(proof, answer.value[HK_F_PROOFS].items[0].data, 96);
    const uint8_t *handshake = hk_channel_session(attack.phone.channel)->handshake_hash;
    const uint8_t *id = request.value[HK_F_REQUEST].data;
    hk_random(random, sizeof(random));
    hk_sid_operation(sid, HK_OP_AGREE, handshake, id, attack.phone.account, attack.phone.serial, key->id,
                     attack.phone.epoch);
    struct hk_dleq_statement right = {.group = group,
                                      .cofactor = 8,
                                      .sid = HK_BYTES(sid, 32),
                                      .account = HK_BYTES(attack.phone.account, HK_ACCOUNT_BYTES),
                                      .key_id = HK_BYTES(key->id, HK_ID_BYTES),
                                      .epoch = attack.phone.epoch,
                                      .service = key->service_point,
                                      .point = open.sent,
                                      .answer = share};
    assert_int_equal(hk_dleq_verify(&right, proof), HK_OK);
#define OTHER_SID(name, ...)                                                                                 \
    do {                                                                                                     \
        struct hk_dleq_statement wrong = right;                                                              \
        hk_sid_operation(other_sid, __VA_ARGS__);                                                            \
        wrong.sid = HK_BYTES(other_sid, 32);                                                                 \
        assert_int_equal(hk_dleq_verify(&wrong, proof), HK_BAD_PROOF);                                       \
        hk_tried("agreement's proof: %s", name);                                                             \
    } while (0)
    const struct hk_test_device *phone = &attack.phone;
    OTHER_SID("another operation", HK_OP_SIGN, handshake, id, phone->account, phone->serial, key->id,
              phone->epoch);
    OTHER_SID("another session", HK_OP_AGREE, random, id, phone->account, phone->serial, key->id,
              phone->epoch);
    OTHER_SID("another request", HK_OP_AGREE, handshake, random, phone->account, phone->serial, key->id,
              phone->epoch);
    OTHER_SID("another account", HK_OP_AGREE, handshake, id, attack.bystander.account, phone->serial, key->id,
              phone->epoch);
    OTHER_SID("another device", HK_OP_AGREE, handshake, id, phone->account, attack.laptop.serial, key->id,
              phone->epoch);
    OTHER_SID("another key", HK_OP_AGREE, handshake, id, phone->account, phone->serial, random, phone->epoch);
    OTHER_SID("another epoch", HK_OP_AGREE, handshake, id, phone->account, phone->serial, key->id,
              phone->epoch + 1);
#define OTHER(name, field, ...)                                                                              \
    do {                                                                                                     \
        struct hk_dleq_statement wrong = right;                                                              \
        wrong.field = __VA_ARGS__;                                                                           \
        assert_int_equal(hk_dleq_verify(&wrong, proof), HK_BAD_PROOF);                                       \
        hk_tried("agreement's proof: %s", name);                                                             \
    } while (0)
    OTHER("no sid", sid, HK_BYTES(sid, 0));
    OTHER("a sid one byte shorter", sid, HK_BYTES(sid, 31));
    OTHER("an account one byte shorter", account, HK_BYTES(attack.phone.account, HK_ACCOUNT_BYTES - 1));
    OTHER("a key id one byte shorter", key_id, HK_BYTES(key->id, HK_ID_BYTES - 1));
    OTHER("another S", service, key->device_point);
    OTHER("another P", point, key->device_point);
    OTHER("another answer", answer, key->device_point);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row09_a_key_generations_proof_is_bound_to_its_session_and_names),
        TEST(row09_an_imports_proof_is_bound_to_its_session_and_names),
        TEST(row09_a_confirms_proofs_are_bound_to_their_refresh),
        TEST(row09_a_new_devices_proofs_are_bound_to_its_enrolment),
        TEST(row09_a_proof_of_possession_is_bound_to_its_session),
        TEST(row09_a_services_proof_of_an_agreement_holds_for_that_request_alone),
    };
    return HK_ATTACK_ROW(9, tests);
}

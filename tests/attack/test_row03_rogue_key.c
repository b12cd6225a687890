/* Row 3: a device that chooses its point after the service's, opens a commitment to something else, begins
 * again under the same names, or brings a proof from elsewhere. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"
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

/* ---- every way to make a key, with a lie in it ---- */

static enum hk_error make(enum hk_suite_id suite)
{
    static int made;
    char name[16];
    (void)snprintf(name, sizeof(name), "rogue %d", made++);
    return hk_test_keygen(&attack.laptop, suite, name);
}

static enum hk_error make_ed25519(void)
{
    return make(HK_SUITE_ED25519);
}

static enum hk_error make_x25519(void)
{
    return make(HK_SUITE_X25519);
}

static enum hk_error make_schnorr(void)
{
    return make(HK_SUITE_SECP256K1_SCHNORR);
}

static enum hk_error make_ecdh(void)
{
    return make(HK_SUITE_SECP256K1_ECDH);
}

static enum hk_error make_account(void)
{
    static struct hk_test_device stranger;
    hk_test_device_init(&stranger, &attack.service);
    enum hk_error error = hk_test_create_account(&stranger);
    hk_test_device_end(&stranger);
    return error;
}

static const struct way {
    const char *name;
    enum hk_error (*make)(void);
    bool is_stranger;
    enum hk_op finish;
} ways[] = {
    {"ed25519", make_ed25519, false, HK_OP_KEYGEN_FINISH},
    {"x25519", make_x25519, false, HK_OP_KEYGEN_FINISH},
    {"secp256k1-schnorr", make_schnorr, false, HK_OP_KEYGEN_FINISH},
    {"secp256k1-ecdh", make_ecdh, false, HK_OP_KEYGEN_FINISH},
    {"account", make_account, true, HK_OP_CREATE_FINISH},
};
#define WAYS (sizeof(ways) / sizeof(*ways))

static uint8_t key_id[HK_ID_BYTES], request_id[HK_ID_BYTES];
static uint8_t sent_point[HK_POINT_BYTES_MAX], sent_transcript[32];

/* The state before message 3, and the name of the key that must not exist after it. */
static void watch_finish(struct hk_message *request, void *argument)
{
    const struct way *way = argument;
    if (request->value[HK_F_OP].number == (uint64_t)way->finish) {
        hk_watch(&attack);
        memcpy(key_id, request->value[HK_F_KEY].data, HK_ID_BYTES);
        memcpy(sent_point, request->value[HK_F_POINT].data, request->value[HK_F_POINT].size);
    }
}

static void check_no_key(const struct way *way)
{
    struct hk_message request, answer;
    hk_random(sent_transcript, 32);
    hk_watch(&attack);
    if (way->is_stranger) {
        hk_test_request(&request, HK_OP_CREATE_STATUS, NULL);
    } else {
        hk_test_request(&request, HK_OP_KEYGEN_STATUS, &attack.laptop);
    }
    hk_message_set_bytes(&request, HK_F_KEY, key_id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, sent_transcript, 32);
    enum hk_error got = way->is_stranger ? hk_test_call_stranger(&attack.laptop, &request, &answer)
                                         : hk_test_call(&attack.laptop, &request, &answer);
    hk_refused(&attack, way->is_stranger ? NULL : &attack.laptop, HK_OP_KEYGEN_STATUS, got, HK_UNKNOWN_RUN,
               "%s: no key exists after it", way->name);
}

static void lie(const char *name, void (*draw)(struct hk_keygen_device *run, void *argument),
                void (*open)(struct hk_keygen_device *run, const uint8_t *service_point,
                             const uint8_t *service_proof, void *argument))
{
    for (size_t i = 0; i < WAYS; i++) {
        hk_test_change_requests(watch_finish, (void *)&ways[i]);
        hk_test_lie_in_keygen(draw, open, NULL);
        enum hk_error got = ways[i].make();
        hk_test_change_requests(NULL, NULL);
        hk_test_lie_in_keygen(NULL, NULL, NULL);
        hk_refused(&attack, ways[i].is_stranger ? NULL : &attack.laptop, ways[i].finish, got, HK_BAD_PROOF,
                   "%s: %s", ways[i].name, name);
        check_no_key(&ways[i]);
    }
}

/* ---- opening something else ---- */

static void subtract(const struct hk_group *of, uint8_t *out, const uint8_t *a, const uint8_t *b)
{
    struct hk_point left, right;
    assert_int_equal(of->point_decode(&left, a), HK_OK);
    assert_int_equal(of->point_decode(&right, b), HK_OK);
    of->point_sub(&left, &left, &right);
    memcpy(out, left.bytes, of->point_bytes);
}

/* D = D' - S, so that X would be D', whose logarithm the device knows. */
static void rogue(struct hk_keygen_device *run, const uint8_t *service_point, const uint8_t *service_proof,
                  void *argument)
{
    (void)service_proof, (void)argument;
    subtract(run->group, run->point, run->point, service_point);
}

/* The same with the only proof there is about S, the service's own. */
static void rogue_with_its_proof(struct hk_keygen_device *run, const uint8_t *service_point,
                                 const uint8_t *service_proof, void *argument)
{
    subtract(run->group, run->point, run->point, service_point);
    memcpy(run->proof, service_proof, run->group->point_bytes + run->group->scalar_bytes);
    (void)argument;
}

static void mirror(struct hk_keygen_device *run, const uint8_t *service_point, const uint8_t *service_proof,
                   void *argument)
{
    (void)argument;
    memcpy(run->point, service_point, run->group->point_bytes);
    memcpy(run->proof, service_proof, run->group->point_bytes + run->group->scalar_bytes);
}

/* -S: X would be the identity. */
static void cancel(struct hk_keygen_device *run, const uint8_t *service_point, const uint8_t *service_proof,
                   void *argument)
{
    struct hk_point point, zero;
    (void)service_proof, (void)argument;
    assert_int_equal(run->group->point_decode(&point, service_point), HK_OK);
    run->group->point_identity(&zero);
    run->group->point_sub(&point, &zero, &point);
    memcpy(run->point, point.bytes, run->group->point_bytes);
}

static void other_point(struct hk_keygen_device *run, const uint8_t *service_point,
                        const uint8_t *service_proof, void *argument)
{
    struct hk_scalar d;
    struct hk_point point;
    (void)service_point, (void)service_proof, (void)argument;
    hk_scalar_random(run->group, &d);
    run->group->base_mul(&point, &d);
    memcpy(run->point, point.bytes, run->group->point_bytes);
    hk_schnorr_prove(run->proof, run->group, run->sid, HK_PROVER_DEVICE, &point, &d); /* good, but late */
}

static void other_proof(struct hk_keygen_device *run, const uint8_t *service_point,
                        const uint8_t *service_proof, void *argument)
{
    struct hk_point point;
    (void)service_point, (void)service_proof, (void)argument;
    assert_int_equal(run->group->point_decode(&point, run->point), HK_OK);
    hk_schnorr_prove(run->proof, run->group, run->sid, HK_PROVER_DEVICE, &point, &run->half); /* as good */
}

static void other_opening(struct hk_keygen_device *run, const uint8_t *service_point,
                          const uint8_t *service_proof, void *argument)
{
    (void)service_point, (void)service_proof, (void)argument;
    run->opening[7] ^= 1;
}

static void row03_a_commitment_opens_to_nothing_but_what_was_committed_to(void **state)
{
    (void)state;
    lie("D = D' - S", NULL, rogue);
    lie("D = D' - S with the service's proof", NULL, rogue_with_its_proof);
    lie("D = S with its proof", NULL, mirror);
    lie("D = -S", NULL, cancel);
    lie("another D, rightly proved", NULL, other_point);
    lie("another right proof", NULL, other_proof);
    lie("another r", NULL, other_opening);
}

/* ---- proofs from elsewhere ---- */

static void prove_over(struct hk_keygen_device *run, const struct hk_keygen_names *names, enum hk_prover role)
{
    uint8_t sid[32];
    struct hk_point point;
    hk_keygen_sid(sid, names);
    assert_int_equal(run->group->point_decode(&point, run->point), HK_OK);
    hk_schnorr_prove(run->proof, run->group, sid, role, &point, &run->half);
}

static void of_another_role(struct hk_keygen_device *run, void *argument)
{
    (void)argument;
    prove_over(run, hk_test_keygen_names(), HK_PROVER_SERVICE);
}

/* Everything that names a run, changed one after the other: argument is which. */
static int changed;
static void of_another_run(struct hk_keygen_device *run, void *argument)
{
    static uint8_t other[64];
    struct hk_keygen_names names = *hk_test_keygen_names();
    (void)argument;
    hk_random(other, sizeof(other));
    switch (changed) {
    case 0:
        names.handshake = HK_BYTES(other, 64);
        break;
    case 1:
        names.request_id = other;
        break;
    case 2:
        names.account = HK_BYTES(other, names.account.size == 0 ? 64 : 0);
        break;
    case 3:
        for (size_t i = 0; hk_suite_at(i) != NULL;
             i++) { /* of the same group: else it would be no proof at all */
            const struct hk_suite *suite = hk_suite_at(i);
            if (suite->group == names.suite->group && suite->id != names.suite->id) {
                names.suite = suite;
                break;
            }
        }
        break;
    case 4:
        names.key_id = other;
        break;
    case 5:
        names.device_key = other;
        break;
    case 6:
        names.service_key = other;
        break;
    default:
        fail();
    }
    prove_over(run, &names, HK_PROVER_DEVICE);
}

/* A whole message 3 that was good, in an earlier run. */
static struct hk_keygen_device kept[2]; /* one of each group */
static bool has_kept[2];
static void of_an_earlier_run(struct hk_keygen_device *run, void *argument)
{
    (void)argument;
    size_t i = run->group == &hk_edwards25519 ? 0 : 1;
    if (has_kept[i]) {
        memcpy(run->point, kept[i].point, sizeof(run->point));
        memcpy(run->proof, kept[i].proof, sizeof(run->proof));
        memcpy(run->opening, kept[i].opening, 32);
    } else {
        kept[i] = *run;
        has_kept[i] = true;
    }
}

static void row03_a_proof_of_another_session_role_suite_or_name_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"session", "request", "account", "suite",
                                        "key id",  "device",  "service"};
    lie("proof of the other role", of_another_role, NULL);
    for (changed = 0; changed < 7; changed++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "proof of another %s", names[changed]);
        lie(name, of_another_run, NULL);
    }
    has_kept[0] = has_kept[1] = false;
    hk_test_lie_in_keygen(of_an_earlier_run, NULL, NULL);
    assert_int_equal(make_ed25519(), HK_BAD_PROOF); /* the client did not follow the run to its end */
    assert_int_equal(make_schnorr(), HK_BAD_PROOF);
    hk_test_lie_in_keygen(NULL, NULL, NULL);
    assert_true(has_kept[0] && has_kept[1]);
    lie("message 3 of an earlier run", of_an_earlier_run, NULL);
}

/* ---- message 1 again ---- */

/* Message 1 under given names; S to `service_point`. */
static enum hk_error start(const uint8_t commitment[32], uint8_t service_point[32])
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_KEYGEN_START, &attack.laptop);
    hk_message_set_bytes(&request, HK_F_REQUEST, request_id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_KEY, key_id, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_SUITE, HK_SUITE_ED25519);
    hk_message_set_u64(&request, HK_F_PURPOSE, HK_PURPOSE_SIGN);
    hk_message_set_text(&request, HK_F_NAME, "twice");
    hk_message_set_u64(&request, HK_F_CREATED, (uint64_t)time(NULL));
    hk_message_set_bytes(&request, HK_F_COMMITMENT, commitment, 32);
    enum hk_error error = hk_test_call(&attack.laptop, &request, &answer);
    if (error == HK_OK) {
        memcpy(service_point, answer.value[HK_F_POINT].data, 32);
    }
    return error;
}

static enum hk_error finish(const struct hk_keygen_device *run)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_KEYGEN_FINISH, &attack.laptop);
    hk_message_set_bytes(&request, HK_F_KEY, key_id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_POINT, run->point, 32);
    hk_message_set_bytes(&request, HK_F_PROOF, run->proof, 64);
    hk_message_set_bytes(&request, HK_F_OPENING, run->opening, 32);
    hk_watch(&attack);
    return hk_test_call(&attack.laptop, &request, &answer);
}

/* A run under the names of this test in the session as it is. */
static void begin(struct hk_keygen_device *run)
{
    uint8_t sid[32], commitment[32];
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_STATUS, &attack.laptop); /* so that there is a session */
    assert_int_equal(hk_test_call(&attack.laptop, &request, &answer), HK_OK);
    struct hk_keygen_names names = {
        .handshake = HK_BYTES(hk_channel_session(attack.laptop.channel)->handshake_hash, HK_HASH_BYTES),
        .request_id = request_id,
        .account = HK_BYTES(attack.laptop.account, HK_ACCOUNT_BYTES),
        .suite = hk_suite_by_id(HK_SUITE_ED25519),
        .key_id = key_id,
        .device_key = attack.laptop.static_public,
        .service_key = attack.service.address.service_key};
    hk_keygen_sid(sid, &names);
    hk_keygen_start(run, commitment, group, sid);
}

static void row03_a_second_message_1_under_the_same_names_gains_nothing(void **state)
{
    (void)state;
    struct hk_keygen_device first, second;
    uint8_t s1[32], s2[32];
    hk_random(key_id, sizeof(key_id));
    hk_random(request_id, sizeof(request_id));
    begin(&first);
    begin(&second);
    assert_int_equal(start(first.commitment, s1), HK_OK);
    assert_int_equal(start(second.commitment, s2), HK_OK);
    assert_memory_not_equal(s1, s2, 32); /* a new S, so nothing was chosen after it */
    hk_refused(&attack, &attack.laptop, HK_OP_KEYGEN_FINISH, finish(&first), HK_BAD_PROOF,
               "the first commitment is gone");
    hk_refused(&attack, &attack.laptop, HK_OP_KEYGEN_FINISH, finish(&second), HK_UNKNOWN_RUN,
               "one try for each commitment");
    /* a commitment to D' - S1, with the one proof that can be made, that of D' */
    assert_int_equal(start(first.commitment, s1), HK_OK);
    second = first;
    subtract(group, second.point, first.point, s1);
    hk_hash_name(second.commitment, "dkg/commit", 4,
                 (struct hk_bytes[]){HK_BYTES(second.sid, 32), HK_BYTES(second.point, 32),
                                     HK_BYTES(second.proof, 64), HK_BYTES(second.opening, 32)});
    assert_int_equal(start(second.commitment, s2), HK_OK);
    assert_memory_not_equal(s1, s2, 32);
    hk_refused(&attack, &attack.laptop, HK_OP_KEYGEN_FINISH, finish(&second), HK_BAD_PROOF,
               "committed to D' - S of the first message 1");
    hk_refused(&attack, &attack.laptop, HK_OP_KEYGEN_FINISH, finish(&first), HK_UNKNOWN_RUN,
               "message 3 without a run");
}

/* Messages 1 and 2 live in memory and die with their session. */
static void row03_a_run_is_finished_in_its_own_session_alone(void **state)
{
    (void)state;
    struct hk_keygen_device run;
    uint8_t s[32];
    hk_random(key_id, sizeof(key_id));
    hk_random(request_id, sizeof(request_id));
    begin(&run);
    assert_int_equal(start(run.commitment, s), HK_OK);
    hk_test_hang_up(&attack.laptop);
    hk_refused(&attack, &attack.laptop, HK_OP_KEYGEN_FINISH, finish(&run), HK_UNKNOWN_RUN,
               "message 3 over another session");
    begin(&run);
    assert_int_equal(start(run.commitment, s), HK_OK);
    hk_test_hang_up(&attack.laptop);
    hk_test_service_kill(&attack.service);
    hk_test_service_restart(&attack.service);
    hk_test_hang_up(&attack.bystander);
    hk_refused(&attack, &attack.laptop, HK_OP_KEYGEN_FINISH, finish(&run), HK_UNKNOWN_RUN,
               "message 3 after a restart");
}

/* The same with an import: its proof names the session and the request as well. */
static void replay_import(struct hk_message *request, void *argument)
{
    static uint8_t point[32], proof[64], scalar[32];
    bool *keep = argument;
    if (request->value[HK_F_OP].number != HK_OP_KEY_IMPORT) {
        return;
    }
    hk_watch(&attack);
    if (*keep) {
        memcpy(point, request->value[HK_F_POINT].data, 32);
        memcpy(proof, request->value[HK_F_PROOF].data, 64);
        memcpy(scalar, request->value[HK_F_SCALAR].data, 32);
        proof[40] ^= 1; /* so that this one is not taken */
        hk_message_set_bytes(request, HK_F_PROOF, proof, 64);
    } else {
        proof[40] ^= 1;
        hk_message_set_bytes(request, HK_F_POINT, point, 32);
        hk_message_set_bytes(request, HK_F_PROOF, proof, 64);
        hk_message_set_bytes(request, HK_F_SCALAR, scalar, 32);
    }
}

static void row03_an_import_is_not_replayed(void **state)
{
    (void)state;
    struct hk_scalar x;
    bool keep = true;
    hk_scalar_random(group, &x);
    hk_test_change_requests(replay_import, &keep);
    enum hk_error got = hk_test_import(&attack.laptop, HK_SUITE_ED25519, "copy", x.bytes);
    hk_refused(&attack, &attack.laptop, HK_OP_KEY_IMPORT, got, HK_BAD_PROOF, "import with a changed proof");
    keep = false;
    got = hk_test_import(&attack.laptop, HK_SUITE_ED25519, "copy", x.bytes);
    hk_refused(&attack, &attack.laptop, HK_OP_KEY_IMPORT, got, HK_BAD_PROOF, "import of another request");
    hk_test_change_requests(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row03_a_commitment_opens_to_nothing_but_what_was_committed_to),
        TEST(row03_a_proof_of_another_session_role_suite_or_name_is_refused),
        TEST(row03_a_second_message_1_under_the_same_names_gains_nothing),
        TEST(row03_a_run_is_finished_in_its_own_session_alone),
        TEST(row03_an_import_is_not_replayed),
    };
    return HK_ATTACK_ROW(3, tests);
}

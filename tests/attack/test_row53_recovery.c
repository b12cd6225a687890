/* Row 53: a recovery set dealt wrongly, and an account asked for by whom it is not: too few shares, holders
 * that lie, packets and profiles of others, runs that are begun twice, finished by another or without the
 * account's key. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "protocol/noise.h"
#include "protocol/recovery.h"
#include "protocol/sid.h"
#include "tests/support/attack.h"
#include "tests/support/store_view.h"

#define HOLDERS ((size_t)3)
#define NEEDED ((size_t)2)
#define PACKETS 8

static struct hk_attack attack;
static struct hk_test_device desk; /* what an attacker recovers on */

/* The set, with all that its holders know. */
static struct hk_recovery_set set;
static struct hk_secret32 holder_key[HOLDERS];
static struct hk_recovery_packet packets[PACKETS];
static uint8_t transcripts[PACKETS][32];
static size_t packet_count;
static uint8_t profile[HK_PAYLOAD_MAX];
static size_t profile_size;

/* ---- dealing ---- */

enum deal_lie {
    HONEST,
    OTHER_HALF,
    EXTRA_COMMITMENT,
    ONE_MISSING,
    LOW_THRESHOLD,
    HIGH_THRESHOLD,
    SAME_HOLDER,
    SMALL_HOLDER,
    FEW_SEALED,
    OTHER_GROUP,
    DEAL_LIES
};
static const char *const deal_names[] = {"honest",
                                         "another half than its own",
                                         "a coefficient too many",
                                         "a coefficient missing",
                                         "threshold 1",
                                         "threshold above the holders",
                                         "one holder twice",
                                         "a holder's key of small order",
                                         "a holder without a share",
                                         "a commitment that is no point"};
static const enum hk_error deal_errors[] = {
    HK_OK,           HK_BAD_PROOF,    HK_BAD_ENCODING, HK_BAD_ENCODING, HK_BAD_ENCODING,
    HK_BAD_ENCODING, HK_BAD_ENCODING, HK_BAD_POINT,    HK_BAD_ENCODING, HK_BAD_POINT};

static enum hk_error deal(struct hk_test_device *device, const struct hk_test_key *key, enum deal_lie lie,
                          struct hk_recovery_packet *packet)
{
    struct hk_message request, answer;
    struct hk_scalar subshares[HK_HOLDERS_MAX], half = key->half;
    uint8_t holders[HK_RECOVERY_HOLDERS][32] = {{0}}, sealed[HK_RECOVERY_HOLDERS][HK_SEALED_SHARE_BYTES];
    struct hk_recovery_key names;
    memset(packet, 0, sizeof(*packet));
    memcpy(packet->set, set.id, HK_ID_BYTES);
    memcpy(packet->key, key->id, HK_ID_BYTES);
    memcpy(packet->device, device->serial, HK_ID_BYTES);
    memcpy(packet->service_key, attack.service.address.service_key, 32);
    packet->suite = (uint64_t)key->suite->id;
    packet->epoch = device->epoch;
    memcpy(packet->public_key, key->public_key, sizeof(packet->public_key));
    packet->holders = HOLDERS;
    assert_int_equal(hk_recovery_packet_key(&names, holders, packet, &set), HK_OK);
    if (lie == OTHER_HALF) {
        hk_scalar_random(key->suite->group, &half);
    }
    assert_int_equal(hk_recovery_deal(&packet->dealings[0], subshares, &names, &half), HK_OK);
    for (size_t i = 0; i < HOLDERS; i++) {
        uint8_t context[32];
        hk_recovery_seal_context(context, &names, HK_OF_DEVICE, i + 1);
        assert_int_equal(hk_sealed_share_seal(packet->sealed[0][i], subshares[i].bytes, holders[i], context),
                         HK_OK);
    }
    memcpy(sealed, packet->sealed[0], sizeof(sealed));
    size_t commitments = NEEDED + (lie == EXTRA_COMMITMENT ? 1 : 0) - (lie == ONE_MISSING ? 1 : 0);
    memcpy(packet->dealings[0].commitments[NEEDED], packet->dealings[0].commitments[0], HK_POINT_BYTES_MAX);
    if (lie == SAME_HOLDER) {
        memcpy(holders[1], holders[0], 32);
    }
    if (lie == SMALL_HOLDER) {
        memset(holders[1], 0, 32);
    }
    if (lie == OTHER_GROUP) {
        memset(packet->dealings[0].commitments[1], 0xff, HK_POINT_BYTES_MAX);
    }
    hk_test_request(&request, HK_OP_RECOVERY_DEAL, device);
    hk_message_set_bytes(&request, HK_F_KEY, key->id, HK_ID_BYTES);
    hk_message_set_bytes(&request, HK_F_SET, set.id, HK_ID_BYTES);
    hk_message_set_u64(&request, HK_F_THRESHOLD,
                       lie == LOW_THRESHOLD    ? 1
                       : lie == HIGH_THRESHOLD ? 4
                                               : NEEDED);
    hk_message_set_array(&request, HK_F_HOLDERS, holders, 32, HOLDERS);
    hk_message_set_list(&request, HK_F_COMMITMENTS, NULL, 0);
    for (size_t i = 0; i < commitments; i++) {
        hk_message_append(&request, HK_F_COMMITMENTS, packet->dealings[0].commitments[i],
                          key->suite->group->point_bytes);
    }
    hk_message_set_array(&request, HK_F_SEALED, sealed, HK_SEALED_SHARE_BYTES,
                         HOLDERS - (lie == FEW_SEALED ? 1 : 0));
    enum hk_error error = hk_test_call(device, &request, &answer);
    if (error != HK_OK) {
        return error;
    }
    packet->dealings[1].count = answer.value[HK_F_COMMITMENTS].count;
    for (size_t i = 0; i < packet->dealings[1].count; i++) {
        memcpy(packet->dealings[1].commitments[i], answer.value[HK_F_COMMITMENTS].items[i].data,
               key->suite->group->point_bytes);
    }
    for (size_t i = 0; i < HOLDERS; i++) {
        memcpy(packet->sealed[1][i], answer.value[HK_F_SEALED].items[i].data, HK_SEALED_SHARE_BYTES);
    }
    return HK_OK;
}

static void list_set(struct hk_profile *listed, void *argument)
{
    (void)argument;
    listed->recovery = set;
    for (size_t i = 0; i < packet_count; i++) {
        for (size_t k = 0; k < listed->key_count; k++) {
            if (memcmp(listed->keys[k].id, packets[i].key, HK_ID_BYTES) == 0) {
                listed->keys[k].in_set = true;
                memcpy(listed->keys[k].set_transcript, transcripts[i], 32);
            }
        }
    }
}

static void deal_all(void)
{
    packet_count = 0;
    for (size_t i = 0; i < attack.laptop.key_count; i++) {
        struct hk_recovery_key names;
        uint8_t holders[HK_RECOVERY_HOLDERS][32];
        struct hk_recovery_packet *packet = &packets[packet_count];
        assert_int_equal(deal(&attack.laptop, &attack.laptop.key[i], HONEST, packet), HK_OK);
        assert_int_equal(hk_recovery_packet_key(&names, holders, packet, &set), HK_OK);
        assert_int_equal(hk_recovery_transcript(transcripts[packet_count], &names, packet->dealings), HK_OK);
        if (packet->suite == HK_SUITE_ACCOUNT) {
            memcpy(set.account_transcript, transcripts[packet_count], 32);
        }
        packet_count++;
    }
}

static void fetch_profile(void)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_FETCH_PROFILE, NULL);
    hk_message_set_bytes(&request, HK_F_ACCOUNT, attack.laptop.account, HK_ACCOUNT_BYTES);
    assert_int_equal(hk_test_call_stranger(&desk, &request, &answer), HK_OK);
    profile_size = answer.value[HK_F_PROFILE].size;
    memcpy(profile, answer.value[HK_F_PROFILE].data, profile_size);
}

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    hk_test_device_init(&desk, &attack.service);
    hk_random(set.id, sizeof(set.id));
    set.threshold = NEEDED;
    set.count = HOLDERS;
    for (size_t i = 0; i < HOLDERS; i++) {
        hk_noise_keypair(&holder_key[i], set.holders[i].key);
        strcpy(set.holders[i].name, "holder");
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_device_end(&desk);
    hk_attack_end(&attack);
    return 0;
}

static void a_set_that_is_dealt_wrongly_is_refused(void **state)
{
    (void)state;
    static struct hk_recovery_packet packet;
    struct hk_test_key *key = hk_test_key_of(&attack.laptop, HK_SUITE_ED25519);
    for (enum deal_lie lie = OTHER_HALF; lie < DEAL_LIES; lie++) {
        hk_watch(&attack);
        enum hk_error error = deal(&attack.laptop, key, lie, &packet);
        hk_refused(&attack, &attack.laptop, HK_OP_RECOVERY_DEAL, error, deal_errors[lie], "dealt: %s",
                   deal_names[lie]);
    }
    hk_watch(&attack);
    hk_refused(&attack, &attack.phone, HK_OP_RECOVERY_DEAL,
               deal(&attack.phone, hk_test_key_of(&attack.phone, HK_SUITE_ED25519), HONEST, &packet),
               HK_NOT_ALLOWED, "dealt by an ordinary device");
    hk_watch(&attack);
    hk_refused(&attack, &attack.laptop, HK_OP_RECOVERY_DEAL,
               deal(&attack.laptop, hk_test_key_of(&attack.bystander, HK_SUITE_ED25519), HONEST, &packet),
               HK_UNKNOWN_KEY, "of another account's key");
}

static void a_profile_names_no_packet_but_those_that_are_stored(void **state)
{
    (void)state;
    deal_all();
    hk_test_change_profiles(list_set, NULL);
    set.account_transcript[0] ^= 1;
    assert_int_equal(hk_test_put_profile(&attack.laptop, &attack.phone), HK_CONFLICT);
    hk_tried("another transcript for the account's key");
    set.account_transcript[0] ^= 1;
    for (size_t i = 0; i < packet_count; i++) {
        if (packets[i].suite != HK_SUITE_ACCOUNT) {
            transcripts[i][5] ^= 1;
            assert_int_equal(hk_test_put_profile(&attack.laptop, &attack.phone), HK_CONFLICT);
            hk_tried("another transcript for key %zu", i);
            transcripts[i][5] ^= 1;
        }
    }
    set.id[0] ^= 1;
    assert_int_equal(hk_test_put_profile(&attack.laptop, &attack.phone), HK_CONFLICT);
    hk_tried("a set of which nothing is stored");
    set.id[0] ^= 1;
    assert_int_equal(hk_test_put_profile(&attack.laptop, &attack.phone), HK_NEEDS_APPROVAL);
    hk_tried("at once, beside another device");
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_CHANGE_ASK, &attack.laptop);
    hk_message_set_u64(&request, HK_F_KIND, HK_CHANGE_RECOVERY);
    hk_message_set_bytes(&request, HK_F_DEVICE, attack.laptop.serial, HK_ID_BYTES);
    assert_int_equal(hk_test_call(&attack.laptop, &request, &answer), HK_OK);
    assert_int_equal(hk_test_put_profile(&attack.laptop, &attack.phone), HK_NEEDS_APPROVAL);
    hk_view_let_time_pass(&attack.service);
    assert_int_equal(hk_test_put_profile(&attack.laptop, &attack.phone), HK_OK);
    fetch_profile();
}

/* ---- recovering ---- */

enum lie {
    NO_LIE,
    FORGED_SHARE,
    BAD_PART,
    SWAPPED_PARTS,
    BAD_PACKET,
    OTHER_SET,
    OLD_PROFILE,
    OTHER_SERVICE,
    BAD_POP,
    KNOWN_DEVICE,
    WITHOUT_ACCOUNT,
    WRONG_ORDER,
    BAD_PROOFS,
    OTHER_TRANSCRIPT,
    ONE_HOLDER,
    OTHER_REQUEST,
    LIES
};
static const char *const lie_names[] = {"honest",
                                        "one share and one invented",
                                        "a part that does not fit",
                                        "two holders' parts swapped",
                                        "a packet changed",
                                        "a request about another set",
                                        "an old profile",
                                        "a request for another service",
                                        "another's key",
                                        "a device that is known",
                                        "without the account's key",
                                        "keys in another order",
                                        "proofs of another half",
                                        "another transcript",
                                        "one holder in place of two",
                                        "parts for another request"};
static const enum hk_error lie_errors[] = {HK_OK,        HK_BAD_PROOF, HK_BAD_PROOF, HK_BAD_PROOF,
                                           HK_BAD_PROOF, HK_BAD_PROOF, HK_CONFLICT,  HK_BAD_PROOF,
                                           HK_BAD_PROOF, HK_CONFLICT,  HK_BAD_PROOF, HK_BAD_ENCODING,
                                           HK_BAD_PROOF, HK_BAD_PROOF, HK_BAD_PROOF, HK_BAD_PROOF};

struct attempt {
    enum lie lie;
    enum hk_op op; /* that was refused */
    struct hk_recovery_request request;
    uint8_t encoded[HK_RECOVERY_REQUEST_MAX], hash[32];
    size_t size, count;
    struct hk_recover_run run;
    struct hk_scalar halves[PACKETS];
    uint8_t ids[PACKETS][HK_ID_BYTES], key_transcripts[PACKETS][32], transcript[32];
    const struct hk_suite *suites[PACKETS];
    uint8_t proofs[PACKETS][HK_SCHNORR_BYTES_MAX];
};
static uint8_t old_profile[HK_PAYLOAD_MAX];
static size_t old_profile_size;

static enum hk_error start(struct attempt *attempt)
{
    struct hk_message request, answer;
    uint8_t pop[32];
    bool old = attempt->lie == OLD_PROFILE;
    const uint8_t *bytes = old ? old_profile : profile;
    size_t size = old ? old_profile_size : profile_size;
    struct hk_recovery_request *asked = &attempt->request;
    memcpy(asked->account, attack.laptop.account, HK_ACCOUNT_BYTES);
    memcpy(asked->set, set.id, HK_ID_BYTES);
    memcpy(asked->serial, desk.serial, HK_ID_BYTES);
    memcpy(asked->device_key, attempt->lie == KNOWN_DEVICE ? attack.laptop.static_public : desk.static_public,
           32);
    strcpy(asked->device, "desk");
    strcpy(asked->address, "tcp://127.0.0.1:1");
    memcpy(asked->service_key, attack.service.address.service_key, 32);
    hk_object_hash(asked->profile_hash, bytes, size);
    asked->count = attempt->lie == ONE_HOLDER ? 1 : NEEDED;
    asked->index[0] = 1;
    asked->index[1] = 3;
    asked->set[0] ^= attempt->lie == OTHER_SET;
    asked->service_key[0] ^= attempt->lie == OTHER_SERVICE;
    assert_int_equal(
        hk_recovery_request_encode(asked, attempt->encoded, sizeof(attempt->encoded), &attempt->size), HK_OK);
    hk_recovery_request_hash(attempt->hash, attempt->encoded, attempt->size);
    hk_recovery_request_run(&attempt->run, asked, attempt->hash);
    hk_test_hang_up(&desk);
    hk_test_request(&request, HK_OP_FETCH_PROFILE, NULL); /* opens the session */
    hk_message_set_bytes(&request, HK_F_ACCOUNT, attack.laptop.account, HK_ACCOUNT_BYTES);
    assert_int_equal(hk_test_call_stranger(&desk, &request, &answer), HK_OK);
    const struct hk_secret32 *own =
        attempt->lie == KNOWN_DEVICE ? &attack.laptop.static_key : &desk.static_key;
    assert_int_equal(hk_sid_pop(pop, own, attack.service.address.service_key,
                                hk_channel_session(desk.stranger)->handshake_hash),
                     HK_OK);
    pop[3] ^= attempt->lie == BAD_POP;
    attempt->op = HK_OP_RECOVER_START;
    hk_test_request(&request, HK_OP_RECOVER_START, NULL);
    hk_message_set_bytes(&request, HK_F_PROFILE, bytes, size);
    hk_message_set_bytes(&request, HK_F_RECOVERY, attempt->encoded, attempt->size);
    hk_message_set_bytes(&request, HK_F_POP, pop, sizeof(pop));
    hk_message_set_bytes(&request, HK_F_REPORT_KEY, desk.report_key, 32);
    return hk_test_call_stranger(&desk, &request, &answer);
}

/* What a holder sends, its share opened; `share` off by one: invented. */
static void give(struct attempt *attempt, const struct hk_recovery_key *names,
                 const struct hk_recovery_packet *packet, size_t which, bool invented,
                 struct hk_dealing *dealing, struct hk_scalar parts[2], uint8_t sealed[HK_SEALED_SHARE_BYTES])
{
    const struct hk_group *group = names->suite->group;
    size_t holder = (size_t)attempt->run.index[which] - 1;
    struct hk_scalar subshares[2], share;
    uint8_t context[32], opened[32];
    for (int side = 0; side < 2; side++) {
        hk_recovery_seal_context(context, names, (enum hk_recovery_side)side, holder + 1);
        assert_int_equal(
            hk_sealed_share_open(opened, packet->sealed[side][holder], &holder_key[holder], context), HK_OK);
        assert_int_equal(group->scalar_decode(&subshares[side], opened), HK_OK);
    }
    assert_int_equal(hk_recovery_receive(&share, names, holder, packet->dealings, subshares), HK_OK);
    if (invented) {
        hk_scalar_random(group, &share);
    }
    assert_int_equal(hk_recover_give(dealing, parts, names, &attempt->run, which, &share), HK_OK);
    hk_recover_seal_context(context, attempt->hash, packet->key, attempt->run.index[which], HK_OF_SERVICE);
    context[0] ^= attempt->lie == OTHER_REQUEST;
    struct hk_scalar sent = parts[1], one;
    group->scalar_set(&one, 1);
    if (attempt->lie == BAD_PART) {
        group->scalar_add(&sent, &sent, &one);
    }
    assert_int_equal(hk_sealed_share_seal(sealed, sent.bytes, attack.service.address.service_key, context),
                     HK_OK);
}

static enum hk_error send_key(struct attempt *attempt, const struct hk_recovery_packet *honest)
{
    static uint8_t encoded[HK_RECOVERY_PACKET_MAX];
    struct hk_recovery_packet packet = *honest;
    struct hk_recovery_key names;
    uint8_t holders[HK_RECOVERY_HOLDERS][32], sealed[NEEDED][HK_SEALED_SHARE_BYTES];
    struct hk_dealing dealings[NEEDED];
    struct hk_scalar parts[NEEDED][2], kept[NEEDED];
    struct hk_message request, answer;
    struct hk_point other;
    size_t size, guilty, place = attempt->count;
    assert_int_equal(hk_recovery_packet_key(&names, holders, honest, &set), HK_OK);
    for (size_t i = 0; i < NEEDED; i++) {
        give(attempt, &names, honest, i, attempt->lie == FORGED_SHARE && i == 1, &dealings[i], parts[i],
             sealed[i]);
        kept[i] = parts[i][0];
    }
    enum hk_error taken = hk_recover_take(&attempt->halves[place], &other, &names, &attempt->run,
                                          HK_OF_DEVICE, honest->dealings, dealings, kept, &guilty);
    assert_true(attempt->lie == FORGED_SHARE || taken == HK_OK);
    assert_int_equal(
        hk_recover_key_transcript(attempt->key_transcripts[place], &names, &attempt->run, dealings), HK_OK);
    memcpy(attempt->ids[place], honest->key, HK_ID_BYTES);
    attempt->suites[attempt->count++] = names.suite;
    if (attempt->lie == SWAPPED_PARTS) {
        uint8_t swapped[HK_SEALED_SHARE_BYTES];
        memcpy(swapped, sealed[0], sizeof(swapped));
        memcpy(sealed[0], sealed[1], sizeof(swapped));
        memcpy(sealed[1], swapped, sizeof(swapped));
    }
    if (attempt->lie == BAD_PACKET) { /* a set of the attacker's own making for this key */
        memcpy(packet.dealings[0].commitments[1], packet.dealings[0].commitments[0], HK_POINT_BYTES_MAX);
    }
    assert_int_equal(hk_recovery_packet_encode(&packet, encoded, sizeof(encoded), &size), HK_OK);
    attempt->op = HK_OP_RECOVER_KEY;
    hk_test_request(&request, HK_OP_RECOVER_KEY, NULL);
    for (int side = 0; side < 2; side++) {
        enum hk_field field = side == 0 ? HK_F_KEPT : HK_F_PASSED;
        hk_message_set_list(&request, field, NULL, 0);
        for (size_t i = 0; i < NEEDED; i++) {
            hk_message_append(&request, field, dealings[i].commitments[side],
                              names.suite->group->point_bytes);
        }
    }
    hk_message_set_array(&request, HK_F_SEALED, sealed, HK_SEALED_SHARE_BYTES, NEEDED);
    hk_message_set_list(&request, HK_F_PACKETS, NULL, 0);
    hk_message_append(&request, HK_F_PACKETS, encoded, size);
    return hk_test_call_stranger(&desk, &request, &answer);
}

static enum hk_error finish(struct attempt *attempt)
{
    struct hk_message request, answer;
    hk_recover_transcript(attempt->transcript, attempt->hash, attempt->request.profile_hash, desk.report_key,
                          (const uint8_t(*)[32])attempt->key_transcripts, attempt->count);
    attempt->transcript[0] ^= attempt->lie == OTHER_TRANSCRIPT;
    attempt->op = HK_OP_RECOVER_FINISH;
    hk_test_request(&request, HK_OP_RECOVER_FINISH, NULL);
    hk_message_set_bytes(&request, HK_F_TRANSCRIPT, attempt->transcript, 32);
    hk_message_set_list(&request, HK_F_PROOFS, NULL, 0);
    for (size_t i = 0; i < attempt->count; i++) {
        const struct hk_group *group = attempt->suites[i]->group;
        struct hk_scalar half = attempt->halves[i];
        if (attempt->lie == BAD_PROOFS) {
            hk_scalar_random(group, &half);
        }
        hk_recover_prove(attempt->proofs[i], group, attempt->transcript, attempt->ids[i], &half);
        hk_message_append(&request, HK_F_PROOFS, attempt->proofs[i],
                          group->point_bytes + group->scalar_bytes);
    }
    return hk_test_call_stranger(&desk, &request, &answer);
}

static enum hk_error recover(struct attempt *attempt, enum lie lie)
{
    memset(attempt, 0, sizeof(*attempt));
    attempt->lie = lie;
    enum hk_error error = start(attempt);
    for (size_t i = 0; i < packet_count && error == HK_OK; i++) {
        size_t place = lie == WRONG_ORDER ? packet_count - 1 - i : i;
        if (lie != WITHOUT_ACCOUNT || packets[place].suite != HK_SUITE_ACCOUNT) {
            error = send_key(attempt, &packets[place]);
        }
    }
    return error == HK_OK ? finish(attempt) : error;
}

static enum hk_error use(struct hk_test_device *device)
{
    uint8_t signature[64];
    return hk_test_sign(device, hk_test_key_of(device, HK_SUITE_ED25519), HK_SIGN_RAW, "message", 7,
                        signature);
}

static void who_has_not_t_shares_gets_nothing(void **state)
{
    (void)state;
    static struct attempt attempt;
    memcpy(old_profile, profile, profile_size);
    old_profile_size = profile_size;
    assert_int_equal(hk_test_put_profile(&attack.laptop, &attack.phone), HK_OK);
    fetch_profile();
    for (enum lie lie = FORGED_SHARE; lie < LIES; lie++) {
        hk_watch(&attack);
        enum hk_error error = recover(&attempt, lie);
        hk_refused(&attack, NULL, attempt.op, error, lie_errors[lie], "recovered: %s", lie_names[lie]);
        hk_watch(&attack);
        hk_refused(&attack, NULL, HK_OP_RECOVER_FINISH, finish(&attempt), HK_UNKNOWN_RUN,
                   "and the run is over: %s", lie_names[lie]);
    }
    assert_int_equal(use(&attack.laptop), HK_OK);
    assert_int_equal(use(&attack.phone), HK_OK);
}

/* The parts of a run are of no use in another session: it is its handshake that the run belongs to. */
static void a_run_is_finished_by_who_began_it(void **state)
{
    (void)state;
    static struct attempt attempt;
    memset(&attempt, 0, sizeof(attempt));
    assert_int_equal(start(&attempt), HK_OK);
    for (size_t i = 0; i < packet_count; i++) {
        assert_int_equal(send_key(&attempt, &packets[i]), HK_OK);
    }
    hk_test_hang_up(&desk);
    hk_watch(&attack);
    hk_refused(&attack, NULL, HK_OP_RECOVER_FINISH, finish(&attempt), HK_UNKNOWN_RUN,
               "finished over another session");
    assert_int_equal(use(&attack.laptop), HK_OK);
}

/* And the honest one, last, since nothing is left of the account's devices: nothing that they had is of use.
 */
static void t_shares_end_every_other_device(void **state)
{
    (void)state;
    static struct attempt attempt;
    assert_int_equal(recover(&attempt, NO_LIE), HK_OK);
    hk_tried("t shares bring the account back");
    assert_int_equal(finish(&attempt), HK_UNKNOWN_RUN);
    hk_tried("once");
    hk_test_hang_up(&attack.laptop); /* their connections were closed */
    hk_test_hang_up(&attack.phone);
    assert_int_equal(use(&attack.laptop), HK_REVOKED);
    assert_int_equal(use(&attack.phone), HK_REVOKED);
    hk_tried("the others' devices are revoked");
    assert_int_equal(hk_view_number(&attack.service,
                                    "SELECT COUNT(*) FROM halves h JOIN devices d ON d.number = h.device"
                                    " WHERE d.state = 3"),
                     0);
    hk_tried("no half of theirs is left");
    hk_serves_others(&attack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_that_is_dealt_wrongly_is_refused),
        cmocka_unit_test(a_profile_names_no_packet_but_those_that_are_stored),
        cmocka_unit_test(who_has_not_t_shares_gets_nothing),
        cmocka_unit_test(a_run_is_finished_by_who_began_it),
        cmocka_unit_test(t_shares_end_every_other_device),
    };
    return HK_ATTACK_ROW_IN(53, tests, set_up, tear_down);
}

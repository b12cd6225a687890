/* Row 14: every frame of a whole life sent again, in order, out of order, in other sessions, after a restart;
 * and the first message of a handshake replayed, or forged by whoever has the service's own key. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"
#include "keyservice/masterkey.h"
#include "protocol/hkdf.h"
#include "tests/support/attack.h"
#include "tests/support/scale.h"
#include "tests/support/store_view.h"

static struct hk_attack attack;
static struct hk_test_recording tape;
static struct hk_endpoint *wire; /* the attacker's own connection */

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    assert_int_equal(hk_endpoint_new(&wire, attack.service.address.url), HK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_record(NULL);
    hk_test_recording_free(&tape);
    hk_endpoint_free(wire);
    hk_attack_end(&attack);
    return 0;
}

/* ---- a life, on tape ---- */

static void use(struct hk_test_device *device)
{
    static const uint8_t u[32] = {9};
    uint8_t signature[64], shared[32];
    struct hk_message request, answer;
    assert_int_equal(
        hk_test_sign(device, hk_test_key_of(device, HK_SUITE_ED25519), HK_SIGN_RAW, "message", 7, signature),
        HK_OK);
    assert_int_equal(hk_test_agree(device, hk_test_key_of(device, HK_SUITE_X25519), u, shared), HK_OK);
    hk_test_request(&request, HK_OP_LOG_HEAD, device);
    assert_int_equal(hk_test_call(device, &request, &answer), HK_OK);
}

static void refresh(struct hk_test_device *device)
{
    struct hk_test_epoch next;
    hk_random(next.seed, sizeof(next.seed));
    assert_int_equal(hk_test_refresh(device, &next), HK_OK);
    assert_int_equal(hk_test_confirm(device, &next), HK_OK);
    hk_test_adopt(device, &next);
}

/* An account's whole life; its devices' sessions stay open. */
static struct hk_test_device laptop, phone;

static void live(void)
{
    struct hk_message request, answer;
    struct hk_scalar x;
    static struct hk_test_enrolment enrolment;
    hk_test_device_init(&laptop, &attack.service);
    hk_test_device_init(&phone, &attack.service);
    hk_test_record(&tape);
    assert_int_equal(hk_test_init(&laptop), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_ED25519, "git"), HK_OK);
    assert_int_equal(hk_test_keygen(&laptop, HK_SUITE_X25519, "mail"), HK_OK);
    hk_scalar_random(&hk_edwards25519, &x);
    assert_int_equal(hk_test_import(&laptop, HK_SUITE_X25519, "old", x.bytes), HK_OK);
    assert_int_equal(hk_test_enrol(&laptop, &phone, &enrolment, 0), HK_OK);
    refresh(&laptop);
    assert_int_equal(hk_test_put_profile(&laptop, &phone), HK_OK);
    use(&phone);
    refresh(&phone);
    use(&phone);
    use(&laptop);
    hk_test_request(&request, HK_OP_REVOKE, &laptop);
    hk_message_set_bytes(&request, HK_F_CERTIFICATE, enrolment.certificate, enrolment.certificate_size);
    assert_int_equal(hk_test_call(&laptop, &request, &answer), HK_OK);
    use(&laptop);
    hk_test_record(NULL);
    assert_true(tape.count > 25);
}

static void end_life(void)
{
    use(&laptop);
    hk_test_device_end(&laptop);
    hk_test_device_end(&phone);
}

/* ---- again ---- */

static void look(uint8_t out[40])
{
    uint64_t leaves = hk_view_leaves(&attack.service, laptop.account);
    hk_view_digest(out, &attack.service, false);
    memcpy(out + 32, &leaves, 8);
}

/* Sends a frame as it is; the answer must be the very bytes that it had, a hint, or nothing at all. */
static void send_again(const struct hk_test_recorded *recorded, const uint8_t *frame, bool may_be_repeated)
{
    static uint8_t answer[HK_FRAME_MAX];
    size_t size;
    enum hk_error error =
        hk_endpoint_call(wire, frame, recorded->frame_size, answer, sizeof(answer), &size, 30);
    if (error != HK_OK) {
        assert_true(error == HK_TIMEOUT || error == HK_UNREACHABLE);
        return;
    }
    if (answer[1] == HK_FRAME_HINT) {
        return;
    }
    assert_true(may_be_repeated);
    bool same = size == recorded->answer_size && memcmp(answer, recorded->answer, size) == 0;
    assert_true(same || size <= HK_FRAME_OVERHEAD + 8 + 40); /* sealed anew: `too-old` and no more */
}

static void send_all(const char *how, const size_t *order)
{
    uint8_t before[40], after[40];
    look(before);
    for (size_t i = 0; i < tape.count; i++) {
        const struct hk_test_recorded *recorded = &tape.at[order[i]];
        send_again(recorded, recorded->frame, true);
        look(after);
        assert_memory_equal(before, after, 40);
        hk_tried("%s: frame %zu (op %d)", how, i, (int)recorded->op);
    }
    hk_serves_others(&attack);
}

static void in_every_order(const char *when)
{
    size_t order[HK_TEST_RECORDED] = {0};
    char how[64];
    for (size_t i = 0; i < tape.count; i++) {
        order[i] = i;
    }
    (void)snprintf(how, sizeof(how), "%s, in order", when);
    send_all(how, order);
    for (size_t i = 0; i < tape.count; i++) {
        order[i] = tape.count - 1 - i;
    }
    (void)snprintf(how, sizeof(how), "%s, backwards", when);
    send_all(how, order);
    for (size_t i = tape.count - 1; i > 0; i--) {
        size_t j = randombytes_uniform((uint32_t)i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    (void)snprintf(how, sizeof(how), "%s, shuffled", when);
    send_all(how, order);
}

static void row14_every_frame_of_a_life_again_executes_nothing(void **state)
{
    (void)state;
    live();
    in_every_order("in its session");
    hk_test_service_kill(&attack.service);
    hk_test_service_restart(&attack.service);
    hk_test_hang_up(&attack.bystander);
    in_every_order("after a restart");
    hk_test_hang_up(&laptop);
    end_life();
}

/* Under the id of a session that is open now, under another counter, with a bit changed. */
static void row14_no_frame_is_taken_in_another_session_or_under_another_counter(void **state)
{
    (void)state;
    uint8_t before[40], after[40];
    static uint8_t frame[HK_FRAME_MAX];
    live();
    struct hk_channel *sessions[] = {laptop.channel, attack.bystander.channel};
    for (size_t i = 0; i < tape.count; i++) {
        const struct hk_test_recorded *recorded = &tape.at[i];
        for (int way = 0; way < 4; way++) {
            memcpy(frame, recorded->frame, recorded->frame_size);
            if (way < 2) {
                if (memcmp(frame + 2, hk_channel_session(sessions[way])->id, HK_SESSION_ID_BYTES) == 0) {
                    continue; /* its own */
                }
                memcpy(frame + 2, hk_channel_session(sessions[way])->id, HK_SESSION_ID_BYTES);
            } else if (way == 2) {
                hk_put_u64(frame + 18, hk_get_u64(frame + 18) + 1000);
            } else {
                frame[recorded->frame_size - 1] ^= 1;
            }
            look(before);
            send_again(recorded, frame, false);
            look(after);
            assert_memory_equal(before, after, 40);
            hk_tried("changed in way %d: frame %zu (op %d)", way, i, (int)recorded->op);
        }
    }
    hk_serves_others(&attack);
    end_life();
}

/* A frame that is repeated while its answer is kept gets the same bytes, from whatever connection. */
static void row14_a_repeated_frame_gets_the_same_bytes(void **state)
{
    (void)state;
    struct hk_message request, answer;
    static uint8_t again[HK_FRAME_MAX];
    size_t size;
    uint8_t before[32], after[32];
    hk_test_record(&tape);
    hk_test_request(&request, HK_OP_STATUS, &attack.laptop);
    assert_int_equal(hk_test_call(&attack.laptop, &request, &answer), HK_OK);
    use(&attack.laptop);
    hk_test_record(NULL);
    uint64_t leaves = hk_view_leaves(&attack.service, attack.laptop.account);
    hk_view_digest(before, &attack.service, false);
    for (size_t i = 0; i < tape.count; i++) {
        enum hk_error error = HK_TIMEOUT;
        /* a repeat that crosses the answer gets nothing, since that may not be kept yet: then again */
        for (int tries = 0; tries < 40 && error == HK_TIMEOUT; tries++) {
            error = hk_endpoint_call(wire, tape.at[i].frame, tape.at[i].frame_size, again, sizeof(again),
                                     &size, 250);
        }
        assert_int_equal(error, HK_OK);
        assert_int_equal(size, tape.at[i].answer_size);
        assert_memory_equal(again, tape.at[i].answer, size);
        hk_tried("the same bytes again: op %d", (int)tape.at[i].op);
    }
    hk_view_digest(after, &attack.service, false);
    assert_memory_equal(before, after, 32);
    assert_int_equal(hk_view_leaves(&attack.service, attack.laptop.account), leaves);
}

/* ---- message 1 ---- */

static void first_message(const struct hk_test_device *device, bool stranger, uint8_t *frame, size_t *size)
{
    struct hk_noise noise;
    assert_int_equal(hk_session_begin(&noise, stranger ? NULL : &device->static_key, NULL,
                                      attack.service.address.service_key, frame, size),
                     HK_OK);
    hk_noise_wipe(&noise);
}

static void row14_a_first_message_again_opens_nothing_and_closes_nothing(void **state)
{
    (void)state;
    uint8_t frame[HK_HANDSHAKE_BYTES_MAX], answer[HK_FRAME_MAX], before[32], after[32];
    size_t size, answer_size;
    live();
    use(&laptop); /* its session is confirmed */
    hk_serves_others(&attack);
    for (int kind = 0; kind < 3; kind++) { /* a live device, a stranger, a revoked device */
        static const char *const names[] = {"device", "stranger", "revoked device"};
        first_message(kind == 2 ? &phone : &laptop, kind == 1, frame, &size);
        hk_view_digest(before, &attack.service, false);
        uint64_t leaves = hk_view_leaves(&attack.service, laptop.account);
        for (uint64_t i = 0; i < hk_scaled(20000); i++) {
            enum hk_error error =
                HK_UNREACHABLE; /* a connection on which nothing authentic follows is closed */
            for (int tries = 0; tries < 3 && error == HK_UNREACHABLE; tries++) {
                error = hk_endpoint_call(wire, frame, size, answer, sizeof(answer), &answer_size, 5000);
            }
            assert_int_equal(error, HK_OK);
            assert_int_equal(answer[1], HK_FRAME_HANDSHAKE_ANSWER);
            if (i >= 1000 && i % 100 == 0) { /* within what an address is allowed: 500 a second */
                nanosleep(&(struct timespec){.tv_nsec = 250000000}, NULL);
            }
        }
        /* what was captured fits none of the sessions that this opened */
        for (size_t i = 0; i < tape.count; i++) {
            static uint8_t moved[HK_FRAME_MAX];
            memcpy(moved, tape.at[i].frame, tape.at[i].frame_size);
            memcpy(moved + 2, answer + 2, HK_SESSION_ID_BYTES);
            send_again(&tape.at[i], moved, false);
        }
        hk_view_digest(after, &attack.service, false);
        assert_memory_equal(before, after, 32);
        assert_int_equal(hk_view_leaves(&attack.service, laptop.account), leaves);
        hk_tried("message 1 of a %s again", names[kind]);
    }
    struct hk_message request, answered; /* over the session that was open all the time */
    hk_test_request(&request, HK_OP_STATUS, &laptop);
    struct hk_channel *channel = laptop.channel;
    assert_int_equal(hk_test_call(&laptop, &request, &answered), HK_OK);
    assert_ptr_equal(laptop.channel, channel);
    hk_tried("the device's session lives on");
    end_life();
}

/* ---- forged with the service's own key ---- */

struct forger {
    uint8_t hash[64], chaining[64];
    struct hk_secret32 key;
};

static void mix_hash(struct forger *forger, const void *data, size_t size)
{
    hk_digest_blake2b.hash(forger->hash,
                           (struct hk_bytes[]){HK_BYTES(forger->hash, 64), HK_BYTES(data, size)}, 2);
}

static void mix_key(struct forger *forger, const struct hk_secret32 *private, const uint8_t *public)
{
    struct hk_secret32 shared;
    uint8_t out[128];
    assert_int_equal(hk_noise_dh(&shared, private, public), HK_OK);
    hk_hkdf(out, sizeof(out), &hk_digest_blake2b, HK_BYTES(forger->chaining, 64), HK_BYTES(shared.bytes, 32),
            HK_BYTES(NULL, 0));
    memcpy(forger->chaining, out, 64);
    memcpy(forger->key.bytes, out + 64, 32);
}

static void seal(struct forger *forger, uint8_t *out, const void *text, size_t size)
{
    static const uint8_t nonce[HK_AEAD_NONCE_BYTES];
    uint8_t before[64];
    memcpy(before, forger->hash, 64);
    hk_aead_seal(out, &forger->key, nonce, before, 64, text, size);
    mix_hash(forger, out, size + 16);
}

/* Message 1 of Noise_IK in the name of a device, by whoever holds the service's static key: ss can be
 * computed from either end. */
static void forge(struct forger *forger, const struct hk_service_keys *stolen, const uint8_t victim[32],
                  uint8_t *frame, size_t *size)
{
    static const char name[] = "Noise_IK_25519_ChaChaPoly_BLAKE2b";
    static const uint8_t prologue[] = {'h', 'a', 'l', 'f', 'k', 'e', 'y', '/', 'v', '1', HK_FRAME_VERSION, 1};
    struct hk_secret32 ephemeral;
    uint8_t *out = frame + HK_FRAME_HEADER_BYTES;
    memset(forger, 0, sizeof(*forger));
    memcpy(forger->hash, name, sizeof(name) - 1);
    memcpy(forger->chaining, forger->hash, 64);
    mix_hash(forger, prologue, sizeof(prologue));
    mix_hash(forger, stolen->static_public, 32);
    hk_noise_keypair(&ephemeral, out);
    mix_hash(forger, out, 32);
    mix_key(forger, &ephemeral, stolen->static_public);
    seal(forger, out + 32, victim, 32);
    mix_key(forger, &stolen->static_secret, victim);
    seal(forger, out + 80, NULL, 0);
    hk_frame_header(frame, HK_FRAME_HANDSHAKE_IK, NULL, 0);
    *size = HK_FRAME_HEADER_BYTES + 96;
}

static void steal(struct hk_service_keys **keys)
{
    char data[128], reason[256] = "";
    struct hk_secret32 *master;
    (void)snprintf(data, sizeof(data), "%s/data", attack.service.directory);
    assert_int_equal(hk_master_key_load(&master, data, false, reason), HK_OK);
    assert_int_equal(hk_service_keys_load(keys, data, master, false, reason), HK_OK);
    hk_secret_free(master);
}

/* A request sealed under a key that a forger may guess at. */
static size_t guess(uint8_t *frame, const uint8_t *session, const struct hk_secret32 *key, enum hk_op op,
                    const struct hk_test_device *victim)
{
    struct hk_message request;
    uint8_t plain[1024], nonce[HK_AEAD_NONCE_BYTES] = {0};
    size_t size;
    hk_test_request(&request, op, victim);
    assert_int_equal(hk_message_encode(&request, plain, sizeof(plain), &size), HK_OK);
    hk_frame_header(frame, HK_FRAME_REQUEST, session, 0);
    hk_aead_seal(frame + HK_FRAME_HEADER_BYTES, key, nonce, frame, HK_FRAME_HEADER_BYTES, plain, size);
    return HK_FRAME_HEADER_BYTES + size + 16;
}

static void row14_a_message_1_forged_with_the_stolen_key_executes_nothing(void **state)
{
    (void)state;
    struct hk_service_keys *stolen;
    static uint8_t frame[HK_FRAME_MAX], answer[HK_FRAME_MAX];
    size_t size, answer_size;
    const struct hk_test_device *victims[] = {&attack.laptop, &attack.phone, &attack.bystander};
    steal(&stolen);
    for (size_t i = 0; i < 3; i++) {
        struct forger forger;
        struct hk_secret32 keys[3] = {{{0}}};
        forge(&forger, stolen, victims[i]->static_public, frame, &size);
        assert_int_equal(hk_endpoint_call(wire, frame, size, answer, sizeof(answer), &answer_size, 5000),
                         HK_OK);
        assert_int_equal(answer[1], HK_FRAME_HANDSHAKE_ANSWER); /* good as far as anybody could tell */
        memcpy(keys[1].bytes, forger.chaining, 32);
        keys[2] = forger.key;
        for (size_t j = 0; j < 3; j++) { /* without `se` there is no key to seal a request with */
            uint8_t ignored[HK_FRAME_MAX];
            hk_watch(&attack);
            size = guess(frame, answer + 2, &keys[j], j == 0 ? HK_OP_STATUS : HK_OP_REFRESH, victims[i]);
            enum hk_error got =
                hk_endpoint_call(wire, frame, size, ignored, sizeof(ignored), &answer_size, 50);
            assert_true(got == HK_TIMEOUT || (got == HK_OK && ignored[1] == HK_FRAME_HINT));
            hk_refused(&attack, NULL, HK_OP_STATUS, HK_OK, HK_OK, "forged in the name of %zu, guess %zu", i,
                       j);
        }
    }
    hk_secret_free(stolen);
    use(&attack.laptop);
    use(&attack.phone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row14_every_frame_of_a_life_again_executes_nothing),
        TEST(row14_no_frame_is_taken_in_another_session_or_under_another_counter),
        TEST(row14_a_repeated_frame_gets_the_same_bytes),
        TEST(row14_a_first_message_again_opens_nothing_and_closes_nothing),
        TEST(row14_a_message_1_forged_with_the_stolen_key_executes_nothing),
    };
    return HK_ATTACK_ROW(14, tests);
}

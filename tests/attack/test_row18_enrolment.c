/* Row 18: an enrolment with somebody in between. The service itself changes what it relays between the real
 * programs, or puts its own key in the new device's place; gates are guessed, used twice, late; and who is no
 * administrator approves. Nothing is enrolled. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "device/invitation.h"
#include "device/join_channel.h"
#include "tests/support/attack.h"
#include "tests/support/home.h"
#include "tests/support/lying_service.h"

static struct lying_service lying;
static struct hk_test_home laptop, phone;
static struct hk_test_output output;

#define AGREE "agree", "--key", "files", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"

/* ---- the service in the middle ---- */

static const char *const tricks[] = {"message 1 changed on its way",
                                     "message 2 changed on its way",
                                     "the hello changed on its way",
                                     "the bundle changed on its way",
                                     "its own message 1, without the secret",
                                     "its own message 1, with the secret off a photograph",
                                     "its own message 2, as another administrator"};
enum { MESSAGE_1, MESSAGE_2, HELLO, BUNDLE, OWN_WITHOUT, OWN_WITH, OWN_ANSWER, TRICKS };
static int trick;
static atomic_uint played;
static struct hk_invitation invitation; /* what the service has of it: all, or all but the secret */

/* Message 1 of a device that is the service's. */
static size_t own_message(struct hk_job *job, uint8_t **out)
{
    struct hk_join *join = hk_job_memory(job, sizeof(*join));
    struct hk_secret32 key;
    uint8_t key_public[32];
    size_t size = 0;
    *out = hk_job_memory(job, HK_JOIN_HANDSHAKE_MAX);
    hk_noise_keypair(&key, key_public);
    return hk_join_begin(join, &invitation, &key, *out, &size) == HK_OK ? size : 0;
}

static void lie(void *argument, struct hk_job *job, enum hk_error *outcome)
{
    (void)argument;
    if (*outcome != HK_OK || job->row == NULL || !hk_message_has(&job->answer, HK_F_RELAY)) {
        return;
    }
    static const struct {
        enum hk_op op;
        uint64_t step;
    } where[TRICKS] = {{HK_OP_RELAY, HK_JOIN_MESSAGE_1}, {HK_OP_JOIN, HK_JOIN_MESSAGE_2},
                       {HK_OP_RELAY, HK_JOIN_HELLO},     {HK_OP_JOIN, HK_JOIN_BUNDLE},
                       {HK_OP_RELAY, HK_JOIN_MESSAGE_1}, {HK_OP_RELAY, HK_JOIN_MESSAGE_1},
                       {HK_OP_JOIN, HK_JOIN_MESSAGE_2}};
    if (trick >= TRICKS || job->row->op != where[trick].op ||
        hk_job_number(job, HK_F_STEP) != where[trick].step) {
        return;
    }
    struct hk_value *relayed = &job->answer.value[HK_F_RELAY];
    uint8_t *copy = hk_job_memory(job, relayed->size);
    size_t size = relayed->size;
    memcpy(copy, relayed->data, size);
    if (trick == OWN_WITHOUT || trick == OWN_WITH) {
        size = own_message(job, &copy);
    } else if (trick == OWN_ANSWER) {
        hk_random(copy, size);
    } else {
        copy[size / 2] ^= 1;
    }
    hk_message_set_bytes(&job->answer, HK_F_RELAY, copy, size);
    (void)atomic_fetch_add(&played, 1);
}

static int set_up(void **state)
{
    (void)state;
    trick = TRICKS;
    atomic_store(&played, 0);
    lying_start(&lying);
    lying_tell(lie, NULL);
    hk_test_home_init(&laptop, &lying.service, "laptop");
    hk_test_home_init(&phone, &lying.service, "phone");
    hk_test_home_account(&laptop, &lying.service, "laptop");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "files", "--suite", "x25519");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_home_end(&laptop);
    hk_test_home_end(&phone);
    lying_stop(&lying);
    return 0;
}

/* Ends by itself within a few seconds, or is ended; whether it said that all is well. */
static bool ended_well(struct hk_test_running *running, const struct hk_test_home *home)
{
    siginfo_t info = {0};
    for (int i = 0; i < 300 && info.si_pid == 0; i++) {
        (void)waitid(P_PID, (id_t)running->pid, &info, WEXITED | WNOHANG | WNOWAIT);
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    if (info.si_pid == 0) {
        hk_test_agent_kill(home); /* it would wait until the code expires */
    }
    return hk_test_finish(running, &output) == 0;
}

static void assert_nothing_enrolled(void)
{
    static struct hk_test_output listed;
    HK_EXPECT(&laptop, 0, NULL, AGREE);
    assert_int_equal(HK_RUN(&laptop, &listed, "device", "list", "--json"), 0);
    const char *active = strstr(listed.out, "\"active\"");
    assert_non_null(active);
    assert_null(strstr(active + 1, "\"active\"")); /* the laptop alone */
    assert_int_not_equal(HK_RUN(&phone, &listed, AGREE), 0);
}

/* Invites, joins, approves with these words (NULL: those that the phone shows, if any). */
static void enrol(const char *words, bool *joined, bool *approved)
{
    struct hk_test_running join, approve;
    char shown[256] = "none were shown";
    const char *reason;
    assert_int_equal(HK_RUN(&laptop, &output, "device", "invite"), 0);
    *strchr(output.out, '\n') = '\0';
    assert_int_equal(hk_invitation_parse(&invitation, output.out, &reason), HK_OK);
    if (trick == OWN_WITHOUT) {
        hk_random(invitation.secret, sizeof(invitation.secret));
    }
    hk_test_begin(
        &phone, &join,
        (const char *const[]){"device", "join", output.out, "--device", "phone", "--no-passphrase", NULL});
    if (words == NULL && (trick == BUNDLE || trick == HELLO)) {
        hk_test_read_line(&join, "words: ", shown, sizeof(shown));
    }
    hk_test_begin(&laptop, &approve,
                  (const char *const[]){"device", "approve", "--words", words != NULL ? words : shown, NULL});
    *approved = trick == BUNDLE ? false : ended_well(&approve, &laptop);
    *joined = ended_well(&join, &phone);
    if (trick == BUNDLE) {
        *approved = ended_well(&approve, &laptop);
    }
    hk_test_agent_kill(&phone);
}

static void row18_a_service_in_the_middle_is_caught(void **state)
{
    (void)state;
    for (trick = 0; trick < TRICKS; trick++) {
        bool joined, approved;
        atomic_store(&played, 0);
        enrol(NULL, &joined, &approved);
        assert_true(atomic_load(&played) > 0); /* it was really in the middle */
        assert_false(joined);
        assert_false(approved);
        assert_nothing_enrolled();
        hk_tried("the service in the middle: %s", tricks[trick]);
        int now = trick;
        (void)tear_down(state); /* what a caught enrolment has locked stays so until the code expires */
        (void)set_up(state);
        trick = now;
    }
}

static void row18_words_that_differ_refuse(void **state)
{
    (void)state;
    bool joined, approved;
    enrol("bobol dodod fofof gogog hohoh jojoj", &joined, &approved);
    assert_false(joined);
    assert_false(approved);
    assert_nothing_enrolled();
    hk_tried("the user says no");
    hk_test_home_pair(&laptop, &phone, "phone"); /* and with the right ones it works */
    HK_EXPECT(&phone, 0, NULL, AGREE);
    HK_EXPECT(&phone, 1, "administrator", "device", "invite");
    HK_EXPECT(&phone, 1, "administrator", "device", "approve", "--words", "x");
    hk_tried("an ordinary device invites and approves");
}

/* ---- gates ---- */

static struct hk_attack world;

static enum hk_error join(struct hk_test_device *device, const uint8_t gate[32], uint64_t step)
{
    struct hk_message request, answer;
    hk_test_request(&request, HK_OP_JOIN, NULL);
    hk_message_set_bytes(&request, HK_F_ACCOUNT, world.laptop.account, HK_ACCOUNT_BYTES);
    hk_message_set_bytes(&request, HK_F_GATE, gate, 32);
    hk_message_set_u64(&request, HK_F_STEP, step);
    hk_message_set_bytes(&request, HK_F_RELAY, "mine", 4);
    return hk_test_call_stranger(device, &request, &answer);
}

static enum hk_error invite(struct hk_test_device *by, uint8_t gate[32], uint64_t seconds)
{
    struct hk_message request, answer;
    uint8_t hash[32];
    hk_random(gate, 32);
    hk_gate_hash(hash, gate);
    hk_test_request(&request, HK_OP_INVITE, by);
    hk_message_set_bytes(&request, HK_F_GATE_HASH, hash, 32);
    hk_message_set_u64(&request, HK_F_EXPIRES, (uint64_t)time(NULL) + seconds);
    return hk_test_call(by, &request, &answer);
}

static void row18_gates_open_once_in_time_and_to_nobody_who_guesses(void **state)
{
    (void)state;
    uint8_t gate[32], wrong[32] = {0};
    static struct hk_test_device thief, second;
    memset(&world, 0, sizeof(world));
    hk_attack_begin(&world, false);
    hk_test_device_init(&thief, &world.service);
    hk_test_device_init(&second, &world.service);
    assert_int_equal(invite(&world.phone, gate, 600), HK_NOT_ALLOWED);
    hk_tried("an invitation by an ordinary device");
    assert_int_equal(invite(&world.laptop, gate, 600), HK_OK);
    assert_int_equal(join(&second, gate, HK_JOIN_MESSAGE_1), HK_OK);
    assert_true(join(&thief, gate, HK_JOIN_MESSAGE_1) != HK_OK);
    hk_tried("a gate used twice");
    assert_int_equal(invite(&world.laptop, gate, 1), HK_OK);
    (void)nanosleep(&(struct timespec){.tv_sec = 2, .tv_nsec = 100000000}, NULL);
    hk_test_hang_up(&second);
    assert_int_equal(join(&second, gate, HK_JOIN_MESSAGE_1), HK_UNKNOWN_RUN);
    hk_tried("an expired gate");
    assert_int_equal(invite(&world.laptop, gate, 600), HK_OK);
    for (int i = 0; i < 6; i++) {
        wrong[0] = (uint8_t)i;
        enum hk_error error = join(&thief, wrong, HK_JOIN_MESSAGE_1);
        assert_true(i < 4 ? error == HK_UNKNOWN_RUN : error == HK_UNKNOWN_RUN || error == HK_OVER_QUOTA);
        assert_true(i < 5 || error == HK_OVER_QUOTA);
        hk_tried("a guess, %s", hk_error_name(error));
    }
    hk_test_hang_up(&thief);
    assert_true(join(&thief, wrong, HK_JOIN_MESSAGE_1) != HK_OK); /* a new session changes nothing */
    hk_test_device_end(&thief);
    hk_test_device_end(&second);
    hk_attack_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(row18_a_service_in_the_middle_is_caught),
        TEST(row18_words_that_differ_refuse),
        cmocka_unit_test(row18_gates_open_once_in_time_and_to_nobody_who_guesses),
    };
    return HK_ATTACK_ROW(18, tests);
}

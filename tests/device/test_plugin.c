/* The plugin's two conversations, played by an age made of a few lines, over a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/random.h"
#include "device/age_crypto.h"
#include "device/key_format.h"
#include "device/plugin.h"

/* ---- an account with whole keys, in tests only ---- */

struct account {
    uint8_t name[HK_ACCOUNT_BYTES];
    struct hk_plugin_key keys[3];
    uint8_t private[3][32];
    size_t requests, points;
    bool locked;
    enum hk_error refuse;
};
static struct account alice;

static enum hk_error list_keys(void *context, uint8_t account[HK_ACCOUNT_BYTES], struct hk_plugin_key *keys,
                               size_t *count)
{
    struct account *a = context;
    memcpy(account, a->name, sizeof a->name);
    memcpy(keys, a->keys, sizeof a->keys);
    *count = 3;
    return HK_OK;
}

static enum hk_error agree(void *context, const uint8_t key[HK_ID_BYTES], const uint8_t (*points)[32],
                           size_t count, bool prove, uint8_t (*shared)[32])
{
    struct account *a = context;
    if (a->locked)
        return HK_AGENT_LOCKED;
    a->requests += !prove;
    a->points += prove ? 0 : count;
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < count && memcmp(key, a->keys[k].id, HK_ID_BYTES) == 0; i++)
            assert_int_equal(crypto_scalarmult(shared[i], a->private[k], points[i]), 0);
    return a->refuse;
}

static enum hk_error unlock(void *context, const char *passphrase)
{
    struct account *a = context;
    if (strcmp(passphrase, "correct horse") != 0)
        return HK_BAD_PASSPHRASE;
    a->locked = false;
    return HK_OK;
}

static int fresh_account(void **state)
{
    (void)state;
    alice = (struct account){.requests = 0};
    hk_random(alice.name, sizeof alice.name);
    for (size_t i = 0; i < 3; i++) {
        hk_random(alice.keys[i].id, HK_ID_BYTES);
        hk_random(alice.private[i], 32);
        crypto_scalarmult_base(alice.keys[i].recipient, alice.private[i]);
    }
    return 0;
}

static const char *sentence(void *context, enum hk_error error)
{
    (void)context;
    return hk_strerror(error);
}

/* ---- age's side ---- */

struct talk {
    int fd, plugin_fd;
    bool recipient;
    enum hk_error result;
    pthread_t thread;
    struct hk_lines lines;
    struct hk_stanza stanza;
};

static void *run_plugin(void *context)
{
    static const struct hk_plugin_agent agent = {list_keys, agree, unlock, sentence, &alice};
    struct talk *talk = context;
    struct hk_source source = {hk_fd_read, &talk->plugin_fd};
    struct hk_sink sink = {hk_fd_write, &talk->plugin_fd};
    talk->result = talk->recipient ? hk_plugin_recipient_v1(source, sink, &agent)
                                   : hk_plugin_identity_v1(source, sink, &agent);
    shutdown(talk->plugin_fd, SHUT_RDWR);
    return NULL;
}

static void start(struct talk *talk, bool recipient)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    talk->fd = pair[0];
    talk->plugin_fd = pair[1];
    talk->recipient = recipient;
    hk_lines_init(&talk->lines, (struct hk_source){hk_fd_read, &talk->fd});
    assert_int_equal(pthread_create(&talk->thread, NULL, run_plugin, talk), 0);
}

static void say(struct talk *talk, const char *command, const void *body, size_t size)
{
    struct hk_sink sink = {hk_fd_write, &talk->fd};
    assert_int_equal(hk_stanza_write(&sink, command, body, size), HK_OK);
}

static const char *hear(struct talk *talk)
{
    assert_int_equal(hk_stanza_read(&talk->stanza, &talk->lines), HK_OK);
    return talk->stanza.argument[0];
}

static void end(struct talk *talk)
{
    assert_string_equal(hear(talk), "done");
    pthread_join(talk->thread, NULL);
    assert_int_equal(talk->result, HK_OK);
    close(talk->fd);
    close(talk->plugin_fd);
}

static void say_identity(struct talk *talk, int key)
{
    struct hk_plugin_identity identity = {.all = key < 0};
    char text[HK_KEY_TEXT_MAX], command[HK_KEY_TEXT_MAX + 32];
    if (key >= 0) {
        memcpy(identity.account, alice.name, sizeof identity.account);
        memcpy(identity.key, alice.keys[key].id, sizeof identity.key);
    }
    hk_plugin_identity_encode(text, &identity);
    snprintf(command, sizeof command, "add-identity %s", text);
    say(talk, command, NULL, 0);
}

static void say_stanza(struct talk *talk, size_t file, const uint8_t recipient[32], const void *file_key)
{
    char arguments[HK_AGE_STANZA_TEXT], command[128];
    uint8_t body[HK_AGE_BODY_BYTES];
    assert_int_equal(hk_age_wrap_one(arguments, body, file_key, recipient), HK_OK);
    snprintf(command, sizeof command, "recipient-stanza %zu %s", file, arguments);
    say(talk, command, body, sizeof body);
}

static void expect_file_key(struct talk *talk, const char *file, const char *key)
{
    assert_string_equal(hear(talk), "file-key");
    assert_string_equal(talk->stanza.argument[1], file);
    assert_int_equal(talk->stanza.body_size, HK_AGE_FILE_KEY_BYTES);
    assert_memory_equal(talk->stanza.body, key, HK_AGE_FILE_KEY_BYTES);
    say(talk, "ok", NULL, 0);
}

static void expect_error(struct talk *talk, const char *which, const char *words)
{
    char text[256] = "";
    assert_string_equal(hear(talk), "error");
    assert_string_equal(talk->stanza.argument[1], which);
    memcpy(text, talk->stanza.body, talk->stanza.body_size);
    if (!strstr(text, words))
        fail_msg("'%s' does not say '%s'", text, words);
    say(talk, "ok", NULL, 0);
}

/* ---- tests ---- */

static void opens_a_file_with_one_request_among_stanzas_of_others(void **state)
{
    (void)state;
    struct talk talk;
    start(&talk, false);
    say_identity(&talk, 1);
    say(&talk, "grease-from-the-future 1 2", "xyz", 3);
    say(&talk, "recipient-stanza 0 ssh-ed25519 abcd efgh", "body", 4);
    for (int i = 0; i < 5; i++)
        say_stanza(&talk, 0, alice.keys[i % 3].recipient, "YELLOW SUBMARINE");
    say(&talk, "done", NULL, 0);
    expect_file_key(&talk, "0", "YELLOW SUBMARINE");
    end(&talk);
    assert_int_equal(alice.requests, 1);
    assert_int_equal(alice.points, 5);
}

static void opens_several_files_with_one_request(void **state)
{
    (void)state;
    struct talk talk;
    start(&talk, false);
    say_identity(&talk, 0);
    say_stanza(&talk, 0, alice.keys[0].recipient, "file number zero");
    say_stanza(&talk, 1, alice.keys[1].recipient, "somebody else's.");
    say_stanza(&talk, 2, alice.keys[0].recipient, "file number two.");
    say(&talk, "done", NULL, 0);
    expect_file_key(&talk, "0", "file number zero");
    expect_file_key(&talk, "2", "file number two.");
    end(&talk);
    assert_int_equal(alice.requests, 1);
}

static void an_identity_without_data_means_every_key(void **state)
{
    (void)state;
    struct talk talk;
    start(&talk, false);
    say_identity(&talk, -1);
    say_stanza(&talk, 0, alice.keys[2].recipient, "YELLOW SUBMARINE");
    say(&talk, "done", NULL, 0);
    expect_file_key(&talk, "0", "YELLOW SUBMARINE");
    end(&talk);
    assert_int_equal(alice.requests, 3);
}

static void a_file_for_others_is_no_error(void **state)
{
    (void)state;
    struct talk talk;
    start(&talk, false);
    say_identity(&talk, 0);
    say_stanza(&talk, 0, alice.keys[1].recipient, "YELLOW SUBMARINE");
    say(&talk, "done", NULL, 0);
    end(&talk);
}

static void a_refusal_is_told_as_a_sentence(void **state)
{
    (void)state;
    struct talk talk;
    alice.refuse = HK_REVOKED;
    start(&talk, false);
    say_identity(&talk, 0);
    say_stanza(&talk, 0, alice.keys[0].recipient, "YELLOW SUBMARINE");
    say(&talk, "done", NULL, 0);
    expect_error(&talk, "internal", "revoked");
    end(&talk);
}

static void a_locked_agent_asks_through_age(void **state)
{
    (void)state;
    struct talk talk;
    alice.locked = true;
    start(&talk, false);
    say_identity(&talk, 0);
    say_stanza(&talk, 0, alice.keys[0].recipient, "YELLOW SUBMARINE");
    say(&talk, "done", NULL, 0);
    assert_string_equal(hear(&talk), "request-secret");
    say(&talk, "ok", "correct horse", 13);
    expect_file_key(&talk, "0", "YELLOW SUBMARINE");
    end(&talk);
}

static void a_locked_agent_without_a_terminal_says_what_to_run(void **state)
{
    (void)state;
    struct talk talk;
    alice.locked = true;
    start(&talk, false);
    say_identity(&talk, 0);
    say_stanza(&talk, 0, alice.keys[0].recipient, "YELLOW SUBMARINE");
    say(&talk, "done", NULL, 0);
    assert_string_equal(hear(&talk), "request-secret");
    say(&talk, "fail", NULL, 0);
    expect_error(&talk, "internal", "halfkey unlock");
    end(&talk);
}

static void foreign_and_malformed_identities_are_named(void **state)
{
    (void)state;
    struct talk talk;
    start(&talk, false);
    say_identity(&talk, 0);
    say(&talk, "add-identity AGE-PLUGIN-HALFKEY-1QQQQ", NULL, 0);
    say_stanza(&talk, 0, alice.keys[0].recipient, "YELLOW SUBMARINE");
    say(&talk, "done", NULL, 0);
    expect_error(&talk, "identity", "malformed");
    end(&talk);
    start(&talk, false);
    say_identity(&talk, 0);
    say_stanza(&talk, 0, alice.keys[0].recipient, "YELLOW SUBMARINE");
    hk_random(alice.name, sizeof alice.name);
    say(&talk, "done", NULL, 0);
    expect_error(&talk, "identity", "another account");
    end(&talk);
}

static void malformed_stanzas_are_named_and_cost_no_request(void **state)
{
    (void)state;
    struct talk talk;
    start(&talk, false);
    say_identity(&talk, 0);
    say_stanza(&talk, 0, alice.keys[0].recipient, "YELLOW SUBMARINE");
    say(&talk, "recipient-stanza 0 X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "01234567890123456789012345678901", 32);
    say(&talk, "done", NULL, 0);
    expect_error(&talk, "stanza", "malformed");
    assert_string_equal(talk.stanza.argument[2], "0");
    assert_string_equal(talk.stanza.argument[3], "1");
    end(&talk);
    assert_int_equal(alice.requests, 0);
}

static void wraps_file_keys_in_native_stanzas(void **state)
{
    (void)state;
    struct talk talk;
    start(&talk, true);
    say_identity(&talk, 1);
    say(&talk, "wrap-file-key", "YELLOW SUBMARINE", 16);
    say(&talk, "extension-labels", NULL, 0);
    say(&talk, "done", NULL, 0);
    assert_string_equal(hear(&talk), "recipient-stanza");
    assert_string_equal(talk.stanza.argument[1], "0");
    assert_string_equal(talk.stanza.argument[2], "X25519");
    struct hk_age_wrap wrap;
    uint8_t shared[32], file_key[16];
    memmove(talk.stanza.argument, talk.stanza.argument + 2, 2 * sizeof *talk.stanza.argument);
    talk.stanza.count -= 2;
    assert_int_equal(hk_age_parse_wrap(&wrap, &talk.stanza), HK_OK);
    assert_int_equal(crypto_scalarmult(shared, alice.private[1], wrap.ephemeral), 0);
    assert_int_equal(hk_age_unwrap_one(file_key, &wrap, alice.keys[1].recipient, shared), HK_OK);
    assert_memory_equal(file_key, "YELLOW SUBMARINE", 16);
    say(&talk, "ok", NULL, 0);
    end(&talk);
    assert_int_equal(alice.requests, 0);
}

static void plugin_recipients_are_sent_to_the_native_ones(void **state)
{
    (void)state;
    struct talk talk;
    start(&talk, true);
    say(&talk, "add-recipient age1halfkey1qqqq", NULL, 0);
    say(&talk, "wrap-file-key", "YELLOW SUBMARINE", 16);
    say(&talk, "done", NULL, 0);
    expect_error(&talk, "recipient", "age1...");
    end(&talk);
}

static void a_conversation_that_breaks_off_ends_with_an_error(void **state)
{
    (void)state;
    struct talk talk;
    start(&talk, false);
    say_identity(&talk, 0);
    shutdown(talk.fd, SHUT_RDWR);
    pthread_join(talk.thread, NULL);
    assert_int_equal(talk.result, HK_IO);
    close(talk.fd);
    close(talk.plugin_fd);
}

#define TEST(f) cmocka_unit_test_setup(f, fresh_account)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_a_file_with_one_request_among_stanzas_of_others),
        TEST(opens_several_files_with_one_request),
        TEST(an_identity_without_data_means_every_key),
        TEST(a_file_for_others_is_no_error),
        TEST(a_refusal_is_told_as_a_sentence),
        TEST(a_locked_agent_asks_through_age),
        TEST(a_locked_agent_without_a_terminal_says_what_to_run),
        TEST(foreign_and_malformed_identities_are_named),
        TEST(malformed_stanzas_are_named_and_cost_no_request),
        TEST(wraps_file_keys_in_native_stanzas),
        TEST(plugin_recipients_are_sent_to_the_native_ones),
        TEST(a_conversation_that_breaks_off_ends_with_an_error),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

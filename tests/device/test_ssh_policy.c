/* A key's policy for SSH's clients: as bytes, and what it says of each kind of request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <string.h>

#include "device/ssh_policy.h"

static const uint8_t session[] = "a session", other_session[] = "another";
static const uint8_t host[] = "a host's key", other_host[] = "another's";
static char why[HK_SSH_WHY_MAX];

static const struct hk_ssh_signed file = {.kind = HK_SIGN_SSHSIG, .namespace = {"git", 3}},
                                  raw = {.kind = HK_SIGN_RAW},
                                  login = {.kind = HK_SIGN_SSH_LOGIN,
                                           .session = {session, sizeof session},
                                           .user = {"alice", 5},
                                           .host = {host, sizeof host}},
                                  unnamed = {.kind = HK_SIGN_SSH_LOGIN,
                                             .session = {session, sizeof session},
                                             .user = {"alice", 5}};

static void bind_to(struct hk_ssh_bindings *bindings, const uint8_t *to, size_t size, bool forwarded)
{
    struct hk_ssh_binding *at = &bindings->at[bindings->count++];
    memcpy(at->session, session, sizeof session);
    memcpy(at->host, to, size);
    at->session_size = sizeof session;
    at->host_size = size;
    at->forwarded = forwarded;
}

static void for_host(struct hk_ssh_policy *policy, const uint8_t *key, size_t size)
{
    policy->names_hosts = true;
    strcpy(policy->hosts[policy->host_count].name, "example.org");
    crypto_hash_sha256(policy->hosts[policy->host_count++].fingerprint, key, size);
}

static void a_policy_is_written_and_read_back_the_same(void **state)
{
    (void)state;
    static struct hk_ssh_policy policy, back;
    uint8_t bytes[HK_ATTACHMENT_MAX], again[HK_ATTACHMENT_MAX];
    size_t size = 0, more = 0;
    policy = (struct hk_ssh_policy){.names_namespaces = true,
                                    .namespace_count = 2,
                                    .namespaces = {"git", "file"},
                                    .forwarded = HK_SSH_FORWARDED_NO};
    for_host(&policy, host, sizeof host);
    assert_int_equal(hk_ssh_policy_encode(&policy, bytes, sizeof bytes, &size), HK_OK);
    assert_int_equal(hk_ssh_policy_decode(&back, bytes, size), HK_OK);
    assert_memory_equal(&back, &policy, sizeof back);
    assert_int_equal(hk_ssh_policy_encode(&back, again, sizeof again, &more), HK_OK);
    assert_int_equal(more, size);
    assert_memory_equal(again, bytes, size);
    for (size_t cut = 1; cut < size; cut++)
        assert_int_equal(hk_ssh_policy_decode(&back, bytes, cut), HK_BAD_ENCODING);
    bytes[size - 1] = 3; /* a way of forwarding that is not known */
    assert_int_equal(hk_ssh_policy_decode(&back, bytes, size), HK_BAD_ENCODING);
}

static void none_is_the_policy_of_a_key_without_one_and_lists_may_be_empty(void **state)
{
    (void)state;
    static struct hk_ssh_policy policy, none = {.names_hosts = true, .names_namespaces = true};
    static const struct hk_ssh_bindings local;
    uint8_t bytes[64];
    size_t size = 0;
    assert_int_equal(hk_ssh_policy_decode(&policy, NULL, 0), HK_OK);
    assert_int_equal(hk_ssh_decide(&policy, &file, &local, why), HK_SSH_ALLOW);
    assert_int_equal(hk_ssh_decide(&policy, &login, &local, why), HK_SSH_ALLOW);
    assert_int_equal(hk_ssh_decide(&policy, &unnamed, &local, why), HK_SSH_ALLOW);
    assert_int_equal(hk_ssh_decide(&policy, &raw, &local, why), HK_SSH_ALLOW);
    assert_int_equal(hk_ssh_policy_encode(&none, bytes, sizeof bytes, &size), HK_OK);
    assert_int_equal(hk_ssh_policy_decode(&policy, bytes, size), HK_OK);
    assert_int_equal(hk_ssh_decide(&policy, &file, &local, why), HK_SSH_REFUSE);
    assert_int_equal(hk_ssh_decide(&policy, &login, &local, why), HK_SSH_REFUSE);
    assert_int_equal(hk_ssh_decide(&policy, &raw, &local, why), HK_SSH_REFUSE);
}

static void too_many_and_odd_names_are_refused(void **state)
{
    (void)state;
    static struct hk_ssh_policy policy;
    uint8_t bytes[HK_ATTACHMENT_MAX];
    size_t size = 0;
    policy.names_hosts = true;
    policy.host_count = HK_SSH_HOSTS_MAX;
    for (size_t i = 0; i < HK_SSH_HOSTS_MAX; i++)
        memset(policy.hosts[i].name, 'h', HK_SSH_NAME_MAX);
    assert_int_equal(hk_ssh_policy_encode(&policy, bytes, sizeof bytes, &size), HK_TOO_LARGE);
    policy.host_count = 1;
    assert_int_equal(hk_ssh_policy_encode(&policy, bytes, sizeof bytes, &size), HK_OK);
    strcpy(policy.hosts[0].name, "\x1b[31m");
    assert_int_equal(hk_ssh_policy_encode(&policy, bytes, sizeof bytes, &size), HK_BAD_ENCODING);
    strcpy(policy.hosts[0].name, "");
    assert_int_equal(hk_ssh_policy_encode(&policy, bytes, sizeof bytes, &size), HK_BAD_ENCODING);
}

static void hosts_are_known_by_what_is_signed_or_by_the_session(void **state)
{
    (void)state;
    static struct hk_ssh_policy policy;
    static struct hk_ssh_bindings local, bound, elsewhere;
    policy = (struct hk_ssh_policy){0};
    for_host(&policy, host, sizeof host);
    bind_to(&bound, host, sizeof host, false);
    bind_to(&elsewhere, other_host, sizeof other_host, false);
    assert_int_equal(hk_ssh_decide(&policy, &login, &local, why), HK_SSH_ALLOW);
    assert_int_equal(hk_ssh_decide(&policy, &login, &bound, why), HK_SSH_ALLOW);
    assert_int_equal(hk_ssh_decide(&policy, &unnamed, &bound, why), HK_SSH_ALLOW);
    assert_int_equal(hk_ssh_decide(&policy, &unnamed, &local, why), HK_SSH_REFUSE);
    assert_non_null(strstr(why, "nothing says which one"));
    assert_int_equal(hk_ssh_decide(&policy, &unnamed, &elsewhere, why), HK_SSH_REFUSE);
    assert_int_equal(hk_ssh_decide(&policy, &login, &elsewhere, why), HK_SSH_REFUSE);
    assert_non_null(strstr(why, "another host than the one that asks"));
    struct hk_ssh_signed moved = login;
    moved.session = HK_BYTES(other_session, sizeof other_session);
    assert_int_equal(hk_ssh_decide(&policy, &moved, &bound, why), HK_SSH_REFUSE);
    assert_int_equal(hk_ssh_decide(&policy, &moved, &local, why), HK_SSH_ALLOW);
    assert_true(hk_ssh_is_offered(&policy, &bound));
    assert_true(hk_ssh_is_offered(&policy, &local));
    assert_false(hk_ssh_is_offered(&policy, &elsewhere));
}

static void forwarded_use_is_asked_about_unless_the_policy_says(void **state)
{
    (void)state;
    static struct hk_ssh_policy policy;
    static struct hk_ssh_bindings hop, broken = {.broken = true};
    bind_to(&hop, other_host, sizeof other_host, true);
    const struct hk_ssh_bindings *both[] = {&hop, &broken};
    for (size_t i = 0; i < 2; i++) {
        policy.forwarded = HK_SSH_FORWARDED_ASK;
        assert_int_equal(hk_ssh_decide(&policy, &file, both[i], why), HK_SSH_ASK);
        assert_int_equal(hk_ssh_decide(&policy, &login, both[i], why), HK_SSH_ASK);
        assert_int_equal(hk_ssh_decide(&policy, &raw, both[i], why), HK_SSH_REFUSE);
        assert_true(hk_ssh_is_offered(&policy, both[i]));
        policy.forwarded = HK_SSH_FORWARDED_NO;
        assert_int_equal(hk_ssh_decide(&policy, &file, both[i], why), HK_SSH_REFUSE);
        assert_false(hk_ssh_is_offered(&policy, both[i]));
        policy.forwarded = HK_SSH_FORWARDED_YES;
        assert_int_equal(hk_ssh_decide(&policy, &file, both[i], why), HK_SSH_ALLOW);
        assert_int_equal(hk_ssh_decide(&policy, &raw, both[i], why), HK_SSH_REFUSE);
    }
}

static void people_are_told_what_is_signed_and_nothing_that_writes_on_their_terminal(void **state)
{
    (void)state;
    static struct hk_ssh_policy policy, named;
    static const struct hk_ssh_bindings local;
    char text[HK_SSH_WHAT_MAX];
    for_host(&named, host, sizeof host);
    hk_ssh_describe(text, &policy, &file, &local);
    assert_string_equal(text, "a signature in the namespace git");
    hk_ssh_describe(text, &named, &login, &local);
    assert_memory_equal(text, "a login as alice at example.org (SHA256:", 40);
    hk_ssh_describe(text, &policy, &login, &local);
    assert_memory_equal(text, "a login as alice at the host SHA256:", 36);
    hk_ssh_describe(text, &policy, &unnamed, &local);
    assert_string_equal(text, "a login as alice at a host that is not named");
    struct hk_ssh_signed odd = login;
    odd.user = HK_BYTES("\x1b[2J", 4);
    hk_ssh_describe(text, &policy, &odd, &local);
    assert_null(strchr(text, '\x1b'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_is_written_and_read_back_the_same),
        cmocka_unit_test(none_is_the_policy_of_a_key_without_one_and_lists_may_be_empty),
        cmocka_unit_test(too_many_and_odd_names_are_refused),
        cmocka_unit_test(hosts_are_known_by_what_is_signed_or_by_the_session),
        cmocka_unit_test(forwarded_use_is_asked_about_unless_the_policy_says),
        cmocka_unit_test(people_are_told_what_is_signed_and_nothing_that_writes_on_their_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

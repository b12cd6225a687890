/* Row 31: somebody on a host to which the agent was forwarded, and somebody who answers for a host that is
 * not theirs: sessions bound with other signatures, twice, over, or not at all; logins to another session or
 * host than the one that asks. Nothing is signed unseen, and a forwarded connection never passes for local.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/attack.h"
#include "tests/support/ssh_peer.h"

#define SUCCESS 6
#define FAILURE 5
#define SIGNATURE 14
#define ONE "session one, 32 bytes, of a hash"
#define TWO "session two, 32 bytes, of a hash"

static struct hk_test_service service;
static struct hk_test_home laptop;
static struct hk_ssh_test_host hop, target, mallory;
static struct hk_ssh_peer peer;
static uint8_t key[32], data[1024];

static int set_up(void **state)
{
    (void)state;
    memset(&service, 0, sizeof(service));
    hk_test_service_start(&service, false);
    hk_test_home_init(&laptop, &service, "laptop");
    hk_test_home_account(&laptop, &service, "laptop");
    HK_EXPECT(&laptop, 0, NULL, "key", "create", "git", "--suite", "ed25519");
    hk_ssh_test_host(&hop);
    hk_ssh_test_host(&target);
    hk_ssh_test_host(&mallory);
    hk_ssh_peer_open(&peer, &laptop);
    assert_int_equal(hk_ssh_peer_list(&peer, 0, key), 1);
    hk_ssh_peer_close(&peer);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_test_home_end(&laptop);
    hk_test_service_end(&service);
    return 0;
}

static uint8_t login(const char *session, const struct hk_ssh_test_host *host)
{
    return hk_ssh_peer_sign(&peer, key, data, hk_ssh_test_login(data, key, session, host));
}

static uint8_t sign_for(const char *namespace)
{
    return hk_ssh_peer_sign(&peer, key, data, hk_ssh_test_sshsig(data, namespace));
}

static void open_peer(void)
{
    hk_ssh_peer_open(&peer, &laptop);
}

static void allow(const char *forwarded)
{
    HK_EXPECT(&laptop, 0, NULL, "key", "allow", "git", "--forwarded", forwarded);
}

static void row31_a_local_login_is_for_the_session_and_the_host_that_ask(void **state)
{
    (void)state;
    open_peer();
    assert_int_equal(hk_ssh_peer_bind(&peer, &target, &target, ONE, false), SUCCESS);
    assert_int_equal(login(ONE, &target), SIGNATURE);
    assert_int_equal(login(ONE, NULL), SIGNATURE); /* of a server older than host-bound logins */
    assert_int_equal(login(TWO, &target), FAILURE);
    hk_tried("a login to another session");
    assert_int_equal(login(ONE, &mallory), FAILURE);
    hk_tried("a login to another host");
    assert_int_equal(login(TWO, NULL), FAILURE);
    hk_tried("a login to another session that names no host");
    assert_int_equal(hk_ssh_peer_bind(&peer, &target, &target, ONE, false), SUCCESS); /* the same again */
    assert_int_equal(hk_ssh_peer_bind(&peer, &mallory, &mallory, TWO, false), FAILURE);
    hk_tried("bound a second time, to another host");
    assert_int_equal(login(TWO, &mallory), FAILURE);
    hk_tried("a login to that one");
    hk_ssh_peer_close(&peer);
}

static void row31_a_session_without_its_hosts_signature_counts_as_forwarded(void **state)
{
    (void)state;
    uint8_t request[256];
    struct hk_ssh_writer writer = {request, 0, sizeof(request), false};
    open_peer();
    assert_int_equal(hk_ssh_peer_bind(&peer, &target, &mallory, ONE, false), FAILURE);
    hk_tried("a session signed by another host");
    assert_int_equal(sign_for("git"), FAILURE);
    hk_tried("a signature after it");
    assert_int_equal(hk_ssh_peer_bind(&peer, &target, &target, ONE, false), SUCCESS);
    assert_int_equal(login(ONE, &target), FAILURE);
    hk_tried("a login after it, bound properly");
    hk_ssh_peer_close(&peer);
    hk_ssh_put_byte(&writer, 27);
    hk_ssh_put_string(&writer, "session-bind@openssh.com", 24);
    for (size_t cut = 25; cut <= writer.size; cut++) {
        open_peer();
        assert_int_equal(hk_ssh_peer_ask(&peer, request, cut), FAILURE);
        if (cut == writer.size) { /* the name is whole, nothing is behind it */
            assert_int_equal(sign_for("git"), FAILURE);
        }
        hk_ssh_peer_close(&peer);
        hk_tried("a binding of %zu bytes", cut);
    }
}

static void row31_a_forwarded_connection_stays_one_whatever_it_says(void **state)
{
    (void)state;
    char session[40];
    open_peer();
    assert_int_equal(hk_ssh_peer_bind(&peer, &hop, &hop, ONE, true), SUCCESS);
    assert_int_equal(sign_for("git"), FAILURE); /* nobody can be asked */
    hk_tried("a signature from the hop");
    assert_int_equal(hk_ssh_peer_bind(&peer, &hop, &hop, ONE, false), FAILURE);
    hk_tried("the same session, now local");
    assert_int_equal(sign_for("git"), FAILURE);
    hk_ssh_peer_close(&peer);
    open_peer();
    assert_int_equal(hk_ssh_peer_bind(&peer, &hop, &hop, ONE, true), SUCCESS);
    assert_int_equal(hk_ssh_peer_bind(&peer, &target, &target, TWO, false), SUCCESS);
    assert_int_equal(login(TWO, &target), FAILURE);
    hk_tried("a login from the hop to a target");
    hk_ssh_peer_close(&peer);
    open_peer();
    for (int i = 0; i < 20; i++) {
        (void)snprintf(session, sizeof(session), "session %02d of many that are bound", i);
        assert_int_equal(hk_ssh_peer_bind(&peer, &hop, &hop, session, true), i < 16 ? SUCCESS : FAILURE);
    }
    assert_int_equal(sign_for("git"), FAILURE);
    hk_tried("twenty sessions, to push the first out");
    hk_ssh_peer_close(&peer);
}

static void row31_forwarded_use_is_what_the_key_says(void **state)
{
    (void)state;
    uint8_t listed[32];
    allow("yes");
    open_peer();
    assert_int_equal(hk_ssh_peer_bind(&peer, &hop, &hop, ONE, true), SUCCESS);
    assert_int_equal(sign_for("git"), SIGNATURE);
    assert_int_equal(hk_ssh_peer_sign(&peer, key, "anything", 8), FAILURE);
    hk_tried("data that says nothing of itself, from a hop that may sign");
    assert_int_equal(hk_ssh_peer_bind(&peer, &target, &target, TWO, false), SUCCESS);
    assert_int_equal(login(TWO, &target), SIGNATURE);
    assert_int_equal(login(ONE, &hop), FAILURE);
    hk_tried("a login to the hop itself, from a session to a target");
    hk_ssh_peer_close(&peer);
    allow("no");
    open_peer();
    assert_int_equal(hk_ssh_peer_bind(&peer, &hop, &hop, ONE, true), SUCCESS);
    assert_int_equal(sign_for("git"), FAILURE);
    hk_tried("a signature from a hop that may not");
    assert_int_equal(hk_ssh_peer_list(&peer, 0, listed), 0);
    hk_tried("the list from a hop that may not");
    hk_ssh_peer_close(&peer);
    allow("ask");
}

static void row31_a_key_for_one_host_and_one_namespace_is_for_nothing_else(void **state)
{
    (void)state;
    char hosts[128], fingerprint[HK_SSH_FINGERPRINT_MAX];
    uint8_t listed[32];
    hk_ssh_fingerprint(fingerprint, HK_BYTES(target.blob, sizeof(target.blob)));
    (void)snprintf(hosts, sizeof(hosts), "target=%s", fingerprint);
    HK_EXPECT(&laptop, 0, "namespaces: git", "key", "allow", "git", "--namespaces", "git", "--hosts", hosts);
    open_peer();
    assert_int_equal(sign_for("git"), SIGNATURE);
    static const char *const others[] = {"", "gi", "git ", "gitx", "GIT", "file"};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        assert_int_equal(sign_for(others[i]), FAILURE);
        hk_tried("namespace '%s'", others[i]);
    }
    assert_int_equal(login(ONE, &target), SIGNATURE); /* it names its host, so it is good there alone */
    assert_int_equal(login(ONE, &mallory), FAILURE);
    hk_tried("a login to another host");
    assert_int_equal(login(ONE, NULL), FAILURE);
    hk_tried("a login that names no host, of a client that names none");
    assert_int_equal(hk_ssh_peer_sign(&peer, key, "anything", 8), FAILURE);
    hk_tried("data that says nothing of itself");
    hk_ssh_peer_close(&peer);
    open_peer();
    assert_int_equal(hk_ssh_peer_bind(&peer, &mallory, &mallory, ONE, false), SUCCESS);
    assert_int_equal(hk_ssh_peer_list(&peer, 0, listed), 0);
    hk_tried("the key is not shown to another host");
    assert_int_equal(login(ONE, NULL), FAILURE);
    hk_tried("a login to another host that only its session names");
    hk_ssh_peer_close(&peer);
    HK_EXPECT(&laptop, 0, NULL, "key", "allow", "git", "--namespaces", "any", "--hosts", "any");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row31_a_local_login_is_for_the_session_and_the_host_that_ask),
        cmocka_unit_test(row31_a_session_without_its_hosts_signature_counts_as_forwarded),
        cmocka_unit_test(row31_a_forwarded_connection_stays_one_whatever_it_says),
        cmocka_unit_test(row31_forwarded_use_is_what_the_key_says),
        cmocka_unit_test(row31_a_key_for_one_host_and_one_namespace_is_for_nothing_else),
    };
    return HK_ATTACK_ROW_IN(31, tests, set_up, tear_down);
}

/* Row 32: a device that asks the service to sign one thing and call it another: what the log names must be
 * what was signed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/ssh_signed.h"
#include "tests/support/attack.h"
#include "tests/support/ssh_peer.h"

static struct hk_attack attack;
static struct hk_test_key *key;
static struct hk_ssh_test_host host;
static uint8_t login[1024], file[1024];
static size_t login_size, file_size;

static int set_up(void **state)
{
    (void)state;
    attack = (struct hk_attack){0};
    hk_attack_begin(&attack, false);
    key = hk_test_key_of(&attack.laptop, HK_SUITE_ED25519);
    hk_ssh_test_host(&host);
    login_size = hk_ssh_test_login(login, key->public_key, "a session", &host);
    file_size = hk_ssh_test_sshsig(file, "git");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hk_attack_end(&attack);
    return 0;
}

static enum hk_error sign_as(enum hk_sign_kind kind, const void *message, size_t size)
{
    uint8_t signature[64];
    hk_watch(&attack);
    return hk_test_sign(&attack.laptop, key, kind, message, size, signature);
}

static void name_it(struct hk_message *request, void *argument)
{
    hk_message_set_text(request, HK_F_NAMESPACE, argument);
    hk_watch(&attack);
}

static void row32_no_kind_of_signature_passes_for_another(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum hk_sign_kind kind;
        bool is_login;
        const char *namespace;
    } wrong[] = {
        {"a login said to be raw", HK_SIGN_RAW, true, NULL},
        {"a login said to be a file's", HK_SIGN_SSHSIG, true, "git"},
        {"a file's said to be raw", HK_SIGN_RAW, false, NULL},
        {"a file's said to be a login", HK_SIGN_SSH_LOGIN, false, NULL},
        {"a file's in no namespace", HK_SIGN_SSHSIG, false, NULL},
        {"a file's in another namespace", HK_SIGN_SSHSIG, false, "file"},
        {"a login with a namespace", HK_SIGN_SSH_LOGIN, true, "git"},
        {"a login said to be for openpgp", HK_SIGN_OPENPGP, true, "sha512"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        hk_test_change_requests(wrong[i].namespace != NULL ? name_it : NULL,
                                (void *)(uintptr_t)wrong[i].namespace);
        enum hk_error got = sign_as(wrong[i].kind, wrong[i].is_login ? login : file,
                                    wrong[i].is_login ? login_size : file_size);
        hk_test_change_requests(NULL, NULL);
        hk_refused(&attack, &attack.laptop, HK_OP_SIGN, got, HK_BAD_ENCODING, "%s", wrong[i].name);
    }
    assert_int_equal(sign_as(HK_SIGN_SSH_LOGIN, login, login_size), HK_OK);
}

static void row32_a_login_that_is_not_whole_or_by_another_key_is_none(void **state)
{
    (void)state;
    uint8_t changed[1024];
    struct hk_test_key *others = hk_test_key_of(&attack.bystander, HK_SUITE_ED25519);
    size_t size = hk_ssh_test_login(changed, others->public_key, "a session", &host);
    hk_refused(&attack, &attack.laptop, HK_OP_SIGN, sign_as(HK_SIGN_SSH_LOGIN, changed, size),
               HK_BAD_ENCODING, "a login by another key");
    for (size_t cut = 0; cut < login_size; cut += 13) {
        hk_refused(&attack, &attack.laptop, HK_OP_SIGN, sign_as(HK_SIGN_SSH_LOGIN, login, cut),
                   HK_BAD_ENCODING, "a login of %zu bytes", cut);
    }
    memcpy(changed, login, login_size);
    changed[login_size] = 0;
    hk_refused(&attack, &attack.laptop, HK_OP_SIGN, sign_as(HK_SIGN_SSH_LOGIN, changed, login_size + 1),
               HK_BAD_ENCODING, "a byte behind a login");
    uint8_t *user = memmem(changed, login_size, "alice", 5);
    static const char *const names[] = {"ali\ne", "al\x1b[m", "al\xff\xfe!", "ali\177e"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        memcpy(user, names[i], 5);
        hk_refused(&attack, &attack.laptop, HK_OP_SIGN, sign_as(HK_SIGN_SSH_LOGIN, changed, login_size),
                   HK_BAD_ENCODING, "a name that would write on a terminal %zu", i);
    }
}

/* What the log says of one that was signed is read from what was signed. */
static void row32_the_log_names_user_service_and_host_of_what_was_signed(void **state)
{
    (void)state;
    struct hk_message request, answer;
    struct hk_leaf leaf;
    char wanted[HK_SSH_LOGIN_TEXT_MAX];
    struct hk_ssh_signed read;
    assert_int_equal(sign_as(HK_SIGN_SSH_LOGIN, login, login_size), HK_OK);
    hk_ssh_signed_read(&read, login, login_size);
    hk_ssh_login_text(wanted, &read);
    assert_non_null(strstr(wanted, "ssh-connection SHA256:"));
    hk_test_request(&request, HK_OP_LOG_HEAD, &attack.laptop);
    assert_int_equal(hk_test_call(&attack.laptop, &request, &answer), HK_OK);
    uint64_t generation = answer.value[HK_F_GENERATION].number, size = answer.value[HK_F_SIZE].number;
    hk_test_request(&request, HK_OP_LOG_LEAVES, &attack.laptop);
    hk_message_set_u64(&request, HK_F_GENERATION, generation);
    hk_message_set_u64(&request, HK_F_START, size - 1);
    hk_message_set_u64(&request, HK_F_COUNT, 1);
    assert_int_equal(hk_test_call(&attack.laptop, &request, &answer), HK_OK);
    const struct hk_bytes *leaves = answer.value[HK_F_LEAVES].items;
    assert_int_equal(hk_leaf_decode(&leaf, leaves[0].data, leaves[0].size), HK_OK);
    assert_int_equal(leaf.kind, HK_SIGN_SSH_LOGIN);
    assert_string_equal(leaf.namespace, wanted);
    hk_tried("a login in the log");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row32_no_kind_of_signature_passes_for_another),
        cmocka_unit_test(row32_a_login_that_is_not_whole_or_by_another_key_is_none),
        cmocka_unit_test(row32_the_log_names_user_service_and_host_of_what_was_signed),
    };
    return HK_ATTACK_ROW_IN(32, tests, set_up, tear_down);
}

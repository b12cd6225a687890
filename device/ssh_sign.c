/* What SSH's clients ask for most: the list of keys, and a signature by one of them. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crypto/suite.h"
#include "device/key_format.h"
#include "device/prompt.h"
#include "device/ssh_client.h"
#include "device/ssh_policy.h"
#include "device/ssh_tell.h"
#include "protocol/cbor.h"

static long long now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* ---- the list ---- */

static void put_key(struct hk_ssh_client *client, const uint8_t key[32], const char *name)
{
    uint8_t blob[HK_SSH_BLOB_BYTES];
    char comment[HK_NAME_MAX + 16];
    hk_ssh_blob(blob, key);
    snprintf(comment, sizeof comment, "halfkey:%s", name);
    hk_ssh_put_string(&client->answer, blob, sizeof blob);
    hk_ssh_put_string(&client->answer, comment, strlen(comment));
}

/* A key that this device can sign with for SSH. */
static bool read_row(struct hk_agent_key_row *row, struct hk_bytes encoded)
{
    return hk_agent_key_row_decode(row, encoded) == HK_OK && row->suite == HK_SUITE_ED25519 && row->here;
}

static void remember(struct hk_ssh_shared *shared, const struct hk_value *rows)
{
    struct hk_agent_key_row row;
    pthread_mutex_lock(&shared->lock);
    atomic_store(&shared->was_unlocked, true);
    shared->shown_count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (!read_row(&row, rows->items[i]) || shared->shown_count == HK_KEYS_MAX)
            continue;
        struct hk_ssh_shown *shown = &shared->shown[shared->shown_count++];
        memcpy(shown->public_key, row.public_key, sizeof shown->public_key);
        memcpy(shown->name, row.name, sizeof shown->name);
    }
    pthread_mutex_unlock(&shared->lock);
}

static uint32_t list_remembered(struct hk_ssh_client *client)
{
    struct hk_ssh_shared *shared = client->shared;
    pthread_mutex_lock(&shared->lock);
    uint32_t count = (uint32_t)shared->shown_count;
    for (size_t i = 0; i < count; i++)
        put_key(client, shared->shown[i].public_key, shared->shown[i].name);
    pthread_mutex_unlock(&shared->lock);
    return count;
}

uint32_t hk_ssh_list(struct hk_ssh_client *client)
{
    struct hk_agent_key_row row;
    struct hk_ssh_policy policy;
    uint32_t count = 0;
    hk_ssh_operation(client, HK_AGENT_KEY_LIST);
    bool was_unlocked = atomic_load(&client->shared->was_unlocked);
    enum hk_error error = hk_ssh_run_unlocked(client, !was_unlocked);
    if (error == HK_AGENT_LOCKED && was_unlocked)
        return list_remembered(client);
    if (error == HK_AGENT_LOCKED || error == HK_BAD_PASSPHRASE)
        hk_ssh_tell(client->peer, hk_strerror(error));
    if (error)
        return 0;
    const struct hk_value *rows = &client->result.value[HK_A_ROWS];
    remember(client->shared, rows);
    for (size_t i = 0; i < rows->count; i++) {
        bool shown = read_row(&row, rows->items[i]) &&
                     hk_ssh_policy_decode(&policy, row.policy, row.policy_size) == HK_OK &&
                     hk_ssh_is_offered(&policy, &client->bindings);
        if (shown) {
            put_key(client, row.public_key, row.name);
            count++;
        }
    }
    return count;
}

/* ---- a signature ---- */

/* Whether the key may be one of ours, without opening anything. */
static bool was_shown(struct hk_ssh_shared *shared, const uint8_t key[32])
{
    bool found = !atomic_load(&shared->was_unlocked);
    pthread_mutex_lock(&shared->lock);
    for (size_t i = 0; i < shared->shown_count; i++)
        found = found || memcmp(shared->shown[i].public_key, key, 32) == 0;
    pthread_mutex_unlock(&shared->lock);
    return found;
}

/* HK_NOT_FOUND: it is none of ours. */
static enum hk_error find_key(struct hk_ssh_client *client, struct hk_agent_key_row *row,
                              const uint8_t key[32])
{
    hk_ssh_operation(client, HK_AGENT_KEY_LIST);
    enum hk_error error = hk_ssh_run_unlocked(client, was_shown(client->shared, key));
    if (error)
        return error == HK_NO_ACCOUNT ? HK_NOT_FOUND : error;
    const struct hk_value *rows = &client->result.value[HK_A_ROWS];
    remember(client->shared, rows);
    for (size_t i = 0; i < rows->count; i++)
        if (read_row(row, rows->items[i]) && memcmp(row->public_key, key, 32) == 0)
            return HK_OK;
    return HK_NOT_FOUND;
}

/* The session of the first host that the connection was handed to; one that nobody can take back. */
static struct hk_bytes first_session(const struct hk_ssh_client *client)
{
    const struct hk_ssh_bindings *bindings = &client->bindings;
    return bindings->count ? HK_BYTES(bindings->at[0].session, bindings->at[0].session_size)
                           : HK_BYTES(NULL, 0);
}

/* Somebody who was told no shall not ask until a tired yes. */
static bool was_refused(struct hk_ssh_client *client)
{
    struct hk_ssh_shared *shared = client->shared;
    struct hk_bytes session = first_session(client);
    bool found = false;
    pthread_mutex_lock(&shared->lock);
    for (size_t i = 0; i < HK_SSH_REFUSED_MAX; i++) {
        const struct hk_ssh_refused *at = &shared->refused[i];
        found =
            found || (at->until > now_ms() && hk_ssh_same(HK_BYTES(at->session, at->session_size), session));
    }
    pthread_mutex_unlock(&shared->lock);
    return found;
}

static void remember_refusal(struct hk_ssh_client *client)
{
    struct hk_ssh_shared *shared = client->shared;
    struct hk_bytes session = first_session(client);
    pthread_mutex_lock(&shared->lock);
    struct hk_ssh_refused *at = &shared->refused[shared->refused_next++ % HK_SSH_REFUSED_MAX];
    at->session_size = session.size;
    if (session.size)
        memcpy(at->session, session.data, session.size);
    at->until = now_ms() + HK_SSH_REFUSED_MS;
    pthread_mutex_unlock(&shared->lock);
}

/* HK_OK is yes. `answer` is what the user is told otherwise. */
static enum hk_error ask(struct hk_ssh_client *client, const char *question, const char **answer)
{
    pthread_mutex_lock(&client->shared->asking);
    bool refused = was_refused(client); /* perhaps while this one waited for its turn */
    enum hk_error error = refused ? HK_NOT_ALLOWED : hk_prompt_question(question);
    pthread_mutex_unlock(&client->shared->asking);
    *answer = refused                   ? ", and the answer was no a moment ago"
              : error == HK_NOT_ALLOWED ? ", and the answer was no"
                                        : ", and nobody could be asked: set 'confirm' or 'pinentry', or run "
                                          "'halfkey key allow'";
    if (error == HK_NOT_ALLOWED && !refused)
        remember_refusal(client);
    return error;
}

/* What the policy says, and the user if it says so. */
static bool is_allowed(struct hk_ssh_client *client, const struct hk_agent_key_row *row,
                       const struct hk_ssh_signed *what, char description[HK_SSH_WHAT_MAX])
{
    struct hk_ssh_policy policy;
    const char *answer = "";
    char why[HK_SSH_WHY_MAX], text[HK_SSH_WHAT_MAX + HK_SSH_WHY_MAX + 256];
    if (hk_ssh_policy_decode(&policy, row->policy, row->policy_size)) {
        hk_ssh_refuse_because(client, row->name, "what it may be used for was set by a later version");
        return false;
    }
    hk_ssh_describe(description, &policy, what, &client->bindings);
    enum hk_ssh_verdict verdict = hk_ssh_decide(&policy, what, &client->bindings, why);
    if (verdict == HK_SSH_ALLOW)
        return true;
    snprintf(text, sizeof text, "May the key '%s' be used for %s? %c%s.", row->name, description,
             why[0] - 'a' + 'A', why + 1);
    if (verdict == HK_SSH_ASK && ask(client, text, &answer) == HK_OK)
        return true;
    snprintf(text, sizeof text, "'%s': %s was refused: %s%s", row->name, description, why, answer);
    hk_ssh_notify(text);
    hk_ssh_refuse_because(client, "", "%s", text);
    return false;
}

static void begin_waiting(struct hk_ssh_client *client, const char *name, const char *description)
{
    struct hk_ssh_waiting *waiting = &client->shared->waiting[client->place];
    pthread_mutex_lock(&client->shared->lock);
    *waiting = (struct hk_ssh_waiting){.open = true, .since = now_ms(), .peer = client->peer};
    snprintf(waiting->what, sizeof waiting->what, "waiting for the key service: %s with '%s'", description,
             name);
    pthread_mutex_unlock(&client->shared->lock);
}

static void end_waiting(struct hk_ssh_client *client)
{
    pthread_mutex_lock(&client->shared->lock);
    client->shared->waiting[client->place].open = false;
    pthread_mutex_unlock(&client->shared->lock);
}

static enum hk_error make_signature(struct hk_ssh_client *client, const char *name,
                                    const struct hk_ssh_signed *what, struct hk_bytes data)
{
    hk_ssh_operation(client, HK_AGENT_SIGN);
    hk_agent_set_text(&client->request, HK_A_KEY, name);
    hk_agent_set_u64(&client->request, HK_A_KIND, (uint64_t)what->kind);
    hk_agent_set_bytes(&client->request, HK_A_MESSAGE, data.data, data.size);
    if (what->kind == HK_SIGN_SSHSIG)
        hk_agent_set_bytes(&client->request, HK_A_NAMESPACE, what->namespace.data, what->namespace.size);
    return hk_ssh_run_unlocked(client, true);
}

static void put_signature(struct hk_ssh_client *client)
{
    uint8_t bytes[4 + 11 + 4 + 64];
    struct hk_ssh_writer signature = {bytes, 0, sizeof bytes, false};
    hk_ssh_put_string(&signature, "ssh-ed25519", 11);
    hk_ssh_put_string(&signature, client->result.value[HK_A_SIGNATURE].data, 64);
    hk_ssh_put_byte(&client->answer, HK_SSH_SIGNATURE);
    hk_ssh_put_string(&client->answer, bytes, signature.size);
}

static void sign_with(struct hk_ssh_client *client, const struct hk_agent_key_row *row, struct hk_bytes data)
{
    struct hk_ssh_signed what;
    char description[HK_SSH_WHAT_MAX], said[HK_SSH_WHAT_MAX + HK_NAME_MAX + 32];
    hk_ssh_signed_read(&what, data.data, data.size);
    if (data.size > HK_SIGN_MESSAGE_MAX) {
        hk_ssh_refuse_because(client, row->name, "%s", hk_strerror(HK_TOO_LARGE));
        return;
    }
    if (what.kind == HK_SIGN_SSH_LOGIN && hk_ssh_login_check(&what, row->public_key)) {
        hk_ssh_refuse_because(client, row->name,
                              "the login is by another key, or its names are not ones that can be shown");
        return;
    }
    if (what.kind == HK_SIGN_SSHSIG && (what.namespace.size == 0 || what.namespace.size > HK_NAMESPACE_MAX ||
                                        !hk_text_is_printable(what.namespace.data, what.namespace.size))) {
        hk_ssh_refuse_because(client, row->name, "a namespace has 1 to %d printable bytes", HK_NAMESPACE_MAX);
        return;
    }
    if (!is_allowed(client, row, &what, description))
        return;
    begin_waiting(client, row->name, description);
    enum hk_error error = make_signature(client, row->name, &what, data);
    end_waiting(client);
    if (error) {
        hk_ssh_refuse_because(client, row->name, "%s",
                              *client->sentence ? client->sentence : hk_strerror(error));
        return;
    }
    put_signature(client);
    snprintf(said, sizeof said, "'%s': %s%s", row->name, description,
             hk_ssh_is_forwarded(&client->bindings) ? ", from another host" : "");
    hk_ssh_say(said);
    if (hk_ssh_is_forwarded(&client->bindings))
        hk_ssh_notify(said);
}

bool hk_ssh_sign(struct hk_ssh_client *client, struct hk_bytes request)
{
    struct hk_bytes key, data;
    struct hk_agent_key_row row;
    uint8_t blob[HK_SSH_BLOB_BYTES];
    uint32_t flags; /* of RSA keys */
    if (!hk_ssh_take_string(&request, &key) || !hk_ssh_take_string(&request, &data) ||
        !hk_ssh_take_u32(&request, &flags) || request.size != 0) {
        hk_ssh_refuse(client);
        return true;
    }
    if (key.size != sizeof blob)
        return false;
    const uint8_t *point = (const uint8_t *)key.data + sizeof blob - 32;
    hk_ssh_blob(blob, point);
    if (!hk_ssh_same(key, HK_BYTES(blob, sizeof blob)))
        return false;
    atomic_store(&client->shared->core->last_command, now_ms() / 1000);
    enum hk_error error = find_key(client, &row, point);
    if (error == HK_NOT_FOUND)
        return false;
    if (error)
        hk_ssh_refuse_because(client, "", "%s", *client->sentence ? client->sentence : hk_strerror(error));
    else
        sign_with(client, &row, data);
    return true;
}

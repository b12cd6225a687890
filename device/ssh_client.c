#include "device/ssh_client.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/random.h"
#include "device/prompt.h"
#include "device/ssh_socket.h"
#include "device/ssh_tell.h"

#define LOCK_WAIT_MS 100
#define LOCK_FAILURES_MAX 100
#define SESSION_BIND "session-bind@openssh.com"
#define FALLBACK_MS 120000

/* ---- operations of the agent ---- */

void hk_ssh_operation(struct hk_ssh_client *client, enum hk_agent_op op)
{
    hk_agent_message_init(&client->request);
    hk_agent_set_u64(&client->request, HK_A_OP, op);
}

enum hk_error hk_ssh_run(struct hk_ssh_client *client)
{
    client->call = (struct hk_op_call){.core = client->shared->core,
                                       .request = &client->request,
                                       .answer = &client->result,
                                       .sentence = client->sentence,
                                       .memory = client->memory,
                                       .memory_size = sizeof client->memory};
    hk_agent_dispatch(&client->call);
    return (enum hk_error)hk_agent_u64(&client->result, HK_A_ERROR);
}

/* Asks a person and opens the state with what is said. */
static enum hk_error unlock(struct hk_ssh_client *client)
{
    char *passphrase = hk_secret_new(HK_PASSPHRASE_MAX);
    struct hk_agent_message *kept = passphrase ? malloc(sizeof *kept) : NULL;
    enum hk_error error = HK_NO_MEMORY;
    if (kept) {
        *kept = client->request;
        error = hk_prompt_passphrase(passphrase, -1, "Passphrase of halfkey on this device, for SSH", false);
        if (!error) {
            hk_ssh_operation(client, HK_AGENT_UNLOCK);
            hk_agent_set_bytes(&client->request, HK_A_PASSPHRASE, passphrase, strlen(passphrase));
            error = hk_ssh_run(client);
        }
        client->request = *kept;
    }
    free(kept);
    hk_secret_free(passphrase);
    return error;
}

enum hk_error hk_ssh_run_unlocked(struct hk_ssh_client *client, bool ask)
{
    enum hk_error error = hk_ssh_run(client);
    if (error != HK_AGENT_LOCKED || !ask || hk_ssh_is_forwarded(&client->bindings))
        return error;
    pthread_mutex_lock(&client->shared->asking);
    error = hk_ssh_run(client); /* another connection may have asked meanwhile */
    if (error == HK_AGENT_LOCKED)
        error = unlock(client);
    pthread_mutex_unlock(&client->shared->asking);
    return error ? error : hk_ssh_run(client);
}

/* ---- answers ---- */

void hk_ssh_refuse(struct hk_ssh_client *client)
{
    client->answer.size = 0;
    client->answer.full = false;
    hk_ssh_put_byte(&client->answer, HK_SSH_FAILURE);
}

void hk_ssh_refuse_because(struct hk_ssh_client *client, const char *name, const char *format, ...)
{
    char why[1024], sentence[1200];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    snprintf(sentence, sizeof sentence, "%s%s%s%s", *name ? "'" : "", name, *name ? "': " : "", why);
    hk_ssh_tell(client->peer, sentence);
    hk_ssh_refuse(client);
}

static void succeed(struct hk_ssh_client *client)
{
    hk_ssh_put_byte(&client->answer, HK_SSH_SUCCESS);
}

/* ---- the agent behind ---- */

enum hk_error hk_ssh_pass_on(struct hk_ssh_client *client, struct hk_bytes *answer)
{
    const char *path = client->shared->core->settings.ssh_fallback;
    size_t size = 0;
    if (!path)
        return HK_NOT_FOUND;
    if (client->fallback < 0)
        client->fallback = hk_ssh_socket_dial(path);
    enum hk_error error =
        client->fallback < 0 ? HK_IO : hk_agent_send(client->fallback, client->in, client->in_size);
    if (!error)
        error = hk_agent_receive(client->fallback, client->other, sizeof client->other, &size, FALLBACK_MS);
    if (error || size == 0) {
        if (client->fallback >= 0)
            close(client->fallback);
        client->fallback = -1;
        return HK_IO;
    }
    *answer = HK_BYTES(client->other, size);
    return HK_OK;
}

static void pass_on(struct hk_ssh_client *client)
{
    struct hk_bytes answer;
    hk_ssh_refuse(client);
    if (hk_ssh_pass_on(client, &answer) == HK_OK) {
        client->answer.size = 0;
        hk_ssh_put(&client->answer, answer.data, answer.size);
    }
}

/* ---- requests ---- */

/* Ours first; then the other agent's, as it lists them. */
static void list(struct hk_ssh_client *client, struct hk_bytes rest)
{
    struct hk_bytes answer;
    uint8_t type = 0;
    uint32_t others = 0;
    if (rest.size != 0) {
        hk_ssh_refuse(client);
        return;
    }
    hk_ssh_put_byte(&client->answer, HK_SSH_IDENTITIES);
    hk_ssh_put_u32(&client->answer, 0);
    uint32_t count = hk_ssh_list(client);
    if (hk_ssh_pass_on(client, &answer) == HK_OK && hk_ssh_take_byte(&answer, &type) &&
        type == HK_SSH_IDENTITIES && hk_ssh_take_u32(&answer, &others)) {
        size_t before = client->answer.size;
        hk_ssh_put(&client->answer, answer.data, answer.size);
        if (client->answer.full) {
            client->answer.size = before;
            client->answer.full = false;
            others = 0;
        }
    }
    struct hk_ssh_writer head = {client->out + 1, 0, 4, false};
    hk_ssh_put_u32(&head, count + others);
}

static void sign(struct hk_ssh_client *client, struct hk_bytes rest)
{
    if (!hk_ssh_sign(client, rest))
        pass_on(client);
}

/* A salted hash is enough: whoever reads this memory has the halves. */
static void hash_password(uint8_t hash[32], const uint8_t salt[32], struct hk_bytes password)
{
    crypto_generichash(hash, 32, password.data, password.size, salt, 32);
}

static void lock(struct hk_ssh_client *client, struct hk_bytes rest)
{
    struct hk_ssh_shared *shared = client->shared;
    struct hk_bytes password;
    bool good = hk_ssh_take_string(&rest, &password) && rest.size == 0;
    pthread_mutex_lock(&shared->lock);
    if (good && !shared->locked) {
        hk_random(shared->lock_salt, sizeof shared->lock_salt);
        hash_password(shared->lock_hash, shared->lock_salt, password);
        shared->locked = true;
        succeed(client);
    } else {
        hk_ssh_refuse(client);
    }
    pthread_mutex_unlock(&shared->lock);
}

static void unlock_again(struct hk_ssh_client *client, struct hk_bytes rest)
{
    struct hk_ssh_shared *shared = client->shared;
    struct hk_bytes password;
    uint8_t hash[32];
    unsigned failures = 0;
    hk_ssh_refuse(client);
    if (!hk_ssh_take_string(&rest, &password) || rest.size != 0)
        return;
    pthread_mutex_lock(&shared->lock);
    hash_password(hash, shared->lock_salt, password);
    if (shared->locked && hk_equal(hash, shared->lock_hash, sizeof hash)) {
        shared->locked = false;
        shared->lock_failures = 0;
        client->answer.size = 0;
        succeed(client);
    } else if (shared->locked && shared->lock_failures < LOCK_FAILURES_MAX) {
        failures = ++shared->lock_failures;
    } else if (shared->locked) {
        failures = LOCK_FAILURES_MAX;
    }
    pthread_mutex_unlock(&shared->lock);
    long long ms = (long long)failures * LOCK_WAIT_MS;
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
    hk_wipe(hash, sizeof hash);
}

/* A client goes on where a binding is refused, and is then asked about: a broken one counts as forwarded. */
static void extend(struct hk_ssh_client *client, struct hk_bytes rest)
{
    struct hk_bytes name, answer;
    if (!hk_ssh_take_string(&rest, &name)) {
        hk_ssh_refuse(client);
        return;
    }
    if (!hk_ssh_is(name, SESSION_BIND)) {
        pass_on(client);
        return;
    }
    (void)!hk_ssh_pass_on(client, &answer); /* the agent behind keeps to its own rules */
    if (hk_ssh_bind(&client->bindings, rest) == HK_OK)
        succeed(client);
    else
        hk_ssh_refuse(client);
}

static const struct {
    enum hk_ssh_message type;
    void (*answer)(struct hk_ssh_client *client, struct hk_bytes rest);
    bool while_locked;
} rows[] = {
    {HK_SSH_REQUEST_IDENTITIES, list, false}, {HK_SSH_SIGN, sign, false},       {HK_SSH_LOCK, lock, true},
    {HK_SSH_UNLOCK, unlock_again, true},      {HK_SSH_EXTENSION, extend, true},
};

static bool is_locked(struct hk_ssh_shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    bool locked = shared->locked;
    pthread_mutex_unlock(&shared->lock);
    return locked;
}

static void answer(struct hk_ssh_client *client)
{
    struct hk_bytes rest = HK_BYTES(client->in, client->in_size);
    uint8_t type = 0;
    bool locked = is_locked(client->shared);
    client->answer = (struct hk_ssh_writer){client->out, 0, sizeof client->out, false};
    if (!hk_ssh_take_byte(&rest, &type)) {
        hk_ssh_refuse(client);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if ((uint8_t)rows[i].type == type && (!locked || rows[i].while_locked)) {
            rows[i].answer(client, rest);
            if (client->answer.full)
                hk_ssh_refuse(client);
            return;
        }
    }
    if (locked && type == HK_SSH_REQUEST_IDENTITIES) { /* as OpenSSH's does: it has none */
        hk_ssh_put_byte(&client->answer, HK_SSH_IDENTITIES);
        hk_ssh_put_u32(&client->answer, 0);
    } else if (locked) {
        hk_ssh_refuse(client);
    } else {
        pass_on(client);
    }
}

void hk_ssh_client_serve(struct hk_ssh_client *client)
{
    while (!atomic_load(&client->shared->core->stopping) &&
           hk_agent_receive(client->fd, client->in, sizeof client->in, &client->in_size, 0) == HK_OK) {
        answer(client);
        bool sent = hk_agent_send(client->fd, client->out, client->answer.size) == HK_OK;
        /* Passwords, and private keys on their way to the agent behind. */
        hk_wipe(client->in, client->in_size);
        hk_wipe(client->out, client->answer.size);
        hk_wipe(client->memory, client->call.memory_used);
        if (!sent)
            return;
    }
}

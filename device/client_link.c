/* Sessions of a client: opening, sharing, giving up. */

#include <stdlib.h>
#include <string.h>

#include "device/client_parts.h"
#include "protocol/seam.h"

static void release(struct hk_link *link)
{
    struct hk_client *client = link->client;
    pthread_mutex_lock(&client->lock);
    bool last = --link->references == 0;
    pthread_mutex_unlock(&client->lock);
    if (last) {
        hk_channel_free(link->channel);
        free(link);
    }
}

/* Takes the link out of the client, if it is still the current one; those who use it go on until they fail.
 */
static void abandon(struct hk_link *link)
{
    struct hk_client *client = link->client;
    pthread_mutex_lock(&client->lock);
    bool was_current = client->current == link;
    if (was_current) {
        client->current = NULL;
    }
    link->is_over = true;
    pthread_mutex_unlock(&client->lock);
    if (was_current) {
        release(link);
    }
}

void hk_client_close_sessions(struct hk_client *client)
{
    pthread_mutex_lock(&client->lock);
    struct hk_link *link = client->current;
    client->current = NULL;
    pthread_mutex_unlock(&client->lock);
    if (link != NULL) {
        release(link);
    }
}

static enum hk_error open_channel(struct hk_link **out, struct hk_client *client, bool stranger)
{
    struct hk_client_identity identity;
    HK_WIPE_AT_EXIT(identity);
    pthread_mutex_lock(&client->lock);
    identity = client->identity;
    bool known = client->has_identity;
    pthread_mutex_unlock(&client->lock);
    if (!stranger && !known) {
        return HK_NO_ACCOUNT;
    }
    struct hk_link *link = calloc(1, sizeof(*link));
    if (link == NULL) {
        return HK_NO_MEMORY;
    }
    enum hk_error error = HK_UNREACHABLE;
    for (int i = 0; i < 2 && error == HK_UNREACHABLE; i++) { /* a connection that had died tells us so once */
        error = hk_channel_open(&link->channel, client->endpoint, stranger ? NULL : &identity.static_key,
                                stranger ? NULL : identity.static_public, client->address.service_key,
                                client->timeout_ms);
    }
    if (error != HK_OK) {
        free(link);
        return error;
    }
    link->client = client;
    link->references = 1;
    link->is_stranger = stranger;
    *out = link;
    return HK_OK;
}

/* The current session with one more user; NULL if there is none that is good. */
static struct hk_link *borrow(struct hk_client *client)
{
    pthread_mutex_lock(&client->lock);
    struct hk_link *link = client->current;
    if (link != NULL) {
        link->references++;
    }
    pthread_mutex_unlock(&client->lock);
    if (link != NULL && hk_session_is_over(hk_channel_session(link->channel))) {
        abandon(link);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): abandon let go of the client's use, this of ours */
        release(link);
        link = NULL;
    }
    return link;
}

static bool in_own_hook(struct hk_client *client)
{
    pthread_mutex_lock(&client->lock);
    bool own = client->in_hook && pthread_equal(client->hook_thread, pthread_self()) != 0;
    pthread_mutex_unlock(&client->lock);
    return own;
}

static void set_in_hook(struct hk_client *client, bool in_hook)
{
    pthread_mutex_lock(&client->lock);
    client->in_hook = in_hook;
    client->hook_thread = pthread_self();
    pthread_mutex_unlock(&client->lock);
}

static enum hk_error run_hook(struct hk_client *client)
{
    set_in_hook(client, true);
    enum hk_error error = client->hook(client->hook_argument, client);
    set_in_hook(client, false);
    if (error == HK_OK) {
        client->last_check = hk_client_clock();
        client->must_check = false;
    }
    return error;
}

/* Under `opening`: a good session, checked if it is time. */
static enum hk_error prepare(struct hk_link **out, struct hk_client *client)
{
    struct hk_link *link = borrow(client);
    if (link == NULL) {
        enum hk_error error = open_channel(&link, client, false);
        if (error != HK_OK) {
            return error;
        }
        pthread_mutex_lock(&client->lock);
        link->references++;
        client->current = link;
        client->must_check = true;
        pthread_mutex_unlock(&client->lock);
    }
    bool due = client->must_check ||
               hk_client_clock() - client->last_check >= HK_CLIENT_CHECK_SECONDS * UINT64_C(1000);
    enum hk_error error = due && client->hook != NULL && !client->enrolling ? run_hook(client) : HK_OK;
    if (error != HK_OK) {
        bool was_lost = client->current != link;
        release(link);
        return was_lost && error == HK_UNREACHABLE ? HK_AGAIN : error;
    }
    *out = link;
    return HK_OK;
}

enum hk_error hk_link_open(struct hk_link **out, struct hk_client *client)
{
    if (in_own_hook(client)) {
        struct hk_link *link = borrow(client);
        *out = link;
        return link != NULL ? HK_OK : HK_AGAIN;
    }
    pthread_mutex_lock(&client->opening);
    enum hk_error error = prepare(out, client);
    pthread_mutex_unlock(&client->opening);
    return error;
}

enum hk_error hk_client_check_now(struct hk_client *client)
{
    struct hk_link *link;
    enum hk_error error = HK_AGAIN;
    for (int tries = 0; tries < 3 && error == HK_AGAIN; tries++) { /* again: the session was lost */
        pthread_mutex_lock(&client->opening);
        client->must_check = true;
        error = prepare(&link, client);
        pthread_mutex_unlock(&client->opening);
    }
    if (error == HK_OK) {
        release(link);
    }
    return error == HK_AGAIN ? HK_UNREACHABLE : error;
}

enum hk_error hk_link_open_alone(struct hk_link **out, struct hk_client *client)
{
    return open_channel(out, client, false);
}

enum hk_error hk_link_open_stranger(struct hk_link **out, struct hk_client *client)
{
    return open_channel(out, client, true);
}

void hk_link_close(struct hk_link *link)
{
    if (link != NULL) {
        release(link);
    }
}

const uint8_t *hk_link_handshake(struct hk_link *link)
{
    return hk_channel_session(link->channel)->handshake_hash;
}

/* ---- one request ---- */

static bool is_use(enum hk_op op)
{
    return op == HK_OP_AGREE || op == HK_OP_SIGN || op == HK_OP_ECDSA_SIGN;
}

/* Adds who asks, and encodes. A use is noted before it is sent: a look at the log that runs meanwhile may
 * meet its leaf before the answer is here. */
static enum hk_error encode(struct hk_link *link, struct hk_exchange *exchange)
{
    struct hk_client *client = link->client;
    struct hk_message *request = &exchange->request;
    pthread_mutex_lock(&client->lock);
    request->present &=
        ~HK_BIT(HK_F_REVOCATIONS); /* an earlier try's, of a list that may be another by now */
    if (!link->is_stranger && !client->enrolling) {
        hk_message_set_bytes(request, HK_F_ACCOUNT, client->identity.account, HK_ACCOUNT_BYTES);
        hk_message_set_u64(request, HK_F_EPOCH, client->identity.epoch);
        hk_message_set_bytes(request, HK_F_TAG, client->identity.tag, HK_TAG_BYTES);
        if (!link->has_sent && client->revocation_count != 0) {
            hk_message_set_list(request, HK_F_REVOCATIONS, client->revocations, client->revocation_count);
        }
        if (client->has_report) {
            hk_message_set_bytes(request, HK_F_REPORT, client->report, HK_REPORT_BYTES);
        }
    }
    enum hk_error error =
        hk_message_encode(request, exchange->out, sizeof(exchange->out), &exchange->out_size);
    if (error == HK_OK) {
        link->has_sent = true;
        client->has_report = client->has_report && (link->is_stranger || client->enrolling);
        if (is_use(exchange->op)) {
            hk_request_digest(exchange->digest, exchange->id, exchange->out, exchange->out_size);
            hk_client_own_sent(client, exchange->digest);
        }
    }
    pthread_mutex_unlock(&client->lock);
    return error;
}

static void note(struct hk_client *client, const struct hk_exchange *exchange)
{
    if (hk_message_has(&exchange->answer, HK_F_WARNING)) {
        pthread_mutex_lock(&client->lock);
        client->warning = exchange->answer.value[HK_F_WARNING].number;
        pthread_mutex_unlock(&client->lock);
    }
}

/* One request that is encoded, and its answer. */
static enum hk_error carry(struct hk_link *link, struct hk_exchange *exchange, const struct hk_op_row *row)
{
    HK_SEAM("client/before-send");
    enum hk_error error = hk_channel_call_meanwhile(link->channel, exchange->out, exchange->out_size,
                                                    exchange->in, sizeof(exchange->in), &exchange->in_size,
                                                    link->client->timeout_ms, &exchange->meanwhile);
    HK_SEAM("client/after-answer");
    if (error == HK_NOT_FOUND || error == HK_UNREACHABLE || error == HK_TOO_OLD) {
        exchange->in_size = 0;
        abandon(link);
        return HK_AGAIN;
    }
    if (error != HK_OK) {
        exchange->in_size = 0;
        if (error == HK_BAD_PEER || error == HK_TIMEOUT) {
            abandon(link);
        }
        return error;
    }
    if (hk_message_decode(&exchange->answer, exchange->in, exchange->in_size) != HK_OK) {
        return HK_BAD_PEER;
    }
    error = hk_message_check_answer(&exchange->answer, row, exchange->id);
    note(link->client, exchange);
    return error;
}

enum hk_error hk_link_call(struct hk_link *link, struct hk_exchange *exchange)
{
    struct hk_client *client = link->client;
    const struct hk_op_row *row = hk_op_row(exchange->op);
    enum hk_error error = row == NULL ? HK_UNKNOWN_OP : encode(link, exchange);
    if (error != HK_OK) {
        return error;
    }
    error = carry(link, exchange, row);
    if (is_use(exchange->op)) {
        pthread_mutex_lock(&client->lock);
        hk_client_own_ended(client, exchange->digest, error == HK_OK);
        pthread_mutex_unlock(&client->lock);
    }
    return error;
}

#include "device/client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/random.h"
#include "device/client_parts.h"
#include "protocol/seam.h"

#define TRIES 3

uint64_t hk_client_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum hk_error hk_client_new(struct hk_client **out, const char *address, int timeout_ms, const char **reason)
{
    struct hk_address parsed;
    enum hk_error error = hk_address_parse(&parsed, address, reason);
    if (error != HK_OK) {
        return error;
    }
    struct hk_client *client = hk_secret_new(sizeof(*client));
    if (client == NULL) {
        *reason = hk_strerror(HK_NO_MEMORY);
        return HK_NO_MEMORY;
    }
    client->address = parsed;
    client->timeout_ms = HK_TEST_TIMEOUT(timeout_ms > 0 ? timeout_ms : HK_TIMEOUT_MS);
    pthread_mutex_init(&client->lock, NULL);
    pthread_mutex_init(&client->opening, NULL);
    error = hk_endpoint_new(&client->endpoint, client->address.url);
    if (error != HK_OK) {
        *reason = "this address cannot be dialled";
        hk_secret_free(client);
        return error;
    }
    *out = client;
    return HK_OK;
}

void hk_client_free(struct hk_client *client)
{
    if (client == NULL) {
        return;
    }
    hk_client_close_sessions(client);
    hk_client_set_revocations(client, NULL, 0);
    while (client->spare != NULL) {
        struct hk_exchange *next = client->spare->next;
        free(client->spare);
        client->spare = next;
    }
    hk_endpoint_free(client->endpoint);
    pthread_mutex_destroy(&client->lock);
    pthread_mutex_destroy(&client->opening);
    hk_secret_free(client);
}

void hk_client_set_identity(struct hk_client *client, const struct hk_client_identity *identity,
                            bool enrolling)
{
    pthread_mutex_lock(&client->lock);
    bool same =
        client->has_identity && memcmp(client->identity.static_public, identity->static_public, 32) == 0;
    client->identity = *identity;
    client->has_identity = true;
    client->enrolling = enrolling;
    pthread_mutex_unlock(&client->lock);
    if (!same) {
        hk_client_close_sessions(client);
    }
}

void hk_client_set_revocations(struct hk_client *client, const struct hk_bytes *list, size_t count)
{
    pthread_mutex_lock(&client->lock);
    for (size_t i = 0; i < client->revocation_count; i++) {
        free((void *)(uintptr_t)client->revocations[i].data);
    }
    client->revocation_count = 0;
    for (size_t i = 0; i < count && i < HK_CLIENT_REVOCATIONS; i++) {
        void *copy = malloc(list[i].size);
        if (copy != NULL) {
            memcpy(copy, list[i].data, list[i].size);
            client->revocations[client->revocation_count++] = HK_BYTES(copy, list[i].size);
        }
    }
    pthread_mutex_unlock(&client->lock);
}

void hk_client_set_report(struct hk_client *client, const uint8_t report[HK_REPORT_BYTES])
{
    pthread_mutex_lock(&client->lock);
    memcpy(client->report, report, HK_REPORT_BYTES);
    client->has_report = true;
    pthread_mutex_unlock(&client->lock);
}

void hk_client_set_hook(struct hk_client *client, hk_client_hook hook, void *argument)
{
    client->hook = hook;
    client->hook_argument = argument;
}

uint64_t hk_client_warning(struct hk_client *client)
{
    pthread_mutex_lock(&client->lock);
    uint64_t warning = client->warning;
    pthread_mutex_unlock(&client->lock);
    return warning;
}

const uint8_t *hk_client_service_key(const struct hk_client *client)
{
    return client->address.service_key;
}

const struct hk_address *hk_client_address(const struct hk_client *client)
{
    return &client->address;
}

/* ---- exchanges ---- */

enum hk_error hk_exchange_new(struct hk_exchange **out, struct hk_client *client)
{
    pthread_mutex_lock(&client->lock);
    struct hk_exchange *exchange = client->spare;
    if (exchange != NULL) {
        client->spare = exchange->next;
    }
    pthread_mutex_unlock(&client->lock);
    if (exchange == NULL) {
        exchange = malloc(sizeof(*exchange));
        if (exchange == NULL) {
            return HK_NO_MEMORY;
        }
        exchange->out_size = exchange->in_size = 0;
    }
    exchange->next = NULL;
    *out = exchange;
    return HK_OK;
}

static void wipe(struct hk_exchange *exchange)
{
    hk_wipe(exchange->out, exchange->out_size);
    hk_wipe(exchange->in, exchange->in_size);
    exchange->out_size = exchange->in_size = 0;
}

void hk_exchange_free(struct hk_client *client, struct hk_exchange *exchange)
{
    if (exchange != NULL) {
        wipe(exchange);
        pthread_mutex_lock(&client->lock);
        exchange->next = client->spare;
        client->spare = exchange;
        pthread_mutex_unlock(&client->lock);
    }
}

void hk_exchange_start(struct hk_exchange *exchange, enum hk_op op)
{
    wipe(exchange);
    exchange->op = op;
    hk_random(exchange->id, sizeof(exchange->id));
    hk_message_init(&exchange->request);
    hk_message_init(&exchange->answer);
    exchange->meanwhile = (struct hk_meanwhile){NULL, NULL};
    hk_message_set_u64(&exchange->request, HK_F_OP, op);
    hk_message_set_bytes(&exchange->request, HK_F_REQUEST, exchange->id, HK_ID_BYTES);
}

const uint8_t *hk_exchange_bytes(const struct hk_exchange *exchange, enum hk_field field, size_t size)
{
    const struct hk_value *value = &exchange->answer.value[field];
    return hk_message_has(&exchange->answer, field) && value->size == size ? value->data : NULL;
}

const uint8_t *hk_exchange_item(const struct hk_exchange *exchange, enum hk_field field, size_t i,
                                size_t size)
{
    const struct hk_value *list = &exchange->answer.value[field];
    return i < list->count && list->items[i].size == size ? list->items[i].data : NULL;
}

uint64_t hk_exchange_u64(const struct hk_exchange *exchange, enum hk_field field)
{
    return hk_message_has(&exchange->answer, field) ? exchange->answer.value[field].number : 0;
}

/* ---- own uses ---- */

/* The place of a digest from `from` on; own_count if it is not there. */
static size_t own_place(const struct hk_client *client, const uint8_t digest[32], size_t from)
{
    while (from < client->own_count && memcmp(client->own[from].digest, digest, 32) != 0) {
        from++;
    }
    return from;
}

static void own_remove(struct hk_client *client, size_t place)
{
    client->own_count--;
    memmove(client->own + place, client->own + place + 1,
            (client->own_count - place) * sizeof(client->own[0]));
}

void hk_client_own_sent(struct hk_client *client, const uint8_t digest[32])
{
    if (client->own_count == HK_CLIENT_OWN_MAX) {
        own_remove(client, 0);
    }
    struct hk_log_own *own = &client->own[client->own_count++];
    *own = (struct hk_log_own){.answered = false};
    memcpy(own->digest, digest, 32);
}

void hk_client_own_ended(struct hk_client *client, const uint8_t digest[32], bool answered)
{
    size_t place = own_place(client, digest, 0);
    if (place < client->own_count) {
        client->own[place].answered = answered;
        if (!answered || client->own[place].found) {
            own_remove(client, place);
        }
    }
}

size_t hk_client_own(struct hk_client *client, struct hk_log_own *out, size_t max)
{
    pthread_mutex_lock(&client->lock);
    size_t count = client->own_count < max ? client->own_count : max;
    memcpy(out, client->own, count * sizeof(*out));
    pthread_mutex_unlock(&client->lock);
    return count;
}

/* Only the oldest and those that failed go, only at the end do new ones come: so `own` has the others in the
 * same order, and none from the first one on that it has not. */
size_t hk_client_own_later(struct hk_client *client, struct hk_log_own *own, size_t count)
{
    pthread_mutex_lock(&client->lock);
    size_t before = 0;
    for (size_t i = 0; i < client->own_count; i++) {
        const struct hk_log_own *now = &client->own[i];
        while (before < count && memcmp(own[before].digest, now->digest, 32) != 0) {
            before++;
        }
        bool answered = before < count && own[before].answered;
        before += before < count;
        own[i] = *now;
        own[i].answered = answered;
    }
    size_t later = client->own_count;
    pthread_mutex_unlock(&client->lock);
    return later;
}

void hk_client_own_settle(struct hk_client *client, const struct hk_log_own *seen, size_t count)
{
    pthread_mutex_lock(&client->lock);
    size_t from = 0; /* both lists are in the order in which the requests were sent */
    for (size_t i = 0; i < count; i++) {
        size_t place = own_place(client, seen[i].digest, from);
        if (place == client->own_count || (!seen[i].answered && !seen[i].found)) {
            continue;
        }
        from = place;
        if (client->own[place].answered) {
            own_remove(client, place);
        } else {
            client->own[place].found = true;
        }
    }
    pthread_mutex_unlock(&client->lock);
}

/* ---- calls ---- */

static enum hk_error call(struct hk_client *client, struct hk_exchange *exchange,
                          enum hk_error (*open)(struct hk_link **out, struct hk_client *client))
{
    uint64_t deadline = hk_client_clock() + (uint64_t)client->timeout_ms;
    enum hk_error error = HK_AGAIN;
    for (int i = 0; i < TRIES && error == HK_AGAIN; i++) {
        struct hk_link *link;
        error = open(&link, client);
        if (error == HK_OK) {
            error = hk_link_call(link, exchange);
            hk_link_close(link);
        }
        if (error == HK_AGAIN && hk_client_clock() >= deadline) {
            return HK_TIMEOUT;
        }
    }
    return error == HK_AGAIN ? HK_UNREACHABLE : error;
}

enum hk_error hk_client_call(struct hk_client *client, struct hk_exchange *exchange)
{
    return call(client, exchange, hk_link_open);
}

enum hk_error hk_client_call_alone(struct hk_client *client, struct hk_exchange *exchange)
{
    return call(client, exchange, hk_link_open_alone);
}

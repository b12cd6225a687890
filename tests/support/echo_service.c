#include "tests/support/echo_service.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/channel.h"

static enum hk_error admit(void *argument, const uint8_t static_key[32], unsigned *caller)
{
    struct echo_service *service = argument;
    service->admitted++;
    if (memcmp(static_key, service->unknown, 32) == 0) {
        return HK_UNKNOWN_DEVICE;
    }
    *caller = HK_DEVICE;
    return HK_OK;
}

static void hint(struct hk_reply *reply, enum hk_error error)
{
    uint8_t out[HK_FRAME_HINT_BYTES];
    hk_frame_hint(out, NULL, error);
    hk_reply_send(reply, out, sizeof(out));
}

struct later {
    struct hk_reply *reply;
    uint8_t frame[256];
    size_t size;
};

static void *answer_later(void *argument)
{
    struct later *later = argument;
    nanosleep(&(struct timespec){0, 30 * 1000000}, NULL);
    hk_reply_send(later->reply, later->frame, later->size);
    free(later);
    return NULL;
}

static void send_later(struct hk_reply *reply, const uint8_t *frame, size_t size)
{
    struct later *later = malloc(sizeof(*later));
    pthread_t thread;
    if (later == NULL || size > sizeof(later->frame)) {
        abort();
    }
    later->reply = reply;
    later->size = size;
    memcpy(later->frame, frame, size);
    if (pthread_create(&thread, NULL, answer_later, later) != 0) {
        abort();
    }
    pthread_detach(thread);
}

static void hold(struct echo_service *service, struct hk_reply *reply, const uint8_t *frame, size_t size)
{
    pthread_mutex_lock(&service->lock);
    size_t n = service->held_count++;
    if (n >= 64 || size > 256) {
        abort();
    }
    service->held[n] = reply;
    service->held_size[n] = size;
    memcpy(service->held_frame[n], frame, size);
    pthread_mutex_unlock(&service->lock);
}

static void execute(struct echo_service *service, struct hk_session *session, uint64_t counter,
                    struct hk_reply *reply, uint8_t *text, size_t size, uint8_t *out)
{
    char what = size != 0 ? (char)text[0] : ' ';
    service->executed++;
    if (service->answer != NULL) {
        hk_session_borrow(session);
        service->answer(service, session, counter, reply, text, size);
        return;
    }
    if (what == 'D') {
        hk_session_forget(session, counter);
        hk_reply_drop(reply);
        return;
    }
    if (what == 'L') {
        size = HK_PLAINTEXT_MAX;
        memset(text, 'L', size);
    }
    size_t frame_size;
    if (hk_session_seal_answer(session, counter, text, size, out, HK_FRAME_MAX, &frame_size) != HK_OK) {
        hk_reply_drop(reply);
        return;
    }
    if (what == 'H') {
        hold(service, reply, out, frame_size);
        return;
    }
    if (what == 'N') {
        hk_session_forget(session, counter);
    } else {
        hk_session_keep(session, counter, out, frame_size);
    }
    if (what == 'S') {
        send_later(reply, out, frame_size);
    } else {
        hk_reply_send(reply, out, frame_size);
    }
}

static void on_session_frame(struct echo_service *service, struct hk_reply *reply,
                             const struct hk_frame *frame, uint8_t *text, uint8_t *out)
{
    struct hk_session *session;
    enum hk_opened what;
    size_t size;
    enum hk_error error = hk_session_table_open(service->table, frame, &session, &what, text, &size);
    if (error != HK_OK) {
        hint(reply, error);
        return;
    }
    if (session->has_remote_static) {
        hk_reply_mark(reply, session->remote_static);
    }
    if (what == HK_OPENED_NEW) {
        execute(service, session, frame->counter, reply, text, size, out);
    } else if (what == HK_OPENED_REPEAT) {
        hk_reply_send(reply, text, size);
    } else if (what == HK_OPENED_PENDING) {
        hk_reply_drop(reply);
    } else {
        hint(reply, HK_TOO_OLD);
    }
    hk_session_table_release(service->table, session);
}

static void on_request(void *argument, struct hk_reply *reply, uint8_t *bytes, size_t size)
{
    struct echo_service *service = argument;
    struct hk_frame frame;
    uint8_t answer[HK_HANDSHAKE_BYTES_MAX];
    enum hk_error error = hk_frame_parse(&frame, bytes, size);
    if (error == HK_OK && frame.type == HK_FRAME_REQUEST) {
        uint8_t *buffers = malloc(2 * HK_FRAME_MAX);
        if (buffers == NULL) {
            abort();
        }
        on_session_frame(service, reply, &frame, buffers, buffers + HK_FRAME_MAX);
        free(buffers);
        return;
    }
    if (error == HK_OK) {
        error = hk_session_table_accept(service->table, &frame, answer, &size);
    }
    if (error != HK_OK) {
        hint(reply, error);
    } else {
        hk_reply_send(reply, answer, size);
    }
}

static bool admit_connection(void *argument, const struct hk_peer *peer)
{
    (void)peer;
    return !((struct echo_service *)argument)->refuse_connections;
}

void echo_start(struct echo_service *service, const char *url)
{
    const char *reason;
    memset(service, 0, sizeof(*service));
    pthread_mutex_init(&service->lock, NULL);
    hk_noise_keypair(&service->static_key, service->static_public);
    struct hk_session_table_setup table = {
        .service = {.static_key = &service->static_key}, .unconfirmed = 8, .strangers = 8};
    memcpy(table.service.static_public, service->static_public, 32);
    table.service.admit = admit;
    table.service.argument = service;
    struct hk_listener_setup listener = {.urls = &url,
                                         .url_count = 1,
                                         .contexts = 300,
                                         .request = on_request,
                                         .admit = admit_connection,
                                         .argument = service};
    if (hk_session_table_new(&service->table, &table) != HK_OK ||
        hk_listener_new(&service->listener, &listener, &reason) != HK_OK) {
        abort();
    }
    service->url = hk_listener_url(service->listener, 0);
}

void echo_release(struct echo_service *service)
{
    pthread_mutex_lock(&service->lock);
    while (service->held_count != 0) {
        size_t n = --service->held_count;
        hk_reply_send(service->held[n], service->held_frame[n], service->held_size[n]);
    }
    pthread_mutex_unlock(&service->lock);
}

void echo_stop(struct echo_service *service)
{
    echo_release(service);
    if (hk_listener_stop(service->listener, 10000) != HK_OK) {
        abort();
    }
    hk_listener_free(service->listener);
    hk_session_table_free(service->table);
    pthread_mutex_destroy(&service->lock);
}

enum hk_error echo_raw(const char *url, const void *frame, size_t size, uint8_t *answer, size_t *answer_size,
                       int timeout_ms)
{
    struct hk_endpoint *endpoint;
    enum hk_error error = hk_endpoint_new(&endpoint, url);
    if (error == HK_OK) {
        error = hk_endpoint_call(endpoint, frame, size, answer, HK_FRAME_MAX, answer_size, timeout_ms);
        hk_endpoint_free(endpoint);
    }
    return error;
}

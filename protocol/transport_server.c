#include <assert.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/transport.h"
#include "protocol/transport_pipes.h"
#include "protocol/transport_shut.h"

#define CONTEXTS 256
#define SEND_TIMEOUT_MS 3000
#define LINGER_MS 50
/* What nng puts before a frame: the request's id. */
#define REQUEST_ID_BYTES 4

/* A context goes round: it waits for a request, its reply is being worked on, its answer is on the way out.
 */
enum state { IDLE, RECEIVING, WORKING, SENDING };

struct hk_reply {
    struct hk_listener *listener;
    nng_ctx context;
    nng_aio *aio;
    pthread_mutex_t lock; /* its own, so that requests do not wait for one another here */
    enum state state;     /* changes under the lock */
    nng_msg *request;
    uint32_t pipe;
};

struct hk_listener {
    nng_socket socket;
    nng_listener listeners[HK_LISTEN_URLS];
    char urls[HK_LISTEN_URLS][HK_LISTEN_URL_MAX];
    size_t url_count, context_count;
    struct hk_reply *replies;
    struct hk_pipes *pipes;
    struct hk_listener_setup setup;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t running; /* contexts that are not idle */
    atomic_bool stopping;
};

/* ---- contexts ---- */
static void count_idle(struct hk_listener *listener)
{
    pthread_mutex_lock(&listener->lock);
    listener->running--;
    pthread_cond_broadcast(&listener->changed);
    pthread_mutex_unlock(&listener->lock);
}

/* Whoever stops sets `stopping` first and then looks at each context under its lock: either it is seen here,
 * or the context is seen there as one that receives. */
static void receive(struct hk_reply *reply)
{
    struct hk_listener *listener = reply->listener;
    pthread_mutex_lock(&reply->lock);
    bool stopping = listener->stopping;
    reply->state = stopping ? IDLE : RECEIVING;
    if (!stopping) {
        nng_aio_set_timeout(reply->aio, NNG_DURATION_INFINITE);
        nng_ctx_recv(reply->context, reply->aio);
    }
    pthread_mutex_unlock(&reply->lock);
    if (stopping) {
        count_idle(listener);
    }
}

static void set_state(struct hk_reply *reply, enum state state)
{
    pthread_mutex_lock(&reply->lock);
    reply->state = state;
    pthread_mutex_unlock(&reply->lock);
}

static void on_received(struct hk_reply *reply)
{
    if (nng_aio_result(reply->aio) != 0) {
        receive(reply);
        return;
    }
    reply->request = nng_aio_get_msg(reply->aio);
    reply->pipe = (uint32_t)nng_pipe_id(nng_msg_get_pipe(reply->request));
    set_state(reply, WORKING);
    reply->listener->setup.request(reply->listener->setup.argument, reply, nng_msg_body(reply->request),
                                   nng_msg_len(reply->request));
}

static void on_sent(struct hk_reply *reply)
{
    int result = nng_aio_result(reply->aio);
    if (result != 0) {
        nng_msg_free(nng_aio_get_msg(reply->aio));
        nng_aio_set_msg(reply->aio, NULL);
    }
    hk_pipes_sent(reply->listener->pipes, reply->pipe);
    if (result == NNG_ETIMEDOUT) {
        hk_listener_close_pipe(reply->listener, reply->pipe);
    }
    receive(reply);
}

static void on_event(void *argument)
{
    struct hk_reply *reply = argument;
    pthread_mutex_lock(&reply->lock);
    enum state state = reply->state;
    pthread_mutex_unlock(&reply->lock);
    if (state == SENDING) {
        on_sent(reply);
    } else {
        on_received(reply);
    }
}

void hk_reply_send(struct hk_reply *reply, const void *frame, size_t size)
{
    nng_msg *message;
    assert(reply->state == WORKING);
    if (nng_msg_alloc(&message, size) != 0) {
        hk_reply_drop(reply);
        return;
    }
    memcpy(nng_msg_body(message), frame, size);
    nng_msg_free(reply->request);
    reply->request = NULL;
    if (!hk_pipes_sending(reply->listener->pipes, reply->pipe)) {
        hk_listener_close_pipe(reply->listener, reply->pipe);
    }
    set_state(reply, SENDING);
    nng_aio_set_msg(reply->aio, message);
    nng_aio_set_timeout(reply->aio, SEND_TIMEOUT_MS);
    nng_ctx_send(reply->context, reply->aio);
}

void hk_reply_drop(struct hk_reply *reply)
{
    assert(reply->state == WORKING);
    nng_msg_free(reply->request);
    reply->request = NULL;
    receive(reply);
}

/* ---- connections ---- */
/* Descriptors are given out from the lowest one on, so ours are not far above their number; a connection
 * that is not found there, or that is not of the network, is left to nng. */
#define CLOSE_AT_ONCE HK_PIPE_EVICTED
#define DESCRIPTORS_BEYOND 4096
static void close_pipes(struct hk_listener *listener, const uint32_t *pipes, size_t count)
{
    struct hk_peer peers[CLOSE_AT_ONCE];
    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        hk_pipes_peer(listener->pipes, pipes[i], &peers[i]);
    }
    int end = (int)(2 * hk_pipes_count(listener->pipes)) + DESCRIPTORS_BEYOND;
    uint64_t found = hk_shut_down(peers, count, end);
    for (size_t i = 0; i < count; i++) {
        if ((found >> i & 1) == 0) {
            nng_pipe handle;
            handle.id = pipes[i];
            nng_pipe_close(handle);
        }
    }
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
    struct hk_listener *listener = argument;
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    if (event == NNG_PIPE_EV_REM_POST) {
        hk_pipes_remove(listener->pipes, id);
        return;
    }
    struct hk_peer peer = {.is_local = true};
    nng_sockaddr address;
    if (nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &address) == 0) {
        if (address.s_family == NNG_AF_INET) {
            peer.is_local = false;
            peer.address[10] = peer.address[11] = 0xff;
            memcpy(peer.address + 12, &address.s_in.sa_addr, 4);
            peer.port = address.s_in.sa_port;
        } else if (address.s_family == NNG_AF_INET6) {
            peer.is_local = false;
            memcpy(peer.address, address.s_in6.sa_addr, 16);
            peer.port = address.s_in6.sa_port;
        }
    }
    const struct hk_listener_setup *setup = &listener->setup;
    uint32_t evicted[HK_PIPE_EVICTED];
    size_t count = 0;
    if (listener->stopping || (setup->admit != NULL && !setup->admit(setup->argument, &peer)) ||
        !hk_pipes_add(listener->pipes, id, &peer, evicted, &count)) {
        nng_pipe_close(pipe);
    }
    close_pipes(listener, evicted, count);
}

uint32_t hk_reply_pipe(const struct hk_reply *reply)
{
    return reply->pipe;
}

void hk_reply_peer(const struct hk_reply *reply, struct hk_peer *out)
{
    hk_pipes_peer(reply->listener->pipes, reply->pipe, out);
}

void hk_reply_mark(struct hk_reply *reply, const uint8_t *static_key)
{
    hk_pipes_mark(reply->listener->pipes, reply->pipe, static_key);
}

void hk_reply_refuse(struct hk_reply *reply, const void *frame, size_t size)
{
    if (hk_pipes_warn(reply->listener->pipes, reply->pipe)) {
        hk_reply_drop(reply);
    } else {
        hk_reply_send(reply, frame, size);
    }
}

void hk_listener_sweep(struct hk_listener *listener)
{
    uint32_t found[CLOSE_AT_ONCE];
    size_t count;
    while ((count = hk_pipes_take_silent(listener->pipes, found, CLOSE_AT_ONCE)) != 0) {
        close_pipes(listener, found, count);
    }
}

size_t hk_listener_connections(struct hk_listener *listener)
{
    return hk_pipes_count(listener->pipes);
}

void hk_listener_close_pipe(struct hk_listener *listener, uint32_t pipe)
{
    close_pipes(listener, &pipe, 1);
}

void hk_listener_close_marked(struct hk_listener *listener, const uint8_t static_key[32])
{
    uint32_t found[CLOSE_AT_ONCE];
    size_t count;
    while ((count = hk_pipes_take_marked(listener->pipes, static_key, found, CLOSE_AT_ONCE)) != 0) {
        close_pipes(listener, found, count);
    }
}

/* ---- listening ---- */

/* The port that a listener got, put into its url in place of the one that was asked for. */
static void note_url(struct hk_listener *listener, size_t n, const char *url)
{
    char *out = listener->urls[n];
    snprintf(out, HK_LISTEN_URL_MAX, "%s", url);
    nng_sockaddr address;
    if (nng_listener_get_addr(listener->listeners[n], NNG_OPT_LOCADDR, &address) != 0 ||
        (address.s_family != NNG_AF_INET && address.s_family != NNG_AF_INET6)) {
        return;
    }
    uint16_t port = address.s_family == NNG_AF_INET ? address.s_in.sa_port : address.s_in6.sa_port;
    const uint8_t *bytes = (const uint8_t *)&port; /* network order */
    const char *host = strstr(url, "://"), *colon = host == NULL ? NULL : strrchr(host + 3, ':');
    if (colon == NULL) {
        return;
    }
    const char *path = colon + strcspn(colon, "/");
    snprintf(out, HK_LISTEN_URL_MAX, "%.*s:%d%s", (int)(colon - url), url, bytes[0] << 8 | bytes[1], path);
}

static int listen_on(struct hk_listener *listener, size_t n, const char *url)
{
    nng_listener *handle = &listener->listeners[n];
    int result = nng_listener_create(handle, listener->socket, url);
    if (result != 0) {
        return result;
    }
    if (strncmp(url, "ipc://", 6) == 0) {
        result = nng_listener_set_int(*handle, NNG_OPT_IPC_PERMISSIONS, 0600);
    } else {
        (void)nng_listener_set_bool(*handle, NNG_OPT_TCP_KEEPALIVE, true);
    }
    if (result == 0) {
        result = nng_listener_start(*handle, 0);
    }
    if (result != 0) {
        nng_listener_close(*handle);
        return result;
    }
    note_url(listener, n, url);
    listener->url_count = n + 1;
    return 0;
}

/* "tcp://" and a star is IPv4 alone to nng; the unspecified IPv6 address takes both where there is IPv6. */
static int listen_anywhere(struct hk_listener *listener, size_t n, const char *url)
{
    char both[HK_LISTEN_URL_MAX];
    static const char star[] = "tcp://*";
    if (strncmp(url, star, sizeof(star) - 1) == 0) {
        snprintf(both, sizeof(both), "tcp://[::]%s", url + sizeof(star) - 1);
        if (listen_on(listener, n, both) == 0) {
            return 0;
        }
        snprintf(both, sizeof(both), "tcp://0.0.0.0%s", url + sizeof(star) - 1);
        return listen_on(listener, n, both);
    }
    return listen_on(listener, n, url);
}

static int replies_new(struct hk_listener *listener, size_t count)
{
    listener->replies = calloc(count, sizeof(*listener->replies));
    if (listener->replies == NULL) {
        return NNG_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        struct hk_reply *reply = &listener->replies[i];
        reply->listener = listener;
        pthread_mutex_init(&reply->lock, NULL);
        int result = nng_aio_alloc(&reply->aio, on_event, reply);
        if (result != 0) {
            return result;
        }
        result = nng_ctx_open(&reply->context, listener->socket);
        if (result != 0) {
            nng_aio_free(reply->aio);
            return result;
        }
        listener->context_count = i + 1;
    }
    return 0;
}

static int start(struct hk_listener *listener)
{
    const struct hk_listener_setup *setup = &listener->setup;
    int result = nng_socket_set_size(listener->socket, NNG_OPT_RECVMAXSZ, HK_FRAME_MAX + REQUEST_ID_BYTES);
    if (result == 0) {
        result = nng_pipe_notify(listener->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, listener);
    }
    if (result == 0) {
        result = nng_pipe_notify(listener->socket, NNG_PIPE_EV_REM_POST, on_pipe, listener);
    }
    if (result == 0) {
        result = replies_new(listener, setup->contexts != 0 ? setup->contexts : CONTEXTS);
    }
    for (size_t i = 0; result == 0 && i < setup->url_count; i++) {
        result = listen_anywhere(listener, i, setup->urls[i]);
    }
    return result;
}

enum hk_error hk_listener_new(struct hk_listener **out, const struct hk_listener_setup *setup,
                              const char **reason)
{
    struct hk_listener *listener = calloc(1, sizeof(*listener));
    struct hk_pipes *pipes = hk_pipes_new(&setup->limits);
    int result = NNG_ENOMEM;
    if (setup->url_count == 0 || setup->url_count > HK_LISTEN_URLS) {
        result = NNG_EINVAL;
    } else if (listener != NULL && pipes != NULL) {
        result = nng_rep0_open(&listener->socket);
    }
    if (result != 0) {
        hk_pipes_free(pipes);
        free(listener);
        *reason = nng_strerror(result);
        return result == NNG_ENOMEM ? HK_NO_MEMORY : HK_IO;
    }
    listener->setup = *setup;
    listener->pipes = pipes;
    pthread_mutex_init(&listener->lock, NULL);
    pthread_cond_init(&listener->changed, NULL);
    result = start(listener);
    if (result != 0) {
        hk_listener_free(listener);
        *reason = nng_strerror(result);
        return result == NNG_ENOMEM ? HK_NO_MEMORY : HK_IO;
    }
    listener->setup.urls = NULL; /* the caller's */
    listener->running = listener->context_count;
    *out = listener;
    for (size_t i = 0; i < listener->context_count; i++) {
        receive(&listener->replies[i]);
    }
    return HK_OK;
}

const char *hk_listener_url(const struct hk_listener *listener, size_t n)
{
    return n < listener->url_count ? listener->urls[n] : NULL;
}

/* ---- the end ---- */
static void pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

enum hk_error hk_listener_stop(struct hk_listener *listener, int wait_ms)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += wait_ms / 1000;
    deadline.tv_nsec += wait_ms % 1000 * 1000000L;
    deadline.tv_sec += deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;
    /* Closing nng's listeners would close their connections too: new ones are turned away in on_pipe. */
    listener->stopping = true;
    for (size_t i = 0; i < listener->context_count; i++) {
        struct hk_reply *reply = &listener->replies[i];
        pthread_mutex_lock(&reply->lock);
        if (reply->state == RECEIVING) {
            nng_aio_cancel(reply->aio);
        }
        pthread_mutex_unlock(&reply->lock);
    }
    int result = 0;
    pthread_mutex_lock(&listener->lock);
    while (listener->running != 0 && result == 0) {
        result = pthread_cond_timedwait(&listener->changed, &listener->lock, &deadline);
    }
    bool left = listener->running != 0;
    pthread_mutex_unlock(&listener->lock);
    pause_ms(LINGER_MS); /* nng has taken the last answers; its threads still have to write them */
    return left ? HK_TIMEOUT : HK_OK;
}

void hk_listener_free(struct hk_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    for (size_t i = 0; i < listener->context_count; i++) {
        nng_aio_stop(listener->replies[i].aio);
        nng_ctx_close(listener->replies[i].context);
        nng_aio_free(listener->replies[i].aio);
        pthread_mutex_destroy(&listener->replies[i].lock);
    }
    nng_close(listener->socket);
    hk_pipes_free(listener->pipes);
    pthread_cond_destroy(&listener->changed);
    pthread_mutex_destroy(&listener->lock);
    free(listener->replies);
    free(listener);
}

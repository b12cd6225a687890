/* The half of a listener that is nng's: one REP socket whose contexts nng's threads drive. */
#include <assert.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/transport_parts.h"
#include "protocol/transport_shut.h"

/* A context goes round: it waits for a request, its reply is being worked on, its answer is on the way out.
 */
enum state { IDLE, RECEIVING, WORKING, SENDING };

struct nng_reply {
    struct hk_reply base;
    nng_ctx context;
    nng_aio *aio;
    pthread_mutex_t lock; /* its own, so that requests do not wait for one another here */
    enum state state;     /* changes under the lock */
    nng_msg *request;
};

struct hk_nng {
    struct hk_listener *listener;
    nng_socket socket;
    size_t context_count;
    struct nng_reply *replies;
    atomic_size_t running; /* contexts that are not idle */
};

/* ---- contexts ---- */

/* Whoever stops sets `stopping` first and then looks at each context under its lock: either it is seen here,
 * or the context is seen there as one that receives. */
static void receive(struct nng_reply *reply)
{
    struct hk_listener *listener = reply->base.listener;
    pthread_mutex_lock(&reply->lock);
    bool stopping = listener->stopping;
    reply->state = stopping ? IDLE : RECEIVING;
    if (!stopping) {
        nng_aio_set_timeout(reply->aio, NNG_DURATION_INFINITE);
        nng_ctx_recv(reply->context, reply->aio);
    }
    pthread_mutex_unlock(&reply->lock);
    if (stopping) {
        (void)atomic_fetch_sub(&listener->nng->running, 1);
    }
}

static void set_state(struct nng_reply *reply, enum state state)
{
    pthread_mutex_lock(&reply->lock);
    reply->state = state;
    pthread_mutex_unlock(&reply->lock);
}

static void on_received(struct nng_reply *reply)
{
    if (nng_aio_result(reply->aio) != 0) {
        receive(reply);
        return;
    }
    const struct hk_listener_setup *setup = &reply->base.listener->setup;
    reply->request = nng_aio_get_msg(reply->aio);
    reply->base.pipe = (uint32_t)nng_pipe_id(nng_msg_get_pipe(reply->request));
    hk_pipes_peer(reply->base.listener->pipes, reply->base.pipe, &reply->base.peer);
    set_state(reply, WORKING);
    setup->request(setup->argument, &reply->base, nng_msg_body(reply->request), nng_msg_len(reply->request));
}

static void on_sent(struct nng_reply *reply)
{
    int result = nng_aio_result(reply->aio);
    if (result != 0) {
        nng_msg_free(nng_aio_get_msg(reply->aio));
        nng_aio_set_msg(reply->aio, NULL);
    }
    hk_pipes_sent(reply->base.listener->pipes, reply->base.pipe);
    if (result == NNG_ETIMEDOUT) {
        hk_listener_close_pipe(reply->base.listener, reply->base.pipe);
    }
    receive(reply);
}

static void on_event(void *argument)
{
    struct nng_reply *reply = argument;
    pthread_mutex_lock(&reply->lock);
    enum state state = reply->state;
    pthread_mutex_unlock(&reply->lock);
    if (state == SENDING) {
        on_sent(reply);
    } else {
        on_received(reply);
    }
}

static void drop(struct hk_reply *base)
{
    struct nng_reply *reply = (struct nng_reply *)base;
    assert(reply->state == WORKING);
    nng_msg_free(reply->request);
    reply->request = NULL;
    receive(reply);
}

static void send_frame(struct hk_reply *base, const void *frame, size_t size)
{
    struct nng_reply *reply = (struct nng_reply *)base;
    nng_msg *message;
    assert(reply->state == WORKING);
    if (nng_msg_alloc(&message, size) != 0) {
        drop(base);
        return;
    }
    memcpy(nng_msg_body(message), frame, size);
    nng_msg_free(reply->request);
    reply->request = NULL;
    if (!hk_pipes_sending(base->listener->pipes, base->pipe)) {
        hk_listener_close_pipe(base->listener, base->pipe);
    }
    set_state(reply, SENDING);
    nng_aio_set_msg(reply->aio, message);
    nng_aio_set_timeout(reply->aio, HK_SEND_TIMEOUT_MS);
    nng_ctx_send(reply->context, reply->aio);
}

static const struct hk_reply_way way = {send_frame, drop};

/* ---- connections ---- */

/* Descriptors are given out from the lowest one on, so ours are not far above their number; a connection
 * that is not found there, or that is not of the network, is left to nng. */
#define DESCRIPTORS_BEYOND 4096

void hk_nng_close(struct hk_listener *listener, const uint32_t *pipes, size_t count)
{
    struct hk_peer peers[HK_PIPE_EVICTED];
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
    if (!hk_listener_admit(listener, id, &peer)) {
        nng_pipe_close(pipe);
    }
}

/* ---- start and end ---- */

static int replies_new(struct hk_nng *nng, size_t count)
{
    nng->replies = calloc(count, sizeof(*nng->replies));
    if (nng->replies == NULL) {
        return NNG_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        struct nng_reply *reply = &nng->replies[i];
        reply->base.listener = nng->listener;
        reply->base.way = &way;
        pthread_mutex_init(&reply->lock, NULL);
        int result = nng_aio_alloc(&reply->aio, on_event, reply);
        if (result != 0) {
            return result;
        }
        result = nng_ctx_open(&reply->context, nng->socket);
        if (result != 0) {
            nng_aio_free(reply->aio);
            return result;
        }
        nng->context_count = i + 1;
    }
    return 0;
}

const char *hk_nng_new(struct hk_listener *listener)
{
    struct hk_nng *nng = calloc(1, sizeof(*nng));
    int result = nng == NULL ? NNG_ENOMEM : nng_rep0_open(&nng->socket);
    if (result != 0) {
        free(nng);
        return nng_strerror(result);
    }
    nng->listener = listener;
    listener->nng = nng;
    result = nng_socket_set_size(nng->socket, NNG_OPT_RECVMAXSZ, HK_FRAME_MAX + HK_REQUEST_ID_BYTES);
    if (result == 0) {
        result = nng_pipe_notify(nng->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, listener);
    }
    if (result == 0) {
        result = nng_pipe_notify(nng->socket, NNG_PIPE_EV_REM_POST, on_pipe, listener);
    }
    if (result == 0) {
        size_t contexts = listener->setup.contexts;
        result = replies_new(nng, contexts != 0 ? contexts : HK_CONTEXTS);
    }
    return result == 0 ? NULL : nng_strerror(result);
}

/* The port that a listener got, put into its url in place of the one that was asked for. */
static void note_url(nng_listener handle, const char *url, char out[HK_LISTEN_URL_MAX])
{
    snprintf(out, HK_LISTEN_URL_MAX, "%s", url);
    nng_sockaddr address;
    if (nng_listener_get_addr(handle, NNG_OPT_LOCADDR, &address) != 0 ||
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

const char *hk_nng_listen(struct hk_listener *listener, const char *url, char out[HK_LISTEN_URL_MAX])
{
    nng_listener handle;
    int result = nng_listener_create(&handle, listener->nng->socket, url);
    if (result != 0) {
        return nng_strerror(result);
    }
    (void)nng_listener_set_bool(handle, NNG_OPT_TCP_KEEPALIVE, true);
    result = nng_listener_start(handle, 0);
    if (result != 0) {
        nng_listener_close(handle);
        return nng_strerror(result);
    }
    note_url(handle, url, out);
    return NULL;
}

void hk_nng_start(struct hk_nng *nng)
{
    atomic_store(&nng->running, nng->context_count);
    for (size_t i = 0; i < nng->context_count; i++) {
        receive(&nng->replies[i]);
    }
}

/* Closing nng's listeners would close their connections too: new ones are turned away in on_pipe. */
void hk_nng_stop(struct hk_nng *nng)
{
    for (size_t i = 0; i < nng->context_count; i++) {
        struct nng_reply *reply = &nng->replies[i];
        pthread_mutex_lock(&reply->lock);
        if (reply->state == RECEIVING) {
            nng_aio_cancel(reply->aio);
        }
        pthread_mutex_unlock(&reply->lock);
    }
}

bool hk_nng_is_idle(struct hk_nng *nng)
{
    return atomic_load(&nng->running) == 0;
}

void hk_nng_free(struct hk_nng *nng)
{
    for (size_t i = 0; i < nng->context_count; i++) {
        nng_aio_stop(nng->replies[i].aio);
        nng_ctx_close(nng->replies[i].context);
        nng_aio_free(nng->replies[i].aio);
        pthread_mutex_destroy(&nng->replies[i].lock);
    }
    nng_close(nng->socket);
    free(nng->replies);
    free(nng);
}

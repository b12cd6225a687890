#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/transport.h"
#include "protocol/transport_parts.h"
#include "protocol/transport_pipes.h"

#define LINGER_MS 50
#define STEP_MS 2

/* ---- replies ---- */

void hk_reply_send(struct hk_reply *reply, const void *frame, size_t size)
{
    reply->way->send(reply, frame, size);
}

void hk_reply_drop(struct hk_reply *reply)
{
    reply->way->drop(reply);
}

uint32_t hk_reply_pipe(const struct hk_reply *reply)
{
    return reply->pipe;
}

void hk_reply_peer(const struct hk_reply *reply, struct hk_peer *out)
{
    *out = reply->peer;
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

/* ---- connections ---- */

static void close_pipes(struct hk_listener *listener, const uint32_t *pipes, size_t count)
{
    uint32_t of_nng[HK_PIPE_EVICTED];
    size_t of_nng_count = 0;
    for (size_t i = 0; i < count; i++) {
        if ((pipes[i] & HK_SOCKET_PIPE) != 0) {
            hk_sockets_close(listener->sockets, pipes[i]);
        } else {
            of_nng[of_nng_count++] = pipes[i];
        }
    }
    hk_nng_close(listener, of_nng, of_nng_count);
}

bool hk_listener_admit(struct hk_listener *listener, uint32_t pipe, const struct hk_peer *peer)
{
    const struct hk_listener_setup *setup = &listener->setup;
    uint32_t evicted[HK_PIPE_EVICTED];
    size_t count = 0;
    bool admitted = !listener->stopping && (setup->admit == NULL || setup->admit(setup->argument, peer)) &&
                    hk_pipes_add(listener->pipes, pipe, peer, evicted, &count);
    close_pipes(listener, evicted, count);
    return admitted;
}

void hk_listener_sweep(struct hk_listener *listener)
{
    uint32_t found[HK_PIPE_EVICTED];
    size_t count;
    while ((count = hk_pipes_take_silent(listener->pipes, found, HK_PIPE_EVICTED)) != 0) {
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
    uint32_t found[HK_PIPE_EVICTED];
    size_t count;
    while ((count = hk_pipes_take_marked(listener->pipes, static_key, found, HK_PIPE_EVICTED)) != 0) {
        close_pipes(listener, found, count);
    }
}

/* ---- listening ---- */

static const char *listen_on(struct hk_listener *listener, const char *url, char out[HK_LISTEN_URL_MAX])
{
    bool direct = strncmp(url, "tcp://", 6) == 0 || strncmp(url, "ipc://", 6) == 0;
    const char *reason = NULL;
    if (direct) {
        reason = listener->sockets == NULL ? hk_sockets_new(listener) : NULL;
        return reason != NULL ? reason : hk_sockets_listen(listener, url, out);
    }
    reason = listener->nng == NULL ? hk_nng_new(listener) : NULL;
    return reason != NULL ? reason : hk_nng_listen(listener, url, out);
}

static const char *start(struct hk_listener *listener)
{
    const struct hk_listener_setup *setup = &listener->setup;
    const char *reason = NULL;
    for (size_t i = 0; reason == NULL && i < setup->url_count; i++) {
        reason = listen_on(listener, setup->urls[i], listener->urls[i]);
        listener->url_count = i + 1;
    }
    if (reason == NULL && listener->sockets != NULL) {
        reason = hk_sockets_start(listener->sockets);
    }
    if (reason == NULL && listener->nng != NULL) {
        hk_nng_start(listener->nng);
    }
    return reason;
}

enum hk_error hk_listener_new(struct hk_listener **out, const struct hk_listener_setup *setup,
                              const char **reason)
{
    struct hk_listener *listener = calloc(1, sizeof(*listener));
    struct hk_pipes *pipes = hk_pipes_new(&setup->limits);
    if (listener == NULL || pipes == NULL || setup->url_count == 0 || setup->url_count > HK_LISTEN_URLS) {
        bool memory = listener == NULL || pipes == NULL;
        hk_pipes_free(pipes);
        free(listener);
        *reason = memory ? hk_strerror(HK_NO_MEMORY) : "one to eight addresses can be listened on";
        return memory ? HK_NO_MEMORY : HK_IO;
    }
    listener->setup = *setup;
    listener->pipes = pipes;
    *out = listener; /* before its threads call anybody, who may want it */
    *reason = start(listener);
    if (*reason != NULL) {
        *out = NULL;
        hk_listener_free(listener);
        return HK_IO;
    }
    listener->setup.urls = NULL; /* the caller's */
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

static bool is_idle(struct hk_listener *listener)
{
    return (listener->nng == NULL || hk_nng_is_idle(listener->nng)) &&
           (listener->sockets == NULL || hk_sockets_are_idle(listener->sockets));
}

enum hk_error hk_listener_stop(struct hk_listener *listener, int wait_ms)
{
    listener->stopping = true;
    if (listener->nng != NULL) {
        hk_nng_stop(listener->nng);
    }
    if (listener->sockets != NULL) {
        hk_sockets_stop(listener->sockets);
    }
    for (int waited = 0; !is_idle(listener) && waited < wait_ms; waited += STEP_MS) {
        pause_ms(STEP_MS);
    }
    if (listener->nng != NULL) {
        pause_ms(LINGER_MS); /* nng has taken the last answers; its threads still have to write them */
    }
    return is_idle(listener) ? HK_OK : HK_TIMEOUT;
}

void hk_listener_free(struct hk_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    if (listener->nng != NULL) {
        hk_nng_free(listener->nng);
    }
    if (listener->sockets != NULL) {
        hk_sockets_free(listener->sockets);
    }
    hk_pipes_free(listener->pipes);
    free(listener);
}

/* The client over ws and tls+tcp: one REQ socket of nng's, one context for each call that is under way. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/transport_client.h"

/* A context with its operation, used by one call at a time and kept for the next. */
struct line {
    nng_ctx context;
    nng_aio *aio;
    struct line *next;      /* while it is idle */
    struct line *next_busy; /* while a call has it */
};

/* A connection is dialled by a thread of ours, which sees how it ends; when it is lost nng tries first. */
enum dialing { NOT_YET, DIALING, ENDED, DIALED };

struct hk_nng_endpoint {
    nng_socket socket;
    nng_dialer dialer;
    char *url;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct line *idle, *busy;
    bool closing;
    enum dialing dialing;
    bool has_dialled;      /* the dialer is used up; the dialling thread's alone */
    enum hk_error dialled; /* how it ended */
    pthread_t dialler;
    int pipes; /* connections that are up */
};

/* When a connection is lost, nng would send the requests that wait on it again over the next one. Who called
 * is told instead. */
static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
    struct hk_nng_endpoint *endpoint = argument;
    (void)pipe;
    pthread_mutex_lock(&endpoint->lock);
    if (event == NNG_PIPE_EV_ADD_POST) {
        endpoint->pipes++;
    } else if (event == NNG_PIPE_EV_REM_POST && --endpoint->pipes == 0) {
        for (struct line *line = endpoint->busy; line != NULL; line = line->next_busy) {
            nng_aio_abort(line->aio, NNG_ECONNRESET);
        }
    }
    pthread_cond_broadcast(&endpoint->changed);
    pthread_mutex_unlock(&endpoint->lock);
}

enum hk_error hk_nng_endpoint_new(struct hk_nng_endpoint **out, const char *url)
{
    struct hk_nng_endpoint *endpoint = calloc(1, sizeof(*endpoint));
    char *copy = strdup(url);
    if (endpoint == NULL || copy == NULL || nng_req0_open(&endpoint->socket) != 0) {
        free(endpoint);
        free(copy);
        return HK_NO_MEMORY;
    }
    endpoint->url = copy;
    pthread_mutex_init(&endpoint->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&endpoint->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    /* Nothing is sent twice: what may be repeated, and when, is decided above the session. */
    if (nng_socket_set_ms(endpoint->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) != 0 ||
        nng_socket_set_size(endpoint->socket, NNG_OPT_RECVMAXSZ, HK_FRAME_MAX + 4) != 0 ||
        nng_socket_set_ms(endpoint->socket, NNG_OPT_RECONNMINT, 20) != 0 ||
        nng_socket_set_ms(endpoint->socket, NNG_OPT_RECONNMAXT, 500) != 0 ||
        nng_pipe_notify(endpoint->socket, NNG_PIPE_EV_ADD_POST, on_pipe, endpoint) != 0 ||
        nng_pipe_notify(endpoint->socket, NNG_PIPE_EV_REM_POST, on_pipe, endpoint) != 0 ||
        nng_dialer_create(&endpoint->dialer, endpoint->socket, url) != 0) {
        hk_nng_endpoint_free(endpoint);
        return HK_BAD_ENCODING;
    }
    *out = endpoint;
    return HK_OK;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static nng_duration time_left(uint64_t deadline)
{
    uint64_t now = now_ms();
    return deadline > now ? (nng_duration)(deadline - now) : 0;
}

/* ---- lines ---- */
static struct line *line_new(struct hk_nng_endpoint *endpoint)
{
    struct line *line = calloc(1, sizeof(*line));
    if (line == NULL) {
        return NULL;
    }
    if (nng_aio_alloc(&line->aio, NULL, NULL) != 0) {
        free(line);
        return NULL;
    }
    if (nng_ctx_open(&line->context, endpoint->socket) != 0) {
        nng_aio_free(line->aio);
        free(line);
        return NULL;
    }
    return line;
}

static void line_free(struct line *line)
{
    nng_aio_stop(line->aio);
    nng_ctx_close(line->context);
    nng_aio_free(line->aio);
    free(line);
}

static enum hk_error line_take(struct hk_nng_endpoint *endpoint, struct line **out)
{
    enum hk_error error = HK_UNREACHABLE;
    pthread_mutex_lock(&endpoint->lock);
    if (!endpoint->closing) {
        struct line *line = endpoint->idle;
        if (line != NULL) {
            endpoint->idle = line->next;
        } else {
            line = line_new(endpoint);
        }
        error = HK_NO_MEMORY;
        if (line != NULL) {
            line->next_busy = endpoint->busy;
            endpoint->busy = line;
            *out = line;
            error = HK_OK;
        }
    }
    pthread_mutex_unlock(&endpoint->lock);
    return error;
}

static void line_give(struct hk_nng_endpoint *endpoint, struct line *line)
{
    pthread_mutex_lock(&endpoint->lock);
    for (struct line **at = &endpoint->busy; *at != NULL; at = &(*at)->next_busy) {
        if (*at == line) {
            *at = line->next_busy;
            break;
        }
    }
    line->next = endpoint->idle;
    endpoint->idle = line;
    pthread_cond_broadcast(&endpoint->changed);
    pthread_mutex_unlock(&endpoint->lock);
}

/* ---- a call ---- */
static enum hk_error error_of(int result)
{
    switch (result) {
    case 0:
        return HK_OK;
    case NNG_ETIMEDOUT:
        return HK_TIMEOUT;
    case NNG_ENOMEM:
        return HK_NO_MEMORY;
    default:
        return HK_UNREACHABLE;
    }
}

/* ---- connecting ---- */

/* A dialer that works in the background reports nothing, and after some failures tries no more (nng takes a
 * connection that is closed while it is set up for its own end). When it has not connected again for
 * RECONNECT_MS, another one takes its place, in the foreground, which tells how it went. */
#define RECONNECT_MS 700

/* Dialling in the foreground ends when it is known how; to a host that drops packets that may take minutes,
 * so nobody but this thread waits for it. */
static void *dial(void *argument)
{
    struct hk_nng_endpoint *endpoint = argument;
    int result = 0;
    if (endpoint->has_dialled) {
        nng_dialer_close(endpoint->dialer);
        result = nng_dialer_create(&endpoint->dialer, endpoint->socket, endpoint->url);
    }
    endpoint->has_dialled = true;
    if (result == 0) {
        result = nng_dialer_start(endpoint->dialer, 0);
    }
    pthread_mutex_lock(&endpoint->lock);
    endpoint->dialled = result == 0 ? HK_OK : result == NNG_ENOMEM ? HK_NO_MEMORY : HK_UNREACHABLE;
    endpoint->dialing = ENDED;
    pthread_cond_broadcast(&endpoint->changed);
    pthread_mutex_unlock(&endpoint->lock);
    return NULL;
}

static struct timespec in_ms(uint64_t ms)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += (time_t)(ms / 1000);
    time.tv_nsec += (long)(ms % 1000) * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

/* The first connection, or one in place of a dialer that does not come back. All who call meanwhile wait for
 * the same dialling and get its result. */
static enum hk_error dial_locked(struct hk_nng_endpoint *endpoint, uint64_t deadline)
{
    struct timespec end = in_ms((uint64_t)time_left(deadline));
    if (endpoint->dialing == NOT_YET) {
        if (pthread_create(&endpoint->dialler, NULL, dial, endpoint) != 0) {
            return HK_NO_MEMORY;
        }
        endpoint->dialing = DIALING;
    }
    while (endpoint->dialing == DIALING && !endpoint->closing) {
        if (pthread_cond_timedwait(&endpoint->changed, &endpoint->lock, &end) != 0) {
            return HK_UNREACHABLE;
        }
    }
    if (endpoint->dialing == ENDED) {
        pthread_join(endpoint->dialler, NULL); /* it is past its last lock */
        endpoint->dialing = endpoint->dialled == HK_OK ? DIALED : NOT_YET;
    }
    return endpoint->closing ? HK_UNREACHABLE : endpoint->dialled;
}

/* Waits for nng to connect again; HK_AGAIN if it takes suspiciously long. */
static enum hk_error reconnect_locked(struct hk_nng_endpoint *endpoint, uint64_t deadline)
{
    uint64_t left = (uint64_t)time_left(deadline);
    struct timespec end = in_ms(left < RECONNECT_MS ? left : RECONNECT_MS);
    while (endpoint->pipes == 0 && !endpoint->closing) {
        if (pthread_cond_timedwait(&endpoint->changed, &endpoint->lock, &end) != 0) {
            return left < RECONNECT_MS ? HK_UNREACHABLE : HK_AGAIN;
        }
    }
    return endpoint->closing ? HK_UNREACHABLE : HK_OK;
}

static enum hk_error connect_if_needed(struct hk_nng_endpoint *endpoint, uint64_t deadline)
{
    enum hk_error error = HK_OK;
    pthread_mutex_lock(&endpoint->lock);
    if (endpoint->pipes == 0 && endpoint->dialing == DIALED) {
        error = reconnect_locked(endpoint, deadline);
        if (error == HK_AGAIN && endpoint->dialing == DIALED) {
            endpoint->dialing = NOT_YET;
        }
    }
    if (endpoint->pipes == 0 && endpoint->dialing != DIALED) {
        error = dial_locked(endpoint, deadline);
    }
    pthread_mutex_unlock(&endpoint->lock);
    return error == HK_AGAIN ? HK_OK : error; /* connected just now */
}

static bool is_connected(struct hk_nng_endpoint *endpoint)
{
    pthread_mutex_lock(&endpoint->lock);
    bool connected = endpoint->pipes != 0;
    pthread_mutex_unlock(&endpoint->lock);
    return connected;
}

static enum hk_error exchange(struct line *line, nng_msg *message, uint64_t deadline, nng_msg **answer,
                              const struct hk_meanwhile *meanwhile)
{
    nng_aio_set_msg(line->aio, message);
    nng_aio_set_timeout(line->aio, time_left(deadline));
    nng_ctx_send(line->context, line->aio);
    nng_aio_wait(line->aio);
    int result = nng_aio_result(line->aio);
    if (result != 0) {
        nng_msg_free(message);
        return error_of(result);
    }
    nng_aio_set_timeout(line->aio, time_left(deadline));
    nng_ctx_recv(line->context, line->aio);
    if (meanwhile != NULL && meanwhile->run != NULL) {
        meanwhile->run(meanwhile->argument);
    }
    nng_aio_wait(line->aio);
    result = nng_aio_result(line->aio);
    if (result == 0) {
        *answer = nng_aio_get_msg(line->aio);
    }
    return error_of(result);
}

static enum hk_error take_answer(nng_msg *message, uint8_t *answer, size_t max, size_t *answer_size)
{
    size_t size = nng_msg_len(message);
    enum hk_error error = HK_TOO_LARGE;
    if (size <= max) {
        memcpy(answer, nng_msg_body(message), size);
        *answer_size = size;
        error = HK_OK;
    }
    nng_msg_free(message);
    return error;
}

enum hk_error hk_nng_endpoint_call(struct hk_nng_endpoint *endpoint, const struct hk_call *call)
{
    uint64_t deadline = now_ms() + (uint64_t)call->timeout_ms;
    struct line *line;
    nng_msg *message, *received = NULL;
    enum hk_error error = line_take(endpoint, &line);
    if (error != HK_OK) {
        return error;
    }
    error = connect_if_needed(endpoint, deadline);
    if (error == HK_OK && nng_msg_alloc(&message, call->size) != 0) {
        error = HK_NO_MEMORY;
    }
    if (error == HK_OK) {
        memcpy(nng_msg_body(message), call->request, call->size);
        error = exchange(line, message, deadline, &received, call->meanwhile);
        if (error == HK_TIMEOUT && !is_connected(endpoint)) {
            error = HK_UNREACHABLE;
        }
    }
    if (error == HK_OK) {
        error = take_answer(received, call->answer, call->max, call->answer_size);
    }
    line_give(endpoint, line);
    return error;
}

/* Closing a socket under operations in flight can hang, so first every call is made to leave. The
 * cancellation is repeated because a call may be between two operations. */
void hk_nng_endpoint_free(struct hk_nng_endpoint *endpoint)
{
    if (endpoint == NULL) {
        return;
    }
    pthread_mutex_lock(&endpoint->lock);
    endpoint->closing = true;
    pthread_cond_broadcast(&endpoint->changed);
    while (endpoint->busy != NULL) {
        for (struct line *line = endpoint->busy; line != NULL; line = line->next_busy) {
            nng_aio_abort(line->aio, NNG_ECLOSED);
        }
        struct timespec soon = in_ms(20);
        pthread_cond_timedwait(&endpoint->changed, &endpoint->lock, &soon);
    }
    bool join = endpoint->dialing == DIALING || endpoint->dialing == ENDED;
    pthread_mutex_unlock(&endpoint->lock);
    while (endpoint->idle != NULL) {
        struct line *line = endpoint->idle;
        endpoint->idle = line->next;
        line_free(line);
    }
    nng_close(endpoint->socket); /* ends a dialling too */
    if (join) {
        pthread_join(endpoint->dialler, NULL);
    }
    pthread_cond_destroy(&endpoint->changed);
    pthread_mutex_destroy(&endpoint->lock);
    free(endpoint->url);
    free(endpoint);
}

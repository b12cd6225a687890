/* The client over tcp and ipc: one connection, on which many calls may be under way. Each thread sends for
 * itself. One of those that wait reads for all; when it has its own answer, another goes on. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "crypto/random.h"
#include "protocol/seam_cut.h"
#include "protocol/transport_client.h"

#define HEAD_BYTES 8 /* of a message: its length; over ipc one byte more before it */
#define ID_BYTES 4
#define LENGTH_MAX (HK_FRAME_MAX + ID_BYTES)
/* A service that is started again is not there for a moment: so long is it looked for, so often. */
#define RETURN_MS 700
#define RETURN_STEP_MS 20

/* A call that waits for its answer; on its thread's stack, in its connection's list. */
struct waiter {
    struct waiter *next;
    uint32_t id;
    uint8_t *answer;
    size_t max, size;
    bool sent;      /* `answer`, which may be the request, is free */
    uint8_t *early; /* an answer that was here before that was known */
    bool done;
    enum hk_error error;
};

struct connection {
    int fd;
    unsigned references; /* under the endpoint's lock, as all that has no other word */
    bool dead, reading;
    struct waiter *waiters;
    pthread_mutex_t sending;
    /* of the thread that reads */
    size_t have;
    uint8_t buffer[1 + HEAD_BYTES + LENGTH_MAX];
};

struct hk_socket_endpoint {
    char *url;
    size_t ipc_byte;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct connection *connection; /* the current one, or NULL */
    size_t calls;                  /* under way */
    unsigned references;           /* the owner, and the thread that dials */
    bool dialing, was_connected;
    enum hk_error dialled; /* how it ended */
    atomic_bool closing;
    atomic_uint last_id;
};

static struct timespec after_ms(uint64_t ms)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += (time_t)(ms / 1000);
    time.tv_nsec += (long)(ms % 1000) * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static int left_ms(const struct timespec *deadline)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left =
        (int64_t)(deadline->tv_sec - now.tv_sec) * 1000 + (deadline->tv_nsec - now.tv_nsec) / 1000000;
    return left > 0 ? (int)left : 0;
}

/* ---- connections ---- */

static void release_locked(struct connection *connection)
{
    if (--connection->references == 0) {
        close(connection->fd);
        pthread_mutex_destroy(&connection->sending);
        free(connection);
    }
}

/* Whoever waits on it is told; the next call gets another one. */
static void lose_locked(struct hk_socket_endpoint *endpoint, struct connection *connection)
{
    if (!connection->dead) {
        connection->dead = true;
        (void)shutdown(connection->fd, SHUT_RDWR);
        for (struct waiter *at = connection->waiters; at != NULL; at = at->next) {
            at->error = at->done ? at->error : HK_UNREACHABLE;
            at->done = true;
        }
    }
    if (endpoint->connection == connection) {
        endpoint->connection = NULL;
        release_locked(connection);
    }
    pthread_cond_broadcast(&endpoint->changed);
}

/* A service that went away has left the end of what it sent, which is looked for before anything is sent:
 * what was not sent can be sent again without a doubt. */
static bool is_up_locked(const struct connection *connection)
{
    struct pollfd end = {.fd = connection->fd, .events = POLLRDHUP};
    return !connection->dead && poll(&end, 1, 0) == 0;
}

static struct connection *connection_new(int fd)
{
    struct connection *connection = malloc(sizeof(*connection));
    if (connection != NULL) {
        memset(connection, 0, offsetof(struct connection, buffer));
        connection->fd = fd;
        connection->references = 1;
        pthread_mutex_init(&connection->sending, NULL);
        HK_CUT_SOCKET(fd);
    }
    return connection;
}

/* ---- dialling ---- */

static void release_endpoint(struct hk_socket_endpoint *endpoint)
{
    pthread_mutex_lock(&endpoint->lock);
    bool last = --endpoint->references == 0;
    pthread_mutex_unlock(&endpoint->lock);
    if (last) {
        pthread_cond_destroy(&endpoint->changed);
        pthread_mutex_destroy(&endpoint->lock);
        free(endpoint->url);
        free(endpoint);
    }
}

/* To look up a host, or to reach one that drops packets, may take minutes; so nobody but this thread waits
 * for it, not even the endpoint's end. */
static void *dial(void *argument)
{
    struct hk_socket_endpoint *endpoint = argument;
    const struct timespec step = {.tv_nsec = RETURN_STEP_MS * 1000000L};
    int waited = endpoint->was_connected ? 0 : RETURN_MS;
    int fd = hk_dial(endpoint->url, &endpoint->closing);
    for (; fd < 0 && waited < RETURN_MS && !endpoint->closing; waited += RETURN_STEP_MS) {
        nanosleep(&step, NULL);
        fd = hk_dial(endpoint->url, &endpoint->closing);
    }
    struct connection *connection = fd < 0 ? NULL : connection_new(fd);
    if (fd >= 0 && connection == NULL) {
        close(fd);
    }
    pthread_mutex_lock(&endpoint->lock);
    endpoint->dialled = connection != NULL ? HK_OK : fd >= 0 ? HK_NO_MEMORY : HK_UNREACHABLE;
    endpoint->dialing = false;
    endpoint->was_connected = connection != NULL; /* one that was away for longer is not waited for again */
    if (connection != NULL && endpoint->closing) {
        release_locked(connection);
    } else {
        endpoint->connection = connection;
    }
    pthread_cond_broadcast(&endpoint->changed);
    pthread_mutex_unlock(&endpoint->lock);
    release_endpoint(endpoint);
    return NULL;
}

static enum hk_error begin_to_dial_locked(struct hk_socket_endpoint *endpoint)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, dial, endpoint) != 0) {
        return HK_NO_MEMORY;
    }
    pthread_detach(thread);
    endpoint->references++;
    endpoint->dialing = true;
    return HK_OK;
}

/* All who call while somebody dials wait for that and get its result. */
static enum hk_error connect_locked(struct hk_socket_endpoint *endpoint, const struct timespec *deadline,
                                    struct connection **out)
{
    if (endpoint->connection != NULL && !is_up_locked(endpoint->connection)) {
        lose_locked(endpoint, endpoint->connection);
    }
    if (endpoint->connection == NULL) {
        enum hk_error error = endpoint->dialing ? HK_OK : begin_to_dial_locked(endpoint);
        if (error != HK_OK) {
            return error;
        }
        while (endpoint->dialing && !endpoint->closing) {
            if (pthread_cond_timedwait(&endpoint->changed, &endpoint->lock, deadline) != 0) {
                return HK_UNREACHABLE;
            }
        }
        if (endpoint->connection == NULL || endpoint->closing) {
            return endpoint->dialled != HK_OK ? endpoint->dialled : HK_UNREACHABLE;
        }
    }
    endpoint->connection->references++;
    *out = endpoint->connection;
    return HK_OK;
}

/* ---- sending ---- */

/* One message, whole; false: the connection is of no use any more. */
static bool send_message(struct connection *connection, struct iovec *parts, const struct timespec *deadline)
{
    size_t left = parts[0].iov_len + parts[1].iov_len;
    while (left > 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd wanted = {.fd = connection->fd, .events = POLLOUT};
            int ready = poll(&wanted, 1, left_ms(deadline));
            if (ready == 0 || (ready < 0 && errno != EINTR)) {
                return false;
            }
        } else if (sent < 0 && errno != EINTR) {
            return false;
        }
        for (size_t i = 0, gone = sent > 0 ? (size_t)sent : 0; i < 2; i++) {
            size_t here = gone < parts[i].iov_len ? gone : parts[i].iov_len;
            parts[i].iov_base = (uint8_t *)parts[i].iov_base + here;
            parts[i].iov_len -= here;
            gone -= here;
            left -= here;
        }
    }
    return true;
}

static bool send_request(const struct hk_socket_endpoint *endpoint, struct connection *connection,
                         const struct hk_call *call, uint32_t id, const struct timespec *deadline)
{
    uint8_t head[1 + HEAD_BYTES + ID_BYTES] = {1};
    uint64_t length = ID_BYTES + call->size;
    for (size_t i = 0; i < HEAD_BYTES; i++) {
        head[1 + i] = (uint8_t)(length >> (56 - 8 * i));
    }
    for (size_t i = 0; i < ID_BYTES; i++) {
        head[1 + HEAD_BYTES + i] = (uint8_t)(id >> (24 - 8 * i));
    }
    size_t skip = 1 - endpoint->ipc_byte;
    struct iovec parts[2] = {{head + skip, sizeof(head) - skip}, {(void *)call->request, call->size}};
    pthread_mutex_lock(&connection->sending);
    bool sent = send_message(connection, parts, deadline);
    pthread_mutex_unlock(&connection->sending);
    return sent;
}

/* ---- reading ---- */

static void deliver_locked(struct connection *connection, uint32_t id, const uint8_t *frame, size_t size)
{
    for (struct waiter *at = connection->waiters; at != NULL; at = at->next) {
        if (at->id == id && !at->done) {
            at->done = true;
            at->error = size <= at->max ? HK_OK : HK_TOO_LARGE;
            if (at->error == HK_OK && !at->sent && (at->early = malloc(size + 1)) == NULL) {
                at->error = HK_NO_MEMORY;
            }
            if (at->error == HK_OK) {
                memcpy(at->sent ? at->answer : at->early, frame, size);
                at->size = size;
            }
            return;
        }
    }
}

/* Gives out each message that is whole. False: what came is none. */
static bool deliver_all_locked(const struct hk_socket_endpoint *endpoint, struct connection *connection)
{
    size_t used = 0, head = endpoint->ipc_byte + HEAD_BYTES;
    while (connection->have - used >= head) {
        const uint8_t *at = connection->buffer + used;
        uint64_t length = 0;
        uint32_t id = 0;
        for (size_t i = 0; i < HEAD_BYTES; i++) {
            length = length << 8 | at[endpoint->ipc_byte + i];
        }
        if (length < ID_BYTES || length > LENGTH_MAX || (endpoint->ipc_byte != 0 && at[0] != 1)) {
            return false;
        }
        if (connection->have - used - head < length) {
            break;
        }
        for (size_t i = 0; i < ID_BYTES; i++) {
            id = id << 8 | at[head + i];
        }
        deliver_locked(connection, id, at + head + ID_BYTES, (size_t)length - ID_BYTES);
        used += head + (size_t)length;
    }
    connection->have -= used;
    memmove(connection->buffer, connection->buffer + used, connection->have);
    return true;
}

/* Waits for something to read and gives it out; the lock is open meanwhile. */
static void read_some_locked(struct hk_socket_endpoint *endpoint, struct connection *connection,
                             const struct timespec *deadline)
{
    connection->reading = true;
    pthread_mutex_unlock(&endpoint->lock);
    struct pollfd wanted = {.fd = connection->fd, .events = POLLIN};
    ssize_t got = -1;
    bool again = poll(&wanted, 1, left_ms(deadline)) <= 0;
    if (!again) {
        got = recv(connection->fd, connection->buffer + connection->have,
                   sizeof(connection->buffer) - connection->have, MSG_DONTWAIT);
        again = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    }
    pthread_mutex_lock(&endpoint->lock);
    connection->reading = false;
    if (got > 0) {
        connection->have += (size_t)got;
    }
    if (!again && (got <= 0 || !deliver_all_locked(endpoint, connection))) {
        lose_locked(endpoint, connection);
    }
    if (connection->waiters->next != NULL) { /* others: they look for theirs, and one reads on */
        pthread_cond_broadcast(&endpoint->changed);
    }
}

static enum hk_error wait_locked(struct hk_socket_endpoint *endpoint, struct connection *connection,
                                 struct waiter *waiter, const struct timespec *deadline)
{
    while (!waiter->done && left_ms(deadline) > 0) {
        if (!connection->reading) {
            read_some_locked(endpoint, connection, deadline);
        } else {
            (void)pthread_cond_timedwait(&endpoint->changed, &endpoint->lock, deadline);
        }
    }
    return waiter->done ? waiter->error : HK_TIMEOUT;
}

/* ---- a call ---- */

static void forget_locked(struct connection *connection, const struct waiter *waiter)
{
    struct waiter **at = &connection->waiters;
    while (*at != NULL && *at != waiter) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = waiter->next;
    }
}

/* The call waits from before it is sent on: another thread may read its answer at once. */
static enum hk_error exchange_locked(struct hk_socket_endpoint *endpoint, struct connection *connection,
                                     const struct hk_call *call, const struct timespec *deadline)
{
    struct waiter waiter = {.next = connection->waiters,
                            .id = 0x80000000U | atomic_fetch_add(&endpoint->last_id, 1),
                            .answer = call->answer,
                            .max = call->max};
    connection->waiters = &waiter;
    pthread_mutex_unlock(&endpoint->lock);
    enum hk_error error = HK_CUT_REQUEST();
    bool lost = error == HK_OK && !send_request(endpoint, connection, call, waiter.id, deadline);
    pthread_mutex_lock(&endpoint->lock);
    waiter.sent = true;
    pthread_mutex_unlock(&endpoint->lock);
    if (error == HK_OK) {
        error = lost ? HK_UNREACHABLE : HK_CUT_SENT();
    }
    if (error == HK_OK && call->meanwhile != NULL && call->meanwhile->run != NULL) {
        call->meanwhile->run(call->meanwhile->argument);
    }
    pthread_mutex_lock(&endpoint->lock);
    if (lost) {
        lose_locked(endpoint, connection);
    }
    if (error == HK_OK) {
        error = wait_locked(endpoint, connection, &waiter, deadline);
    }
    if (error == HK_OK) {
        error = HK_CUT_ANSWER();
    }
    forget_locked(connection, &waiter);
    if (error == HK_OK) {
        *call->answer_size = waiter.size;
        if (waiter.early != NULL) {
            memcpy(call->answer, waiter.early, waiter.size);
        }
    }
    free(waiter.early);
    return error;
}

enum hk_error hk_socket_endpoint_call(struct hk_socket_endpoint *endpoint, const struct hk_call *call)
{
    struct timespec deadline = after_ms((uint64_t)call->timeout_ms);
    struct connection *connection;
    pthread_mutex_lock(&endpoint->lock);
    endpoint->calls++;
    enum hk_error error =
        endpoint->closing ? HK_UNREACHABLE : connect_locked(endpoint, &deadline, &connection);
    if (error == HK_OK) {
        error = exchange_locked(endpoint, connection, call, &deadline);
        release_locked(connection);
    }
    endpoint->calls--;
    if (endpoint->closing) {
        pthread_cond_broadcast(&endpoint->changed);
    }
    pthread_mutex_unlock(&endpoint->lock);
    return error;
}

/* ---- start and end ---- */

enum hk_error hk_socket_endpoint_new(struct hk_socket_endpoint **out, const char *url)
{
    struct hk_socket_endpoint *endpoint = calloc(1, sizeof(*endpoint));
    char *copy = strdup(url);
    if (endpoint == NULL || copy == NULL) {
        free(endpoint);
        free(copy);
        return HK_NO_MEMORY;
    }
    endpoint->url = copy;
    endpoint->ipc_byte = strncmp(url, "ipc://", 6) == 0;
    endpoint->references = 1;
    hk_random(&endpoint->last_id, sizeof(endpoint->last_id));
    pthread_mutex_init(&endpoint->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&endpoint->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = endpoint;
    return HK_OK;
}

void hk_socket_endpoint_free(struct hk_socket_endpoint *endpoint)
{
    if (endpoint == NULL) {
        return;
    }
    pthread_mutex_lock(&endpoint->lock);
    endpoint->closing = true;
    if (endpoint->connection != NULL) {
        lose_locked(endpoint, endpoint->connection);
    }
    pthread_cond_broadcast(&endpoint->changed);
    while (endpoint->calls != 0) {
        pthread_cond_wait(&endpoint->changed, &endpoint->lock);
    }
    pthread_mutex_unlock(&endpoint->lock);
    release_endpoint(endpoint);
}

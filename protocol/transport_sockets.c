#include "protocol/transport_sockets.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "crypto/random.h"

#define THREADS_MIN 4
#define ACCEPT_AT_ONCE 32
#define MESSAGE_MAX (HK_FRAME_MAX + HK_REQUEST_ID_BYTES)

/* ---- replies ---- */

/* `open` is counted first and then `stopping` looked at: who stops does it the other way round. */
static struct hk_socket_reply *take_reply_locked(struct hk_sockets *sockets)
{
    struct hk_socket_reply *reply = sockets->free_replies;
    if (reply != NULL) {
        sockets->free_replies = reply->next;
        (void)atomic_fetch_add(&sockets->open, 1);
    }
    return reply;
}

static void give_reply(struct hk_socket_reply *reply)
{
    struct hk_sockets *sockets = reply->connection->sockets;
    hk_connection_release(reply->connection);
    free(reply->body);
    pthread_mutex_lock(&sockets->lock);
    reply->next = sockets->free_replies;
    sockets->free_replies = reply;
    bool wake = sockets->first_waiting != NULL;
    pthread_mutex_unlock(&sockets->lock);
    if (wake) {
        (void)!write(sockets->waiting_event, &(uint64_t){1}, sizeof(uint64_t));
    }
    (void)atomic_fetch_sub(&sockets->open, 1);
}

static void drop(struct hk_reply *base)
{
    give_reply((struct hk_socket_reply *)base);
}

static void send_frame(struct hk_reply *base, const void *frame, size_t size)
{
    struct hk_socket_reply *reply = (struct hk_socket_reply *)base;
    uint8_t head[1 + 8 + HK_REQUEST_IDS_MAX * HK_REQUEST_ID_BYTES];
    size_t used = 0;
    if (reply->connection->is_ipc) {
        head[used++] = 1;
    }
    uint64_t length = reply->ids_size + size;
    for (int shift = 56; shift >= 0; shift -= 8) {
        head[used++] = (uint8_t)(length >> shift);
    }
    memcpy(head + used, reply->body, reply->ids_size);
    hk_connection_send(reply->connection, head, used + reply->ids_size, frame, size);
    give_reply(reply);
}

static const struct hk_reply_way way = {send_frame, drop};

/* ---- reading ---- */

enum progress { MORE, MESSAGE, LOST };

/* Reads until `out` has `wanted` bytes. MESSAGE: it has. */
static enum progress fill(struct hk_connection *connection, uint8_t *out, size_t wanted)
{
    while (connection->have < wanted) {
        ssize_t got = recv(connection->fd, out + connection->have, wanted - connection->have, MSG_DONTWAIT);
        if (got > 0) {
            connection->have += (size_t)got;
        } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
            return LOST;
        } else if (errno != EINTR) {
            return MORE;
        }
    }
    connection->have = 0;
    return MESSAGE;
}

static bool is_greeting(const uint8_t head[HK_GREETING_BYTES])
{
    static const uint8_t request[HK_GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    return memcmp(head, request, sizeof(request)) == 0;
}

/* From the head of a message to its body. */
static bool begin_body(struct hk_connection *connection)
{
    const uint8_t *length = connection->head + connection->is_ipc;
    uint64_t size = 0;
    for (size_t i = 0; i < 8; i++) {
        size = size << 8 | length[i];
    }
    if ((connection->is_ipc && connection->head[0] != 1) || size < HK_REQUEST_ID_BYTES ||
        size > MESSAGE_MAX) {
        return false;
    }
    connection->body_size = (size_t)size;
    connection->body = malloc(connection->body_size);
    connection->stage = HK_STAGE_BODY;
    return connection->body != NULL;
}

/* Up to the end of one message, as far as the kernel has it. */
static enum progress read_message(struct hk_connection *connection)
{
    for (;;) {
        bool body = connection->stage == HK_STAGE_BODY;
        size_t ipc_byte = connection->is_ipc && connection->stage == HK_STAGE_HEAD;
        enum progress progress = fill(connection, body ? connection->body : connection->head,
                                      body ? connection->body_size : HK_GREETING_BYTES + ipc_byte);
        if (progress != MESSAGE) {
            return progress;
        }
        if (body) {
            connection->stage = HK_STAGE_HEAD;
            return MESSAGE;
        }
        if (connection->stage == HK_STAGE_GREETING) {
            if (!is_greeting(connection->head)) {
                return LOST;
            }
            connection->stage = HK_STAGE_HEAD;
        } else if (!begin_body(connection)) {
            return LOST;
        }
    }
}

/* The length of the request ids; 0: the message is none. */
static size_t ids_size(const uint8_t *body, size_t size)
{
    for (size_t i = 0; i < HK_REQUEST_IDS_MAX && (i + 1) * HK_REQUEST_ID_BYTES <= size; i++) {
        if ((body[i * HK_REQUEST_ID_BYTES] & 0x80) != 0) {
            return (i + 1) * HK_REQUEST_ID_BYTES;
        }
    }
    return 0;
}

/* ---- work ---- */

/* A message is whole and a reply taken for it. */
static void serve_with(struct hk_connection *connection, struct hk_socket_reply *reply)
{
    struct hk_listener *listener = connection->sockets->listener;
    size_t size = connection->body_size;
    reply->connection = connection;
    reply->base.pipe = connection->id;
    reply->base.peer = connection->peer;
    reply->body = connection->body;
    reply->ids_size = ids_size(reply->body, size);
    connection->body = NULL;
    hk_connection_borrow(connection);
    bool stopping = listener->stopping; /* then it stays as if it had not been read */
    if (reply->ids_size == 0 || stopping) {
        give_reply(reply);
        if (!stopping) {
            hk_connection_end(connection);
        }
        return;
    }
    hk_connection_arm(connection);
    listener->setup.request(listener->setup.argument, &reply->base, reply->body + reply->ids_size,
                            size - reply->ids_size);
}

/* Serves it, or lets it wait for a reply; its body waits with it. */
static void serve(struct hk_connection *connection)
{
    struct hk_sockets *sockets = connection->sockets;
    pthread_mutex_lock(&sockets->lock);
    struct hk_socket_reply *reply = take_reply_locked(sockets);
    if (reply == NULL) {
        connection->next_waiting = NULL;
        *(sockets->first_waiting == NULL ? &sockets->first_waiting : &sockets->last_waiting->next_waiting) =
            connection;
        sockets->last_waiting = connection;
    }
    pthread_mutex_unlock(&sockets->lock);
    if (reply != NULL) {
        serve_with(connection, reply);
    }
}

/* One of those that wait; who ends a reply wakes a thread for the next. */
static void serve_waiting(struct hk_sockets *sockets)
{
    uint64_t ignored;
    (void)!read(sockets->waiting_event, &ignored, sizeof(ignored));
    for (;;) {
        pthread_mutex_lock(&sockets->lock);
        struct hk_connection *connection = sockets->first_waiting;
        struct hk_socket_reply *reply = connection != NULL ? take_reply_locked(sockets) : NULL;
        if (reply != NULL) {
            sockets->first_waiting = connection->next_waiting;
        }
        pthread_mutex_unlock(&sockets->lock);
        if (reply == NULL) {
            return;
        }
        serve_with(connection, reply);
    }
}

/* Who armed it held the lock: what that thread wrote is seen here. */
static void on_readable(struct hk_connection *connection)
{
    pthread_mutex_lock(&connection->lock);
    pthread_mutex_unlock(&connection->lock);
    enum progress progress = read_message(connection);
    if (progress == MESSAGE) {
        serve(connection);
    } else if (progress == MORE) {
        hk_connection_arm(connection);
    } else {
        hk_connection_end(connection);
    }
}

static void accept_some(struct hk_sockets *sockets, struct hk_listening *listening)
{
    struct hk_peer peer;
    int fd = 0;
    for (int i = 0; i < ACCEPT_AT_ONCE && (fd = hk_listen_accept(listening, &peer)) >= 0; i++) {
        struct hk_connection *connection = hk_connection_new(sockets, fd, &peer);
        if (connection != NULL) {
            hk_connection_arm(connection);
        }
    }
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); /* until a connection has ended */
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = listening};
    (void)epoll_ctl(sockets->poll, EPOLL_CTL_MOD, listening->fd, &event);
}

static void *work(void *argument)
{
    struct hk_sockets *sockets = argument;
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(sockets->poll, &event, 1, -1) != 1) {
            continue;
        }
        enum hk_source *source = event.data.ptr;
        switch (*source) {
        case HK_SOURCE_CONNECTION:
            on_readable((struct hk_connection *)source);
            break;
        case HK_SOURCE_LISTENING:
            accept_some(sockets, (struct hk_listening *)source);
            break;
        case HK_SOURCE_WAITING:
            serve_waiting(sockets);
            break;
        case HK_SOURCE_END:
            return NULL;
        }
    }
}

/* ---- start and end ---- */

static bool watch(int poll, int fd, uint32_t events, void *source)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_events(struct hk_sockets *sockets)
{
    sockets->poll = epoll_create1(EPOLL_CLOEXEC);
    sockets->slow_poll = epoll_create1(EPOLL_CLOEXEC);
    sockets->waiting_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    sockets->end_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    sockets->slow_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    sockets->waiting_source = HK_SOURCE_WAITING;
    sockets->end_source = HK_SOURCE_END;
    return watch(sockets->poll, sockets->waiting_event, EPOLLIN | EPOLLET, &sockets->waiting_source) &&
           watch(sockets->poll, sockets->end_event, EPOLLIN, &sockets->end_source) &&
           watch(sockets->slow_poll, sockets->slow_event, EPOLLIN, NULL);
}

const char *hk_sockets_new(struct hk_listener *listener)
{
    struct hk_sockets *sockets = calloc(1, sizeof(*sockets));
    size_t count = listener->setup.contexts != 0 ? listener->setup.contexts : HK_CONTEXTS;
    if (sockets == NULL) {
        return hk_strerror(HK_NO_MEMORY);
    }
    listener->sockets = sockets;
    sockets->listener = listener;
    hk_random(&sockets->last_id, sizeof(sockets->last_id));
    pthread_mutex_init(&sockets->lock, NULL);
    bool fine = open_events(sockets);
    sockets->replies = calloc(count, sizeof(*sockets->replies));
    for (size_t i = 0; sockets->replies != NULL && i < count; i++) {
        struct hk_socket_reply *reply = &sockets->replies[i];
        reply->base.listener = listener;
        reply->base.way = &way;
        reply->next = sockets->free_replies;
        sockets->free_replies = reply;
    }
    return !fine ? "no descriptors are left" : sockets->replies == NULL ? hk_strerror(HK_NO_MEMORY) : NULL;
}

const char *hk_sockets_listen(struct hk_listener *listener, const char *url, char out[HK_LISTEN_URL_MAX])
{
    struct hk_sockets *sockets = listener->sockets;
    struct hk_listening *listening = &sockets->listening[sockets->listening_count];
    const char *reason = hk_listen_open(listening, url, out);
    if (reason == NULL) {
        sockets->listening_count++;
        reason = watch(sockets->poll, listening->fd, EPOLLIN | EPOLLONESHOT, listening)
                     ? NULL
                     : "no descriptors are left";
    }
    return reason;
}

/* As many as can compute at once, and some that wait for the store. Signals are the main thread's. */
const char *hk_sockets_start(struct hk_sockets *sockets)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = processors < THREADS_MIN / 2 ? THREADS_MIN : 2 * (size_t)processors;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    sockets->has_slow_thread =
        pthread_create(&sockets->slow_thread, NULL, hk_connection_slow_thread, sockets) == 0;
    for (size_t i = 0; i < count && i < HK_SOCKET_THREADS_MAX; i++) {
        if (pthread_create(&sockets->threads[sockets->thread_count], NULL, work, sockets) == 0) {
            sockets->thread_count++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return sockets->has_slow_thread && sockets->thread_count != 0 ? NULL : "no thread can be started";
}

/* Who comes now is turned away by hk_listener_admit. */
void hk_sockets_stop(struct hk_sockets *sockets)
{
    for (size_t i = 0; i < sockets->listening_count; i++) {
        if (sockets->listening[i].path[0] != '\0') { /* the next service finds the place free */
            (void)unlink(sockets->listening[i].path);
            sockets->listening[i].path[0] = '\0';
        }
    }
}

bool hk_sockets_are_idle(struct hk_sockets *sockets)
{
    pthread_mutex_lock(&sockets->lock);
    bool idle = atomic_load(&sockets->open) == 0 && sockets->slow == NULL;
    pthread_mutex_unlock(&sockets->lock);
    return idle;
}

static void end_threads(struct hk_sockets *sockets)
{
    sockets->ending = true;
    (void)!write(sockets->end_event, &(uint64_t){1}, sizeof(uint64_t));
    (void)!write(sockets->slow_event, &(uint64_t){1}, sizeof(uint64_t));
    for (size_t i = 0; i < sockets->thread_count; i++) {
        pthread_join(sockets->threads[i], NULL);
    }
    if (sockets->has_slow_thread) {
        pthread_join(sockets->slow_thread, NULL);
    }
    while (sockets->slow != NULL) {
        struct hk_connection *connection = sockets->slow;
        sockets->slow = connection->next_slow;
        hk_connection_release(connection);
    }
}

void hk_sockets_free(struct hk_sockets *sockets)
{
    end_threads(sockets);
    for (size_t i = 0; i < HK_SOCKET_BUCKETS; i++) {
        while (sockets->buckets[i] != NULL) {
            hk_connection_end(sockets->buckets[i]);
        }
    }
    for (size_t i = 0; i < sockets->listening_count; i++) {
        hk_listen_close(&sockets->listening[i]);
    }
    int descriptors[] = {sockets->poll, sockets->slow_poll, sockets->waiting_event, sockets->end_event,
                         sockets->slow_event};
    for (size_t i = 0; i < sizeof(descriptors) / sizeof(*descriptors); i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    pthread_mutex_destroy(&sockets->lock);
    free(sockets->replies);
    free(sockets);
}

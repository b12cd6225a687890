#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "protocol/transport_sockets.h"

#define SLOW_TICK_MS 500
#define SLOW_AT_ONCE 64

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- who refers to it ---- */

void hk_connection_borrow(struct hk_connection *connection)
{
    (void)atomic_fetch_add(&connection->references, 1);
}

static void drop_queue(struct hk_connection *connection)
{
    while (connection->first != NULL) {
        struct hk_out *out = connection->first;
        connection->first = out->next;
        free(out);
    }
    connection->last = NULL;
    connection->queued = 0;
}

void hk_connection_release(struct hk_connection *connection)
{
    if (atomic_fetch_sub(&connection->references, 1) == 1) {
        drop_queue(connection);
        pthread_mutex_destroy(&connection->lock);
        close(connection->fd);
        free(connection->body);
        free(connection);
    }
}

static void kill_locked(struct hk_connection *connection)
{
    if (!connection->dead) {
        connection->dead = true;
        (void)shutdown(connection->fd, SHUT_RDWR); /* an event for who waits: the epoll, or the slow thread */
    }
}

void hk_connection_kill(struct hk_connection *connection)
{
    pthread_mutex_lock(&connection->lock);
    kill_locked(connection);
    pthread_mutex_unlock(&connection->lock);
}

/* ---- the table ---- */

static struct hk_connection **find_locked(struct hk_sockets *sockets, uint32_t id)
{
    struct hk_connection **at = &sockets->buckets[id % HK_SOCKET_BUCKETS];
    while (*at != NULL && (*at)->id != id) {
        at = &(*at)->next;
    }
    return at;
}

static void enter_table(struct hk_connection *connection)
{
    struct hk_sockets *sockets = connection->sockets;
    pthread_mutex_lock(&sockets->lock);
    struct hk_connection **bucket = &sockets->buckets[connection->id % HK_SOCKET_BUCKETS];
    connection->next = *bucket;
    *bucket = connection;
    pthread_mutex_unlock(&sockets->lock);
}

static void leave_table(struct hk_connection *connection)
{
    struct hk_sockets *sockets = connection->sockets;
    pthread_mutex_lock(&sockets->lock);
    struct hk_connection **at = find_locked(sockets, connection->id);
    if (*at != NULL) {
        *at = connection->next;
    }
    pthread_mutex_unlock(&sockets->lock);
}

void hk_sockets_close(struct hk_sockets *sockets, uint32_t pipe)
{
    pthread_mutex_lock(&sockets->lock);
    struct hk_connection *connection = *find_locked(sockets, pipe);
    if (connection != NULL) {
        hk_connection_borrow(connection);
    }
    pthread_mutex_unlock(&sockets->lock);
    if (connection != NULL) {
        hk_connection_kill(connection);
        hk_connection_release(connection);
    }
}

/* ---- its life ---- */

struct hk_connection *hk_connection_new(struct hk_sockets *sockets, int fd, const struct hk_peer *peer)
{
    static const uint8_t greeting[HK_GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    struct hk_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        close(fd);
        return NULL;
    }
    connection->source = HK_SOURCE_CONNECTION;
    connection->is_ipc = peer->is_local;
    connection->peer = *peer;
    connection->fd = fd;
    connection->sockets = sockets;
    connection->id = HK_SOCKET_PIPE | atomic_fetch_add(&sockets->last_id, 1);
    connection->references = 1;
    pthread_mutex_init(&connection->lock, NULL);
    bool greeted = send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL) == sizeof(greeting);
    enter_table(connection); /* first: it may be closed in another's favour as soon as it is counted */
    if (!hk_listener_admit(sockets->listener, connection->id, peer)) {
        leave_table(connection);
        hk_connection_release(connection);
        return NULL;
    }
    if (!greeted) {
        hk_connection_end(connection);
        return NULL;
    }
    return connection;
}

/* The first time enters the epoll, and not before: an end of the connection is an event also of what has
 * asked for none, so another thread would have it too. */
void hk_connection_arm(struct hk_connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = connection};
    pthread_mutex_lock(&connection->lock);
    bool dead = connection->dead;
    int how = connection->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    connection->is_watched = true;
    int result = dead ? 0 : epoll_ctl(connection->sockets->poll, how, connection->fd, &event);
    pthread_mutex_unlock(&connection->lock);
    if (dead || result != 0) {
        hk_connection_end(connection);
    }
}

void hk_connection_end(struct hk_connection *connection)
{
    hk_connection_kill(connection);
    (void)epoll_ctl(connection->sockets->poll, EPOLL_CTL_DEL, connection->fd, NULL);
    leave_table(connection);
    hk_pipes_remove(connection->sockets->listener->pipes, connection->id);
    hk_connection_release(connection);
}

/* ---- sending ---- */

/* How much of it went; -1: the connection is lost. */
static ssize_t try_send(int fd, struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : sent;
}

/* From now on the slow thread sends. */
static void become_slow_locked(struct hk_connection *connection)
{
    struct hk_sockets *sockets = connection->sockets;
    struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT, .data.ptr = connection};
    connection->since = now_ms();
    hk_connection_borrow(connection);
    pthread_mutex_lock(&sockets->lock);
    connection->next_slow = sockets->slow;
    sockets->slow = connection;
    pthread_mutex_unlock(&sockets->lock);
    if (epoll_ctl(sockets->slow_poll, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        connection->since = 0; /* found at the next tick */
    }
    (void)!write(sockets->slow_event, &(uint64_t){1}, sizeof(uint64_t));
}

static void queue_locked(struct hk_connection *connection, const struct iovec parts[2], size_t done)
{
    size_t size = parts[0].iov_len + parts[1].iov_len;
    struct hk_out *out = connection->queued < HK_PIPE_SENDING_MAX ? malloc(sizeof(*out) + size) : NULL;
    if (out == NULL) { /* a peer that asks and never reads */
        kill_locked(connection);
        return;
    }
    *out = (struct hk_out){.size = size, .done = done};
    memcpy(out->bytes, parts[0].iov_base, parts[0].iov_len);
    memcpy(out->bytes + parts[0].iov_len, parts[1].iov_base, parts[1].iov_len);
    bool first = connection->first == NULL;
    *(first ? &connection->first : &connection->last->next) = out;
    connection->last = out;
    connection->queued++;
    if (first) {
        become_slow_locked(connection);
    }
}

void hk_connection_send(struct hk_connection *connection, const uint8_t *head, size_t head_size,
                        const void *frame, size_t size)
{
    struct iovec parts[2] = {{(void *)head, head_size}, {(void *)frame, size}};
    pthread_mutex_lock(&connection->lock);
    if (!connection->dead) {
        ssize_t sent = connection->first == NULL ? try_send(connection->fd, parts, 2) : 0;
        if (sent < 0) {
            kill_locked(connection);
        } else if ((size_t)sent < head_size + size) {
            queue_locked(connection, parts, (size_t)sent);
        }
    }
    pthread_mutex_unlock(&connection->lock);
}

/* ---- slow peers ---- */

static void leave_slow_locked(struct hk_connection *connection)
{
    struct hk_sockets *sockets = connection->sockets;
    (void)epoll_ctl(sockets->slow_poll, EPOLL_CTL_DEL, connection->fd, NULL);
    pthread_mutex_lock(&sockets->lock);
    struct hk_connection **at = &sockets->slow;
    while (*at != NULL && *at != connection) {
        at = &(*at)->next_slow;
    }
    if (*at != NULL) {
        *at = connection->next_slow;
    }
    pthread_mutex_unlock(&sockets->lock);
}

static void send_queue_locked(struct hk_connection *connection)
{
    while (connection->first != NULL && !connection->dead) {
        struct hk_out *out = connection->first;
        struct iovec rest = {out->bytes + out->done, out->size - out->done};
        ssize_t sent = try_send(connection->fd, &rest, 1);
        if (sent < 0) {
            kill_locked(connection);
            return;
        }
        out->done += (size_t)sent;
        if (out->done < out->size) {
            return;
        }
        connection->first = out->next;
        connection->last = out->next == NULL ? NULL : connection->last;
        connection->queued--;
        connection->since = now_ms();
        free(out);
    }
}

/* The slow thread alone calls this, so that it alone ends its interest. */
static void go_on_sending(struct hk_connection *connection)
{
    struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT, .data.ptr = connection};
    pthread_mutex_lock(&connection->lock);
    send_queue_locked(connection);
    bool over = connection->dead || connection->first == NULL;
    if (over) {
        drop_queue(connection);
        leave_slow_locked(connection);
    } else {
        (void)epoll_ctl(connection->sockets->slow_poll, EPOLL_CTL_MOD, connection->fd, &event);
    }
    pthread_mutex_unlock(&connection->lock);
    if (over) {
        hk_connection_release(connection);
    }
}

/* Those whose peer has read nothing for too long. False: there are none at all. */
static bool end_late_ones(struct hk_sockets *sockets)
{
    struct hk_connection *late[SLOW_AT_ONCE];
    size_t count = 0;
    uint64_t now = now_ms();
    pthread_mutex_lock(&sockets->lock);
    bool any = sockets->slow != NULL;
    for (struct hk_connection *at = sockets->slow; at != NULL && count < SLOW_AT_ONCE; at = at->next_slow) {
        if (now - at->since > HK_SEND_TIMEOUT_MS) {
            late[count++] = at;
        }
    }
    pthread_mutex_unlock(&sockets->lock);
    for (size_t i = 0; i < count; i++) { /* this thread's reference is the one that the list has */
        hk_connection_kill(late[i]);
        go_on_sending(late[i]);
    }
    return any;
}

void *hk_connection_slow_thread(void *argument)
{
    struct hk_sockets *sockets = argument;
    while (!sockets->ending) {
        struct epoll_event events[SLOW_AT_ONCE];
        int timeout = end_late_ones(sockets) ? SLOW_TICK_MS : -1;
        int count = epoll_wait(sockets->slow_poll, events, SLOW_AT_ONCE, timeout);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                uint64_t ignored;
                (void)!read(sockets->slow_event, &ignored, sizeof(ignored));
            } else {
                go_on_sending(events[i].data.ptr);
            }
        }
    }
    return NULL;
}

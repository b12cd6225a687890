#include "tests/support/raw_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint16_t raw_port(const char *url)
{
    return (uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10);
}

int raw_connect(uint32_t source, uint16_t port)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000U | source)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static long milliseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* `size` bytes; RAW_CLOSED, or RAW_NOTHING if not all came in time. */
static long read_all(int fd, void *out, size_t size, int timeout_ms)
{
    long until = milliseconds() + timeout_ms;
    for (size_t done = 0; done < size;) {
        long left = until - milliseconds();
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (left < 0 || poll(&wait, 1, (int)left) <= 0) {
            return RAW_NOTHING;
        }
        ssize_t got = recv(fd, (uint8_t *)out + done, size - done, 0);
        if (got <= 0) {
            return RAW_CLOSED;
        }
        done += (size_t)got;
    }
    return (long)size;
}

bool raw_greet(int fd)
{
    static const uint8_t ours[RAW_GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    static const uint8_t wanted[RAW_GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t theirs[RAW_GREETING_BYTES];
    return send(fd, ours, sizeof(ours), MSG_NOSIGNAL) == (ssize_t)sizeof(ours) &&
           read_all(fd, theirs, sizeof(theirs), 10000) > 0 && memcmp(theirs, wanted, sizeof(wanted)) == 0;
}

void raw_head(uint8_t head[RAW_HEAD_BYTES], uint64_t frame_size)
{
    static _Atomic uint32_t next = 1;
    uint64_t size = frame_size + 4;
    uint32_t id = 0x80000000U | (next++ & 0x7fffffffU);
    for (int i = 0; i < 8; i++) {
        head[i] = (uint8_t)(size >> (56 - 8 * i));
    }
    for (int i = 0; i < 4; i++) {
        head[8 + i] = (uint8_t)(id >> (24 - 8 * i));
    }
}

bool raw_send(int fd, const void *frame, size_t size)
{
    uint8_t message[RAW_HEAD_BYTES + 1024], *all = message;
    if (size > 1024 && (all = malloc(RAW_HEAD_BYTES + size)) == NULL) {
        return false;
    }
    raw_head(all, size);
    memcpy(all + RAW_HEAD_BYTES, frame, size);
    size += RAW_HEAD_BYTES;
    bool sent = send(fd, all, size, MSG_NOSIGNAL) == (ssize_t)size;
    if (all != message) {
        free(all);
    }
    return sent;
}

long raw_receive(int fd, uint8_t *out, size_t max, int timeout_ms)
{
    uint8_t head[RAW_HEAD_BYTES];
    long got = read_all(fd, head, sizeof(head), timeout_ms);
    if (got <= 0) {
        return got;
    }
    uint64_t size = 0;
    for (int i = 0; i < 8; i++) {
        size = size << 8 | head[i];
    }
    return size < 4 || size - 4 > max ? RAW_CLOSED : read_all(fd, out, (size_t)size - 4, 10000);
}

bool raw_is_closed(int fd, int timeout_ms)
{
    uint8_t byte;
    long until = milliseconds() + timeout_ms, got;
    do {
        long left = until - milliseconds();
        got = read_all(fd, &byte, 1, left > 0 ? (int)left : 0);
    } while (got > 0);
    return got == RAW_CLOSED;
}

void raw_nap(long ms)
{
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Connections of the load generator: sockets, the transport's handshake, the session's. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "bench/load_parts.h"

#define PER_SOURCE 200
#define SECONDS 10

static bool fail(const char *what)
{
    fprintf(stderr, "halfkey-bench: %s: %s\n", what,
            errno != 0 ? strerror(errno) : "the service closed the connection");
    return false;
}

static bool send_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool receive_all(int fd, uint8_t *out, size_t size)
{
    errno = 0;
    return recv(fd, out, size, MSG_WAITALL) == (ssize_t)size;
}

bool bench_wire_send(int fd, uint32_t request, const uint8_t *body, size_t size)
{
    uint8_t frame[WIRE_HEADER + HK_FRAME_MAX];
    hk_put_u64(frame, size + 4);
    for (int i = 0; i < 4; i++) {
        frame[8 + i] = (uint8_t)(request >> (24 - 8 * i));
    }
    memcpy(frame + WIRE_HEADER, body, size);
    return send_all(fd, frame, WIRE_HEADER + size);
}

/* SP over TCP: each side says its protocol (req 0x30, rep 0x31) before anything else. */
static bool sp_handshake(int fd)
{
    static const uint8_t ours[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0},
                         theirs[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t got[8];
    return send_all(fd, ours, sizeof(ours)) && receive_all(fd, got, sizeof(got)) &&
           memcmp(got, theirs, sizeof(got)) == 0;
}

static bool split(const char *url, char host[256], char port[16])
{
    const char *start = strncmp(url, "tcp://", 6) == 0 ? url + 6 : NULL;
    const char *colon = start != NULL ? strrchr(start, ':') : NULL;
    if (colon == NULL || (size_t)(colon - start) >= 256 || strlen(colon + 1) >= 16) {
        return false;
    }
    snprintf(host, 256, "%.*s", (int)(colon - start), start);
    snprintf(port, 16, "%s", colon + 1);
    if (host[0] == '[') {
        memmove(host, host + 1, strlen(host));
        host[strcspn(host, "]")] = '\0';
    }
    return true;
}

/* From 127.0.0.1 on, one source for so many connections. */
static void choose_source(int fd, const struct sockaddr *to, size_t number)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)to;
    if (to->sa_family == AF_INET && (ntohl(v4->sin_addr.s_addr) >> 24) == 127) {
        struct sockaddr_in from = {.sin_family = AF_INET};
        from.sin_addr.s_addr = htonl(0x7f000001 + (uint32_t)(number / PER_SOURCE));
        const int late = 1; /* the port is chosen at connect */
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof(late));
        (void)bind(fd, (const struct sockaddr *)&from, sizeof(from));
    }
}

int bench_connect(const struct hk_address *address, size_t number)
{
    char host[256], port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (!split(address->url, host, port) || getaddrinfo(host, port, &hints, &found) != 0) {
        fprintf(stderr, "halfkey-bench: load needs a tcp address, not %s\n", address->url);
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    const struct timeval limit = {.tv_sec = SECONDS};
    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        choose_source(fd, found->ai_addr, number);
    }
    bool fine = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 && sp_handshake(fd);
    if (!fine) {
        (void)fail("cannot connect");
        if (fd >= 0) {
            close(fd);
        }
    }
    freeaddrinfo(found);
    return fine ? fd : -1;
}

static enum hk_error open_once(struct bench_session *session, int fd, const struct hk_address *address,
                               const struct bench_member *member)
{
    struct hk_noise noise;
    uint8_t frame[HK_HANDSHAKE_BYTES_MAX], header[WIRE_HEADER];
    size_t size;
    enum hk_error error = hk_session_begin(&noise, &member->static_key, member->static_public,
                                           address->service_key, frame, &size);
    if (error != HK_OK) {
        return error;
    }
    if (!bench_wire_send(fd, 0x80000001, frame, size) || !receive_all(fd, header, sizeof(header))) {
        return HK_UNREACHABLE;
    }
    size = hk_get_u64(header) - 4;
    if (size > sizeof(frame) || !receive_all(fd, frame, size)) {
        return HK_UNREACHABLE;
    }
    return hk_session_finish(&session->session, &session->keys, &noise, frame, size);
}

/* A service bounds the handshakes of all strangers together, and a device is one until its handshake is done:
 * who comes with thousands waits. */
bool bench_session_open(struct bench_session *session, int fd, const struct hk_address *address,
                        const struct bench_member *member)
{
    enum hk_error error = HK_OVER_QUOTA;
    for (int tries = 0; tries < 300 && (error == HK_OVER_QUOTA || error == HK_BUSY); tries++) {
        if (tries > 0) {
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        }
        error = open_once(session, fd, address, member);
    }
    if (error != HK_OK) {
        fprintf(stderr, "halfkey-bench: cannot open a session: %s\n", hk_strerror(error));
    }
    return error == HK_OK;
}

/* Connecting to a service over tcp or ipc, up to nng's greetings. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "protocol/transport_client.h"

#define STEP_MS 100 /* so often it is looked whether it is still wanted */
#define GREETING_BYTES 8
#define KIND (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

#define TCP_SCHEME "tcp://"
#define IPC_SCHEME "ipc://"

static bool wait_for(int fd, short events, int *left_ms, const atomic_bool *ending)
{
    while (*left_ms > 0 && !*ending) {
        struct pollfd wanted = {.fd = fd, .events = events};
        if (poll(&wanted, 1, STEP_MS) > 0) {
            return true;
        }
        *left_ms -= STEP_MS;
    }
    return false;
}

static bool greet(int fd, int *left_ms, const atomic_bool *ending)
{
    static const uint8_t ours[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x30, 0, 0},
                         theirs[GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t got[GREETING_BYTES];
    if (send(fd, ours, sizeof(ours), MSG_NOSIGNAL) != sizeof(ours)) {
        return false;
    }
    for (size_t have = 0; have < sizeof(got);) {
        if (!wait_for(fd, POLLIN, left_ms, ending)) {
            return false;
        }
        ssize_t size = recv(fd, got + have, sizeof(got) - have, 0);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
            return false;
        }
        have += size > 0 ? (size_t)size : 0;
    }
    return memcmp(got, theirs, sizeof(got)) == 0;
}

static bool is_connected(int fd)
{
    int error = 0;
    socklen_t size = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

static int connect_to(int family, const struct sockaddr *address, socklen_t size, const atomic_bool *ending)
{
    int left_ms = HK_TIMEOUT_MS, fd = socket(family, KIND, 0);
    if (fd < 0) {
        return -1;
    }
    int result = connect(fd, address, size);
    while (result != 0 && errno == EAGAIN && left_ms > 0 && !*ending) { /* ipc: its queue is full */
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
        left_ms -= STEP_MS;
        result = connect(fd, address, size);
    }
    bool up =
        result == 0 || (errno == EINPROGRESS && wait_for(fd, POLLOUT, &left_ms, ending) && is_connected(fd));
    if (!up || !greet(fd, &left_ms, ending)) {
        close(fd);
        return -1;
    }
    return fd;
}

static int dial_tcp(const char *url, const atomic_bool *ending)
{
    const int yes = 1;
    const char *at = url + sizeof(TCP_SCHEME) - 1, *colon = strrchr(at, ':');
    char host[256];
    struct addrinfo wanted = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
    if (colon == NULL || (size_t)(colon - at) >= sizeof(host)) {
        return -1;
    }
    bool brackets = *at == '[' && colon[-1] == ']';
    snprintf(host, sizeof(host), "%.*s", (int)(colon - at) - 2 * brackets, at + brackets);
    if (getaddrinfo(host, colon + 1, &wanted, &found) != 0) {
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *one = found; one != NULL && fd < 0 && !*ending; one = one->ai_next) {
        fd = connect_to(one->ai_family, one->ai_addr, one->ai_addrlen, ending);
    }
    freeaddrinfo(found);
    if (fd >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    }
    return fd;
}

static int dial_ipc(const char *url, const atomic_bool *ending)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = url + sizeof(IPC_SCHEME) - 1;
    if (strlen(path) >= sizeof(address.sun_path)) {
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    return connect_to(AF_UNIX, (const struct sockaddr *)&address, sizeof(address), ending);
}

int hk_dial(const char *url, const atomic_bool *ending)
{
    return strncmp(url, IPC_SCHEME, sizeof(IPC_SCHEME) - 1) == 0 ? dial_ipc(url, ending)
                                                                 : dial_tcp(url, ending);
}

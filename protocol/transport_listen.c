/* What a service listens on: tcp in both families, and ipc in a file that its owner alone may open. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/transport_sockets.h"

#define BACKLOG 1024
#define KIND (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

#define TCP_SCHEME "tcp://"
#define IPC_SCHEME "ipc://"

static const char *failed(int fd)
{
    const char *reason = strerrordesc_np(errno);
    if (fd >= 0) {
        close(fd);
    }
    return reason != NULL ? reason : "cannot listen there";
}

/* ---- tcp ---- */

struct place {
    char host[HK_LISTEN_URL_MAX];
    char port[8];
};

static bool split(struct place *place, const char *url)
{
    const char *host = url + sizeof(TCP_SCHEME) - 1, *colon = strrchr(host, ':');
    if (colon == NULL || strlen(colon + 1) >= sizeof(place->port)) {
        return false;
    }
    snprintf(place->port, sizeof(place->port), "%s", colon + 1);
    size_t length = (size_t)(colon - host);
    if (length >= 2 && *host == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    snprintf(place->host, sizeof(place->host), "%.*s", (int)length, host);
    return true;
}

static int port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {0}};
    socklen_t size = sizeof(address);
    if (getsockname(fd, &address.any, &size) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static const char *listen_at(int *out, const struct addrinfo *at)
{
    const int yes = 1, no = 0;
    int fd = socket(at->ai_family, KIND, 0);
    if (fd < 0) {
        return failed(fd);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (at->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    }
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        return failed(fd);
    }
    *out = fd;
    return NULL;
}

static const char *listen_tcp(struct hk_listening *listening, const char *url, char out[HK_LISTEN_URL_MAX])
{
    struct place place;
    struct addrinfo wanted = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM},
                    *found = NULL;
    if (!split(&place, url) || getaddrinfo(place.host, place.port, &wanted, &found) != 0) {
        return "there is no such host";
    }
    const char *reason = listen_at(&listening->fd, found);
    freeaddrinfo(found);
    if (reason == NULL) {
        snprintf(out, HK_LISTEN_URL_MAX, "%.*s:%d", (int)(strrchr(url, ':') - url), url,
                 port_of(listening->fd));
    }
    return reason;
}

/* The unspecified IPv6 address takes both families where there is IPv6. */
static const char *listen_anywhere(struct hk_listening *listening, const char *url,
                                   char out[HK_LISTEN_URL_MAX])
{
    static const char star[] = "tcp://*";
    static const char *const both[] = {"tcp://[::]", "tcp://0.0.0.0"};
    if (strncmp(url, star, sizeof(star) - 1) != 0) {
        return listen_tcp(listening, url, out);
    }
    const char *reason = NULL;
    for (size_t i = 0; i < 2; i++) {
        char one[HK_LISTEN_URL_MAX + 16];
        snprintf(one, sizeof(one), "%s%s", both[i], url + sizeof(star) - 1);
        reason = listen_tcp(listening, one, out);
        if (reason == NULL) {
            break;
        }
    }
    return reason;
}

/* ---- ipc ---- */

/* True if nobody listens at the path: the file is left over from a process that is gone. */
static bool is_left_over(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, KIND, 0);
    bool left_over = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                     errno == ECONNREFUSED;
    if (fd >= 0) {
        close(fd);
    }
    return left_over;
}

static const char *listen_ipc(struct hk_listening *listening, const char *url, char out[HK_LISTEN_URL_MAX])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = url + sizeof(IPC_SCHEME) - 1;
    if (strlen(path) >= sizeof(address.sun_path)) {
        return "this path is too long for a socket";
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, KIND, 0);
    if (fd < 0 || fchmod(fd, 0600) != 0) { /* before there is a file, so nobody is ever earlier */
        return failed(fd);
    }
    int result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    if (result != 0 && errno == EADDRINUSE && is_left_over(&address)) {
        (void)unlink(path);
        result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    } else if (result != 0) {
        errno = EADDRINUSE;
    }
    if (result != 0 || chmod(path, 0600) != 0 || listen(fd, BACKLOG) != 0) {
        return failed(fd);
    }
    listening->fd = fd;
    snprintf(listening->path, sizeof(listening->path), "%s", path);
    snprintf(out, HK_LISTEN_URL_MAX, "%s", url);
    return NULL;
}

/* ---- both ---- */

const char *hk_listen_open(struct hk_listening *listening, const char *url, char out[HK_LISTEN_URL_MAX])
{
    *listening = (struct hk_listening){.source = HK_SOURCE_LISTENING, .fd = -1};
    return strncmp(url, IPC_SCHEME, sizeof(IPC_SCHEME) - 1) == 0 ? listen_ipc(listening, url, out)
                                                                 : listen_anywhere(listening, url, out);
}

void hk_listen_close(struct hk_listening *listening)
{
    if (listening->fd >= 0) {
        close(listening->fd);
        listening->fd = -1;
    }
    if (listening->path[0] != '\0') {
        (void)unlink(listening->path);
        listening->path[0] = '\0';
    }
}

int hk_listen_accept(const struct hk_listening *listening, struct hk_peer *peer)
{
    const int yes = 1;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    int fd = accept4(listening->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    *peer = (struct hk_peer){.is_local = true};
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        peer->is_local = false;
        peer->address[10] = peer->address[11] = 0xff;
        memcpy(peer->address + 12, &v4->sin_addr, 4);
        peer->port = v4->sin_port;
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
        peer->is_local = false;
        memcpy(peer->address, &v6->sin6_addr, 16);
        peer->port = v6->sin6_port;
    }
    if (!peer->is_local) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    }
    return fd;
}

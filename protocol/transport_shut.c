#include "protocol/transport_shut.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static bool is_peer(const struct hk_peer *peer, const struct sockaddr_storage *address)
{
    uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};
    uint16_t port;
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        memcpy(bytes + 12, &v4->sin_addr, 4);
        port = v4->sin_port;
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        memcpy(bytes, &v6->sin6_addr, 16);
        port = v6->sin6_port;
    } else {
        return false;
    }
    return !peer->is_local && peer->port == port && memcmp(peer->address, bytes, sizeof(bytes)) == 0;
}

uint64_t hk_shut_down(const struct hk_peer *peers, size_t count, int end)
{
    uint64_t found = 0, all = count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    for (int fd = 3; fd < end && found != all; fd++) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC}; /* an unnamed peer may write nothing */
        socklen_t size = sizeof(address);
        if (getpeername(fd, (struct sockaddr *)&address, &size) != 0) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (is_peer(&peers[i], &address)) {
                (void)shutdown(fd, SHUT_RDWR);
                found |= UINT64_C(1) << i;
            }
        }
    }
    return found;
}

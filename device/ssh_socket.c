#include "device/ssh_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64
#define GIVEN_FD 3 /* SD_LISTEN_FDS_START */

static bool address_of(struct sockaddr_un *address, const char *path)
{
    size_t length = strlen(path);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (length == 0 || length >= sizeof address->sun_path)
        return false;
    memcpy(address->sun_path, path, length + 1);
    return true;
}

int hk_ssh_socket_dial(const char *path)
{
    struct sockaddr_un address;
    struct ucred peer;
    socklen_t size = sizeof peer;
    int fd = address_of(&address, path) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        (peer.uid != geteuid() && peer.uid != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- from systemd ---- */

static bool is_listening(int fd)
{
    int accepts = 0, domain = 0;
    socklen_t size = sizeof accepts;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 && accepts &&
           getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

/* The variables are another process's unless they name this one. */
static bool take_given(struct hk_ssh_socket *out)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    bool ours = pid && count && strtol(pid, NULL, 10) == (long)getpid() && strtol(count, NULL, 10) >= 1;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!ours || !is_listening(GIVEN_FD))
        return false;
    struct sockaddr_un address = {0};
    socklen_t size = sizeof address;
    out->given = true;
    out->fd = GIVEN_FD;
    fcntl(GIVEN_FD, F_SETFD, FD_CLOEXEC);
    if (getsockname(GIVEN_FD, (struct sockaddr *)&address, &size) == 0)
        snprintf(out->path, sizeof out->path, "%s", address.sun_path);
    return true;
}

/* ---- our own ---- */

/* Makes room at `path`, if what is there is a socket of this user's that nobody answers. */
static bool make_room(const char *path, char reason[256])
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT;
    int fd = hk_ssh_socket_dial(path);
    bool answers = fd >= 0 || (errno != ECONNREFUSED && errno != ENOENT);
    if (fd >= 0)
        close(fd);
    if (S_ISSOCK(status.st_mode) && status.st_uid == geteuid() && !answers)
        return unlink(path) == 0 || errno == ENOENT;
    snprintf(reason, 256,
             answers && S_ISSOCK(status.st_mode)
                 ? "another agent listens at %.120s; it stays there: choose another --ssh-socket"
                 : "%.120s is there and no socket of ours; choose another --ssh-socket",
             path);
    return false;
}

static bool listen_at(int fd, const struct sockaddr_un *address)
{
    /* Made for nobody else from the start: between bind and chmod it would be anybody's. */
    mode_t before = umask(0177);
    bool bound = bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    umask(before);
    return bound && listen(fd, BACKLOG) == 0;
}

enum hk_error hk_ssh_socket_open(struct hk_ssh_socket *out, const char *path, char reason[256])
{
    struct sockaddr_un address;
    struct stat status;
    *out = (struct hk_ssh_socket){.fd = -1};
    if (take_given(out))
        return HK_OK;
    if (!address_of(&address, path) || path[0] != '/') {
        snprintf(reason, 256, "--ssh-socket is an absolute path of at most %d bytes", HK_HOME_SOCKET_MAX - 1);
        return HK_IO;
    }
    reason[0] = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = fd >= 0 && listen_at(fd, &address);
    if (!listens && fd >= 0 && errno == EADDRINUSE && make_room(path, reason))
        listens = listen_at(fd, &address);
    if (!listens || lstat(path, &status) != 0) {
        if (!*reason)
            snprintf(reason, 256, "cannot listen at %.120s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return HK_CONFLICT;
    }
    out->fd = fd;
    out->device = status.st_dev;
    out->inode = status.st_ino;
    snprintf(out->path, sizeof out->path, "%s", path);
    return HK_OK;
}

void hk_ssh_socket_remove(const struct hk_ssh_socket *mine)
{
    struct stat status;
    if (mine->fd >= 0 && !mine->given && lstat(mine->path, &status) == 0 && status.st_dev == mine->device &&
        status.st_ino == mine->inode)
        (void)unlink(mine->path);
}

/* ssh_socket.h - the socket on which SSH's clients find the agent, and the agent that may be behind it.
 *
 * Another program's socket is never taken away: what answers, belongs to somebody else or is no socket stays
 * where it is, and the agent says so and goes on without SSH. A socket that nobody answers any more is
 * replaced. systemd may hand over the socket instead (LISTEN_FDS); then its path is systemd's to remove. */
#ifndef HALFKEY_DEVICE_SSH_SOCKET_H
#define HALFKEY_DEVICE_SSH_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "device/home.h"

struct hk_ssh_socket {
    int fd;                        /* -1: there is none */
    char path[HK_HOME_SOCKET_MAX]; /* "": none, or not known */
    bool given;                    /* by systemd */
    dev_t device;                  /* what was made at `path`, to remove nothing else */
    ino_t inode;
};

/* Listens at `path`, or takes what systemd has given to this process. HK_CONFLICT, HK_IO, with a sentence in
 * reason[256]; then socket->fd is -1. */
HK_CHECK enum hk_error hk_ssh_socket_open(struct hk_ssh_socket *socket, const char *path, char reason[256]);
/* Removes the path, if it is still this socket's. */
void hk_ssh_socket_remove(const struct hk_ssh_socket *socket);

/* Connects to the agent at `path`, one of this user's; -1 if nobody answers. */
int hk_ssh_socket_dial(const char *path) HK_CHECK;

#endif

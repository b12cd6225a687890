#include "device/ssh_agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "device/ssh_client.h"
#include "device/ssh_socket.h"
#include "device/ssh_tell.h"

/* One agent is one process. */
static struct hk_ssh_socket listener = {.fd = -1};
static struct hk_ssh_shared *shared;
static atomic_bool taken[HK_SSH_CONNECTIONS];

/* An agent that asked itself would wait for itself. */
static bool is_own(const char *fallback, const char *path)
{
    char *one = realpath(fallback, NULL), *two = realpath(path, NULL);
    bool same = strcmp(fallback, path) == 0 || (one && two && strcmp(one, two) == 0);
    free(one);
    free(two);
    return same;
}

enum hk_error hk_ssh_agent_open(struct hk_core *core, char reason[256])
{
    const struct hk_agent_settings *settings = &core->settings;
    enum hk_error error = HK_IO;
    if (settings->ssh_fallback && settings->ssh_fallback[0] != '/')
        snprintf(reason, 256, "--fallback is an absolute path, as in $SSH_AUTH_SOCK");
    else
        error = hk_ssh_socket_open(
            &listener, settings->ssh_socket ? settings->ssh_socket : core->home.ssh_socket, reason);
    if (!error && settings->ssh_fallback && is_own(settings->ssh_fallback, listener.path)) {
        hk_ssh_agent_close();
        close(listener.fd);
        listener.fd = -1;
        snprintf(reason, 256, "--fallback %.120s is this agent's own socket", settings->ssh_fallback);
        error = HK_CONFLICT;
    }
    if (!error && (shared = calloc(1, sizeof *shared)) == NULL)
        error = HK_NO_MEMORY;
    if (error) {
        snprintf(core->ssh_problem, sizeof core->ssh_problem, "%s", reason);
        return settings->daemon ? HK_OK : error;
    }
    shared->core = core;
    pthread_mutex_init(&shared->lock, NULL);
    pthread_mutex_init(&shared->asking, NULL);
    memcpy(core->ssh_path, listener.path, sizeof core->ssh_path);
    return HK_OK;
}

int hk_ssh_agent_listener(void)
{
    return listener.fd;
}

void hk_ssh_agent_close(void)
{
    hk_ssh_socket_remove(&listener);
}

/* ---- connections ---- */

static void *serve(void *argument)
{
    struct hk_ssh_client *client = argument;
    size_t place = client->place;
    hk_ssh_client_serve(client);
    close(client->fd);
    if (client->fallback >= 0)
        close(client->fallback);
    free(client);
    atomic_store(&taken[place], false);
    return NULL;
}

static bool take_place(size_t *place)
{
    for (*place = 0; *place < HK_SSH_CONNECTIONS; ++*place)
        if (!atomic_exchange(&taken[*place], true))
            return true;
    return false;
}

void hk_ssh_agent_accept(void)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    pthread_t thread;
    size_t place;
    int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        (peer.uid != geteuid() && peer.uid != 0) || !take_place(&place)) {
        close(fd);
        return;
    }
    struct hk_ssh_client *client = calloc(1, sizeof *client);
    if (client) {
        client->shared = shared;
        client->fd = fd;
        client->fallback = -1;
        client->place = place;
        client->peer = peer.uid == geteuid() ? peer.pid : 0;
    }
    if (!client || pthread_create(&thread, NULL, serve, client) != 0) {
        free(client);
        close(fd);
        atomic_store(&taken[place], false);
        return;
    }
    pthread_detach(thread);
}

/* Told once for each request, outside of the lock: a program may be slow to start. */
void hk_ssh_agent_tick(void)
{
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    long long now = time.tv_sec * 1000LL + time.tv_nsec / 1000000;
    for (size_t i = 0; shared && i < HK_SSH_CONNECTIONS; i++) {
        struct hk_ssh_waiting *waiting = &shared->waiting[i], late = {.open = false};
        pthread_mutex_lock(&shared->lock);
        if (waiting->open && !waiting->told && now - waiting->since >= HK_SSH_NOTICE_MS) {
            waiting->told = true;
            late = *waiting;
        }
        pthread_mutex_unlock(&shared->lock);
        if (late.open) {
            hk_ssh_tell(late.peer, late.what);
            hk_ssh_notify(late.what);
        }
    }
}

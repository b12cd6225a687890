#include "device/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "device/agent_core.h"
#include "device/lock.h"
#include "device/refresh_policy.h"
#include "device/ssh_agent.h"

#define REQUEST_MAX (192 * 1024)
#define ANSWER_MAX (256 * 1024)
#define MEMORY_MAX (256 * 1024)
#define TICK_MS 200

static struct hk_core *the_core; /* one agent is one process */
static atomic_int connections;
static volatile sig_atomic_t ended_by_signal;

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return time.tv_sec;
}

/* --- a connection --- */

/* What a connection works in; everything secret in it is wiped after each request. */
struct desk {
    struct hk_agent_message request, answer; /* spans only */
    uint8_t *secret;                         /* from hk_secret_new: request, answer, memory */
    char sentence[512];
};

/* Locked memory is short for ordinary users: a connection waits for its turn. */
static uint8_t *get_secret_memory(void)
{
    for (int i = 0; i < 200 && !atomic_load(&the_core->stopping); i++) {
        uint8_t *memory = hk_secret_new(REQUEST_MAX + ANSWER_MAX + MEMORY_MAX);
        if (memory != NULL) {
            return memory;
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return NULL;
}

static bool serve_one(int fd, struct desk *desk)
{
    uint8_t *in = desk->secret, *out = in + REQUEST_MAX, *memory = out + ANSWER_MAX;
    size_t in_size = 0, out_size = 0;
    struct hk_op_call call = {.core = the_core,
                              .request = &desk->request,
                              .answer = &desk->answer,
                              .sentence = desk->sentence,
                              .memory = memory,
                              .memory_size = MEMORY_MAX};
    if (hk_agent_receive(fd, in, REQUEST_MAX, &in_size, 0) != HK_OK) {
        return false;
    }
    if (atomic_load(&the_core->stopping)) { /* unanswered: whoever asks can ask the next agent */
        hk_wipe(in, in_size);
        return false;
    }
    atomic_store(&the_core->last_command, now());
    enum hk_error error = hk_agent_decode(&desk->request, in, in_size);
    if (error == HK_OK) {
        hk_agent_dispatch(&call);
        error = hk_agent_encode(&desk->answer, out, ANSWER_MAX, &out_size);
    }
    if (error != HK_OK) {
        hk_agent_message_init(&desk->answer);
        hk_agent_set_u64(&desk->answer, HK_A_ERROR, error);
        hk_agent_set_text(&desk->answer, HK_A_SENTENCE, hk_strerror(error));
        error = hk_agent_encode(&desk->answer, out, ANSWER_MAX, &out_size);
    }
    atomic_store(&the_core->last_command, now());
    bool sent = error == HK_OK && hk_agent_send(fd, out, out_size) == HK_OK;
    hk_wipe(in, in_size);
    hk_wipe(out, out_size);
    hk_wipe(memory, call.memory_used);
    return sent;
}

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    struct desk *desk = calloc(1, sizeof(*desk));
    if (desk != NULL && (desk->secret = get_secret_memory()) != NULL) {
        while (!atomic_load(&the_core->stopping) && serve_one(fd, desk)) {
        }
        hk_secret_free(desk->secret);
    }
    free(desk);
    close(fd);
    atomic_fetch_sub(&connections, 1);
    return NULL;
}

static void accept_one(int listener)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    pthread_t thread;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    bool ours = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
                (peer.uid == geteuid() || peer.uid == 0);
    if (!ours || atomic_fetch_add(&connections, 1) >= HK_AGENT_CONNECTIONS) {
        if (ours) {
            atomic_fetch_sub(&connections, 1);
        }
        close(fd);
        return;
    }
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0) {
        atomic_fetch_sub(&connections, 1);
        close(fd);
        return;
    }
    pthread_detach(thread);
}

/* --- the process --- */

static void on_signal(int number)
{
    (void)number;
    ended_by_signal = 1;
}

static void harden(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct rlimit none = {0, 0}, locked;
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0) {
        locked.rlim_cur = locked.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &locked);
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    umask(077);
    (void)!chdir("/"); /* nothing depends on the current folder, which may go away */
}

static enum hk_error listen_at(int *fd, const char *path, char reason[256])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(path); /* of an agent that was killed: the folder's lock is ours */
    if (*fd < 0 || bind(*fd, (struct sockaddr *)&address, sizeof(address)) != 0 || chmod(path, 0600) != 0 ||
        listen(*fd, HK_AGENT_CONNECTIONS) != 0) {
        snprintf(reason, 256, "cannot listen at %s: %s", path, strerror(errno));
        return HK_IO;
    }
    return HK_OK;
}

/* The command that started us waits for the end of our standard error. */
static void let_go(const char *ssh_path, bool daemon)
{
    if (!daemon) {
        printf("%s\n", ssh_path);
        fflush(stdout);
        return;
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null >= 0; fd++) {
        dup2(null, fd);
    }
}

static void lock_when_idle(void)
{
    unsigned limit = the_core->settings.idle_seconds;
    if (limit == 0 || now() - atomic_load(&the_core->last_command) < (long long)limit ||
        pthread_rwlock_trywrlock(&the_core->gate) != 0) {
        return;
    }
    if (the_core->state != NULL) {
        hk_core_lock(the_core);
    }
    pthread_rwlock_unlock(&the_core->gate);
}

static void serve_all(int listener)
{
    while (!atomic_load(&the_core->stopping)) {
        struct pollfd wait[2] = {{.fd = listener, .events = POLLIN},
                                 {.fd = hk_ssh_agent_listener(), .events = POLLIN}};
        if (poll(wait, 2, TICK_MS) > 0) {
            if (wait[0].revents != 0) {
                accept_one(listener);
            }
            if (wait[1].revents != 0) {
                hk_ssh_agent_accept();
            }
        }
        hk_ssh_agent_tick();
        if (ended_by_signal) { /* by a command: it has removed the socket, and the next agent may be there */
            (void)unlink(the_core->home.socket);
            hk_ssh_agent_close();
            atomic_store(&the_core->stopping, true);
        }
        lock_when_idle();
        hk_refresh_tick(the_core);
    }
}

/* Waits for operations to come to their end, a little: each is short or looks whether we are stopping. */
static void wait_for_operations(void)
{
    for (int i = 0; i < 100; i++) {
        if (pthread_rwlock_trywrlock(&the_core->gate) == 0) {
            hk_core_lock(the_core);
            pthread_rwlock_unlock(&the_core->gate);
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
}

/* An agent that was told to stop holds the folder a moment longer. */
static enum hk_error take_lock(int *fd, const char *folder, char reason[256])
{
    enum hk_error error = HK_CONFLICT;
    for (int i = 0; i < 60 && error == HK_CONFLICT; i++) {
        error = hk_lock_take(fd, folder, reason);
        if (error == HK_CONFLICT) {
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        }
    }
    return error;
}

static enum hk_error make_core(const struct hk_agent_settings *settings, const struct hk_home *home)
{
    the_core = hk_secret_new(sizeof(*the_core));
    if (the_core == NULL) {
        return HK_NO_MEMORY;
    }
    the_core->settings = *settings;
    the_core->home = *home;
    pthread_rwlock_init(&the_core->gate, NULL);
    pthread_mutex_init(&the_core->saving, NULL);
    atomic_init(&the_core->stopping, false);
    atomic_init(&the_core->unsettled, false);
    atomic_init(&the_core->profile_stale, false);
    atomic_init(&the_core->refreshing, false);
    atomic_init(&the_core->refresh_not_before, 0);
    atomic_init(&the_core->last_command, now());
    return HK_OK;
}

enum hk_error hk_agent_run(const struct hk_agent_settings *settings, char reason[256])
{
    struct hk_home home;
    int lock = -1, listener = -1;
    reason[0] = '\0';
    enum hk_error error = hk_home_find(&home, true, reason); /* it may be given from the current folder */
    harden();
    if (error == HK_OK) {
        error = take_lock(&lock, home.path, reason);
    }
    if (error == HK_OK && (error = make_core(settings, &home)) != HK_OK) {
        snprintf(reason, 256, "%s", hk_strerror(error));
    }
    if (error == HK_OK) {
        error = listen_at(&listener, home.socket, reason);
    }
    if (error == HK_OK) {
        error = hk_ssh_agent_open(the_core, reason);
    }
    if (error == HK_OK) {
        let_go(the_core->ssh_path, settings->daemon);
        serve_all(listener);
        wait_for_operations();
    }
    if (listener >= 0) {
        close(listener);
    }
    if (lock >= 0) {
        hk_lock_release(lock);
    }
    return error;
}

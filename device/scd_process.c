#include "device/scd_process.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the socket ---- */

static struct {
    int fd;
    char folder[64];
    struct sockaddr_un address;
    bool (*serve)(int fd);
} door = {.fd = -1};

static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

static void *serve_one(void *argument)
{
    int fd = (int)(intptr_t)argument;
    bool end = door.serve(fd);
    close(fd);
    if (end) {
        hk_scd_shut();
        _exit(0);
    }
    return NULL;
}

static void *accept_all(void *argument)
{
    (void)argument;
    for (;;) {
        pthread_t thread;
        int fd = accept4(door.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return NULL;
        if (!is_ours(fd) || pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd) != 0)
            close(fd);
        else
            pthread_detach(thread);
    }
}

const char *hk_scd_listen(bool (*serve)(int fd))
{
    pthread_t thread;
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat there;
    bool usable = runtime && *runtime == '/' && strlen(runtime) < 40 && stat(runtime, &there) == 0 &&
                  there.st_uid == geteuid() && (there.st_mode & 077) == 0;
    snprintf(door.folder, sizeof door.folder, "%s/halfkey-scd-XXXXXX", usable ? runtime : "/tmp");
    if (!mkdtemp(door.folder))
        return NULL;
    door.serve = serve;
    door.address.sun_family = AF_UNIX;
    snprintf(door.address.sun_path, sizeof door.address.sun_path, "%s/S.scd", door.folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    door.fd = fd;
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&door.address, sizeof door.address) == 0 &&
        listen(fd, 8) == 0 && pthread_create(&thread, NULL, accept_all, NULL) == 0) {
        pthread_detach(thread);
        return door.address.sun_path;
    }
    hk_scd_shut();
    return NULL;
}

/* ---- the real scdaemon ---- */

static const char *const usual_places[] = {"/usr/lib/gnupg/scdaemon", "/usr/libexec/scdaemon",
                                           "/usr/lib/gnupg2/scdaemon"};

static struct {
    pthread_mutex_t lock;
    const char *program, *homedir;
    pid_t pid;
    int pipe[2]; /* from it, to it: open as long as it is to run */
    char socket[108];
} real = {.lock = PTHREAD_MUTEX_INITIALIZER, .pipe = {-1, -1}};

void hk_scd_real_setup(const char *program, const char *homedir)
{
    real.program = program;
    real.homedir = homedir;
    for (size_t i = 0; i < sizeof usual_places / sizeof *usual_places && !real.program; i++)
        if (access(usual_places[i], X_OK) == 0)
            real.program = usual_places[i];
}

static void become_real(int in, int out)
{
    char *with_home[] = {"scdaemon", "--multi-server", "--homedir", (char *)(uintptr_t)real.homedir, NULL};
    int null = open("/dev/null", O_RDWR);
    if (!real.homedir)
        with_home[2] = NULL;
    if (null >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(null, STDERR_FILENO) >= 0) {
        signal(SIGPIPE, SIG_DFL);
        execv(real.program, with_home);
    }
    _exit(127);
}

/* Told to end, it lets go of its card at once; without its pipe it would a few seconds later. */
static void end_real(void)
{
    static const char kill[] = "KILLSCD\n";
    if (real.pipe[1] >= 0)
        (void)!write(real.pipe[1], kill, sizeof kill - 1);
    for (int i = 0; i < 2; i++) {
        if (real.pipe[i] >= 0)
            close(real.pipe[i]);
        real.pipe[i] = -1;
    }
    if (real.pid > 0)
        waitpid(real.pid, NULL, WNOHANG);
    *real.socket = 0;
}

static bool start_real(void)
{
    int to[2], from[2];
    end_real();
    if (pipe2(to, O_CLOEXEC) != 0)
        return false;
    if (pipe2(from, O_CLOEXEC) != 0) {
        close(to[0]);
        close(to[1]);
        return false;
    }
    real.pid = fork();
    if (real.pid == 0)
        become_real(to[0], from[1]);
    close(to[0]);
    close(from[1]);
    real.pipe[0] = from[0];
    real.pipe[1] = to[1];
    return real.pid > 0;
}

/* Greeting, then the name of its socket. */
static void ask_socket(void)
{
    struct hk_assuan assuan;
    char line[HK_ASSUAN_LINE_MAX + 1];
    size_t size, length = 0;
    hk_assuan_init(&assuan, (struct hk_source){hk_fd_read, &real.pipe[0]},
                   (struct hk_sink){hk_fd_write, &real.pipe[1]});
    if (hk_assuan_read(&assuan, line, &size) || !hk_assuan_is(line, "OK") ||
        hk_assuan_write(&assuan, "GETINFO socket_name"))
        return;
    while (hk_assuan_read(&assuan, line, &size) == HK_OK && strncmp(line, "D ", 2) == 0) {
        uint8_t path[sizeof real.socket];
        if (hk_assuan_unescape(path, sizeof path - 1, &length, line + 2, size - 2) == HK_OK) {
            path[length] = 0;
            memcpy(real.socket, path, length + 1);
        }
    }
}

void hk_scd_real_init(struct hk_scd_real_link *link)
{
    link->fd = -1;
}

void hk_scd_real_close(struct hk_scd_real_link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

static int dial_real(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = *real.socket ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    memcpy(address.sun_path, real.socket, sizeof real.socket);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

enum hk_error hk_scd_real_connect(struct hk_scd_real_link *link, struct hk_assuan **out)
{
    char line[HK_ASSUAN_LINE_MAX + 1];
    size_t size;
    pthread_mutex_lock(&real.lock);
    link->fd = dial_real();
    if (link->fd < 0 && real.program && start_real()) { /* the first time, or it has ended */
        ask_socket();
        link->fd = dial_real();
    }
    pthread_mutex_unlock(&real.lock);
    if (link->fd < 0)
        return HK_NOT_FOUND;
    hk_assuan_init(&link->assuan, (struct hk_source){hk_fd_read, &link->fd},
                   (struct hk_sink){hk_fd_write, &link->fd});
    if (hk_assuan_read(&link->assuan, line, &size) || !hk_assuan_is(line, "OK")) {
        hk_scd_real_close(link);
        return HK_NOT_FOUND;
    }
    *out = &link->assuan;
    return HK_OK;
}

void hk_scd_shut(void)
{
    if (*door.address.sun_path)
        unlink(door.address.sun_path);
    if (*door.folder)
        rmdir(door.folder);
    end_real();
}

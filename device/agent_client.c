#include "device/agent_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "device/home.h"
#include "device/settings.h"

#define START_MS 10000
#define KNOCK_MS 10000
#define PAUSE_MS 20

struct hk_agent_client {
    int fd;
    char socket[HK_HOME_SOCKET_MAX], sentence[1025];
    struct hk_agent_message request, answer;
    size_t used; /* of the buffer, to be wiped */
    uint8_t buffer[HK_AGENT_FRAME_MAX];
};

/* -1 if nobody listens. */
static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t size = sizeof(peer);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != geteuid()) {
        close(fd);
        return -1;
    }
    return fd;
}

/* In the child: become `halfkey agent --daemon`, with nothing of the command's but a pipe for its reason. */
static void become_agent(int pipe_end)
{
    int null = open("/dev/null", O_RDWR);
    setsid();
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(pipe_end, 2) < 0) {
        _exit(127);
    }
    for (int fd = 3; fd < 1024; fd++) {
        close(fd);
    }
    execl("/proc/self/exe", "halfkey", "agent", "--daemon", (char *)NULL);
    _exit(127);
}

/* Starts the agent; its standard error is read until it closes it, which it does once it listens or gives
 * up. What it says is the reason. */
static enum hk_error start(char reason[256])
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return HK_IO;
    }
    pid_t child = fork();
    if (child == 0) {
        become_agent(ends[1]);
    }
    close(ends[1]);
    size_t have = 0;
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    while (child > 0 && have < 255 && poll(&wait, 1, START_MS) > 0) {
        ssize_t got = read(ends[0], reason + have, 255 - have);
        if (got <= 0) {
            break;
        }
        have += (size_t)got;
    }
    close(ends[0]);
    reason[have] = '\0';
    reason[strcspn(reason, "\n")] = '\0';
    if (child > 0) {
        waitpid(child, NULL, WNOHANG);
    }
    return child > 0 ? HK_OK : HK_IO;
}

/* Knocks where systemd may listen for the agent that is to serve SSH too: -1 if nobody does. Not for a state
 * folder of its own, which is another agent's. */
static int knock(void)
{
    const char *given = hk_setting("ssh-socket"), *runtime = getenv("XDG_RUNTIME_DIR");
    char path[HK_HOME_SOCKET_MAX];
    struct stat status;
    int length = given != NULL     ? snprintf(path, sizeof(path), "%s", given)
                 : runtime != NULL ? snprintf(path, sizeof(path), "%s/halfkey.ssh", runtime)
                                   : HK_HOME_SOCKET_MAX;
    bool there = length < HK_HOME_SOCKET_MAX && stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
    return there && getenv("HALFKEY_HOME") == NULL ? dial(path) : -1;
}

static enum hk_error reach(int *fd, const struct hk_home *home, bool may_start, char reason[256])
{
    *fd = dial(home->socket);
    if (*fd >= 0) {
        return HK_OK;
    }
    if (!may_start) {
        snprintf(reason, 256, "no agent runs");
        return HK_UNREACHABLE;
    }
    reason[0] = '\0';
    int door = knock();
    for (int i = 0; door >= 0 && *fd < 0 && i < KNOCK_MS / PAUSE_MS; i++) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
        *fd = dial(home->socket);
    }
    if (door >= 0) {
        close(door);
    }
    if (*fd >= 0) {
        return HK_OK;
    }
    enum hk_error error = start(reason);
    /* Another command may have started one at the same moment: then ours gave way, and that one answers. */
    for (int i = 0; error == HK_OK && *fd < 0 && i < 100; i++) {
        *fd = dial(home->socket);
        if (*fd < 0) {
            struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
            nanosleep(&pause, NULL);
        }
        if (reason[0] != '\0' && i == 25) {
            break;
        }
    }
    if (*fd >= 0) {
        return HK_OK;
    }
    if (reason[0] == '\0') {
        snprintf(reason, 256, "the agent could not be started");
    }
    return error != HK_OK ? error : strstr(reason, "another agent") != NULL ? HK_CONFLICT : HK_UNREACHABLE;
}

enum hk_error hk_agent_connect(struct hk_agent_client **out, bool start_it, char reason[256])
{
    struct hk_home home;
    int fd = -1;
    enum hk_error error = hk_home_find(&home, start_it, reason);
    if (error == HK_OK) {
        error = reach(&fd, &home, start_it, reason);
    }
    if (error != HK_OK) {
        return error;
    }
    struct hk_agent_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        close(fd);
        snprintf(reason, 256, "%s", hk_strerror(HK_NO_MEMORY));
        return HK_NO_MEMORY;
    }
    client->fd = fd;
    memcpy(client->socket, home.socket, sizeof(home.socket));
    *out = client;
    return HK_OK;
}

struct hk_agent_message *hk_agent_request(struct hk_agent_client *client, enum hk_agent_op op)
{
    hk_wipe(client->buffer, client->used);
    client->used = 0;
    client->sentence[0] = '\0';
    hk_agent_message_init(&client->request);
    hk_agent_message_init(&client->answer);
    hk_agent_set_u64(&client->request, HK_A_OP, op);
    return &client->request;
}

const struct hk_agent_message *hk_agent_answer(const struct hk_agent_client *client)
{
    return &client->answer;
}

enum hk_error hk_agent_call(struct hk_agent_client *client, int timeout_ms)
{
    size_t size;
    hk_agent_message_init(&client->answer);
    enum hk_error error = hk_agent_encode(&client->request, client->buffer, sizeof(client->buffer), &size);
    if (error != HK_OK) {
        /* What was typed went into it as it was. */
        snprintf(client->sentence, sizeof(client->sentence),
                 error == HK_BAD_ENCODING ? "a name has 1 to %d bytes of printable text; what was given is "
                                            "empty, too long, or cannot be shown"
                                          : "%.0d%s",
                 HK_NAME_MAX, hk_strerror(error));
        return error;
    }
    client->used = size;
    error = hk_agent_send(client->fd, client->buffer, size);
    if (error == HK_OK) {
        error = hk_agent_receive(client->fd, client->buffer, sizeof(client->buffer), &size, timeout_ms);
    }
    if (error != HK_OK) {
        snprintf(client->sentence, sizeof(client->sentence), "%s",
                 error == HK_TIMEOUT ? "the agent gave no answer in time" : "the agent has ended");
        return error == HK_TIMEOUT ? HK_TIMEOUT : HK_IO;
    }
    client->used = size > client->used ? size : client->used;
    if (hk_agent_decode(&client->answer, client->buffer, size) != HK_OK ||
        !hk_agent_has(&client->answer, HK_A_ERROR)) {
        hk_agent_message_init(&client->answer);
        return HK_BAD_PEER;
    }
    hk_agent_text(&client->answer, HK_A_SENTENCE, client->sentence, sizeof(client->sentence));
    error = (enum hk_error)hk_agent_u64(&client->answer, HK_A_ERROR);
    if (client->sentence[0] == '\0') {
        snprintf(client->sentence, sizeof(client->sentence), "%s", hk_strerror(error));
    }
    return error;
}

const char *hk_agent_sentence(const struct hk_agent_client *client)
{
    return client->sentence;
}

const char *hk_agent_socket(const struct hk_agent_client *client)
{
    return client->socket;
}

void hk_agent_client_free(struct hk_agent_client *client)
{
    if (client != NULL) {
        close(client->fd);
        hk_wipe(client, sizeof(*client));
        free(client);
    }
}

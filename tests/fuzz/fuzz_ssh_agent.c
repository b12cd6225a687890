/* What SSH's clients send to the agent: a connection's frames, one after the other, answered by the real code
 * of an agent that has no account. A lock would only slow it down, so that message is left out. */
#include <sys/socket.h>
#include <unistd.h>

#include "device/ssh_client.h"
#include "device/ssh_policy.h"
#include "tests/fuzz/fuzz.h"

static struct hk_core core;
static struct hk_ssh_shared shared;
static struct hk_ssh_client client;

static void start(void)
{
    if (shared.core != NULL) {
        return;
    }
    snprintf(core.home.path, sizeof(core.home.path), "%s", fuzz_folder());
    pthread_rwlock_init(&core.gate, NULL);
    pthread_mutex_init(&core.saving, NULL);
    shared.core = &core;
    pthread_mutex_init(&shared.lock, NULL);
    pthread_mutex_init(&shared.asking, NULL);
}

/* Whatever a connection has bound is of a length that fits, and a broken binding is never forgotten. */
static void check_bindings(bool was_broken)
{
    MUST(client.bindings.count <= HK_SSH_BINDINGS_MAX);
    MUST(!was_broken || hk_ssh_is_forwarded(&client.bindings));
    for (size_t i = 0; i < client.bindings.count; i++) {
        MUST(client.bindings.at[i].session_size <= HK_SSH_SESSION_MAX);
        MUST(client.bindings.at[i].host_size <= HK_SSH_HOST_KEY_MAX);
    }
}

/* One frame, and its answer: one whole frame, of what the protocol knows. */
static void ask(const uint8_t *frame, size_t size)
{
    int ends[2];
    size_t answered = 0;
    bool was_broken = client.bindings.broken;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    client.fd = ends[0];
    MUST(hk_agent_send(ends[1], frame, size) == HK_OK && shutdown(ends[1], SHUT_WR) == 0);
    hk_ssh_client_serve(&client);
    MUST(hk_agent_receive(ends[1], client.other, sizeof(client.other), &answered, 1) == HK_OK &&
         answered != 0);
    uint8_t type = client.other[0];
    MUST(type == HK_SSH_FAILURE || type == HK_SSH_SUCCESS || type == HK_SSH_IDENTITIES);
    check_bindings(was_broken);
    close(ends[0]);
    close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start();
    memset(&client, 0, sizeof(client));
    client.shared = &shared;
    client.fallback = -1;
    for (int i = 0; i < 32 && size >= 4; i++) {
        size_t length = (size_t)data[2] << 8 | data[3];
        length = length < size - 4 ? length : size - 4;
        if (length == 0 || data[4] != HK_SSH_LOCK) {
            ask(data + 4, length);
        }
        data += 4 + length;
        size -= 4 + length;
    }
    return 0;
}

#include "bench/bare.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/agreement.h"
#include "crypto/random.h"

static void echo(void *unused, struct hk_reply *reply, uint8_t *frame, size_t size)
{
    (void)unused;
    hk_reply_send(reply, frame, size);
}

int bench_serve_echo(void)
{
    const char *urls[] = {"tcp://127.0.0.1:0"}, *reason = NULL;
    struct hk_listener *listener;
    struct hk_listener_setup setup = {.urls = urls, .url_count = 1, .request = echo};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (hk_listener_new(&listener, &setup, &reason) != HK_OK) {
        return 1;
    }
    printf("%s\n", hk_listener_url(listener, 0));
    fflush(stdout);
    for (;;) {
        pause();
    }
}

static bool start_echo_service(struct bench_bare *bare)
{
    int ends[2];
    char url[HK_LISTEN_URL_MAX] = "";
    if (pipe(ends) != 0) {
        return false;
    }
    bare->echo_service = fork();
    if (bare->echo_service == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        execl("/proc/self/exe", "halfkey-bench", "--serve-echo", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *file = fdopen(ends[0], "r");
    bool fine = file != NULL && fgets(url, sizeof(url), file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    url[strcspn(url, "\n")] = '\0';
    return fine && hk_endpoint_new(&bare->endpoint, url) == HK_OK;
}

static bool start_echo_socket(struct bench_bare *bare)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        return false;
    }
    bare->socket = pair[0];
    bare->echo_socket = fork();
    if (bare->echo_socket == 0) {
        uint8_t buffer[BENCH_FRAME_BYTES];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        for (ssize_t got; (got = read(pair[1], buffer, sizeof(buffer))) > 0;) {
            if (write(pair[1], buffer, (size_t)got) != got) {
                break;
            }
        }
        _exit(0);
    }
    close(pair[1]);
    return true;
}

static bool open_database(struct bench_bare *bare, const char *directory)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/bare.db", directory);
    return sqlite3_open(path, &bare->database) == SQLITE_OK &&
           sqlite3_exec(bare->database,
                        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE leaf(bytes BLOB)",
                        NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(bare->database, "INSERT INTO leaf VALUES(?)", -1, &bare->insert, NULL) ==
               SQLITE_OK;
}

bool bench_bare_start(struct bench_bare *bare, const char *directory)
{
    struct hk_scalar half;
    memset(bare, 0, sizeof(*bare));
    hk_scalar_random(&hk_edwards25519, &half);
    hk_agree_part(&hk_agree_x25519, &bare->eighth, &half);
    crypto_core_ed25519_random(bare->point);
    return start_echo_socket(bare) && start_echo_service(bare) && open_database(bare, directory);
}

void bench_bare_stop(struct bench_bare *bare)
{
    sqlite3_finalize(bare->insert);
    sqlite3_close(bare->database);
    if (bare->endpoint != NULL) {
        hk_endpoint_free(bare->endpoint);
    }
    if (bare->socket > 0) {
        close(bare->socket);
    }
    for (int i = 0; i < 2; i++) {
        pid_t child = i == 0 ? bare->echo_service : bare->echo_socket;
        if (child > 0) {
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
        }
    }
    memset(bare, 0, sizeof(*bare));
}

bool bench_bare_network(struct bench_bare *bare)
{
    uint8_t frame[BENCH_FRAME_BYTES] = {0}, answer[BENCH_FRAME_BYTES];
    size_t size;
    return hk_endpoint_call(bare->endpoint, frame, sizeof(frame), answer, sizeof(answer), &size, 0) == HK_OK;
}

bool bench_bare_local(struct bench_bare *bare)
{
    uint8_t frame[BENCH_FRAME_BYTES] = {0};
    return write(bare->socket, frame, sizeof(frame)) == sizeof(frame) &&
           recv(bare->socket, frame, sizeof(frame), MSG_WAITALL) == sizeof(frame);
}

bool bench_bare_commit(struct bench_bare *bare)
{
    uint8_t row[BENCH_FRAME_BYTES] = {0};
    sqlite3_bind_blob(bare->insert, 1, row, sizeof(row), SQLITE_STATIC);
    bool fine = sqlite3_step(bare->insert) == SQLITE_DONE;
    sqlite3_reset(bare->insert);
    return fine;
}

bool bench_bare_share(struct bench_bare *bare)
{
    uint8_t share[32];
    return hk_agree_share(&hk_agree_x25519, share, &bare->eighth, bare->point, 1) == HK_OK;
}

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
    return start_echo_socket(bare) && (bare->nng = bench_nng_start()) != NULL &&
           open_database(bare, directory);
}

void bench_bare_stop(struct bench_bare *bare)
{
    sqlite3_finalize(bare->insert);
    sqlite3_close(bare->database);
    bench_nng_stop(bare->nng);
    if (bare->socket > 0) {
        close(bare->socket);
    }
    if (bare->echo_socket > 0) {
        kill(bare->echo_socket, SIGKILL);
        waitpid(bare->echo_socket, NULL, 0);
    }
    memset(bare, 0, sizeof(*bare));
}

bool bench_bare_network(struct bench_bare *bare)
{
    const uint8_t frame[BENCH_FRAME_BYTES] = {0};
    return bench_nng_round_trip(bare->nng, frame, sizeof(frame));
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

/* Rows with the real programs: an agreement through a warm agent, and a large file beside stock age. */
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "bench/row.h"
#include "bench/world.h"
#include "crypto/agreement.h"
#include "crypto/random.h"
#include "device/agent_client.h"
#include "protocol/transport.h"

/* --- an agreement through a warm agent --- */

#define FRAME_BYTES 300 /* about what an agreement's request and answer take, and a log leaf */

/* What one agreement cannot do without, each part as bare as it comes. */
struct bare {
    struct hk_endpoint *endpoint; /* a service in another process that sends back what it gets */
    pid_t echo_service, echo_socket;
    int socket;
    sqlite3 *database;
    sqlite3_stmt *insert;
    struct hk_scalar eighth;
    uint8_t point[32];
};

struct agree {
    struct bench_world world;
    struct bare bare;
    struct hk_agent_client *client;
    uint8_t ephemeral[32];
};

static void echo(void *unused, struct hk_reply *reply, uint8_t *frame, size_t size)
{
    (void)unused;
    hk_reply_send(reply, frame, size);
}

/* nng must not be used before a fork: the echo service comes first, and tells its url through a pipe. */
static bool start_echo_service(struct bare *bare)
{
    int pipes[2];
    char url[HK_LISTEN_URL_MAX] = "";
    if (pipe(pipes) != 0) {
        return false;
    }
    bare->echo_service = fork();
    if (bare->echo_service == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const char *urls[] = {"tcp://127.0.0.1:0"}, *reason = NULL;
        struct hk_listener *listener;
        struct hk_listener_setup setup = {.urls = urls, .url_count = 1, .request = echo};
        if (hk_listener_new(&listener, &setup, &reason) != HK_OK) {
            _exit(1);
        }
        const char *got = hk_listener_url(listener, 0);
        if (write(pipes[1], got, strlen(got) + 1) < 0) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    close(pipes[1]);
    bool fine = read(pipes[0], url, sizeof(url) - 1) > 0;
    close(pipes[0]);
    return fine && hk_endpoint_new(&bare->endpoint, url) == HK_OK;
}

static bool start_echo_socket(struct bare *bare)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        return false;
    }
    bare->socket = pair[0];
    bare->echo_socket = fork();
    if (bare->echo_socket == 0) {
        uint8_t buffer[FRAME_BYTES];
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

static bool open_database(struct bare *bare, const char *directory)
{
    char path[BENCH_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/bare.db", directory);
    return sqlite3_open(path, &bare->database) == SQLITE_OK &&
           sqlite3_exec(bare->database,
                        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE leaf(bytes BLOB)",
                        NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(bare->database, "INSERT INTO leaf VALUES(?)", -1, &bare->insert, NULL) ==
               SQLITE_OK;
}

static bool run_bare(void *context, size_t times)
{
    struct bare *bare = &((struct agree *)context)->bare;
    uint8_t frame[FRAME_BYTES] = {0}, answer[FRAME_BYTES], share[32];
    size_t size;
    while (times-- > 0) {
        if (write(bare->socket, frame, sizeof(frame)) != sizeof(frame) ||
            recv(bare->socket, frame, sizeof(frame), MSG_WAITALL) != sizeof(frame) ||
            hk_endpoint_call(bare->endpoint, frame, sizeof(frame), answer, sizeof(answer), &size, 0) !=
                HK_OK ||
            hk_agree_share(share, &bare->eighth, bare->point, 1) != HK_OK) {
            return false;
        }
        sqlite3_bind_blob(bare->insert, 1, frame, sizeof(frame), SQLITE_STATIC);
        if (sqlite3_step(bare->insert) != SQLITE_DONE) {
            return false;
        }
        sqlite3_reset(bare->insert);
    }
    return true;
}

static bool run_agree(void *context, size_t times)
{
    struct agree *agree = context;
    while (times-- > 0) {
        struct hk_agent_message *request = hk_agent_request(agree->client, HK_AGENT_AGREE);
        hk_agent_set_text(request, HK_A_KEY, "files");
        if (!hk_agent_add(request, HK_A_POINTS, agree->ephemeral, sizeof(agree->ephemeral)) ||
            hk_agent_call(agree->client, 0) != HK_OK) {
            return false;
        }
    }
    return true;
}

static bool agree_start(struct agree *agree, const struct bench_settings *settings)
{
    char reason[256];
    uint8_t secret[32];
    struct hk_scalar half;
    struct hk_point point;
    memset(agree, 0, sizeof(*agree));
    if (!start_echo_service(&agree->bare) || !start_echo_socket(&agree->bare) ||
        !bench_world_start(&agree->world, settings) || !open_database(&agree->bare, agree->world.directory)) {
        return false;
    }
    hk_random(secret, sizeof(secret));
    crypto_scalarmult_base(agree->ephemeral, secret);
    hk_scalar_random(&hk_edwards25519, &half);
    hk_agree_eighth(&agree->bare.eighth, &half);
    if (hk_x25519_to_point(&point, agree->ephemeral) != HK_OK) {
        return false;
    }
    memcpy(agree->bare.point, point.bytes, 32);
    return hk_agent_connect(&agree->client, true, reason) == HK_OK;
}

static void agree_stop(struct agree *agree)
{
    hk_agent_client_free(agree->client);
    sqlite3_finalize(agree->bare.insert);
    sqlite3_close(agree->bare.database);
    bench_world_stop(&agree->world);
    if (agree->bare.endpoint != NULL) {
        hk_endpoint_free(agree->bare.endpoint);
    }
    for (int i = 0; i < 2; i++) {
        pid_t child = i == 0 ? agree->bare.echo_service : agree->bare.echo_socket;
        if (child > 0) {
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
        }
    }
}

bool bench_agree_agent(struct bench_result *result, const struct bench_settings *settings)
{
    static struct agree agree;
    bool fine = agree_start(&agree, settings) &&
                bench_measure(result, &(struct bench_plan){.clock = BENCH_WALL,
                                                           .thing = run_agree,
                                                           .baseline = run_bare,
                                                           .context = &agree,
                                                           .seconds = settings->seconds});
    agree_stop(&agree);
    return fine;
}

/* --- a large file, beside stock age with a plain key --- */

#define FILE_MIB 256

struct file {
    struct bench_world world;
    char encrypted[2][BENCH_PATH_MAX + 16]; /* for halfkey's key, for a plain one */
    char identity[BENCH_PATH_MAX + 16], out[BENCH_PATH_MAX + 16];
};

static bool run_halfkey_decrypt(void *context, size_t times)
{
    struct file *file = context;
    while (times-- > 0) {
        if (!bench_run(
                &file->world, NULL,
                (const char *const[]){"halfkey", "decrypt", file->encrypted[0], "-o", file->out, NULL})) {
            return false;
        }
    }
    return true;
}

static bool run_age_decrypt(void *context, size_t times)
{
    struct file *file = context;
    while (times-- > 0) {
        if (!bench_run(&file->world, NULL,
                       (const char *const[]){"age", "-d", "-i", file->identity, "-o", file->out,
                                             file->encrypted[1], NULL})) {
            return false;
        }
    }
    return true;
}

/* The first line of a file. */
static bool read_line(const char *path, char *line, size_t size)
{
    FILE *stream = fopen(path, "r");
    bool fine = stream != NULL && fgets(line, (int)size, stream) != NULL;
    if (stream != NULL) {
        fclose(stream);
    }
    if (fine) {
        line[strcspn(line, "\n")] = '\0';
    }
    return fine;
}

static bool make_plain_file(const char *path)
{
    static uint8_t block[1 << 20];
    FILE *stream = fopen(path, "w");
    bool fine = stream != NULL;
    hk_random(block, sizeof(block));
    for (int i = 0; fine && i < FILE_MIB; i++) {
        fine = fwrite(block, sizeof(block), 1, stream) == 1;
    }
    return stream != NULL && fclose(stream) == 0 && fine;
}

static bool file_start(struct file *file, const struct bench_settings *settings)
{
    char plain[BENCH_PATH_MAX + 16], text[BENCH_PATH_MAX + 16], recipient[2][256];
    memset(file, 0, sizeof(*file));
    if (!bench_world_start(&file->world, settings)) {
        return false;
    }
    const char *directory = file->world.directory;
    snprintf(plain, sizeof(plain), "%s/plain", directory);
    snprintf(text, sizeof(text), "%s/text", directory);
    snprintf(file->out, sizeof(file->out), "%s/out", directory);
    snprintf(file->identity, sizeof(file->identity), "%s/identity", directory);
    for (int i = 0; i < 2; i++) {
        snprintf(file->encrypted[i], sizeof(file->encrypted[i]), "%s/%d.age", directory, i);
    }
    if (!make_plain_file(plain) ||
        !bench_run(&file->world, text,
                   (const char *const[]){"halfkey", "key", "export", "files", "--format", "age", NULL}) ||
        !read_line(text, recipient[0], sizeof(recipient[0])) ||
        !bench_run(&file->world, NULL, (const char *const[]){"age-keygen", "-o", file->identity, NULL}) ||
        !bench_run(&file->world, text, (const char *const[]){"age-keygen", "-y", file->identity, NULL}) ||
        !read_line(text, recipient[1], sizeof(recipient[1]))) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (!bench_run(
                &file->world, NULL,
                (const char *const[]){"age", "-r", recipient[i], "-o", file->encrypted[i], plain, NULL})) {
            return false;
        }
    }
    return true;
}

bool bench_decrypt_file(struct bench_result *result, const struct bench_settings *settings)
{
    static struct file file;
    bool fine = file_start(&file, settings) &&
                bench_measure(result, &(struct bench_plan){.clock = BENCH_WALL,
                                                           .thing = run_halfkey_decrypt,
                                                           .baseline = run_age_decrypt,
                                                           .context = &file,
                                                           .seconds = settings->seconds});
    bench_world_stop(&file.world);
    return fine;
}

#include "bench/bare_nng.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTEXTS 64
#define TIMEOUT_MS 10000
#define URL_MAX 64

/* ---- there ---- */

struct echo {
    nng_ctx context;
    nng_aio *aio;
    bool sending;
};

static void on_echo(void *argument)
{
    struct echo *echo = argument;
    bool sends = !echo->sending && nng_aio_result(echo->aio) == 0;
    echo->sending = sends;
    if (sends) { /* the message that came is the one that goes */
        nng_ctx_send(echo->context, echo->aio);
    } else {
        nng_ctx_recv(echo->context, echo->aio);
    }
}

int bench_serve_echo(void)
{
    static struct echo echoes[CONTEXTS];
    nng_socket socket;
    nng_listener listener;
    nng_sockaddr address;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (nng_rep0_open(&socket) != 0) {
        return 1;
    }
    for (size_t i = 0; i < CONTEXTS; i++) {
        if (nng_ctx_open(&echoes[i].context, socket) != 0 ||
            nng_aio_alloc(&echoes[i].aio, on_echo, &echoes[i]) != 0) {
            return 1;
        }
        nng_ctx_recv(echoes[i].context, echoes[i].aio);
    }
    if (nng_listener_create(&listener, socket, "tcp://127.0.0.1:0") != 0 ||
        nng_listener_start(listener, 0) != 0 ||
        nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &address) != 0) {
        return 1;
    }
    const uint8_t *port = (const uint8_t *)&address.s_in.sa_port; /* network order */
    printf("tcp://127.0.0.1:%d\n", port[0] << 8 | port[1]);
    fflush(stdout);
    for (;;) {
        pause();
    }
}

/* ---- here ---- */

struct bench_nng {
    pid_t child;
    nng_socket socket;
    nng_ctx context;
    nng_aio *aio;
};

static bool start_child(struct bench_nng *nng, char url[URL_MAX])
{
    int ends[2];
    if (pipe(ends) != 0) {
        return false;
    }
    nng->child = fork();
    if (nng->child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        execl("/proc/self/exe", "halfkey-bench", "--serve-echo", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *file = fdopen(ends[0], "r");
    bool fine = file != NULL && fgets(url, URL_MAX, file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    url[strcspn(url, "\n")] = '\0';
    return nng->child > 0 && fine;
}

struct bench_nng *bench_nng_start(void)
{
    char url[URL_MAX] = "";
    struct bench_nng *nng = calloc(1, sizeof(*nng));
    if (nng == NULL || !start_child(nng, url) || nng_req0_open(&nng->socket) != 0 ||
        nng_dial(nng->socket, url, NULL, 0) != 0 || nng_ctx_open(&nng->context, nng->socket) != 0 ||
        nng_aio_alloc(&nng->aio, NULL, NULL) != 0) {
        bench_nng_stop(nng);
        return NULL;
    }
    nng_aio_set_timeout(nng->aio, TIMEOUT_MS);
    return nng;
}

void bench_nng_stop(struct bench_nng *nng)
{
    if (nng == NULL) {
        return;
    }
    if (nng->aio != NULL) {
        nng_aio_stop(nng->aio);
        nng_aio_free(nng->aio);
    }
    nng_close(nng->socket);
    if (nng->child > 0) {
        kill(nng->child, SIGKILL);
        waitpid(nng->child, NULL, 0);
    }
    free(nng);
}

bool bench_nng_round_trip(struct bench_nng *nng, const uint8_t *frame, size_t size)
{
    nng_msg *message;
    if (nng_msg_alloc(&message, size) != 0) {
        return false;
    }
    memcpy(nng_msg_body(message), frame, size);
    nng_aio_set_msg(nng->aio, message);
    nng_ctx_send(nng->context, nng->aio);
    nng_aio_wait(nng->aio);
    if (nng_aio_result(nng->aio) != 0) {
        nng_msg_free(message);
        return false;
    }
    nng_ctx_recv(nng->context, nng->aio);
    nng_aio_wait(nng->aio);
    if (nng_aio_result(nng->aio) != 0) {
        return false;
    }
    message = nng_aio_get_msg(nng->aio);
    bool same = nng_msg_len(message) == size && memcmp(nng_msg_body(message), frame, size) == 0;
    nng_msg_free(message);
    return same;
}

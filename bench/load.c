#include "bench/load.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load_parts.h"
#include "bench/sample.h"
#include "crypto/agreement.h"

#define EVENTS 256
#define SESSIONS_A_MEMBER 4
#define ANSWER_ROOM 1024
#define STUCK_SECONDS 20
#define GREETED 64

/* --- connecting --- */

static void allow_descriptors(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool open_one(struct bench_load *load, const struct bench_load_plan *plan, size_t n)
{
    struct connection *connection = &load->connections[n];
    struct hk_scalar eighth;
    connection->member = &plan->members[n % plan->member_count];
    connection->session = &load->sessions[n % load->session_count];
    connection->room = ANSWER_ROOM;
    connection->in = malloc(connection->room);
    connection->fd = bench_connect(&load->address, n);
    if (connection->in == NULL || connection->fd < 0 ||
        (n < load->session_count &&
         !bench_session_open(connection->session, connection->fd, &load->address, connection->member))) {
        return false;
    }
    if (connection->member->knows_service) {
        hk_agree_part(&hk_agree_x25519, &eighth, &connection->member->key[BENCH_AGREE].service);
        if (hk_agree_share(&hk_agree_x25519, connection->expected, &eighth, load->points[0], 1) != HK_OK) {
            return false;
        }
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0;
}

void bench_load_close(struct bench_load *load)
{
    if (load == NULL) {
        return;
    }
    for (size_t n = 0; load->connections != NULL && n < load->count; n++) {
        if (load->connections[n].fd > 0) {
            close(load->connections[n].fd);
        }
        free(load->connections[n].in);
    }
    for (size_t n = 0; load->sessions != NULL && n < load->session_count; n++) {
        (void)hk_session_close(&load->sessions[n].session);
    }
    if (load->epoll >= 0) {
        close(load->epoll);
    }
    free(load->connections);
    free(load->sessions);
    free(load);
}

/* --- running --- */

struct running {
    struct bench_load *load;
    const struct bench_load_plan *plan;
    struct bench_load_result *result;
    size_t active, busy, next; /* `next`: where to look for an idle connection */
    double start, count_from, end, next_due;
    uint64_t seen;
};

static void note(struct running *run, double now, double due)
{
    struct bench_load_result *result = run->result;
    if (now < run->count_from || now >= run->end) {
        return;
    }
    size_t at = result->latency_count;
    if (at < BENCH_LATENCIES) {
        result->latency_count++;
    } else {
        at = (size_t)(randombytes_random() % (run->seen + 1));
    }
    run->seen++;
    if (at < BENCH_LATENCIES) {
        result->latency[at] = now - due;
    }
}

static bool ask(struct running *run, struct connection *connection, double due)
{
    run->busy++;
    return bench_ask(run->load, connection, &run->plan->mix, due);
}

/* Sends what is due: in a closed loop whatever is idle, in an open loop what its time has come for, as far as
 * there are idle connections; what finds none waits, and its latency grows. */
static bool send_due(struct running *run, double now)
{
    while (run->busy < run->active && now < run->end) {
        double due = now;
        if (run->plan->rate > 0) {
            due = run->next_due;
            if (due > now) {
                return true;
            }
            run->next_due += 1 / run->plan->rate;
        }
        while (run->load->connections[run->next].busy) {
            run->next = (run->next + 1) % run->active;
        }
        if (!ask(run, &run->load->connections[run->next], due)) {
            return false;
        }
    }
    return true;
}

static bool finish_answer(struct running *run, struct connection *connection)
{
    bool refused;
    if (!bench_check(run->load, connection, &run->plan->mix, connection->in + WIRE_HEADER,
                     connection->have - WIRE_HEADER, &refused)) {
        return false;
    }
    double now = bench_now(BENCH_WALL);
    connection->busy = false;
    run->busy--;
    if (refused) {
        run->result->refused++;
    } else {
        run->result->answers += now >= run->count_from && now < run->end;
        run->result->all++;
        run->result->all_points +=
            connection->op == HK_OP_AGREE && run->plan->mix.points != 0 ? run->plan->mix.points : 1;
    }
    note(run, now, connection->due);
    return true;
}

static bool read_some(struct running *run, struct connection *connection)
{
    size_t wanted = WIRE_HEADER;
    if (connection->have >= WIRE_HEADER) {
        uint64_t length = hk_get_u64(connection->in);
        if (length < 4 || length > HK_FRAME_MAX + 4) {
            fprintf(stderr, "halfkey-bench: the service sent a message of an impossible length\n");
            return false;
        }
        wanted = (size_t)length + 8;
    }
    if (connection->room < HK_FRAME_MAX && wanted > connection->room) {
        uint8_t *larger = realloc(connection->in, WIRE_HEADER + HK_FRAME_MAX);
        if (larger == NULL) {
            return false;
        }
        connection->in = larger;
        connection->room = WIRE_HEADER + HK_FRAME_MAX;
    }
    ssize_t got = recv(connection->fd, connection->in + connection->have, connection->room - connection->have,
                       MSG_DONTWAIT);
    if (got <= 0) {
        bool later = got < 0 && (errno == EAGAIN || errno == EINTR);
        if (!later) {
            fprintf(stderr, "halfkey-bench: the service closed a connection\n");
        }
        return later;
    }
    connection->have += (size_t)got;
    if (connection->have >= WIRE_HEADER && connection->have == hk_get_u64(connection->in) + 8) {
        return finish_answer(run, connection);
    }
    return true;
}

static int wait_ms(const struct running *run, double now)
{
    if (run->plan->rate <= 0 || run->busy == run->active || now >= run->end) {
        return 1000;
    }
    double left = run->next_due - now;
    return left <= 0 ? 0 : (int)(left * 1000);
}

static bool run_loop(struct running *run)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        double now = bench_now(BENCH_WALL);
        if (!send_due(run, now)) {
            return false;
        }
        if (run->busy == 0 && now >= run->end) {
            return true;
        }
        if (now > run->end + STUCK_SECONDS) {
            fprintf(stderr, "halfkey-bench: the service leaves requests without an answer\n");
            return false;
        }
        int count = epoll_wait(run->load->epoll, events, EVENTS, wait_ms(run, now));
        for (int i = 0; i < count; i++) {
            if (!read_some(run, events[i].data.ptr)) {
                return false;
            }
        }
    }
}

/* A connection that shows no authentic frame is soon closed: each begins with one request, a few at a time.
 */
static bool greet(struct bench_load *load, size_t first, size_t end)
{
    struct bench_load_plan once = {.mix = {.agree = 1}};
    struct bench_load_result ignored = {.latency = NULL};
    struct running run = {.load = load, .plan = &once, .result = &ignored};
    run.start = run.end = run.count_from = bench_now(BENCH_WALL);
    for (size_t n = first; n < end; n++) {
        if (!ask(&run, &load->connections[n], run.start)) {
            return false;
        }
    }
    return run_loop(&run);
}

struct bench_load *bench_load_open(const struct bench_load_plan *plan)
{
    const char *reason = NULL;
    struct bench_load *load = calloc(1, sizeof(*load));
    if (load == NULL || hk_address_parse(&load->address, plan->address, &reason) != HK_OK) {
        fprintf(stderr, "halfkey-bench: %s\n", reason != NULL ? reason : "no memory");
        free(load);
        return NULL;
    }
    load->count = plan->connections;
    load->session_count = plan->member_count * SESSIONS_A_MEMBER;
    load->session_count = load->session_count < load->count ? load->session_count : load->count;
    load->connections = calloc(load->count, sizeof(*load->connections));
    load->sessions = calloc(load->session_count, sizeof(*load->sessions));
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    allow_descriptors(load->count + 100);
    for (size_t i = 0; i < POINTS_MAX; i++) {
        crypto_core_ed25519_random(load->points[i]);
    }
    randombytes_buf(load->message, sizeof(load->message));
    bool fine = load->connections != NULL && load->sessions != NULL && load->epoll >= 0;
    for (size_t n = 0; fine && n < load->count; n++) {
        load->connections[n].fd = -1;
        fine = open_one(load, plan, n);
        bool last = n + 1 == load->count;
        load->count = fine ? load->count : n + 1;
        if (fine && (last || (n + 1) % GREETED == 0)) {
            fine = greet(load, n / GREETED * GREETED, n + 1);
        }
    }
    if (!fine) {
        bench_load_close(load);
        return NULL;
    }
    return load;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool bench_load_run(struct bench_load *load, const struct bench_load_plan *plan,
                    struct bench_load_result *result)
{
    memset(result, 0, sizeof(*result));
    result->latency = calloc(BENCH_LATENCIES, sizeof(*result->latency));
    result->seconds = plan->seconds;
    struct running run = {.load = load, .plan = plan, .result = result};
    run.active = plan->active != 0 && plan->active < load->count ? plan->active : load->count;
    run.start = run.next_due = bench_now(BENCH_WALL);
    run.count_from = run.start + plan->warm;
    run.end = run.count_from + plan->seconds;
    bool fine = result->latency != NULL && run_loop(&run);
    if (fine) {
        qsort(result->latency, result->latency_count, sizeof(*result->latency), compare);
    } else {
        bench_load_free(result);
    }
    return fine;
}

void bench_load_free(struct bench_load_result *result)
{
    free(result->latency);
    result->latency = NULL;
    result->latency_count = 0;
}

double bench_load_quantile(const struct bench_load_result *result, double part)
{
    if (result->latency_count == 0) {
        return 0;
    }
    size_t at = (size_t)(part * (double)result->latency_count);
    return result->latency[at < result->latency_count ? at : result->latency_count - 1];
}

/* load.h - a load generator for a key service: many connections in one process, closed or open loop, mixed
 * operations.
 *
 * It speaks the transport's own wire form (the SP framing of nng's tcp transport and the request id of its
 * req protocol) over plain sockets and epoll: ten thousand connections cost it ten thousand sockets, where as
 * many nng sockets would cost threads and descriptors each. Sessions, frames and messages are the shipped
 * code's. Every answer is opened, decoded and checked; where the member's service half is known, its value
 * too.
 *
 * Closed loop: each connection has one request under way, always. Open loop: requests are due at a fixed rate
 * whether the service keeps up or not; latency counts from the moment at which a request was due, so queueing
 * is seen. Loopback services get a different source address for each few hundred connections, as their limit
 * on strangers' handshakes counts by address. One thread; ends by itself after the time asked for. */
#ifndef HALFKEY_BENCH_LOAD_H
#define HALFKEY_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/fleet.h"

#define BENCH_LOAD_CONNECTIONS 10000
#define BENCH_LATENCIES 200000 /* kept; beyond, every one replaces a random earlier one */

/* What is asked. Weights: how many of each in a round. */
struct bench_mix {
    unsigned agree, sign;
    unsigned points; /* of one agreement request; 0: 1 */
};

struct bench_load_plan {
    const char *address; /* halfkey:// over tcp */
    const struct bench_member *members;
    size_t member_count; /* connections take them in turn; four sessions each, shared beyond */
    size_t connections;
    struct bench_mix mix;
    double rate;    /* requests a second over all connections; 0: closed loop */
    double seconds; /* counted, after `warm` seconds that are not */
    double warm;
    size_t active; /* connections that ask; 0: all. The others are connected and idle. */
};

struct bench_load_result {
    uint64_t answers; /* within the time that counts */
    double seconds;   /* that time */
    uint64_t all,
        all_points;   /* in the whole run, warm-up and last answers included: what processor time was for */
    uint64_t refused; /* answered with an error: over a quota, busy */
    size_t latency_count;
    double *latency; /* seconds, sorted; freed by bench_load_free */
};

/* A load that is connected. */
struct bench_load;
/* Connects and opens all sessions. NULL, having said why on standard error, if that fails. */
struct bench_load *bench_load_open(const struct bench_load_plan *plan);
/* Runs it once; may be called again, with the plan's rate, mix, seconds, warm or active changed. False,
 * having said why, if an answer was wrong or a connection was lost. */
bool bench_load_run(struct bench_load *load, const struct bench_load_plan *plan,
                    struct bench_load_result *result);
void bench_load_close(struct bench_load *load);
void bench_load_free(struct bench_load_result *result);

/* The latency below which a share `part` (0 to 1) of them lies. */
double bench_load_quantile(const struct bench_load_result *result, double part);

#endif

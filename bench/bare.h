/* bare.h - what a share operation over the network cannot do without, each part as bare as it comes: a round
 * trip over nng to a process that sends back what it gets, one over a local socket, one durable commit, one
 * multiplication. */
#ifndef HALFKEY_BENCH_BARE_H
#define HALFKEY_BENCH_BARE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/bare_nng.h"
#include "crypto/group.h"

#define BENCH_FRAME_BYTES 300 /* about what an agreement's request and answer take, and a log leaf */

struct bench_bare {
    struct bench_nng *nng;
    pid_t echo_socket;
    int socket;
    sqlite3 *database;
    sqlite3_stmt *insert;
    struct hk_scalar eighth;
    uint8_t point[32];
};

/* The database is a new file in `directory`: a table of blobs, its journal and durability as the service's
 * store has them. */
bool bench_bare_start(struct bench_bare *bare, const char *directory);
void bench_bare_stop(struct bench_bare *bare);

bool bench_bare_network(struct bench_bare *bare); /* nng round trip */
bool bench_bare_local(struct bench_bare *bare);   /* local socket round trip */
bool bench_bare_commit(struct bench_bare *bare);  /* one row, durable */
bool bench_bare_share(struct bench_bare *bare);   /* one share of an agreement */

#endif

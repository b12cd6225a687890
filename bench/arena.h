/* arena.h - where load is made: a halfkeyd on a data directory full of accounts, or a service that runs
 * elsewhere with one account of our own. */
#ifndef HALFKEY_BENCH_ARENA_H
#define HALFKEY_BENCH_ARENA_H

#include "bench/fleet.h"
#include "bench/row.h"
#include "bench/service.h"
#include "bench/world.h"

#define BENCH_SEED 1

struct bench_arena {
    char folder[BENCH_PATH_MAX], data[BENCH_PATH_MAX + 8];
    struct bench_service service; /* pid 0 for a service elsewhere */
    struct bench_world world;     /* of a service elsewhere */
    char address[700];
    struct bench_member *members;
    size_t member_count;
};

/* `accounts` in the store, `members` of them, evenly spread, at hand. At a service
 * elsewhere there is one member, whatever is asked. False, having said why. */
bool bench_arena_open(struct bench_arena *arena, const struct bench_settings *settings, size_t accounts,
                      size_t members);
void bench_arena_close(struct bench_arena *arena);

#endif

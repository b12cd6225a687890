/* world.h - what rows need that measure more than mathematics: the real programs, running, in a folder of
 * their own. */
#ifndef HALFKEY_BENCH_WORLD_H
#define HALFKEY_BENCH_WORLD_H

#include <stdbool.h>
#include <sys/types.h>

#include "bench/row.h"

#define BENCH_PATH_MAX 900

struct bench_world {
    char directory[BENCH_PATH_MAX]; /* removed at the end */
    char programs[BENCH_PATH_MAX];
    char address[700];
    pid_t service;
};

/* Starts halfkeyd on a free port and makes an account without a passphrase, with the keys "files" (x25519)
 * and "git" (ed25519); HALFKEY_HOME is set for this process. Says on standard error what failed. */
bool bench_world_start(struct bench_world *world, const struct bench_settings *settings);
void bench_world_stop(struct bench_world *world);

/* Runs a program to its end; its standard output goes to `out` (a path; NULL: nowhere). True if it ends with
 * 0. A name without a slash is looked for in the folder of the programs first. */
bool bench_run(const struct bench_world *world, const char *out, const char *const argv[]);

#endif

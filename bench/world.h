/* world.h - what rows need that measure the device's programs too: a service and an account, in a folder of
 * their own. */
#ifndef HALFKEY_BENCH_WORLD_H
#define HALFKEY_BENCH_WORLD_H

#include <stdbool.h>

#include "bench/row.h"
#include "bench/service.h"

struct bench_world {
    char directory[BENCH_PATH_MAX]; /* removed at the end */
    char programs[BENCH_PATH_MAX];
    char address[700];
    struct bench_service service; /* not started where --service names one */
    bool has_account;
};

/* Starts halfkeyd on a free port, or takes the service that the settings name, and makes an account without a
 * passphrase, with the keys "files" (x25519) and "git" (ed25519); HALFKEY_HOME is set for this process. Says
 * on standard error what failed. */
bool bench_world_start(struct bench_world *world, const struct bench_settings *settings);
/* Ends the agent and the service; at a service that it did not start it revokes its device, so that what is
 * left there is an account that can do nothing. */
void bench_world_stop(struct bench_world *world);

/* Runs a program to its end; its standard output goes to `out` (a path; NULL: nowhere). True if it ends with
 * 0. A name without a slash is looked for in the folder of the programs first. */
bool bench_run(const struct bench_world *world, const char *out, const char *const argv[]);

#endif

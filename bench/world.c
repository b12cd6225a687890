#include "bench/world.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

bool bench_run(const struct bench_world *world, const char *out, const char *const argv[])
{
    int status = 1;
    pid_t child = bench_spawn(world->programs, out, false, argv);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static bool make_account(struct bench_world *world)
{
    world->has_account = bench_run(world, NULL,
                                   (const char *const[]){"halfkey", "init", "--service", world->address,
                                                         "--device", "bench", "--no-passphrase", NULL});
    return world->has_account &&
           bench_run(world, NULL,
                     (const char *const[]){"halfkey", "key", "create", "files", "--suite", "x25519", NULL}) &&
           bench_run(world, NULL,
                     (const char *const[]){"halfkey", "key", "create", "git", "--suite", "ed25519", NULL});
}

bool bench_world_start(struct bench_world *world, const struct bench_settings *settings)
{
    char home[BENCH_PATH_MAX + 64], data[BENCH_PATH_MAX + 64];
    memset(world, 0, sizeof(*world));
    bench_find_programs(world->programs, settings->programs);
    if (!bench_folder_make(world->directory, settings->directory)) {
        return false;
    }
    snprintf(home, sizeof(home), "%s/home", world->directory);
    setenv("HALFKEY_HOME", home, 1);
    snprintf(data, sizeof(data), "%s/service", world->directory);
    bool fine = settings->service != NULL || bench_service_start(&world->service, world->programs, data);
    snprintf(world->address, sizeof(world->address), "%s",
             settings->service != NULL ? settings->service : world->service.address);
    if (!fine || !make_account(world)) {
        fprintf(stderr, "halfkey-bench: no account at %s\n", fine ? world->address : "a service of its own");
        bench_world_stop(world);
        return false;
    }
    return true;
}

/* The device revokes itself with the certificate that init wrote. */
static void give_up_account(const struct bench_world *world)
{
    char pattern[BENCH_PATH_MAX + 32];
    glob_t found = {.gl_pathc = 0};
    snprintf(pattern, sizeof(pattern), "%s/home/*.cert", world->directory);
    bool gone = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1 &&
                bench_run(world, NULL,
                          (const char *const[]){"halfkey", "revoke", "--certificate", found.gl_pathv[0],
                                                "--service", world->address, NULL});
    if (!gone) {
        fprintf(stderr, "halfkey-bench: the account that it made is still active at %s\n", world->address);
    }
    globfree(&found);
}

void bench_world_stop(struct bench_world *world)
{
    if (world->has_account && world->service.pid == 0) {
        give_up_account(world);
    }
    (void)bench_run(world, NULL, (const char *const[]){"halfkey", "agent", "--stop", NULL});
    bench_service_stop(&world->service);
    bench_folder_remove(world->directory);
    world->directory[0] = '\0';
}

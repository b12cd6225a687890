#include "bench/world.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void find_programs(struct bench_world *world, const struct bench_settings *settings)
{
    if (settings->programs != NULL) {
        snprintf(world->programs, sizeof(world->programs), "%s", settings->programs);
        return;
    }
    ssize_t length = readlink("/proc/self/exe", world->programs, sizeof(world->programs) - 1);
    world->programs[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(world->programs, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

static pid_t spawn(const struct bench_world *world, const char *out, const char *const argv[])
{
    char path[2 * BENCH_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", world->programs, argv[0]);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        int fd = open(out != NULL ? out : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd >= 0) {
            dup2(fd, STDOUT_FILENO);
        }
        if (strchr(argv[0], '/') != NULL || access(path, X_OK) != 0) {
            execvp(argv[0], (char *const *)argv);
        } else {
            execv(path, (char *const *)argv);
        }
        _exit(127);
    }
    return child;
}

bool bench_run(const struct bench_world *world, const char *out, const char *const argv[])
{
    int status = 1;
    pid_t child = spawn(world, out, argv);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static bool wait_ready(struct bench_world *world, const char *path)
{
    static const char ready[] = "halfkeyd ready ";
    for (int i = 0; i < 200; i++) {
        char line[600] = "";
        FILE *file = fopen(path, "r");
        bool got = file != NULL && fgets(line, sizeof(line), file) != NULL && strchr(line, '\n') != NULL;
        if (file != NULL) {
            fclose(file);
        }
        if (got && strncmp(line, ready, sizeof(ready) - 1) == 0) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(world->address, sizeof(world->address), "%s", line + sizeof(ready) - 1);
            return true;
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return false;
}

bool bench_world_start(struct bench_world *world, const struct bench_settings *settings)
{
    char path[BENCH_PATH_MAX + 64], data[BENCH_PATH_MAX + 64];
    memset(world, 0, sizeof(*world));
    find_programs(world, settings);
    snprintf(world->directory, sizeof(world->directory), "%s/halfkey-bench.XXXXXX", settings->directory);
    if (mkdtemp(world->directory) == NULL) {
        perror("halfkey-bench: cannot make a folder");
        return false;
    }
    char *absolute = realpath(world->directory, NULL);
    snprintf(world->directory, sizeof(world->directory), "%s", absolute != NULL ? absolute : "");
    free(absolute);
    snprintf(path, sizeof(path), "%s/home", world->directory);
    setenv("HALFKEY_HOME", path, 1);
    snprintf(data, sizeof(data), "%s/service", world->directory);
    snprintf(path, sizeof(path), "%s/ready", world->directory);
    world->service =
        spawn(world, path,
              (const char *const[]){"halfkeyd", "--data", data, "--listen", "tcp://127.0.0.1:0", NULL});
    if (!wait_ready(world, path) ||
        !bench_run(world, NULL,
                   (const char *const[]){"halfkey", "init", "--service", world->address, "--device", "bench",
                                         "--no-passphrase", NULL}) ||
        !bench_run(world, NULL,
                   (const char *const[]){"halfkey", "key", "create", "files", "--suite", "x25519", NULL}) ||
        !bench_run(world, NULL,
                   (const char *const[]){"halfkey", "key", "create", "git", "--suite", "ed25519", NULL})) {
        fprintf(stderr,
                "halfkey-bench: halfkeyd or halfkey does not start; --programs DIR says where they are\n");
        bench_world_stop(world);
        return false;
    }
    return true;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void bench_world_stop(struct bench_world *world)
{
    (void)bench_run(world, NULL, (const char *const[]){"halfkey", "agent", "--stop", NULL});
    if (world->service > 0) {
        kill(world->service, SIGTERM);
        waitpid(world->service, NULL, 0);
        world->service = 0;
    }
    if (world->directory[0] != '\0') {
        nftw(world->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

#include "bench/service.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/sample.h"

#define READY_SECONDS 120

void bench_find_programs(char out[BENCH_PATH_MAX], const char *chosen)
{
    if (chosen != NULL) {
        snprintf(out, BENCH_PATH_MAX, "%s", chosen);
        return;
    }
    ssize_t length = readlink("/proc/self/exe", out, BENCH_PATH_MAX - 1);
    out[length < 0 ? 0 : length] = '\0';
    char *slash = strrchr(out, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

pid_t bench_spawn(const char *programs, const char *out, bool quiet, const char *const argv[])
{
    char path[2 * BENCH_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", programs, argv[0]);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        int null = open("/dev/null", O_WRONLY);
        int fd = out != NULL ? open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600) : null;
        if (fd >= 0) {
            dup2(fd, STDOUT_FILENO);
        }
        if (quiet && null >= 0) {
            dup2(null, STDERR_FILENO);
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

static bool wait_ready(struct bench_service *service, const char *path, double start)
{
    static const char ready[] = "halfkeyd ready ";
    while (bench_now(BENCH_WALL) - start < READY_SECONDS) {
        char line[600] = "";
        FILE *file = fopen(path, "r");
        bool got = file != NULL && fgets(line, sizeof(line), file) != NULL && strchr(line, '\n') != NULL;
        if (file != NULL) {
            fclose(file);
        }
        if (got && strncmp(line, ready, sizeof(ready) - 1) == 0) {
            service->started = bench_now(BENCH_WALL) - start;
            line[strcspn(line, "\n")] = '\0';
            snprintf(service->address, sizeof(service->address), "%s", line + sizeof(ready) - 1);
            return true;
        }
        if (waitpid(service->pid, NULL, WNOHANG) != 0) {
            service->pid = 0;
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return false;
}

bool bench_service_start(struct bench_service *service, const char *programs, const char *data)
{
    char path[BENCH_PATH_MAX + 16];
    memset(service, 0, sizeof(*service));
    snprintf(path, sizeof(path), "%s.ready", data);
    (void)unlink(path);
    double start = bench_now(BENCH_WALL);
    service->pid = bench_spawn(programs, path, true,
                               (const char *const[]){"halfkeyd", "--data", data, "--listen",
                                                     "tcp://127.0.0.1:0", "--quota", "0", NULL});
    if (service->pid <= 0 || !wait_ready(service, path, start)) {
        fprintf(stderr, "halfkey-bench: halfkeyd does not start; --programs DIR says where it is\n");
        bench_service_stop(service);
        return false;
    }
    return true;
}

void bench_service_stop(struct bench_service *service)
{
    if (service->pid > 0) {
        kill(service->pid, SIGTERM);
        waitpid(service->pid, NULL, 0);
        service->pid = 0;
    }
}

double bench_service_cpu(const struct bench_service *service)
{
    char path[600];
    unsigned long long total = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)service->pid);
    DIR *threads = opendir(path);
    for (struct dirent *entry; threads != NULL && (entry = readdir(threads)) != NULL;) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", (int)service->pid, entry->d_name);
        FILE *file = fopen(path, "r");
        if (file != NULL) {
            char text[128] = "";
            total += fgets(text, sizeof(text), file) != NULL ? strtoull(text, NULL, 10) : 0;
            fclose(file);
        }
    }
    if (threads != NULL) {
        closedir(threads);
    }
    return (double)total * 1e-9;
}

uint64_t bench_service_memory(const struct bench_service *service)
{
    char path[64];
    unsigned long long resident = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)service->pid);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        char text[128] = "", *second = NULL; /* all of it, then what is resident, in pages */
        if (fgets(text, sizeof(text), file) != NULL) {
            (void)strtoull(text, &second, 10);
            resident = strtoull(second, NULL, 10);
        }
        fclose(file);
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool bench_folder_make(char out[BENCH_PATH_MAX], const char *directory)
{
    char made[BENCH_PATH_MAX];
    snprintf(made, sizeof(made), "%s/halfkey-bench.XXXXXX", directory);
    out[0] = '\0';
    if (mkdtemp(made) == NULL) {
        perror("halfkey-bench: cannot make a folder (--directory DIR chooses where)");
        return false;
    }
    char *absolute = realpath(made, NULL);
    snprintf(out, BENCH_PATH_MAX, "%s", absolute != NULL ? absolute : made);
    free(absolute);
    return true;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void bench_folder_remove(const char *path)
{
    if (path[0] != '\0') {
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

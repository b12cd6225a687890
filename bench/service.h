/* service.h - a halfkeyd that the benchmark starts, and what it uses of the machine. */
#ifndef HALFKEY_BENCH_SERVICE_H
#define HALFKEY_BENCH_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_PATH_MAX 900

struct bench_service {
    pid_t pid; /* 0: none */
    char address[700];
    double started; /* seconds from the start of the process to its ready line */
};

/* Where halfkeyd and halfkey are: `chosen`, or beside this program. */
void bench_find_programs(char out[BENCH_PATH_MAX], const char *chosen);

/* Starts a program (looked for in `programs` first if its name has no slash) with standard output to the file
 * `out` (NULL: nowhere), and standard error to nowhere if `quiet`. */
pid_t bench_spawn(const char *programs, const char *out, bool quiet, const char *const argv[]);

/* Starts halfkeyd on a data directory, on a free loopback port, without a quota; waits for its ready line.
 * Says on standard error if it does not come. */
bool bench_service_start(struct bench_service *service, const char *programs, const char *data);
void bench_service_stop(struct bench_service *service);

/* Processor seconds so far, all threads, to the nanosecond; resident bytes. 0 where it cannot be known. */
double bench_service_cpu(const struct bench_service *service);
uint64_t bench_service_memory(const struct bench_service *service);

/* A new folder below `directory`, absolute, to `out`; and away with it and all that is in it. */
bool bench_folder_make(char out[BENCH_PATH_MAX], const char *directory);
void bench_folder_remove(const char *path);

#endif

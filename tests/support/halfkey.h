/* halfkey.h - the real build/test/halfkey, run as a user runs it.
 *
 * A device is a directory: its home is DIRECTORY/home, and what its last command read and wrote is in run.in,
 * run.out and run.err beside it. A command's agent goes on running: end it with `agent --stop`. */
#ifndef HALFKEY_TESTS_HALFKEY_H
#define HALFKEY_TESTS_HALFKEY_H

#include <stddef.h>
#include <sys/types.h>

struct halfkey_run {
    int status; /* exit status, -1 if it was killed */
    char out[32768], err[4096];
    size_t out_size;
};

/* Runs it with these arguments (NULL at the end); `input` (may be NULL) is its standard input. */
void halfkey_run(struct halfkey_run *run, const char *directory, const char *input,
                 const char *const arguments[]);
/* The same in two steps. */
pid_t halfkey_start(const char *directory, const char *input, const char *const arguments[]);
void halfkey_wait(struct halfkey_run *run, const char *directory, pid_t child);

#define HALFKEY_RUN(run, service, input, ...)                                                                \
    halfkey_run(run, (service)->directory, input, (const char *const[]){__VA_ARGS__, NULL})
/* The same with a device's directory, which must end in `expected`. */
#define HALFKEY_AT(expected, directory, ...)                                                                 \
    do {                                                                                                     \
        static struct halfkey_run run_;                                                                      \
        halfkey_run(&run_, directory, NULL, (const char *const[]){__VA_ARGS__, NULL});                       \
        if (run_.status != (expected)) {                                                                     \
            fail_msg("exit %d: %s", run_.status, run_.err);                                                  \
        }                                                                                                    \
    } while (0)
#define HALFKEY_EXPECT(expected, service, ...) HALFKEY_AT(expected, (service)->directory, __VA_ARGS__)

#endif

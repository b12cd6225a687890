/* home.h - the real command line, with a state folder of its own, for tests.
 *
 * Commands run build/test/halfkey (the one with the tests' seams) with this home and nothing of the caller's
 * HALFKEY_ or XDG_ settings; the agent that they start ends with hk_test_home_end. */
#ifndef HALFKEY_TESTS_HOME_H
#define HALFKEY_TESTS_HOME_H

#include <stdbool.h>
#include <sys/types.h>

#include "tests/support/service.h"

struct hk_test_home {
    char path[160];
    const char *set[8];  /* further variables, NAME=VALUE; NULL at the end */
    const char *program; /* another halfkey than build/test/halfkey; NULL: that one */
    uid_t user;          /* run as this user id, with no other groups, as setpriv does; 0: as the caller */
    const char *folder;  /* the current folder of the command; NULL: the caller's */
    void (*in_child)(const struct hk_test_home *home); /* the last thing before it is run; may be NULL */
};

/* What a command printed, and how it ended: its exit status, 128 + n for signal n. */
struct hk_test_output {
    int status;
    char out[32768], err[8192];
};

void hk_test_home_init(struct hk_test_home *home, const struct hk_test_service *service, const char *name);
/* Stops the agent. The files go with the service's directory. */
void hk_test_home_end(struct hk_test_home *home);

/* Runs a command to its end, 60 seconds at most; the arguments end with NULL. */
int hk_test_run(const struct hk_test_home *home, struct hk_test_output *output,
                const char *const arguments[]);
#define HK_RUN(home, output, ...) hk_test_run(home, output, (const char *const[]){__VA_ARGS__, NULL})
/* Must end with `want`, and say `word` (NULL: anything) on either stream; fails the test otherwise. */
void hk_test_expect(const struct hk_test_home *home, int want, const char *word,
                    const char *const arguments[]);
#define HK_EXPECT(home, want, word, ...)                                                                     \
    hk_test_expect(home, want, word, (const char *const[]){__VA_ARGS__, NULL})

/* A command that runs beside the test. */
struct hk_test_running {
    pid_t pid;
    int out, err;
};
void hk_test_begin(const struct hk_test_home *home, struct hk_test_running *running,
                   const char *const arguments[]);
int hk_test_finish(struct hk_test_running *running, struct hk_test_output *output);
/* The first line that begins with `start`, without it, from a running command's output. */
void hk_test_read_line(struct hk_test_running *running, const char *start, char *line, size_t max);

/* init without a passphrase; and a second device, joined and approved. */
void hk_test_home_account(struct hk_test_home *home, const struct hk_test_service *service,
                          const char *device);
void hk_test_home_pair(struct hk_test_home *admin, struct hk_test_home *home, const char *device);

/* The agent's process id, from the lock file; 0 if none runs. */
pid_t hk_test_agent(const struct hk_test_home *home);
/* Kills it: the next command starts another, which reads the state file. */
void hk_test_agent_kill(const struct hk_test_home *home);
/* Copies a state folder with cp -a, without agent, lock and socket. */
void hk_test_home_copy(const struct hk_test_home *from, const struct hk_test_home *to);

#endif

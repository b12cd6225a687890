/* lying_service.h - an attacker's service: the real one, in the test's own process, whose answers the test
 * changes before they are sealed. What it stores and logs is what the real one does.
 *
 * The devices that talk to it are the client of client.h and the real build/test/halfkey. */
#ifndef HALFKEY_TESTS_LYING_SERVICE_H
#define HALFKEY_TESTS_LYING_SERVICE_H

#include "keyservice/job.h"
#include "tests/support/service.h"

struct lying_service {
    struct hk_test_service service; /* for hk_test_device_init; its pid is 0 */
    struct hk_server *server;
};

/* The lie: may change job->answer (lasting memory: hk_job_memory) and *outcome. Runs in the service's
 * threads. */
typedef void lie_function(void *argument, struct hk_job *job, enum hk_error *outcome);

void lying_start(struct lying_service *lying);
/* From now on; NULL: honest. */
void lying_tell(lie_function *lie, void *argument);
void lying_stop(struct lying_service *lying);

/* The service's half of the key that the request is about. */
void lying_half(struct hk_job *job, struct hk_scalar *half);

/* ---- the real device ---- */

struct halfkey_run {
    int status; /* exit status, -1 if it was killed */
    char out[32768], err[4096];
    size_t out_size;
};
/* Runs build/test/halfkey with HALFKEY_HOME=DIRECTORY/home and these arguments (NULL at the end); `input`
 * (may be NULL) is its standard input. */
void halfkey_run(struct halfkey_run *run, const struct hk_test_service *service, const char *input,
                 const char *const arguments[]);
#define HALFKEY_RUN(run, service, input, ...)                                                                \
    halfkey_run(run, service, input, (const char *const[]){__VA_ARGS__, NULL})
/* The same, which must end in `expected`. */
#define HALFKEY_EXPECT(expected, service, ...)                                                               \
    do {                                                                                                     \
        static struct halfkey_run run_;                                                                      \
        HALFKEY_RUN(&run_, service, NULL, __VA_ARGS__);                                                      \
        if (run_.status != (expected)) {                                                                     \
            fail_msg("exit %d: %s", run_.status, run_.err);                                                  \
        }                                                                                                    \
    } while (0)

#endif

/* lying_service.h - an attacker's service: the real one, in the test's own process, whose answers the test
 * changes before they are sealed. What it stores and logs is what the real one does.
 *
 * The devices that talk to it are the client of client.h and the real build/test/halfkey. */
#ifndef HALFKEY_TESTS_LYING_SERVICE_H
#define HALFKEY_TESTS_LYING_SERVICE_H

#include "keyservice/job.h"
#include "tests/support/halfkey.h"
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

#endif

/* service.h - the real halfkeyd in a temporary directory, for tests.
 *
 * The program is the one with the tests' seams that was built beside the test. It listens on an ipc socket in
 * the directory (or on a free port of this machine), and a restart comes back at the same place. */
#ifndef HALFKEY_TESTS_SERVICE_H
#define HALFKEY_TESTS_SERVICE_H

#include <stdbool.h>
#include <sys/types.h>

#include "protocol/address.h"

struct hk_test_service {
    char directory[64]; /* DIR/data is its data, DIR/log its standard error */
    char listen[HK_ADDRESS_MAX];
    char line[HK_ADDRESS_MAX + 64]; /* the address as it was printed */
    struct hk_address address;
    const char *options[8]; /* further ones, NULL at the end */
    const char *crash;      /* HK_CRASH for the next start, or NULL */
    const char *notes;      /* HK_NOTES, or NULL */
    const char *set[4];     /* further variables, NAME=VALUE; NULL at the end */
    bool armed_later;       /* passages count only from hk_test_service_arm on */
    const char *fault;      /* HK_FAULT for the next start (protocol/seam_file.h), or NULL */
    pid_t pid;              /* 0: does not run */
};

/* Makes the directory and starts the service; fails the test if it is not ready in thirty seconds. */
void hk_test_service_start(struct hk_test_service *service, bool over_tcp);
/* Starts it again where it was. */
void hk_test_service_restart(struct hk_test_service *service);
/* SIGTERM, and its exit status; SIGKILL. */
int hk_test_service_stop(struct hk_test_service *service);
void hk_test_service_kill(struct hk_test_service *service);
/* With armed_later: from now on passages of the seam count. */
void hk_test_service_arm(const struct hk_test_service *service);
/* Waits until it has died by itself (a seam); false if it has not in ten seconds. */
bool hk_test_service_died(struct hk_test_service *service);
/* The path of the program: BUILD/test/halfkeyd. */
void hk_test_service_program(char *out, size_t size);
/* Kills what runs and removes the directory. */
void hk_test_service_end(struct hk_test_service *service);

#endif

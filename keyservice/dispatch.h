/* dispatch.h - from an opened request to its answer: one table of operations, one way through. */
#ifndef HALFKEY_KEYSERVICE_DISPATCH_H
#define HALFKEY_KEYSERVICE_DISPATCH_H

#include "keyservice/job.h"

/* Decodes, admits, executes, and answers now or after the commit. Takes the job. Any thread; never waits for
 * a commit. */
void hk_dispatch(struct hk_job *job);

/* The row of an operation; NULL if there is none. */
const struct hk_operation *hk_operation_row(uint64_t op) HK_CHECK;

/* Seconds since 1970. */
uint64_t hk_now(void) HK_CHECK;

#endif

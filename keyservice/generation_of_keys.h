/* generation_of_keys.h - messages 2 and 4 of a key's generation, the same for accounts and for their keys. */
#ifndef HALFKEY_KEYSERVICE_GENERATION_OF_KEYS_H
#define HALFKEY_KEYSERVICE_GENERATION_OF_KEYS_H

#include "crypto/suite.h"
#include "keyservice/job.h"

/* A run at its message 3; a job's state, in memory from hk_secret_new. */
struct hk_generation {
    struct hk_run *run; /* NULL for an import */
    struct hk_key key;  /* of an import */
    struct hk_keygen_result result;
    uint8_t tag[HK_TAG_BYTES]; /* of create-finish: the first epoch's */
};

/* Takes the run over: answers the request's commitment and keeps the run with the session. */
HK_CHECK enum hk_error hk_generation_begin(struct hk_job *job, struct hk_run *run,
                                           const struct hk_suite *suite, const uint8_t *device_key);

/* Takes the session's run and checks the opening; the answer gets t3 and X. job->state is the generation.
 * HK_UNKNOWN_RUN, and the errors of hk_keygen_complete. */
HK_CHECK enum hk_error hk_generation_finish(struct hk_job *job, bool is_account,
                                            struct hk_generation **generation);

/* An empty one as the job's state. */
HK_CHECK enum hk_error hk_generation_new(struct hk_job *job, struct hk_generation **generation);

/* The sid of a run that begins with this request. */
void hk_generation_sid(uint8_t sid[HK_NAME_BYTES], const struct hk_job *job, const uint8_t *account,
                       const struct hk_suite *suite, const uint8_t *device_key);

#endif

/* job.h - one request on its way through the service: opened frame, decoded message, what admission found,
 * the answer, and the writer's entry.
 *
 * A job is owned by one thread at a time: a thread of the transport until it is submitted, then the writer's.
 * It ends in hk_job_answer or hk_job_drop, which wipe and free everything it holds. */
#ifndef HALFKEY_KEYSERVICE_JOB_H
#define HALFKEY_KEYSERVICE_JOB_H

#include "keyservice/server.h"
#include "protocol/message.h"
#include "protocol/object.h"

struct hk_job;

/* A row of the dispatch table. */
struct hk_operation {
    enum hk_op op;
    unsigned flags; /* enum hk_operation_flags */
    /* In a thread of the transport, `txn` reads. Checks, computes, and may set the answer. */
    enum hk_error (*prepare)(struct hk_job *job, struct hk_txn *txn);
    /* In the writer's transaction: changes. An error undoes them. */
    enum hk_error (*apply)(struct hk_job *job, struct hk_txn *txn);
    /* After the commit. True: the answer comes later, and the operation sees to it. */
    bool (*finish)(struct hk_job *job);
};
enum hk_operation_flags {
    HK_OPERATION_LEAF = 1,        /* makes a leaf */
    HK_OPERATION_EARLY = 2,       /* the answer is ready before the commit: seal it while the disk works */
    HK_OPERATION_SECRET = 4,      /* its answer carries secrets: never kept for repeats */
    HK_OPERATION_USE = 8,         /* a share operation: counted in the device's row */
    HK_OPERATION_UNPROFILED = 16, /* allowed while the account has no profile */
    HK_OPERATION_STOPS_REFRESH =
        32,                      /* refused while the device is in a refresh or its account in an enrolment */
    HK_OPERATION_OWN_EPOCH = 64, /* judges epoch and tag itself */
    HK_OPERATION_SUSPENDED = 128 /* a suspended administrator may ask too */
};

struct hk_job_memory; /* memory that lives as long as the job */

struct hk_job {
    struct hk_entry entry; /* first */
    struct hk_server *server;
    struct hk_reply *reply;
    struct hk_session *session;
    struct hk_peer peer;
    uint64_t counter, began; /* began: of hk_metrics_clock */
    uint8_t *request;        /* as it was opened */
    size_t request_size;
    struct hk_message message, answer;
    const struct hk_op_row *row;
    const struct hk_operation *operation;

    enum hk_caller caller;
    bool has_device, entered, is_stale;
    struct hk_device device;    /* the row as admission read it */
    struct hk_key key;          /* what the operation looked up */
    const struct hk_pair *pair; /* during prepare: found in memory, then there is no transaction; else NULL */
    uint64_t mark;              /* hk_store_pair_mark of before the transaction */
    struct hk_leaf leaf;
    uint8_t account[HK_ACCOUNT_BYTES]; /* in whose log the leaf goes; the device's, or set by the operation */
    bool no_leaf;                      /* nothing changed: no leaf after all */
    bool shown;                        /* the revocations that it shows have been seen to */
    enum hk_error refusal;             /* refused at admission: the entry only leaves a leaf */
    void *state;                       /* the operation's */
    void (*state_free)(void *state);

    uint8_t *sealed; /* an answer frame that is ready */
    size_t sealed_size;
    struct hk_job_memory *memory;
};

/* A new job for an opened request; copies it. NULL without memory, and then the reply is dropped and the
 * session released. */
struct hk_job *hk_job_new(struct hk_server *server, struct hk_reply *reply, struct hk_session *session,
                          uint64_t counter, const uint8_t *request, size_t size) HK_CHECK;

/* `size` bytes, zeroed, wiped and freed with the job; NULL without memory. */
void *hk_job_memory(struct hk_job *job, size_t size) HK_CHECK;

/* A field of the request. */
const uint8_t *hk_job_bytes(const struct hk_job *job, enum hk_field field) HK_CHECK; /* NULL if absent */
uint64_t hk_job_number(const struct hk_job *job, enum hk_field field) HK_CHECK;      /* 0 if absent */
const struct hk_value *hk_job_value(const struct hk_job *job, enum hk_field field) HK_CHECK;

/* Puts a copy of bytes into the answer. */
HK_CHECK enum hk_error hk_job_put(struct hk_job *job, enum hk_field field, const void *data, size_t size);

/* Encodes and seals the answer now. */
HK_CHECK enum hk_error hk_job_seal(struct hk_job *job, enum hk_error outcome);
/* Hands the answer to the transport (sealing it first if that was not done, or if `outcome` is an error), and
 * ends the job. If the device is closing nothing is sent. */
void hk_job_answer(struct hk_job *job, enum hk_error outcome);
void hk_job_drop(struct hk_job *job);
/* Counts an answer, and logs a line of it where that is wanted: never a field of the request but the
 * beginning of its id. */
void hk_job_note(const struct hk_job *job, enum hk_error outcome);

#ifdef HK_TEST_SEAMS
/* Calls `change` with every job whose answer is about to be encoded, in the thread that does it: a service
 * that lies, for tests. NULL ends it. */
void hk_test_on_answer(void (*change)(void *argument, struct hk_job *job, enum hk_error *outcome),
                       void *argument);
#endif

/* What goes over the wire in place of errors that never do. */
enum hk_error hk_wire_error(enum hk_error error) HK_CHECK;

#endif

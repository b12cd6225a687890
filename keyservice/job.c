#include "keyservice/job.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/seam.h"

struct hk_job_memory {
    struct hk_job_memory *next;
    size_t size;
    _Alignas(16) uint8_t bytes[];
};

struct hk_job *hk_job_new(struct hk_server *server, struct hk_reply *reply, struct hk_session *session,
                          uint64_t counter, const uint8_t *request, size_t size)
{
    struct hk_job *job = malloc(sizeof(*job));
    uint8_t *copy = hk_arena_take(server->arena, size + 1);
    if (job == NULL || copy == NULL) {
        free(job);
        hk_arena_give(server->arena, copy, size + 1);
        hk_session_forget(session, counter);
        hk_session_table_release(server->sessions, session);
        hk_reply_drop(reply);
        return NULL;
    }
    memset(job, 0, offsetof(struct hk_job, message));
    memset(&job->row, 0, sizeof(*job) - offsetof(struct hk_job, row));
    hk_message_init(&job->message);
    hk_message_init(&job->answer);
    memcpy(copy, request, size);
    job->server = server;
    job->reply = reply;
    job->session = session;
    job->counter = counter;
    job->began = hk_metrics_clock();
    job->request = copy;
    job->request_size = size;
    hk_reply_peer(reply, &job->peer);
    return job;
}

void *hk_job_memory(struct hk_job *job, size_t size)
{
    struct hk_job_memory *memory = hk_arena_take(job->server->arena, sizeof(*memory) + size);
    if (memory == NULL) {
        return NULL;
    }
    memset(memory, 0, sizeof(*memory) + size);
    memory->size = size;
    memory->next = job->memory;
    job->memory = memory;
    return memory->bytes;
}

const struct hk_value *hk_job_value(const struct hk_job *job, enum hk_field field)
{
    return &job->message.value[field];
}

const uint8_t *hk_job_bytes(const struct hk_job *job, enum hk_field field)
{
    return hk_message_has(&job->message, field) ? job->message.value[field].data : NULL;
}

uint64_t hk_job_number(const struct hk_job *job, enum hk_field field)
{
    return hk_message_has(&job->message, field) ? job->message.value[field].number : 0;
}

enum hk_error hk_job_put(struct hk_job *job, enum hk_field field, const void *data, size_t size)
{
    uint8_t *copy = hk_job_memory(job, size);
    if (copy == NULL) {
        return HK_BUSY;
    }
    memcpy(copy, data, size);
    hk_message_set_bytes(&job->answer, field, copy, size);
    return HK_OK;
}

static void end(struct hk_job *job)
{
    if (job->state_free != NULL) {
        job->state_free(job->state);
    }
    hk_arena_give(job->server->arena, job->request, job->request_size + 1);
    if (job->sealed != NULL) {
        hk_wipe(job->sealed, job->sealed_size);
        free(job->sealed);
    }
    for (struct hk_job_memory *memory = job->memory; memory != NULL;) {
        struct hk_job_memory *next = memory->next;
        hk_arena_give(job->server->arena, memory, sizeof(*memory) + memory->size);
        memory = next;
    }
    struct hk_server *server = job->server;
    bool entered = job->entered;
    uint8_t serial[HK_ID_BYTES];
    memcpy(serial, job->device.serial, HK_ID_BYTES);
    hk_session_table_release(server->sessions, job->session);
    free(job);
    if (entered) { /* last: it may run the continuation of a revocation */
        hk_device_leave(server->devices, serial);
    }
}

void hk_job_drop(struct hk_job *job)
{
    hk_session_forget(job->session, job->counter);
    hk_reply_drop(job->reply);
    end(job);
}

enum hk_error hk_wire_error(enum hk_error error)
{
    static const struct {
        enum hk_error from, to;
    } table[] = {{HK_BAD_SCALAR, HK_BAD_PROOF},  {HK_BAD_SIGNATURE, HK_BAD_PROOF},
                 {HK_NO_MEMORY, HK_BUSY},        {HK_EXISTS, HK_CONFLICT},
                 {HK_NOT_FOUND, HK_UNKNOWN_RUN}, {HK_UNSUPPORTED, HK_BAD_ENCODING},
                 {HK_USAGE, HK_BAD_ENCODING},    {HK_BAD_PEER, HK_BAD_PROOF}};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        if (table[i].from == error) {
            return table[i].to;
        }
    }
    return error < HK_BAD_SCALAR ? error : HK_INTERNAL;
}

#ifdef HK_TEST_SEAMS
static void (*test_change)(void *argument, struct hk_job *job, enum hk_error *outcome);
static void *test_argument;

void hk_test_on_answer(void (*change)(void *argument, struct hk_job *job, enum hk_error *outcome),
                       void *argument)
{
    test_argument = argument;
    test_change = change;
}
#define TEST_ANSWER(job, outcome)                                                                            \
    if (test_change != NULL) {                                                                               \
        test_change(test_argument, job, outcome);                                                            \
    }
#else
#define TEST_ANSWER(job, outcome)
#endif

enum hk_error hk_job_seal(struct hk_job *job, enum hk_error outcome)
{
    static const uint8_t nobody[HK_ID_BYTES];
    uint8_t plain[HK_PLAINTEXT_MAX];
    size_t size;
    const uint8_t *id = hk_job_bytes(job, HK_F_REQUEST);
    TEST_ANSWER(job, &outcome)
    if (outcome != HK_OK) {
        hk_message_init(&job->answer);
    }
    hk_message_set_bytes(&job->answer, HK_F_REQUEST, id != NULL ? id : nobody, HK_ID_BYTES);
    hk_message_set_u64(&job->answer, HK_F_ERROR, (uint64_t)hk_wire_error(outcome));
    if (job->has_device && job->device.stale_seen != 0 && outcome == HK_OK) {
        hk_message_set_u64(&job->answer, HK_F_WARNING, job->device.stale_seen);
    }
    enum hk_error error = hk_message_encode(&job->answer, plain, sizeof(plain), &size);
    if (error != HK_OK) {
        hk_wipe(plain, sizeof(plain));
        return error;
    }
    HK_TRAFFIC('a', plain, size);
    size_t max = size + 8 + HK_FRAME_OVERHEAD;
    uint8_t *sealed = malloc(max);
    error = sealed == NULL ? HK_BUSY
                           : hk_session_seal_answer(job->session, job->counter, plain, size, sealed, max,
                                                    &job->sealed_size);
    hk_wipe(plain, size);
    if (error != HK_OK) {
        free(sealed);
        return error;
    }
    free(job->sealed);
    job->sealed = sealed;
    return HK_OK;
}

void hk_job_answer(struct hk_job *job, enum hk_error outcome)
{
    bool closing = job->entered && hk_device_is_closing(job->server->devices, job->device.serial);
    if (closing) {
        hk_job_drop(job);
        return;
    }
    if (job->sealed == NULL || outcome != HK_OK) {
        enum hk_error error = hk_job_seal(job, outcome);
        if (error != HK_OK && error != HK_NOT_FOUND) { /* the answer cannot be made: say that, at least */
            error = hk_job_seal(job, error == HK_BUSY || error == HK_TOO_LARGE ? error : HK_INTERNAL);
            outcome = HK_INTERNAL;
        }
        if (error != HK_OK) { /* the session is over */
            hk_job_drop(job);
            return;
        }
    }
    hk_job_note(job, outcome);
    /* Before it leaves: who has it may repeat its request at once. It is durable, and this device may have
     * it. */
    bool secret = job->operation != NULL && (job->operation->flags & HK_OPERATION_SECRET) != 0;
    if (secret && outcome == HK_OK) {
        hk_session_forget(job->session, job->counter);
    } else {
        hk_session_keep(job->session, job->counter, job->sealed, job->sealed_size);
    }
    HK_SEAM("service/before-send");
    HK_NOTE("sending", job->leaf.op, (uint64_t)outcome, job->device.serial);
    hk_reply_send(job->reply, job->sealed, job->sealed_size);
    HK_NOTE("sent", job->leaf.op, (uint64_t)outcome, job->device.serial);
    HK_SEAM("service/after-send");
    end(job);
}

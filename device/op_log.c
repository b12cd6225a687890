/* The log: its verified head, and leaves that are proved to be in it. */
#include <string.h>

#include "device/agent_core.h"
#include "device/head_text.h"
#include "device/log_source.h"

#define LEAVES_DEFAULT 50

/* Asks for the newest head and copies it, once it is verified. */
static enum hk_error verified_head(struct hk_core *core, struct hk_log_head *head)
{
    enum hk_error error = hk_client_check_now(core->client);
    pthread_mutex_lock(&core->saving);
    *head = core->state->log.head;
    pthread_mutex_unlock(&core->saving);
    return error;
}

static enum hk_error put_head(struct hk_op_call *call, const struct hk_log_head *head)
{
    hk_agent_set_u64(call->answer, HK_A_GENERATION, head->generation);
    hk_agent_set_u64(call->answer, HK_A_LOG_SIZE, head->size);
    hk_agent_set_u64(call->answer, HK_A_LOG_TIME, head->time);
    return hk_op_put(call, HK_A_ROOT, head->root, sizeof head->root) &&
                   hk_op_put(call, HK_A_ACCOUNT, call->core->state->account, HK_ACCOUNT_BYTES)
               ? HK_OK
               : HK_NO_MEMORY;
}

enum hk_error hk_op_log_verify(struct hk_op_call *call)
{
    struct hk_log_head head;
    enum hk_error error = verified_head(call->core, &head);
    return error ? error : put_head(call, &head);
}

/* What the comparison means to who asked. */
static enum hk_error judge(struct hk_op_call *call, enum hk_error error, const struct hk_log_head *head,
                           const struct hk_log_head *other)
{
    if (error == HK_NOT_FOUND && other->generation < head->generation)
        return hk_op_fail(
            call, HK_CONFLICT,
            "that head is of generation %llu of the log, which this device has left for %llu: let "
            "the other device say 'halfkey log accept', and print its head again",
            (unsigned long long)other->generation, (unsigned long long)head->generation);
    if (error == HK_NOT_FOUND || error == HK_LOG_FORKED)
        return hk_op_fail(
            call, HK_LOG_FORKED,
            "FORK: the service has shown the two devices two histories (entry %llu there, %llu "
            "here), and neither extends the other. It hides uses from one of them. Do not trust it "
            "any more: keep both heads, and make new keys elsewhere",
            (unsigned long long)other->size, (unsigned long long)head->size);
    return error;
}

enum hk_error hk_op_log_against(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_log_asker asker;
    struct hk_log_head head, other;
    char text[1025];
    hk_agent_text(call->request, HK_A_CODE, text, sizeof text);
    enum hk_error error = hk_head_from_text(&other, core->state->account, text);
    if (error)
        return hk_op_fail(call, error,
                          error == HK_CONFLICT
                              ? "that head is of another account"
                              : "not a head: one line that begins with 'hklog1', as 'halfkey log "
                                "--head' prints it on the other device");
    error = verified_head(core, &head);
    if (error)
        return error;
    hk_agent_set_u64(call->answer, HK_A_COUNT, other.size);
    error = hk_log_asker_open(&asker, core->client);
    if (!error)
        error = hk_log_compare(&other, &head, &asker.source);
    hk_log_asker_close(&asker);
    return error ? judge(call, error, &head, &other) : put_head(call, &head);
}

static enum hk_error put_leaf(void *context, uint64_t index, struct hk_bytes encoded,
                              const struct hk_leaf *leaf)
{
    struct hk_op_call *call = context;
    (void)index;
    (void)leaf;
    void *copy = hk_op_memory(call, encoded.size);
    if (!copy)
        return HK_TOO_LARGE;
    memcpy(copy, encoded.data, encoded.size);
    return hk_agent_add(call->answer, HK_A_ROWS, copy, encoded.size) ? HK_OK : HK_TOO_LARGE;
}

/* The range that was asked for, as far as it is in the tree. */
static void choose_range(const struct hk_agent_message *request, uint64_t size, uint64_t *start,
                         uint64_t *count)
{
    *count = hk_agent_has(request, HK_A_COUNT) ? hk_agent_u64(request, HK_A_COUNT) : LEAVES_DEFAULT;
    if (*count > HK_AGENT_LEAVES_MAX)
        *count = HK_AGENT_LEAVES_MAX;
    if (*count > size)
        *count = size;
    *start = hk_agent_has(request, HK_A_START) ? hk_agent_u64(request, HK_A_START) : size - *count;
    if (*start > size)
        *start = size;
    if (*count > size - *start)
        *count = size - *start;
}

enum hk_error hk_op_log(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_log_head head;
    struct hk_log_asker asker;
    uint64_t start, count;
    enum hk_error error = verified_head(core, &head);
    if (error)
        return error;
    choose_range(call->request, head.size, &start, &count);
    error = hk_log_asker_open(&asker, core->client);
    if (!error && count > 0)
        error = hk_log_read(&head, start, count, &asker.source, put_leaf, call);
    hk_log_asker_close(&asker);
    hk_agent_set_u64(call->answer, HK_A_START, start);
    hk_agent_set_u64(call->answer, HK_A_LOG_SIZE, head.size);
    hk_agent_set_u64(call->answer, HK_A_GENERATION, head.generation);
    return error;
}

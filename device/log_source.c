#include "device/log_source.h"

static void set_answer(struct hk_log_answer *out, const struct hk_exchange *exchange, enum hk_field field)
{
    out->items = exchange->answer.value[field].items;
    out->count = exchange->answer.value[field].count;
}

static enum hk_error ask_consistency(void *context, uint64_t generation, uint64_t old_size, uint64_t size,
                                     struct hk_log_answer *out)
{
    struct hk_log_asker *asker = context;
    struct hk_exchange *exchange = asker->consistency;
    hk_exchange_start(exchange, HK_OP_LOG_CONSISTENCY);
    hk_message_set_u64(&exchange->request, HK_F_GENERATION, generation);
    hk_message_set_u64(&exchange->request, HK_F_START, old_size);
    hk_message_set_u64(&exchange->request, HK_F_SIZE, size);
    enum hk_error error = hk_client_call(asker->client, exchange);
    if (!error)
        set_answer(out, exchange, HK_F_HASHES);
    return error;
}

static enum hk_error ask_inclusion(void *context, uint64_t generation, uint64_t index, uint64_t size,
                                   struct hk_log_answer *out)
{
    struct hk_log_asker *asker = context;
    struct hk_exchange *exchange = asker->inclusion;
    hk_exchange_start(exchange, HK_OP_LOG_INCLUSION);
    hk_message_set_u64(&exchange->request, HK_F_GENERATION, generation);
    hk_message_set_u64(&exchange->request, HK_F_START, index);
    hk_message_set_u64(&exchange->request, HK_F_SIZE, size);
    enum hk_error error = hk_client_call(asker->client, exchange);
    if (!error)
        set_answer(out, exchange, HK_F_HASHES);
    return error;
}

static enum hk_error ask_leaves(void *context, uint64_t generation, uint64_t start, uint64_t count,
                                struct hk_log_answer *out)
{
    struct hk_log_asker *asker = context;
    struct hk_exchange *exchange = asker->leaves;
    hk_exchange_start(exchange, HK_OP_LOG_LEAVES);
    hk_message_set_u64(&exchange->request, HK_F_GENERATION, generation);
    hk_message_set_u64(&exchange->request, HK_F_START, start);
    hk_message_set_u64(&exchange->request, HK_F_COUNT, count);
    enum hk_error error = hk_client_call(asker->client, exchange);
    if (!error)
        set_answer(out, exchange, HK_F_LEAVES);
    return error;
}

enum hk_error hk_log_asker_open(struct hk_log_asker *asker, struct hk_client *client)
{
    *asker = (struct hk_log_asker){.client = client,
                                   .source = {.context = asker,
                                              .consistency = ask_consistency,
                                              .inclusion = ask_inclusion,
                                              .leaves = ask_leaves}};
    enum hk_error error = hk_exchange_new(&asker->consistency, client);
    if (!error)
        error = hk_exchange_new(&asker->inclusion, client);
    return error ? error : hk_exchange_new(&asker->leaves, client);
}

void hk_log_asker_close(struct hk_log_asker *asker)
{
    hk_exchange_free(asker->client, asker->consistency);
    hk_exchange_free(asker->client, asker->inclusion);
    hk_exchange_free(asker->client, asker->leaves);
    *asker = (struct hk_log_asker){.client = NULL};
}

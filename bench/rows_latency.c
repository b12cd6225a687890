/* Rows of waiting: one client, many clients at a fixed rate, a revocation while others work. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bench/arena.h"
#include "bench/bare.h"
#include "bench/load.h"
#include "bench/plot.h"
#include "crypto/random.h"
#include "protocol/address.h"
#include "protocol/channel.h"

#define CALLS 300
#define CONNECTIONS 64

/* --- one client --- */

struct latency {
    struct bench_arena arena;
    struct bench_bare bare;
    struct bench_load *load;
    struct bench_load_plan plan;
    double quantile;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The quantile of as many bare rounds as there were answers. */
static bool bare_quantile(struct bench_bare *bare, size_t count, double quantile, double *value)
{
    double times[CALLS];
    count = count < CALLS ? count : CALLS;
    for (size_t i = 0; i < count; i++) {
        double start = bench_now(BENCH_WALL);
        if (!bench_bare_network(bare) || !bench_bare_share(bare) || !bench_bare_commit(bare)) {
            return false;
        }
        times[i] = bench_now(BENCH_WALL) - start;
    }
    qsort(times, count, sizeof(*times), compare);
    size_t at = (size_t)(quantile * (double)count);
    *value = times[at < count ? at : count - 1];
    return true;
}

static bool take_latency(void *context, double *thing, double *baseline)
{
    struct latency *row = context;
    struct bench_load_result result;
    struct bench_load_plan plan = row->plan;
    do { /* on a busy machine there may be no answer in a short time */
        if (plan.seconds > 60 || !bench_load_run(row->load, &plan, &result)) {
            return false;
        }
        plan.seconds *= 4;
    } while (result.latency_count == 0);
    *thing = bench_load_quantile(&result, row->quantile);
    bool fine = bare_quantile(&row->bare, result.latency_count, row->quantile, baseline);
    bench_load_free(&result);
    return fine;
}

/* One line of the plot: how many answers took longer than so many milliseconds. */
static void plot_latency(const char *name, const struct bench_load_result *result)
{
    double left = 1;
    for (int step = 0; step < 31; step++) { /* down to one in a thousand */
        bench_plot_add(BENCH_PLOT_LATENCY, name, 1e3 * bench_load_quantile(result, 1 - left), left);
        left *= 0.8;
    }
}

static bool latency_start(struct latency *row, const struct bench_settings *settings, size_t connections)
{
    memset(row, 0, sizeof(*row));
    size_t members = connections > 4 ? connections / 4 : 1;
    if (!bench_arena_open(&row->arena, settings, members, members) ||
        !bench_bare_start(&row->bare,
                          row->arena.folder[0] != '\0' ? row->arena.folder : row->arena.world.directory)) {
        return false;
    }
    row->plan = (struct bench_load_plan){.address = row->arena.address,
                                         .members = row->arena.members,
                                         .member_count = row->arena.member_count,
                                         .connections = connections,
                                         .mix = {.agree = 1},
                                         .seconds = settings->quick ? 0.03 : settings->seconds / 40,
                                         .warm = 0.02};
    row->load = bench_load_open(&row->plan);
    return row->load != NULL;
}

static void latency_stop(struct latency *row)
{
    bench_load_close(row->load);
    bench_bare_stop(&row->bare);
    bench_arena_close(&row->arena);
}

static bool latency(struct bench_result *result, const struct bench_settings *settings, double quantile)
{
    static struct latency row;
    struct bench_load_result all;
    bool fine = latency_start(&row, settings, 1);
    row.quantile = quantile;
    fine = fine && bench_measure_samples(result, &(struct bench_samples){.take = take_latency,
                                                                         .context = &row,
                                                                         .seconds = settings->seconds});
    if (fine && quantile < 0.9) {
        row.plan.seconds = settings->quick ? 0.2 : settings->seconds / 2;
        fine = bench_load_run(row.load, &row.plan, &all);
        if (fine) {
            plot_latency("decrypt, one client", &all);
            bench_load_free(&all);
        }
    }
    latency_stop(&row);
    return fine;
}

bool bench_latency_p50(struct bench_result *result, const struct bench_settings *settings)
{
    return latency(result, settings, 0.5);
}

bool bench_latency_p99(struct bench_result *result, const struct bench_settings *settings)
{
    struct bench_settings longer = *settings; /* a hundredth needs more calls in each sample */
    longer.seconds *= settings->quick ? 1 : 2;
    return latency(result, &longer, 0.99);
}

/* --- 64 clients: a fixed rate, half of what a closed loop reaches, beside the closed loop --- */

static bool quantile_of(struct latency *row, double rate, double *value, double *reached)
{
    struct bench_load_result result;
    struct bench_load_plan plan = row->plan;
    plan.rate = rate;
    do { /* on a busy machine there may be no answer in a short time */
        if (plan.seconds > 60 || !bench_load_run(row->load, &plan, &result)) {
            return false;
        }
        plan.seconds *= 4;
    } while (result.latency_count == 0);
    *value = bench_load_quantile(&result, row->quantile);
    *reached = (double)result.answers / result.seconds;
    bench_load_free(&result);
    return true;
}

static bool take_open(void *context, double *thing, double *baseline)
{
    double rate, ignored;
    return quantile_of(context, 0, baseline, &rate) && quantile_of(context, rate / 2, thing, &ignored);
}

static bool plot_open(struct latency *row, const struct bench_settings *settings)
{
    struct bench_load_result closed, open;
    row->plan.seconds = settings->quick ? 0.2 : settings->seconds / 2;
    row->plan.rate = 0;
    if (!bench_load_run(row->load, &row->plan, &closed)) {
        return false;
    }
    plot_latency("decrypt, 64 clients, closed loop", &closed);
    row->plan.rate = (double)closed.answers / closed.seconds / 2;
    bench_load_free(&closed);
    if (!bench_load_run(row->load, &row->plan, &open)) {
        return false;
    }
    plot_latency("decrypt, 64 clients, half of that rate", &open);
    bench_load_free(&open);
    return true;
}

bool bench_latency_open(struct bench_result *result, const struct bench_settings *settings)
{
    static struct latency row;
    bool fine = latency_start(&row, settings, CONNECTIONS);
    row.quantile = 0.99;
    fine = fine &&
           bench_measure_samples(
               result,
               &(struct bench_samples){.take = take_open, .context = &row, .seconds = settings->seconds}) &&
           plot_open(&row, settings);
    latency_stop(&row);
    return fine;
}

/* --- a revocation, while the others work --- */

#define REVOKED 210
#define LOADED 8

struct revocation {
    struct latency base;
    struct hk_channel *channel;
    struct hk_endpoint *endpoint;
    size_t next;
    volatile bool ending;
    bool load_failed;
};

static void *keep_loading(void *argument)
{
    struct revocation *row = argument;
    while (!row->ending && !row->load_failed) {
        struct bench_load_result result;
        row->load_failed = !bench_load_run(row->base.load, &row->base.plan, &result);
        if (!row->load_failed) {
            bench_load_free(&result);
        }
    }
    return NULL;
}

/* By the printed code, as a stranger; the answer comes when no further answer can. */
static bool revoke(struct revocation *row, const struct bench_member *member)
{
    static struct hk_message message;
    static uint8_t bytes[HK_PLAINTEXT_MAX];
    uint8_t id[HK_ID_BYTES];
    size_t size;
    hk_random(id, sizeof(id));
    hk_message_init(&message);
    hk_message_set_u64(&message, HK_F_OP, HK_OP_REVOKE_BY_CERTIFICATE);
    hk_message_set_bytes(&message, HK_F_REQUEST, id, sizeof(id));
    hk_message_set_bytes(&message, HK_F_CODE, member->code, sizeof(member->code));
    return hk_message_encode(&message, bytes, sizeof(bytes), &size) == HK_OK &&
           hk_channel_call(row->channel, bytes, size, bytes, sizeof(bytes), &size, 0) == HK_OK &&
           hk_message_decode(&message, bytes, size) == HK_OK &&
           hk_message_check_answer(&message, hk_op_row(HK_OP_REVOKE_BY_CERTIFICATE), id) == HK_OK;
}

static bool take_revocation(void *context, double *thing, double *baseline)
{
    struct revocation *row = context;
    if (row->next == row->base.arena.member_count || row->load_failed) {
        return false;
    }
    double start = bench_now(BENCH_WALL);
    bool fine = revoke(row, &row->base.arena.members[row->next++]);
    *thing = bench_now(BENCH_WALL) - start;
    start = bench_now(BENCH_WALL);
    fine = fine && bench_bare_commit(&row->base.bare);
    *baseline = bench_now(BENCH_WALL) - start;
    return fine;
}

static bool revocation_start(struct revocation *row, const struct bench_settings *settings)
{
    struct hk_address address;
    memset(row, 0, sizeof(*row));
    if (settings->service != NULL || !bench_arena_open(&row->base.arena, settings, REVOKED, REVOKED) ||
        !bench_bare_start(&row->base.bare, row->base.arena.folder) ||
        hk_address_parse(&address, row->base.arena.address, NULL) != HK_OK ||
        hk_endpoint_new(&row->endpoint, address.url) != HK_OK ||
        hk_channel_open(&row->channel, row->endpoint, NULL, NULL, address.service_key, 0) != HK_OK) {
        return false;
    }
    row->base.plan = (struct bench_load_plan){.address = row->base.arena.address,
                                              .members = row->base.arena.members,
                                              .member_count = LOADED / 4,
                                              .connections = LOADED,
                                              .mix = {.agree = 1, .sign = 1},
                                              .seconds = 0.1};
    row->next = LOADED / 4;
    row->base.load = bench_load_open(&row->base.plan);
    return row->base.load != NULL;
}

bool bench_revocation(struct bench_result *result, const struct bench_settings *settings)
{
    static struct revocation row;
    pthread_t loader;
    bool fine = revocation_start(&row, settings);
    if (fine && pthread_create(&loader, NULL, keep_loading, &row) == 0) {
        fine = bench_measure_samples(
            result, &(struct bench_samples){.take = take_revocation, .context = &row, .seconds = 0});
        row.ending = true;
        pthread_join(loader, NULL);
    }
    hk_channel_free(row.channel);
    if (row.endpoint != NULL) {
        hk_endpoint_free(row.endpoint);
    }
    latency_stop(&row.base);
    return fine && !row.load_failed;
}

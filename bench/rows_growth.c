/* Rows of growth: the same operation by the same devices in stores of 10^3, 10^5 and 10^6 accounts, and how
 * long a service takes to start on them. Minutes and gigabytes: with --growth only. */
#include <stdio.h>
#include <string.h>

#include "bench/arena.h"
#include "bench/load.h"
#include "bench/plot.h"

#define CONNECTIONS 100 /* each another device, spread over the store */
#define SIZES 3

static const size_t sizes[SIZES] = {1000, 100000, 1000000};

struct growth {
    struct bench_arena arena[2]; /* the smallest, and the one beside it */
    struct bench_load *load[2];
    struct bench_load_plan plan[2];
};

static double started; /* of the largest store */

static bool cpu_per_answer(struct growth *row, int which, double *each)
{
    struct bench_load_result result;
    double before = bench_service_cpu(&row->arena[which].service);
    bool fine = bench_load_run(row->load[which], &row->plan[which], &result) && result.all > 0;
    if (fine) {
        *each = (bench_service_cpu(&row->arena[which].service) - before) / (double)result.all;
        bench_load_free(&result);
    }
    return fine;
}

static bool take_growth(void *context, double *thing, double *baseline)
{
    return cpu_per_answer(context, 1, thing) && cpu_per_answer(context, 0, baseline);
}

static bool open_store(struct growth *row, int which, const struct bench_settings *settings, size_t accounts)
{
    if (!bench_arena_open(&row->arena[which], settings, accounts, CONNECTIONS)) {
        return false;
    }
    bench_plot_add(BENCH_PLOT_STORE, "start-up, ms", (double)accounts,
                   1e3 * row->arena[which].service.started);
    row->plan[which] = (struct bench_load_plan){.address = row->arena[which].address,
                                                .members = row->arena[which].members,
                                                .member_count = CONNECTIONS,
                                                .connections = CONNECTIONS,
                                                .mix = {.agree = 1},
                                                .warm = 0.1,
                                                .seconds = settings->quick ? 0.05 : 0.3};
    row->load[which] = bench_load_open(&row->plan[which]);
    return row->load[which] != NULL;
}

static void close_store(struct growth *row, int which)
{
    bench_load_close(row->load[which]);
    row->load[which] = NULL;
    bench_arena_close(&row->arena[which]);
}

bool bench_growth_cost(struct bench_result *result, const struct bench_settings *settings)
{
    static struct growth row;
    memset(&row, 0, sizeof(row));
    bool fine = settings->service == NULL && open_store(&row, 0, settings, sizes[0]);
    for (size_t i = 1; i < SIZES && fine && sizes[i - 1] < settings->accounts; i++) {
        size_t size = sizes[i] < settings->accounts ? sizes[i] : settings->accounts;
        fine = open_store(&row, 1, settings, size) &&
               bench_measure_samples(result, &(struct bench_samples){.take = take_growth,
                                                                     .context = &row,
                                                                     .seconds = settings->seconds});
        if (fine && i == 1) {
            bench_plot_add(BENCH_PLOT_STORE, "decrypt, us", (double)sizes[0], 1e6 * result->baseline.median);
        }
        if (fine) {
            bench_plot_add(BENCH_PLOT_STORE, "decrypt, us", (double)size, 1e6 * result->thing.median);
            started = row.arena[1].service.started;
        }
        close_store(&row, 1);
    }
    close_store(&row, 0);
    return fine;
}

/* One figure, of the row before: from the start of the process to its ready line, beside a second. */
bool bench_growth_start(struct bench_result *result, const struct bench_settings *settings)
{
    (void)settings;
    *result = (struct bench_result){.thing = {started, started, started},
                                    .baseline = {1, 1, 1},
                                    .ratio = {started, started, started},
                                    .samples = 1};
    if (started <= 0) {
        fprintf(stderr, "halfkey-bench: start-up is measured together with the cost as the store grows\n");
    }
    return started > 0;
}

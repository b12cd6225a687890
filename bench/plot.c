#include "bench/plot.h"

#include <stdio.h>
#include <string.h>

static struct bench_plot plots[BENCH_PLOTS] = {
    [BENCH_PLOT_LATENCY] =
        {.title = "Latency",
         .x = "milliseconds",
         .y = "share of answers that took longer",
         .note = "Each line falls from all answers to one in a thousand; further left is faster."},
    [BENCH_PLOT_CONNECTIONS] = {.title = "Throughput over connections",
                                .x = "connections that ask at once",
                                .y = "answers a second",
                                .note = "Closed loop, log durable; the load generator shares the machine."},
    [BENCH_PLOT_STORE] = {.title = "Cost over store size",
                          .x = "accounts in the store",
                          .y = "processor microseconds of the service for one answer",
                          .note = "The same operation by the same devices. Level is good."}};

void bench_plot_add(enum bench_plot_id id, const char *name, double x, double y)
{
    struct bench_plot *plot = &plots[id];
    size_t n = 0;
    while (n < plot->count && strcmp(plot->series[n].name, name) != 0) {
        n++;
    }
    if (n == BENCH_SERIES) {
        return;
    }
    struct bench_series *series = &plot->series[n];
    if (n == plot->count) {
        plot->count++;
        snprintf(series->name, sizeof(series->name), "%s", name);
    }
    if (series->count < BENCH_POINTS) {
        series->x[series->count] = x;
        series->y[series->count++] = y;
    }
}

const struct bench_plot *bench_plot_get(enum bench_plot_id id)
{
    return &plots[id];
}

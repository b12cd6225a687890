/* plot.h - figures that rows gather beside their result, for the page with plots. */
#ifndef HALFKEY_BENCH_PLOT_H
#define HALFKEY_BENCH_PLOT_H

#include <stddef.h>

#define BENCH_SERIES 16
#define BENCH_POINTS 64

enum bench_plot_id { BENCH_PLOT_LATENCY, BENCH_PLOT_CONNECTIONS, BENCH_PLOT_STORE, BENCH_PLOTS };

struct bench_series {
    char name[64];
    size_t count;
    double x[BENCH_POINTS], y[BENCH_POINTS];
};

struct bench_plot {
    const char *title, *x, *y, *note;
    size_t count;
    struct bench_series series[BENCH_SERIES];
};

/* Adds a point to a series, which begins with its first point. What does not fit is left out. */
void bench_plot_add(enum bench_plot_id plot, const char *series, double x, double y);
const struct bench_plot *bench_plot_get(enum bench_plot_id plot);

#endif

/* sample.h - times a thing beside its baseline, in turn, so that a machine whose speed drifts moves both.
 *
 * A sample runs the thing often enough to last a few milliseconds. Samples of thing and baseline alternate; a
 * ratio is taken pair by pair, and what is reported are medians with 10th and 90th percentile. */
#ifndef HALFKEY_BENCH_SAMPLE_H
#define HALFKEY_BENCH_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_SAMPLES_MAX 20001

enum bench_clock { BENCH_CPU, BENCH_WALL };

/* Runs the thing `times` times; false if it failed, which ends the row. */
typedef bool (*bench_function)(void *context, size_t times);

struct bench_spread {
    double median, p10, p90;
};

struct bench_result {
    struct bench_spread thing, baseline; /* seconds for one */
    struct bench_spread ratio;           /* thing / baseline, pair by pair */
    size_t samples;
};

struct bench_plan {
    enum bench_clock clock;
    bench_function thing, baseline; /* baseline may be NULL: no ratio then */
    void *context;
    double seconds; /* about how long to sample, warm-up included */
    bool faster;    /* the ratio is baseline / thing: how many times as fast the thing is */
};

/* One sample of a row whose thing and baseline cannot be run a number of times: seconds for one of each, or
 * any other two figures whose ratio is asked for. */
struct bench_samples {
    bool (*take)(void *context, double *thing, double *baseline);
    void *context;
    double seconds;
    bool faster;
};

/* Measures; false if thing or baseline failed. At least 21 samples whatever `seconds` says. */
bool bench_measure(struct bench_result *result, const struct bench_plan *plan);

/* The same with samples that `take` makes. */
bool bench_measure_samples(struct bench_result *result, const struct bench_samples *samples);

/* Median and percentiles of `count` values, which are sorted in place. */
struct bench_spread bench_spread_of(double *values, size_t count);

double bench_now(enum bench_clock clock);

#endif

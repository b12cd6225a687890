#include "bench/sample.h"

#include <stdlib.h>
#include <time.h>

#define SAMPLES_MIN 21
#define SAMPLE_SECONDS 0.004

double bench_now(enum bench_clock clock)
{
    struct timespec now;
    clock_gettime(clock == BENCH_CPU ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct bench_spread bench_spread_of(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return (struct bench_spread){values[count / 2], values[count / 10], values[count - 1 - count / 10]};
}

static bool time_one(bench_function function, const struct bench_plan *plan, size_t times, double *each)
{
    double start = bench_now(plan->clock);
    bool fine = function(plan->context, times);
    *each = (bench_now(plan->clock) - start) / (double)times;
    return fine;
}

struct timed {
    const struct bench_plan *plan;
    size_t thing_times, baseline_times;
};

/* How often a function must run to fill a sample; also its warm-up. What waits for a disk and for other
 * processes is sampled one by one: a stall of the machine is then one sample among many, and not a part of
 * every one. */
static bool calibrate(bench_function function, const struct bench_plan *plan, size_t *times)
{
    for (*times = 1;; *times *= 2) {
        double each;
        if (!time_one(function, plan, *times, &each)) {
            return false;
        }
        if (each * (double)*times >= SAMPLE_SECONDS) {
            *times = plan->clock == BENCH_WALL ? 1 : *times;
            return true;
        }
    }
}

static bool take_times(void *context, double *thing, double *baseline)
{
    struct timed *timed = context;
    const struct bench_plan *plan = timed->plan;
    *baseline = 0;
    return time_one(plan->thing, plan, timed->thing_times, thing) &&
           (plan->baseline == NULL || time_one(plan->baseline, plan, timed->baseline_times, baseline));
}

bool bench_measure_samples(struct bench_result *result, const struct bench_samples *samples)
{
    static double thing[BENCH_SAMPLES_MAX], baseline[BENCH_SAMPLES_MAX], ratio[BENCH_SAMPLES_MAX];
    size_t count = 0;
    double start = bench_now(BENCH_WALL);
    bool compares = false;
    while (count < SAMPLES_MIN ||
           (count < BENCH_SAMPLES_MAX && bench_now(BENCH_WALL) - start < samples->seconds)) {
        if (!samples->take(samples->context, &thing[count], &baseline[count])) {
            return false;
        }
        compares = baseline[count] > 0;
        ratio[count] = !compares         ? 0
                       : samples->faster ? baseline[count] / thing[count]
                                         : thing[count] / baseline[count];
        count++;
    }
    *result = (struct bench_result){.samples = count};
    result->thing = bench_spread_of(thing, count);
    if (compares) {
        result->baseline = bench_spread_of(baseline, count);
        result->ratio = bench_spread_of(ratio, count);
    }
    return true;
}

bool bench_measure(struct bench_result *result, const struct bench_plan *plan)
{
    struct timed timed = {.plan = plan};
    if (!calibrate(plan->thing, plan, &timed.thing_times) ||
        (plan->baseline != NULL && !calibrate(plan->baseline, plan, &timed.baseline_times))) {
        return false;
    }
    return bench_measure_samples(
        result, &(struct bench_samples){
                    .take = take_times, .context = &timed, .seconds = plan->seconds, .faster = plan->faster});
}

/* row.h - a row of the benchmark: what is measured, beside what, and the ratio to reach.
 *
 * Rows are listed in main.c. A row sets up what it needs, measures with bench_measure and takes down. */
#ifndef HALFKEY_BENCH_ROW_H
#define HALFKEY_BENCH_ROW_H

#include "bench/sample.h"

/* What every row is given. */
struct bench_settings {
    double seconds;        /* for each row */
    const char *programs;  /* folder of halfkeyd and halfkey, for rows that start them */
    const char *directory; /* for what a row writes; on a real disk, since commits are measured */
};

struct bench_row {
    const char *name;     /* "agreement share" */
    const char *baseline; /* what the baseline does, in words */
    const char *unit;     /* of the figures shown: "us", "ms", "MB/s" */
    double scale;         /* seconds to that unit */
    double goal;          /* largest ratio; 0 where there is no goal */
    bool (*run)(struct bench_result *result, const struct bench_settings *settings);
};

/* Rows in process (rows_math.c). */
bool bench_agree_share(struct bench_result *result, const struct bench_settings *settings);
bool bench_decrypt_blinded(struct bench_result *result, const struct bench_settings *settings);
bool bench_decrypt_unblinded(struct bench_result *result, const struct bench_settings *settings);
bool bench_sign_service(struct bench_result *result, const struct bench_settings *settings);
bool bench_sign_both(struct bench_result *result, const struct bench_settings *settings);

/* Rows with the real programs (rows_service.c). */
bool bench_agree_agent(struct bench_result *result, const struct bench_settings *settings);
bool bench_decrypt_file(struct bench_result *result, const struct bench_settings *settings);

#endif

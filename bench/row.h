/* row.h - a row of the benchmark: what is measured, beside what, and the ratio to reach.
 *
 * Rows are listed in table.c: a new suite adds its rows there and its functions in a file of its own. A row
 * sets up what it needs, measures with bench_measure and takes down. */
#ifndef HALFKEY_BENCH_ROW_H
#define HALFKEY_BENCH_ROW_H

#include "bench/sample.h"

/* What every row is given. */
struct bench_settings {
    double seconds;        /* for each row */
    bool quick;            /* smaller figures where a row has any to choose */
    const char *programs;  /* folder of halfkeyd and halfkey, for rows that start them */
    const char *directory; /* for what a row writes; on a real disk, since commits are measured */
    size_t accounts;       /* in the largest store of the rows of growth */
    const char *service;   /* the address of a running service to measure; NULL: rows start their own */
    bool talk;             /* progress on standard error */
};

enum bench_row_flags {
    BENCH_FASTER =
        1, /* the ratio is how many times as fast as the baseline: the goal is a least, not a most */
    BENCH_SERVICE = 2, /* can be measured at a service that runs elsewhere */
    BENCH_GROWTH = 4   /* only with --growth: takes minutes and gigabytes */
};

struct bench_row {
    const char *name;     /* "agreement share" */
    const char *baseline; /* what the baseline does, in words; "" where there is none */
    const char *unit;     /* of the figures shown: "us", "ms", "MB/s" */
    double scale;         /* seconds to that unit */
    double goal;          /* of the ratio; 0 where there is no goal */
    unsigned flags;
    bool (*run)(struct bench_result *result, const struct bench_settings *settings);
};

/* The table. */
extern const struct bench_row bench_rows[];
extern const size_t bench_row_count;

/* True if the result reaches the row's goal. */
bool bench_row_met(const struct bench_row *row, const struct bench_result *result);

/* Rows in process: rows_math.c, rows_secp256k1.c, rows_device.c. */
bool bench_agree_share(struct bench_result *result, const struct bench_settings *settings);
bool bench_decrypt_blinded(struct bench_result *result, const struct bench_settings *settings);
bool bench_decrypt_prepared(struct bench_result *result, const struct bench_settings *settings);
bool bench_decrypt_unblinded(struct bench_result *result, const struct bench_settings *settings);
bool bench_sign_service(struct bench_result *result, const struct bench_settings *settings);
bool bench_sign_both(struct bench_result *result, const struct bench_settings *settings);
bool bench_bip340_both(struct bench_result *result, const struct bench_settings *settings);
bool bench_agree_share_secp256k1(struct bench_result *result, const struct bench_settings *settings);
/* rows_ecdsa.c */
bool bench_ecdsa_prepared(struct bench_result *result, const struct bench_settings *settings);
bool bench_ecdsa_whole(struct bench_result *result, const struct bench_settings *settings);
bool bench_ecdsa_setup(struct bench_result *result, const struct bench_settings *settings);
bool bench_ecdsa_shift(struct bench_result *result, const struct bench_settings *settings);
bool bench_ecdsa_bytes(struct bench_result *result, const struct bench_settings *settings);
bool bench_enrolment(struct bench_result *result, const struct bench_settings *settings);
bool bench_bulk(struct bench_result *result, const struct bench_settings *settings);

/* Rows with the device's programs: rows_service.c. */
bool bench_agree_agent(struct bench_result *result, const struct bench_settings *settings);
bool bench_decrypt_file(struct bench_result *result, const struct bench_settings *settings);

/* Rows with the load generator: rows_load.c, rows_latency.c, rows_growth.c. */
bool bench_throughput_decrypt(struct bench_result *result, const struct bench_settings *settings);
bool bench_throughput_sign(struct bench_result *result, const struct bench_settings *settings);
bool bench_throughput_batch(struct bench_result *result, const struct bench_settings *settings);
bool bench_connections(struct bench_result *result, const struct bench_settings *settings);
bool bench_connected(struct bench_result *result, const struct bench_settings *settings);
bool bench_connected_memory(struct bench_result *result, const struct bench_settings *settings);
bool bench_latency_p50(struct bench_result *result, const struct bench_settings *settings);
bool bench_latency_p99(struct bench_result *result, const struct bench_settings *settings);
bool bench_latency_open(struct bench_result *result, const struct bench_settings *settings);
bool bench_revocation(struct bench_result *result, const struct bench_settings *settings);
bool bench_growth_cost(struct bench_result *result, const struct bench_settings *settings);
bool bench_growth_start(struct bench_result *result, const struct bench_settings *settings);

#endif

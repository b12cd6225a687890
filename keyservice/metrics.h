/* metrics.h - what the service counts while it runs, and its text form for Prometheus.
 *
 * Counters are atomic and never block; a row of one table is a metric with its name, its kind, its sentence
 * and how its value is found, and the text is printed from that table. Numbers only: no account, no device,
 * no address and nothing of a request is among them. */
#ifndef HALFKEY_KEYSERVICE_METRICS_H
#define HALFKEY_KEYSERVICE_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"

#define HK_METRICS_OPS 64      /* numbers of operations, beginning with 0: not read */
#define HK_METRICS_OUTCOMES 40 /* numbers of errors that go over the wire */
#define HK_METRICS_BUCKETS 14
#define HK_METRICS_TEXT_MAX (128 * 1024)

struct hk_histogram {
    _Atomic uint64_t bucket[HK_METRICS_BUCKETS + 1]; /* not cumulated; the last one is what is longer */
    _Atomic uint64_t sum_ns;
};

struct hk_metrics {
    _Atomic uint64_t operation[HK_METRICS_OPS][HK_METRICS_OUTCOMES];
    struct hk_histogram answer, commit;
    _Atomic uint64_t handshakes, handshakes_refused;
};

struct hk_server;

/* Nanoseconds of a clock that only goes forward. */
uint64_t hk_metrics_clock(void) HK_CHECK;
void hk_histogram_add(struct hk_histogram *histogram, uint64_t ns);
/* An operation has been answered; `began` is from hk_metrics_clock. */
void hk_metrics_answered(struct hk_metrics *metrics, uint64_t op, enum hk_error outcome, uint64_t began);

/* Writes all rows to out[HK_METRICS_TEXT_MAX], NUL included; returns the length without it. */
size_t hk_metrics_print(const struct hk_server *server, char *out) HK_CHECK;

#endif

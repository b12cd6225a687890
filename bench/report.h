/* report.h - what was measured, for people, for programs, as a page, and beside an older run. */
#ifndef HALFKEY_BENCH_REPORT_H
#define HALFKEY_BENCH_REPORT_H

#include <stdio.h>

#include "bench/row.h"

/* One row that was measured. */
struct bench_line {
    const struct bench_row *row;
    struct bench_result result;
};

/* Two lines of text. */
void bench_report_line(FILE *out, const struct bench_line *line);

/* A list of objects, one a row and one a line: name, unit, median, p10, p90, baseline, ratio, ratio_p10,
 * ratio_p90, samples, goal, goal_is ("at most" or "at least"), met. baseline, ratio, goal and met are null
 * where there is none. */
void bench_report_json(FILE *out, const struct bench_line *lines, size_t count);

/* One page with everything in it. False, having said why, if the file cannot be written. */
bool bench_report_html(const char *path, const struct bench_line *lines, size_t count);

/* Reads what bench_report_json wrote and tells each row's change, marked where the spreads of the ratios (of
 * the figures themselves where there is no ratio) do not touch. False, having said why, if `path` is no such
 * file. */
bool bench_report_compare(FILE *out, const char *path, const struct bench_line *lines, size_t count);

/* The processor's name, for titles. */
void bench_machine(char *out, size_t max);

#endif

/* halfkey-bench: the benchmark of share operations. Every row is measured beside its baseline, in turn. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/row.h"

static const struct bench_row rows[] = {
    {"agreement share, 25519", "libsodium's one multiplication with subgroup check", "us", 1e6, 1.05,
     bench_agree_share},
    {"decrypt, blinded, both halves", "3 variable-base + 1 base multiplication + 2 additions", "us", 1e6, 1.2,
     bench_decrypt_blinded},
    {"decrypt, unblinded, both halves", "2 variable-base multiplications + 1 addition", "us", 1e6, 0,
     bench_decrypt_unblinded},
    {"ed25519 signature, service", "commit + share straight on libsodium", "us", 1e6, 1.1,
     bench_sign_service},
    {"ed25519 signature, both, verified", "the same floor for both + verification", "us", 1e6, 1.15,
     bench_sign_both},
    {"agree through a warm agent", "nng round trip + share + durable commit + local socket round trip", "us",
     1e6, 1.5, bench_agree_agent},
    {"halfkey decrypt, 256 MiB", "stock age -d with a plain key", "ms", 1e3, 2.0, bench_decrypt_file},
};
#define ROWS (sizeof(rows) / sizeof(*rows))

static const char usage[] =
    "usage: halfkey-bench [--filter TEXT] [--time SECONDS] [--json] [--programs DIR] [--directory DIR]\n"
    "\n"
    "Measures share operations, each beside a baseline in the same run, and prints the ratio.\n"
    "\n"
    "  --filter TEXT     only rows whose name holds TEXT\n"
    "  --time SECONDS    about how long to measure each row (default 1)\n"
    "  --json            print one list of rows and nothing else\n"
    "  --programs DIR    where halfkeyd and halfkey are (default: beside this program)\n"
    "  --directory DIR   where rows that write keep their files (default: a new folder in the current one)\n"
    "  --help            print this\n";

static void print_json_row(const struct bench_row *row, const struct bench_result *result, bool first)
{
    printf(
        "%s\n  {\"name\": \"%s\", \"unit\": \"%s\", \"median\": %.4g, \"p10\": %.4g, \"p90\": %.4g, "
        "\"baseline\": %.4g, \"ratio\": %.4g, \"ratio_p10\": %.4g, \"ratio_p90\": %.4g, \"samples\": %zu, ",
        first ? "[" : ",", row->name, row->unit, result->thing.median * row->scale,
        result->thing.p10 * row->scale, result->thing.p90 * row->scale, result->baseline.median * row->scale,
        result->ratio.median, result->ratio.p10, result->ratio.p90, result->samples);
    if (row->goal > 0) {
        printf("\"goal\": %g, \"met\": %s}", row->goal, result->ratio.median <= row->goal ? "true" : "false");
    } else {
        printf("\"goal\": null, \"met\": null}");
    }
}

static void print_row(const struct bench_row *row, const struct bench_result *result)
{
    printf("%-40s %9.1f %-3s (%.1f-%.1f)  baseline %9.1f  ratio %5.2f (%.2f-%.2f)", row->name,
           result->thing.median * row->scale, row->unit, result->thing.p10 * row->scale,
           result->thing.p90 * row->scale, result->baseline.median * row->scale, result->ratio.median,
           result->ratio.p10, result->ratio.p90);
    if (row->goal > 0) {
        printf("  goal %.2f %s", row->goal, result->ratio.median <= row->goal ? "met" : "MISSED");
    }
    printf("\n%40s baseline: %s\n", "", row->baseline);
    fflush(stdout);
}

static int run_rows(const struct bench_settings *settings, const char *filter, bool json)
{
    int failed = 0;
    bool first = true;
    for (size_t i = 0; i < ROWS; i++) {
        struct bench_result result;
        if (filter != NULL && strstr(rows[i].name, filter) == NULL) {
            continue;
        }
        if (isatty(STDERR_FILENO)) {
            fprintf(stderr, "\r\033[K%zu/%zu %s", i + 1, ROWS, rows[i].name);
        }
        if (!rows[i].run(&result, settings)) {
            fprintf(stderr, "halfkey-bench: row '%s' failed\n", rows[i].name);
            failed = 1;
            continue;
        }
        if (isatty(STDERR_FILENO)) {
            fprintf(stderr, "\r\033[K");
        }
        if (json) {
            print_json_row(&rows[i], &result, first);
        } else {
            print_row(&rows[i], &result);
        }
        first = false;
    }
    if (json) {
        printf("%s]\n", first ? "[" : "\n");
    }
    return failed;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"filter", required_argument, NULL, 'f'},
        {"time", required_argument, NULL, 't'},
        {"json", no_argument, NULL, 'j'},
        {"programs", required_argument, NULL, 'p'},
        {"directory", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct bench_settings settings = {.seconds = 1.0, .programs = NULL, .directory = "."};
    const char *filter = NULL;
    bool json = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'f':
            filter = optarg;
            break;
        case 't':
            settings.seconds = strtod(optarg, NULL);
            break;
        case 'j':
            json = true;
            break;
        case 'p':
            settings.programs = optarg;
            break;
        case 'd':
            settings.directory = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind != argc || !(settings.seconds > 0) || settings.seconds > 600) {
        fputs(usage, stderr);
        return 2;
    }
    return sodium_init() < 0 ? 1 : run_rows(&settings, filter, json);
}

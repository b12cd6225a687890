/* halfkey-bench: the benchmark of share operations. Every row is measured beside its baseline, in turn. */
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bare_nng.h"
#include "bench/report.h"

#define ROWS_MAX 128

static const char usage[] =
    "usage: halfkey-bench [--filter TEXT] [--time SECONDS] [--quick] [--growth [--accounts N]]\n"
    "                     [--service ADDRESS] [--json] [--html FILE] [--compare OLD.json] [--list]\n"
    "                     [--programs DIR] [--directory DIR]\n"
    "\n"
    "Measures share operations, each beside a baseline in the same run, and prints the ratio.\n"
    "\n"
    "  --filter TEXT      only rows whose name holds TEXT\n"
    "  --time SECONDS     about how long to measure each row (default 6)\n"
    "  --quick            0.5 seconds for each row, and smaller figures where a row has any to choose\n"
    "  --growth           only the rows of growth: stores of up to a million accounts; takes long\n"
    "  --accounts N       in the largest of those stores (default 1000000, with --quick 10000)\n"
    "  --service ADDRESS  measure a service that runs, with an account made for it and revoked afterwards\n"
    "  --json             print one list of rows and nothing else\n"
    "  --html FILE        write a page with the table and plots\n"
    "  --compare FILE     tell what changed since a run with --json, and what of it is outside noise\n"
    "  --list             print the names of the rows\n"
    "  --programs DIR     where halfkeyd and halfkey are (default: beside this program)\n"
    "  --directory DIR    where rows that write keep their files (default: a new folder in the current one)\n"
    "  --help             print this\n";

struct arguments {
    struct bench_settings settings;
    const char *filter, *html, *compare;
    bool json, growth, list;
};

static bool is_wanted(const struct bench_row *row, const struct arguments *arguments)
{
    bool growth = (row->flags & BENCH_GROWTH) != 0;
    return growth == arguments->growth &&
           (arguments->filter == NULL || strstr(row->name, arguments->filter) != NULL) &&
           (arguments->settings.service == NULL || (row->flags & BENCH_SERVICE) != 0);
}

static void tell(const struct arguments *arguments, size_t n, size_t of, const char *name)
{
    if (arguments->settings.talk) {
        fprintf(stderr, "\r\033[K%zu/%zu %s", n, of, name);
    }
}

static int run_rows(const struct arguments *arguments)
{
    static struct bench_line lines[ROWS_MAX];
    size_t count = 0, wanted = 0, seen = 0;
    bool fine = true;
    for (size_t i = 0; i < bench_row_count; i++) {
        wanted += is_wanted(&bench_rows[i], arguments);
    }
    for (size_t i = 0; i < bench_row_count && count < ROWS_MAX; i++) {
        if (!is_wanted(&bench_rows[i], arguments)) {
            continue;
        }
        lines[count].row = &bench_rows[i];
        tell(arguments, ++seen, wanted, bench_rows[i].name);
        if (!bench_rows[i].run(&lines[count].result, &arguments->settings)) {
            fprintf(stderr, "halfkey-bench: row '%s' failed\n", bench_rows[i].name);
            fine = false;
            continue;
        }
        if (arguments->settings.talk) {
            fprintf(stderr, "\r\033[K");
        }
        if (!arguments->json) {
            bench_report_line(stdout, &lines[count]);
        }
        count++;
    }
    if (arguments->json) {
        bench_report_json(stdout, lines, count);
    }
    if (wanted == 0) {
        fprintf(stderr, "halfkey-bench: no row is meant; --list names them\n");
    }
    fine = (arguments->html == NULL || bench_report_html(arguments->html, lines, count)) && fine;
    fine = (arguments->compare == NULL ||
            bench_report_compare(arguments->json ? stderr : stdout, arguments->compare, lines, count)) &&
           fine;
    return fine && wanted > 0 ? 0 : 1;
}

static bool read_arguments(struct arguments *arguments, int argc, char **argv)
{
    static const struct option options[] = {
        {"filter", required_argument, NULL, 'f'},   {"time", required_argument, NULL, 't'},
        {"quick", no_argument, NULL, 'q'},          {"growth", no_argument, NULL, 'g'},
        {"accounts", required_argument, NULL, 'a'}, {"service", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},           {"html", required_argument, NULL, 'm'},
        {"compare", required_argument, NULL, 'c'},  {"list", no_argument, NULL, 'l'},
        {"programs", required_argument, NULL, 'p'}, {"directory", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    double seconds = 0;
    struct bench_settings *settings = &arguments->settings;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const char **texts[] = {
            ['f'] = &arguments->filter,  ['s'] = &settings->service,  ['m'] = &arguments->html,
            ['c'] = &arguments->compare, ['p'] = &settings->programs, ['d'] = &settings->directory};
        bool *flags[] = {['q'] = &settings->quick,
                         ['g'] = &arguments->growth,
                         ['j'] = &arguments->json,
                         ['l'] = &arguments->list};
        size_t n = (size_t)option;
        if (option == 't') {
            seconds = strtod(optarg, NULL);
            if (!(seconds > 0) || seconds > 600) {
                return false;
            }
        } else if (option == 'a') {
            settings->accounts = strtoul(optarg, NULL, 10);
            if (settings->accounts <= 1000 || settings->accounts > 100000000) {
                return false;
            }
        } else if (n < sizeof(texts) / sizeof(*texts) && texts[n] != NULL) {
            *texts[n] = optarg;
        } else if (n < sizeof(flags) / sizeof(*flags) && flags[n] != NULL) {
            *flags[n] = true;
        } else if (option == 'h') {
            fputs(usage, stdout);
            exit(0);
        } else {
            return false;
        }
    }
    settings->seconds = seconds > 0 ? seconds : settings->quick ? 0.5 : 6;
    settings->accounts = settings->accounts != 0 ? settings->accounts : settings->quick ? 10000 : 1000000;
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.settings = {.directory = ".", .talk = isatty(STDERR_FILENO) != 0}};
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0) {
        return 1;
    }
    if (argc == 2 && strcmp(argv[1], "--serve-echo") == 0) {
        return bench_serve_echo();
    }
    if (!read_arguments(&arguments, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    for (size_t i = 0; arguments.list && i < bench_row_count; i++) {
        printf("%s\n", bench_rows[i].name);
    }
    return arguments.list ? 0 : run_rows(&arguments);
}

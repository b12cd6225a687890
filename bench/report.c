#include "bench/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bench_machine(char *out, size_t max)
{
    char line[256];
    snprintf(out, max, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(out, max, "%s, %ld processors", colon + 2, sysconf(_SC_NPROCESSORS_ONLN));
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* --- for people --- */

void bench_report_line(FILE *out, const struct bench_line *line)
{
    const struct bench_row *row = line->row;
    const struct bench_result *result = &line->result;
    double scale = row->scale;
    fprintf(out, "%-36s %9.1f %-3s (%.1f-%.1f)", row->name, result->thing.median * scale, row->unit,
            result->thing.p10 * scale, result->thing.p90 * scale);
    if (result->ratio.median > 0) {
        fprintf(out, "  ratio %5.2f (%.2f-%.2f)", result->ratio.median, result->ratio.p10, result->ratio.p90);
        if (row->goal > 0) {
            fprintf(out, "  goal %s %.2f: %s", (row->flags & BENCH_FASTER) != 0 ? "at least" : "at most",
                    row->goal, bench_row_met(row, result) ? "met" : "MISSED");
        }
        fprintf(out, "\n%36s %9.1f %-3s %s", "", result->baseline.median * scale, row->unit, row->baseline);
    }
    fprintf(out, "\n");
    fflush(out);
}

/* --- for programs --- */

static void print_number(FILE *out, const char *name, double value, bool there)
{
    if (there) {
        fprintf(out, ", \"%s\": %.6g", name, value);
    } else {
        fprintf(out, ", \"%s\": null", name);
    }
}

void bench_report_json(FILE *out, const struct bench_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct bench_row *row = lines[i].row;
        const struct bench_result *result = &lines[i].result;
        bool compares = result->ratio.median > 0, has_goal = compares && row->goal > 0;
        fprintf(out, "%s  {\"name\": \"%s\", \"unit\": \"%s\"", i == 0 ? "[\n" : ",\n", row->name, row->unit);
        print_number(out, "median", result->thing.median * row->scale, true);
        print_number(out, "p10", result->thing.p10 * row->scale, true);
        print_number(out, "p90", result->thing.p90 * row->scale, true);
        print_number(out, "baseline", result->baseline.median * row->scale, compares);
        print_number(out, "ratio", result->ratio.median, compares);
        print_number(out, "ratio_p10", result->ratio.p10, compares);
        print_number(out, "ratio_p90", result->ratio.p90, compares);
        fprintf(out, ", \"samples\": %zu", result->samples);
        print_number(out, "goal", row->goal, row->goal > 0);
        fprintf(out, ", \"goal_is\": \"%s\", \"met\": %s}",
                (row->flags & BENCH_FASTER) != 0 ? "at least" : "at most",
                !has_goal                    ? "null"
                : bench_row_met(row, result) ? "true"
                                             : "false");
    }
    fprintf(out, "%s]\n", count == 0 ? "[" : "\n");
}

/* --- beside an older run --- */

struct older {
    char name[64];
    struct bench_spread thing, ratio;
    bool compares;
};

static bool number_after(const char *line, const char *name, double *value)
{
    char key[32];
    snprintf(key, sizeof(key), "\"%s\": ", name);
    const char *found = strstr(line, key);
    char *end = NULL;
    if (found == NULL) {
        return false;
    }
    *value = strtod(found + strlen(key), &end);
    return end != found + strlen(key);
}

/* One line of our own list. */
static bool read_older(const char *line, struct older *older)
{
    static const char start[] = "  {\"name\": \"";
    if (strncmp(line, start, sizeof(start) - 1) != 0) {
        return false;
    }
    const char *name = line + sizeof(start) - 1;
    snprintf(older->name, sizeof(older->name), "%.*s", (int)strcspn(name, "\""), name);
    older->compares = number_after(line, "ratio", &older->ratio.median) &&
                      number_after(line, "ratio_p10", &older->ratio.p10) &&
                      number_after(line, "ratio_p90", &older->ratio.p90);
    return number_after(line, "median", &older->thing.median) &&
           number_after(line, "p10", &older->thing.p10) && number_after(line, "p90", &older->thing.p90);
}

static void compare_line(FILE *out, const struct older *older, const struct bench_line *line)
{
    const struct bench_result *result = &line->result;
    bool compares = older->compares && result->ratio.median > 0;
    double scale = compares ? 1 : line->row->scale;
    const struct bench_spread *now = compares ? &result->ratio : &result->thing,
                              *then = compares ? &older->ratio : &older->thing;
    bool apart = now->p10 * scale > then->p90 || now->p90 * scale < then->p10;
    bool more_is_better = compares && (line->row->flags & BENCH_FASTER) != 0;
    bool better = (now->median * scale > then->median) == more_is_better;
    fprintf(out, "%-36s %s %8.3f, was %8.3f  %+6.1f %%  %s\n", line->row->name,
            compares ? "ratio" : line->row->unit, now->median * scale, then->median,
            100 * (now->median * scale / then->median - 1),
            !apart   ? "within noise"
            : better ? "BETTER"
                     : "WORSE");
}

bool bench_report_compare(FILE *out, const char *path, const struct bench_line *lines, size_t count)
{
    char text[2048];
    size_t found = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "halfkey-bench: cannot read %s\n", path);
        return false;
    }
    while (fgets(text, sizeof(text), file) != NULL) {
        struct older older;
        if (!read_older(text, &older)) {
            continue;
        }
        found++;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(lines[i].row->name, older.name) == 0) {
                compare_line(out, &older, &lines[i]);
            }
        }
    }
    fclose(file);
    if (found == 0) {
        fprintf(stderr, "halfkey-bench: %s has no rows; it has to be what --json printed\n", path);
    }
    return found > 0;
}

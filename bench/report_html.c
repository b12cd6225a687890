/* The page: a table and plots as inline SVG, nothing from elsewhere. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "bench/plot.h"
#include "bench/report.h"

#define WIDTH 860.0
#define HEIGHT 340.0
#define LEFT 74.0
#define RIGHT 16.0
#define TOP 12.0
#define BOTTOM 46.0

static const char *const colours[] = {"#1f5fa8", "#c2571a", "#2c7a4b", "#8a3a86", "#6b6b6b", "#a88a00"};

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>halfkey-bench</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}\n"
    "h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.15rem;margin:2.2rem 0 .4rem}p{margin:.3rem "
    "0;color:#444}\n"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{padding:.35rem .6rem;text-align:left;"
    "border-bottom:1px solid #ddd;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}small{color:#666}.met{color:#2c7a4b}.missed{color:#b3261e;font-weight:"
    "600}\n"
    "svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#444}\n"
    ".legend span{display:inline-block;margin-right:1.4rem;font-size:.9rem}.legend "
    "i{display:inline-block;width:.9rem;"
    "height:.25rem;margin-right:.4rem;vertical-align:middle}\n</style></head><body>\n";

/* --- axes --- */

/* Logarithmic both ways: what is shown spans decades. */
struct axis {
    double low, high;
};

static struct axis axis_of(const struct bench_plot *plot, bool y)
{
    struct axis axis = {INFINITY, 0};
    for (size_t i = 0; i < plot->count; i++) {
        for (size_t n = 0; n < plot->series[i].count; n++) {
            double value = y ? plot->series[i].y[n] : plot->series[i].x[n];
            if (value > 0) {
                axis.low = fmin(axis.low, value);
                axis.high = fmax(axis.high, value);
            }
        }
    }
    if (axis.high <= axis.low) {
        axis.low *= 0.5;
        axis.high *= 2;
    }
    axis.low = log10(axis.low);
    axis.high = log10(axis.high);
    double room = 0.04 * (axis.high - axis.low);
    return (struct axis){axis.low - room, axis.high + room};
}

static double place_x(const struct axis *axis, double value)
{
    return LEFT + (log10(value) - axis->low) / (axis->high - axis->low) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct axis *axis, double value)
{
    return HEIGHT - BOTTOM - (log10(value) - axis->low) / (axis->high - axis->low) * (HEIGHT - TOP - BOTTOM);
}

static void grid_line(FILE *out, const struct axis *axis, bool y, double value)
{
    if (y) {
        double at = place_y(axis, value);
        fprintf(out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#e4e4e4\"/>", LEFT,
                WIDTH - RIGHT, at, at);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", LEFT - 8, at + 4, value);
    } else {
        double at = place_x(axis, value);
        fprintf(out, "<line y1=\"%.1f\" y2=\"%.1f\" x1=\"%.1f\" x2=\"%.1f\" stroke=\"#e4e4e4\"/>", TOP,
                HEIGHT - BOTTOM, at, at);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n", at,
                HEIGHT - BOTTOM + 18, value);
    }
}

/* Lines at the decades, and at twos and fives where there are few. */
static void grid(FILE *out, const struct axis *axis, bool y)
{
    bool fine = axis->high - axis->low < 2.5;
    for (int decade = (int)floor(axis->low); decade <= (int)ceil(axis->high); decade++) {
        static const double steps[] = {1, 2, 5};
        for (size_t i = 0; i < (fine ? 3 : 1); i++) {
            double value = steps[i] * pow(10, decade);
            if (log10(value) >= axis->low && log10(value) <= axis->high) {
                grid_line(out, axis, y, value);
            }
        }
    }
}

static void draw_series(FILE *out, const struct bench_series *series, const struct axis *x,
                        const struct axis *y, const char *colour)
{
    fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (size_t n = 0; n < series->count; n++) {
        if (series->x[n] > 0 && series->y[n] > 0) {
            fprintf(out, "%.1f,%.1f ", place_x(x, series->x[n]), place_y(y, series->y[n]));
        }
    }
    fprintf(out, "\"/>\n");
    for (size_t n = 0; n < series->count && series->count <= 12; n++) {
        if (series->x[n] > 0 && series->y[n] > 0) {
            fprintf(out,
                    "<circle r=\"3.2\" cx=\"%.1f\" cy=\"%.1f\" fill=\"%s\"><title>%g: %g</title></circle>\n",
                    place_x(x, series->x[n]), place_y(y, series->y[n]), colour, series->x[n], series->y[n]);
        }
    }
}

static void draw_plot(FILE *out, const struct bench_plot *plot)
{
    if (plot->count == 0) {
        return;
    }
    struct axis x = axis_of(plot, false), y = axis_of(plot, true);
    fprintf(out, "<h2>%s</h2>\n<p>%s</p>\n<p class=\"legend\">", plot->title, plot->note);
    for (size_t i = 0; i < plot->count; i++) {
        fprintf(out, "<span><i style=\"background:%s\"></i>%s</span>",
                colours[i % (sizeof(colours) / sizeof(*colours))], plot->series[i].name);
    }
    fprintf(out, "</p>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", WIDTH, HEIGHT,
            plot->title);
    grid(out, &x, false);
    grid(out, &y, true);
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", (LEFT + WIDTH - RIGHT) / 2,
            HEIGHT - 8, plot->x);
    fprintf(out, "<text transform=\"translate(14 %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
            (TOP + HEIGHT - BOTTOM) / 2, plot->y);
    for (size_t i = 0; i < plot->count; i++) {
        draw_series(out, &plot->series[i], &x, &y, colours[i % (sizeof(colours) / sizeof(*colours))]);
    }
    fprintf(out, "</svg>\n");
}

/* --- the table --- */

/* A figure with as many digits as say something. */
static const char *figure(char out[32], double value)
{
    snprintf(out, 32, value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
    return out;
}

static void draw_row(FILE *out, const struct bench_line *line)
{
    const struct bench_row *row = line->row;
    const struct bench_result *result = &line->result;
    char median[32], p10[32], p90[32];
    fprintf(out,
            "<tr><td>%s<br><small>%s</small></td><td class=\"n\">%s %s<br><small>%s &ndash; %s</small></td>",
            row->name, row->baseline, figure(median, result->thing.median * row->scale), row->unit,
            figure(p10, result->thing.p10 * row->scale), figure(p90, result->thing.p90 * row->scale));
    if (result->ratio.median > 0) {
        fprintf(out,
                "<td class=\"n\">%s %s</td><td class=\"n\">%.2f<br><small>%.2f &ndash; %.2f</small></td>",
                figure(median, result->baseline.median * row->scale), row->unit, result->ratio.median,
                result->ratio.p10, result->ratio.p90);
    } else {
        fprintf(out, "<td></td><td></td>");
    }
    if (row->goal > 0 && result->ratio.median > 0) {
        bool met = bench_row_met(row, result);
        fprintf(out, "<td class=\"n\">%s %g</td><td class=\"%s\">%s</td></tr>\n",
                (row->flags & BENCH_FASTER) != 0 ? "&ge;" : "&le;", row->goal, met ? "met" : "missed",
                met ? "met" : "missed");
    } else {
        fprintf(out, "<td></td><td></td></tr>\n");
    }
}

bool bench_report_html(const char *path, const struct bench_line *lines, size_t count)
{
    char machine[256], when[64];
    time_t now = time(NULL);
    struct tm parts;
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        fprintf(stderr, "halfkey-bench: cannot write %s: %s\n", path, strerror(errno));
        return false;
    }
    bench_machine(machine, sizeof(machine));
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &parts));
    fputs(head, out);
    fprintf(out, "<h1>halfkey-bench</h1>\n<p>%s, %s</p>\n", machine, when);
    fprintf(out,
            "<p>Each row was measured beside its baseline in the same run, in turn. Milliseconds are "
            "information; "
            "goals are ratios. Small print: what the baseline does, and the 10th and 90th percentile.</p>\n");
    fprintf(out, "<table><tr><th>row</th><th class=\"n\">measured</th><th class=\"n\">baseline</th><th "
                 "class=\"n\">ratio"
                 "</th><th class=\"n\">goal</th><th></th></tr>\n");
    for (size_t i = 0; i < count; i++) {
        draw_row(out, &lines[i]);
    }
    fprintf(out, "</table>\n");
    for (int plot = 0; plot < BENCH_PLOTS; plot++) {
        draw_plot(out, bench_plot_get((enum bench_plot_id)plot));
    }
    fprintf(out, "</body></html>\n");
    if (fclose(out) != 0) {
        fprintf(stderr, "halfkey-bench: cannot write %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

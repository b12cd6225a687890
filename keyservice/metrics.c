#include "keyservice/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keyservice/server.h"
#include "protocol/message.h"

static const uint64_t bounds_us[HK_METRICS_BUCKETS] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 5000000};

uint64_t hk_metrics_clock(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void hk_histogram_add(struct hk_histogram *histogram, uint64_t ns)
{
    size_t n = 0;
    while (n < HK_METRICS_BUCKETS && ns > bounds_us[n] * 1000) {
        n++;
    }
    (void)atomic_fetch_add_explicit(&histogram->bucket[n], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&histogram->sum_ns, ns, memory_order_relaxed);
}

void hk_metrics_answered(struct hk_metrics *metrics, uint64_t op, enum hk_error outcome, uint64_t began)
{
    uint64_t row = op < HK_METRICS_OPS ? op : 0;
    uint64_t column = (uint64_t)outcome < HK_METRICS_OUTCOMES ? (uint64_t)outcome : (uint64_t)HK_INTERNAL;
    (void)atomic_fetch_add_explicit(&metrics->operation[row][column], 1, memory_order_relaxed);
    hk_histogram_add(&metrics->answer, hk_metrics_clock() - began);
}

/* ---- text ---- */

struct text {
    char *out;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text->out + text->size, HK_METRICS_TEXT_MAX - text->size, format, list);
    va_end(list);
    size_t room = HK_METRICS_TEXT_MAX - 1 - text->size;
    text->size += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room;
}

struct row {
    const char *name, *kind, *help;
    void (*print)(struct text *text, const struct row *row, const struct hk_server *server);
    uint64_t (*value)(const struct hk_server *server); /* of print_value */
};

static void print_value(struct text *text, const struct row *row, const struct hk_server *server)
{
    put(text, "%s %" PRIu64 "\n", row->name, row->value(server));
}

static void print_operations(struct text *text, const struct row *row, const struct hk_server *server)
{
    for (uint64_t op = 0; op < HK_METRICS_OPS; op++) {
        const struct hk_op_row *found = hk_op_row(op);
        for (int outcome = 0; outcome < HK_METRICS_OUTCOMES; outcome++) {
            uint64_t count = atomic_load(&server->metrics.operation[op][outcome]);
            if (count != 0) {
                put(text, "%s{operation=\"%s\",outcome=\"%s\"} %" PRIu64 "\n", row->name,
                    found != NULL ? found->name : "unknown", hk_error_name((enum hk_error)outcome), count);
            }
        }
    }
}

static void print_histogram(struct text *text, const struct row *row, const struct hk_histogram *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i < HK_METRICS_BUCKETS; i++) {
        count += atomic_load(&histogram->bucket[i]);
        put(text, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", row->name, (double)bounds_us[i] / 1e6, count);
    }
    count += atomic_load(&histogram->bucket[HK_METRICS_BUCKETS]);
    put(text, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.9f\n%s_count %" PRIu64 "\n", row->name, count,
        row->name, (double)atomic_load(&histogram->sum_ns) / 1e9, row->name, count);
}
static void print_answer(struct text *text, const struct row *row, const struct hk_server *server)
{
    print_histogram(text, row, &server->metrics.answer);
}
static void print_commit(struct text *text, const struct row *row, const struct hk_server *server)
{
    print_histogram(text, row, &server->metrics.commit);
}

static void print_sessions(struct text *text, const struct row *row, const struct hk_server *server)
{
    struct hk_session_counts counts;
    hk_session_table_count(server->sessions, &counts);
    put(text, "%s{kind=\"device\"} %zu\n%s{kind=\"stranger\"} %zu\n%s{kind=\"unconfirmed\"} %zu\n", row->name,
        counts.sessions, row->name, counts.strangers, row->name, counts.unconfirmed);
}

static struct hk_writer_figures figures(const struct hk_server *server)
{
    struct hk_writer_figures out = {0};
    if (server->writer != NULL) {
        hk_writer_figures(server->writer, &out);
    }
    return out;
}

static uint64_t queued(const struct hk_server *server)
{
    return figures(server).queued;
}
static uint64_t commits(const struct hk_server *server)
{
    return figures(server).commits;
}
static uint64_t failures(const struct hk_server *server)
{
    return figures(server).failures;
}
static uint64_t connections(const struct hk_server *server)
{
    return hk_listener_connections(server->listener);
}
static uint64_t handshakes(const struct hk_server *server)
{
    return atomic_load(&server->metrics.handshakes);
}
static uint64_t handshakes_refused(const struct hk_server *server)
{
    return atomic_load(&server->metrics.handshakes_refused);
}
static uint64_t address_refusals(const struct hk_server *server)
{
    return hk_policy_refused(server->policy);
}
static uint64_t device_refusals(const struct hk_server *server)
{
    uint64_t count = 0;
    for (uint64_t op = 0; op < HK_METRICS_OPS; op++) {
        count += atomic_load(&server->metrics.operation[op][HK_OVER_QUOTA]);
    }
    return count;
}
static uint64_t locked_bytes(const struct hk_server *server)
{
    struct hk_arena_figures arena;
    hk_arena_figures(server->arena, &arena);
    return arena.locked;
}
static uint64_t overflows(const struct hk_server *server)
{
    struct hk_arena_figures arena;
    hk_arena_figures(server->arena, &arena);
    return arena.overflows;
}
static uint64_t quarantined(const struct hk_server *server)
{
    return server->quarantined ? 1 : 0;
}

static const struct row rows[] = {
    {"halfkey_operations_total", "counter", "requests answered, by operation and outcome", print_operations,
     NULL},
    {"halfkey_answer_seconds", "histogram", "from an opened request to its answer", print_answer, NULL},
    {"halfkey_fsync_seconds", "histogram", "one commit, which is a sync of the disk", print_commit, NULL},
    {"halfkey_sessions", "gauge", "sessions that are open", print_sessions, NULL},
    {"halfkey_connections", "gauge", "connections that are open", print_value, connections},
    {"halfkey_queue_depth", "gauge", "entries that wait for the writer", print_value, queued},
    {"halfkey_commits_total", "counter", "commits made", print_value, commits},
    {"halfkey_commit_failures_total", "counter", "commits that failed", print_value, failures},
    {"halfkey_handshakes_total", "counter", "handshakes that were computed", print_value, handshakes},
    {"halfkey_handshakes_refused_total", "counter", "those that failed", print_value, handshakes_refused},
    {"halfkey_address_refusals_total", "counter", "steps of strangers beyond their allowance", print_value,
     address_refusals},
    {"halfkey_quota_refusals_total", "counter", "requests beyond a device's quota", print_value,
     device_refusals},
    {"halfkey_locked_bytes", "gauge", "locked memory for requests", print_value, locked_bytes},
    {"halfkey_locked_overflows_total", "counter", "pieces of requests that did not fit into it", print_value,
     overflows},
    {"halfkey_quarantine", "gauge", "1 while store and slots do not fit together", print_value, quarantined},
};

size_t hk_metrics_print(const struct hk_server *server, char *out)
{
    struct text text = {.out = out};
    out[0] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        put(&text, "# HELP %s %s\n# TYPE %s %s\n", rows[i].name, rows[i].help, rows[i].name, rows[i].kind);
        rows[i].print(&text, &rows[i], server);
    }
    return text.size;
}

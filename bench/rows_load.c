/* Rows under load: what an answer costs the service, how many there are, what ten thousand devices weigh. */
#include <string.h>

#include "bench/arena.h"
#include "bench/load.h"
#include "bench/plot.h"
#include "crypto/agreement.h"
#include "crypto/cosign.h"
#include "crypto/random.h"

#define CONNECTIONS 64
#define BATCH_CONNECTIONS 4 /* with 256 points each: the generator computes every one of them too */
#define MEMBERS (CONNECTIONS / 4)
#define DEVICES 10000
#define DEVICES_QUICK 1000
#define BASELINE_SHARES 200

/* --- what an answer costs, beside a share in process --- */

struct throughput {
    struct bench_arena arena;
    struct bench_load *load;
    struct bench_load_plan plan;
    /* the baseline's */
    struct hk_scalar half, eighth;
    struct hk_cosign request;
    uint8_t message[100], id[16], group_key[32], commitments[64], points[256][32];
};

static bool share_in_process(struct throughput *row)
{
    uint8_t share[32], service[64];
    if (row->plan.mix.sign > 0) {
        return hk_cosign_answer(service, share, &row->request, &row->half, row->commitments) == HK_OK;
    }
    return hk_agree_share(&hk_agree_x25519, share, &row->eighth, row->points[0], 1) == HK_OK;
}

/* Wall seconds between two answers. */
static bool wall_per_answer(struct bench_load *load, const struct bench_load_plan *plan, double *each)
{
    struct bench_load_result result;
    struct bench_load_plan longer = *plan;
    while (longer.seconds < 60) { /* on a busy machine there may be none in a short time */
        if (!bench_load_run(load, &longer, &result)) {
            return false;
        }
        bench_load_free(&result);
        if (result.answers > 0) {
            *each = result.seconds / (double)result.answers;
            return true;
        }
        longer.seconds *= 4;
    }
    return false;
}

/* Processor seconds of the service for one share; of a service elsewhere, wall seconds between two answers.
 */
static bool take_throughput(void *context, double *thing, double *baseline)
{
    struct throughput *row = context;
    struct bench_load_result result;
    *baseline = 0;
    if (row->arena.service.pid == 0) {
        return wall_per_answer(row->load, &row->plan, thing);
    }
    double before = bench_service_cpu(&row->arena.service);
    if (!bench_load_run(row->load, &row->plan, &result)) {
        return false;
    }
    double spent = bench_service_cpu(&row->arena.service) - before;
    bench_load_free(&result);
    *thing = spent / (double)(row->plan.mix.points > 1 ? result.all_points : result.all);
    double start = bench_now(BENCH_CPU);
    for (int i = 0; i < BASELINE_SHARES; i++) {
        if (!share_in_process(row)) {
            return false;
        }
    }
    *baseline = (bench_now(BENCH_CPU) - start) / BASELINE_SHARES;
    return result.all > 0;
}

static bool throughput_start(struct throughput *row, const struct bench_settings *settings,
                             size_t connections, struct bench_mix mix)
{
    struct hk_frost_nonces nonces;
    struct hk_scalar device;
    struct hk_point point;
    memset(row, 0, sizeof(*row));
    hk_scalar_random(&hk_edwards25519, &row->half);
    hk_scalar_random(&hk_edwards25519, &device);
    hk_agree_part(&hk_agree_x25519, &row->eighth, &row->half);
    hk_edwards25519.base_mul(&point, &device);
    memcpy(row->group_key, point.bytes, 32);
    memcpy(row->points[0], point.bytes, 32);
    row->request = (struct hk_cosign){.suite = &hk_frost_ed25519,
                                      .group_key = row->group_key,
                                      .key_id = row->id,
                                      .epoch = 1,
                                      .request_id = row->id,
                                      .message = row->message,
                                      .size = sizeof(row->message)};
    if (hk_cosign_begin(&nonces, row->commitments, &row->request, &device) != HK_OK ||
        !bench_arena_open(&row->arena, settings, MEMBERS, MEMBERS)) {
        return false;
    }
    row->plan = (struct bench_load_plan){.address = row->arena.address,
                                         .members = row->arena.members,
                                         .member_count = row->arena.member_count,
                                         .connections = connections,
                                         .mix = mix,
                                         .warm = 0.3,
                                         .seconds = settings->quick ? 0.03 : settings->seconds / 20};
    row->load = bench_load_open(&row->plan);
    return row->load != NULL;
}

static bool throughput(struct bench_result *result, const struct bench_settings *settings, size_t connections,
                       struct bench_mix mix)
{
    static struct throughput row;
    struct bench_load_result warm;
    bool fine =
        throughput_start(&row, settings, connections, mix) && bench_load_run(row.load, &row.plan, &warm);
    if (fine) {
        bench_load_free(&warm);
        row.plan.warm = 0;
        fine = bench_measure_samples(result, &(struct bench_samples){.take = take_throughput,
                                                                     .context = &row,
                                                                     .seconds = settings->seconds,
                                                                     .faster = true});
    }
    bench_load_close(row.load);
    bench_arena_close(&row.arena);
    return fine;
}

bool bench_throughput_decrypt(struct bench_result *result, const struct bench_settings *settings)
{
    return throughput(result, settings, CONNECTIONS, (struct bench_mix){.agree = 1});
}

bool bench_throughput_sign(struct bench_result *result, const struct bench_settings *settings)
{
    return throughput(result, settings, CONNECTIONS, (struct bench_mix){.sign = 1});
}

bool bench_throughput_batch(struct bench_result *result, const struct bench_settings *settings)
{
    return throughput(result, settings, BATCH_CONNECTIONS, (struct bench_mix){.agree = 1, .points = 256});
}

/* --- answers a second, over connections --- */

/* The row is the wall time between two answers with the most connections beside that with one. */
struct curve {
    struct bench_arena arena;
    struct bench_load *one, *most;
    struct bench_load_plan plan;
    size_t connections;
};

static bool take_curve(void *context, double *thing, double *baseline)
{
    struct curve *curve = context;
    return wall_per_answer(curve->most, &curve->plan, thing) &&
           wall_per_answer(curve->one, &curve->plan, baseline);
}

static bool plot_curve(struct curve *curve)
{
    struct bench_load_plan plan = curve->plan;
    static const struct {
        const char *name;
        struct bench_mix mix;
    } mixes[] = {{"decrypt", {.agree = 1}},
                 {"sign", {.sign = 1}},
                 {"mailbox: 32 points a request", {.agree = 1, .points = 32}}};
    for (size_t i = 0; i < sizeof(mixes) / sizeof(*mixes); i++) {
        plan.mix = mixes[i].mix;
        for (plan.active = 1; plan.active <= curve->connections; plan.active *= 4) {
            double each;
            if (!wall_per_answer(curve->most, &plan, &each)) {
                return false;
            }
            bench_plot_add(BENCH_PLOT_CONNECTIONS, mixes[i].name, (double)plan.active, 1 / each);
        }
    }
    return true;
}

bool bench_connections(struct bench_result *result, const struct bench_settings *settings)
{
    static struct curve curve;
    memset(&curve, 0, sizeof(curve));
    curve.connections = settings->quick ? 64 : 1024;
    size_t members = curve.connections / 4 + 1; /* the last is the single connection's */
    if (!bench_arena_open(&curve.arena, settings, members, members)) {
        return false;
    }
    curve.plan = (struct bench_load_plan){.address = curve.arena.address,
                                          .members = &curve.arena.members[curve.arena.member_count - 1],
                                          .member_count = 1,
                                          .connections = 1,
                                          .mix = {.agree = 1},
                                          .seconds = settings->quick ? 0.025 : settings->seconds / 30,
                                          .warm = settings->quick ? 0.01 : 0.03};
    curve.one = bench_load_open(&curve.plan);
    curve.plan.members = curve.arena.members;
    curve.plan.member_count = curve.arena.member_count > 1 ? curve.arena.member_count - 1 : 1;
    curve.plan.connections = curve.connections;
    curve.most = bench_load_open(&curve.plan);
    bool fine = curve.one != NULL && curve.most != NULL &&
                bench_measure_samples(result, &(struct bench_samples){.take = take_curve,
                                                                      .context = &curve,
                                                                      .seconds = settings->seconds,
                                                                      .faster = true}) &&
                plot_curve(&curve);
    bench_load_close(curve.one);
    bench_load_close(curve.most);
    bench_arena_close(&curve.arena);
    return fine;
}

/* --- ten thousand connected devices --- */

struct connected {
    struct bench_arena arena;
    struct bench_load *one, *all;
    struct bench_load_plan plan;
    double bytes; /* of the service for one connection */
};

static double bytes_a_device; /* of the row that connected them last */

static bool take_connected(void *context, double *thing, double *baseline)
{
    struct connected *row = context;
    return wall_per_answer(row->all, &row->plan, thing) && wall_per_answer(row->one, &row->plan, baseline);
}

/* One device with 64 connections, and so many devices, of which 64 ask. */
static bool connect_all(struct connected *row, const struct bench_settings *settings)
{
    size_t devices = settings->quick ? DEVICES_QUICK : DEVICES;
    struct bench_load_result warm;
    if (!bench_arena_open(&row->arena, settings, devices + 1, devices + 1)) {
        return false;
    }
    row->plan = (struct bench_load_plan){.address = row->arena.address,
                                         .members = &row->arena.members[devices],
                                         .member_count = 1,
                                         .connections = CONNECTIONS,
                                         .active = CONNECTIONS,
                                         .mix = {.agree = 1},
                                         .warm = settings->quick ? 0.02 : 0.05,
                                         .seconds = settings->quick ? 0.025 : settings->seconds / 40};
    row->one = bench_load_open(&row->plan);
    if (row->one == NULL || !bench_load_run(row->one, &row->plan, &warm)) {
        return false;
    }
    bench_load_free(&warm);
    row->plan.members = row->arena.members;
    row->plan.member_count = devices;
    row->plan.connections = devices;
    double before = (double)bench_service_memory(&row->arena.service);
    row->all = bench_load_open(&row->plan);
    bytes_a_device = ((double)bench_service_memory(&row->arena.service) - before) / (double)devices;
    return row->all != NULL;
}

bool bench_connected(struct bench_result *result, const struct bench_settings *settings)
{
    static struct connected row;
    memset(&row, 0, sizeof(row));
    bool fine = connect_all(&row, settings) &&
                bench_measure_samples(result, &(struct bench_samples){.take = take_connected,
                                                                      .context = &row,
                                                                      .seconds = settings->seconds,
                                                                      .faster = true});
    bench_load_close(row.one);
    bench_load_close(row.all);
    bench_arena_close(&row.arena);
    return fine;
}

/* One figure: what the service's memory grew by when the devices connected, beside 8 KiB. */
bool bench_connected_memory(struct bench_result *result, const struct bench_settings *settings)
{
    static struct connected row;
    memset(&row, 0, sizeof(row));
    bool fine = bytes_a_device > 0 || connect_all(&row, settings);
    bench_load_close(row.one);
    bench_load_close(row.all);
    bench_arena_close(&row.arena);
    double bytes = bytes_a_device, ratio = bytes / 8192;
    *result = (struct bench_result){.thing = {bytes, bytes, bytes},
                                    .baseline = {8192, 8192, 8192},
                                    .ratio = {ratio, ratio, ratio},
                                    .samples = 1};
    return fine;
}

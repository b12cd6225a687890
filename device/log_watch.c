/* What a device asks of the log before the first request of a session and once a minute: a signed head that
 * extends the last one, its own uses, the other devices' reports. */
#include <stdlib.h>
#include <string.h>

#include "device/agent_core.h"
#include "device/log_source.h"

/* Set while `log accept` runs: a new generation is gone on with. */
static atomic_bool accepting;

struct watch {
    struct hk_core *core;
    struct hk_client *client;
    struct hk_log_asker asker;
    struct hk_profile profile;
    struct hk_log_view view;
    struct hk_log_head last, head;
    uint8_t signature[64];
    size_t own_count;
    struct hk_log_own own[HK_CLIENT_OWN_MAX];
    struct hk_log_audit audit;
};

static enum hk_error fetch_head(struct watch *watch)
{
    struct hk_exchange *exchange;
    enum hk_error error = hk_exchange_new(&exchange, watch->client);
    if (error != HK_OK) {
        return error;
    }
    hk_exchange_start(exchange, HK_OP_LOG_HEAD);
    error = hk_client_call(watch->client, exchange);
    if (error == HK_OK) {
        const uint8_t *root = hk_exchange_bytes(exchange, HK_F_ROOT, 32),
                      *signature = hk_exchange_bytes(exchange, HK_F_SIGNATURE, 64);
        watch->head = (struct hk_log_head){.generation = hk_exchange_u64(exchange, HK_F_GENERATION),
                                           .size = hk_exchange_u64(exchange, HK_F_SIZE),
                                           .time = hk_exchange_u64(exchange, HK_F_TIME)};
        error = root != NULL && signature != NULL ? HK_OK : HK_BAD_PEER;
        if (error == HK_OK) {
            memcpy(watch->head.root, root, 32);
            memcpy(watch->signature, signature, 64);
        }
    }
    hk_exchange_free(watch->client, exchange);
    return error;
}

/* The last head and reports of the state, which other threads may change meanwhile. */
static void read_state(struct watch *watch)
{
    struct hk_state *state = watch->core->state;
    pthread_mutex_lock(&watch->core->saving);
    watch->last = state->log.head;
    watch->audit.device_count = state->log.report_count;
    for (size_t i = 0; i < state->log.report_count; i++) {
        memcpy(watch->audit.devices[i].serial, state->log.report[i].serial, HK_ID_BYTES);
        watch->audit.devices[i].suspended = state->log.report[i].suspended;
        watch->audit.devices[i].head = state->log.report[i].head;
    }
    pthread_mutex_unlock(&watch->core->saving);
    if (watch->last.generation == 0) {
        hk_log_head_empty(&watch->last, 1);
    }
}

/* What the log tells of that has to be fetched, or given. */
static void note_hints(struct watch *watch)
{
    struct hk_core *core = watch->core;
    bool is_admin = core->state->role == HK_ROLE_ADMIN;
    if (watch->audit.profiles > 0) {
        atomic_store(&core->profile_stale, true);
    }
    if (watch->audit.deposits > 0 && is_admin) {
        atomic_store(&core->hands_due, true);
    }
    if (watch->audit.handed > 0) {
        atomic_store(&core->hand_waits, true);
    }
}

static enum hk_error write_state(struct watch *watch)
{
    struct hk_state *state = watch->core->state;
    uint8_t report[HK_REPORT_BYTES];
    pthread_mutex_lock(&watch->core->saving);
    bool changed =
        state->log.head.generation != watch->head.generation || state->log.head.size != watch->head.size;
    state->log.head = watch->head;
    state->log.stopped = false;
    state->log.report_count = watch->audit.device_count;
    for (size_t i = 0; i < watch->audit.device_count; i++) {
        memcpy(state->log.report[i].serial, watch->audit.devices[i].serial, HK_ID_BYTES);
        state->log.report[i].suspended = watch->audit.devices[i].suspended;
        state->log.report[i].head = watch->audit.devices[i].head;
        if (watch->audit.devices[i].holds_keys) {
            hk_state_add_holder(state, watch->audit.devices[i].serial);
        }
    }
    note_hints(watch);
    uint64_t warning = hk_client_warning(watch->client);
    if (warning > state->stale_copy_seen) {
        state->stale_copy_seen = warning;
    }
    pthread_mutex_unlock(&watch->core->saving);
    hk_client_own_settle(watch->client, watch->own, watch->own_count);
    if (!changed) {
        return HK_OK;
    }
    hk_log_report(report, state->account, &watch->head, state->report_key.bytes);
    hk_client_set_report(watch->client, report);
    return hk_core_save(watch->core, "log");
}

/* An ordinary device goes on with a new generation when an administrator's device has: what that one reports
 * of it is signed with the key of the profile that this one has, and made only after its user's yes. */
static bool administrator_went_on(const struct watch *watch)
{
    bool ordinary = false, went_on = false;
    for (size_t i = 0; i < watch->profile.device_count; i++) {
        const struct hk_profile_device *device = &watch->profile.devices[i];
        const struct hk_log_head *seen = &watch->audit.devices[i].head;
        if (memcmp(device->serial, watch->core->state->serial, HK_ID_BYTES) == 0) {
            ordinary = device->role != HK_ROLE_ADMIN;
        } else if (device->role == HK_ROLE_ADMIN && seen->generation == watch->head.generation &&
                   seen->size != 0) {
            went_on = true;
        }
    }
    return ordinary && went_on;
}

/* All of a new generation, from its first leaf. What was answered before belongs to the one that is gone. */
static enum hk_error check_new_generation(struct watch *watch)
{
    const struct hk_log_source *source = &watch->asker.source;
    hk_log_head_empty(&watch->last, watch->head.generation);
    for (size_t i = 0; i < watch->audit.device_count; i++) {
        memset(&watch->audit.devices[i].head, 0, sizeof(watch->audit.devices[i].head));
    }
    for (size_t i = 0; i < watch->own_count; i++) {
        watch->own[i].found = watch->own[i].answered;
    }
    enum hk_error error =
        hk_log_check_head(&watch->view, &watch->last, &watch->head, watch->signature, source);
    if (error == HK_OK) {
        error = hk_log_audit(&watch->view, &watch->last, &watch->head, watch->own, watch->own_count, source,
                             &watch->audit);
    }
    if (error == HK_OK && !atomic_load(&accepting) && !administrator_went_on(watch)) {
        pthread_mutex_lock(&watch->core->saving);
        watch->core->state->log.stopped = true;
        pthread_mutex_unlock(&watch->core->saving);
        error = HK_NEEDS_APPROVAL;
    }
    return error;
}

static enum hk_error check(struct watch *watch)
{
    const struct hk_log_source *source = &watch->asker.source;
    watch->own_count = hk_client_own(watch->client, watch->own, HK_CLIENT_OWN_MAX);
    enum hk_error error = fetch_head(watch);
    if (error != HK_OK) {
        return error;
    }
    watch->own_count = hk_client_own_later(watch->client, watch->own, watch->own_count);
    if (watch->core->state->recovered && watch->core->state->log.head.generation == 0) {
        hk_log_head_empty(&watch->last, watch->head.generation); /* it has seen none before */
    }
    error = hk_log_check_head(&watch->view, &watch->last, &watch->head, watch->signature, source);
    if (error == HK_NEEDS_APPROVAL) {
        return check_new_generation(watch);
    }
    return error == HK_OK ? hk_log_audit(&watch->view, &watch->last, &watch->head, watch->own,
                                         watch->own_count, source, &watch->audit)
                          : error;
}

/* Once: the last head that held, signed, into the log that does not extend it. Its operator hears of it, and
 * so does every other device that looks at the log: the two histories can never be joined again. */
static void tell_fork(struct watch *watch)
{
    uint8_t report[HK_REPORT_BYTES];
    if (watch->core->state->log.head.size == 0 || atomic_exchange(&watch->core->fork_told, true)) {
        return;
    }
    hk_log_report(report, watch->core->state->account, &watch->core->state->log.head,
                  watch->core->state->report_key.bytes);
    hk_client_set_report(watch->client, report);
    if (fetch_head(watch) != HK_OK) {
        atomic_store(&watch->core->fork_told, false);
    }
}

enum hk_error hk_core_watch_log(void *argument, struct hk_client *client)
{
    struct hk_core *core = argument;
    if (core->state->phase != HK_PHASE_ACTIVE) {
        return HK_OK; /* nothing signed says yet who may report */
    }
    struct watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return HK_NO_MEMORY;
    }
    watch->core = core;
    watch->client = client;
    enum hk_error error = hk_state_profile(core->state, &watch->profile);
    watch->view = (struct hk_log_view){.account = core->state->account,
                                       .identity_key = core->state->identity_key,
                                       .serial = core->state->serial,
                                       .profile = &watch->profile};
    read_state(watch);
    if (error == HK_OK) {
        error = hk_log_asker_open(&watch->asker, client);
    }
    if (error == HK_OK) {
        error = check(watch);
    }
    if (error == HK_LOG_FORKED) {
        tell_fork(watch);
    }
    hk_log_asker_close(&watch->asker);
    if (error == HK_OK) {
        error = write_state(watch);
    }
    free(watch);
    return error;
}

enum hk_error hk_op_log_accept(struct hk_op_call *call)
{
    struct hk_state *state = call->core->state;
    atomic_store(&accepting, true);
    enum hk_error error = hk_client_check_now(call->core->client);
    atomic_store(&accepting, false);
    if (error != HK_OK) {
        return error;
    }
    /* Its report of the new generation goes with the next request: other devices wait for it. */
    error = hk_client_check_now(call->core->client);
    if (error != HK_OK) {
        return error;
    }
    hk_agent_set_u64(call->answer, HK_A_GENERATION, state->log.head.generation);
    hk_agent_set_u64(call->answer, HK_A_LOG_SIZE, state->log.head.size);
    hk_agent_set_u64(call->answer, HK_A_LOG_TIME, state->log.head.time);
    return hk_op_put(call, HK_A_ROOT, state->log.head.root, 32) ? HK_OK : HK_NO_MEMORY;
}

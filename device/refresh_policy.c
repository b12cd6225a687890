#include "device/refresh_policy.h"

#include <time.h>

#define AFTER_FAILURE_SECONDS 600

bool hk_refresh_is_due(const struct hk_state *state, const struct hk_refresh_policy *policy, uint64_t now)
{
    uint64_t since = state->refreshed != 0 ? state->refreshed : state->created;
    if (state->phase != HK_PHASE_ACTIVE || state->enrolment.open || state->refresh.stage != HK_REFRESH_NONE) {
        return false; /* the last: unsettled, so the next command goes on with it */
    }
    bool is_used = policy->uses != 0 && state->uses >= policy->uses;
    bool is_old = policy->seconds != 0 && now > since && now - since >= policy->seconds;
    return state->must_refresh || is_used || is_old;
}

void hk_refresh_count_use(struct hk_state *state)
{
    __atomic_store_n(&state->last_use, (uint64_t)time(NULL), __ATOMIC_RELAXED);
    __atomic_fetch_add(&state->uses, 1, __ATOMIC_RELAXED);
}

static bool is_due(struct hk_core *core)
{
    return core->state != NULL && core->approval == NULL && core->joining == NULL &&
           !atomic_load(&core->unsettled) && !atomic_load(&core->stopping) &&
           hk_refresh_is_due(core->state, &core->settings.refresh, (uint64_t)time(NULL));
}

static long long now_awake(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec;
}

static void *run(void *argument)
{
    struct hk_core *core = argument;
    pthread_rwlock_rdlock(&core->gate);
    enum hk_error error = is_due(core) ? hk_client_check_now(core->client) : HK_AGENT_LOCKED;
    pthread_rwlock_unlock(&core->gate);
    if (error == HK_OK) {
        pthread_rwlock_wrlock(&core->gate);
        error = is_due(core) ? hk_core_refresh(core) : HK_OK;
        pthread_rwlock_unlock(&core->gate);
    }
    atomic_store(&core->refresh_not_before, error == HK_OK ? 0 : now_awake() + AFTER_FAILURE_SECONDS);
    atomic_store(&core->refreshing, false);
    return NULL;
}

void hk_refresh_tick(struct hk_core *core)
{
    pthread_t thread;
    if (atomic_load(&core->refreshing) || now_awake() < atomic_load(&core->refresh_not_before) ||
        pthread_rwlock_tryrdlock(&core->gate) != 0) {
        return;
    }
    bool due = is_due(core);
    pthread_rwlock_unlock(&core->gate);
    if (!due) {
        return;
    }
    atomic_store(&core->refreshing, true);
    if (pthread_create(&thread, NULL, run, core) != 0) {
        atomic_store(&core->refreshing, false);
        return;
    }
    pthread_detach(thread);
}

#include "device/refresh_policy.h"

#include <time.h>

#define AFTER_FAILURE_SECONDS 600
#define LOOK_SECONDS 300
#define UNSETTLED_SECONDS 10 /* as long as a command may take to come behind the unlock */

bool hk_refresh_is_due(const struct hk_state *state, const struct hk_refresh_policy *policy, uint64_t now)
{
    uint64_t since = state->refreshed != 0 ? state->refreshed : state->created;
    if (state->phase != HK_PHASE_ACTIVE || state->enrolment.open || state->refresh.stage != HK_REFRESH_NONE) {
        return false; /* the last: unsettled, so the next command goes on with it */
    }
    bool is_used =
        policy->uses != 0 && __atomic_load_n(&state->uses, __ATOMIC_RELAXED) >= policy->uses; /* count_use */
    bool is_old = policy->seconds != 0 && now > since && now - since >= policy->seconds;
    return state->must_refresh || is_used || is_old;
}

void hk_refresh_count_use(struct hk_state *state)
{
    __atomic_store_n(&state->last_use, (uint64_t)time(NULL), __ATOMIC_RELAXED);
    __atomic_fetch_add(&state->uses, 1, __ATOMIC_RELAXED);
}

static long long now_awake(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec;
}

/* Unlocked a while ago, and no command has asked the service since: what a command would see to first, keys
 * that wait here or elsewhere included, is seen to without one. */
static bool is_forgotten(struct hk_core *core)
{
    return atomic_load(&core->unsettled) && core->state->phase == HK_PHASE_ACTIVE &&
           !core->state->enrolment.open &&
           now_awake() - atomic_load(&core->last_command) >= UNSETTLED_SECONDS;
}

/* A device that is handed keys looks whether there are any, for the programs that only list what is here. */
static bool is_curious(struct hk_core *core)
{
    return !atomic_load(&core->unsettled) && core->state->phase == HK_PHASE_ACTIVE &&
           hk_state_is_handed_keys(core->state) && core->state->refresh.stage == HK_REFRESH_NONE &&
           now_awake() - atomic_load(&core->looked) >= LOOK_SECONDS &&
           now_awake() - atomic_load(&core->last_command) >= UNSETTLED_SECONDS;
}

static bool is_due(struct hk_core *core)
{
    bool is_free = core->state != NULL && core->approval == NULL && core->joining == NULL &&
                   !atomic_load(&core->stopping);
    return is_free && (is_forgotten(core) || is_curious(core) ||
                       (!atomic_load(&core->unsettled) &&
                        hk_refresh_is_due(core->state, &core->settings.refresh, (uint64_t)time(NULL))));
}

/* Beside commands: is the service there? With a refresh half done nothing but its next step may be sent. */
static enum hk_error look(struct hk_core *core)
{
    pthread_rwlock_rdlock(&core->gate);
    enum hk_error error = !is_due(core)                                   ? HK_AGENT_LOCKED
                          : core->state->refresh.stage == HK_REFRESH_NONE ? hk_client_check_now(core->client)
                                                                          : HK_OK;
    pthread_rwlock_unlock(&core->gate);
    return error;
}

static enum hk_error act(struct hk_core *core)
{
    enum hk_error error = HK_OK;
    pthread_rwlock_wrlock(&core->gate);
    if (is_due(core) && atomic_load(&core->unsettled)) {
        error = hk_core_resume(core);
    }
    if (error == HK_OK && core->state != NULL) { /* the look has told of it, if there is anything */
        (void)hk_core_see_to(core);
        atomic_store(&core->looked, now_awake());
    }
    if (error == HK_OK && !atomic_load(&core->unsettled) && is_due(core)) {
        error = hk_core_refresh(core);
    }
    pthread_rwlock_unlock(&core->gate);
    return error;
}

static void *run(void *argument)
{
    struct hk_core *core = argument;
    enum hk_error error = look(core);
    if (error == HK_OK) {
        error = act(core);
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

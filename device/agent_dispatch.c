/* Which function answers which request, and in which state of the agent. */

#include <stdio.h>
#include <string.h>

#include "device/agent_core.h"

#define SHARED true, false
#define SHARED_OFFLINE true, true
#define ALONE false, false
#define ALONE_OFFLINE false, true

/* X(operation, function, gate) */
#define FUNCTIONS(X)                                                                                         \
    X(HK_AGENT_STATUS, hk_op_status, SHARED_OFFLINE)                                                         \
    X(HK_AGENT_UNLOCK, hk_op_unlock, ALONE_OFFLINE)                                                          \
    X(HK_AGENT_LOCK, hk_op_lock, ALONE_OFFLINE)                                                              \
    X(HK_AGENT_PASSPHRASE, hk_op_passphrase, ALONE_OFFLINE)                                                  \
    X(HK_AGENT_STOP, hk_op_stop, SHARED_OFFLINE)                                                             \
    X(HK_AGENT_INIT, hk_op_init, ALONE_OFFLINE)                                                              \
    X(HK_AGENT_KEY_CREATE, hk_op_key_create, ALONE)                                                          \
    X(HK_AGENT_KEY_IMPORT, hk_op_key_import, ALONE)                                                          \
    X(HK_AGENT_KEY_LIST, hk_op_key_list, SHARED_OFFLINE)                                                     \
    X(HK_AGENT_KEY_PUBLIC, hk_op_key_public, SHARED_OFFLINE)                                                 \
    X(HK_AGENT_AGREE, hk_op_agree, SHARED)                                                                   \
    X(HK_AGENT_SIGN, hk_op_sign, SHARED)                                                                     \
    X(HK_AGENT_REFRESH, hk_op_refresh, ALONE)                                                                \
    X(HK_AGENT_INVITE, hk_op_invite, ALONE)                                                                  \
    X(HK_AGENT_APPROVE_BEGIN, hk_op_approve_begin, ALONE)                                                    \
    X(HK_AGENT_APPROVE_CONFIRM, hk_op_approve_confirm, ALONE)                                                \
    X(HK_AGENT_JOIN_BEGIN, hk_op_join_begin, ALONE_OFFLINE)                                                  \
    X(HK_AGENT_JOIN_FINISH, hk_op_join_finish, ALONE_OFFLINE)                                                \
    X(HK_AGENT_DEVICE_LIST, hk_op_device_list, SHARED)                                                       \
    X(HK_AGENT_DEVICE_RENAME, hk_op_device_rename, ALONE)                                                    \
    X(HK_AGENT_DEVICE_REVOKE, hk_op_device_revoke, ALONE)                                                    \
    X(HK_AGENT_LOG, hk_op_log, SHARED)                                                                       \
    X(HK_AGENT_LOG_VERIFY, hk_op_log_verify, SHARED)                                                         \
    X(HK_AGENT_LOG_ACCEPT, hk_op_log_accept, ALONE)                                                          \
    X(HK_AGENT_DEVICE_SUSPEND, hk_op_device_suspend, ALONE)                                                  \
    X(HK_AGENT_DEVICE_RESUME, hk_op_device_resume, ALONE)                                                    \
    X(HK_AGENT_LOG_AGAINST, hk_op_log_against, SHARED)                                                       \
    X(HK_AGENT_KEY_DELETE, hk_op_key_delete, ALONE)                                                          \
    X(HK_AGENT_KEY_ROTATE, hk_op_key_rotate, ALONE)                                                          \
    X(HK_AGENT_KEY_LINK, hk_op_key_link, SHARED_OFFLINE)                                                     \
    X(HK_AGENT_DEVICE_PROMOTE, hk_op_device_promote, ALONE)                                                  \
    X(HK_AGENT_CHANGES, hk_op_changes, SHARED)                                                               \
    X(HK_AGENT_CHANGE_APPROVE, hk_op_change_approve, ALONE)                                                  \
    X(HK_AGENT_CHANGE_CANCEL, hk_op_change_cancel, ALONE_OFFLINE)                                            \
    X(HK_AGENT_RECOVERY_CREATE, hk_op_recovery_create, ALONE)                                                \
    X(HK_AGENT_RECOVERY_EXPORT, hk_op_recovery_export, ALONE)                                                \
    X(HK_AGENT_RECOVER_FETCH, hk_op_recover_fetch, ALONE_OFFLINE)                                            \
    X(HK_AGENT_RECOVER_BEGIN, hk_op_recover_begin, ALONE_OFFLINE)                                            \
    X(HK_AGENT_RECOVER_FINISH, hk_op_recover_finish, ALONE_OFFLINE)                                          \
    X(HK_AGENT_ATTACH, hk_op_attach, ALONE)                                                                  \
    X(HK_AGENT_ATTACHMENT, hk_op_attachment, SHARED_OFFLINE)                                                 \
    X(HK_AGENT_DEVICE_UPDATE, hk_op_device_update, ALONE)

#define ROW_COUNT 64 /* above every number of HK_AGENT_OPS */

/* What an operation needs: from the table of agent_protocol.h. */
struct row {
    enum hk_agent_op op;
    char needs;
    hk_field_set required;
};
static const struct row rows[ROW_COUNT] = {
#define B HK_BIT
#define ROW(id, number, text, state, fields) [number] = {id, state, fields},
    HK_AGENT_OPS(ROW)
#undef ROW
#undef B
};

/* How it is run. */
struct function {
    enum hk_error (*run)(struct hk_op_call *call);
    bool shared;  /* may run beside others */
    bool offline; /* does not ask the service: nothing has to be resumed first */
};
static const struct function functions[ROW_COUNT] = {
#define FUNCTION(id, function, ...) [id] = {function, __VA_ARGS__},
    FUNCTIONS(FUNCTION)
#undef FUNCTION
};

/* Whether the state is what the operation needs; the gate is held. */
static enum hk_error check_state(struct hk_op_call *call, const struct row *row)
{
    const struct hk_core *core = call->core;
    bool has_passphrase;
    char reason[256] = "";
    if (row->needs == 'L' || row->needs == 'B') {
        return HK_OK;
    }
    if (core->state == NULL) {
        enum hk_error error = hk_state_look(&core->home, &has_passphrase, reason);
        error = error == HK_OK ? HK_AGENT_LOCKED : error;
        return reason[0] != '\0' ? hk_op_fail(call, error, "%s", reason) : error;
    }
    if (core->state->phase != HK_PHASE_ACTIVE) {
        return hk_op_fail(call, HK_NO_ACCOUNT, "this device is not set up to its end; run '%s' again",
                          core->state->recovered                   ? "halfkey recover"
                          : core->state->phase == HK_PHASE_JOINING ? "halfkey device join"
                                                                   : "halfkey init");
    }
    if (row->needs == 'A' && core->state->role != HK_ROLE_ADMIN) {
        return HK_NOT_ALLOWED;
    }
    return HK_OK;
}

/* A file without a passphrase opens by itself; what a crash left is finished first. Gate held alone. */
static enum hk_error get_ready(struct hk_op_call *call, const struct row *row)
{
    struct hk_core *core = call->core;
    char reason[256] = "";
    bool has_passphrase;
    enum hk_error error = HK_OK;
    if (core->state == NULL && hk_state_look(&core->home, &has_passphrase, reason) == HK_OK &&
        !has_passphrase) {
        error = hk_core_unlock(core, NULL, 0, reason);
        if (error != HK_OK) {
            return hk_op_fail(call, error, "%s", reason);
        }
    }
    if (core->state != NULL && atomic_load(&core->unsettled) && !functions[row->op].offline) {
        error = hk_core_resume(core);
    }
    return error;
}

static bool is_ready(struct hk_core *core, const struct row *row)
{
    return core->state != NULL && (functions[row->op].offline || !atomic_load(&core->unsettled));
}

static enum hk_error run(struct hk_op_call *call, const struct row *row)
{
    struct hk_core *core = call->core;
    bool opens = row->needs == 'U' || row->needs == 'A' || row->op == HK_AGENT_STATUS;
    pthread_rwlock_rdlock(&core->gate);
    bool ready = !opens || is_ready(core, row);
    enum hk_error error = HK_OK;
    if (!functions[row->op].shared || !ready) {
        pthread_rwlock_unlock(&core->gate);
        pthread_rwlock_wrlock(&core->gate);
        error = opens ? get_ready(call, row) : HK_OK;
    }
    if (functions[row->op].shared &&
        !ready) { /* the state may have been locked in between: looked at below */
        pthread_rwlock_unlock(&core->gate);
        pthread_rwlock_rdlock(&core->gate);
    }
    if (error == HK_OK) {
        error = check_state(call, row);
    }
    if (error == HK_OK) {
        error = functions[row->op].run(call);
        if (error != HK_OK && !functions[row->op].shared && core->state != NULL &&
            core->state->phase == HK_PHASE_ACTIVE) {
            atomic_store(&core->unsettled, true); /* a part of the change may be done */
        }
    }
    pthread_rwlock_unlock(&core->gate);
    return error;
}

/* The service's store may be from between this device's last refresh and its confirm: said again, once, it
 * catches up. True if it has, and the operation is to be run again. */
static bool catches_up(struct hk_core *core)
{
    bool done = false;
    pthread_rwlock_wrlock(&core->gate);
    if (core->state != NULL && core->state->phase == HK_PHASE_ACTIVE && !core->has_repeated) {
        enum hk_error error = hk_core_repeat_confirm(core);
        core->has_repeated = error != HK_UNREACHABLE && error != HK_TIMEOUT;
        done = error == HK_OK;
    }
    pthread_rwlock_unlock(&core->gate);
    return done;
}

/* Whether the operation has asked the service: then it is there, and the log has been looked at. */
static bool was_online(const struct hk_op_call *call, const struct row *row)
{
    return !functions[row->op].offline || hk_op_is_online(call);
}

/* What the operation has heard of is seen to behind it: a newer profile, keys that wait for this device or
 * that others wait for. True if it has to be run again to show it. */
static bool shows_another(struct hk_op_call *call, const struct row *row)
{
    struct hk_core *core = call->core;
    bool changed = false;
    bool heard =
        atomic_load(&core->profile_stale) || atomic_load(&core->hands_due) || atomic_load(&core->hand_waits);
    if (!heard || !was_online(call, row)) {
        return false;
    }
    pthread_rwlock_wrlock(&core->gate);
    changed = hk_core_see_to(core);
    pthread_rwlock_unlock(&core->gate);
    return changed &&
           (row->op == HK_AGENT_STATUS || row->op == HK_AGENT_KEY_LIST || row->op == HK_AGENT_DEVICE_LIST);
}

/* A key that is asked for and not here may have been made a moment ago on another device. True if there are
 * keys now that were not, and the operation is to be run again. */
static bool finds_keys(struct hk_core *core)
{
    bool taken = false;
    pthread_rwlock_wrlock(&core->gate);
    if (core->state != NULL && core->state->phase == HK_PHASE_ACTIVE &&
        core->state->refresh.stage == HK_REFRESH_NONE) {
        atomic_store(&core->profile_stale, true);
        atomic_store(&core->hand_waits, false); /* taken here, to know whether there were any */
        size_t before = core->state->key_count;
        (void)hk_core_see_to(core);
        enum hk_error error = hk_core_take_keys(core, &taken);
        taken = (taken || core->state->key_count > before) && error == HK_OK &&
                hk_core_set_up_ecdsa(core) == HK_OK;
    }
    pthread_rwlock_unlock(&core->gate);
    return taken;
}

static void forget_answer(struct hk_op_call *call)
{
    call->sentence[0] = '\0';
    call->memory_used = 0;
    hk_agent_message_init(call->answer);
}

static enum hk_error check(const struct hk_agent_message *request, const struct row **row)
{
    uint64_t op = hk_agent_u64(request, HK_A_OP);
    if (!hk_agent_has(request, HK_A_OP) || op >= ROW_COUNT || functions[op].run == NULL) {
        return HK_UNKNOWN_OP;
    }
    *row = &rows[op];
    return (request->present & rows[op].required) == rows[op].required ? HK_OK : HK_BAD_ENCODING;
}

void hk_agent_dispatch(struct hk_op_call *call)
{
    const struct row *row;
    call->sentence[0] = '\0';
    hk_agent_message_init(call->answer);
    enum hk_error error = check(call->request, &row);
    if (error == HK_OK) {
        error = run(call, row);
    }
    if (error == HK_ROLLED_BACK && catches_up(call->core)) {
        forget_answer(call);
        error = run(call, row);
    }
    if (error == HK_UNKNOWN_KEY && finds_keys(call->core)) {
        forget_answer(call);
        error = run(call, row);
    }
    if (error == HK_AGAIN) { /* something had to be settled with the service first */
        forget_answer(call);
        error = run(call, row);
    }
    if (error == HK_OK && shows_another(call, row)) {
        forget_answer(call);
        error = run(call, row);
    }
    hk_agent_set_u64(call->answer, HK_A_ERROR, error);
    if (error != HK_OK) {
        hk_agent_message_init(call->answer);
        hk_agent_set_u64(call->answer, HK_A_ERROR, error);
        hk_agent_set_text(call->answer, HK_A_SENTENCE,
                          call->sentence[0] != '\0' ? call->sentence : hk_strerror(error));
    }
}

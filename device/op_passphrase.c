/* Opening and closing this device's state: unlock, lock, passphrase, stop. */
#include <string.h>
#include <unistd.h>

#include "device/agent_core.h"
#include "device/ssh_agent.h"

/* A passphrase of the request; NULL and 0 if there is none. */
static const void *passphrase(const struct hk_op_call *call, enum hk_agent_field field, size_t *size)
{
    bool given = hk_agent_has(call->request, field);
    *size = given ? call->request->value[field].size : 0;
    return given ? call->request->value[field].data : NULL;
}

/* Opens the state with the passphrase of the request. */
static enum hk_error unlock(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    bool has_passphrase = false;
    char reason[256] = "";
    size_t size;
    const void *text = passphrase(call, HK_A_PASSPHRASE, &size);
    enum hk_error error = hk_state_look(&core->home, &has_passphrase, reason);
    if (!error && has_passphrase && !text)
        return HK_AGENT_LOCKED;
    if (!error)
        error = hk_core_unlock(core, has_passphrase ? text : NULL, has_passphrase ? size : 0, reason);
    return error && *reason ? hk_op_fail(call, error, "%s", reason) : error;
}

enum hk_error hk_op_unlock(struct hk_op_call *call)
{
    return call->core->state ? HK_OK : unlock(call);
}

enum hk_error hk_op_lock(struct hk_op_call *call)
{
    hk_core_lock(call->core);
    return HK_OK;
}

/* The next command must find no socket, and start an agent of its own. */
enum hk_error hk_op_stop(struct hk_op_call *call)
{
    (void)unlink(call->core->home.socket);
    hk_ssh_agent_close();
    atomic_store(&call->core->stopping, true);
    return HK_OK;
}

/* ---- passphrase ---- */

/* Whoever finds an unlocked agent must not be able to change its passphrase: the old one is asked for in any
 * case. */
static enum hk_error check_old(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    struct hk_state *state = NULL;
    char reason[256] = "";
    size_t size;
    const void *text = passphrase(call, HK_A_PASSPHRASE, &size);
    if (!core->seal.has_passphrase)
        return HK_OK;
    if (!text)
        return HK_BAD_PASSPHRASE;
    struct hk_state_seal *seal = hk_secret_new(sizeof *seal);
    if (!seal)
        return HK_NO_MEMORY;
    enum hk_error error = hk_state_read(&state, seal, &core->home, text, size, reason);
    hk_state_free(state);
    hk_secret_free(seal);
    return error && *reason ? hk_op_fail(call, error, "%s", reason) : error;
}

/* Seals the state anew. If it cannot be written, the old seal stays. */
static enum hk_error seal_anew(struct hk_op_call *call)
{
    struct hk_core *core = call->core;
    size_t size;
    const void *text = passphrase(call, HK_A_NEW_PASSPHRASE, &size);
    struct hk_state_seal *old = hk_secret_new(sizeof *old), *new = hk_secret_new(sizeof *new);
    enum hk_error error = old && new ? hk_state_seal_make(new, text, size) : HK_NO_MEMORY;
    if (!error) {
        *old = core->seal;
        core->seal = *new;
        error = hk_core_save(core, "passphrase");
        if (error)
            core->seal = *old;
    }
    hk_secret_free(old);
    hk_secret_free(new);
    return error;
}

enum hk_error hk_op_passphrase(struct hk_op_call *call)
{
    enum hk_error error = call->core->state ? check_old(call) : unlock(call);
    return error ? error : seal_anew(call);
}

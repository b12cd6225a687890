#include "device/ssh_binding.h"

#include <string.h>

#include "device/ssh_host_key.h"

static bool same_session(const struct hk_ssh_binding *binding, struct hk_bytes session)
{
    return hk_ssh_same(HK_BYTES(binding->session, binding->session_size), session);
}

/* What an earlier binding says against this one; HK_EXISTS if it is the same again. */
static enum hk_error compare(const struct hk_ssh_bindings *bindings, struct hk_bytes host,
                             struct hk_bytes session, bool forwarded)
{
    for (size_t i = 0; i < bindings->count; i++) {
        const struct hk_ssh_binding *at = &bindings->at[i];
        bool same_host = hk_ssh_same(HK_BYTES(at->host, at->host_size), host);
        if (same_session(at, session) && same_host && at->forwarded == forwarded)
            return HK_EXISTS;
        if (same_session(at, session) || !at->forwarded)
            return HK_CONFLICT;
    }
    return bindings->count == HK_SSH_BINDINGS_MAX ? HK_OVER_QUOTA : HK_OK;
}

static enum hk_error bind(struct hk_ssh_bindings *bindings, struct hk_bytes rest)
{
    struct hk_bytes host, session, signature;
    uint8_t forwarded;
    if (!hk_ssh_take_string(&rest, &host) || !hk_ssh_take_string(&rest, &session) ||
        !hk_ssh_take_string(&rest, &signature) || !hk_ssh_take_byte(&rest, &forwarded) || rest.size != 0 ||
        host.size > HK_SSH_HOST_KEY_MAX || session.size == 0 || session.size > HK_SSH_SESSION_MAX)
        return HK_BAD_ENCODING;
    enum hk_error error = hk_ssh_host_verify(host, signature, session);
    if (error == HK_OK)
        error = compare(bindings, host, session, forwarded != 0);
    if (error != HK_OK)
        return error == HK_EXISTS ? HK_OK : error;
    struct hk_ssh_binding *at = &bindings->at[bindings->count++];
    memcpy(at->host, host.data, host.size);
    memcpy(at->session, session.data, session.size);
    at->host_size = host.size;
    at->session_size = session.size;
    at->forwarded = forwarded != 0;
    return HK_OK;
}

enum hk_error hk_ssh_bind(struct hk_ssh_bindings *bindings, struct hk_bytes request)
{
    enum hk_error error = bind(bindings, request);
    bindings->broken = bindings->broken || error != HK_OK;
    return error;
}

bool hk_ssh_is_forwarded(const struct hk_ssh_bindings *bindings)
{
    for (size_t i = 0; i < bindings->count; i++)
        if (bindings->at[i].forwarded)
            return true;
    return bindings->broken;
}

const struct hk_ssh_binding *hk_ssh_bound_to(const struct hk_ssh_bindings *bindings)
{
    const struct hk_ssh_binding *last = bindings->count ? &bindings->at[bindings->count - 1] : NULL;
    return last && !last->forwarded ? last : NULL;
}

#include "device/agent_backend.h"

#include <stdio.h>
#include <string.h>

enum hk_error hk_agent_backend_open(struct hk_agent_backend *backend)
{
    char reason[256] = "";
    if (backend->client)
        return HK_OK;
    enum hk_error error = hk_agent_connect(&backend->client, true, reason);
    if (error)
        snprintf(backend->sentence, sizeof backend->sentence, "%s", *reason ? reason : hk_strerror(error));
    return error;
}

/* Keeps what the agent said, before another request wipes it. */
enum hk_error hk_agent_backend_call(struct hk_agent_backend *backend)
{
    enum hk_error error = hk_agent_call(backend->client, 0);
    if (error)
        snprintf(backend->sentence, sizeof backend->sentence, "%s", hk_agent_sentence(backend->client));
    return error;
}

enum hk_error hk_agent_backend_account(struct hk_agent_backend *backend, uint8_t *account)
{
    enum hk_error error = hk_agent_backend_open(backend);
    if (error)
        return error;
    (void)!hk_agent_request(backend->client, HK_AGENT_STATUS);
    error = hk_agent_backend_call(backend);
    if (error)
        return error;
    const struct hk_agent_message *status = hk_agent_answer(backend->client);
    if (!hk_agent_has(status, HK_A_ACCOUNT))
        return HK_NO_ACCOUNT;
    memcpy(account, status->value[HK_A_ACCOUNT].data, HK_ACCOUNT_BYTES);
    return HK_OK;
}

enum hk_error hk_agent_backend_unlock(struct hk_agent_backend *backend, const char *passphrase)
{
    enum hk_error error = hk_agent_backend_open(backend);
    if (error)
        return error;
    struct hk_agent_message *request = hk_agent_request(backend->client, HK_AGENT_UNLOCK);
    hk_agent_set_bytes(request, HK_A_PASSPHRASE, passphrase, strlen(passphrase));
    return hk_agent_backend_call(backend);
}

const char *hk_agent_backend_sentence(const struct hk_agent_backend *backend, enum hk_error error)
{
    bool ours = error == HK_AGENT_LOCKED || error == HK_BAD_PASSPHRASE || !*backend->sentence;
    return ours ? hk_strerror(error) : backend->sentence;
}

/* agent_backend.h - the agent behind a program that others speak to: age's plugin, gpg's card.
 *
 * Connects when it is first needed, and keeps what the agent said of a failure for the program's own
 * protocol. One thread uses one backend. */
#ifndef HALFKEY_DEVICE_AGENT_BACKEND_H
#define HALFKEY_DEVICE_AGENT_BACKEND_H

#include "device/agent_client.h"

/* All zero at first; hk_agent_client_free(client) at the end. */
struct hk_agent_backend {
    struct hk_agent_client *client; /* NULL until hk_agent_backend_open */
    size_t count;                   /* keys that the program shows */
    struct hk_agent_key_row rows[HK_KEYS_MAX];
    char sentence[1025]; /* of the last failure; "" if there was none */
};

/* Connects, if it has not, and starts the agent if there is none. Errors as hk_agent_connect. */
HK_CHECK enum hk_error hk_agent_backend_open(struct hk_agent_backend *backend);
/* hk_agent_call of the request that was filled. */
HK_CHECK enum hk_error hk_agent_backend_call(struct hk_agent_backend *backend);
/* Opens and asks for the account's name, HK_ACCOUNT_BYTES. HK_NO_ACCOUNT: there is none. */
HK_CHECK enum hk_error hk_agent_backend_account(struct hk_agent_backend *backend, uint8_t *account);
/* Opens and unlocks the agent with a passphrase (text; the caller wipes it, the client its copy). */
HK_CHECK enum hk_error hk_agent_backend_unlock(struct hk_agent_backend *backend, const char *passphrase);
/* What to tell the user of an error of the above. Lives as long as the backend, and not over its next call.
 */
const char *hk_agent_backend_sentence(const struct hk_agent_backend *backend, enum hk_error error) HK_CHECK;

#endif

/* agent_client.h - the command line's side of the agent: finds its socket, starts it if need be, asks it.
 *
 * One client is one connection; it is used by one thread. The passphrase is never asked for here: a call that
 * comes back with HK_AGENT_LOCKED means "send HK_AGENT_UNLOCK first". */
#ifndef HALFKEY_DEVICE_AGENT_CLIENT_H
#define HALFKEY_DEVICE_AGENT_CLIENT_H

#include <stdbool.h>

#include "device/agent_protocol.h"

struct hk_agent_client;

/* Connects to the agent of the state folder (HALFKEY_HOME and so on, see home.h). If none answers and `start`
 * is set, knocks at systemd's socket for SSH, if there is one, and else runs `halfkey agent --daemon` from
 * this very binary (/proc/self/exe) and waits until its socket answers. HK_UNREACHABLE if there is none;
 * HK_CONFLICT if another one, perhaps on another host, holds the folder; HK_IO if the folder cannot be used.
 * A sentence for the user is then in reason[256]. */
HK_CHECK enum hk_error hk_agent_connect(struct hk_agent_client **out, bool start, char reason[256]);

/* An empty request to fill, and the last answer; both live in the client. hk_agent_request wipes both. */
struct hk_agent_message *hk_agent_request(struct hk_agent_client *client, enum hk_agent_op op) HK_CHECK;
const struct hk_agent_message *hk_agent_answer(const struct hk_agent_client *client) HK_CHECK;

/* Sends the request and waits for the answer. Returns the error that the agent names, or HK_IO, HK_BAD_PEER
 * if the connection broke.
 *
 *   timeout_ms  0 waits as long as it takes: the agent itself gives up on a service after its own limit */
HK_CHECK enum hk_error hk_agent_call(struct hk_agent_client *client, int timeout_ms);

/* What to tell the user about the error of the last call: the agent's sentence, else hk_strerror's. */
const char *hk_agent_sentence(const struct hk_agent_client *client) HK_CHECK;

/* The path of the socket that the client is connected to. */
const char *hk_agent_socket(const struct hk_agent_client *client) HK_CHECK;

/* Hangs up and wipes; NULL is allowed. */
void hk_agent_client_free(struct hk_agent_client *client);

#endif

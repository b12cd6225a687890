/* ssh_agent.h - the agent as stock SSH programs know it: OpenSSH's agent protocol on a socket of its own.
 *
 * Lists the account's ed25519 keys as "halfkey:NAME" and signs with them: logins, files and commits (SSHSIG),
 * and other data of local programs. Before each signature it reads what is signed, holds it against the key's
 * policy and against the session that the connection is bound to (ssh_policy.h, ssh_binding.h), and asks the
 * user where that says so. Requests for other keys, and those that change a set of keys, go to the agent
 * behind it (--fallback), or are refused. A sealed agent asks for its passphrase by itself, where somebody
 * can be asked. One process has one; its connections are served by threads of their own. */
#ifndef HALFKEY_DEVICE_SSH_AGENT_H
#define HALFKEY_DEVICE_SSH_AGENT_H

#include "device/agent_core.h"

#define HK_SSH_CONNECTIONS 64
#define HK_SSH_FRAME_MAX (256 * 1024)
#define HK_SSH_NOTICE_MS 2000 /* of waiting for the service, before the user is told */

/* Listens as the core's settings say, and writes core->ssh_path; where that cannot be done, and the agent was
 * started by a command, core->ssh_problem, and HK_OK. Otherwise HK_CONFLICT or HK_IO with a sentence in
 * reason[256]. */
HK_CHECK enum hk_error hk_ssh_agent_open(struct hk_core *core, char reason[256]);
/* The descriptor to wait for, -1 if there is none; and what to do when it is ready. */
int hk_ssh_agent_listener(void) HK_CHECK;
void hk_ssh_agent_accept(void);
/* Several times a second: tells who has waited long for the service. */
void hk_ssh_agent_tick(void);
/* Removes the socket's path; what is connected is served to its end. */
void hk_ssh_agent_close(void);

#endif

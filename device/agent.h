/* agent.h - the agent: the process that holds the unlocked halves and the session to the service.
 *
 * One agent runs for each state folder. It listens on a socket that only its user can reach, serves each
 * connection in a thread of its own, locks itself when it was idle, and never writes a half anywhere but
 * sealed into the state file. No core dumps, no ptrace. */
#ifndef HALFKEY_DEVICE_AGENT_H
#define HALFKEY_DEVICE_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/error.h"

#define HK_AGENT_IDLE_SECONDS 900
#define HK_AGENT_CONNECTIONS 64

/* When the agent refreshes this device's halves by itself (refresh_policy.h); 0: not for this reason. */
#define HK_REFRESH_USES 10000
#define HK_REFRESH_SECONDS (7 * 86400)
struct hk_refresh_policy {
    uint64_t uses, seconds; /* since the last refresh */
};

struct hk_agent_settings {
    unsigned idle_seconds; /* locks itself after so long without a command; 0 never */
    int timeout_ms;        /* for each call to the service; 0: HK_TIMEOUT_MS */
    struct hk_refresh_policy refresh;
    const char *ssh_socket;   /* where SSH's clients find it; NULL: beside its own (home.h) */
    const char *ssh_fallback; /* the agent that is asked for other keys; NULL: none */
    bool daemon;              /* started by a command: detach, and say nothing */
};

/* Runs until SIGTERM, SIGINT or HK_AGENT_STOP; HK_OK then. HK_CONFLICT if another agent holds the folder,
 * or, in the foreground, the place for SSH's clients (ssh_agent.h), HK_IO if the folder or a socket cannot be
 * used; then a sentence is in reason[256]. In the foreground it prints the path of SSH's socket once it
 * accepts connections. One that was started by a command goes on without SSH. */
HK_CHECK enum hk_error hk_agent_run(const struct hk_agent_settings *settings, char reason[256]);

#endif

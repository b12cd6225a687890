/* server.h - a running key service: what its parts share, its start and its end.
 *
 * A frame comes in by the transport's thread, is opened by its session, becomes a job (keyservice/job.h), is
 * dispatched to one operation, and is answered at once if it changes nothing, else after the writer has
 * committed it. No thread of the transport waits for a commit. */
#ifndef HALFKEY_KEYSERVICE_SERVER_H
#define HALFKEY_KEYSERVICE_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "crypto/error.h"
#include "keyservice/arena.h"
#include "keyservice/device_state.h"
#include "keyservice/ecdsa_keys.h"
#include "keyservice/ecdsa_slots.h"
#include "keyservice/enrolments.h"
#include "keyservice/invitations.h"
#include "keyservice/log.h"
#include "keyservice/metrics.h"
#include "keyservice/options.h"
#include "keyservice/policy.h"
#include "keyservice/recoveries.h"
#include "keyservice/runs.h"
#include "keyservice/store.h"
#include "keyservice/vault.h"
#include "keyservice/writer.h"
#include "protocol/address.h"
#include "protocol/session_table.h"
#include "protocol/transport.h"

struct hk_server {
    struct hk_vault *vault;
    struct hk_store *store;             /* borrowed from the vault */
    const struct hk_service_keys *keys; /* borrowed from the vault */
    bool quarantined;
    struct hk_writer *writer; /* NULL in quarantine */
    struct hk_session_table *sessions;
    struct hk_listener *listener;
    struct hk_arena *arena; /* of requests */
    struct hk_policy *policy;
    struct hk_device_states *devices;
    struct hk_runs *runs;
    struct hk_invitations *invitations;
    struct hk_enrolments *enrolments;
    struct hk_enrolments *hands; /* hand-overs between offer and seal */
    struct hk_recoveries *recoveries;
    struct hk_ecdsa_keys *ecdsa_keys;
    struct hk_ecdsa_slots *ecdsa_slots;
    bool prepares_ecdsa;
    struct hk_refusals *refusals; /* the writer's thread alone */
    uint64_t fork_told;           /* seconds, likewise: when the operator was last told of one */
    struct hk_housekeeping *housekeeping;
    struct hk_metrics metrics;
    bool logs_requests;         /* every one; else those that failed by our fault */
    atomic_bool listener_ready; /* for threads that were there before it */
    atomic_bool stopping;
    char address[HK_ADDRESS_MAX + 1];
};

/* Opens the vault, starts writer, sessions and listeners. On failure a sentence for the operator is in
 * reason[256]. Stopped and freed by hk_server_stop. */
HK_CHECK enum hk_error hk_server_start(struct hk_server **out, const struct hk_options *options,
                                       char reason[256]);

/* Takes no further request, finishes what was accepted, closes everything. */
void hk_server_stop(struct hk_server *server);

#endif

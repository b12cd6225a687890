/* agent_core.h - what the agent's operations share: the state, its seal, the client, and the gate.
 *
 * An operation (op_*.c) gets the core, the request and the answer to fill, and runs in the thread of its
 * connection. The agent takes the gate before it calls: shared for operations that only use halves, alone
 * for those that change state; an operation that waits for people opens the gate meanwhile
 * (hk_core_wait_begin, _end) and looks at the state again afterwards. */
#ifndef HALFKEY_DEVICE_AGENT_CORE_H
#define HALFKEY_DEVICE_AGENT_CORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "crypto/ecdsa.h"
#include "crypto/refresh.h"
#include "device/agent.h"
#include "device/agent_protocol.h"
#include "device/client.h"
#include "device/home.h"
#include "device/state.h"

struct hk_masks;       /* op_agree.c: prepared masks */
struct hk_ecdsa_ahead; /* op_ecdsa.c: the same for ECDSA */

/* In memory from hk_secret_new: lives as long as the agent. */
struct hk_core {
    struct hk_agent_settings settings;
    struct hk_home home;
    pthread_rwlock_t gate;
    /* under the gate */
    struct hk_state *state; /* NULL: no account, or locked */
    struct hk_state_seal seal;
    struct hk_client *client;  /* NULL: as above */
    uint64_t lock_count;       /* how often it was locked: tells an operation that waited */
    bool has_repeated;         /* the last refresh-confirm, since the file was unlocked */
    atomic_bool unsettled;     /* something may be left of a change: hk_core_resume before going on */
    atomic_bool ecdsa_stale;   /* set-ups of ECDSA keys do not fit the service's: asked for again */
    atomic_bool fork_told;     /* the service has this device's word that its log is another */
    atomic_bool profile_stale; /* the service may have a newer profile: hk_core_follow_profile */
    atomic_bool hands_due;     /* another device may lack keys that this administrator has: op_hand_over.c */
    atomic_bool hand_waits;    /* keys may wait for this device: op_hand_take.c */
    pthread_mutex_t saving;    /* state->log, last_use, stale_copy_seen; and one write at a time */
    /* of one module each, freed by its own function when the agent locks or ends */
    struct hk_masks *masks;
    struct hk_ecdsa_ahead *ecdsa_ahead; /* made under `saving` */
    uint8_t promoting[HK_ID_BYTES]; /* the device whose promotion its user asks for right now; else zero */
    void *approval;                 /* op_approve.c: the invitation and the handshake that wait for a yes */
    void *joining;                  /* op_join.c: a join between its two commands */
    /* not under the gate */
    char ssh_path[HK_HOME_SOCKET_MAX], ssh_problem[256]; /* set before anything is served; see ssh_agent.h */
    atomic_bool stopping;
    atomic_llong last_command; /* CLOCK_BOOTTIME, seconds */
    atomic_bool refreshing;    /* refresh_policy.c: its thread runs */
    atomic_llong refresh_not_before, looked;
};

/* What an operation is given. */
struct hk_op_call {
    struct hk_core *core;
    const struct hk_agent_message *request;
    struct hk_agent_message *answer; /* spans must point into `memory` or the request, or live for ever */
    char *sentence;                  /* 512 bytes, "" at first: what to tell the user about the error */
    uint8_t *memory;                 /* see hk_op_memory */
    size_t memory_size, memory_used;
};
/* Room for an answer's data that lives until the answer is sent, wiped then; NULL if there is no more. */
void *hk_op_memory(struct hk_op_call *call, size_t size) HK_CHECK;
/* Adds a copy of the data to the answer. False if there is no room. */
bool hk_op_put(struct hk_op_call *call, enum hk_agent_field field, const void *data, size_t size) HK_CHECK;
/* The sentence for the user, formatted; returns `error`. */
enum hk_error hk_op_fail(struct hk_op_call *call, enum hk_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether the request wants the service to be looked at before it is answered (HK_A_ONLINE). */
bool hk_op_is_online(const struct hk_op_call *call) HK_CHECK;
/* The sentence for a key of which this device has no half: none of that name, or one that it will be given.
 * Returns HK_UNKNOWN_KEY. */
enum hk_error hk_op_no_key(struct hk_op_call *call, const char *name);

/* Opens the gate while waiting for people or other devices, and takes it again, alone. HK_AGENT_LOCKED if the
 * agent was locked meanwhile, HK_UNREACHABLE if it is ending: then leave at once (the gate is held in any
 * case). */
void hk_core_wait_begin(struct hk_core *core);
HK_CHECK enum hk_error hk_core_wait_end(struct hk_core *core);

/* Writes the state durably (hk_state_write with the core's seal and home). */
HK_CHECK enum hk_error hk_core_save(struct hk_core *core, const char *seam);

/* Makes a client for the state's address and tells it who asks (hk_core_identify). Needs core->state. */
HK_CHECK enum hk_error hk_core_connect(struct hk_core *core, const char **reason);
/* Tells the client epoch, tag, keys and revocations of the state, after one of them changed. */
void hk_core_identify(struct hk_core *core);

/* Reads the state file with this passphrase (NULL: none), connects a client. The gate must be held alone. */
HK_CHECK enum hk_error hk_core_unlock(struct hk_core *core, const void *passphrase, size_t size,
                                      char reason[256]);
/* Drops client, state and everything of the modules; halves are wiped. */
void hk_core_lock(struct hk_core *core);

/* ---- shared by operations ---- */

/* The account key's signature by device and service over a COSE Sig_structure (op_object.c), once each, with
 * nonces of its own: assembles the signed object of this type around `payload`. */
HK_CHECK enum hk_error hk_account_sign(struct hk_core *core, const char *type, struct hk_bytes payload,
                                       uint8_t *out, size_t max, size_t *size);

/* What is to be signed. */
struct hk_core_signing {
    enum hk_sign_kind kind;
    struct hk_bytes namespace; /* size 0: none */
    struct hk_bytes message;
    const struct hk_bytes *root; /* BIP-341's Merkle root; NULL: no tweak */
};
/* A signature with any key that signs with FROST (op_sign.c): hk_frost_signature_bytes of its suite. */
HK_CHECK enum hk_error hk_core_cosign(struct hk_core *core, const struct hk_state_key *key,
                                      const struct hk_core_signing *signing, uint8_t *signature);

/* A signature with a key of suite secp256k1-ecdsa (op_ecdsa.c). HK_AGAIN: the key has no set-up, or the
 * service another one; hk_core_resume gets one, and then the operation is run again. */
HK_CHECK enum hk_error hk_core_sign_ecdsa(struct hk_core *core, const struct hk_state_key *key,
                                          const uint8_t digest[HK_ECDSA_DIGEST_BYTES],
                                          struct hk_ecdsa_result *result);
/* Gets the service's ring, once, and a set-up for every such key that has none or an old one, and stores
 * them. Gate alone. */
HK_CHECK enum hk_error hk_core_set_up_ecdsa(struct hk_core *core);
/* The shift of a key's C that goes with a refresh, when its new half takes the old one's place. */
HK_CHECK enum hk_error hk_core_shift_ecdsa(struct hk_state_key *key, const struct hk_refresh *refresh);

/* Signs a device's record and its revocation certificate (op_object.c). `code` is the printed code whose hash
 * goes into the record. Outputs have room for HK_SMALL_OBJECT_MAX each. */
HK_CHECK enum hk_error hk_account_sign_record(struct hk_core *core, const struct hk_device_record *record,
                                              uint8_t *out, size_t *size);
HK_CHECK enum hk_error hk_account_sign_revocation(struct hk_core *core, const uint8_t serial[HK_ID_BYTES],
                                                  uint8_t *out, size_t *size);

/* Signs, puts and stores the next profile (op_object.c): the present one with `change` applied to it.
 * `change` may return an error to give up. The state's profile is fetched again first if the service has a
 * newer one. */
typedef enum hk_error (*hk_profile_change)(void *argument, struct hk_profile *profile);
HK_CHECK enum hk_error hk_core_next_profile(struct hk_core *core, hk_profile_change change, void *argument);
/* The same with a profile that no longer lists this key, which the service erases in the transaction that
 * puts it; the half here goes with the profile. */
HK_CHECK enum hk_error hk_core_delete_key(struct hk_core *core, const uint8_t id[HK_ID_BYTES]);

/* The attachment of a key that came in another one's place (op_rotate.c, device/rotation.h); size 0 if it did
 * not. HK_NOT_FOUND if the old key is gone. */
#define HK_ROTATION_ATTACHMENT_MAX 512
HK_CHECK enum hk_error hk_core_link_key(struct hk_core *core, const struct hk_state_key *key,
                                        uint8_t out[HK_ROTATION_ATTACHMENT_MAX], size_t *size);
/* Makes the key whose place, suite and name are given (op_key.c). Gate alone. */
HK_CHECK enum hk_error hk_core_make_successor(struct hk_op_call *call, const struct hk_state_key *old,
                                              const char *name);

/* Fetches the service's profile and, if it is a newer one, verifies and stores it (op_object.c); *changed
 * tells. One that hk_state_take_profile does not take leaves everything as it was: HK_CONFLICT,
 * HK_BAD_SIGNATURE. Gate alone. */
HK_CHECK enum hk_error hk_core_follow_profile(struct hk_core *core, bool *changed);

/* Asks for a slow change about a device (op_changes.c); *due: from when on it may be done, 0: now. Asked
 * again, the same. */
HK_CHECK enum hk_error hk_core_ask_change(struct hk_core *core, enum hk_change_kind kind,
                                          const uint8_t serial[HK_ID_BYTES], uint64_t *due);
/* The sentence for a change that waits. */
enum hk_error hk_op_fail_waiting(struct hk_op_call *call, uint64_t due, const char *what);
/* After a hand-over: a device that holds the account's key says in the profile that it is an administrator's.
 */
HK_CHECK enum hk_error hk_core_take_role(struct hk_core *core);

/* Tells the service to revoke the device that the certificate is of (op_device.c); it may be told twice. */
HK_CHECK enum hk_error hk_core_send_revocation(struct hk_core *core,
                                               const struct hk_state_certificate *certificate);

/* The whole refresh, steps 1 to 6, or what is left of one (op_refresh.c). HK_LOCKED while an enrolment is
 * open. */
HK_CHECK enum hk_error hk_core_refresh(struct hk_core *core);

/* Hands over what other devices lack (op_hand_over.c): the device with this serial, or, if it is NULL, every
 * other one of the profile, and then one that cannot be served keeps no other from it. *keys, which may be
 * NULL, is how many keys wait for it then. This device's halves are refreshed at the end if anything was
 * dealt. HK_LOCKED while an enrolment is open; HK_UNKNOWN_RUN: the device has left no deposit since its last
 * hand-over or refresh; HK_BAD_PROOF: it has halves, and what asks in its name does not prove one. Gate
 * alone. */
HK_CHECK enum hk_error hk_core_hand_over(struct hk_core *core, const uint8_t *serial, size_t *keys);

/* Comes for keys that wait for this device, confirms them, and leaves a new deposit (op_hand_take.c). *taken,
 * which may be NULL, tells whether there were any. HK_BAD_PEER, HK_BAD_PROOF: what waited was not what the
 * administrator and the service must have dealt; it is given back by a new deposit. Gate alone. */
HK_CHECK enum hk_error hk_core_take_keys(struct hk_core *core, bool *taken);

/* Errors of a hand-over with which the command that waits for it ends: what it would ask for next would meet
 * them too, or they are what its user must read (an old copy is told so once, and called suspended from then
 * on). */
bool hk_hand_ends(enum hk_error error) HK_CHECK;

/* Sees to what the log has told of: a newer profile, keys that wait for this device or that others wait for.
 * True if there is something new to show. Nothing, while a change is under way. Gate alone. */
bool hk_core_see_to(struct hk_core *core);

/* After HK_ROLLED_BACK: says the last refresh-confirm again, to a service whose store is from between the
 * refresh and its end. HK_OK if it has caught up. The state is not changed, whatever the answer. Gate alone.
 */
HK_CHECK enum hk_error hk_core_repeat_confirm(struct hk_core *core);

/* Goes on with, or cleans, whatever a crash cut short: pending keys, refresh, profile, enrolment, join.
 * Called after every unlock and before every operation that asks the service, until it has succeeded once. */
HK_CHECK enum hk_error hk_core_resume(struct hk_core *core);
/* The parts of it that belong to other files. */
HK_CHECK enum hk_error hk_resume_init(struct hk_core *core);      /* op_init.c */
HK_CHECK enum hk_error hk_resume_recover(struct hk_core *core);   /* op_recover.c: `recovered`, not ACTIVE */
HK_CHECK enum hk_error hk_resume_keys(struct hk_core *core);      /* op_key.c */
HK_CHECK enum hk_error hk_resume_join(struct hk_core *core);      /* op_join.c: phase HK_PHASE_JOINING */
HK_CHECK enum hk_error hk_resume_enrolment(struct hk_core *core); /* op_approve.c: state->enrolment.open */
HK_CHECK enum hk_error hk_resume_hands(struct hk_core *core);     /* op_hand_over.c: both sides */

/* Freed when the agent locks: op_approve.c, op_join.c, op_agree.c. NULL is allowed. */
void hk_approval_free(void *approval);
void hk_joining_free(void *joining);
void hk_masks_free(struct hk_masks *masks);
void hk_ecdsa_ahead_free(struct hk_ecdsa_ahead *ahead);

/* ---- the operations themselves: rows of agent_dispatch.c ---- */
enum hk_error hk_op_status(struct hk_op_call *call);
enum hk_error hk_op_unlock(struct hk_op_call *call);
enum hk_error hk_op_lock(struct hk_op_call *call);
enum hk_error hk_op_passphrase(struct hk_op_call *call);
enum hk_error hk_op_stop(struct hk_op_call *call);
enum hk_error hk_op_init(struct hk_op_call *call);
enum hk_error hk_op_key_create(struct hk_op_call *call);
enum hk_error hk_op_key_import(struct hk_op_call *call);
enum hk_error hk_op_device_promote(struct hk_op_call *call);
enum hk_error hk_op_changes(struct hk_op_call *call);
enum hk_error hk_op_change_approve(struct hk_op_call *call);
enum hk_error hk_op_change_cancel(struct hk_op_call *call);
enum hk_error hk_op_recovery_create(struct hk_op_call *call);
enum hk_error hk_op_recovery_export(struct hk_op_call *call);
enum hk_error hk_op_recover_fetch(struct hk_op_call *call);
enum hk_error hk_op_recover_begin(struct hk_op_call *call);
enum hk_error hk_op_recover_finish(struct hk_op_call *call);
enum hk_error hk_op_key_delete(struct hk_op_call *call);
enum hk_error hk_op_key_rotate(struct hk_op_call *call);
enum hk_error hk_op_key_link(struct hk_op_call *call);
enum hk_error hk_op_key_list(struct hk_op_call *call);
enum hk_error hk_op_key_public(struct hk_op_call *call);
enum hk_error hk_op_agree(struct hk_op_call *call);
enum hk_error hk_op_sign(struct hk_op_call *call);
enum hk_error hk_op_refresh(struct hk_op_call *call);
enum hk_error hk_op_invite(struct hk_op_call *call);
enum hk_error hk_op_approve_begin(struct hk_op_call *call);
enum hk_error hk_op_approve_confirm(struct hk_op_call *call);
enum hk_error hk_op_join_begin(struct hk_op_call *call);
enum hk_error hk_op_join_finish(struct hk_op_call *call);
enum hk_error hk_op_device_list(struct hk_op_call *call);
enum hk_error hk_op_device_rename(struct hk_op_call *call);
enum hk_error hk_op_device_revoke(struct hk_op_call *call);
enum hk_error hk_op_device_suspend(struct hk_op_call *call);
enum hk_error hk_op_device_resume(struct hk_op_call *call);
enum hk_error hk_op_device_update(struct hk_op_call *call);
enum hk_error hk_op_log(struct hk_op_call *call);
enum hk_error hk_op_log_verify(struct hk_op_call *call);
enum hk_error hk_op_log_accept(struct hk_op_call *call);
enum hk_error hk_op_log_against(struct hk_op_call *call);
enum hk_error hk_op_attach(struct hk_op_call *call);
enum hk_error hk_op_attachment(struct hk_op_call *call);

/* Runs a request: checks it, unlocks a file that has no passphrase, resumes what is unsettled, takes the
 * gate, runs the operation. The answer has HK_A_ERROR and, on an error, HK_A_SENTENCE. */
void hk_agent_dispatch(struct hk_op_call *call);

/* What the client asks before the first request of a session and once a minute (log_watch.c); the argument is
 * the core. */
HK_CHECK enum hk_error hk_core_watch_log(void *core, struct hk_client *client);

#endif

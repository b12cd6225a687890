/* runs.h - key generations under way, from message 2 until message 3: in memory only, in locked pages.
 *
 * A run belongs to one session, which has at most one, and dies with it. Whoever asks for the state of a key
 * that was never stored voids its run, wherever it lives, so that a late message 3 is refused: the status
 * question and the store of a finished run both pass through the writer, which puts them in order. */
#ifndef HALFKEY_KEYSERVICE_RUNS_H
#define HALFKEY_KEYSERVICE_RUNS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/keygen.h"
#include "keyservice/store.h"
#include "protocol/session.h"

struct hk_runs;

/* In memory from hk_secret_new. */
struct hk_run {
    struct hk_run *next, **link; /* private */
    struct hk_runs *runs;
    atomic_uint references;
    atomic_bool voided;
    struct hk_key key;       /* what is being made; public_key and transcript come at the end */
    struct hk_device device; /* of create-account: the first device; else only its serial counts */
    bool is_account;
    struct hk_keygen_service state;
};

struct hk_runs *hk_runs_new(void) HK_CHECK; /* NULL: no memory */
void hk_runs_free(struct hk_runs *runs);    /* when there are none */

/* A new run, owned by the caller; HK_BUSY without locked memory. */
HK_CHECK enum hk_error hk_run_new(struct hk_run **run, struct hk_runs *runs);
/* Gives the run to the session, in place of the one that it has. */
void hk_run_keep(struct hk_session *session, struct hk_run *run);
/* Takes the session's run with this key id out of the session: the caller's now, for one use. NULL if there
 * is none. */
struct hk_run *hk_run_take(struct hk_session *session, const uint8_t key[HK_ID_BYTES]) HK_CHECK;
/* Gives up a run; NULL is allowed. */
void hk_run_release(struct hk_run *run);
/* Voids every run for this key id. */
void hk_runs_void(struct hk_runs *runs, const uint8_t key[HK_ID_BYTES]);

/* What the session table calls for session->user. */
void hk_run_user_free(void *user);

#endif

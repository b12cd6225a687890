/* session_table.h - all sessions of a service.
 *
 * Three rings of fixed size, so that nobody can use up what another needs: handshakes that no frame has
 * confirmed yet (the oldest goes when one too many comes, or after ten seconds), strangers' sessions, and,
 * without a limit of its own since only known devices get there, at most four confirmed sessions for each
 * device's static key: a fifth one closes the oldest. Lookup by session id is one hash probe.
 *
 * A session that was looked up stays valid until it is released, also when it is closed meanwhile; then its
 * keys are already wiped and its functions say HK_NOT_FOUND. Keys live in a few shared locked pages. Every
 * function may be called from any thread. */
#ifndef HALFKEY_PROTOCOL_SESSION_TABLE_H
#define HALFKEY_PROTOCOL_SESSION_TABLE_H

#include "protocol/session.h"

#define HK_SESSIONS_A_DEVICE 4
#define HK_HANDSHAKE_SECONDS 10

struct hk_session_table_setup {
    struct hk_session_service service; /* static_key must outlive the table */
    size_t unconfirmed;                /* size of the ring; 0: 1,024 */
    size_t strangers;                  /* size of the ring; 0: 1,024 */
    void (*user_free)(void *user);     /* what to do with session->user at the end; may be NULL */
};

struct hk_session_table;
HK_CHECK enum hk_error hk_session_table_new(struct hk_session_table **out,
                                            const struct hk_session_table_setup *setup);
/* When no session is in use any more. */
void hk_session_table_free(struct hk_session_table *table);

/* Answers a first handshake frame (hk_session_accept) and keeps the session as unconfirmed. HK_BUSY if there
 * is no locked memory for it. */
HK_CHECK enum hk_error hk_session_table_accept(struct hk_session_table *table, const struct hk_frame *frame,
                                               uint8_t out[HK_HANDSHAKE_BYTES_MAX], size_t *size);

/* Finds the session of a request and opens it (hk_session_open_request). The first one that opens confirms
 * the session. On HK_OK *session is for the caller to release. HK_NOT_FOUND if there is no such session. */
HK_CHECK enum hk_error hk_session_table_open(struct hk_session_table *table, const struct hk_frame *frame,
                                             struct hk_session **session, enum hk_opened *what, uint8_t *out,
                                             size_t *out_size);

/* One more user of a session, and one less; the last one frees a session that is closed. */
void hk_session_borrow(struct hk_session *session);
void hk_session_table_release(struct hk_session_table *table, struct hk_session *session);

/* Closes one session. */
void hk_session_table_close(struct hk_session_table *table, struct hk_session *session);
/* Closes all sessions of the device with this static key, confirmed or not, except `keep` (NULL: none).
 * Returns how many. When it returns their keys and kept answers are wiped. */
size_t hk_session_table_close_device(struct hk_session_table *table,
                                     const uint8_t static_key[HK_NOISE_KEY_BYTES], struct hk_session *keep);

/* To be called every few seconds: closes what is over or was never confirmed, trims kept answers. */
void hk_session_table_sweep(struct hk_session_table *table);

struct hk_session_counts {
    size_t unconfirmed, strangers, devices, sessions; /* sessions: confirmed ones of devices */
};
void hk_session_table_count(struct hk_session_table *table, struct hk_session_counts *out);

#endif

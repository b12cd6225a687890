/* session.h - one session between a device (or a stranger) and the service: sealing, opening, replay,
 * repeats.
 *
 * A session begins with a Noise_IK or Noise_NK handshake with empty payloads and ends after 2^20 frames or
 * one hour of time including suspend, after a suspend, in a forked child, or when it is closed. It holds two
 * keys in locked memory. Frames may arrive in any order within a window of 1,024, which moves only after the
 * tag verified. The service's side keeps the frames of recent answers: a byte-identical repeat of a request
 * gets the same bytes again and is not executed again.
 *
 * Threads: every function may be called from several threads for one session at once (there is a lock
 * inside); those that make a session and hk_session_wipe must be alone. The memory belongs to the caller;
 * answers that are kept are allocated one by one and freed by eviction, hk_session_close and hk_session_wipe.
 */
#ifndef HALFKEY_PROTOCOL_SESSION_H
#define HALFKEY_PROTOCOL_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "protocol/frame.h"
#include "protocol/message.h"
#include "protocol/noise.h"

#define HK_SESSION_FRAMES (UINT64_C(1) << 20)
#define HK_SESSION_SECONDS 3600
#define HK_SESSION_WINDOW 1024
#define HK_SESSION_ANSWERS 64
#define HK_SESSION_ANSWER_BYTES 65536 /* of all answers that are kept */
#define HK_SESSION_ANSWER_SECONDS 30  /* after that hk_session_trim lets them go */
#define HK_HANDSHAKE_BYTES_MAX 128    /* either handshake frame */
/* Largest plaintext of a frame, for buffers. */
#define HK_SESSION_PLAINTEXT_MAX (HK_FRAME_MAX - HK_FRAME_OVERHEAD)

/* The keys of a session, in memory from hk_secret_new. `alive` is HK_SESSION_ALIVE; a fork zeroes it. */
struct hk_session_keys {
    uint64_t alive;
    struct hk_secret32 send, receive;
};
#define HK_SESSION_ALIVE UINT64_C(0x68616c666b657921)

struct hk_session_answer; /* an answer that is kept */

/* Fields are private unless it says "read". */
struct hk_session {
    uint8_t id[HK_SESSION_ID_BYTES];           /* read */
    uint8_t handshake_hash[HK_HASH_BYTES];     /* read */
    bool has_remote_static;                    /* read; false at a service for a stranger */
    uint8_t remote_static[HK_NOISE_KEY_BYTES]; /* read; the other side's static key */
    atomic_uint caller;                        /* free for the owner: enum hk_caller */
    atomic_bool confirmed;                     /* read; a frame of the other side has been opened */
    void *user;                                /* free for the owner, under user_lock */
    pthread_mutex_t user_lock;

    bool is_service;
    pthread_mutex_t lock;
    struct hk_session_keys *keys; /* NULL once closed */
    uint64_t next_counter, highest, window[HK_SESSION_WINDOW / 64];
    bool any_received;
    uint64_t started, suspended; /* clocks in ns, see session.c */
    struct hk_session_answer *answers[HK_SESSION_ANSWERS];
    size_t answers_first, answers_count, answers_bytes;

    /* of the session table, under its lock */
    atomic_uint references;
    struct hk_session *next_by_id, *older, *newer;
    int place;
};

/* ---- the handshake ---- */

/* Device or stranger: begins a handshake and writes its first frame. `noise` is for hk_session_finish.
 *
 *   static_key   the device's, for IK; NULL makes it NK
 *   service_key  the service's static key, known beforehand
 *   out          HK_HANDSHAKE_BYTES_MAX, the length to *size */
HK_CHECK enum hk_error hk_session_begin(struct hk_noise *noise, const struct hk_secret32 *static_key,
                                        const uint8_t *static_public,
                                        const uint8_t service_key[HK_NOISE_KEY_BYTES],
                                        uint8_t out[HK_HANDSHAKE_BYTES_MAX], size_t *size);

/* Device or stranger: reads the service's handshake answer; from here on the session is established.
 * HK_BAD_PEER if the answer is not the service's, and the error that it names if it is a hint. `noise` is
 * wiped either way. */
HK_CHECK enum hk_error hk_session_finish(struct hk_session *session, struct hk_session_keys *keys,
                                         struct hk_noise *noise, const void *answer, size_t size);

/* A service's static key pair, and what it knows of devices. */
struct hk_session_service {
    const struct hk_secret32 *static_key;
    uint8_t static_public[HK_NOISE_KEY_BYTES];
    /* Asked after one multiplication whether a device with this static key may go on; HK_OK to admit it, and
     * then *caller is what session->caller begins with. Any other error ends the handshake. */
    enum hk_error (*admit)(void *argument, const uint8_t static_key[HK_NOISE_KEY_BYTES], unsigned *caller);
    void *argument;
};

/* Service: reads a first handshake frame of either type, makes the session and writes the answer. A
 * stranger's session->caller begins as HK_STRANGER. HK_AUTH if it was not made for this service; errors of
 * `admit`. */
HK_CHECK enum hk_error hk_session_accept(struct hk_session *session, struct hk_session_keys *keys,
                                         const struct hk_session_service *service,
                                         const struct hk_frame *frame, uint8_t out[HK_HANDSHAKE_BYTES_MAX],
                                         size_t *size);

/* Makes a session of a finished handshake, whichever it was; the two above end with this. */
void hk_session_start(struct hk_session *session, struct hk_session_keys *keys, bool is_service,
                      const uint8_t id[HK_SESSION_ID_BYTES], const struct hk_noise_result *result);

/* ---- the device's side ---- */

/* Seals a request: size + HK_FRAME_OVERHEAD bytes to `out`, the counter that it got to *counter.
 * HK_TOO_LARGE over HK_PLAINTEXT_MAX or `max`; HK_NOT_FOUND if the session is over. */
HK_CHECK enum hk_error hk_session_seal_request(struct hk_session *session, const void *plaintext, size_t size,
                                               uint8_t *out, size_t max, size_t *out_size, uint64_t *counter);

/* Opens an answer and holds it against the request's counter; the message to `out`, its length to *out_size.
 * HK_AUTH for a frame that is not this session's, HK_BAD_PEER for the answer to another request, HK_TOO_OLD
 * for an answer that was opened before, HK_NOT_FOUND if the session is over. */
HK_CHECK enum hk_error hk_session_open_answer(struct hk_session *session, const struct hk_frame *frame,
                                              uint64_t counter, uint8_t *out, size_t max, size_t *out_size);

/* ---- the service's side ---- */
enum hk_opened {
    HK_OPENED_NEW,     /* `out` is the request: execute it */
    HK_OPENED_REPEAT,  /* `out` is the frame of the answer that it had: send it as it is */
    HK_OPENED_PENDING, /* a repeat of a request that is still being worked on: send nothing */
    HK_OPENED_TOO_OLD  /* `out` is the request, but it may have been executed before: answer `too-old` */
};

/* Opens a request. `out` has HK_FRAME_MAX bytes, the length to *out_size. On HK_OK the frame was authentic.
 * HK_AUTH if it is not this session's (the window does not move), HK_NOT_FOUND if the session is over. */
HK_CHECK enum hk_error hk_session_open_request(struct hk_session *session, const struct hk_frame *frame,
                                               enum hk_opened *what, uint8_t *out, size_t *out_size);

/* Seals the answer to the request with this counter: size + 8 + HK_FRAME_OVERHEAD bytes to `out`. It is not
 * kept yet: that is for hk_session_keep, once it may leave. HK_TOO_LARGE, HK_NOT_FOUND. */
HK_CHECK enum hk_error hk_session_seal_answer(struct hk_session *session, uint64_t request_counter,
                                              const void *plaintext, size_t size, uint8_t *out, size_t max,
                                              size_t *out_size);

/* Keeps the frame of an answer that has been handed to the transport, for repeats. Never call it for answers
 * that carry seeds or sub-shares: a repeat of their request is `too-old`. Forgets the oldest ones over
 * HK_SESSION_ANSWERS and HK_SESSION_ANSWER_BYTES, and does nothing if the session is over. */
void hk_session_keep(struct hk_session *session, uint64_t request_counter, const uint8_t *answer,
                     size_t size);
/* Says that the request with this counter gets no answer that is kept; its repeats are `too-old`. */
void hk_session_forget(struct hk_session *session, uint64_t request_counter);

/* ---- its end ---- */

/* True if the session can carry no further frame. */
bool hk_session_is_over(struct hk_session *session) HK_CHECK;
/* True if it has less than a tenth of its frames or time left: time to open another one. */
bool hk_session_is_old(struct hk_session *session) HK_CHECK;
/* True if it was established more than so many seconds ago. */
bool hk_session_is_older(struct hk_session *session, uint64_t seconds) HK_CHECK;
/* Lets go of kept answers older than HK_SESSION_ANSWER_SECONDS. */
void hk_session_trim(struct hk_session *session);
/* Wipes keys and kept answers; every later call says HK_NOT_FOUND. May run beside other calls. The keys'
 * memory goes back to the caller: returned, NULL if it was closed before. */
struct hk_session_keys *hk_session_close(struct hk_session *session);
/* After hk_session_close, when nobody uses it any more. */
void hk_session_wipe(struct hk_session *session);

#ifdef HK_TEST_SEAMS
/* Makes sessions of this process believe that so many ns have passed, of which so many were suspended. */
void hk_test_session_clock(uint64_t passed, uint64_t suspended);
#endif

#endif

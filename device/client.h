/* client.h - this device's requests to the service: sessions kept open, lost frames tried again, errors and
 * warnings told apart.
 *
 * A session is opened at the first request and again, unseen, when it is over, after a fork or a resume, or
 * when the service has forgotten it. A request that came to nothing is tried again on a new session within
 * the same deadline; what must not be done twice in this way (a signature with its nonces, a key generation)
 * goes through a link: one session, one try. In the first request of a session and after a minute of use the
 * log's head is asked for and checked (log_check.h). Many threads may call at once. */
#ifndef HALFKEY_DEVICE_CLIENT_H
#define HALFKEY_DEVICE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/secret.h"
#include "device/log_check.h"
#include "protocol/address.h"
#include "protocol/channel.h"
#include "protocol/message.h"
#include "protocol/object.h"

/* One request and its answer, with their buffers: about 180 KiB, from hk_exchange_new. */
struct hk_exchange {
    enum hk_op op;
    struct hk_message request, answer; /* the answer's spans point into `in` */
    uint8_t id[HK_ID_BYTES];           /* the request's; new for each hk_exchange_start */
    uint8_t digest[32];                /* of a use that was sent: hk_request_digest */
    size_t out_size, in_size;
    uint8_t out[HK_PLAINTEXT_MAX], in[HK_SESSION_PLAINTEXT_MAX];
    struct hk_meanwhile meanwhile; /* run after each try's request has left; none after hk_exchange_start */
    struct hk_exchange *next;      /* private */
};

struct hk_client;

/* Who asks. Secret (static key, tag). */
struct hk_client_identity {
    uint8_t account[HK_ACCOUNT_BYTES], serial[HK_ID_BYTES];
    struct hk_secret32 static_key;
    uint8_t static_public[32];
    uint64_t epoch;
    uint8_t tag[HK_TAG_BYTES];
};

/* A client of the service at `address` (text). HK_BAD_ENCODING with a sentence in *reason (lives for ever);
 * HK_NO_MEMORY. timeout_ms: for each call over all its tries; 0: HK_TIMEOUT_MS. */
HK_CHECK enum hk_error hk_client_new(struct hk_client **out, const char *address, int timeout_ms,
                                     const char **reason);
/* No call may be under way; NULL is allowed. */
void hk_client_free(struct hk_client *client);

/* From now on requests are this device's. Closes the sessions if the static key is another one; a new epoch
 * alone keeps them. `enrolling`: requests carry no account, epoch and tag (a device between enrol and
 * enrol-confirm). */
void hk_client_set_identity(struct hk_client *client, const struct hk_client_identity *identity,
                            bool enrolling);
/* Certificates of revoked devices, shown in the first request of each session. Copied. */
void hk_client_set_revocations(struct hk_client *client, const struct hk_bytes *list, size_t count);
/* A signed head (HK_REPORT_BYTES) to go with the next request. */
void hk_client_set_report(struct hk_client *client, const uint8_t report[HK_REPORT_BYTES]);

/* Called with a fresh link before the first request of each session, and when the last check is more than a
 * minute old; an error ends the request that waits. The hook's own requests do not call it again. */
typedef enum hk_error (*hk_client_hook)(void *argument, struct hk_client *client);
void hk_client_set_hook(struct hk_client *client, hk_client_hook hook, void *argument);
/* Runs the hook now, whenever it ran last (`halfkey log --verify`). */
HK_CHECK enum hk_error hk_client_check_now(struct hk_client *client);

/* Uses of keys by this device (agree, sign, ecdsa-sign) whose leaves no verified head has shown yet: the
 * oldest `max` to `out`; returns how many. The answered ones must be in any head that is asked for from now
 * on; those on their way may be, since the service writes a leaf before its answer is here. When more than
 * HK_CLIENT_OWN_MAX wait, the oldest are forgotten. */
#define HK_CLIENT_OWN_MAX 4096
size_t hk_client_own(struct hk_client *client, struct hk_log_own *out, size_t max) HK_CHECK;
/* Once a head is here: makes of `count` that hk_client_own gave before it was asked for those of now, of
 * which the head may show any. What was not sent or not answered by then stays unanswered. Returns how many.
 */
size_t hk_client_own_later(struct hk_client *client, struct hk_log_own *own, size_t count) HK_CHECK;
/* What these two gave, once a head is verified: the answered ones and those with `found` set are not
 * asked for again. */
void hk_client_own_settle(struct hk_client *client, const struct hk_log_own *seen, size_t count);

/* An empty exchange; HK_NO_MEMORY. Wiped, and kept for the next one, by hk_exchange_free (NULL is allowed).
 */
HK_CHECK enum hk_error hk_exchange_new(struct hk_exchange **out, struct hk_client *client);
void hk_exchange_free(struct hk_client *client, struct hk_exchange *exchange);
/* Begins a request: OP and a new REQUEST id; the client adds who asks when it is sent. */
void hk_exchange_start(struct hk_exchange *exchange, enum hk_op op);
/* A field of the answer: bytes (checked to have `size` bytes: NULL if not), a number (0 if absent). */
const uint8_t *hk_exchange_bytes(const struct hk_exchange *exchange, enum hk_field field,
                                 size_t size) HK_CHECK;
/* The i-th element of a list of the answer; NULL unless there is one and it has `size` bytes. */
const uint8_t *hk_exchange_item(const struct hk_exchange *exchange, enum hk_field field, size_t i,
                                size_t size) HK_CHECK;
uint64_t hk_exchange_u64(const struct hk_exchange *exchange, enum hk_field field) HK_CHECK;

/* Sends a request that may be done twice and waits for the answer. Returns the service's error as it is, or
 * HK_UNREACHABLE, HK_TIMEOUT, HK_BAD_PEER, HK_LOG_FORKED, HK_NO_MEMORY. */
HK_CHECK enum hk_error hk_client_call(struct hk_client *client, struct hk_exchange *exchange);

/* The same on a session of its own, without a look at the log before it: for a refresh-confirm, beside which
 * nothing is sent. */
HK_CHECK enum hk_error hk_client_call_alone(struct hk_client *client, struct hk_exchange *exchange);

/* Ends the sessions; the next request opens a new one. */
void hk_client_close_sessions(struct hk_client *client);

/* When a stale copy of this device was last seen, as the service said in its latest answer; 0 never. */
uint64_t hk_client_warning(struct hk_client *client) HK_CHECK;

/* ---- one session, held ---- */
struct hk_link;
/* The device's current session (opened if need be). */
HK_CHECK enum hk_error hk_link_open(struct hk_link **out, struct hk_client *client);
/* A session of its own, as this device; the log is not asked for. */
HK_CHECK enum hk_error hk_link_open_alone(struct hk_link **out, struct hk_client *client);
/* A stranger's session of its own: Noise_NK. */
HK_CHECK enum hk_error hk_link_open_stranger(struct hk_link **out, struct hk_client *client);
/* Gives it back; one of its own is closed. NULL is allowed. */
void hk_link_close(struct hk_link *link);
/* Sends a request once. HK_AGAIN if the session or the connection is gone, and the request may or may not
 * have been done: begin again on a new link. Otherwise as hk_client_call. */
HK_CHECK enum hk_error hk_link_call(struct hk_link *link, struct hk_exchange *exchange);
/* The session's handshake hash, HK_HASH_BYTES; the service's static key, 32 bytes. */
const uint8_t *hk_link_handshake(struct hk_link *link) HK_CHECK;
const uint8_t *hk_client_service_key(const struct hk_client *client) HK_CHECK;
/* The address's url and key. */
const struct hk_address *hk_client_address(const struct hk_client *client) HK_CHECK;

#endif

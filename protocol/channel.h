/* channel.h - a session over an endpoint: a device or a stranger calls the service.
 *
 * hk_channel_open does the handshake, hk_channel_call carries one request and its answer; many threads may
 * call at once. A channel never executes anything again by itself and never opens another session: retry and
 * policy are the caller's, who sees HK_NOT_FOUND when the session is over and then opens a new channel. */
#ifndef HALFKEY_PROTOCOL_CHANNEL_H
#define HALFKEY_PROTOCOL_CHANNEL_H

#include "protocol/session.h"
#include "protocol/transport.h"

struct hk_channel;

/* Opens a session.
 *
 *   endpoint       must outlive the channel; may carry several
 *   static_key     the device's private key: Noise_IK; NULL: Noise_NK, as a stranger
 *   static_public  its public key; NULL: computed
 *   service_key    the service's static key
 *   timeout_ms     0: HK_TIMEOUT_MS
 *
 * Errors of hk_endpoint_call and hk_session_finish; HK_NO_MEMORY. An error that the service named in a hint
 * outside the session is returned as it is: it is not authenticated, so show it, and do not act on it. */
HK_CHECK enum hk_error hk_channel_open(struct hk_channel **out, struct hk_endpoint *endpoint,
                                       const struct hk_secret32 *static_key, const uint8_t *static_public,
                                       const uint8_t service_key[HK_NOISE_KEY_BYTES], int timeout_ms);

/* Carries one encoded request and gives the encoded answer.
 *
 *   answer  `max` bytes, its length to *answer_size; HK_PLAINTEXT_MAX takes every answer
 *
 * Errors of hk_endpoint_call; HK_NOT_FOUND if the session is over; HK_BAD_PEER for an answer that is not the
 * service's; HK_BUSY, HK_TOO_OLD, HK_NOT_FOUND, ... as named by a hint (then it is not authenticated). */
HK_CHECK enum hk_error hk_channel_call(struct hk_channel *channel, const void *request, size_t size,
                                       uint8_t *answer, size_t max, size_t *answer_size, int timeout_ms);

/* The same, and runs `meanwhile` while the service works (transport.h); NULL: nothing. */
HK_CHECK enum hk_error hk_channel_call_meanwhile(struct hk_channel *channel, const void *request, size_t size,
                                                 uint8_t *answer, size_t max, size_t *answer_size,
                                                 int timeout_ms, const struct hk_meanwhile *meanwhile);

/* The session, for its handshake hash and its end. */
struct hk_session *hk_channel_session(struct hk_channel *channel) HK_CHECK;

/* Wipes and frees it; no call may be under way. NULL is allowed. */
void hk_channel_free(struct hk_channel *channel);

#endif

/* frame.h - the layout of a frame, which is one message of the transport.
 *
 *   version u8 (1) ‖ type u8 ‖ session id 16 ‖ counter u64be ‖ body
 *
 * The body of a handshake frame is a Noise message, that of a request or an answer a ciphertext with its tag,
 * whose associated data are the first 26 bytes and whose nonce is the counter; that of an error hint one
 * u64be. Nothing of ours sends or takes more than HK_FRAME_MAX bytes. */
#ifndef HALFKEY_PROTOCOL_FRAME_H
#define HALFKEY_PROTOCOL_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"

#define HK_FRAME_VERSION 1
#define HK_FRAME_MAX 65535
#define HK_FRAME_HEADER_BYTES 26
#define HK_FRAME_OVERHEAD (HK_FRAME_HEADER_BYTES + 16) /* of a request; an answer has 8 more inside */
#define HK_FRAME_HINT_BYTES (HK_FRAME_HEADER_BYTES + 8)
#define HK_SESSION_ID_BYTES 16

enum hk_frame_type {
    HK_FRAME_HANDSHAKE_IK = 1, /* session id and counter zero */
    HK_FRAME_HANDSHAKE_NK = 2,
    HK_FRAME_HANDSHAKE_ANSWER = 3, /* the session id that the service chose, counter zero */
    HK_FRAME_REQUEST = 4,
    HK_FRAME_ANSWER = 5,
    HK_FRAME_HINT = 6 /* outside a session; to be shown, never to be acted on */
};

/* A frame taken apart; `bytes` and `body` borrow from it. */
struct hk_frame {
    enum hk_frame_type type;
    uint8_t session[HK_SESSION_ID_BYTES];
    uint64_t counter;
    const uint8_t *bytes; /* the whole frame; the first HK_FRAME_HEADER_BYTES are associated data */
    size_t size;
    const uint8_t *body;
    size_t body_size;
};

/* Takes apart what came from outside. HK_BAD_ENCODING for another length, type, or a field that must be zero
 * and is not; HK_UNSUPPORTED for another version. */
HK_CHECK enum hk_error hk_frame_parse(struct hk_frame *frame, const void *bytes, size_t size);

void hk_frame_header(uint8_t out[HK_FRAME_HEADER_BYTES], enum hk_frame_type type,
                     const uint8_t session[HK_SESSION_ID_BYTES], uint64_t counter);

/* A whole error hint. `session` may be NULL. */
void hk_frame_hint(uint8_t out[HK_FRAME_HINT_BYTES], const uint8_t *session, enum hk_error error);
/* The error that a hint names, if it is one that a service says outside of a session (busy, over-quota, no
 * such session, ...); HK_BAD_PEER for every other. */
enum hk_error hk_frame_hinted(const struct hk_frame *frame) HK_CHECK;

/* Eight bytes, big endian. */
void hk_put_u64(uint8_t out[8], uint64_t value);
uint64_t hk_get_u64(const uint8_t in[8]) HK_CHECK;

#endif

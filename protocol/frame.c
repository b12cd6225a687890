#include "protocol/frame.h"

#include <stdbool.h>
#include <string.h>

#include "crypto/secret.h"

void hk_put_u64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

uint64_t hk_get_u64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value = value << 8 | in[i];
    }
    return value;
}

void hk_frame_header(uint8_t out[HK_FRAME_HEADER_BYTES], enum hk_frame_type type,
                     const uint8_t session[HK_SESSION_ID_BYTES], uint64_t counter)
{
    out[0] = HK_FRAME_VERSION;
    out[1] = (uint8_t)type;
    if (session != NULL) {
        memcpy(out + 2, session, HK_SESSION_ID_BYTES);
    } else {
        memset(out + 2, 0, HK_SESSION_ID_BYTES);
    }
    hk_put_u64(out + 2 + HK_SESSION_ID_BYTES, counter);
}

enum hk_error hk_frame_parse(struct hk_frame *frame, const void *bytes, size_t size)
{
    const uint8_t *in = bytes;
    if (size < HK_FRAME_HEADER_BYTES || size > HK_FRAME_MAX) {
        return HK_BAD_ENCODING;
    }
    if (in[0] != HK_FRAME_VERSION) {
        return HK_UNSUPPORTED;
    }
    if (in[1] < HK_FRAME_HANDSHAKE_IK || in[1] > HK_FRAME_HINT) {
        return HK_BAD_ENCODING;
    }
    struct hk_frame out = {.type = (enum hk_frame_type)in[1],
                           .counter = hk_get_u64(in + 2 + HK_SESSION_ID_BYTES),
                           .bytes = in,
                           .size = size,
                           .body = in + HK_FRAME_HEADER_BYTES,
                           .body_size = size - HK_FRAME_HEADER_BYTES};
    memcpy(out.session, in + 2, HK_SESSION_ID_BYTES);
    bool first = out.type == HK_FRAME_HANDSHAKE_IK || out.type == HK_FRAME_HANDSHAKE_NK;
    bool counted = out.type == HK_FRAME_REQUEST || out.type == HK_FRAME_ANSWER;
    if ((first && !hk_is_zero(out.session, sizeof(out.session))) || (!counted && out.counter != 0) ||
        (out.type == HK_FRAME_HINT && size != HK_FRAME_HINT_BYTES)) {
        return HK_BAD_ENCODING;
    }
    *frame = out;
    return HK_OK;
}

void hk_frame_hint(uint8_t out[HK_FRAME_HINT_BYTES], const uint8_t *session, enum hk_error error)
{
    hk_frame_header(out, HK_FRAME_HINT, session, 0);
    hk_put_u64(out + HK_FRAME_HEADER_BYTES, (uint64_t)error);
}

/* Anybody on the way can write a hint. These can do no more than make the device try again or give up for
 * now; what ends a run, an epoch or a device is believed inside a session alone. */
enum hk_error hk_frame_hinted(const struct hk_frame *frame)
{
    static const enum hk_error hints[] = {HK_UNKNOWN_DEVICE, HK_OVER_QUOTA, HK_TOO_LARGE, HK_TOO_OLD,
                                          HK_BAD_ENCODING,   HK_BUSY,       HK_INTERNAL,  HK_NOT_FOUND,
                                          HK_UNSUPPORTED,    HK_AUTH,       HK_QUARANTINE};
    uint64_t number = hk_get_u64(frame->body);
    for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
        if ((uint64_t)hints[i] == number) {
            return hints[i];
        }
    }
    return HK_BAD_PEER;
}

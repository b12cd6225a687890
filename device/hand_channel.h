/* hand_channel.h - what an administrator's device says to another one that it hands keys over to: one answer,
 * sealed end to end, to a deposit that was made beforehand (protocol/handover.h).
 *
 *   device         hk_hand_make    message 1, kept by the service until there is something to hand over
 *   administrator  hk_hand_answer  message 2 with the bundle, kept by the service until the device comes
 *   device         hk_hand_read    from the same ephemeral key
 *
 * Pure functions on byte strings. */
#ifndef HALFKEY_DEVICE_HAND_CHANNEL_H
#define HALFKEY_DEVICE_HAND_CHANNEL_H

#include "device/join_channel.h"
#include "protocol/handover.h"

#define HK_HAND_SEAL_BYTES 48 /* what message 2 is longer than the bundle: an ephemeral key and a tag */
#define HK_HAND_BUNDLE_MAX 32000

/* What the administrator gives. Holds secrets: wipe it and its buffer. */
struct hk_hand_bundle {
    uint64_t profile_version; /* the device needs this one or a later one */
    uint64_t epoch;           /* of the administrator, at the offer */
    uint8_t transcript[HK_NAME_BYTES];
    size_t key_count;                     /* at least 1 */
    struct hk_join_key keys[HK_KEYS_MAX]; /* sorted by id, none twice */
};
/* HK_TOO_LARGE if it does not fit; HK_BAD_ENCODING for what the decoder would refuse. */
HK_CHECK enum hk_error hk_hand_bundle_encode(const struct hk_hand_bundle *bundle, uint8_t *out, size_t max,
                                             size_t *size);
HK_CHECK enum hk_error hk_hand_bundle_decode(struct hk_hand_bundle *out, const void *data, size_t size);

/* Device: message 1 (HK_HAND_MESSAGE_1_BYTES) from its static key and this ephemeral one to the
 * administrator's static key. HK_BAD_POINT if that is none. */
HK_CHECK enum hk_error hk_hand_make(uint8_t *out, const struct hk_hand_parties *parties,
                                    const struct hk_secret32 *static_key, const uint8_t administrator_key[32],
                                    const struct hk_secret32 *ephemeral);

/* Administrator: answers a deposit's message 1 with `size` bytes; out has room for size + HK_HAND_SEAL_BYTES.
 * Each answer has an ephemeral key of its own, so a deposit that is shown twice is answered under two keys.
 *
 *   device_key  32 bytes, from the signed profile: HK_BAD_PEER if the message is of anybody else */
HK_CHECK enum hk_error hk_hand_answer(uint8_t *out, size_t *out_size, const struct hk_hand_parties *parties,
                                      const struct hk_secret32 *static_key, const uint8_t device_key[32],
                                      const uint8_t *message, const void *bundle, size_t size);

/* Device: makes message 1 again and reads its answer; out has room for size - HK_HAND_SEAL_BYTES. HK_BAD_PEER
 * if it was not made by the administrator for this deposit. */
HK_CHECK enum hk_error hk_hand_read(uint8_t *out, size_t *out_size, const struct hk_hand_parties *parties,
                                    const struct hk_secret32 *static_key, const uint8_t administrator_key[32],
                                    const struct hk_secret32 *ephemeral, const void *answer, size_t size);

#endif

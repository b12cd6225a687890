/* age_payload.h - the payload of age files: STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) of
 * ChaCha20-Poly1305 in chunks of 64 KiB.
 *
 * Only plaintext whose tag held goes to the sink. Memory is constant (about 2 MiB), whatever the size. */
#ifndef HALFKEY_DEVICE_AGE_PAYLOAD_H
#define HALFKEY_DEVICE_AGE_PAYLOAD_H

#include <stdint.h>

#include "crypto/error.h"
#include "device/stream.h"

#define HK_AGE_CHUNK_BYTES 65536
#define HK_AGE_TAG_BYTES 16

/* Decrypts from `source` to `sink` under the payload key. HK_AUTH for a chunk that is damaged, missing, too
 * short, or followed by something; what was good before it has been written. HK_IO, HK_NO_MEMORY, errors of
 * the source. */
HK_CHECK enum hk_error hk_age_payload_open(const uint8_t key[32], const struct hk_source *source,
                                           const struct hk_sink *sink);
/* Encrypts everything in `source`. */
HK_CHECK enum hk_error hk_age_payload_seal(const uint8_t key[32], const struct hk_source *source,
                                           const struct hk_sink *sink);

#endif

/* age.h - age files, version 1, read with keys of which only half is here, and written for X25519 recipients.
 *
 * Streaming in constant memory. Every X25519 stanza of a header goes into one request for a key. How reading
 * ended has one of the names that the format's published tests use. */
#ifndef HALFKEY_DEVICE_AGE_H
#define HALFKEY_DEVICE_AGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "device/age_crypto.h"
#include "device/stream.h"

#define HK_AGE_INTRO "age-encryption.org/v1"
#define HK_AGE_HEADER_MAX (1 << 20)

/* X(identifier, name, sentence) */
#define HK_AGE_OUTCOMES(X)                                                                                   \
    X(HK_AGE_SUCCESS, "success", "done")                                                                     \
    X(HK_AGE_NO_MATCH, "no match", "the file is not encrypted to any of these keys")                         \
    X(HK_AGE_HMAC_FAILURE, "HMAC failure", "the file's header was changed after it was made")                \
    X(HK_AGE_HEADER_FAILURE, "header failure", "this is not an age file, or its header is damaged")          \
    X(HK_AGE_PAYLOAD_FAILURE, "payload failure",                                                             \
      "the file is damaged or cut off; what was put out before is genuine but not complete")                 \
    X(HK_AGE_ARMOR_FAILURE, "armor failure", "the file's text form is damaged")                              \
    X(HK_AGE_OTHER_FAILURE, "failure", "the file could not be read, or the keys not be used")

enum hk_age_outcome {
#define HK_AGE_ENUM(id, name, sentence) id,
    HK_AGE_OUTCOMES(HK_AGE_ENUM)
#undef HK_AGE_ENUM
};
const char *hk_age_outcome_name(enum hk_age_outcome outcome);
const char *hk_age_outcome_sentence(enum hk_age_outcome outcome);

/* Decrypts `source`, binary or armored, to `sink`. With HK_AGE_OTHER_FAILURE, *error is what happened: of the
 * agreement, of reading or of writing. */
HK_CHECK enum hk_age_outcome hk_age_decrypt(const struct hk_source *source, const struct hk_sink *sink,
                                            const struct hk_age_keys *keys, enum hk_error *error);

/* Encrypts `source` to `sink` for 1 or more X25519 recipients. HK_BAD_POINT for a recipient that is no honest
 * key. */
HK_CHECK enum hk_error hk_age_encrypt(const struct hk_source *source, const struct hk_sink *sink,
                                      const uint8_t (*recipients)[32], size_t count, bool armored);

#endif

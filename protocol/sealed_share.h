/* sealed_share.h - a scalar sealed to somebody's X25519 key: sub-shares on their way to holders and from
 * them.
 *
 * E is a fresh key; the key is H("sealed-share", X25519(e, recipient), E, recipient, context), 32 bytes, for
 * ChaCha20-Poly1305 with a zero nonce and the context as associated data: one key, one message, as in the
 * base mode of RFC 9180. The sender is not authenticated: what comes out is held against a commitment. A
 * recipient may be any X25519 key, one of an age recipient too. */
#ifndef HALFKEY_PROTOCOL_SEALED_SHARE_H
#define HALFKEY_PROTOCOL_SEALED_SHARE_H

#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"
#include "crypto/secret.h"

#define HK_SEALED_SHARE_BYTES 80 /* E, 32 encrypted bytes, tag */
#define HK_SEALED_SCALAR_BYTES 32

/* Seals `scalar` (32 bytes). `context` says what it is and for whom; the same bytes open it. HK_BAD_POINT if
 * the recipient's key has small order. */
HK_CHECK enum hk_error hk_sealed_share_seal(uint8_t out[HK_SEALED_SHARE_BYTES], const uint8_t *scalar,
                                            const uint8_t recipient[32],
                                            const uint8_t context[HK_NAME_BYTES]);

/* Opens one with the recipient's private key. HK_AUTH, HK_BAD_POINT; then `scalar` is untouched. */
HK_CHECK enum hk_error hk_sealed_share_open(uint8_t *scalar, const uint8_t sealed[HK_SEALED_SHARE_BYTES],
                                            const struct hk_secret32 *key,
                                            const uint8_t context[HK_NAME_BYTES]);

/* The same where the private key is elsewhere: `shared` is X25519 of it and the first 32 bytes of `sealed`.
 */
HK_CHECK enum hk_error hk_sealed_share_open_shared(uint8_t *scalar,
                                                   const uint8_t sealed[HK_SEALED_SHARE_BYTES],
                                                   const struct hk_secret32 *shared,
                                                   const uint8_t recipient[32],
                                                   const uint8_t context[HK_NAME_BYTES]);

#endif

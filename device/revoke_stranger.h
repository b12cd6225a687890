/* revoke_stranger.h - revokes a device from any machine: needs the certificate or its printed code, no state.
 */
#ifndef HALFKEY_DEVICE_REVOKE_STRANGER_H
#define HALFKEY_DEVICE_REVOKE_STRANGER_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"

/* Sends revoke-by-certificate over a stranger's session.
 *
 *   address      the service's, as text
 *   certificate  COSE_Sign1, `size` bytes; or NULL
 *   code         16 bytes of the printed form (hk_words_to_code); or NULL
 *   timeout_ms   0: the default
 *
 * HK_OK once the device is revoked, also if it was before. HK_BAD_ENCODING for a bad address, HK_UNREACHABLE,
 * HK_TIMEOUT, HK_BAD_PEER, or what the service says. */
HK_CHECK enum hk_error hk_revoke_as_stranger(const char *address, const uint8_t *certificate, size_t size,
                                             const uint8_t code[16], int timeout_ms);

#endif

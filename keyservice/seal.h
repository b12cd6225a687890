/* seal.h - sealing of what is stored: XChaCha20-Poly1305 with a random nonce.
 *
 * A sealed text is nonce (24) ‖ ciphertext ‖ tag (16). What it belongs to is in the associated data, so a
 * sealed half that is moved to another row does not open. */
#ifndef HALFKEY_KEYSERVICE_SEAL_H
#define HALFKEY_KEYSERVICE_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"
#include "crypto/secret.h"

#define HK_SEAL_OVERHEAD 40

/* Seals `size` bytes to `out` (size + HK_SEAL_OVERHEAD) for the place that `use` (a short constant) and the
 * `count` items of `list` name, hashed without ambiguity. */
void hk_seal(uint8_t *out, const void *plain, size_t size, const struct hk_secret32 *key, const char *use,
             uint32_t count, const struct hk_bytes *list);

/* Opens `size` bytes at `sealed` to `out` (size - HK_SEAL_OVERHEAD). HK_AUTH if it is not whole, of another
 * key or another place; `out` is then zero. */
HK_CHECK enum hk_error hk_unseal(void *out, const uint8_t *sealed, size_t size, const struct hk_secret32 *key,
                                 const char *use, uint32_t count, const struct hk_bytes *list);

#endif

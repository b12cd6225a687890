/* sid.h - the names of runs, which device and service compute each for itself and must agree on.
 *
 * A name binds what follows to one handshake, one request, one key: a proof made for one run is of no use in
 * another. All of it is public except what the pop hashes. Nothing here allocates. */
#ifndef HALFKEY_PROTOCOL_SID_H
#define HALFKEY_PROTOCOL_SID_H

#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "protocol/message.h"

/* Proof at create-account that the stranger holds the device key that it names:
 * H("pop", X25519(device key, service key), handshake hash).
 *
 *   private_key     one's own: the device's at the device, the service's at the service
 *   public_key      the other's, 32 bytes
 *   handshake_hash  HK_HASH_BYTES, of the session that carries it
 *
 * HK_BAD_POINT if the Diffie-Hellman result is all zero. Constant time in the private key. */
HK_CHECK enum hk_error hk_sid_pop(uint8_t out[HK_NAME_BYTES], const struct hk_secret32 *private_key,
                                  const uint8_t *public_key, const uint8_t *handshake_hash);

/* H("op", op, handshake hash, request id, account, device serial, key id, epoch): one share operation. */
void hk_sid_operation(uint8_t out[HK_NAME_BYTES], enum hk_op op, const uint8_t *handshake_hash,
                      const uint8_t *request_id, const uint8_t *account, const uint8_t *serial,
                      const uint8_t *key_id, uint64_t epoch);

#endif

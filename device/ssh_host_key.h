/* ssh_host_key.h - the public keys of SSH servers: does a signature hold, and how is the key shown.
 *
 * For checking the session that a client binds an agent's connection to (OpenSSH's PROTOCOL.agent). Knows
 * ssh-ed25519, ecdsa-sha2-nistp256, -384 and -521, and RSA of 1024 to 8192 bits with SHA-2, each also inside
 * a host certificate, whose own signature is the client's to check. All inputs are public. */
#ifndef HALFKEY_DEVICE_SSH_HOST_KEY_H
#define HALFKEY_DEVICE_SSH_HOST_KEY_H

#include "protocol/ssh_wire.h"

/* HK_OK if `signature` (as it is on the wire: string kind, string bytes) is by `key` over `message`;
 * HK_UNSUPPORTED for another kind of key, HK_BAD_SIGNATURE otherwise. */
HK_CHECK enum hk_error hk_ssh_host_verify(struct hk_bytes key, struct hk_bytes signature,
                                          struct hk_bytes message);

#endif

/* wif.h - a secp256k1 private key as wallets write it: Wallet Import Format, Base58Check.
 *
 * Read only: halfkey never writes a private key. */
#ifndef HALFKEY_DEVICE_WIF_H
#define HALFKEY_DEVICE_WIF_H

#include <stddef.h>

#include "crypto/error.h"
#include "crypto/secret.h"

/* Reads one key, white space around it allowed: version 0x80 (main network) or 0xef (test networks), 32
 * bytes, optionally 0x01 (the public key is used compressed, as it is here in any case), and a checksum of
 * four bytes, the first of SHA-256 twice. HK_BAD_ENCODING if the text is not of that form, HK_AUTH if only
 * the checksum is wrong: a slip of the pen. That the number is below n is asked later. */
HK_CHECK enum hk_error hk_wif_decode(struct hk_secret32 *key, const char *text, size_t length);

#endif

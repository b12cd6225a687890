/* invitation.h - the one-time code by which an administrator lets one new device in.
 *
 * The code is a line of text that goes from screen to screen (or as a QR picture) and never over the network:
 * where the service is and which key it has, the account, the administrator's channel key, when it ends, and
 * 16 secret bytes k. Two things are made of k: the gate, which the new device shows to the service, which was
 * given only its hash; and a key that the two devices alone know and that goes into their handshake. Reading
 * is strict and bounded; a code that was typed wrong is refused before anything is sent. Nothing allocates.
 */
#ifndef HALFKEY_DEVICE_INVITATION_H
#define HALFKEY_DEVICE_INVITATION_H

#include <stdint.h>

#include "crypto/error.h"
#include "crypto/secret.h"
#include "protocol/object.h"

#define HK_INVITATION_PREFIX "halfkey-join:"
#define HK_INVITATION_TEXT_MAX 1024 /* final zero included */
#define HK_INVITATION_SECRET_BYTES 16
#define HK_INVITATION_SECONDS_MAX 600

/* Secret as a whole: it holds k. */
struct hk_invitation {
    char address[HK_ADDRESS_MAX + 1]; /* the service's, as in protocol/address.h */
    uint8_t account[HK_ACCOUNT_BYTES];
    uint8_t administrator[32]; /* X25519, static key of the administrator's device */
    uint64_t expires;          /* seconds since 1970 */
    uint8_t secret[HK_INVITATION_SECRET_BYTES];
};

/* What is made of k. */
struct hk_invitation_keys {
    uint8_t gate[32];       /* H("join/gate", k): shown to the service once, by the new device */
    uint8_t gate_hash[32];  /* what the service is given beforehand; public */
    struct hk_secret32 psk; /* H("join/e2e", k): for the two devices alone */
};

/* Draws k and fills in the rest. HK_BAD_ENCODING for an address that is not printable or too long. */
HK_CHECK enum hk_error hk_invitation_make(struct hk_invitation *out, const char *address,
                                          const uint8_t account[HK_ACCOUNT_BYTES],
                                          const uint8_t administrator[32], uint64_t expires);

void hk_invitation_derive(struct hk_invitation_keys *out, const struct hk_invitation *invitation);

/* The code: "halfkey-join:" and lower-case base32 of the CBOR map {1 address, 2 account, 3 administrator,
 * 4 expires, 5 k} and 5 bytes of its hash; one line without a line end. HK_TOO_LARGE for an address so long
 * that the code would not fit. */
HK_CHECK enum hk_error hk_invitation_print(char out[HK_INVITATION_TEXT_MAX],
                                           const struct hk_invitation *invitation);

/* Reads a code; white space around it is ignored. HK_BAD_ENCODING for anything else: *reason (may be NULL) is
 * a sentence that lives for ever. `out` is untouched then. That it has not expired is the caller's to check.
 */
HK_CHECK enum hk_error hk_invitation_parse(struct hk_invitation *out, const char *text, const char **reason);

#endif

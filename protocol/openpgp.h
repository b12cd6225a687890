/* openpgp.h - the few OpenPGP packets that an Ed25519 key with an X25519 subkey needs.
 *
 * Version 4 packets of RFC 4880 with EdDSA and ECDH on Curve25519 as draft-koch-eddsa-for-openpgp and RFC
 * 6637 have them, which is what GnuPG 2.2 and Thunderbird read. Nothing else is read or written: no partial
 * lengths, no other algorithm, no other curve. What is decoded encodes to the same bytes. All is public, so
 * nothing is constant time; the private parts of a packet are gpg_secret.h's. Nothing here allocates. */
#ifndef HALFKEY_PROTOCOL_OPENPGP_H
#define HALFKEY_PROTOCOL_OPENPGP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/hash.h"

/* Packet tags. */
enum hk_openpgp_tag {
    HK_OPENPGP_SIGNATURE = 2,
    HK_OPENPGP_SECRET_KEY = 5,
    HK_OPENPGP_PUBLIC_KEY = 6,
    HK_OPENPGP_SECRET_SUBKEY = 7,
    HK_OPENPGP_USER_ID = 13,
    HK_OPENPGP_PUBLIC_SUBKEY = 14
};
enum hk_openpgp_algorithm { HK_OPENPGP_ECDH = 18, HK_OPENPGP_EDDSA = 22 };

#define HK_OPENPGP_KEY_MAX 56 /* bytes of a public key's body */
#define HK_OPENPGP_FINGERPRINT_BYTES 20
#define HK_OPENPGP_KEYGRIP_BYTES 20
#define HK_OPENPGP_USER_ID_MAX 200 /* bytes of UTF-8 */

/* A public key, or subkey. */
struct hk_openpgp_key {
    enum hk_openpgp_algorithm algorithm;
    uint32_t created;             /* seconds since 1970: part of the fingerprint */
    uint8_t point[32];            /* Ed25519: as in RFC 8032; X25519: u, as in RFC 7748 */
    uint8_t kdf_hash, kdf_cipher; /* of ECDH: what the shared secret is derived and wrapped with */
};

/* A key of this algorithm with what GnuPG takes on Curve25519: SHA-256 and AES-128. */
void hk_openpgp_key_init(struct hk_openpgp_key *key, enum hk_openpgp_algorithm algorithm,
                         const uint8_t point[32], uint32_t created);

/* The body of the key's packet; returns its length. */
size_t hk_openpgp_key_encode(uint8_t out[HK_OPENPGP_KEY_MAX], const struct hk_openpgp_key *key);
/* Reads a body, or the public part at the front of a secret key's: *used says how much that was.
 * HK_UNSUPPORTED for another version, algorithm or curve; HK_BAD_ENCODING. */
HK_CHECK enum hk_error hk_openpgp_key_decode(struct hk_openpgp_key *key, size_t *used, struct hk_bytes body);

/* SHA-1 over the packet, as version 4 has it (RFC 4880, section 12.2). The key id is its last eight bytes. */
void hk_openpgp_fingerprint(uint8_t out[HK_OPENPGP_FINGERPRINT_BYTES], const struct hk_openpgp_key *key);

/* By what GnuPG knows a key: SHA-1 over the curve's parameters and the point, in libgcrypt's notation. */
void hk_openpgp_keygrip(uint8_t out[HK_OPENPGP_KEYGRIP_BYTES], enum hk_openpgp_algorithm algorithm,
                        const uint8_t point[32]);

/* ---- packets ---- */

/* Takes the next packet off the front of *rest, in either form of header. HK_NOT_FOUND at the end,
 * HK_BAD_ENCODING for a partial, indeterminate or too large length. `body` borrows. */
HK_CHECK enum hk_error hk_openpgp_next(struct hk_bytes *rest, unsigned *tag, struct hk_bytes *body);

/* Packets one after the other into a caller's buffer. */
struct hk_openpgp_writer {
    uint8_t *out;
    size_t max, size;
    bool full; /* something did not fit: what is there is not to be used */
};
void hk_openpgp_put(struct hk_openpgp_writer *writer, const void *data, size_t size);
/* A packet, header in GnuPG's (old) form; at most 65,535 bytes. */
void hk_openpgp_put_packet(struct hk_openpgp_writer *writer, enum hk_openpgp_tag tag, const void *body,
                           size_t size);

/* ---- numbers ---- */

/* A multi-precision integer: u16be bits, then the bytes without leading zeros; `size` at most 64. */
void hk_openpgp_put_mpi(struct hk_openpgp_writer *writer, const uint8_t *bytes, size_t size);
/* Takes one off the front of *rest and puts it right-aligned into `out`. HK_BAD_ENCODING if it is longer than
 * `size` bytes, or has leading zeros. */
HK_CHECK enum hk_error hk_openpgp_take_mpi(struct hk_bytes *rest, uint8_t *out, size_t size);
/* Takes `size` bytes; NULL if there are fewer. */
const uint8_t *hk_openpgp_take(struct hk_bytes *rest, size_t size) HK_CHECK;

#endif

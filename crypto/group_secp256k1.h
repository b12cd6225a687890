/* group_secp256k1.h - secp256k1 over libsecp256k1's public interface and GMP's constant-time numbers.
 *
 * Scalars are 32 bytes big endian, points 33 bytes (02 or 03, then x), as in SEC 1; uncompressed and hybrid
 * encodings are refused. Inside, a point also carries its y behind the encoding, so that only decoding takes
 * a square root; a first byte of 0 is the identity, which the library cannot express.
 *
 * Constant time: scalar arithmetic (mpn_sec_*), base_mul and point_mul in the scalar (ec_pubkey_create and
 * ecdh), point_add and point_sub in the coordinates of points other than the identity. point_decode is not,
 * and need not be: what comes from outside is public.
 *
 * No state: each call that needs one makes the library's context on its own stack (0.4 us). That context is
 * not randomised, which would double the cost of every multiplication; see docs/decisions.md. */
#ifndef HALFKEY_CRYPTO_GROUP_SECP256K1_H
#define HALFKEY_CRYPTO_GROUP_SECP256K1_H

#include "crypto/group.h"

#define HK_SECP256K1_SCALAR_BYTES 32
#define HK_SECP256K1_POINT_BYTES 33
#define HK_SECP256K1_X_BYTES 32

extern const struct hk_group hk_secp256k1;

/* The x-coordinate of a point other than the identity, 32 bytes big endian. Constant time. */
void hk_secp256k1_x(uint8_t x[HK_SECP256K1_X_BYTES], const struct hk_point *point);

/* Whether the y of a point other than the identity is odd (BIP-340 wants it even). */
bool hk_secp256k1_has_odd_y(const struct hk_point *point) HK_CHECK;

/* The scalar n - a, or a, as `negate` says; constant time in both. */
void hk_secp256k1_negate_if(struct hk_scalar *out, const struct hk_scalar *a, bool negate);

#endif

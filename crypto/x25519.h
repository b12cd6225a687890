/* x25519.h - the maps between X25519's u-coordinates (RFC 7748) and points of edwards25519 (RFC 8032).
 *
 * Only strictly encoded Edwards points travel; u-coordinates exist at the device's front end, and these maps
 * are the only door. u = (1 + y)/(1 - y) and y = (u - 1)/(u + 1), RFC 7748, section 4.1. The sign of x is
 * lost in u and changes no u, so points come out with sign 0. */
#ifndef HALFKEY_CRYPTO_X25519_H
#define HALFKEY_CRYPTO_X25519_H

#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"

#define HK_X25519_BYTES 32

/* The part of a received u-coordinate that a clamped X25519 key sees: P = [8]E, where E is a point with this
 * u.
 *
 *   out  P or -P (the one with sign 0), in the prime-order subgroup, strictly encoded, not the identity
 *   u    from a stranger: top bit ignored, reduced mod p, mixed order allowed, all as RFC 7748 has it
 *
 * HK_BAD_POINT if u is on the twist, where no honest sender is, or has small order. For a point P from here,
 * X25519(k, u) is the u of [k/8 mod n]P for every clamped k. Takes the same time for every u up to the
 * refusal. */
HK_CHECK enum hk_error hk_x25519_to_point(struct hk_point *out, const uint8_t u[HK_X25519_BYTES]);

/* The u-coordinate of a point: a public key's X25519 form, or the shared secret from the sum of two shares.
 *
 *   u      canonical; 0 for the identity
 *   point  its first 32 bytes are a strict encoding
 *
 * Constant time in the point. */
void hk_x25519_from_point(uint8_t u[HK_X25519_BYTES], const struct hk_point *point);

/* An X25519 private key as a scalar: clamped (RFC 7748, section 5), then reduced mod n; never 0. Constant
 * time. */
void hk_x25519_scalar(struct hk_scalar *out, const uint8_t key[HK_X25519_BYTES]);

#endif

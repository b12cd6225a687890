/* schnorr.h - proofs that somebody knows the logarithm of a point, bound to a run and a role.
 *
 * A proof (R, z) of the logarithm p of P: R = [r]B, c = H("schnorr", transcript, role, P, R) mod n, z = r +
 * c*p; checked as [z]B = R + [c]P over decoded points (Schnorr 1991, with the Fiat-Shamir transform over the
 * whole statement). Written R ‖ z. The transcript names the run, so a proof is worth nothing in another one;
 * the role keeps a proof from being sent back to its maker.
 *
 * The nonce is H("nonce", 32 random bytes, p, "schnorr", transcript, role, P, counter) mod n: a random
 * generator that repeats (a restored machine) repeats the proof or gives an independent nonce, never two
 * proofs under one nonce. */
#ifndef HALFKEY_CRYPTO_SCHNORR_H
#define HALFKEY_CRYPTO_SCHNORR_H

#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/hash.h"

/* point_bytes + scalar_bytes: R ‖ z. */
#define HK_SCHNORR_BYTES_MAX (HK_POINT_BYTES_MAX + HK_SCALAR_BYTES_MAX)
#define HK_SCHNORR_ED25519_BYTES 64

/* Who proves. Participants' numbers are the ones of FROST. */
enum hk_prover { HK_PROVER_DEVICE = 1, HK_PROVER_SERVICE = 2 };

/* Proves knowledge of `secret`.
 *
 *   proof       point_bytes + scalar_bytes
 *   transcript  HK_NAME_BYTES that name the run and what was said in it so far
 *   point       P = [secret]B, not the identity; taken as given
 *   secret      p, not zero; constant time */
void hk_schnorr_prove(uint8_t *proof, const struct hk_group *group, const uint8_t transcript[HK_NAME_BYTES],
                      enum hk_prover role, const struct hk_point *point, const struct hk_scalar *secret);

/* Checks a proof (point_bytes + scalar_bytes, untrusted) for a decoded point. HK_BAD_POINT if P is the
 * identity or R is not strictly encoded, HK_BAD_PROOF if z is not canonical or the equation does not hold.
 * Not constant time: all public. */
HK_CHECK enum hk_error hk_schnorr_verify(const struct hk_group *group,
                                         const uint8_t transcript[HK_NAME_BYTES], enum hk_prover role,
                                         const struct hk_point *point, const uint8_t *proof);

#endif

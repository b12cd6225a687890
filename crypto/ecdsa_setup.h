/* ecdsa_setup.h - key set-up of two-party ECDSA: the service's half under its own Paillier key, with a proof.
 *
 * C = g^s * u^N mod N^2. Proof that the plaintext of C is the logarithm of S: alpha of 512 bits, A = g^alpha
 * * v^N, R = [alpha]B, e = the first 128 bits of H("ecdsa/setup", transcript, N, C, S, A, R), z = alpha + e*s
 * over the integers, y = v * u^e mod N. It is the sigma protocol of CGGMP21 (ePrint 2021/060, Fig. 25,
 * Pi^log*) without its ring-Pedersen part, which would need a modulus of the device. What is missing is made
 * up for by the masks of ecdsa_proof.h: the proof yields integers 0 < |De| < 2^128, |Dz| < 2^513 with C^De =
 * g^Dz * w^N and [De]S = [Dz]B, and nothing about N. docs/ecdsa.md has the argument. */
#ifndef HALFKEY_CRYPTO_ECDSA_SETUP_H
#define HALFKEY_CRYPTO_ECDSA_SETUP_H

#include "crypto/ecdsa_pair.h"

#define HK_ECDSA_SETUP_Z_BITS 513
#define HK_ECDSA_SETUP_Z_BYTES 65
/* A, R, z, y, for an N of so many bytes. */
#define HK_ECDSA_SETUP_BYTES(n_bytes) (3 * (n_bytes) + HK_SECP256K1_POINT_BYTES + HK_ECDSA_SETUP_Z_BYTES)
#define HK_ECDSA_SETUP_BYTES_MAX HK_ECDSA_SETUP_BYTES(HK_PAILLIER_N_BYTES_MAX)

/* Service: encrypts `half` and proves it.
 *
 *   cipher      C, 2 * n_limbs
 *   proof       HK_ECDSA_SETUP_BYTES(bytes of N)
 *   half        s, in [1, n-1]; constant time
 *   transcript  names the run and what was said in it */
void hk_ecdsa_setup_prove(hk_limb *cipher, uint8_t *proof, const struct hk_paillier_secret *secret,
                          const struct hk_scalar *half, const uint8_t transcript[HK_NAME_BYTES]);

/* Device: checks C (from hk_ecdsa_cipher_decode) and its proof against S. Public values: not constant time.
 * HK_BAD_PROOF if a number is out of range or no unit or an equation does not hold, HK_BAD_POINT for R. */
HK_CHECK enum hk_error hk_ecdsa_setup_verify(const struct hk_paillier *paillier, const hk_limb *cipher,
                                             const struct hk_point *service_point,
                                             const uint8_t transcript[HK_NAME_BYTES], const uint8_t *proof);

#endif

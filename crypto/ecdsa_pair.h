/* ecdsa_pair.h - what device and service both know about one pair of ECDSA halves.
 *
 * The service's half s exists as a ciphertext C under a Paillier key that the service made for this device
 * alone. At key set-up C = g^s * u^N; a shift refresh takes delta off it in the exponent, so the plaintext is
 * the integer s_int = s - wraps * n, which is never reduced and may be negative; the device sees C move, not
 * how often it wrapped. HK_ECDSA_SHIFTS_MAX shifts are allowed before a full refresh must come. */
#ifndef HALFKEY_CRYPTO_ECDSA_PAIR_H
#define HALFKEY_CRYPTO_ECDSA_PAIR_H

#include "crypto/group_secp256k1.h"
#include "crypto/hash.h"
#include "crypto/paillier.h"
#include "crypto/ring_pedersen.h"

#define HK_ECDSA_SHIFTS_MAX UINT64_C(0xffffffff)
#define HK_ECDSA_ORDER_LIMBS 4

/* n of secp256k1. */
extern const hk_limb hk_ecdsa_order[HK_ECDSA_ORDER_LIMBS];
/* An integer mod n; a scalar as an integer of HK_ECDSA_ORDER_LIMBS. Constant time. */
void hk_ecdsa_scalar_of(struct hk_scalar *out, const hk_limb *number, size_t limbs);
void hk_ecdsa_limbs_of(hk_limb out[HK_ECDSA_ORDER_LIMBS], const struct hk_scalar *scalar);

struct hk_ecdsa_pair {
    struct hk_paillier paillier;
    hk_limb cipher[HK_BIG_LIMBS]; /* C, 2 * n_limbs */
    struct hk_ring ring;
    struct hk_point service_point, public_key; /* S, X */
    uint8_t name[HK_NAME_BYTES];               /* hk_ecdsa_pair_name; goes into every hash of a signature */
};

/* Where a pair lives: the same on both sides. */
struct hk_ecdsa_place {
    struct hk_bytes account;
    const uint8_t *serial; /* 16: the device */
    const uint8_t *key_id; /* 16 */
    uint64_t epoch;
};

/* Sets pair->name = H("ecdsa/pair", suite, account, serial, key id, epoch, N, C, N^, t, s1, s2, S, X). Call
 * it when everything else is set, and again after every change. */
void hk_ecdsa_pair_name(struct hk_ecdsa_pair *pair, const struct hk_ecdsa_place *place);

/* Reads C, twice the bytes of N. HK_BAD_ENCODING unless it is below N^2 and a unit. Public. */
HK_CHECK enum hk_error hk_ecdsa_cipher_decode(hk_limb *cipher, const struct hk_paillier *paillier,
                                              const uint8_t *in);
void hk_ecdsa_cipher_encode(uint8_t *out, const struct hk_paillier *paillier, const hk_limb *cipher);

/* Shift refresh, either side: C = C * g^-delta mod N^2. Constant time in delta. */
void hk_ecdsa_shift_cipher(hk_limb *cipher, const struct hk_paillier *paillier,
                           const struct hk_scalar *delta);
/* Shift refresh, service: what becomes of wraps when s becomes s - delta mod n. Constant time. HK_LOCKED if
 * there were HK_ECDSA_SHIFTS_MAX already: only a full refresh helps. */
HK_CHECK enum hk_error hk_ecdsa_shift_wraps(uint64_t *wraps, const struct hk_scalar *half,
                                            const struct hk_scalar *delta);
/* s - wraps * n mod N, in n_limbs: the plaintext of C. Constant time. */
void hk_ecdsa_plaintext(hk_limb *out, const struct hk_paillier *paillier, const struct hk_scalar *half,
                        uint64_t wraps);

#endif

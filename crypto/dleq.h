/* dleq.h - proof that an agreement's answer was made with the service's half.
 *
 * A Chaum-Pedersen proof of log_B([1/8]S) = log_P'(answer), made when a decryption failed and the device asks
 * again with the same P'. c = H("dleq", sid, account, key id, epoch, S, P', answer, R1, R2) mod n, R1 = [r]B,
 * R2 = [r]P', z = r + c * s/8. A proof is R1, R2, z, 96 bytes for edwards25519. The nonce r is
 * H("nonce", 32 random bytes, s/8, "dleq", the whole statement, counter), so a random generator that repeats
 * gives the same proof again or an independent nonce. */
#ifndef HALFKEY_CRYPTO_DLEQ_H
#define HALFKEY_CRYPTO_DLEQ_H

#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/hash.h"

#define HK_DLEQ_BYTES_MAX (2 * HK_POINT_BYTES_MAX + HK_SCALAR_BYTES_MAX)
#define HK_DLEQ_ED25519_BYTES 96

/* What is proved. All of it is public; the points are encoded (group->point_bytes). */
struct hk_dleq_statement {
    const struct hk_group *group;
    uint64_t cofactor;   /* 8 on edwards25519: the answer is [s/8]P'; 1 where it is [s]P' */
    struct hk_bytes sid; /* names the run */
    struct hk_bytes account;
    struct hk_bytes key_id;
    uint64_t epoch;
    const uint8_t *service; /* S */
    const uint8_t *point;   /* P' */
    const uint8_t *answer;  /* [s/8]P' */
};

/* Makes a proof.
 *
 *   proof   R1, R2, z: 2 * point_bytes + scalar_bytes
 *   secret  s/8 mod n (s where the cofactor is 1), constant time
 *
 * The answer is taken as given: of a wrong one a proof comes out that does not verify. HK_BAD_POINT if P' is
 * not strictly encoded. */
HK_CHECK enum hk_error hk_dleq_prove(uint8_t *proof, const struct hk_dleq_statement *statement,
                                     const struct hk_scalar *secret);

/* Checks a proof (2 * point_bytes + scalar_bytes). HK_BAD_POINT, HK_BAD_SCALAR if a point of the statement or
 * a part of the proof is not strictly encoded, HK_BAD_PROOF if it does not hold. Not constant time: all
 * public. */
HK_CHECK enum hk_error hk_dleq_verify(const struct hk_dleq_statement *statement, const uint8_t *proof);

#endif

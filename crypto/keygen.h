/* keygen.h - a key x = d + s made by device and service together, so that x exists nowhere.
 *
 *   device                                                    service
 *   hk_keygen_start     -- commitment c ---------------->     hk_keygen_answer
 *   hk_keygen_finish    <- S, proof_S -------------------
 *   (stores pending)    -- D, proof_D, r ---------------->    hk_keygen_complete  (stores s, t3, X; then)
 *   hk_keygen_accept    <- t3, X -------------------------
 *
 * c = H("dkg/commit", sid, D, proof_D, r), proof_D over sid; t1 = H("dkg/1", sid, c), proof_S over t1; t2 =
 * H("dkg/2", t1, S, proof_S); t3 = H("dkg/3", t2, D, proof_D, r). The device is bound to D before it sees S,
 * so neither side chooses X; a device can abort and try again, but cannot know log X (Gennaro, Jarecki,
 * Krawczyk, Rabin, Journal of Cryptology 2007). What each side must keep between messages is one structure,
 * one-use: the function that takes it on wipes it before it looks at anything else. Storing and sending are
 * the caller's; keep these structures in locked memory.
 *
 * A key that was whole before (import) is split by the device: hk_import_split, hk_import_take. */
#ifndef HALFKEY_CRYPTO_KEYGEN_H
#define HALFKEY_CRYPTO_KEYGEN_H

#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/hash.h"
#include "crypto/schnorr.h"
#include "crypto/suite.h"

#define HK_KEYGEN_OPENING_BYTES 32 /* r */

/* What names a run: the same on both sides, in the order of the hash. */
struct hk_keygen_names {
    struct hk_bytes handshake;    /* the channel's handshake hash */
    const uint8_t *request_id;    /* 16 bytes: of message 1 */
    struct hk_bytes account;      /* HK_BYTES(NULL, 0) before there is one */
    const struct hk_suite *suite; /* with its purpose */
    const uint8_t *key_id;        /* 16 */
    const uint8_t *device_key;    /* 32: static channel keys */
    const uint8_t *service_key;   /* 32 */
};

/* sid = H("sid", handshake hash, request id, account, suite, purpose, key id, device key, service key). */
void hk_keygen_sid(uint8_t sid[HK_NAME_BYTES], const struct hk_keygen_names *names);

/* A finished key as one side has it. `half` is secret; what is not is encoded (group->point_bytes). A device
 * stores it as pending before it sends message 3, a service as active before it sends message 4. */
struct hk_keygen_result {
    struct hk_scalar half;                     /* d, or s */
    uint8_t device_point[HK_POINT_BYTES_MAX];  /* D */
    uint8_t service_point[HK_POINT_BYTES_MAX]; /* S */
    uint8_t public_key[HK_POINT_BYTES_MAX];    /* X = D + S */
    uint8_t transcript[HK_NAME_BYTES];         /* t3 */
};

/* A device's run between messages 1 and 3. One use; must not be copied. */
struct hk_keygen_device {
    uint64_t magic;
    const struct hk_group *group;
    struct hk_scalar half;
    uint8_t sid[HK_NAME_BYTES], opening[HK_KEYGEN_OPENING_BYTES];
    uint8_t point[HK_POINT_BYTES_MAX], proof[HK_SCHNORR_BYTES_MAX];
    uint8_t commitment[HK_NAME_BYTES];
};

/* A service's run between messages 2 and 4. One use; must not be copied. */
struct hk_keygen_service {
    uint64_t magic;
    const struct hk_group *group;
    struct hk_scalar half;
    uint8_t sid[HK_NAME_BYTES], commitment[HK_NAME_BYTES];
    uint8_t transcript[HK_NAME_BYTES]; /* t2 */
    uint8_t point[HK_POINT_BYTES_MAX];
};

/* Message 3. */
struct hk_keygen_opening {
    uint8_t point[HK_POINT_BYTES_MAX];        /* D, point_bytes */
    uint8_t proof[HK_SCHNORR_BYTES_MAX];      /* point_bytes + scalar_bytes */
    uint8_t opening[HK_KEYGEN_OPENING_BYTES]; /* r */
};

/* Device: draws d and commits to D. */
void hk_keygen_start(struct hk_keygen_device *run, uint8_t commitment[HK_NAME_BYTES],
                     const struct hk_group *group, const uint8_t sid[HK_NAME_BYTES]);

/* Service: draws s and answers the commitment.
 *
 *   point  S, point_bytes
 *   proof  point_bytes + scalar_bytes */
void hk_keygen_answer(struct hk_keygen_service *run, uint8_t *point, uint8_t *proof,
                      const struct hk_group *group, const uint8_t sid[HK_NAME_BYTES],
                      const uint8_t commitment[HK_NAME_BYTES]);

/* Device: checks the service's answer and opens the commitment. Store `result` as pending, durably, before
 * `message` is sent.
 *
 *   run    wiped first; HK_CONFLICT if it was used before
 *   point  S, point_bytes; proof: point_bytes + scalar_bytes; both untrusted
 *
 * HK_BAD_POINT if a point is not strictly encoded or X is the identity, HK_BAD_PROOF if the proof does not
 * hold. */
HK_CHECK enum hk_error hk_keygen_finish(struct hk_keygen_result *result, struct hk_keygen_opening *message,
                                        struct hk_keygen_device *run, const uint8_t *point,
                                        const uint8_t *proof);

/* Service: checks the opening. On success store `result` before t3 and X are sent.
 *
 *   run    wiped first; HK_CONFLICT if it was used before, so that there is one try for each commitment
 *   point  D, point_bytes; proof: point_bytes + scalar_bytes; opening: r, 32 bytes; all untrusted
 *
 * HK_BAD_PROOF if they are not what was committed to or the proof does not hold, HK_BAD_POINT as above. */
HK_CHECK enum hk_error hk_keygen_complete(struct hk_keygen_result *result, struct hk_keygen_service *run,
                                          const uint8_t *point, const uint8_t *proof, const uint8_t *opening);

/* Device: compares message 4 with what it has. HK_BAD_PROOF unless t3 and X (point_bytes) are the same. */
HK_CHECK enum hk_error hk_keygen_accept(const struct hk_keygen_result *pending, const struct hk_group *group,
                                        const uint8_t transcript[HK_NAME_BYTES], const uint8_t *public_key);

/* Device: splits a whole key x into d and s = x - d. `scalar` (scalar_bytes; secret) is s, which goes to the
 * service together with D and proof_D over sid; transcript = H("import", sid, D, proof_D, S, X).
 *
 *   whole  x, wiped first. HK_BAD_SCALAR if it is zero. */
HK_CHECK enum hk_error hk_import_split(struct hk_keygen_result *result, uint8_t *scalar, uint8_t *proof,
                                       const struct hk_group *group, const uint8_t sid[HK_NAME_BYTES],
                                       struct hk_scalar *whole);

/* Service: takes its half of an imported key.
 *
 *   scalar  s, scalar_bytes; point: D, point_bytes; proof: point_bytes + scalar_bytes; all untrusted
 *
 * HK_BAD_SCALAR if s is zero or not canonical, HK_BAD_POINT, HK_BAD_PROOF as above. */
HK_CHECK enum hk_error hk_import_take(struct hk_keygen_result *result, const struct hk_group *group,
                                      const uint8_t sid[HK_NAME_BYTES], const uint8_t *scalar,
                                      const uint8_t *point, const uint8_t *proof);

#endif

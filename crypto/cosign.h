/* cosign.h - signatures by device and service in one round trip: FROST for two additive halves.
 *
 * The device (identifier 1) sends message and commitments, the service (identifier 2) answers with its
 * commitments and its share at once, the device adds its own share, verifies the signature as any verifier
 * would and only then shows it. Neither side can sign alone; the service keeps nothing between messages and
 * never sees the signature.
 *
 *   device:  hk_cosign_begin                                     -> message, commitments
 *   service:                   hk_cosign_answer                  -> commitments, share
 *   device:                                     hk_cosign_finish -> signature
 *
 * Nonces. The service's are H3(H("frost/service", 32 random bytes, s, request id, H4(message), the device's
 * commitment entry (identifier, hiding, binding), group key, key id, epoch, 1 or 2)): a random generator that
 * repeats gives the identical answer or an independent nonce, never two answers under one nonce. The device's
 * are H3(H("frost/device", 32 random bytes, d, request id, H4(message), group key, key id, epoch, 1 or 2)),
 * kept in locked memory by the caller and consumed by the first answer. The group key is the one signed
 * under, after a tweak. H4 is collision resistant and stands for the message so that a long one is read once
 * less. */
#ifndef HALFKEY_CRYPTO_COSIGN_H
#define HALFKEY_CRYPTO_COSIGN_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/frost.h"
#include "crypto/group.h"

#define HK_COSIGN_ID_BYTES 16
#define HK_COSIGN_COMMITMENTS_BYTES_MAX (2 * HK_POINT_BYTES_MAX)
#define HK_COSIGN_SIGNATURE_BYTES_MAX 66

/* One signature's public circumstances, the same on both sides. */
struct hk_cosign {
    const struct hk_frost_suite *suite;
    const uint8_t *group_key;  /* X, encoded; decoded strictly when the key was made. See hk_cosign_under */
    const uint8_t *key_id;     /* HK_COSIGN_ID_BYTES */
    uint64_t epoch;            /* of the device */
    const uint8_t *request_id; /* HK_COSIGN_ID_BYTES */
    const void *message;       /* the whole message, never a digest in its place */
    size_t size;
    const struct hk_frost_key *key; /* NULL: signed under X as it is */
};

/* Fixes the key that the signature is under, on both sides and before anything else: request->group_key and
 * request->key, which then borrow from `public_key` and `key`. request->suite is set before.
 *
 *   public_key  X, point_bytes
 *   root        BIP-341's Merkle root (see bip340.h), or NULL; HK_WRONG_PURPOSE where the suite knows none
 *
 * Errors as hk_bip340_signing_key. */
HK_CHECK enum hk_error hk_cosign_under(struct hk_cosign *request, struct hk_frost_key *key,
                                       const uint8_t *public_key, const struct hk_bytes *root);

/* Device, first step: fresh nonces for this request.
 *
 *   nonces       to be kept, in locked memory, until the answer comes; then consumed by hk_cosign_finish
 *   commitments  2 * point_bytes, to be sent
 *   half         d, constant time */
HK_CHECK enum hk_error hk_cosign_begin(struct hk_frost_nonces *nonces, uint8_t *commitments,
                                       const struct hk_cosign *request, const struct hk_scalar *half);

/* Service: its commitments and its share of the signature.
 *
 *   commitments  2 * point_bytes, own
 *   share        scalar_bytes
 *   half         s, constant time
 *   device       the device's commitments, 2 * point_bytes; untrusted
 *
 * HK_BAD_POINT if a commitment of the device is not strictly encoded, the identity included, or both are the
 * service's own ones. Nothing is written on failure. */
HK_CHECK enum hk_error hk_cosign_answer(uint8_t *commitments, uint8_t *share, const struct hk_cosign *request,
                                        const struct hk_scalar *half, const uint8_t *device);

/* Device, last step: checks the answer and gives the signature.
 *
 *   signature      hk_frost_signature_bytes; written only if it verifies
 *   nonces         of hk_cosign_begin for the same request; wiped first (HK_CONFLICT if already used)
 *   half           d, constant time
 *   service_point  S
 *   commitments, share  the service's; untrusted
 *
 * HK_BAD_POINT, HK_BAD_SCALAR if the answer is not strictly encoded or repeats the device's commitments,
 * HK_BAD_PROOF if the service's share is wrong, HK_BAD_SIGNATURE if the share is right and the signature is
 * not (own half or public key do not belong to this pair). The signature is verified first: since the
 * device's share is its own, it holds exactly if the service's share does, which is looked at only to name
 * the culprit (RFC 9591, section 5.4). */
HK_CHECK enum hk_error hk_cosign_finish(uint8_t *signature, struct hk_frost_nonces *nonces,
                                        const struct hk_cosign *request, const struct hk_scalar *half,
                                        const struct hk_point *service_point, const uint8_t *commitments,
                                        const uint8_t *share);

#endif

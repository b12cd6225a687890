/* refresh.h - new halves for an old key: d' = d + delta, s' = s - delta, so that copies of old halves fit
 * nothing.
 *
 * An epoch belongs to a device: a number e and a secret tag. ref names the device, the epoch that is being
 * left and all keys of the device; no session is in it, so that a retry over another session gives the same
 * delta. Device and service give 32 random bytes each; delta = H("refresh", ref, seed_d, seed_s, key id) mod
 * n. The service proves that it knows s', the device confirms by proving that it knows d'. The order of
 * storing and sending, which is what keeps a pair from falling apart, is in docs/protocol.md and is the
 * callers'.
 *
 * Seeds rank with halves (d + delta + s' = x): secret, never logged or cached. */
#ifndef HALFKEY_CRYPTO_REFRESH_H
#define HALFKEY_CRYPTO_REFRESH_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "crypto/hash.h"
#include "crypto/schnorr.h"

/* A key of the device, as ref lists it. */
struct hk_refresh_key {
    uint8_t id[16];
    uint64_t suite; /* enum hk_suite_id */
};

/* ref = H("refresh/ref", account, serial, e, tag, count, then id, suite of each key).
 *
 *   account  64 bytes; serial: 16; tag: 16
 *   keys     sorted by id, strictly increasing: HK_BAD_ENCODING otherwise */
HK_CHECK enum hk_error hk_refresh_ref(uint8_t ref[HK_NAME_BYTES], const uint8_t *account,
                                      const uint8_t *serial, uint64_t epoch, const uint8_t tag[HK_TAG_BYTES],
                                      const struct hk_refresh_key *keys, size_t count);

/* One refresh, the same on both sides; secret because of the seeds. */
struct hk_refresh {
    uint8_t ref[HK_NAME_BYTES];
    struct hk_secret32 device_seed, service_seed;
    uint8_t new_tag[HK_TAG_BYTES]; /* tag' of e+1 */
};

/* delta = H("refresh", ref, seed_d, seed_s, key id) mod n, for what moves with a half (secret). */
void hk_refresh_delta(struct hk_scalar *delta, const struct hk_group *group, const struct hk_refresh *refresh,
                      const uint8_t key_id[16]);

/* Service, for each key: its new half and the proof of it over H("refresh/2", ref, seed_d, seed_s, tag').
 *
 *   new_half  s' = s - delta
 *   proof     point_bytes + scalar_bytes
 *   half      s; constant time
 *
 * HK_AGAIN if s' is zero (never, in a group of size): draw another seed_s for all keys. */
HK_CHECK enum hk_error hk_refresh_service(struct hk_scalar *new_half, uint8_t *proof,
                                          const struct hk_group *group, const struct hk_refresh *refresh,
                                          const uint8_t key_id[16], const struct hk_scalar *half);

/* Device, for each key: its new half and the service's new point, checked against the proof.
 *
 *   new_half   d' = d + delta
 *   new_point  S' = S - [delta]B
 *   proof      the service's, point_bytes + scalar_bytes; untrusted
 *
 * HK_BAD_PROOF or HK_BAD_POINT if the service does not know S'; HK_AGAIN if d' is zero: start over with
 * another seed_d. Nothing is written on failure: the device stays at e. */
HK_CHECK enum hk_error hk_refresh_device(struct hk_scalar *new_half, struct hk_point *new_point,
                                         const struct hk_group *group, const struct hk_refresh *refresh,
                                         const uint8_t key_id[16], const struct hk_scalar *half,
                                         const struct hk_point *service_point, const uint8_t *proof);

/* Device, for each key: the proof of d' that goes with refresh-confirm, over the same transcript in the
 * device's role; point_bytes + scalar_bytes. May be made again for every retry. */
void hk_refresh_confirm(uint8_t *proof, const struct hk_group *group, const struct hk_refresh *refresh,
                        const struct hk_scalar *new_half);

/* Service, for each key, before e+1 becomes active: the proof must be for X - [s']B.
 *
 *   public_key  X
 *   new_half    s', as stored
 *
 * HK_BAD_PROOF or HK_BAD_POINT if it is not. */
HK_CHECK enum hk_error hk_refresh_check(const struct hk_group *group, const struct hk_refresh *refresh,
                                        const struct hk_point *public_key, const struct hk_scalar *new_half,
                                        const uint8_t *proof);

#endif

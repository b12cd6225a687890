/* recovery.h - what a recovery consists of on paper and on the wire: the packet of a key, the set as a file,
 * the request of a new device, a holder's contribution, and what all of their hashes and seals are about.
 *
 * Everything here is public, or sealed to its receiver (protocol/sealed_share.h). A packet is believed
 * because the signed profile has the transcript of its commitments; a contribution because it fits the
 * packet; a request because a person has compared its six words. Deterministic CBOR, decoded strictly: every
 * length bounded, nothing unknown. Nothing here allocates. */
#ifndef HALFKEY_PROTOCOL_RECOVERY_H
#define HALFKEY_PROTOCOL_RECOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/recovery.h"
#include "protocol/object.h"
#include "protocol/sealed_share.h"

#define HK_RECOVERY_PACKET_MAX 6000 /* bytes of an encoded packet */
#define HK_RECOVERY_REQUEST_MAX 2048
#define HK_RECOVERY_CONTRIBUTION_MAX 60000
#define HK_RECOVERY_SET_MAX (900 * 1024)

/* One key's part of a set, as service and devices keep it. */
struct hk_recovery_packet {
    uint8_t set[HK_ID_BYTES], key[HK_ID_BYTES], device[HK_ID_BYTES], service_key[32];
    uint64_t suite, epoch;
    uint8_t public_key[HK_POINT_BYTES_MAX];
    size_t holders; /* how many sealed sub-shares there are of either side */
    struct hk_dealing dealings[2];
    uint8_t sealed[2][HK_RECOVERY_HOLDERS][HK_SEALED_SHARE_BYTES];
};
HK_CHECK enum hk_error hk_recovery_packet_encode(const struct hk_recovery_packet *packet, uint8_t *out,
                                                 size_t max, size_t *size);
HK_CHECK enum hk_error hk_recovery_packet_decode(struct hk_recovery_packet *out, const void *data,
                                                 size_t size);

/* The packet as crypto/recovery.h wants it; `key` borrows from both. `holders` has room for
 * HK_RECOVERY_HOLDERS. HK_BAD_ENCODING if the packet is of another set or number of holders. */
HK_CHECK enum hk_error hk_recovery_packet_key(struct hk_recovery_key *key, uint8_t (*holders)[32],
                                              const struct hk_recovery_packet *packet,
                                              const struct hk_recovery_set *set);
/* Holds a packet against the profile: listed, of its set, X and suite the same, and the transcript the one
 * that is signed there. HK_NOT_FOUND if the profile has no such key in its set; HK_BAD_PROOF if it does not
 * fit. */
HK_CHECK enum hk_error hk_recovery_packet_check(const struct hk_recovery_packet *packet,
                                                const struct hk_profile *profile);

/* What a sealed sub-share of a set is about: H("recovery/seal", set, key id, X, side, holder's index). */
void hk_recovery_seal_context(uint8_t out[HK_NAME_BYTES], const struct hk_recovery_key *key,
                              enum hk_recovery_side side, uint64_t index);

/* ---- the set as a file: the signed profile and all packets ---- */
struct hk_recovery_file {
    struct hk_bytes profile; /* signed, as it was received */
    size_t count;
    struct hk_bytes packets[HK_KEYS_MAX];
};
HK_CHECK enum hk_error hk_recovery_file_encode(const struct hk_recovery_file *file, uint8_t *out, size_t max,
                                               size_t *size);
/* `out` borrows from `data`. What is in it is not looked at. */
HK_CHECK enum hk_error hk_recovery_file_decode(struct hk_recovery_file *out, const void *data, size_t size);

/* ---- what the new device asks of holders ---- */
struct hk_recovery_request {
    uint8_t account[HK_ACCOUNT_BYTES], set[HK_ID_BYTES];
    uint8_t serial[HK_ID_BYTES], device_key[32]; /* of the new device */
    char device[HK_NAME_MAX + 1];
    uint8_t service_key[32]; /* of the service that is to have the other halves */
    char address[HK_ADDRESS_MAX + 1];
    uint8_t profile_hash[32]; /* hk_object_hash of the profile that names the set */
    uint8_t random[16];
    size_t count;
    uint64_t index[HK_RECOVERY_HOLDERS]; /* who takes part, ascending */
};
HK_CHECK enum hk_error hk_recovery_request_encode(const struct hk_recovery_request *request, uint8_t *out,
                                                  size_t max, size_t *size);
HK_CHECK enum hk_error hk_recovery_request_decode(struct hk_recovery_request *out, const void *data,
                                                  size_t size);
/* H("recover/request", encoded request): names the run; its first six words are what people compare. */
void hk_recovery_request_hash(uint8_t out[32], const void *encoded, size_t size);
/* The request as crypto/recovery.h wants it; borrows. `hash` is 32 bytes. */
void hk_recovery_request_run(struct hk_recover_run *run, const struct hk_recovery_request *request,
                             const uint8_t *hash);

/* ---- what a holder answers: for each key its split contribution, each part sealed to its receiver ---- */
struct hk_recovery_part {
    uint8_t key[HK_ID_BYTES];
    size_t point_bytes; /* of its suite: 32 or 33 */
    struct hk_dealing dealing;
    uint8_t sealed[2][HK_SEALED_SHARE_BYTES];
};
struct hk_recovery_contribution {
    uint8_t request[32]; /* hash of the request that is answered */
    uint64_t index;      /* the holder's */
    size_t count;
    struct hk_recovery_part parts[HK_KEYS_MAX + 1]; /* sorted by key, none twice */
};
HK_CHECK enum hk_error hk_recovery_contribution_encode(const struct hk_recovery_contribution *contribution,
                                                       uint8_t *out, size_t max, size_t *size);
/* `out` is about 25 KiB: keep it off deep stacks. */
HK_CHECK enum hk_error hk_recovery_contribution_decode(struct hk_recovery_contribution *out, const void *data,
                                                       size_t size);

/* What a sealed part is about: H("recover/seal", request hash, key id, holder's index, side). */
void hk_recover_seal_context(uint8_t out[HK_NAME_BYTES], const uint8_t request[32],
                             const uint8_t key[HK_ID_BYTES], uint64_t index, enum hk_recovery_side side);

/* What new device and new service compare: H("recover", request hash, profile hash, report key, number of
 * keys, then of each, by its id, hk_recover_key_transcript). `transcripts` are 32 bytes each. */
void hk_recover_transcript(uint8_t out[HK_NAME_BYTES], const uint8_t request[32],
                           const uint8_t profile_hash[32], const uint8_t report_key[32],
                           const uint8_t (*transcripts)[HK_NAME_BYTES], size_t count);

/* ---- holders ---- */
/* The X25519 key of a printed share: H("recovery/holder", code), the first 32 bytes. */
void hk_recovery_holder_key(struct hk_secret32 *key, uint8_t public_key[32], const uint8_t code[16]);

#endif

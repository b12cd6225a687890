/* enrolments.h - enrolments under way, between `enrol` and `enrol-confirm`: in locked memory only. Hand-overs
 * between `hand-offer` and `hand-seal` are kept in a list of the same kind.
 *
 * While one is open its administrator's device cannot refresh, and no key is made in its account. It ends
 * with success, after ten minutes, with a restart, with the revocation of either device, with the status
 * question of a device that has lost its own part, and by a new one under the same invitation. Its secrets
 * are wiped with it and are nowhere else. Every function may be called from any thread. */
#ifndef HALFKEY_KEYSERVICE_ENROLMENTS_H
#define HALFKEY_KEYSERVICE_ENROLMENTS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "crypto/error.h"
#include "crypto/group.h"
#include "keyservice/store.h"
#include "protocol/object.h"

#define HK_ENROLMENT_SECONDS 600

/* One key's part. */
struct hk_enrolment_key {
    uint8_t id[HK_ID_BYTES];
    uint64_t suite;
    uint8_t public_key[HK_POINT_BYTES_MAX];
    uint8_t kept[2][HK_POINT_BYTES_MAX];   /* A, Q: commitments to what goes to the new device */
    uint8_t passed[2][HK_POINT_BYTES_MAX]; /* A', Q': to what goes to the service */
    struct hk_scalar share;                /* b, secret */
    struct hk_scalar half;                 /* s2, secret */
};

/* In memory from hk_secret_new. */
struct hk_open_enrolment {
    struct hk_open_enrolment *next; /* private */
    atomic_uint references;         /* private */
    atomic_bool voided;
    uint64_t expires;
    uint8_t admin[HK_ID_BYTES];
    uint64_t admin_epoch;
    struct hk_device_record record;
    size_t record_size, certificate_size;
    uint8_t signed_record[HK_SMALL_OBJECT_MAX], certificate[HK_SMALL_OBJECT_MAX];
    uint8_t record_name[32]; /* what stands for the record in the transcript */
    uint8_t transcript[32];
    size_t count;
    struct hk_enrolment_key key[];
};

struct hk_enrolments;
struct hk_enrolments *hk_enrolments_new(void) HK_CHECK; /* NULL: no memory */
void hk_enrolments_free(struct hk_enrolments *enrolments);

/* An empty one for `count` keys, the caller's; HK_BUSY without locked memory. */
HK_CHECK enum hk_error hk_enrolment_new(struct hk_open_enrolment **out, size_t count);
/* Puts it in the list, voiding one under the same invitation or serial. HK_CONFLICT if another enrolment has
 * the same static key. */
HK_CHECK enum hk_error hk_enrolments_add(struct hk_enrolments *enrolments,
                                         struct hk_open_enrolment *enrolment);
/* The open enrolment of the device with this static key, or with this account and transcript: one more user.
 * NULL if there is none. */
struct hk_open_enrolment *hk_enrolments_by_key(struct hk_enrolments *enrolments, const uint8_t static_key[32],
                                               uint64_t now) HK_CHECK;
struct hk_open_enrolment *hk_enrolments_by_transcript(struct hk_enrolments *enrolments,
                                                      const uint8_t *account, const uint8_t transcript[32],
                                                      uint64_t now) HK_CHECK;
/* One user less; the last one wipes and frees. NULL is allowed. */
void hk_enrolment_release(struct hk_open_enrolment *enrolment);

/* True if an enrolment is open in the account. */
bool hk_enrolments_are_open(struct hk_enrolments *enrolments, const uint8_t *account, uint64_t now) HK_CHECK;
/* True if this administrator's pair is in use by an open one. */
bool hk_enrolments_lock(struct hk_enrolments *enrolments, const uint8_t *admin, uint64_t now) HK_CHECK;
/* Copies serials of devices that are being enrolled, at most `max`; returns how many. */
size_t hk_enrolments_list(struct hk_enrolments *enrolments, const uint8_t *account, uint64_t now,
                          uint8_t (*serials)[HK_ID_BYTES], size_t max) HK_CHECK;
/* Ends one; those in which the device is administrator or new; those that have expired. */
void hk_enrolments_end(struct hk_enrolments *enrolments, struct hk_open_enrolment *enrolment);
void hk_enrolments_end_of(struct hk_enrolments *enrolments, const uint8_t *serial);
void hk_enrolments_sweep(struct hk_enrolments *enrolments, uint64_t now);

#endif

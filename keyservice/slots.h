/* slots.h - the slot file: one wrapping key per device, in fixed-size records that can be overwritten in
 * place.
 *
 * Halves in the store are sealed under their device's wrapping key; the wrapping keys are here, sealed under
 * the master key, in two copies (on two disks, if the operator gives two) and never in a backup. Erasing a
 * slot is what makes a revoked half unreadable for good: a copy of the database, from whatever time, does not
 * open it. What an overwrite cannot reach (flash, snapshots, an older copy of this file together with the
 * master key) is stated in the security model.
 *
 * The file: 4096 bytes of header (magic, generation, next generation or 0, checksum), then records of 128
 * bytes; an erased record is all zeros. Where the copies differ, erased wins. Allocation and erasure are only
 * written by hk_slots_*; they are durable after hk_slots_sync. One thread writes (the writer); any thread may
 * read keys. */
#ifndef HALFKEY_KEYSERVICE_SLOTS_H
#define HALFKEY_KEYSERVICE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "crypto/secret.h"
#include "protocol/message.h"

struct hk_slots;

/* One copy's header as it was found. */
struct hk_slots_header {
    bool valid;          /* the checksum holds */
    uint64_t generation; /* the change that is finished */
    uint64_t next;       /* the change that is under way; 0: none */
};

/* Opens both copies. With `create`, copies that do not exist yet are made, empty, at generation 1; without it
 * HK_NOT_FOUND. `master` is borrowed as long as the slots are open. Writes a sentence for the operator to
 * reason[256] on failure. Opening changes nothing in existing copies; hk_slots_merge does. */
HK_CHECK enum hk_error hk_slots_open(struct hk_slots **slots, const char *path_a, const char *path_b,
                                     const struct hk_secret32 *master, bool create, char reason[256]);
void hk_slots_close(struct hk_slots *slots); /* NULL is allowed */

/* The headers of both copies. */
void hk_slots_headers(const struct hk_slots *slots, struct hk_slots_header headers[2]);

/* True if both copies are on one disk. */
bool hk_slots_on_one_disk(const struct hk_slots *slots) HK_CHECK;

/* Makes the copies equal: a record erased in one is erased in both; of two that differ otherwise, the one
 * that authenticates is kept. Not durable before hk_slots_sync. */
HK_CHECK enum hk_error hk_slots_merge(struct hk_slots *slots);

/* True if record `slot`, or, for HK_SLOTS_HEADER, the header, is not the same in both copies. */
#define HK_SLOTS_HEADER UINT64_MAX
bool hk_slots_differ(const struct hk_slots *slots, uint64_t slot) HK_CHECK;

/* The number of records, live or erased. */
uint64_t hk_slots_count(const struct hk_slots *slots) HK_CHECK;

/* True if record `slot` is live (in both copies, once merged). */
bool hk_slots_is_live(const struct hk_slots *slots, uint64_t slot) HK_CHECK;

/* Takes an erased record for `serial` (16 bytes), draws a wrapping key and writes it to both copies. *slot is
 * its number, `key` the wrapping key. */
HK_CHECK enum hk_error hk_slots_allocate(struct hk_slots *slots, const uint8_t *serial, uint64_t *slot,
                                         struct hk_secret32 *key);

/* Overwrites a record with zeros in both copies. */
HK_CHECK enum hk_error hk_slots_erase(struct hk_slots *slots, uint64_t slot);

/* Reads the wrapping key of record `slot`, which must be that of `serial`. HK_REVOKED if it is erased,
 * HK_AUTH if it does not open. Any thread. */
HK_CHECK enum hk_error hk_slots_key(const struct hk_slots *slots, uint64_t slot, const uint8_t *serial,
                                    struct hk_secret32 *key);

/* Writes the header to both copies; not durable before hk_slots_sync. */
HK_CHECK enum hk_error hk_slots_set_header(struct hk_slots *slots, uint64_t generation, uint64_t next);

/* Makes everything written so far durable, in both copies. Does nothing if nothing was written. */
HK_CHECK enum hk_error hk_slots_sync(struct hk_slots *slots);

#endif

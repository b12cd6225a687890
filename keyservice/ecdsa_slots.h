/* ecdsa_slots.h - nonces of the service that wait for a device's request: in locked memory, never stored.
 *
 * A pair has at most HK_ECDSA_SLOTS_A_PAIR, an older one makes room; each lives HK_ECDSA_SLOT_SECONDS. Taking
 * one removes it, whatever becomes of the request. Any thread may call. */
#ifndef HALFKEY_KEYSERVICE_ECDSA_SLOTS_H
#define HALFKEY_KEYSERVICE_ECDSA_SLOTS_H

#include "crypto/ecdsa.h"
#include "protocol/message.h"

#define HK_ECDSA_SLOTS_A_PAIR 4
#define HK_ECDSA_SLOT_SECONDS 60
/* Of all pairs; the oldest makes room. Fewer, as low as the other figure, where little memory may be locked.
 */
#define HK_ECDSA_SLOTS 1024
#define HK_ECDSA_SLOTS_LEAST 16

struct hk_ecdsa_slots;

struct hk_ecdsa_slots *hk_ecdsa_slots_new(void) HK_CHECK; /* NULL: no memory */
void hk_ecdsa_slots_free(struct hk_ecdsa_slots *slots);   /* NULL is allowed */

/* The secret of this process that nonces are made with, and a number that no slot had. */
const struct hk_secret32 *hk_ecdsa_slots_key(const struct hk_ecdsa_slots *slots) HK_CHECK;
uint64_t hk_ecdsa_slots_number(struct hk_ecdsa_slots *slots) HK_CHECK;

/* Keeps a slot of the pair (serial, key id). `now` in seconds that never go back. */
void hk_ecdsa_slots_put(struct hk_ecdsa_slots *slots, const uint8_t serial[HK_ID_BYTES],
                        const uint8_t key[HK_ID_BYTES], uint64_t number, const struct hk_ecdsa_slot *slot,
                        uint64_t now);
/* Takes it out. HK_UNKNOWN_RUN if there is none of this number for this pair, or its time is over. */
HK_CHECK enum hk_error hk_ecdsa_slots_take(struct hk_ecdsa_slots *slots, const uint8_t serial[HK_ID_BYTES],
                                           const uint8_t key[HK_ID_BYTES], uint64_t number,
                                           struct hk_ecdsa_slot *slot, uint64_t now);
/* Drops all of a device: at its refresh, its revocation. */
void hk_ecdsa_slots_drop(struct hk_ecdsa_slots *slots, const uint8_t serial[HK_ID_BYTES]);
/* How many there are. */
size_t hk_ecdsa_slots_count(struct hk_ecdsa_slots *slots) HK_CHECK;

#endif

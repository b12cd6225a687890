/* dealing.h - an administrator's side of redistribution: its halves split anew for another device and the
 * service (crypto/enrolment.h), in the forms in which `enrol`, `hand-offer` and the bundles want them. */
#ifndef HALFKEY_DEVICE_DEALING_H
#define HALFKEY_DEVICE_DEALING_H

#include "crypto/enrolment.h"
#include "device/join_channel.h"
#include "device/state.h"

/* What is dealt, key by key. In memory from hk_secret_new. */
struct hk_key_dealing {
    size_t count;
    struct hk_enrol_key keys[HK_KEYS_MAX]; /* borrow from the state's keys */
    uint8_t ids[HK_KEYS_MAX][HK_ID_BYTES];
    struct hk_scalar subshares[HK_KEYS_MAX]; /* d1 - a, for the service */
};

/* Splits this device's half of a key. `given` gets what the other device is to have: a, D1, A, A'. HK_LOCKED
 * if the key is not active and in the profile. */
HK_CHECK enum hk_error hk_dealing_add(struct hk_key_dealing *dealing, const struct hk_state_key *key,
                                      struct hk_join_key *given);
/* KEYS, KEPT, PASSED and SUBSHARES of a request; spans point into `dealing`. */
void hk_dealing_put(const struct hk_key_dealing *dealing, struct hk_message *request);
/* The service's commitments, from its answer. HK_BAD_PEER. */
HK_CHECK enum hk_error hk_dealing_take(struct hk_key_dealing *dealing, const struct hk_message *answer);

#endif

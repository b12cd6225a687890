/* holder.h - a recovery holder's program: looks at the set, opens the holder's shares one key at a time, and
 * answers a new device's request.
 *
 * A share never leaves: to test it is to open it and hold it against the commitments that the account has
 * signed; to give it is to split what it contributes between the new device and the new service, each part
 * sealed to its receiver. A holder is known by an X25519 key: of a printed code, or one of the holder's own
 * halfkey account, whose agent then does the agreement. Everything secret is in memory from hk_secret_new and
 * wiped. */
#ifndef HALFKEY_DEVICE_HOLDER_H
#define HALFKEY_DEVICE_HOLDER_H

#include "crypto/error.h"
#include "protocol/recovery.h"

/* How a holder opens what is sealed to it. */
struct hk_holder_opener {
    uint8_t public_key[32];
    /* X25519 with the holder's private key. */
    enum hk_error (*agree)(void *argument, struct hk_secret32 *shared, const uint8_t ephemeral[32]);
    void *argument;
};

/* A set that was read: the profile verified, every packet held against it. On the heap, freed by _free. */
struct hk_holder_set {
    uint8_t *bytes;
    size_t size;
    struct hk_recovery_file file;
    struct hk_profile profile;
    uint8_t profile_hash[32];
};
/* Reads a set's bytes (taken over: freed with the set, or on failure). HK_BAD_ENCODING, HK_BAD_SIGNATURE,
 * HK_BAD_PROOF if a packet is not the one that the profile names, HK_NOT_FOUND if the account has no set, or
 * one of its packets is missing. */
HK_CHECK enum hk_error hk_holder_set_read(struct hk_holder_set **out, uint8_t *bytes, size_t size);
void hk_holder_set_free(struct hk_holder_set *set);

/* The index (from 1) of the holder with this key; 0 if it is none of the set's. */
uint64_t hk_holder_index(const struct hk_recovery_set *set, const uint8_t public_key[32]) HK_CHECK;

/* Opens the holder's share of every key, each on its own, and checks it. HK_AUTH, HK_BAD_PROOF: it does not
 * fit; *failed is the packet's place. */
HK_CHECK enum hk_error hk_holder_test(const struct hk_holder_set *set, const struct hk_holder_opener *opener,
                                      uint64_t index, size_t *failed);

/* The holder's answer to a request, encoded: at most HK_RECOVERY_CONTRIBUTION_MAX bytes. HK_CONFLICT if the
 * request is about another set or profile; HK_NOT_FOUND if this holder is not asked; errors as
 * hk_holder_test. */
HK_CHECK enum hk_error hk_holder_give(const struct hk_holder_set *set, const struct hk_holder_opener *opener,
                                      uint64_t index, const void *request, size_t request_size, uint8_t *out,
                                      size_t *size);

#endif

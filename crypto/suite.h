/* suite.h - the table of suites: what a key is for is fixed when it is made.
 *
 * A key has one suite and one purpose; both are part of every transcript, of the store's associated data and
 * of every request, and one private key is never used for two purposes. */
#ifndef HALFKEY_CRYPTO_SUITE_H
#define HALFKEY_CRYPTO_SUITE_H

#include <stdint.h>

#include "crypto/agreement.h"
#include "crypto/frost.h"
#include "crypto/group.h"

enum hk_suite_id {
    HK_SUITE_X25519 = 1,
    HK_SUITE_ED25519 = 2,
    HK_SUITE_ACCOUNT = 3,
    HK_SUITE_SECP256K1_SCHNORR = 4,
    HK_SUITE_SECP256K1_ECDH = 5,
    HK_SUITE_SECP256K1_ECDSA = 6
};
enum hk_purpose { HK_PURPOSE_AGREE = 1, HK_PURPOSE_SIGN = 2, HK_PURPOSE_ACCOUNT = 3 };

struct hk_suite {
    enum hk_suite_id id;
    const char *name; /* "x25519" */
    enum hk_purpose purpose;
    const struct hk_group *group;
    const struct hk_frost_suite *frost;   /* how it signs; NULL if it does not, or not with FROST */
    const struct hk_agreement *agreement; /* how it agrees; NULL if it does not */
    /* A public key as the world knows it: `form_bytes` at `out`, from an encoded point. */
    size_t form_bytes;
    void (*form)(uint8_t *out, const uint8_t *point);
};
#define HK_FORM_BYTES_MAX 33

/* The lengths of a suite's encoded points, scalars and Schnorr proofs; 0 if there is no such suite. */
size_t hk_suite_point_bytes(uint64_t id) HK_CHECK;
size_t hk_suite_scalar_bytes(uint64_t id) HK_CHECK;
size_t hk_suite_proof_bytes(uint64_t id) HK_CHECK;

/* Walks the table: the suite at `place`, NULL behind the last. */
const struct hk_suite *hk_suite_at(size_t place) HK_CHECK;

/* The suite with this number or name; NULL if there is none. */
const struct hk_suite *hk_suite_by_id(uint64_t id) HK_CHECK;
const struct hk_suite *hk_suite_by_name(const char *name) HK_CHECK;

#endif

/* suite.h - the table of suites: what a key is for is fixed when it is made.
 *
 * A key has one suite and one purpose; both are part of every transcript, of the store's associated data and
 * of every request, and one private key is never used for two purposes. */
#ifndef HALFKEY_CRYPTO_SUITE_H
#define HALFKEY_CRYPTO_SUITE_H

#include <stdint.h>

#include "crypto/group.h"

enum hk_suite_id { HK_SUITE_X25519 = 1, HK_SUITE_ED25519 = 2, HK_SUITE_ACCOUNT = 3 };
enum hk_purpose { HK_PURPOSE_AGREE = 1, HK_PURPOSE_SIGN = 2, HK_PURPOSE_ACCOUNT = 3 };

struct hk_suite {
    enum hk_suite_id id;
    const char *name; /* "x25519" */
    enum hk_purpose purpose;
    const struct hk_group *group;
};

/* The suite with this number or name; NULL if there is none. */
const struct hk_suite *hk_suite_by_id(uint64_t id) HK_CHECK;
const struct hk_suite *hk_suite_by_name(const char *name) HK_CHECK;

#endif

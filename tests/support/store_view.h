/* store_view.h - what a service's database holds, seen from outside while the service runs.
 *
 * The attack suite compares it before and after a refused request. It is opened read-only for each look. */
#ifndef HALFKEY_TESTS_STORE_VIEW_H
#define HALFKEY_TESTS_STORE_VIEW_H

#include <stdint.h>

#include "protocol/object.h"
#include "tests/support/service.h"

/* A digest of every row of every table except those of the log. `without_stale`: leaves out the column in
 * which a stale copy is noted, which a refusal with `stale-epoch` may change. */
void hk_view_digest(uint8_t out[32], const struct hk_test_service *service, bool without_stale);

/* The number of leaves in the account's log, over all generations; 0 if there is no such account. */
uint64_t hk_view_leaves(const struct hk_test_service *service, const uint8_t account[HK_ACCOUNT_BYTES]);

/* Calls `each` for every leaf of the account's log, in order. */
void hk_view_each_leaf(const struct hk_test_service *service, const uint8_t account[HK_ACCOUNT_BYTES],
                       void (*each)(void *argument, const struct hk_leaf *leaf), void *argument);

/* The one number that a query gives. */
int64_t hk_view_number(const struct hk_test_service *service, const char *query);

/* Makes every change that waits due now, as 72 hours would. */
void hk_view_let_time_pass(const struct hk_test_service *service);

#endif

/* attack.h - what every test of the attack suite stands on: the world that is attacked, what "refused" means,
 * and the count of variants.
 *
 * tests/attack/rows names the rows; tests/attack/test_rowNN_*.c play them. A program ends in HK_ATTACK_ROW,
 * which runs its tests and prints
 *
 *   attack-row NN VARIANTS
 *
 * from which tests/check makes its table. A variant counts when what was to be asserted of it has been
 * asserted, and once for each name, so that no loop counts one thing many times. HK_VERBOSE in the
 * environment prints each. */
#ifndef HALFKEY_TESTS_ATTACK_H
#define HALFKEY_TESTS_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/client.h"
#include "tests/support/service.h"

struct CMUnitTest;

/* Counts one variant of the row; call it after the assertions. The name, as printf, tells it from others. */
__attribute__((format(printf, 1, 2))) void hk_tried(const char *format, ...);

/* Runs the tests of a row; set_up and tear_down, if not NULL, once around all of them. Returns what main
 * returns: failures, or 1 if no variant was tried or the number is not that of the program's name. */
int hk_attack_run(int row, const struct CMUnitTest *tests, size_t count, int (*set_up)(void **state),
                  int (*tear_down)(void **state));
#define HK_ATTACK_ROW_IN(row, tests, set_up, tear_down)                                                      \
    hk_attack_run(row, tests, sizeof(tests) / sizeof(*(tests)), set_up, tear_down)
#define HK_ATTACK_ROW(row, tests) HK_ATTACK_ROW_IN(row, tests, NULL, NULL)

/* The world: a service, an account with an administrator and an ordinary device, and a bystander with an
 * account of its own. Both accounts have a key for signing and one for agreement. */
#define HK_ATTACK_ALSO 4
struct hk_attack {
    struct hk_test_service service;
    bool on_secp256k1; /* set before hk_attack_begin: the account's keys are of that group */
    struct hk_test_device laptop, phone; /* administrator and ordinary device of the account */
    struct hk_test_device bystander;
    struct hk_test_enrolment enrolment;                /* of the phone */
    uint8_t digest[2][32];                             /* of hk_watch: whole, and without the stale column */
    const struct hk_test_device *also[HK_ATTACK_ALSO]; /* see hk_attack_also */
    uint64_t leaves[2 + HK_ATTACK_ALSO]; /* of hk_watch: the account's, the bystander's, of the others */
};

/* Starts it; `over_tcp` as in hk_test_service_start. Options may be set in attack->service before. */
void hk_attack_begin(struct hk_attack *attack, bool over_tcp);
/* Stops the service as an operator does, and asserts that it ends well, that `halfkeyd check` finds nothing
 * wrong with what it leaves, and that every refusal that a device got is counted in its account's log. */
void hk_attack_end(struct hk_attack *attack);

/* Watches one more account's log: that of a device which will be refused (`by` of hk_refused). */
void hk_attack_also(struct hk_attack *attack, const struct hk_test_device *device);

/* The suites of the account's keys, one that signs and one that agrees, and their group. */
const struct hk_suite *hk_attack_signs(const struct hk_attack *attack);
const struct hk_suite *hk_attack_agrees(const struct hk_attack *attack);
const struct hk_group *hk_attack_group(const struct hk_attack *attack);

/* A device's key of that suite; fails the test if it has none. */
struct hk_test_key *hk_test_key_of(struct hk_test_device *device, enum hk_suite_id suite);

/* Remembers the state before a request that must be refused. */
void hk_watch(struct hk_attack *attack);
/* Asserts that the request was refused: `got` is `expected`; nothing in the database has changed since
 * hk_watch; the bystander is served; and, if `by` is an enrolled device (NULL: a stranger or a device that is
 * being enrolled), its account's log has a leaf with this operation and outcome, or, over the limit of leaves
 * a minute, none (hk_attack_end sees that it was summed). Then counts the variant. */
__attribute__((format(printf, 6, 7))) void hk_refused(struct hk_attack *attack,
                                                      const struct hk_test_device *by, enum hk_op op,
                                                      enum hk_error got, enum hk_error expected,
                                                      const char *format, ...);

/* A device is served, and over the session that it had: nobody has closed it. */
bool hk_serves_in_the_same_session(struct hk_test_device *device) HK_CHECK;
/* The bystander signs, and the signature verifies. */
void hk_serves_others(struct hk_attack *attack);

#endif

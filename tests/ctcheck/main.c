#include "tests/ctcheck/ctcheck.h"

#include <sodium.h>
#include <string.h>

void ct_secret_random(void *out, size_t size)
{
    randombytes_buf(out, size);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(out, size);
}

void ct_half(struct hk_scalar *half, struct hk_point *point, const struct hk_group *group)
{
    hk_scalar_random(group, half);
    group->base_mul(point, half);
    PUBLIC(*point);
}

void ct_pair_make(struct ct_pair *pair, const struct hk_group *group)
{
    ct_half(&pair->device, &pair->device_point, group);
    ct_half(&pair->service, &pair->service_point, group);
    group->point_add(&pair->public_key, &pair->device_point, &pair->service_point);
}

static unsigned passed, failed;

static void run(const struct ct_row *row, const struct ct_subject *subject, bool must_leak)
{
    unsigned long before = VALGRIND_COUNT_ERRORS;
    row->run(subject);
    bool leaks = VALGRIND_COUNT_ERRORS != before;
    bool good = leaks == must_leak;
    printf("%-5s %-18s %s%s\n", good ? "ok" : "FAIL", subject != NULL ? subject->name : "-", row->name,
           good        ? ""
           : must_leak ? ": not seen, so this check is blind"
                       : ": depends on a secret, see above");
    fflush(stdout);
    passed += good;
    failed += !good;
}

static void run_table(const struct ct_row *rows, bool must_leak)
{
    for (const struct ct_row *row = rows; row->name != NULL; row++) {
        if (row->needs == CT_ONCE) {
            run(row, NULL, must_leak);
            continue;
        }
        const struct hk_suite *suite;
        for (size_t place = 0; (suite = hk_suite_at(place)) != NULL; place++) {
            struct ct_subject subject = {suite->name, *suite};
            bool fits = row->needs == CT_GROUP || (row->needs == CT_FROST && suite->frost != NULL) ||
                        (row->needs == CT_AGREE && suite->agreement != NULL);
            if (fits && suite->purpose != HK_PURPOSE_ACCOUNT) { /* which is ed25519 under another name */
                run(row, &subject, must_leak);
            }
        }
    }
}

int main(void)
{
    if (!RUNNING_ON_VALGRIND) {
        fprintf(stderr, "run this under valgrind: make ctcheck\n");
        return 2;
    }
    MUST(sodium_init() >= 0);
    hk_test_random_source(ct_secret_random);
    run_table(ct_rows_self, true);
    run_table(ct_rows_shares, false);
    run_table(ct_rows_agreement, false);
    run_table(ct_rows_channel, false);
    run_table(ct_rows_device, false);
    run_table(ct_rows_ecdsa, false);
    run_table(ct_rows_recovery, false);
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}

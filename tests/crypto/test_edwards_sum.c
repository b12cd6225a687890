/* Sums of points in our own field against the library's additions. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crypto/edwards_sum.h"
#include "crypto/secret.h"
#include "crypto/x25519.h"

#define GROUP (&hk_edwards25519)
#define TERMS 4

static void random_term(struct hk_edwards_term *term)
{
    crypto_core_ed25519_random(term->point);
    term->minus = (randombytes_random() & 1) != 0;
}

/* The slow way: one library addition after the other. */
static void expect_sum(const struct hk_edwards_term *terms, size_t count)
{
    struct hk_point sum, point;
    struct hk_edwards_partial partial;
    uint8_t expected[32], u[32];
    GROUP->point_identity(&sum);
    for (size_t i = 0; i < count; i++) {
        memset(&point, 0, sizeof(point));
        memcpy(point.bytes, terms[i].point, 32);
        (terms[i].minus ? GROUP->point_sub : GROUP->point_add)(&sum, &sum, &point);
    }
    hk_x25519_from_point(expected, &sum);
    hk_edwards_sum_begin(&partial, terms, count - 1);
    hk_edwards_sum_u(u, &partial, &terms[count - 1]);
    assert_memory_equal(u, expected, 32);
}

static void sum_of_any_number_of_terms_is_the_librarys(void **state)
{
    struct hk_edwards_term terms[TERMS];
    (void)state;
    for (int round = 0; round < 500; round++) {
        for (size_t i = 0; i < TERMS; i++) {
            random_term(&terms[i]);
        }
        for (size_t count = 1; count <= TERMS; count++) {
            expect_sum(terms, count);
        }
    }
}

static void equal_and_opposite_terms_are_no_exception(void **state)
{
    struct hk_edwards_term terms[TERMS];
    struct hk_edwards_partial partial;
    uint8_t u[32];
    (void)state;
    for (int round = 0; round < 50; round++) {
        random_term(&terms[0]);
        for (size_t i = 1; i < TERMS; i++) {
            terms[i] = terms[0];
        }
        expect_sum(terms, TERMS); /* doubling, tripling, four times */
        terms[1].minus = !terms[0].minus;
        hk_edwards_sum_begin(&partial, terms, 1);
        hk_edwards_sum_u(u, &partial, &terms[1]);
        assert_true(hk_is_zero(u, 32));
        expect_sum(terms, 3);
        memset(terms[2].point, 0, 32);
        terms[2].point[0] = 1; /* the identity itself, on either side */
        expect_sum(terms, 1);
        expect_sum(terms + 2, 1);
        expect_sum(terms, 3);
        expect_sum(terms + 2, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sum_of_any_number_of_terms_is_the_librarys),
        cmocka_unit_test(equal_and_opposite_terms_are_no_exception),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

/* ctcheck.h - is nothing that depends on a secret branched on, used as an address or handed out?
 *
 * The program runs under valgrind's memcheck. Secrets are marked undefined, and so is everything that
 * hk_random gives; memcheck then follows every bit that is computed from them and reports a branch, an
 * address or a system call that depends on one. What becomes public on the way is marked again, by name: in
 * the product by HK_PUBLIC (crypto/secret.h), between two parties by PUBLIC here. A row is good if its
 * operation gave the right result and memcheck reported nothing. The rows of `rows_self` must each be
 * reported. */
#ifndef HALFKEY_TESTS_CTCHECK_H
#define HALFKEY_TESTS_CTCHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>

#include "crypto/frost.h"
#include "crypto/group.h"
#include "crypto/random.h"
#include "crypto/suite.h"

#define SECRET(variable) (void)VALGRIND_MAKE_MEM_UNDEFINED(&(variable), sizeof(variable))
#define PUBLIC(variable) (void)VALGRIND_MAKE_MEM_DEFINED(&(variable), sizeof(variable))
#define PUBLIC_BYTES(pointer, size) (void)VALGRIND_MAKE_MEM_DEFINED(pointer, size)

/* An operation that did not give what it must ends the run. Look at it with PUBLIC values only. */
#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            exit(2);                                                                                         \
        }                                                                                                    \
    } while (0)

/* What a row is run for: each suite of crypto/suite.c, so that another one needs no line here. */
struct ct_subject {
    const char *name;
    struct hk_suite suite;
};

enum ct_needs { CT_ONCE, CT_GROUP, CT_FROST, CT_AGREE };
struct ct_row {
    const char *name;
    enum ct_needs needs; /* once; for each suite; for each that signs with FROST; for each that agrees */
    void (*run)(const struct ct_subject *subject);
};

/* Ended by a row without a name. */
extern const struct ct_row ct_rows_self[], ct_rows_shares[], ct_rows_agreement[], ct_rows_channel[],
    ct_rows_device[], ct_rows_ecdsa[], ct_rows_recovery[];

/* What hk_random gives: random, and marked. */
void ct_secret_random(void *out, size_t size);

/* A random half and its point, the point public. */
void ct_half(struct hk_scalar *half, struct hk_point *point, const struct hk_group *group);
/* d, s, and the encoded X = D + S. */
struct ct_pair {
    struct hk_scalar device, service;
    struct hk_point device_point, service_point, public_key;
};
void ct_pair_make(struct ct_pair *pair, const struct hk_group *group);

#endif

/* frost_common.h - what the files about signing and about key generation have in common. */
#ifndef HALFKEY_TESTS_FROST_COMMON_H
#define HALFKEY_TESTS_FROST_COMMON_H

#include "crypto/frost.h"
#include "tests/vectors/vectors.h"

/* The suite that the file names; NULL if it is not ours. */
const struct hk_frost_suite *frost_suite(const struct vectors *file);
/* Skips the whole file by its suite's name. */
void frost_skip(struct vectors *file);
bool frost_identifier(struct hk_frost_identifier *out, const struct hk_frost_suite *suite,
                      const json_t *value);
bool frost_scalar(struct hk_scalar *out, const struct hk_group *group, const json_t *object, const char *key);
/* The value of a polynomial, constant term first. */
void frost_evaluate(struct hk_scalar *out, const struct hk_group *group, const struct hk_scalar *coefficients,
                    size_t count, const struct hk_frost_identifier *at);

#endif

/* answer_places.h - every place of the service's answers about keys, epochs and enrolments in which a point
 * or a scalar travels, and the command of the real halfkey that reads it. (Answers to sign and agree are rows
 * 5 and 12.) */
#ifndef HALFKEY_TESTS_ANSWER_PLACES_H
#define HALFKEY_TESTS_ANSWER_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/support/bad_values.h"
#include "tests/support/lying_service.h"

struct answer_place {
    const char *name;
    enum hk_op op;
    enum hk_field field;
    size_t offset; /* in the field's bytes, or in those of the list's last element */
    bool is_point; /* else a scalar */
    bool is_slow;  /* an enrolment: a service of its own for each try, so a few values must do */
    int (*run)(struct lying_service *lying); /* the command; its exit status */
};
extern const struct answer_place answer_places[];
extern const size_t answer_place_count;

/* A service, and a laptop with an account and two keys. */
void answer_places_begin(struct lying_service *lying);
/* The end. Shows first that nothing of what was tried has done harm: the laptop makes a key, refreshes,
 * enrols a phone, and both sign. Not so after an enrolment was tried, which stays open for a while. */
void answer_places_end(struct lying_service *lying, bool enrolled);

/* Has the service put `value` there, runs the command, and asserts that it fails with a sentence; that the
 * device goes on with what it had; and counts the variant. */
void answer_place(struct lying_service *lying, const struct answer_place *place,
                  const struct bad_value *value);

/* Bad points (or scalars) in every place for one, against a service that answer_places_begin has not yet
 * begun: of the quick places each `step`-th value, of the slow ones each `slow_step`-th. */
void answer_places_all(struct lying_service *lying, bool points, size_t step, size_t slow_step);

#endif

/* attack_places.h - every place of the messages to the service in which a point or a scalar travels.
 *
 * A place is an operation, a field and an offset in it. attack_place plays an honest run up to the message,
 * puts other bytes there and sends it: a device that lies in one value and in nothing else. What was
 * committed to before is committed to as it will be shown, so that no other check comes first. */
#ifndef HALFKEY_TESTS_ATTACK_PLACES_H
#define HALFKEY_TESTS_ATTACK_PLACES_H

#include "tests/support/attack.h"
#include "tests/support/bad_values.h"

struct attack_place {
    const char *name;
    enum hk_op op;
    enum hk_field field;
    size_t points; /* before the value in the field's bytes, or in those of the list's last element */
    bool is_point; /* else a scalar */
    bool in_proof; /* R or z of a proof */
    /* The run, up to the answer to the message; and what puts things right again, or NULL. */
    enum hk_error (*run)(struct hk_attack *attack, const struct attack_place *place);
    void (*after)(struct hk_attack *attack);
    enum { BY_NOBODY, BY_LAPTOP, BY_PHONE } by; /* whose log has the leaf */
};

/* The places of messages about keys and epochs, and those of an enrolment (which has to be prepared once). */
extern const struct attack_place attack_key_places[], attack_enrol_places[];
extern const size_t attack_key_place_count, attack_enrol_place_count;

/* Puts `value` (`size` bytes in place of the group's length) there and asserts that it is refused: a point
 * with bad-point, a scalar or anything in a proof of another length with bad-proof, a length that the
 * message's description does not have with bad-encoding. */
void attack_place(struct hk_attack *attack, const struct attack_place *place, const char *name,
                  const uint8_t *value, size_t size);

/* Every bad point (or scalar) of the group in every place for one, one at a time. */
void attack_places(struct hk_attack *attack, const struct attack_place *places, size_t count, bool points);
/* The group of the value at a place. */
const struct hk_group *attack_place_group(const struct hk_attack *attack, const struct attack_place *place);

/* Before and after the places of an enrolment: the second finishes it honestly, and the new device signs. */
void attack_enrolment_begin(struct hk_attack *attack);
void attack_enrolment_end(struct hk_attack *attack);

#endif

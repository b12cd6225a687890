/* halfkey_join.h - the enrolment of a device by the real halfkey on both sides. */
#ifndef HALFKEY_TESTS_HALFKEY_JOIN_H
#define HALFKEY_TESTS_HALFKEY_JOIN_H

#include "tests/support/halfkey.h"

/* `device` (a directory) joins the account of `administrator` under this name; the words that it shows are
 * approved there. `run` is the joining command at its end. */
void halfkey_join(struct halfkey_run *run, const char *administrator, const char *device, const char *name);

#endif

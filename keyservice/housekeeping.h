/* housekeeping.h - what the service does by itself: lets go of sessions, invitations and enrolments that are
 * over, writes summed refusals into logs, erases accounts that never got a profile. */
#ifndef HALFKEY_KEYSERVICE_HOUSEKEEPING_H
#define HALFKEY_KEYSERVICE_HOUSEKEEPING_H

#include "keyservice/server.h"

struct hk_housekeeping;
HK_CHECK enum hk_error hk_housekeeping_start(struct hk_housekeeping **out, struct hk_server *server);
/* Writes what is still summed up, then ends; the writer must still run. NULL is allowed. */
void hk_housekeeping_stop(struct hk_housekeeping *housekeeping);

#endif

/* process_view.h - a service's process from outside: what the system and its own log say of it. */
#ifndef HALFKEY_TESTS_PROCESS_VIEW_H
#define HALFKEY_TESTS_PROCESS_VIEW_H

#include <sys/types.h>

#include "tests/support/service.h"

/* A sanitizer sets no filter and makes mlock do nothing. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* A folder that other users may enter, and a service over tcp that is not started yet. */
void hk_process_prepare(struct hk_test_service *service);
/* The value of a line of /proc/PID/FILE that begins with `name`; "" if there is none. Until the next call. */
const char *hk_process_line(const struct hk_test_service *service, const char *file, const char *name);
/* What it has written to its standard error so far. Until the next call. */
const char *hk_process_log(const struct hk_test_service *service);
/* Its exit status when it does not come to serving, run with these options (NULL at the end) as this user;
 * what it said is in the log. */
int hk_process_refused(const struct hk_test_service *service, const char *const options[], uid_t as);

#endif

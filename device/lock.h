/* lock.h - one agent for each state folder: a lock file that its agent holds as long as it runs.
 *
 * The lock is flock's, so it ends with the process; the file says who holds it (process, host, boot), for a
 * second one to tell its user. A folder shared between hosts whose file system does not carry flock is
 * caught by the host's name: another host's mark less than a day old is believed. */
#ifndef HALFKEY_DEVICE_LOCK_H
#define HALFKEY_DEVICE_LOCK_H

#include "crypto/error.h"

/* Takes `folder`/lock. *fd is to be kept open; closing it gives the lock up. HK_CONFLICT with a sentence that
 * says who holds it; HK_IO. */
HK_CHECK enum hk_error hk_lock_take(int *fd, const char *folder, char reason[256]);

/* Empties the file and gives the lock up, at a clean end. */
void hk_lock_release(int fd);

#endif

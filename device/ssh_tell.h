/* ssh_tell.h - sentences for the person behind an SSH client, whose protocol has room for "failed" only.
 *
 * A sentence goes to the standard error of the program that asks (ssh, ssh-keygen: what git shows of it too),
 * to the agent's own, and, where the setting `notify` names a program, to that as its one argument. */
#ifndef HALFKEY_DEVICE_SSH_TELL_H
#define HALFKEY_DEVICE_SSH_TELL_H

#include <stdbool.h>
#include <sys/types.h>

/* Tells the process `peer`, one of this user's that waits for our answer; its standard error only if it is a
 * terminal or a pipe. The sentence is one line without its end. */
void hk_ssh_tell(pid_t peer, const char *sentence);
/* The agent's own standard error alone: what was done. */
void hk_ssh_say(const char *sentence);
/* Runs the program of the setting `notify`, if there is one, and does not wait for it. */
void hk_ssh_notify(const char *sentence);

#endif

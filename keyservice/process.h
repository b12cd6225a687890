/* process.h - what the service's process gives up before it serves anybody.
 *
 * In the order of use: harden (no core, no debugger, no way to new privileges, room for connections), become
 * (another user than root), lock memory, and, once every thread runs and every socket listens, confine: a
 * filter of system calls for all threads. Nothing here can be undone in the life of the process. */
#ifndef HALFKEY_KEYSERVICE_PROCESS_H
#define HALFKEY_KEYSERVICE_PROCESS_H

#include "crypto/error.h"

#define HK_PROCESS_USER "halfkey" /* whom root becomes where nothing else is said */

/* First thing of all: no core, no debugger, no new privileges, both limits (descriptors, locked memory)
 * raised as far as they may be, files for nobody else. */
void hk_process_harden(void);

/* Root becomes `user`; "" is HK_PROCESS_USER where that account exists, and else root stays and a warning
 * says why. A data folder that does not exist is made for that user (its parent must exist). For a caller
 * that is not root, `user` is "" or its own name.
 *
 *   data  the data folder
 *
 * HK_USAGE or HK_IO with a sentence in reason[256] that says what to do. */
HK_CHECK enum hk_error hk_process_become(const char *user, const char *data, char reason[256]);

/* Keeps every page off the swap device; a warning where the limit refuses it. Halves, seeds and keys are in
 * locked memory of their own anyway (crypto/secret.h); this is for requests that carry them on their way. */
void hk_process_lock_memory(void);

/* From now on any thread that makes a system call which the service has no use for ends the process (SIGSYS):
 * starting a program, tracing, making a socket of any family, reading another process. Memory, files,
 * connections that exist or are accepted, and clocks are what is left. HK_INTERNAL with a sentence in
 * reason[256] where the kernel has no filters. */
HK_CHECK enum hk_error hk_process_confine(char reason[256]);

#endif

/* run.h - runs another program and waits for it: no shell, a list of arguments, its output in memory. */
#ifndef HALFKEY_DEVICE_RUN_H
#define HALFKEY_DEVICE_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/error.h"

/* Runs argv[0], found through PATH.
 *
 *   input    what it reads from its standard input; at most 60,000 bytes, so that nobody waits for anybody
 *   output   what it wrote to standard output and error, with a final zero; cut at max - 1 bytes
 *   status   its exit status; 127 if it could not be run, 128 + n after signal n
 *
 * HK_IO if there is no process to be had. */
HK_CHECK enum hk_error hk_run(const char *const argv[], const void *input, size_t input_size, char *output,
                              size_t max, int *status);

#endif

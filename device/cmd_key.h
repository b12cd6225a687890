/* cmd_key.h - what the commands about keys have in common. */
#ifndef HALFKEY_DEVICE_CMD_KEY_H
#define HALFKEY_DEVICE_CMD_KEY_H

#include "device/cmd.h"

/* A suite's name; "unknown" for one of a later version. */
const char *hk_suite_text(uint64_t id) HK_CHECK;

/* A suite that a user can ask for, NULL if there is none of that name; and the sentence that lists them. */
const struct hk_suite *hk_find_suite(const char *name) HK_CHECK;
int hk_fail_suite(void) HK_CHECK;

/* Prints the public part of the key that the agent has just made or split, as text or data. */
void hk_print_made(const struct hk_console *console, const char *name, uint64_t suite);

#endif

/* prompt.h - asking the user: for a passphrase, or yes or no.
 *
 * A passphrase comes from a descriptor (scripts), from the terminal, or from pinentry where there is no
 * terminal; never from an argument or the environment. */
#ifndef HALFKEY_DEVICE_PROMPT_H
#define HALFKEY_DEVICE_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/error.h"

#define HK_PASSPHRASE_MAX 1024 /* bytes, final zero included */

/* Asks for a passphrase.
 *
 *   out     for HK_PASSPHRASE_MAX bytes of memory that the caller wipes
 *   fd      a descriptor from which one line is read, or -1 to ask a person
 *   prompt  what the person sees
 *   twice   a new one: asked for again, until both are the same (not with a descriptor)
 *
 * The program named by the setting `pinentry` is used if it is set, else the terminal, else "pinentry" if it
 * is installed. HK_AGENT_LOCKED if nobody can be asked or nothing was given. */
HK_CHECK enum hk_error hk_prompt_passphrase(char out[HK_PASSPHRASE_MAX], int fd, const char *prompt,
                                            bool twice);

/* Asks a question on the terminal; false without a terminal, and for anything but yes. */
bool hk_prompt_confirm(const char *question) HK_CHECK;

/* Asks a yes or no of whoever can be asked, for a program without a terminal of its own: the program named by
 * the setting `confirm` (the question is its one argument, status 0 is yes), else pinentry where the setting
 * `pinentry` or a display is, else SSH_ASKPASS as OpenSSH uses it, else the terminal. Waits two minutes at
 * most. HK_OK is yes, HK_NOT_ALLOWED no, HK_NOT_FOUND that nobody could be asked. */
HK_CHECK enum hk_error hk_prompt_question(const char *question);

/* Reads one line from a descriptor without reading beyond it: at most max - 1 bytes, without the line end.
 * HK_IO if there is none, HK_TOO_LARGE. */
HK_CHECK enum hk_error hk_prompt_read_line(int fd, char *out, size_t max);

#endif

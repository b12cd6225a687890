/* gpg_home.h - GnuPG's folder: what halfkey writes there, and takes away again.
 *
 * Two files. gpg-agent.conf gets three lines at its end, between marks, with `scdaemon-program`; one that
 * stood there before is kept as a comment. halfkey-scd.conf holds what halfkey-scd must know before it can
 * ask the agent: `name = value` lines. Both are replaced as a whole, so a reader sees the old or the new one.
 */
#ifndef HALFKEY_DEVICE_GPG_HOME_H
#define HALFKEY_DEVICE_GPG_HOME_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/error.h"

#define HK_GPG_PATH_MAX 1024
#define HK_GPG_CONF_MAX 65536

/* The folder: `option` if it is not NULL, else $GNUPGHOME, else ~/.gnupg; absolute. Made 0700 with `make`.
 * HK_IO, HK_NOT_FOUND; errno says why. */
HK_CHECK enum hk_error hk_gpg_home(char out[HK_GPG_PATH_MAX], const char *option, bool make);

/* halfkey-scd.conf. Empty strings are lines that are not there. */
struct hk_gpg_settings {
    char home[HK_GPG_PATH_MAX];     /* HALFKEY_HOME, where it is not the usual one */
    char scdaemon[HK_GPG_PATH_MAX]; /* the real scdaemon, where it is not the usual one */
    char serial[64];                /* of the account's card */
    char imported[512];             /* fingerprints of certificates that were not in the keyring before */
};
/* HK_NOT_FOUND if there is none; HK_IO; HK_BAD_ENCODING for a line that is none of these. */
HK_CHECK enum hk_error hk_gpg_settings_read(struct hk_gpg_settings *out, const char *home);
HK_CHECK enum hk_error hk_gpg_settings_write(const struct hk_gpg_settings *settings, const char *home);
HK_CHECK enum hk_error hk_gpg_settings_remove(const char *home);

/* The text of gpg-agent.conf with our lines in it, or without them. `before` gets the scdaemon-program that
 * stood there, "" if none did. At most max - 1 bytes; HK_TOO_LARGE. What is taken away leaves the text as it
 * was. */
HK_CHECK enum hk_error hk_gpg_conf_add(char *out, size_t max, char before[HK_GPG_PATH_MAX], const char *text,
                                       const char *program);
HK_CHECK enum hk_error hk_gpg_conf_take(char *out, size_t max, const char *text);

#endif

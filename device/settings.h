/* settings.h - what a user has set once: environment variables, and below them a file of `name = value`
 * lines.
 *
 * Options of the command line come before both. Nothing here depends on the current directory. */
#ifndef HALFKEY_DEVICE_SETTINGS_H
#define HALFKEY_DEVICE_SETTINGS_H

/* The value of a setting such as "service": the variable HALFKEY_SERVICE if it is set and not empty, else the
 * line `service = value` of $XDG_CONFIG_HOME/halfkey/config (~/.config without that variable), else NULL.
 * Good until the next call in this thread. Lines that begin with # are comments. */
const char *hk_setting(const char *name);

#endif

/* mail_prefs.h - Thunderbird's preferences: the file prefs.js of a profile, changed in few lines and changed
 * back.
 *
 * A line is `user_pref("name", value);` with a string, a number or a boolean. Lines that are changed are
 * remembered in a text of the same form, which is all that is needed to undo the change; a preference that
 * was not there is remembered as a comment. Everything else in the file stays as it is, byte for byte. */
#ifndef HALFKEY_DEVICE_MAIL_PREFS_H
#define HALFKEY_DEVICE_MAIL_PREFS_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/error.h"

#define HK_PREFS_MAX (4 * 1024 * 1024) /* bytes of a prefs.js */
#define HK_PREF_NAME_MAX 200
#define HK_PREF_VALUE_MAX 512 /* as it stands in the file, quotes and all */

/* A preference, or what was there before: an empty value is none. */
struct hk_pref {
    char name[HK_PREF_NAME_MAX];
    char value[HK_PREF_VALUE_MAX];
};

/* The value of `name` in `text`, the last one that is set, as it stands there; "" if there is none.
 * HK_TOO_LARGE if it does not fit. */
HK_CHECK enum hk_error hk_prefs_get(char value[HK_PREF_VALUE_MAX], const char *text, const char *name);

/* Writes `text` to `out` (max bytes, final zero included) with these preferences set, in the places where
 * they are, else at the end; an empty value takes the line away. HK_TOO_LARGE. */
HK_CHECK enum hk_error hk_prefs_set(char *out, size_t max, const char *text, const struct hk_pref *list,
                                    size_t count);

/* A JavaScript string of this text, in quotes; HK_BAD_ENCODING for control characters, HK_TOO_LARGE. */
HK_CHECK enum hk_error hk_prefs_quote(char value[HK_PREF_VALUE_MAX], const char *text);

/* The identity (as "id1") whose mail.identity.ID.useremail is this address; HK_NOT_FOUND. */
#define HK_PREF_IDENTITY_MAX 32
HK_CHECK enum hk_error hk_prefs_identity(char id[HK_PREF_IDENTITY_MAX], const char *text,
                                         const char *address);

/* What was there before, as text, and back. At most `max` preferences. HK_BAD_ENCODING for anything else. */
HK_CHECK enum hk_error hk_prefs_remember(char *out, size_t max, const struct hk_pref *list, size_t count);
HK_CHECK enum hk_error hk_prefs_recall(struct hk_pref *list, size_t max, size_t *count, const char *text);

#endif

/* cmd_holder.h - what the commands about recovery share: sets and shares from files. */
#ifndef HALFKEY_DEVICE_CMD_HOLDER_H
#define HALFKEY_DEVICE_CMD_HOLDER_H

#include "device/cmd.h"
#include "device/share_text.h"

/* Path of the set in the state folder. Prints what is wrong. */
HK_CHECK int hk_set_path(char path[2048]);
/* Reads a set's file; prints what is wrong. Freed by hk_holder_set_free. */
HK_CHECK int hk_read_set(const char *path, struct hk_holder_set **set);
/* Reads a share: a file, or the words themselves. `share` is secret memory. Prints what is wrong. */
HK_CHECK int hk_read_share(const char *argument, struct hk_share *share);
/* Says why a share or an answer came to nothing. */
HK_CHECK int hk_fail_share(enum hk_error error, const char *what);

/* Makes a recovery set (the arguments of 'recovery create'), with shares in `folder`. */
struct hk_set_wish {
    unsigned threshold, shares;
    const char *folder;
    const uint8_t (*holders)[32]; /* keys of people, the first ones of the set */
    const char *const *holder_names;
    size_t holder_count;
};
HK_CHECK int hk_make_set(struct hk_console *console, const struct hk_set_wish *wish);

#endif

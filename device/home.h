/* home.h - the folder in which a device keeps its state, and the path of its agent's socket.
 *
 * $HALFKEY_HOME, else $XDG_DATA_HOME/halfkey, else ~/.local/share/halfkey (home from $HOME, else from the
 * password file). Made 0700 if it does not exist; refused, as ssh does, if it belongs to somebody else or
 * others may write to or read it. Nothing here depends on the current folder. */
#ifndef HALFKEY_DEVICE_HOME_H
#define HALFKEY_DEVICE_HOME_H

#include <stdbool.h>
#include <stddef.h>

#include "crypto/error.h"

#define HK_HOME_PATH_MAX 1024
#define HK_HOME_SOCKET_MAX 108 /* what a socket's address can hold, final zero included */

struct hk_home {
    char path[HK_HOME_PATH_MAX];         /* absolute */
    char socket[HK_HOME_SOCKET_MAX];     /* in $XDG_RUNTIME_DIR (if it is ours alone), else in the folder */
    char ssh_socket[HK_HOME_SOCKET_MAX]; /* beside it: for SSH's clients, where no setting names another */
};

/* Finds the folder; with `make` creates it and its parents. HK_NOT_FOUND if it does not exist and is not to
 * be made, HK_IO if it cannot be used; then a sentence for the user is in reason[256]. */
HK_CHECK enum hk_error hk_home_find(struct hk_home *out, bool make, char reason[256]);

/* HK_OK if the file at fd is a plain file of this user that nobody else may read or write; else HK_IO with a
 * sentence that names `path`. */
HK_CHECK enum hk_error hk_home_check_file(int fd, const char *path, char reason[256]);

#endif

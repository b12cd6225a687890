/* scd_process.h - the processes around the card: the socket for more conversations, and the real scdaemon.
 *
 * gpg-agent speaks to the program over a pipe and, for every further client at the same time, over the socket
 * that GETINFO socket_name tells. The real scdaemon is started when it is first needed, once, and ends with
 * this program; every conversation has a connection of its own to it. */
#ifndef HALFKEY_DEVICE_SCD_PROCESS_H
#define HALFKEY_DEVICE_SCD_PROCESS_H

#include "device/certificate.h"
#include "device/scd.h"

/* Listens in a private folder and has `serve` run, in a thread of its own, for each connection of this user;
 * if it returns true the program ends. The socket's path, which lives for ever; NULL if there can be none. */
const char *hk_scd_listen(bool (*serve)(int fd)) HK_CHECK;
/* Removes the socket and its folder, and ends the real scdaemon. */
void hk_scd_shut(void);

/* Where the real scdaemon is (NULL: where Debian or the GNU folders have it), and the folder that it is given
 * (NULL: none). Before any thread. */
void hk_scd_real_setup(const char *program, const char *homedir);

/* A conversation's own connection to it. In the caller's memory; `fd` -1: none. */
struct hk_scd_real_link {
    int fd;
    struct hk_assuan assuan;
};
void hk_scd_real_init(struct hk_scd_real_link *link);
void hk_scd_real_close(struct hk_scd_real_link *link);
/* Starts scdaemon if nobody has, connects, and reads the greeting. HK_NOT_FOUND if there is none. */
HK_CHECK enum hk_error hk_scd_real_connect(struct hk_scd_real_link *link, struct hk_assuan **out);

#endif

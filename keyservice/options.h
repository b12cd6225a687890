/* options.h - what the operator says: on the command line, in the environment, in a file, in that order of
 * strength.
 *
 * Options are rows of one table, from which --help and the names of the environment's variables and the
 * file's settings come: --listen is HALFKEYD_LISTEN is "listen = URL". The file is --config, HALFKEYD_CONFIG,
 * or /etc/halfkeyd.conf for root and $XDG_CONFIG_HOME/halfkeyd.conf for others, where it may be missing. */
#ifndef HALFKEY_KEYSERVICE_OPTIONS_H
#define HALFKEY_KEYSERVICE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/error.h"
#include "protocol/transport.h"

#define HK_OPTION_TEXT_MAX 1024

enum hk_registration { HK_REGISTRATION_UNSAID, HK_REGISTRATION_OPEN, HK_REGISTRATION_CLOSED };
enum hk_command {
    HK_COMMAND_RUN,
    HK_COMMAND_ADDRESS,
    HK_COMMAND_CHECK,
    HK_COMMAND_ADOPT,
    HK_COMMAND_REPLACE_RING
};

struct hk_options {
    enum hk_command command;
    bool help, version, json, force;
    char data[HK_OPTION_TEXT_MAX], config[HK_OPTION_TEXT_MAX];
    char listen[HK_LISTEN_URLS][HK_LISTEN_URL_MAX];
    size_t listen_count;
    char user[64]; /* "": the default */
    char slots[2][HK_OPTION_TEXT_MAX];
    size_t slots_count;
    enum hk_registration registration;
    char public_address[HK_LISTEN_URL_MAX]; /* what addresses name instead of what is listened on; "" for that
                                             */
    char metrics[HK_LISTEN_URL_MAX];        /* "": none */
    bool metrics_anywhere, log_requests;
    bool paillier_longer;       /* 3072 bits, not 2048 */
    bool prepared_off;          /* no offers ahead of a message (docs/ecdsa.md) */
    uint64_t quota;             /* share operations a minute and device; 0: no limit */
    unsigned char strength[24]; /* by row: who set it last */
};

/* Reads all three and fills in the defaults. HK_USAGE with a sentence in `reason`. */
HK_CHECK enum hk_error hk_options_read(struct hk_options *options, int argc, char **argv,
                                       char reason[HK_OPTION_TEXT_MAX]);

/* Writes usage and the table's rows to standard output. */
void hk_options_help(void);

#endif

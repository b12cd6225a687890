/* scd_parts.h - what the files of the card share: the session, and how its commands end. */
#ifndef HALFKEY_DEVICE_SCD_PARTS_H
#define HALFKEY_DEVICE_SCD_PARTS_H

#include "device/scd.h"

/* Codes of libgpg-error that halfkey gives; scdaemon's number as the source is put in front. */
enum hk_gpg_code {
    HK_GPG_OK = 0,
    HK_GPG_GENERAL = 1,
    HK_GPG_DIGEST = 5,
    HK_GPG_BAD_PASSPHRASE = 11,
    HK_GPG_NO_SECKEY = 17,
    HK_GPG_INVALID_VALUE = 55,
    HK_GPG_NO_DATA = 58,
    HK_GPG_NOT_SUPPORTED = 60,
    HK_GPG_PARAMETER = 90,
    HK_GPG_CANCELED = 99,
    HK_GPG_CARD_NOT_PRESENT = 112,
    HK_GPG_INVALID_ID = 118,
    HK_GPG_UNKNOWN_COMMAND = 175
};

/* Which card the commands of a session are about. */
enum hk_scd_selected { HK_SCD_NONE, HK_SCD_OURS, HK_SCD_REAL };

/* A session. In memory from hk_secret_new. */
struct hk_scd {
    struct hk_assuan client;
    const struct hk_scd_agent *agent;
    const struct hk_scd_start *start;
    struct hk_assuan *real; /* NULL: not connected */
    bool no_real;           /* asked for in vain */
    enum hk_scd_selected selected;
    bool has_card;
    struct hk_scd_card card;
    uint8_t data[HK_SCD_DATA_MAX]; /* of SETDATA */
    size_t data_size;
    bool done, kill;
    size_t line_size;
    char line[HK_ASSUAN_LINE_MAX + 1];
    char found[HK_ASSUAN_LINE_MAX + 1]; /* see hk_scd_forward */
};

/* What a command's function returns: HK_OK, answered whole or with nothing to say but "OK"; else why the
 * connection is broken off. How the command ends is in `end`. */
struct hk_scd_end {
    unsigned code; /* enum hk_gpg_code; 0: OK */
    const char *sentence;
    bool answered; /* the last line is out already */
};
typedef enum hk_error (*hk_scd_command)(struct hk_scd *scd, char *arguments, struct hk_scd_end *end);

/* Ends a command with an error of the agent, in its own words. */
void hk_scd_fail(struct hk_scd *scd, struct hk_scd_end *end, enum hk_error error);

/* The card, asked for once in a session; unlocks the agent, by asking for the passphrase, if it must. The
 * agent's error, or of the connection (*broken then). */
HK_CHECK enum hk_error hk_scd_need_card(struct hk_scd *scd, enum hk_error *broken);
/* Asks for the passphrase and unlocks: HK_OK; HK_AGENT_LOCKED if none was given, HK_BAD_PASSPHRASE. */
HK_CHECK enum hk_error hk_scd_unlock(struct hk_scd *scd, enum hk_error *broken);

/* ---- scd_card.c: what is on the card ---- */
enum hk_error hk_scd_learn(struct hk_scd *scd, char *arguments, struct hk_scd_end *end);
enum hk_error hk_scd_getattr(struct hk_scd *scd, char *arguments, struct hk_scd_end *end);
enum hk_error hk_scd_readkey(struct hk_scd *scd, char *arguments, struct hk_scd_end *end);
enum hk_error hk_scd_keyinfo(struct hk_scd *scd, char *arguments, struct hk_scd_end *end);
/* The name by which gpg-agent keeps a key in its stub. */
void hk_scd_key_name(char out[HK_SCD_ID_TEXT], const uint8_t id[HK_ID_BYTES]);
/* And back, for names in that form alone. */
bool hk_scd_key_id(uint8_t id[HK_ID_BYTES], const char *name) HK_CHECK;

/* ---- scd_use.c: using its keys ---- */
enum hk_error hk_scd_setdata(struct hk_scd *scd, char *arguments, struct hk_scd_end *end);
enum hk_error hk_scd_pksign(struct hk_scd *scd, char *arguments, struct hk_scd_end *end);
enum hk_error hk_scd_pkdecrypt(struct hk_scd *scd, char *arguments, struct hk_scd_end *end);

/* ---- scd_forward.c: the real scdaemon ---- */
/* Passes the command `line`, a string, on and what comes back, inquiries too. HK_NOT_FOUND if there is no
 * scdaemon, or it went away before it said anything; otherwise as a command's function. *code is how it
 * ended, 0 for OK. With `quiet` nothing is passed back; the line with the serial number that it sent is in
 * scd->found ("" if none). */
HK_CHECK enum hk_error hk_scd_forward(struct hk_scd *scd, const char *line, bool quiet, unsigned *code);

#endif

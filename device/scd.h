/* scd.h - the account's keys as an OpenPGP card: the conversation that gpg-agent has with its scdaemon.
 *
 * gpg-agent starts the program that `scdaemon-program` names and sends it one command a line. This module
 * answers those that concern the account's ed25519 and x25519 keys, and passes everything about another card
 * on to the real scdaemon, line by line. No command writes to the card, and none asks for a PIN: where
 * halfkey's agent is locked its passphrase is asked for in the way of a PIN. What gpg shows of an error is
 * the text of its code; the sentence with the reason goes into the same line, and is what the PIN's dialog
 * says where it was asked for in vain. Which keys there are and what half of them is needed for comes in
 * through struct hk_scd_agent. */
#ifndef HALFKEY_DEVICE_SCD_H
#define HALFKEY_DEVICE_SCD_H

#include "device/assuan.h"
#include "protocol/message.h"
#include "protocol/openpgp_signature.h"

#define HK_SCD_SERIAL_TEXT 33 /* hexadecimal, final zero included */
#define HK_SCD_DATA_MAX 512   /* bytes of SETDATA: a digest with its DER prefix, or a point */
#define HK_SCD_ID_TEXT 41     /* "HALFKEY." and the key's id in hexadecimal, final zero included */

/* A key that this device holds a half of. */
struct hk_scd_key {
    uint8_t id[HK_ID_BYTES];
    enum hk_openpgp_algorithm algorithm;
    uint8_t point[32]; /* as in struct hk_openpgp_key */
    uint64_t created;
};

/* What is on the card. */
struct hk_scd_card {
    char serial[HK_SCD_SERIAL_TEXT];
    size_t count;
    struct hk_scd_key keys[HK_KEYS_MAX];
    /* Of the first certificate: primary key and encryption subkey; `made` false if there is none. */
    struct {
        bool made;
        uint8_t fingerprint[HK_OPENPGP_FINGERPRINT_BYTES];
        uint32_t created;
    } slots[2];
};

/* The serial number of an account's card: an OpenPGP card's application identifier, version 3.4, from the
 * range that belongs to no manufacturer, and 32 bits of the account's name. The same on every device. */
void hk_scd_serial(char out[HK_SCD_SERIAL_TEXT], const uint8_t account[HK_ACCOUNT_BYTES]);

struct hk_scd_agent {
    /* The card. HK_AGENT_LOCKED if the passphrase is needed. */
    enum hk_error (*card)(void *context, struct hk_scd_card *card);
    /* An OpenPGP signature of a digest. */
    enum hk_error (*sign)(void *context, const uint8_t key[HK_ID_BYTES], const char *hash,
                          const uint8_t *digest, size_t size, uint8_t signature[64]);
    enum hk_error (*agree)(void *context, const uint8_t key[HK_ID_BYTES], const uint8_t point[32],
                           uint8_t shared[32]);
    enum hk_error (*unlock)(void *context, const char *passphrase);
    /* What the user is told of an error of the others. */
    const char *(*sentence)(void *context, enum hk_error error);
    /* Tells the person who waits for gpg why a use of a key was refused. */
    void (*tell)(void *context, const char *sentence);
    /* A connection to the real scdaemon, its greeting read; HK_NOT_FOUND if there is none. It belongs to the
     * context. */
    enum hk_error (*real)(void *context, struct hk_assuan **real);
    void *context;
};

/* How a session begins. */
struct hk_scd_start {
    const char *known_serial; /* of this card, if it is known before the agent is asked; or NULL */
    const char *socket;       /* for GETINFO socket_name; or NULL */
};

/* A whole conversation, from the greeting to BYE or the end of the connection. HK_OK, or why it was broken
 * off. *kill says whether the program was told to end (KILLSCD). */
HK_CHECK enum hk_error hk_scd_converse(struct hk_source source, struct hk_sink sink,
                                       const struct hk_scd_agent *agent, const struct hk_scd_start *start,
                                       bool *kill);

/* The code by which gpg knows an error, with scdaemon as its source. */
unsigned hk_scd_code(enum hk_error error) HK_CHECK;

#endif

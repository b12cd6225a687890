/* What is on the card: its number, its keys, and what else gpg asks of an OpenPGP card. */
#include <stdio.h>
#include <string.h>

#include "device/scd_parts.h"
#include "protocol/encoding.h"

static const char id_prefix[] = "HALFKEY.";
#define ID_PREFIX (sizeof id_prefix - 1)

void hk_scd_serial(char out[HK_SCD_SERIAL_TEXT], const uint8_t account[HK_ACCOUNT_BYTES])
{
    char digits[HK_HEX_SIZE(4)];
    hk_hex_encode(digits, account, 4);
    for (char *at = digits; *at; at++)
        if (*at >= 'a' && *at <= 'f')
            *at = (char)(*at - 'a' + 'A');
    snprintf(out, HK_SCD_SERIAL_TEXT, "D276000124010304FF48%s0000", digits);
}

void hk_scd_key_name(char out[HK_SCD_ID_TEXT], const uint8_t id[HK_ID_BYTES])
{
    memcpy(out, id_prefix, ID_PREFIX);
    hk_hex_encode(out + ID_PREFIX, id, HK_ID_BYTES);
}

bool hk_scd_key_id(uint8_t id[HK_ID_BYTES], const char *name)
{
    return strncmp(name, id_prefix, ID_PREFIX) == 0 &&
           hk_hex_decode(id, HK_ID_BYTES, name + ID_PREFIX, strlen(name + ID_PREFIX)) == HK_OK;
}

static void grip_text(char out[HK_HEX_SIZE(HK_OPENPGP_KEYGRIP_BYTES)], const struct hk_scd_key *key)
{
    uint8_t grip[HK_OPENPGP_KEYGRIP_BYTES];
    hk_openpgp_keygrip(grip, key->algorithm, key->point);
    hk_hex_encode(out, grip, sizeof grip);
    for (char *at = out; *at; at++)
        if (*at >= 'a' && *at <= 'f')
            *at = (char)(*at - 'a' + 'A');
}

/* By the name in a stub, by keygrip, or by an OpenPGP card's slot. */
static const struct hk_scd_key *find_key(const struct hk_scd *scd, const char *name)
{
    char grip[HK_HEX_SIZE(HK_OPENPGP_KEYGRIP_BYTES)];
    uint8_t id[HK_ID_BYTES];
    bool is_id = hk_scd_key_id(id, name);
    for (size_t i = 0; i < scd->card.count; i++) {
        grip_text(grip, &scd->card.keys[i]);
        if (is_id ? memcmp(id, scd->card.keys[i].id, sizeof id) == 0 : strcmp(grip, name) == 0)
            return &scd->card.keys[i];
    }
    return NULL;
}

/* ---- attributes ---- */

static enum hk_error put_fingerprint(struct hk_scd *scd, const char *name)
{
    enum hk_error error = HK_OK;
    for (int i = 0; i < 2 && !error; i++) {
        char text[HK_HEX_SIZE(HK_OPENPGP_FINGERPRINT_BYTES)];
        hk_hex_encode(text, scd->card.slots[i].fingerprint, HK_OPENPGP_FINGERPRINT_BYTES);
        if (scd->card.slots[i].made)
            error = hk_assuan_write(&scd->client, "S %s %d %s", name, i + 1, text);
    }
    return error;
}

static enum hk_error put_time(struct hk_scd *scd, const char *name)
{
    enum hk_error error = HK_OK;
    for (int i = 0; i < 2 && !error; i++)
        if (scd->card.slots[i].made)
            error = hk_assuan_write(&scd->client, "S %s %d %lu", name, i + 1,
                                    (unsigned long)scd->card.slots[i].created);
    return error;
}

static enum hk_error put_serial(struct hk_scd *scd, const char *name)
{
    return hk_assuan_write(&scd->client, "S %s %s", name, scd->card.serial);
}

static enum hk_error put_key_attributes(struct hk_scd *scd, const char *name)
{
    enum hk_error error = hk_assuan_write(&scd->client, "S %s 1 22 Ed25519", name);
    return error ? error : hk_assuan_write(&scd->client, "S %s 2 18 Curve25519", name);
}

/* Those of a fixed value, and those with a function. */
static const struct attribute {
    const char *name;
    const char *value;
    enum hk_error (*put)(struct hk_scd *scd, const char *name);
    bool learned; /* told at LEARN too */
} attributes[] = {
    {"SERIALNO", NULL, put_serial, false},
    {"APPTYPE", "OPENPGP", NULL, false},
    {"EXTCAP", "gc=0+ki=0+fc=0+pd=0+mcl3=0+aac=0+sm=0+si=0+dec=0+bt=0+kdf=0", NULL, true},
    {"KEY-FPR", NULL, put_fingerprint, true},
    {"KEY-TIME", NULL, put_time, true},
    {"CHV-STATUS", "+0+0+0+0+3+0+3", NULL, true},
    {"SIG-COUNTER", "0", NULL, true},
    {"KEY-ATTR", NULL, put_key_attributes, false},
};
#define ATTRIBUTES (sizeof attributes / sizeof *attributes)

static enum hk_error put_attribute(struct hk_scd *scd, const struct attribute *row)
{
    return row->put ? row->put(scd, row->name)
                    : hk_assuan_write(&scd->client, "S %s %s", row->name, row->value);
}

enum hk_error hk_scd_getattr(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    enum hk_error broken = HK_OK, error = hk_scd_need_card(scd, &broken);
    if (broken)
        return broken;
    if (error) {
        hk_scd_fail(scd, end, error);
        return HK_OK;
    }
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if (strcmp(attributes[i].name, arguments) == 0)
            return put_attribute(scd, &attributes[i]);
    *end = (struct hk_scd_end){HK_GPG_INVALID_VALUE, "this card has no such attribute", false};
    return HK_OK;
}

/* ---- keys ---- */

static enum hk_error put_pair(struct hk_scd *scd, const struct hk_scd_key *key)
{
    char grip[HK_HEX_SIZE(HK_OPENPGP_KEYGRIP_BYTES)], name[HK_SCD_ID_TEXT];
    grip_text(grip, key);
    hk_scd_key_name(name, key->id);
    return hk_assuan_write(&scd->client, "S KEYPAIRINFO %s %s %s %lu", grip, name,
                           key->algorithm == HK_OPENPGP_EDDSA ? "sc" : "e", (unsigned long)key->created);
}

enum hk_error hk_scd_learn(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    bool pairs_only = strstr(arguments, "--keypairinfo") != NULL;
    enum hk_error broken = HK_OK, error = hk_scd_need_card(scd, &broken);
    if (broken)
        return broken;
    if (error) {
        hk_scd_fail(scd, end, error);
        return HK_OK;
    }
    if (!pairs_only) {
        broken = hk_assuan_write(&scd->client, "S SERIALNO %s", scd->card.serial);
        if (!broken)
            broken = hk_assuan_write(&scd->client, "S APPTYPE OPENPGP");
        for (size_t i = 0; i < ATTRIBUTES && !broken; i++)
            if (attributes[i].learned)
                broken = put_attribute(scd, &attributes[i]);
    }
    for (size_t i = 0; i < scd->card.count && !broken; i++)
        broken = put_pair(scd, &scd->card.keys[i]);
    return broken;
}

/* A public key in libgcrypt's notation, canonical. */
static size_t write_public(uint8_t out[256], const struct hk_scd_key *key)
{
    const char *head = key->algorithm == HK_OPENPGP_EDDSA
                           ? "(10:public-key(3:ecc(5:curve7:Ed25519)(5:flags5:eddsa)(1:q33:@"
                           : "(10:public-key(3:ecc(5:curve10:Curve25519)(5:flags9:djb-tweak)(1:q33:@";
    size_t size = strlen(head);
    memcpy(out, head, size);
    memcpy(out + size, key->point, 32);
    memcpy(out + size + 32, ")))", 3);
    return size + 35;
}

enum hk_error hk_scd_readkey(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    uint8_t text[256];
    char *rest = arguments, *word = hk_assuan_word(&rest);
    bool info = false, data = true;
    enum hk_error broken = HK_OK;
    for (; word && strncmp(word, "--", 2) == 0; word = hk_assuan_word(&rest)) {
        info = info || strncmp(word, "--info", 6) == 0;
        data = data && strcmp(word, "--info-only") != 0;
    }
    enum hk_error error = hk_scd_need_card(scd, &broken);
    if (broken)
        return broken;
    if (error) {
        hk_scd_fail(scd, end, error);
        return HK_OK;
    }
    const struct hk_scd_key *key = word ? find_key(scd, word) : NULL;
    if (!key) {
        *end = (struct hk_scd_end){HK_GPG_INVALID_ID, "no such key on this card", false};
        return HK_OK;
    }
    broken = info ? put_pair(scd, key) : HK_OK;
    return broken || !data ? broken : hk_assuan_write_data(&scd->client, text, write_public(text, key));
}

/* KEYINFO --list[=auth|sign|encr], or of one keygrip: for gpg-agent's own list of keys. */
enum hk_error hk_scd_keyinfo(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    char *rest = arguments, *word = hk_assuan_word(&rest);
    const char *what = word ? hk_assuan_option(word, "list") : NULL;
    bool found = false;
    enum hk_error broken = HK_OK, error = hk_scd_need_card(scd, &broken);
    if (broken)
        return broken;
    if (error) {
        hk_scd_fail(scd, end, error);
        return HK_OK;
    }
    for (size_t i = 0; i < scd->card.count && !broken; i++) {
        const struct hk_scd_key *key = &scd->card.keys[i];
        char grip[HK_HEX_SIZE(HK_OPENPGP_KEYGRIP_BYTES)], name[HK_SCD_ID_TEXT];
        const char *use = key->algorithm == HK_OPENPGP_EDDSA ? "sign" : "encr";
        grip_text(grip, key);
        hk_scd_key_name(name, key->id);
        if (what ? *what && strcmp(what, use) != 0 : !word || strcmp(word, grip) != 0)
            continue;
        found = true;
        broken = hk_assuan_write(&scd->client, "S KEYINFO %s T %s %s", grip, scd->card.serial, name);
    }
    if (!found && !what)
        *end = (struct hk_scd_end){HK_GPG_NO_SECKEY, "no such key on this card", false};
    return broken;
}

/* The card's uses: a signature of a digest, a shared secret. */
#include <stdlib.h>
#include <string.h>

#include "crypto/secret.h"
#include "device/scd_parts.h"
#include "protocol/encoding.h"

/* DER of a DigestInfo up to the digest (RFC 8017, section 9.2), which gpg-agent puts in front of what an
 * EdDSA key signs too. */
static const struct der {
    const char *hash;
    size_t size;
    uint8_t bytes[19];
} prefixes[] = {
    {"sha256", 19, {0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32}},
    {"sha384", 19, {0x30, 0x41, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 48}},
    {"sha512", 19, {0x30, 0x51, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 64}},
    {"sha224", 19, {0x30, 0x2d, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4, 5, 0, 4, 28}},
};

enum hk_error hk_scd_setdata(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    char *rest = arguments, *word = hk_assuan_word(&rest);
    size_t have = 0;
    if (word && hk_assuan_option(word, "append")) {
        have = scd->data_size;
        word = hk_assuan_word(&rest);
    }
    size_t digits = word ? strlen(word) : 0, size = digits / 2;
    if (size == 0 || size > sizeof scd->data - have || hk_hex_decode(scd->data + have, size, word, digits)) {
        *end = (struct hk_scd_end){HK_GPG_PARAMETER, "SETDATA takes hexadecimal digits of up to 512 bytes",
                                   false};
        return HK_OK;
    }
    scd->data_size = have + size;
    return HK_OK;
}

/* What was set with SETDATA as a digest: bare, or behind a prefix that fits `hash` (NULL: whichever it
 * names). */
static const struct der *read_digest(const struct hk_scd *scd, const char *hash, const uint8_t **digest,
                                     size_t *size)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        const struct der *row = &prefixes[i];
        size_t bytes = row->bytes[row->size - 1];
        bool whole = scd->data_size == row->size + bytes && memcmp(scd->data, row->bytes, row->size) == 0;
        bool bare = hash && scd->data_size == bytes;
        if ((hash && strcmp(hash, row->hash) != 0) || (!whole && !bare))
            continue;
        *digest = scd->data + (whole ? row->size : 0);
        *size = bytes;
        return row;
    }
    return NULL;
}

/* The options of PKSIGN and PKDECRYPT, and the key. */
static bool read_arguments(char *arguments, const char **hash, uint8_t key[HK_ID_BYTES])
{
    char *rest = arguments, *word = hk_assuan_word(&rest);
    for (; word && strncmp(word, "--", 2) == 0; word = hk_assuan_word(&rest)) {
        const char *value = hk_assuan_option(word, "hash");
        if (value)
            *hash = value;
    }
    return word && !hk_assuan_word(&rest) && hk_scd_key_id(key, word);
}

static enum hk_error fail_key(struct hk_scd_end *end)
{
    *end = (struct hk_scd_end){HK_GPG_INVALID_ID, "no such key on this card; run 'halfkey gpg setup'", false};
    return HK_OK;
}

/* Refused, and whoever waits for gpg is told why. */
static enum hk_error fail_use(struct hk_scd *scd, struct hk_scd_end *end, enum hk_error error)
{
    hk_scd_fail(scd, end, error);
    scd->agent->tell(scd->agent->context, end->sentence);
    return HK_OK;
}

/* Once more after the agent was unlocked. */
static bool try_again(struct hk_scd *scd, enum hk_error *error, enum hk_error *broken)
{
    if (*error != HK_AGENT_LOCKED)
        return false;
    *error = hk_scd_unlock(scd, broken);
    return !*error && !*broken;
}

enum hk_error hk_scd_pksign(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    uint8_t key[HK_ID_BYTES], signature[64];
    const uint8_t *digest = NULL;
    const char *hash = NULL;
    size_t size = 0;
    enum hk_error broken = HK_OK;
    if (!read_arguments(arguments, &hash, key))
        return fail_key(end);
    const struct der *row = read_digest(scd, hash, &digest, &size);
    if (!row) {
        *end = (struct hk_scd_end){HK_GPG_DIGEST,
                                   "only digests by SHA-256, SHA-384, SHA-512 and SHA-224 are signed; see "
                                   "digest-algo in gpg's manual",
                                   false};
        return HK_OK;
    }
    const struct hk_scd_agent *agent = scd->agent;
    enum hk_error error = agent->sign(agent->context, key, row->hash, digest, size, signature);
    if (try_again(scd, &error, &broken))
        error = agent->sign(agent->context, key, row->hash, digest, size, signature);
    scd->data_size = 0;
    if (broken)
        return broken;
    if (!error)
        return hk_assuan_write_data(&scd->client, signature, sizeof signature);
    return fail_use(scd, end, error);
}

enum hk_error hk_scd_pkdecrypt(struct hk_scd *scd, char *arguments, struct hk_scd_end *end)
{
    uint8_t key[HK_ID_BYTES], point[32], shared[32];
    HK_WIPE_AT_EXIT(shared);
    const char *hash = NULL;
    enum hk_error broken = HK_OK;
    bool marked = scd->data_size == 33 && scd->data[0] == 0x40;
    if (!read_arguments(arguments, &hash, key))
        return fail_key(end);
    if (!marked && scd->data_size != sizeof point) {
        *end =
            (struct hk_scd_end){HK_GPG_INVALID_VALUE, "not the ephemeral key of an X25519 agreement", false};
        return HK_OK;
    }
    memcpy(point, scd->data + marked, sizeof point);
    const struct hk_scd_agent *agent = scd->agent;
    enum hk_error error = agent->agree(agent->context, key, point, shared);
    if (try_again(scd, &error, &broken))
        error = agent->agree(agent->context, key, point, shared);
    scd->data_size = 0;
    if (broken)
        return broken;
    if (error)
        return fail_use(scd, end, error);
    broken = hk_assuan_write(&scd->client, "S PADDING 0");
    return broken ? broken : hk_assuan_write_data(&scd->client, shared, sizeof shared);
}

#include "device/certificate.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "crypto/secret.h"
#include "protocol/encoding.h"

/* A packet of this kind, or nothing is taken. */
static bool take_packet(struct hk_bytes *rest, enum hk_openpgp_tag tag, struct hk_bytes *body)
{
    struct hk_bytes at = *rest;
    unsigned found;
    if (hk_openpgp_next(&at, &found, body) || found != (unsigned)tag)
        return false;
    *rest = at;
    return true;
}

static enum hk_error take_key(struct hk_bytes body, struct hk_openpgp_key *key)
{
    size_t used = 0;
    enum hk_error error = hk_openpgp_key_decode(key, &used, body);
    return !error && used != body.size ? HK_BAD_ENCODING : error;
}

/* The signature behind a user id (`key` NULL) or a subkey. */
static enum hk_error take_signature(struct hk_bytes *rest, const struct hk_certificate *certificate,
                                    const struct hk_bytes *user_id, const struct hk_openpgp_key *subkey)
{
    struct hk_openpgp_signature signature;
    struct hk_bytes body;
    if (!take_packet(rest, HK_OPENPGP_SIGNATURE, &body))
        return HK_BAD_ENCODING;
    enum hk_error error = hk_openpgp_signature_decode(&signature, body);
    return error ? error : hk_openpgp_signature_verify(&signature, &certificate->key, user_id, subkey);
}

enum hk_error hk_certificate_read(struct hk_certificate *out, struct hk_bytes bytes)
{
    struct hk_certificate read = {0};
    struct hk_bytes rest = bytes, body;
    if (!take_packet(&rest, HK_OPENPGP_PUBLIC_KEY, &body))
        return HK_BAD_ENCODING;
    enum hk_error error = take_key(body, &read.key);
    if (!error && read.key.algorithm != HK_OPENPGP_EDDSA)
        error = HK_UNSUPPORTED;
    if (error)
        return error;
    hk_openpgp_fingerprint(read.fingerprint, &read.key);
    bool has_user_id = false;
    while (!error && take_packet(&rest, HK_OPENPGP_USER_ID, &body)) {
        if (!has_user_id && body.size > HK_OPENPGP_USER_ID_MAX)
            error = HK_UNSUPPORTED;
        else if (!has_user_id)
            memcpy(read.user_id, body.data, body.size);
        has_user_id = true;
        if (!error)
            error = take_signature(&rest, &read, &body, NULL);
    }
    while (!error && take_packet(&rest, HK_OPENPGP_PUBLIC_SUBKEY, &body)) {
        struct hk_openpgp_key *subkey = &read.subkey[read.subkey_count];
        error = read.subkey_count == HK_CERTIFICATE_SUBKEYS ? HK_UNSUPPORTED : take_key(body, subkey);
        if (!error)
            error = take_signature(&rest, &read, NULL, subkey);
        read.subkey_count += !error;
    }
    if (!error && (!has_user_id || rest.size > 0))
        error = HK_BAD_ENCODING;
    if (!error)
        *out = read;
    return error;
}

enum hk_error hk_certificate_fetch(struct hk_certificate *out, struct hk_bytes *bytes,
                                   struct hk_agent_client *client, const char *name)
{
    struct hk_agent_message *request = hk_agent_request(client, HK_AGENT_ATTACHMENT);
    hk_agent_set_text(request, HK_A_KEY, name);
    hk_agent_set_text(request, HK_A_NAME, HK_CERTIFICATE_ATTACHMENT);
    enum hk_error error = hk_agent_call(client, 0);
    if (error)
        return error;
    const struct hk_value *value = &hk_agent_answer(client)->value[HK_A_ATTACHMENT];
    if (bytes)
        *bytes = HK_BYTES(value->data, value->size);
    return hk_certificate_read(out, HK_BYTES(value->data, value->size));
}

void hk_fingerprint_text(char out[HK_FINGERPRINT_TEXT],
                         const uint8_t fingerprint[HK_OPENPGP_FINGERPRINT_BYTES])
{
    for (size_t i = 0; i < HK_OPENPGP_FINGERPRINT_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02X", fingerprint[i]);
}

/* ---- armor ---- */

static const char head[] = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n",
                  tail[] = "-----END PGP PUBLIC KEY BLOCK-----\n";

/* CRC-24 of RFC 4880, section 6.1. */
static uint32_t checksum(const uint8_t *data, size_t size)
{
    uint32_t sum = 0xb704ce;
    for (size_t i = 0; i < size; i++) {
        sum ^= (uint32_t)data[i] << 16;
        for (int bit = 0; bit < 8; bit++)
            sum = (sum << 1) ^ ((sum & 0x800000) ? 0x1864cfb : 0);
    }
    return sum & 0xffffff;
}

void hk_certificate_armor(char out[HK_CERTIFICATE_ARMOR_MAX], struct hk_bytes bytes)
{
    const uint8_t *data = bytes.data;
    char *to = out;
    uint32_t sum = checksum(data, bytes.size);
    const uint8_t sum_bytes[3] = {(uint8_t)(sum >> 16), (uint8_t)(sum >> 8), (uint8_t)sum};
    to = stpcpy(to, head);
    for (size_t done = 0; done < bytes.size; done += 48) {
        hk_base64_encode(to, data + done, bytes.size - done < 48 ? bytes.size - done : 48, HK_BASE64_PADDED);
        to = stpcpy(to + strlen(to), "\n");
    }
    *to++ = '=';
    hk_base64_encode(to, sum_bytes, sizeof sum_bytes, HK_BASE64_PADDED);
    to = stpcpy(to + strlen(to), "\n");
    stpcpy(to, tail);
}

/* The next line of *rest without its end and white space behind; false at the end. */
static bool next_line(struct hk_bytes *rest, struct hk_bytes *line)
{
    const char *data = rest->data, *end = rest->size ? memchr(data, '\n', rest->size) : NULL;
    size_t size = end ? (size_t)(end - data) : rest->size, used = end ? size + 1 : size;
    if (used == 0)
        return false;
    *rest = HK_BYTES(data + used, rest->size - used);
    while (size > 0 && strchr(" \t\r", data[size - 1]))
        size--;
    *line = HK_BYTES(data, size);
    return true;
}

static bool line_starts(struct hk_bytes line, const char *with)
{
    return line.size >= strlen(with) && memcmp(line.data, with, strlen(with)) == 0;
}

/* Past "-----BEGIN PGP ...", and the headers up to an empty line. */
static bool skip_head(struct hk_bytes *rest)
{
    struct hk_bytes line;
    do {
        if (!next_line(rest, &line))
            return false;
    } while (!line_starts(line, "-----BEGIN PGP "));
    do {
        if (!next_line(rest, &line))
            return false;
    } while (line.size > 0);
    return true;
}

enum hk_error hk_armor_decode(uint8_t *out, size_t max, size_t *size, const char *text, size_t length)
{
    struct hk_bytes rest = HK_BYTES(text, length), line;
    size_t have = 0, got;
    uint8_t sum[3];
    enum hk_error error = skip_head(&rest) ? HK_OK : HK_BAD_ENCODING;
    bool ended = false;
    while (!error && !ended) {
        if (!next_line(&rest, &line)) {
            error = HK_BAD_ENCODING;
        } else if (line_starts(line, "-----END PGP ")) {
            ended = true;
        } else if (line_starts(line, "=") && line.size == 5) {
            error = hk_base64_decode(sum, 3, &got, (const char *)line.data + 1, 4, HK_BASE64_PADDED);
            uint32_t wanted = (uint32_t)sum[0] << 16 | (uint32_t)sum[1] << 8 | sum[2];
            if (!error && (got != 3 || wanted != checksum(out, have)))
                error = HK_BAD_ENCODING;
        } else {
            error = hk_base64_decode(out + have, max - have, &got, line.data, line.size, HK_BASE64_PADDED);
            have += error ? 0 : got;
        }
    }
    if (error) {
        hk_wipe(out, max);
        return error;
    }
    *size = have;
    return HK_OK;
}

/* ---- web key directory ---- */

enum hk_error hk_wkd_name(char out[HK_WKD_NAME_TEXT], char domain[256], const char *user_id)
{
    static const char letters[] = "ybndrfg8ejkmcpqxot1uwisza345h769";
    const char *open = strrchr(user_id, '<'), *from = open ? open + 1 : user_id;
    const char *at = strchr(from, '@');
    size_t local = at ? (size_t)(at - from) : 0, length = at ? strcspn(at + 1, "> ") : 0;
    char lower[HK_OPENPGP_USER_ID_MAX];
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    if (local == 0 || local > sizeof lower || length == 0 || length > 255 || memchr(from, ' ', local))
        return HK_BAD_ENCODING;
    for (size_t i = 0; i < local; i++)
        lower[i] = (char)((unsigned char)from[i] < 128 ? tolower((unsigned char)from[i]) : from[i]);
    if (EVP_Digest(lower, local, hash, &bytes, EVP_sha1(), NULL) != 1 || bytes != 20)
        return HK_INTERNAL;
    for (size_t i = 0; i < 32; i++) {
        size_t bit = 5 * i;
        unsigned two = (unsigned)hash[bit / 8] << 8 | (bit / 8 + 1 < 20 ? hash[bit / 8 + 1] : 0);
        out[i] = letters[two >> (11 - bit % 8) & 31];
    }
    out[32] = 0;
    for (size_t i = 0; i < length; i++)
        domain[i] = (char)tolower((unsigned char)at[1 + i]);
    domain[length] = 0;
    return HK_OK;
}

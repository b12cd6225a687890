#include "device/key_format.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "crypto/suite.h"

#define IDENTITY_PREFIX "AGE-SECRET-KEY-"
#define PLUGIN_PREFIX "AGE-PLUGIN-HALFKEY-"
#define PLUGIN_VERSION 1
#define PLUGIN_BYTES (1 + HK_ACCOUNT_PREFIX_BYTES + 16)

void hk_age_recipient_encode(char out[HK_KEY_TEXT_MAX], const uint8_t key[32])
{
    enum hk_error error = hk_bech32_encode(out, "age", key, 32);
    assert(!error);
    (void)error;
}

enum hk_error hk_age_recipient_decode(uint8_t key[32], const char *text, size_t length)
{
    uint8_t bytes[32];
    size_t size = 0;
    if (hk_bech32_decode(bytes, sizeof bytes, &size, "age", text, length) || size != sizeof bytes)
        return HK_BAD_ENCODING;
    memcpy(key, bytes, sizeof bytes);
    return HK_OK;
}

/* In the texts below white space and line ends are public, though what is between them may be a secret key.
 */
static bool is_space(char c)
{
    unsigned d = (uint8_t)c, none = (d ^ ' ') * (d ^ '\t') * (d ^ '\r') * (d ^ '\n'); /* no branches */
    bool space = none == 0;
    HK_PUBLIC(space);
    return space;
}

/* As memchr for a line end, which may branch on more than that. */
static const char *line_end(const char *at, const char *end)
{
    for (; at < end; at++) {
        bool found = *at == '\n';
        HK_PUBLIC(found);
        if (found)
            return at;
    }
    return NULL;
}

/* The line that *at points to, without white space around it; *at moves behind it. False at the end. */
static bool next_line(const char **at, const char *end, const char **line, size_t *length)
{
    if (*at == end)
        return false;
    const char *start = *at;
    const char *newline = line_end(start, end);
    const char *stop = newline ? newline : end;
    *at = newline ? newline + 1 : end;
    while (start < stop && is_space(*start))
        start++;
    while (stop > start && is_space(stop[-1]))
        stop--;
    *line = start;
    *length = (size_t)(stop - start);
    return true;
}

enum hk_error hk_age_identity_decode(struct hk_secret32 *key, const char *text, size_t length)
{
    struct hk_secret32 found;
    HK_WIPE_AT_EXIT(found);
    bool have = false;
    const char *at = text, *line;
    size_t size, n = 0;
    while (next_line(&at, text + length, &line, &size)) {
        bool comment = size > 0 && *line == '#';
        HK_PUBLIC(comment);
        if (size == 0 || comment)
            continue;
        if (have || hk_bech32_decode(found.bytes, sizeof found.bytes, &n, IDENTITY_PREFIX, line, size) ||
            n != sizeof found.bytes)
            return HK_BAD_ENCODING;
        have = true;
    }
    if (!have)
        return HK_BAD_ENCODING;
    memcpy(key->bytes, found.bytes, sizeof found.bytes);
    return HK_OK;
}

enum hk_error hk_raw_key_decode(struct hk_secret32 *key, const uint8_t *data, size_t size)
{
    if (size == sizeof key->bytes) {
        memcpy(key->bytes, data, size);
        return HK_OK;
    }
    const char *text = (const char *)data;
    while (size > 0 && is_space(text[size - 1]))
        size--;
    struct hk_secret32 decoded;
    HK_WIPE_AT_EXIT(decoded);
    if (hk_hex_decode(decoded.bytes, sizeof decoded.bytes, text, size))
        return HK_BAD_ENCODING;
    memcpy(key->bytes, decoded.bytes, sizeof decoded.bytes);
    return HK_OK;
}

void hk_plugin_identity_encode(char out[HK_KEY_TEXT_MAX], const struct hk_plugin_identity *identity)
{
    uint8_t bytes[PLUGIN_BYTES] = {PLUGIN_VERSION};
    memcpy(bytes + 1, identity->account, sizeof identity->account);
    memcpy(bytes + 1 + sizeof identity->account, identity->key, sizeof identity->key);
    enum hk_error error = hk_bech32_encode(out, PLUGIN_PREFIX, bytes, identity->all ? 0 : sizeof bytes);
    assert(!error);
    (void)error;
}

enum hk_error hk_plugin_identity_decode(struct hk_plugin_identity *identity, const char *text, size_t length)
{
    uint8_t bytes[PLUGIN_BYTES];
    size_t size = 0;
    if (hk_bech32_decode(bytes, sizeof bytes, &size, PLUGIN_PREFIX, text, length))
        return HK_BAD_ENCODING;
    if (size == 0) {
        *identity = (struct hk_plugin_identity){.all = true};
        return HK_OK;
    }
    if (size != sizeof bytes || bytes[0] != PLUGIN_VERSION)
        return HK_BAD_ENCODING;
    identity->all = false;
    memcpy(identity->account, bytes + 1, sizeof identity->account);
    memcpy(identity->key, bytes + 1 + sizeof identity->account, sizeof identity->key);
    return HK_OK;
}

/* What is before the key in its SubjectPublicKeyInfo. */
static const struct {
    enum hk_suite_id suite;
    size_t size, key_bytes;
    uint8_t bytes[24];
} der_heads[] = {
    {HK_SUITE_X25519, 12, 32, {0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0}},
    {HK_SUITE_ED25519, 12, 32, {0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0}},
#define SECP256K1                                                                                            \
    {                                                                                                        \
        0x30, 0x36, 0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x0a, 3,   \
            0x22, 0                                                                                          \
    }
    {HK_SUITE_SECP256K1_SCHNORR, 23, 33, SECP256K1},
    {HK_SUITE_SECP256K1_ECDH, 23, 33, SECP256K1},
    {HK_SUITE_SECP256K1_ECDSA, 23, 33, SECP256K1},
#undef SECP256K1
};

enum hk_error hk_pem_public_encode(char out[HK_KEY_TEXT_MAX], uint64_t suite, const uint8_t *key)
{
    uint8_t der[64];
    char text[HK_BASE64_SIZE(sizeof der)];
    for (size_t i = 0; i < sizeof der_heads / sizeof *der_heads; i++) {
        if ((uint64_t)der_heads[i].suite != suite)
            continue;
        memcpy(der, der_heads[i].bytes, der_heads[i].size);
        memcpy(der + der_heads[i].size, key, der_heads[i].key_bytes);
        hk_base64_encode(text, der, der_heads[i].size + der_heads[i].key_bytes, HK_BASE64_PADDED);
        bool two = strlen(text) > 64;
        snprintf(out, HK_KEY_TEXT_MAX, "-----BEGIN PUBLIC KEY-----\n%.64s%s%s\n-----END PUBLIC KEY-----\n",
                 text, two ? "\n" : "", two ? text + 64 : "");
        return HK_OK;
    }
    return HK_UNSUPPORTED;
}

void hk_ssh_blob(uint8_t out[HK_SSH_BLOB_BYTES], const uint8_t key[32])
{
    static const uint8_t start[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20";
    _Static_assert(sizeof start - 1 + 32 == HK_SSH_BLOB_BYTES, "4 + 11 + 4 + 32");
    memcpy(out, start, sizeof start - 1);
    memcpy(out + sizeof start - 1, key, 32);
}

void hk_ssh_public_encode(char out[HK_KEY_TEXT_MAX], const uint8_t key[32], const char *comment)
{
    uint8_t blob[HK_SSH_BLOB_BYTES];
    char text[HK_BASE64_SIZE(HK_SSH_BLOB_BYTES)];
    hk_ssh_blob(blob, key);
    hk_base64_encode(text, blob, sizeof blob, HK_BASE64_PADDED);
    snprintf(out, HK_KEY_TEXT_MAX, "ssh-ed25519 %s %.140s", text, comment);
}

enum hk_error hk_ssh_public_decode(uint8_t key[32], const char *text, size_t length)
{
    static const char kind[] = "ssh-ed25519 ";
    const char *at = memmem(text, length, kind, sizeof kind - 1);
    if (!at || (at > text && !is_space(at[-1])))
        return HK_BAD_ENCODING;
    at += sizeof kind - 1;
    const char *end = text + length, *stop = at;
    while (stop < end && !is_space(*stop))
        stop++;
    uint8_t blob[HK_SSH_BLOB_BYTES], expected[HK_SSH_BLOB_BYTES];
    size_t size = 0;
    if (hk_base64_decode(blob, sizeof blob, &size, at, (size_t)(stop - at), HK_BASE64_PADDED) ||
        size != sizeof blob)
        return HK_BAD_ENCODING;
    hk_ssh_blob(expected, blob + HK_SSH_BLOB_BYTES - 32);
    if (memcmp(blob, expected, sizeof blob) != 0)
        return HK_BAD_ENCODING;
    memcpy(key, blob + HK_SSH_BLOB_BYTES - 32, 32);
    return HK_OK;
}

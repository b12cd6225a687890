#include "device/sshsig.h"

#include <sodium.h>
#include <string.h>

#include "device/key_format.h"
#include "protocol/encoding.h"
#include "protocol/ssh_wire.h"

#define BEGIN "-----BEGIN SSH SIGNATURE-----"
#define END "-----END SSH SIGNATURE-----"
#define COLUMNS 70
#define BLOB_MAX                                                                                             \
    (6 + 4 + 4 + HK_SSH_BLOB_BYTES + 4 + HK_SSHSIG_NAMESPACE_MAX + 4 + 4 + 6 + 4 + 4 + 11 + 4 + 64)

static const char *const hash_names[] = {"sha512", "sha256"};
static const size_t hash_sizes[] = {64, 32};

/* ---- what is signed ---- */

enum hk_error hk_sshsig_digest(uint8_t digest[64], enum hk_sshsig_hash hash, const struct hk_source *source)
{
    union {
        crypto_hash_sha512_state sha512;
        crypto_hash_sha256_state sha256;
    } state;
    uint8_t block[32768];
    if (hash == HK_SSHSIG_SHA512)
        crypto_hash_sha512_init(&state.sha512);
    else
        crypto_hash_sha256_init(&state.sha256);
    for (;;) {
        size_t got = 0;
        enum hk_error error = source->read(source->context, block, sizeof block, &got);
        if (error)
            return error;
        if (got == 0)
            break;
        if (hash == HK_SSHSIG_SHA512)
            crypto_hash_sha512_update(&state.sha512, block, got);
        else
            crypto_hash_sha256_update(&state.sha256, block, got);
    }
    if (hash == HK_SSHSIG_SHA512)
        crypto_hash_sha512_final(&state.sha512, digest);
    else
        crypto_hash_sha256_final(&state.sha256, digest);
    return HK_OK;
}

enum hk_error hk_sshsig_preimage(uint8_t out[HK_SSHSIG_PREIMAGE_MAX], size_t *size, const char *namespace,
                                 enum hk_sshsig_hash hash, const uint8_t *digest)
{
    size_t length = strlen(namespace);
    if (length == 0 || length > HK_SSHSIG_NAMESPACE_MAX)
        return HK_USAGE;
    struct hk_ssh_writer buffer = {out, 0, HK_SSHSIG_PREIMAGE_MAX, false};
    hk_ssh_put(&buffer, "SSHSIG", 6);
    hk_ssh_put_string(&buffer, namespace, length);
    hk_ssh_put_string(&buffer, NULL, 0);
    hk_ssh_put_string(&buffer, hash_names[hash], 6);
    hk_ssh_put_string(&buffer, digest, hash_sizes[hash]);
    *size = buffer.size;
    return HK_OK;
}

/* ---- the .sig file ---- */

void hk_sshsig_encode(char out[HK_SSHSIG_TEXT_MAX], const struct hk_sshsig *signature)
{
    uint8_t blob[BLOB_MAX], key[HK_SSH_BLOB_BYTES], inner[4 + 11 + 4 + 64];
    char text[HK_BASE64_SIZE(BLOB_MAX)];
    struct hk_ssh_writer buffer = {blob, 0, sizeof blob, false},
                         signed_part = {inner, 0, sizeof inner, false};
    hk_ssh_blob(key, signature->public_key);
    hk_ssh_put_string(&signed_part, "ssh-ed25519", 11);
    hk_ssh_put_string(&signed_part, signature->signature, 64);
    hk_ssh_put(&buffer, "SSHSIG\0\0\0\1", 10);
    hk_ssh_put_string(&buffer, key, sizeof key);
    hk_ssh_put_string(&buffer, signature->namespace, strlen(signature->namespace));
    hk_ssh_put_string(&buffer, NULL, 0);
    hk_ssh_put_string(&buffer, hash_names[signature->hash], 6);
    hk_ssh_put_string(&buffer, inner, sizeof inner);
    hk_base64_encode(text, blob, buffer.size, HK_BASE64_PADDED);
    char *at = stpcpy(out, BEGIN "\n");
    for (size_t i = 0, length = strlen(text); i < length; i += COLUMNS) {
        size_t n = length - i < COLUMNS ? length - i : COLUMNS;
        at = mempcpy(at, text + i, n);
        *at++ = '\n';
    }
    stpcpy(at, END "\n");
}

static enum hk_error decode_blob(struct hk_sshsig *out, struct hk_bytes rest)
{
    struct hk_bytes magic, key, namespace, reserved, hash, signature, kind, bytes;
    if (!hk_ssh_take_bytes(&rest, &magic, 10) || !hk_ssh_same(magic, HK_BYTES("SSHSIG\0\0\0\1", 10)) ||
        !hk_ssh_take_string(&rest, &key) || !hk_ssh_take_string(&rest, &namespace) ||
        !hk_ssh_take_string(&rest, &reserved) || !hk_ssh_take_string(&rest, &hash) ||
        !hk_ssh_take_string(&rest, &signature) || rest.size != 0)
        return HK_BAD_ENCODING;
    if (namespace.size == 0 || namespace.size > HK_SSHSIG_NAMESPACE_MAX ||
        memchr(namespace.data, 0, namespace.size))
        return HK_BAD_ENCODING;
    uint8_t expected[HK_SSH_BLOB_BYTES];
    if (key.size != sizeof expected)
        return HK_UNSUPPORTED;
    const uint8_t *point = (const uint8_t *)key.data + key.size - 32;
    hk_ssh_blob(expected, point);
    bool sha512 = hk_ssh_is(hash, hash_names[HK_SSHSIG_SHA512]);
    if (!hk_ssh_same(key, HK_BYTES(expected, sizeof expected)) ||
        (!sha512 && !hk_ssh_is(hash, hash_names[HK_SSHSIG_SHA256])))
        return HK_UNSUPPORTED;
    if (!hk_ssh_take_string(&signature, &kind) || !hk_ssh_is(kind, "ssh-ed25519") ||
        !hk_ssh_take_string(&signature, &bytes) || bytes.size != 64 || signature.size != 0)
        return HK_BAD_ENCODING;
    memcpy(out->public_key, point, 32);
    memcpy(out->namespace, namespace.data, namespace.size);
    out->namespace[namespace.size] = 0;
    out->hash = sha512 ? HK_SSHSIG_SHA512 : HK_SSHSIG_SHA256;
    memcpy(out->signature, bytes.data, 64);
    return HK_OK;
}

enum hk_error hk_sshsig_decode(struct hk_sshsig *signature, const char *text, size_t length)
{
    const char *begin = memmem(text, length, BEGIN, sizeof BEGIN - 1);
    if (!begin)
        return HK_BAD_ENCODING;
    begin += sizeof BEGIN - 1;
    const char *end = memmem(begin, (size_t)(text + length - begin), END, sizeof END - 1);
    char joined[HK_BASE64_SIZE(BLOB_MAX)];
    size_t n = 0, size = 0;
    for (const char *at = begin; end && at < end; at++) {
        if (*at == '\n' || *at == '\r' || *at == ' ')
            continue;
        if (n == sizeof joined)
            return HK_BAD_ENCODING;
        joined[n++] = *at;
    }
    uint8_t blob[BLOB_MAX];
    if (!end || hk_base64_decode(blob, sizeof blob, &size, joined, n, HK_BASE64_PADDED))
        return HK_BAD_ENCODING;
    return decode_blob(signature, HK_BYTES(blob, size));
}

enum hk_error hk_sshsig_verify(const struct hk_sshsig *signature, const struct hk_source *source)
{
    uint8_t digest[64], preimage[HK_SSHSIG_PREIMAGE_MAX];
    size_t size = 0;
    enum hk_error error = hk_sshsig_digest(digest, signature->hash, source);
    if (!error)
        error = hk_sshsig_preimage(preimage, &size, signature->namespace, signature->hash, digest);
    if (error)
        return error;
    bool good = crypto_sign_verify_detached(signature->signature, preimage, size, signature->public_key) == 0;
    return good ? HK_OK : HK_BAD_SIGNATURE;
}

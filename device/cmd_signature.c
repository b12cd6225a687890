#include "device/cmd_signature.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/suite.h"
#include "device/sshsig.h"
#include "protocol/encoding.h"

#define SUITE(name) (1U << HK_SUITE_##name)
#define DIGEST_BYTES 32

static const struct hk_signature_format formats[] = {
    {"raw", SUITE(ED25519) | SUITE(SECP256K1_SCHNORR) | SUITE(SECP256K1_ECDSA), HK_SIGN_RAW, HK_FORM_PLAIN},
    {"ssh", SUITE(ED25519), HK_SIGN_SSHSIG, HK_FORM_PLAIN},
    {"schnorr", SUITE(SECP256K1_SCHNORR), HK_SIGN_RAW, HK_FORM_PLAIN},
    {"der", SUITE(SECP256K1_ECDSA), HK_SIGN_RAW, HK_FORM_DER},
    {"compact", SUITE(SECP256K1_ECDSA), HK_SIGN_RAW, HK_FORM_RECOVERABLE},
};

int hk_signature_format(const struct hk_signature_format **format, const struct hk_call *call)
{
    const char *name = hk_call_setting(call, "format");
    char list[128] = "";
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        size_t length = strlen(list);
        if (strcmp(name, formats[i].name) == 0) {
            *format = &formats[i];
            return 0;
        }
        snprintf(list + length, sizeof list - length, "%s%s", length ? ", " : "", formats[i].name);
    }
    return hk_fail_text(HK_EXIT_USAGE, "--format is one of %s", list);
}

const char *hk_signature_namespace(const struct hk_call *call)
{
    const char *text = hk_call_option(call, "namespace");
    return text ? text : "file";
}

int hk_signature_message(struct hk_signature_message *message, const struct hk_call *call)
{
    const char *digest = hk_call_option(call, "digest");
    if ((digest != NULL) == (call->count == 1))
        return hk_fail_text(HK_EXIT_USAGE, "what is signed? give FILE, or --digest and no FILE");
    if (digest) {
        message->size = DIGEST_BYTES;
        return hk_hex_decode(message->bytes, DIGEST_BYTES, digest, strlen(digest))
                   ? hk_fail_text(HK_EXIT_USAGE, "--digest has 64 hexadecimal digits")
                   : 0;
    }
    const char *path = call->arguments[0];
    enum hk_error error = hk_read_file(path, message->bytes, sizeof message->bytes, &message->size);
    return error == HK_IO ? hk_fail_file(path) : error ? hk_fail(error, path) : 0;
}

int hk_signature_root(uint8_t root[HK_BIP341_ROOT_BYTES], size_t *size, bool *has_root,
                      const struct hk_call *call)
{
    const char *text = hk_call_option(call, "tweak-root");
    *has_root = text != NULL;
    *size = text && *text ? HK_BIP341_ROOT_BYTES : 0;
    if (*size != 0 && hk_hex_decode(root, HK_BIP341_ROOT_BYTES, text, strlen(text)))
        return hk_fail_text(HK_EXIT_USAGE, "--tweak-root has 64 hexadecimal digits, or none for no scripts");
    return 0;
}

int hk_signature_check(const struct hk_call *call, const struct hk_signature_format *format,
                       const struct hk_agent_key_row *key)
{
    const struct hk_suite *suite = hk_suite_by_id(key->suite);
    const char *name = suite ? suite->name : "unknown";
    if (!suite || suite->purpose != HK_PURPOSE_SIGN)
        return hk_fail_text(HK_EXIT_FAILED, "'%s' is a key to decrypt with; it cannot sign", key->name);
    if ((format->suites >> suite->id & 1) == 0)
        return hk_fail_text(HK_EXIT_FAILED, "'%s' is a key of suite %s; --format %s is for others", key->name,
                            name, format->name);
    if (hk_call_option(call, "digest") && suite->id == HK_SUITE_ED25519)
        return hk_fail_text(
            HK_EXIT_FAILED,
            "Ed25519 hashes the message itself, and never signs a digest in its place: give FILE");
    if (hk_call_option(call, "tweak-root") && suite->id != HK_SUITE_SECP256K1_SCHNORR)
        return hk_fail_text(HK_EXIT_FAILED, "--tweak-root is for keys of suite secp256k1-schnorr, not %s",
                            name);
    return 0;
}

enum hk_error hk_signature_digest_file(const char *path, uint8_t digest[64])
{
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return HK_IO;
    struct hk_source source = {hk_fd_read, &fd};
    enum hk_error error = hk_sshsig_digest(digest, HK_SSHSIG_SHA512, &source);
    if (fd != STDIN_FILENO)
        close(fd);
    return error;
}

void hk_signature_to_digest(struct hk_signature_message *message, const struct hk_call *call)
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    if (hk_call_option(call, "digest"))
        return;
    crypto_hash_sha256(digest, message->bytes, message->size);
    memcpy(message->bytes, digest, sizeof digest);
    message->size = sizeof digest;
}

size_t hk_signature_form(uint8_t out[HK_SIGNATURE_BYTES_MAX], const struct hk_signature_format *format,
                         const uint8_t signature[64], uint64_t recovery)
{
    if (format->form == HK_FORM_DER)
        return hk_ecdsa_to_der(out, signature);
    memcpy(out, signature, 64);
    out[64] = (uint8_t)recovery;
    return format->form == HK_FORM_RECOVERABLE ? 65 : 64;
}

enum hk_error hk_signature_parse(uint8_t signature[64], const struct hk_signature_format *format,
                                 const uint8_t *data, size_t size)
{
    if (format->form == HK_FORM_DER)
        return hk_ecdsa_from_der(signature, data, size);
    size_t wanted = format->form == HK_FORM_RECOVERABLE ? 65 : 64;
    if (size != wanted || (wanted == 65 && data[64] > 3))
        return HK_BAD_ENCODING;
    memcpy(signature, data, 64);
    return HK_OK;
}

/* verify: a signature against a file or digest, without asking anybody. */
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/group_secp256k1.h"
#include "crypto/suite.h"
#include "device/cmd_signature.h"
#include "device/json.h"
#include "device/key_format.h"
#include "device/sshsig.h"

/* Whose signature it must be. */
struct signer {
    uint64_t suite;
    uint8_t key[HK_FORM_BYTES_MAX]; /* in the form that the world knows */
};

static size_t trimmed(const char *text, size_t size)
{
    while (size > 0 && strchr(" \t\r\n", text[size - 1]))
        size--;
    return size;
}

/* A public key as text: the line of a .pub file, 64 hexadecimal digits of Ed25519 or of BIP-340's x, 66 of a
 * compressed point. What it can be depends on the format; raw signatures of a point are ECDSA's. */
static bool parse_public(struct signer *signer, const struct hk_signature_format *format, const char *text,
                         size_t size)
{
    size = trimmed(text, size);
    if ((format->suites >> HK_SUITE_ED25519 & 1) != 0) {
        signer->suite = HK_SUITE_ED25519;
        if (hk_ssh_public_decode(signer->key, text, size) == HK_OK ||
            hk_hex_decode(signer->key, 32, text, size) == HK_OK)
            return true;
    }
    if ((format->suites >> HK_SUITE_SECP256K1_ECDSA & 1) != 0) {
        signer->suite = HK_SUITE_SECP256K1_ECDSA;
        return hk_hex_decode(signer->key, 33, text, size) == HK_OK;
    }
    signer->suite = HK_SUITE_SECP256K1_SCHNORR;
    signer->key[0] = 2;
    return hk_hex_decode(signer->key + 1, 32, text, size) == HK_OK ||
           hk_hex_decode(signer->key, 33, text, size) == HK_OK;
}

/* --public (a file or the text itself), or --key, a key of this account. */
static int find_public(const struct hk_call *call, const struct hk_signature_format *format,
                       struct signer *signer)
{
    const char *public = hk_call_option(call, "public"), *name = hk_call_setting(call, "key");
    bool ed25519 = (format->suites >> HK_SUITE_ED25519 & 1) != 0;
    char text[4096];
    size_t size = 0;
    if (public) {
        if (parse_public(signer, format, public, strlen(public)))
            return 0;
        if (hk_read_file(public, text, sizeof text, &size))
            return hk_fail_file(public);
        return parse_public(signer, format, text, size)
                   ? 0
                   : hk_fail_text(HK_EXIT_FAILED, "%s: no public key of %s", public,
                                  ed25519 ? "Ed25519" : "secp256k1");
    }
    if (!name)
        return hk_fail_text(HK_EXIT_USAGE, "whose signature? give --public FILE or --key NAME");
    struct hk_console console;
    struct hk_agent_key_row row = {0};
    int status = hk_console_open(&console, call);
    if (!status)
        status = hk_find_key(&console, name, &row);
    if (!status)
        status = hk_signature_check(call, format, &row);
    if (!status) {
        memcpy(signer->key, row.public_key, row.public_size);
        signer->suite = row.suite;
    }
    hk_console_close(&console);
    return status;
}

static enum hk_error verify_schnorr(const struct hk_call *call, const struct signer *signer,
                                    const uint8_t signature[64], const struct hk_signature_message *message,
                                    int *status)
{
    struct hk_frost_key key;
    uint8_t root[HK_BIP341_ROOT_BYTES];
    struct hk_bytes tweak = HK_BYTES(root, 0);
    bool has_root;
    *status = hk_signature_root(root, &tweak.size, &has_root, call);
    if (*status)
        return HK_OK;
    enum hk_error error = hk_bip340_signing_key(&key, signer->key, has_root ? &tweak : NULL);
    return error ? error : hk_bip340_verify(signature, key.group_key + 1, message->bytes, message->size);
}

static enum hk_error verify_ecdsa(const struct hk_call *call, const struct signer *signer,
                                  const uint8_t signature[64], struct hk_signature_message *message)
{
    struct hk_point point;
    hk_signature_to_digest(message, call);
    enum hk_error error = hk_secp256k1.point_decode(&point, signer->key);
    return error ? error : hk_ecdsa_verify(&point, message->bytes, signature, false);
}

/* Bytes, or hexadecimal digits of them. */
static enum hk_error read_signature(uint8_t signature[64], const struct hk_signature_format *format,
                                    const char *text, size_t size)
{
    uint8_t bytes[HK_SIGNATURE_BYTES_MAX];
    if (hk_signature_parse(signature, format, (const uint8_t *)text, size) == HK_OK)
        return HK_OK;
    size_t digits = trimmed(text, size);
    if (digits > 2 * sizeof bytes || hk_hex_decode(bytes, digits / 2, text, digits))
        return HK_BAD_ENCODING;
    return hk_signature_parse(signature, format, bytes, digits / 2);
}

static enum hk_error verify_raw(const struct hk_call *call, const struct hk_signature_format *format,
                                const struct signer *signer, const char *text, size_t size, int *status)
{
    uint8_t signature[64];
    if (read_signature(signature, format, text, size))
        return HK_BAD_ENCODING;
    struct hk_signature_message *message = malloc(sizeof *message);
    if (!message)
        return HK_NO_MEMORY;
    enum hk_error error = HK_OK;
    *status = hk_signature_message(message, call);
    if (!*status && signer->suite == HK_SUITE_SECP256K1_SCHNORR)
        error = verify_schnorr(call, signer, signature, message, status);
    else if (!*status && signer->suite == HK_SUITE_SECP256K1_ECDSA)
        error = verify_ecdsa(call, signer, signature, message);
    else if (!*status &&
             crypto_sign_verify_detached(signature, message->bytes, message->size, signer->key) != 0)
        error = HK_BAD_SIGNATURE;
    free(message);
    return error;
}

static enum hk_error verify_ssh(const char *text, size_t size, const uint8_t key[32], const char *namespace,
                                const char *path)
{
    struct hk_sshsig signature;
    enum hk_error error = hk_sshsig_decode(&signature, text, size);
    if (error)
        return error;
    if (memcmp(signature.public_key, key, 32) != 0 || strcmp(signature.namespace, namespace) != 0)
        return HK_BAD_SIGNATURE;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return HK_IO;
    struct hk_source source = {hk_fd_read, &fd};
    error = hk_sshsig_verify(&signature, &source);
    if (fd != STDIN_FILENO)
        close(fd);
    return error;
}

static int report(const struct hk_call *call, enum hk_error error, const char *what)
{
    if (call->json) {
        struct hk_json json;
        hk_json_start(&json, stdout);
        hk_json_map(&json, NULL);
        hk_json_bool(&json, "valid", !error);
        hk_json_text(&json, "error", error ? hk_error_name(error) : NULL);
        hk_json_end_map(&json);
    } else if (!error) {
        printf("good signature of %s\n", what);
    }
    return error ? hk_fail(error, what) : 0;
}

int hk_cmd_verify(const struct hk_call *call)
{
    const char *path = call->count == 1 ? call->arguments[0] : NULL,
               *given = hk_call_option(call, "signature");
    char beside[4096], text[8192];
    size_t size = 0;
    struct signer signer = {0};
    const struct hk_signature_format *format;
    int status = hk_signature_format(&format, call);
    if (status)
        return status;
    if (!given && (!path || strcmp(path, "-") == 0))
        return hk_fail_text(HK_EXIT_USAGE, "--signature FILE is needed for what is not in a file");
    if (!path && format->kind == HK_SIGN_SSHSIG)
        return hk_fail_text(HK_EXIT_USAGE, "--format ssh hashes FILE itself: give that");
    snprintf(beside, sizeof beside, "%s.sig", path ? path : "");
    status = find_public(call, format, &signer);
    if (status)
        return status;
    if (hk_read_file(given ? given : beside, text, sizeof text, &size))
        return hk_fail_file(given ? given : beside);
    enum hk_error error = format->kind == HK_SIGN_SSHSIG
                              ? verify_ssh(text, size, signer.key, hk_signature_namespace(call), path)
                              : verify_raw(call, format, &signer, text, size, &status);
    if (status)
        return status;
    if (error == HK_IO)
        return hk_fail_file(path);
    if (error == HK_BAD_ENCODING) /* of what was read, the signature alone has a form */
        return report(call, error, given ? given : beside);
    return report(call, error, path ? path : "the digest");
}
